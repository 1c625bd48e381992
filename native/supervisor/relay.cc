#include "supervisor/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "port/small_file.h"

namespace standstill {
namespace {

// Two descriptors each, of the 1,024 that a process usually may have.
constexpr size_t kLinksMax = 480;

// One direction of a connection: what was read on one side and is to be written on the other.
struct Flow {
  int from = -1;
  int to = -1;
  std::array<char, 32768> bytes;
  size_t begin = 0;
  size_t end = 0;
  bool read_all = false;
  bool over = false;  // and the other side was told so

  bool pending() const { return begin < end; }
  bool wants_read() const { return !read_all && !pending(); }

  // False where the connection is broken.
  bool Read() {
    const ssize_t count = recv(from, bytes.data(), bytes.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    read_all = count == 0;
    begin = 0;
    end = static_cast<size_t>(count);
    return Write();
  }

  bool Write() {
    while (pending()) {
      const ssize_t count = send(to, bytes.data() + begin, end - begin, MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      begin += static_cast<size_t>(count);
    }
    if (read_all && !over) {
      over = true;
      shutdown(to, SHUT_WR);
    }
    return true;
  }
};

class Link {
 public:
  Link(Descriptor outside, Descriptor inside)
      : outside_(std::move(outside)), inside_(std::move(inside)) {
    out_.from = in_.to = inside_.get();
    out_.to = in_.from = outside_.get();
  }
  ~Link() {
    if (in_.over && out_.over) return;
    const linger reset = {1, 0};
    setsockopt(outside_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }

  pollfd Outside() const { return {outside_.get(), EventsOf(in_, out_), 0}; }
  pollfd Inside() const { return {inside_.get(), EventsOf(out_, in_), 0}; }
  // False where it is over, in one way or another.
  bool Advance(short outside, short inside) {
    const bool alive = Step(in_, outside, inside) && Step(out_, inside, outside);
    return alive && !(in_.over && out_.over) && ((outside | inside) & (POLLERR | POLLNVAL)) == 0;
  }

 private:
  static short EventsOf(const Flow& reads, const Flow& writes) {
    return static_cast<short>((reads.wants_read() ? POLLIN : 0) | (writes.pending() ? POLLOUT : 0));
  }
  static bool Step(Flow& flow, short from, short to) {
    if ((to & POLLOUT) != 0 && !flow.Write()) return false;
    return (from & (POLLIN | POLLHUP)) == 0 || !flow.wants_read() || flow.Read();
  }

  const Descriptor outside_;
  const Descriptor inside_;
  Flow in_;
  Flow out_;
};

// A connection to the port is under way; what becomes of it, its first read or write tells.
std::unique_ptr<Link> Accept(const RelayedPort& port) {
  Descriptor outside(accept4(port.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!outside.open()) return nullptr;
  Descriptor inside(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  for (const int fd : {outside.get(), inside.get()}) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  }
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A failure is an error of the descriptor, which the next poll tells.
  (void)connect(inside.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return std::make_unique<Link>(std::move(outside), std::move(inside));
}

}  // namespace

void Relay(const std::vector<RelayedPort>& ports) {
  std::vector<std::unique_ptr<Link>> links;
  std::vector<pollfd> files;
  for (const RelayedPort& port : ports) fcntl(port.listener, F_SETFL, O_NONBLOCK);
  for (;;) {
    files.clear();
    const short accepts = links.size() < kLinksMax ? POLLIN : 0;
    for (const RelayedPort& port : ports) files.push_back({port.listener, accepts, 0});
    for (const auto& link : links) {
      files.push_back(link->Outside());
      files.push_back(link->Inside());
    }
    if (poll(files.data(), files.size(), -1) < 0) continue;
    for (size_t i = links.size(); i-- > 0;) {
      const size_t at = ports.size() + 2 * i;
      if (links[i]->Advance(files[at].revents, files[at + 1].revents)) continue;
      links[i] = std::move(links.back());
      links.pop_back();
    }
    for (size_t i = 0; i < ports.size(); ++i) {
      if (files[i].revents == 0) continue;
      if (auto link = Accept(ports[i])) links.push_back(std::move(link));
    }
  }
}

}  // namespace standstill
