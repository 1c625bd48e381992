#include "supervisor/process_tree.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "port/small_file.h"

namespace standstill {
namespace {

struct Entry {
  Process process;
  char state = '?';
  pid_t session = 0;
};

// Of a process or a thread: "pid (name) state parent group session … started …", and the name may hold anything.
std::optional<Entry> ReadStat(const std::string& path) {
  const auto text = ReadText(path);
  if (!text) return std::nullopt;
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  Entry entry;
  entry.process.pid = static_cast<pid_t>(strtol(text->c_str(), nullptr, 10));
  char state = '?';
  int session = 0;
  unsigned long long started = 0;
  constexpr const char* kFormat =
      " %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu";
  if (sscanf(text->c_str() + name_end + 1, kFormat, &state, &session, &started) != 3)
    return std::nullopt;
  entry.state = state;
  entry.session = session;
  entry.process.started_ticks = started;
  return entry;
}

// Each entry of a folder of /proc whose name is a number.
template <class Visit>
void ForEachNumber(const std::string& folder, const Visit& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folder.c_str()), closedir);
  if (listing == nullptr) return;
  while (const dirent* entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    pid_t number;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
    if (read.ec == std::errc{} && read.ptr == name.data() + name.size()) visit(number);
  }
}

std::string StatPath(pid_t pid) {
  return "/proc/" + std::to_string(pid) + "/stat";
}

std::string TasksPath(pid_t pid) {
  return "/proc/" + std::to_string(pid) + "/task";
}

// A leader that has ended is a zombie as long as another thread of it lives.
int CountTasks(pid_t pid) {
  int count = 0;
  ForEachNumber(TasksPath(pid), [&](pid_t) { count += 1; });
  return count;
}

// A thread in one of these that cannot be stopped waits for the child that has its memory.
bool WaitsForVfork(const std::string& task_folder) {
  const auto text = ReadText(task_folder + "/syscall");
  if (!text) return false;
  const long number = strtol(text->c_str(), nullptr, 10);
#ifdef SYS_vfork
  if (number == SYS_vfork) return true;
#endif
  return number == SYS_clone || number == SYS_clone3;
}

}  // namespace

bool CanListDescendants() {
  return ReadText(TasksPath(getpid()) + "/" + std::to_string(getpid()) + "/children").has_value();
}

std::vector<Process> ListDescendants() {
  const pid_t own_session = getsid(0);
  std::vector<Process> found;
  std::vector<pid_t> unvisited = {getpid()};
  while (!unvisited.empty()) {
    const std::string tasks = TasksPath(unvisited.back());
    unvisited.pop_back();
    ForEachNumber(tasks, [&](pid_t tid) {
      std::istringstream children(
          ReadText(tasks + "/" + std::to_string(tid) + "/children").value_or(""));
      for (pid_t child; children >> child;) {
        const auto entry = ReadStat(StatPath(child));
        if (!entry || entry->session == own_session) continue;
        found.push_back(entry->process);
        found.back().ended = entry->state == 'Z' && CountTasks(child) <= 1;
        unvisited.push_back(child);
      }
    });
  }
  std::sort(found.begin(), found.end());
  // One whose parent ended under the walk was met twice.
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool IsStopped(const Process& process) {
  const std::string tasks = TasksPath(process.pid);
  bool stopped = true;
  ForEachNumber(tasks, [&](pid_t tid) {
    if (!stopped) return;
    const std::string task = tasks + "/" + std::to_string(tid);
    const auto entry = ReadStat(task + "/stat");
    if (!entry) return;
    const char state = entry->state;
    const bool halted = state == 'T' || state == 't' || state == 'Z' || state == 'X';
    stopped = halted || (state == 'D' && WaitsForVfork(task));
  });
  return stopped;
}

bool SendSignal(const Process& process, int signal) {
  const Descriptor handle(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  if (!handle.open()) return false;
  const auto entry = ReadStat(StatPath(process.pid));
  if (!entry || !(entry->process == process)) return false;
  return syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0) == 0;
}

}  // namespace standstill
