#include "supervisor/guest_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "port/file.h"
#include "supervisor/relay.h"

namespace standstill {
namespace {

constexpr const char* kMetadataAddress = "169.254.169.254";
constexpr uint16_t kMetadataPort = 80;
constexpr int kBacklog = 128;

sockaddr_in AddressOf(const char* address, uint16_t port) {
  sockaddr_in socket_address = {};
  socket_address.sin_family = AF_INET;
  socket_address.sin_port = htons(port);
  inet_pton(AF_INET, address, &socket_address.sin_addr);
  return socket_address;
}

// A descriptor, or -1 with errno.
int Listen(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (bind(fd, generic, sizeof(address)) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// What the process that makes the namespaces found. It shares our descriptors, not our memory.
struct Finding {
  const char* refused = nullptr;  // a literal, so that it is at the same place in both
  int error_number = 0;
  int user_fd = -1;
  int net_fd = -1;
  int metadata_fd = -1;
};

bool UnshareBoth(Finding* finding) {
  const std::string user = std::to_string(geteuid());
  const std::string group = std::to_string(getegid());
  finding->refused = "a user namespace and a network namespace in it";
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  finding->refused = "who this user is in a user namespace";
  WriteText("/proc/self/setgroups", "deny");
  if ((errno = WriteText("/proc/self/uid_map", user + " " + user + " 1")) != 0) return false;
  if ((errno = WriteText("/proc/self/gid_map", group + " " + group + " 1")) != 0) return false;
  finding->user_fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  return finding->user_fd >= 0;
}

bool SetUpLoopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  bool done = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags |= IFF_UP;
  done = done && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  strncpy(request.ifr_name, "lo:0", IFNAMSIZ - 1);
  const sockaddr_in address = AddressOf(kMetadataAddress, 0);
  std::memcpy(&request.ifr_addr, &address, sizeof(address));
  done = done && ioctl(fd, SIOCSIFADDR, &request) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  return done;
}

bool CreateHere(bool serves_metadata, Finding* finding) {
  finding->refused = "a network namespace";
  if (unshare(CLONE_NEWNET) != 0 && (errno != EPERM || !UnshareBoth(finding))) return false;
  finding->refused = "its loopback device";
  if (!SetUpLoopback()) return false;
  finding->refused = "the address of the metadata service";
  if (serves_metadata) {
    finding->metadata_fd = Listen(AddressOf(kMetadataAddress, kMetadataPort));
    if (finding->metadata_fd < 0) return false;
  }
  finding->refused = "a descriptor of the namespace";
  finding->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return finding->net_fd >= 0;
}

}  // namespace

GuestNetwork::Made GuestNetwork::Make(bool serves_metadata, std::vector<PublishedPort> ports) {
  auto made = std::make_unique<GuestNetwork>();
  made->ports_ = std::move(ports);
  std::string why_not = made->Publish();
  if (why_not.empty()) why_not = made->Create(serves_metadata);
  if (why_not.empty()) why_not = made->StartRelay();
  if (!why_not.empty()) made.reset();
  return {std::move(made), std::move(why_not)};
}

// While we are in the host's network.
std::string GuestNetwork::Publish() {
  for (PublishedPort& port : ports_) {
    sockaddr_in address = AddressOf("127.0.0.1", port.host);
    Descriptor listener(Listen(address));
    if (!listener.open()) {
      return "port " + std::to_string(port.host) + " of the host: " + DescribeErrno(errno);
    }
    socklen_t length = sizeof(address);
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port.host = ntohs(address.sin_port);
    listeners_.push_back(std::move(listener));
  }
  return "";
}

// Done by a child, since whoever has entered a namespace of users cannot come back. It shares our
// table of descriptors, so that what it opens is ours.
std::string GuestNetwork::Create(bool serves_metadata) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "a pipe: " + DescribeErrno(errno);
  const Descriptor from(ends[0]);
  const Descriptor to(ends[1]);
  const auto child = static_cast<pid_t>(
      syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child < 0) return "one more process: " + DescribeErrno(errno);
  if (child == 0) {
    Finding finding;
    if (CreateHere(serves_metadata, &finding)) {
      finding.refused = nullptr;
    } else {
      finding.error_number = errno;
    }
    const ssize_t told = write(to.get(), &finding, sizeof(finding));
    _exit(told == sizeof(finding) ? 0 : 1);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Finding finding;
  if (status != 0 || read(from.get(), &finding, sizeof(finding)) != sizeof(finding)) {
    return "a network namespace: what made it was killed";
  }
  user_ = Descriptor(finding.user_fd);
  net_ = Descriptor(finding.net_fd);
  metadata_ = Descriptor(finding.metadata_fd);
  if (finding.refused == nullptr) return "";
  return std::string(finding.refused) + ": " + DescribeErrno(finding.error_number);
}

int GuestNetwork::Enter() const {
  if (user_.open() && setns(user_.get(), CLONE_NEWUSER) != 0) return errno;
  return setns(net_.get(), CLONE_NEWNET) == 0 ? 0 : errno;
}

// It lives in our session, by which it is known to be none of the guest, and no longer than we do.
std::string GuestNetwork::StartRelay() const {
  if (ports_.empty()) return "";
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return "a relay: " + DescribeErrno(errno);
  if (child > 0) return "";
  std::vector<RelayedPort> relayed;
  for (size_t i = 0; i < ports_.size(); ++i) {
    relayed.push_back({listeners_[i].get(), ports_[i].guest});
  }
  if (Enter() != 0) _exit(1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which takes it back
  if (getppid() != parent) _exit(1);
  // Nothing of what we hold is held by it: the ends of pipes and sockets tell of our death.
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; ++fd) dup2(nothing, fd);
  int above = 3;
  std::sort(relayed.begin(), relayed.end(),
            [](const RelayedPort& a, const RelayedPort& b) { return a.listener < b.listener; });
  for (const RelayedPort& port : relayed) {
    if (port.listener > above) close_range(above, port.listener - 1, 0);
    above = port.listener + 1;
  }
  close_range(above, ~0U, 0);
  Relay(relayed);
  _exit(0);
}

}  // namespace standstill
