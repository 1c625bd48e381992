// What the engine's tests share: VMs with the default parameters, bounded waits, guests that do
// what a test tells them, and children for what ends a process.
//
// Waits are bounded by a patience that no noisy machine can miss; no test asserts a shorter time.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "guest/access.h"
#include "port/clock.h"
#include "standstill/program.h"
#include "standstill/vm.h"
#include "util/prng.h"

namespace standstill::testing {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
inline constexpr bool kSanitized = kThreadSanitizer || kAddressSanitizer;

// How often to repeat what takes longer under a sanitizer.
constexpr int Rounds(int plain, int sanitized) {
  return kSanitized ? sanitized : plain;
}

inline constexpr int64_t kMillisecondNs = 1'000'000;
inline constexpr int64_t kSecondNs = 1'000 * kMillisecondNs;
// Two pairs of readings of the host's clocks, each cut to its nanosecond.
inline constexpr int64_t kClockResolutionNs = 4;
inline constexpr int64_t kPatienceNs = 60'000 * kMillisecondNs;

inline void SleepNs(int64_t ns) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
}

// True as soon as the condition holds; false where it does not within the patience.
template <class Condition>
bool Eventually(const Condition& condition) {
  const int64_t until_ns = HostMonotonicNs() + kPatienceNs;
  while (!condition()) {
    if (HostMonotonicNs() > until_ns) return false;
    SleepNs(50'000);
  }
  return true;
}

// Passes a short time without giving up the processor.
inline void SpinNs(int64_t ns) {
  for (const int64_t until_ns = HostMonotonicNs() + ns; HostMonotonicNs() < until_ns;) CpuRelax();
}

// ── VMs ───────────────────────────────────────────────────────────────────────────────────────
struct GuestOptions {
  uint64_t ram_bytes = kRamBytesMin;
  uint64_t seed = 1;
  double duty_cycle = 1;
  std::vector<std::pair<std::string_view, double>> params = {};
  bool prefault = false;
  SyncPolicy sync = {};
};

inline VmConfig ConfigOf(const Program& program, const GuestOptions& options = {}) {
  VmConfig config{.name = std::string(program.name),
                  .program = &program,
                  .ram_bytes = options.ram_bytes,
                  .params = {},
                  .seed = options.seed,
                  .duty_cycle = options.duty_cycle,
                  .prefault = options.prefault,
                  .sync = options.sync};
  for (size_t i = 0; i < program.params.size(); ++i) {
    config.params[i] = program.params[i].value_default;
    for (const auto& [name, value] : options.params) {
      if (program.params[i].name == name) config.params[i] = value;
    }
  }
  return config;
}

inline std::shared_ptr<Vm> MakeVm(const Program& program, const GuestOptions& options = {}) {
  std::shared_ptr<Vm> vm;
  REQUIRE(Vm::Create(ConfigOf(program, options), &vm) == Status::kOk);
  return vm;
}
inline std::shared_ptr<Vm> MakeVm(std::string_view program, const GuestOptions& options = {}) {
  REQUIRE(FindProgram(program) != nullptr);
  return MakeVm(*FindProgram(program), options);
}
inline std::shared_ptr<Vm> StartVm(std::string_view program, const GuestOptions& options = {}) {
  std::shared_ptr<Vm> vm = MakeVm(program, options);
  REQUIRE(vm->Start() == Status::kOk);
  return vm;
}

inline VmStats StatsOf(Vm& vm) {
  VmStats stats;
  REQUIRE(vm.Stats(&stats) == Status::kOk);
  return stats;
}
inline uint64_t StepsOf(Vm& vm) {
  return StatsOf(vm).steps;
}
inline bool RunsOn(Vm& vm) {
  const uint64_t from = StepsOf(vm);
  return Eventually([&] { return StepsOf(vm) > from; });
}

inline PauseResult Pause(Vm& vm) {
  PauseResult result;
  REQUIRE(vm.Pause(kPatienceNs, &result) == Status::kOk);
  return result;
}

inline DigestResult DigestOf(Vm& vm, const DigestOptions& options = {}) {
  DigestResult result;
  REQUIRE(vm.Digest(options, &result) == Status::kOk);
  return result;
}
inline std::vector<std::byte> RegistersOf(Vm& vm) {
  std::vector<std::byte> registers;
  REQUIRE(vm.ReadRegisters(&registers) == Status::kOk);
  return registers;
}
inline std::vector<std::byte> RamOf(Vm& vm) {
  std::vector<std::byte> ram;
  REQUIRE(vm.ReadRam(0, vm.config().ram_bytes, &ram) == Status::kOk);
  return ram;
}
// ── Snapshots ─────────────────────────────────────────────────────────────────────────────────
using SnapshotPointer = std::shared_ptr<const Snapshot>;

inline SnapshotPointer SnapshotOf(Vm& vm, bool live = false, SnapshotCost* cost = nullptr) {
  Progress progress;
  SnapshotPointer snapshot;
  SnapshotCost unread;
  REQUIRE(vm.TakeSnapshot(live, progress, &snapshot, cost != nullptr ? cost : &unread) ==
          Status::kOk);
  return snapshot;
}
inline std::vector<std::byte> RamOf(const Snapshot& snapshot) {
  std::vector<std::byte> ram;
  REQUIRE(snapshot.Read(0, snapshot.state().ram_bytes, &ram) == Status::kOk);
  return ram;
}
inline uint64_t DigestOf(const Snapshot& snapshot) {
  Progress progress;
  uint64_t value = 0;
  REQUIRE(snapshot.Digest(progress, &value) == Status::kOk);
  return value;
}
// A live snapshot's RAM, flat.
inline Status LiveCopy(Vm& vm, std::byte* target, uint64_t* step, Progress& progress) {
  SnapshotPointer snapshot;
  SnapshotCost cost;
  const Status status = vm.TakeSnapshot(true, progress, &snapshot, &cost);
  if (status != Status::kOk) return status;
  const std::vector<std::byte> ram = RamOf(*snapshot);
  std::copy(ram.begin(), ram.end(), target);
  *step = snapshot->state().steps;
  return status;
}
inline Status LiveCopy(Vm& vm, std::byte* target, uint64_t* step) {
  Progress progress;
  return LiveCopy(vm, target, step, progress);
}

inline bool InvariantsHold(Vm& vm) {
  CheckReport report;
  REQUIRE(vm.Check(&report) == Status::kOk);
  return report.ok;
}

// Where a RunUntil answers to.
class Answer {
 public:
  std::function<void(Status)> Callback() {
    return [state = state_](Status status) {
      state->status.store(status);
      state->count.fetch_add(1);
    };
  }
  int count() const { return state_->count.load(); }
  Status status() const { return state_->status.load(); }
  bool Arrives() const {
    return Eventually([this] { return count() != 0; });
  }

 private:
  struct State {
    std::atomic<Status> status{Status::kOk};
    std::atomic<int> count{0};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

inline void RunTo(Vm& vm, uint64_t step) {
  const Answer answer;
  REQUIRE(vm.RunUntil(step, Answer(answer).Callback()) == Status::kOk);
  REQUIRE(answer.Arrives());
  REQUIRE(answer.status() == Status::kOk);
}

// What a VM of this program holds after so many uninterrupted steps.
struct Moment {
  uint64_t digest = 0;
  std::vector<std::byte> registers;
  bool operator==(const Moment&) const = default;
};
inline Moment MomentOf(Vm& vm) {
  return {DigestOf(vm).value, RegistersOf(vm)};
}
inline std::shared_ptr<Vm> TwinAt(const Program& program, const GuestOptions& options,
                                  uint64_t step) {
  std::shared_ptr<Vm> twin = MakeVm(program, options);
  RunTo(*twin, step);
  return twin;
}

// Few steps for programs whose steps take long.
inline uint64_t StepsFor(const Program& program, uint64_t plain) {
  const uint64_t steps = kSanitized ? plain / 8 : plain;
  if (program.name == "idle") return std::min<uint64_t>(steps, 200);
  return steps;
}
// Parameters under which a program sleeps no longer than a test has time for.
inline GuestOptions OptionsFor(const Program& program, uint64_t seed) {
  GuestOptions options{.seed = seed};
  if (program.name == "idle") options.params = {{"wakeIntervalUs", 20}};
  return options;
}

// ── Guests that do as they are told ───────────────────────────────────────────────────────────
struct BlockingSwitch {
  std::atomic<bool> on{false};
  std::atomic<bool> inside{false};  // the guest is held in a step
};
// Reaches no safepoint while its switch, which its seed names, is on.
struct BlockingGuest {
  static inline std::array<BlockingSwitch, 8> switches;

  static constexpr std::string_view kName = "test-blocking";
  static constexpr std::string_view kSummary = "";
  static constexpr std::array<ParamSpec, 0> kParams = {};
  static constexpr uint32_t kQuantumSteps = 1;
  static constexpr bool kReadsClock = false;
  struct Registers {
    uint64_t index;
    uint64_t count;
  };
  static void Init(const InitContext& context, Registers& r) { r.index = context.seed; }
  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    BlockingSwitch& held = switches[r.index];
    while (held.on.load()) {
      held.inside.store(true);
      SleepNs(20'000);
    }
    held.inside.store(false);
    ram.template Store<uint64_t>(0, ++r.count);
    return kContinue;
  }
  static CheckReport Check(const Registers&, LeasedReader&) { return {}; }

  static bool Block(uint64_t index) {
    switches[index].on.store(true);
    return Eventually([&] { return switches[index].inside.load(); });
  }
  static void Unblock(uint64_t index) { switches[index].on.store(false); }
};
inline constexpr Program kBlockingProgram = MakeProgram<BlockingGuest>();

// Leaves no guest blocked that a failed assertion would have left so.
class BlockedGuest {
 public:
  explicit BlockedGuest(uint64_t index) : index_(index) { REQUIRE(BlockingGuest::Block(index)); }
  ~BlockedGuest() { BlockingGuest::Unblock(index_); }
  BlockedGuest(const BlockedGuest&) = delete;
  BlockedGuest& operator=(const BlockedGuest&) = delete;

 private:
  const uint64_t index_;
};

// Writes one word a step, each step the next page's, and at a chosen step makes a mistake.
struct FaultingGuest {
  enum Kind : int { kNever, kStorePastEnd, kLoadPastEnd, kMisalignedStore, kMisalignedLoad, kFar };
  enum Param : size_t { kKind, kStep };
  static constexpr std::string_view kName = "test-faulting";
  static constexpr std::string_view kSummary = "";
  static constexpr std::array<ParamSpec, 2> kParams = {{
      {.name = "kind",
       .summary = "",
       .kind = ParamKind::kInteger,
       .value_default = 0,
       .value_min = 0,
       .value_max = 5},
      {.name = "step",
       .summary = "",
       .kind = ParamKind::kInteger,
       .value_default = 0,
       .value_min = 0,
       .value_max = 1e9},
  }};
  static constexpr uint32_t kQuantumSteps = 16;
  static constexpr bool kReadsClock = false;
  static constexpr uint64_t kFarGpa = ~uint64_t{7};
  static constexpr uint64_t kMisalignedGpa = kPageBytes + 4;
  struct Registers {
    uint64_t kind;
    uint64_t fault_at;
    uint64_t steps;
  };
  static void Init(const InitContext& context, Registers& r) {
    r.kind = static_cast<uint64_t>(context.params[kKind]);
    r.fault_at = static_cast<uint64_t>(context.params[kStep]);
  }
  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    if (r.steps == r.fault_at) {
      if (r.kind == kStorePastEnd) ram.template Store<uint64_t>(ram.size_bytes(), 1);
      if (r.kind == kLoadPastEnd) (void)ram.template Load<uint32_t>(ram.size_bytes());
      if (r.kind == kMisalignedStore) ram.template Store<uint64_t>(kMisalignedGpa, 1);
      if (r.kind == kMisalignedLoad) (void)ram.template Load<uint64_t>(kMisalignedGpa);
      if (r.kind == kFar) ram.template Store<uint64_t>(kFarGpa, 1);
    }
    ++r.steps;
    ram.template Store<uint64_t>(r.steps * kPageBytes % ram.size_bytes(), r.steps);
    return kContinue;
  }
  static CheckReport Check(const Registers&, LeasedReader&) { return {}; }
};
inline constexpr Program kFaultingProgram = MakeProgram<FaultingGuest>();

// ── This process ──────────────────────────────────────────────────────────────────────────────
inline size_t MappingCount() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}
inline uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// ── Children ──────────────────────────────────────────────────────────────────────────────────
// Runs one test case, which is skipped otherwise, in a process of its own.
struct ChildEnd {
  int signal = 0;  // 0: it exited
  int code = -1;
  std::string output;
};
inline ChildEnd RunChild(const char* test_case) {
  const std::string filter = std::string("--test-case=") + test_case;
  std::array<const char*, 5> arguments = {"standstill-test-child", "--no-skip", "--no-intro",
                                          filter.c_str(), nullptr};
  std::array<int, 2> ends;
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(120);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execv("/proc/self/exe", const_cast<char* const*>(arguments.data()));
    _exit(125);
  }
  close(ends[1]);
  ChildEnd end;
  std::array<char, 4096> buffer;
  for (ssize_t bytes; (bytes = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    end.output.append(buffer.data(), static_cast<size_t>(bytes));
  }
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  return end;
}

// In a child: dies of these signals as any program does, whoever else would like to handle them.
inline void DieOfSignals() {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(signal, SIG_DFL);
}

}  // namespace standstill::testing
