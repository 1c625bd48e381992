#include "port/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace standstill {

void Descriptor::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int Descriptor::Release() {
  return std::exchange(fd_, -1);
}

Descriptor OpenFile(const std::string& path, int flags) {
  return Descriptor(open(path.c_str(), flags | O_CLOEXEC));
}

Descriptor TakeDescriptor(int pid, int fd) {
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.open()) return Descriptor();
  return Descriptor(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
}

std::optional<std::string> ReadTextAt(int fd) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t bytes = pread(fd, part.data(), part.size(), static_cast<off_t>(text.size()));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return std::nullopt;
    if (bytes == 0) return text;
    text.append(part.data(), static_cast<size_t>(bytes));
  }
}

std::optional<std::string> ReadText(const std::string& path) {
  const Descriptor file = OpenFile(path, O_RDONLY);
  if (!file.open()) return std::nullopt;
  return ReadTextAt(file.get());
}

int WriteText(int fd, std::string_view text) {
  for (;;) {
    const ssize_t bytes = write(fd, text.data(), text.size());
    if (bytes == static_cast<ssize_t>(text.size())) return 0;
    if (bytes >= 0) return EIO;
    if (errno != EINTR) return errno;
  }
}

int WriteText(const std::string& path, std::string_view text) {
  const Descriptor file = OpenFile(path, O_WRONLY);
  return file.open() ? WriteText(file.get(), text) : errno;
}

}  // namespace standstill
