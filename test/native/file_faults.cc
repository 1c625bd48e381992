#include "file_faults.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace standstill::testing {
namespace {

struct Plan {
  std::mutex mutex;
  bool armed = false;
  size_t at = 0;
  FileFault kind = FileFault::kError;
  int error = 0;
  std::vector<std::string> calls;
};
Plan& ThePlan() {
  static Plan& plan = *new Plan;
  return plan;
}

// How much of `bytes` is done before the fault; negative: all of it is refused, with errno.
ssize_t Permit(const char* call, ssize_t bytes = 0) {
  Plan& plan = ThePlan();
  const std::lock_guard lock(plan.mutex);
  if (!plan.armed) return bytes;
  plan.calls.emplace_back(call);
  const bool interruptible = plan.calls.back() != "rename" && plan.calls.back() != "flock";
  if (plan.calls.size() != plan.at) return bytes;
  if (plan.kind == FileFault::kDie) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if (plan.kind == FileFault::kShort && bytes > 1) {
    plan.kind = FileFault::kError;
    ++plan.at;
    return bytes / 2;
  }
  if (plan.kind == FileFault::kInterrupted && !interruptible) return bytes;
  errno = plan.kind == FileFault::kInterrupted ? EINTR : plan.error;
  return -1;
}

}  // namespace

void ArmFault(size_t at, FileFault kind, int error) {
  Plan& plan = ThePlan();
  const std::lock_guard lock(plan.mutex);
  plan.armed = true;
  plan.at = at;
  plan.kind = kind;
  plan.error = error;
  plan.calls.clear();
}

std::vector<std::string> DisarmFaults() {
  Plan& plan = ThePlan();
  const std::lock_guard lock(plan.mutex);
  plan.armed = false;
  return plan.calls;
}

}  // namespace standstill::testing

// ── In place of the C library's ───────────────────────────────────────────────────────────────

using standstill::testing::Permit;

extern "C" {

ssize_t pread(int descriptor, void* to, size_t bytes, off_t offset) {
  const ssize_t permitted = Permit("read", static_cast<ssize_t>(bytes));
  return permitted < 0 ? -1 : syscall(SYS_pread64, descriptor, to, permitted, offset);
}
ssize_t pwrite(int descriptor, const void* from, size_t bytes, off_t offset) {
  const ssize_t permitted = Permit("write", static_cast<ssize_t>(bytes));
  return permitted < 0 ? -1 : syscall(SYS_pwrite64, descriptor, from, permitted, offset);
}
int fsync(int descriptor) {
  return Permit("fsync") < 0 ? -1 : static_cast<int>(syscall(SYS_fsync, descriptor));
}
int ftruncate(int descriptor, off_t bytes) noexcept {
  return Permit("truncate") < 0 ? -1 : static_cast<int>(syscall(SYS_ftruncate, descriptor, bytes));
}
int flock(int descriptor, int operation) noexcept {
  return Permit("flock") < 0 ? -1 : static_cast<int>(syscall(SYS_flock, descriptor, operation));
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return Permit("rename") < 0
             ? -1
             : static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, 0));
}
int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  const char* const call = (flags & O_CREAT) != 0 ? "create" : "open";
  return Permit(call) < 0 ? -1 : static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}
int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Permit("open") < 0 ? -1
                            : static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
}
