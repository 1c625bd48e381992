// What a user would otherwise stop a guest with: ptrace, and the cgroup freezers. Each stops a child
// process that does nothing but count; SIGSTOP is beside them in limits.cc.
//
// Threads: one.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "json_lines.h"
#include "port/clock.h"

namespace standstill::bench {

class BusyChild {
 public:
  BusyChild() : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile uint64_t i = 0;;) i = i + 1;
  }
  ~BusyChild() { End(); }
  BusyChild(const BusyChild&) = delete;
  BusyChild& operator=(const BusyChild&) = delete;

  pid_t pid() const { return pid_; }
  void End() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, __WALL);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

// The least that it takes to stop many processes, by somebody who knows them all.
inline JsonLine SigstopMany(int samples, int tasks) {
  std::vector<pid_t> children;
  JsonLine line;
  for (int i = 0; i < tasks; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) pause();
    }
    if (pid > 0) children.push_back(pid);
  }
  std::vector<int64_t> halt_ns;
  for (int sample = 0; sample < samples; ++sample) {
    usleep(1000);
    int status = 0;
    const int64_t asked_ns = HostMonotonicNs();
    for (const pid_t pid : children) kill(pid, SIGSTOP);
    for (const pid_t pid : children) waitpid(pid, &status, WUNTRACED);
    halt_ns.push_back(HostMonotonicNs() - asked_ns);
    for (const pid_t pid : children) kill(pid, SIGCONT);
  }
  for (const pid_t pid : children) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  if (children.size() != static_cast<size_t>(tasks)) return line.Add("error", "no more processes");
  return line.Add("haltNs", halt_ns);
}

template <class Wait>
JsonLine PtraceInterrupt(int samples, Wait wait) {
  JsonLine line;
  BusyChild child;
  const pid_t pid = child.pid();
  if (pid < 0 || ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0)
    return line.Add("error", "ptrace is refused here");
  std::vector<int64_t> halt_ns;
  for (int i = 0; i < samples; ++i) {
    wait();
    int status = 0;
    const int64_t asked_ns = HostMonotonicNs();
    if (ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) break;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) break;
    halt_ns.push_back(HostMonotonicNs() - asked_ns);
    if (ptrace(PTRACE_CONT, pid, nullptr, nullptr) != 0) break;
  }
  return line.Add("haltNs", halt_ns);
}

// A cgroup of our own below the mount of a hierarchy, with the child in it; gone with this object.
class Cgroup {
 public:
  Cgroup(std::string_view type, std::string_view option) {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string text; std::getline(mounts, text);) {
      std::istringstream words(text);
      std::string device, place, found_type, options;
      words >> device >> place >> found_type >> options;
      if (found_type != type || options.find(option) == std::string::npos) continue;
      folder_ = place + "/standstill-bench-" + std::to_string(getpid());
      made_ = mkdir(folder_.c_str(), 0755) == 0;
      if (made_) break;
    }
  }
  ~Cgroup() {
    // A process that was killed leaves its cgroup a moment later.
    for (int i = 0; made_ && rmdir(folder_.c_str()) != 0 && i < 100; ++i) usleep(1000);
  }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  bool Write(const char* name, std::string_view text) const {
    const int file = open((folder_ + '/' + name).c_str(), O_WRONLY | O_CLOEXEC);
    const bool done = made_ && file >= 0 &&
                      write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (file >= 0) close(file);
    return done;
  }
  // Reads the file until it says so; false where it does not within a second.
  bool Await(const char* name, std::string_view text) const {
    const int file = open((folder_ + '/' + name).c_str(), O_RDONLY | O_CLOEXEC);
    const int64_t until_ns = HostMonotonicNs() + 1'000'000'000;
    bool found = false;
    while (file >= 0 && !found && HostMonotonicNs() < until_ns) {
      char bytes[256];
      const ssize_t length = pread(file, bytes, sizeof(bytes), 0);
      if (length < 0) break;
      found = std::string_view(bytes, static_cast<size_t>(length)).find(text) != std::string::npos;
    }
    if (file >= 0) close(file);
    return found;
  }

 private:
  std::string folder_;
  bool made_ = false;
};

struct Freezer {
  const char* type;
  const char* option;
  const char* order;  // the file that is written to
  const char* freeze;
  const char* thaw;
  const char* answer;  // the file that is read
  const char* frozen;
  const char* thawed;
};
inline constexpr Freezer kFreezerV2 = {"cgroup2",       "",         "cgroup.freeze", "1", "0",
                                       "cgroup.events", "frozen 1", "frozen 0"};
inline constexpr Freezer kFreezerV1 = {"cgroup", "freezer",       "freezer.state", "FROZEN",
                                       "THAWED", "freezer.state", "FROZEN",        "THAWED"};

template <class Wait>
JsonLine Freeze(int samples, const Freezer& freezer, Wait wait) {
  JsonLine line;
  const Cgroup group(freezer.type, freezer.option);
  BusyChild child;
  if (child.pid() < 0 || !group.Write("cgroup.procs", std::to_string(child.pid())))
    return line.Add("error", "no cgroup can be made in such a hierarchy here");
  std::vector<int64_t> halt_ns;
  for (int i = 0; i < samples; ++i) {
    wait();
    const int64_t asked_ns = HostMonotonicNs();
    if (!group.Write(freezer.order, freezer.freeze)) break;
    if (!group.Await(freezer.answer, freezer.frozen)) break;
    halt_ns.push_back(HostMonotonicNs() - asked_ns);
    if (!group.Write(freezer.order, freezer.thaw)) break;
    if (!group.Await(freezer.answer, freezer.thawed)) break;
  }
  (void)group.Write(freezer.order, freezer.thaw);
  child.End();
  return halt_ns.empty() ? line.Add("error", "the cgroup does not freeze here")
                         : line.Add("haltNs", halt_ns);
}

}  // namespace standstill::bench
