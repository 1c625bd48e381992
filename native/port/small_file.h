// Small files of /proc and of a cgroup, and descriptors that close themselves.
//
// Threads: any; a descriptor by one at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace standstill {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~Descriptor() { Close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close();
  int Release();  // the caller's from now on

 private:
  int fd_ = -1;
};

Descriptor OpenFile(const std::string& path, int flags);
// A copy of a descriptor of another process, which this one must be allowed to trace; errno says why
// there is none.
Descriptor TakeDescriptor(int pid, int fd);
// Nothing where it cannot be read; errno says why.
std::optional<std::string> ReadText(const std::string& path);
std::optional<std::string> ReadTextAt(int fd);
// The errno of what was refused, or 0.
int WriteText(int fd, std::string_view text);
int WriteText(const std::string& path, std::string_view text);

}  // namespace standstill
