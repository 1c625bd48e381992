#include "supervisor/cgroup_freezer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "port/clock.h"
#include "port/file.h"
#include "port/small_file.h"

namespace standstill {
namespace {

constexpr const char* kPrefix = "standstill-";
constexpr int kRemovalRounds = 200;
constexpr useconds_t kRemovalPauseUs = 5000;
constexpr int kNameAttempts = 16;

struct Control {
  const char* file;
  const char* freeze;
  const char* thaw;
};
constexpr Control kV2 = {"/cgroup.freeze", "1", "0"};
constexpr Control kV1 = {"/freezer.state", "FROZEN", "THAWED"};

const Control& ControlOf(CgroupVersion version) {
  return version == CgroupVersion::kV2 ? kV2 : kV1;
}

std::vector<pid_t> MembersOf(const std::string& group) {
  std::vector<pid_t> pids;
  std::istringstream lines(ReadText(group + "/cgroup.procs").value_or(""));
  for (pid_t pid; lines >> pid;) pids.push_back(pid);
  return pids;
}

// A SIGKILL to a task that version 1 has frozen waits for the thaw, and what runs meanwhile may fork:
// so they are frozen, killed, and thawed.
void RemoveLeftover(CgroupVersion version, const std::string& group) {
  const Control& control = ControlOf(version);
  for (int round = 0; round < kRemovalRounds; ++round) {
    if (rmdir(group.c_str()) == 0 || errno == ENOENT) return;
    WriteText(group + control.file, control.freeze);
    for (const pid_t pid : MembersOf(group)) kill(pid, SIGKILL);
    WriteText(group + control.file, control.thaw);
    usleep(kRemovalPauseUs);
  }
}

void RemoveLeftovers(CgroupVersion version, const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folder.c_str()), closedir);
  if (listing == nullptr) return;
  while (const dirent* entry = readdir(listing.get())) {
    if (!std::string_view(entry->d_name).starts_with(kPrefix)) continue;
    const std::string group = folder + "/" + entry->d_name;
    const Descriptor lock = OpenFile(group, O_RDONLY | O_DIRECTORY);
    if (lock.open() && flock(lock.get(), LOCK_EX | LOCK_NB) == 0) RemoveLeftover(version, group);
  }
}

class CgroupFreezer final : public Freezer {
 public:
  // Null with the errno of what was refused.
  static std::unique_ptr<CgroupFreezer> Make(CgroupVersion version, const std::string& folder,
                                             int* error);
  ~CgroupFreezer() override { Remove(); }

  const char* name() const override {
    return version_ == CgroupVersion::kV2 ? "cgroup2" : "cgroup1";
  }
  const std::string& group() const override { return group_; }
  int join_fd() const override { return join_.get(); }
  int event_fd() const override { return version_ == CgroupVersion::kV2 ? look_.get() : -1; }

  int Request() override { return WriteText(control_.get(), ControlOf(version_).freeze); }
  Look LookFrozen() override {
    const auto text = ReadTextAt(look_.get());
    if (!text) return Look::kFailed;
    // Version 1 asks each task once, and a task that was just being born or woken may miss it: so it
    // is asked again, or the group would be FREEZING for ever.
    if (text->starts_with("FREEZING")) (void)Request();
    const bool frozen = version_ == CgroupVersion::kV2 ? text->find("frozen 1") != std::string::npos
                                                       : text->starts_with("FROZEN");
    return frozen ? Look::kFrozen : Look::kNotYet;
  }
  int Thaw() override { return WriteText(control_.get(), ControlOf(version_).thaw); }
  bool IsThawed() override {
    const auto text = ReadTextAt(look_.get());
    if (!text) return true;
    return version_ == CgroupVersion::kV2 ? text->find("frozen 0") != std::string::npos
                                          : text->starts_with("THAWED");
  }
  std::vector<pid_t> Members() override { return MembersOf(group_); }
  bool Remove() override { return rmdir(group_.c_str()) == 0 || errno == ENOENT; }

 private:
  CgroupFreezer(CgroupVersion version, std::string group)
      : version_(version), group_(std::move(group)) {}
  int Open();
  int TryOut() const;

  const CgroupVersion version_;
  const std::string group_;
  Descriptor lock_;
  Descriptor join_;
  Descriptor control_;
  Descriptor look_;  // cgroup.events, or freezer.state
};

std::unique_ptr<CgroupFreezer> CgroupFreezer::Make(CgroupVersion version, const std::string& folder,
                                                   int* error) {
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    const std::string group =
        folder + "/" + kPrefix + std::to_string(getpid()) + "-" + std::to_string(HostMonotonicNs());
    if (mkdir(group.c_str(), 0755) != 0) {
      *error = errno;
      return nullptr;
    }
    std::unique_ptr<CgroupFreezer> made(new CgroupFreezer(version, group));
    *error = made->Open();
    // Somebody took it for a leftover before it was locked.
    if (*error == ENOENT || *error == EWOULDBLOCK) continue;
    if (*error == 0) *error = made->TryOut();
    if (*error == 0) return made;
    return nullptr;
  }
  return nullptr;
}

int CgroupFreezer::Open() {
  lock_ = OpenFile(group_, O_RDONLY | O_DIRECTORY);
  if (!lock_.open() || flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) return errno;
  join_ = OpenFile(group_ + "/cgroup.procs", O_WRONLY);
  if (!join_.open()) return errno;
  control_ = OpenFile(group_ + ControlOf(version_).file, O_WRONLY);
  if (!control_.open()) return errno;
  const char* const events = version_ == CgroupVersion::kV2 ? "/cgroup.events" : kV1.file;
  look_ = OpenFile(group_ + events, O_RDONLY);
  return look_.open() ? 0 : errno;
}

// Rights to the folder are not yet the right to move a process into it.
int CgroupFreezer::TryOut() const {
  const pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) _exit(WriteText(join_.get(), "0"));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

}  // namespace

FreezerChoice MakeCgroupFreezer(CgroupVersion version) {
  const CgroupPlaces places = FindCgroupPlaces(version);
  std::string why = places.why_none;
  for (const std::string& folder : places.folders) {
    RemoveLeftovers(version, folder);
    int error = 0;
    if (auto freezer = CgroupFreezer::Make(version, folder, &error)) {
      return {std::move(freezer), "a group of its own can be made in " + folder};
    }
    why += (why.empty() ? "" : "; ") + folder + " refuses a group: " + DescribeErrno(error);
  }
  return {nullptr, why};
}

FreezerChoice ChooseFreezer(const std::string& wanted) {
  if (wanted == "signal") return MakeSignalFreezer();
  if (wanted == "cgroup2") return MakeCgroupFreezer(CgroupVersion::kV2);
  if (wanted == "cgroup1") return MakeCgroupFreezer(CgroupVersion::kV1);
  FreezerChoice v2 = MakeCgroupFreezer(CgroupVersion::kV2);
  if (v2.freezer != nullptr) return v2;
  const std::string no_v2 = "cgroup2: " + v2.why;
  FreezerChoice v1 = MakeCgroupFreezer(CgroupVersion::kV1);
  if (v1.freezer != nullptr) return {std::move(v1.freezer), v1.why + "; " + no_v2};
  FreezerChoice signal = MakeSignalFreezer();
  return {std::move(signal.freezer), signal.why + "; " + no_v2 + "; cgroup1: " + v1.why};
}

}  // namespace standstill
