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
#include <string>
#include <unordered_map>

#include "supervisor/files.h"

namespace standstill {
namespace {

struct Entry {
  Process process;
  pid_t parent = 0;
  char state = '?';
};

// Of a process or a thread: "pid (name) state parent … started …", and the name may hold anything.
std::optional<Entry> ReadStat(const std::string& path) {
  const auto text = ReadText(path);
  if (!text) return std::nullopt;
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  Entry entry;
  entry.process.pid = static_cast<pid_t>(strtol(text->c_str(), nullptr, 10));
  char state = '?';
  int parent = 0;
  unsigned long long started = 0;
  constexpr const char* kFormat =
      " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu";
  if (sscanf(text->c_str() + name_end + 1, kFormat, &state, &parent, &started) != 3)
    return std::nullopt;
  entry.state = state;
  entry.process.started_ticks = started;
  entry.parent = parent;
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

bool ListDescendants(std::vector<Process>* out) {
  std::unordered_map<pid_t, Entry> all;
  ForEachNumber("/proc", [&](pid_t pid) {
    if (const auto entry = ReadStat(StatPath(pid))) all[pid] = *entry;
  });
  // A parent that ended between the reading of its child and its own turn: the child has another one
  // by now.
  std::vector<pid_t> ended;
  for (auto& [pid, entry] : all) {
    if (entry.parent == 0 || all.contains(entry.parent)) continue;
    const auto again = ReadStat(StatPath(pid));
    if (!again) {
      ended.push_back(pid);
    } else {
      entry = *again;
      if (entry.parent != 0 && !all.contains(entry.parent)) return false;
    }
  }
  for (const auto& [pid, entry] : all) {
    if (std::find(ended.begin(), ended.end(), entry.parent) != ended.end()) return false;
  }
  for (const pid_t pid : ended) all.erase(pid);

  enum class Place : uint8_t { kBelow, kElsewhere };
  std::unordered_map<pid_t, Place> known = {{getpid(), Place::kBelow}, {0, Place::kElsewhere}};
  out->clear();
  std::vector<pid_t> path;
  for (const auto& [pid, entry] : all) {
    pid_t at = pid;
    while (!known.contains(at) && all.contains(at) && path.size() <= all.size()) {
      path.push_back(at);
      at = all[at].parent;
    }
    const auto found = known.find(at);
    const Place place = found == known.end() ? Place::kElsewhere : found->second;
    for (const pid_t on_path : path) known[on_path] = place;
    path.clear();
    if (place != Place::kBelow || pid == getpid()) continue;
    out->push_back(entry.process);
    out->back().ended = entry.state == 'Z' && CountTasks(pid) <= 1;
  }
  std::sort(out->begin(), out->end());
  return true;
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
