// The soak: many pause/resume cycles of small VMs, each with a full digest at both ends and at
// least one guest step between, at seeded moments and at seeded steps; at the end every VM is
// compared with a twin that was never interrupted.
//
//   standstill_soak [--cycles N] [--seed S] [--vms N]
//
// Exit 0: no mismatch, no lost step, no growth; 1: one of them; 2: usage.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "port/clock.h"
#include "standstill/freeze.h"
#include "standstill/vm.h"
#include "util/prng.h"

namespace standstill {
namespace {

constexpr int kUsageError = 2;
constexpr int64_t kPatienceNs = 60'000'000'000;
constexpr uint64_t kGrowthBytesMax = uint64_t{4} << 20;
// The programs whose steps are short; ticker and idle wait for a clock.
constexpr std::string_view kPrograms[] = {"page-writer", "kv-store", "queue", "hash-chain"};

struct Options {
  uint64_t cycles = 100'000;
  uint64_t seed = 1;
  uint64_t vms = 4;
};

struct Tally {
  uint64_t cycles = 0;
  uint64_t by_step = 0;
  uint64_t by_pause = 0;
  uint64_t by_freeze = 0;
  uint64_t mismatches = 0;
  uint64_t lost_steps = 0;
  uint64_t broken_invariants = 0;
  uint64_t twins_differing = 0;
  uint64_t refusals = 0;

  bool ok() const {
    return mismatches + lost_steps + broken_invariants + twins_differing + refusals == 0;
  }
};

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

VmConfig ConfigOf(const Options& options, uint64_t index) {
  const Program* program = FindProgram(kPrograms[index % std::size(kPrograms)]);
  VmConfig config;
  config.name = std::string(program->name) + "-" + std::to_string(index);
  config.program = program;
  config.ram_bytes = kRamBytesMin;
  config.seed = Mix64(options.seed ^ Mix64(index));
  for (size_t i = 0; i < program->params.size(); ++i) {
    config.params[i] = program->params[i].value_default;
  }
  return config;
}

// One VM and what the soak knows about it.
//
// It always runs towards a step at which it halts by itself, so that a host that is not scheduled
// does not let it run for milliseconds; on the way there it is paused and frozen at seeded moments.
class Subject {
 public:
  Subject(const VmConfig& config, uint64_t seed, Tally& tally)
      : config_(config), random_{seed}, tally_(tally) {}

  bool Create() { return Counted(Vm::Create(config_, &vm_)); }

  // From halted to halted, with at least one step between, and the proof at both ends of the halt.
  bool Cycle() {
    ++tally_.cycles;
    if (!RunSome()) return false;
    switch (random_.Below(3)) {
      case 0:
        ++tally_.by_step;
        return AwaitTarget() && Halted();
      case 1:
        ++tally_.by_pause;
        PassSomeTime();
        return Pause() && Halted();
      default:
        ++tally_.by_freeze;
        PassSomeTime();
        return FreezeOnce() && Pause() && Halted();
    }
  }

  // Compares with a twin that ran to the same step without a pause.
  bool CompareWithTwin() {
    std::shared_ptr<Vm> twin;
    if (!Counted(Vm::Create(config_, &twin)) || !Counted(twin->RunUntilAndWait(steps_)))
      return false;
    PauseResult pause;
    if (!Counted(twin->Pause(kPatienceNs, &pause))) return false;
    DigestResult mine;
    DigestResult its;
    std::vector<std::byte> my_registers;
    std::vector<std::byte> its_registers;
    CheckReport report;
    if (!Counted(vm_->Digest({}, &mine)) || !Counted(twin->Digest({}, &its)) ||
        !Counted(vm_->ReadRegisters(&my_registers)) ||
        !Counted(twin->ReadRegisters(&its_registers)) || !Counted(vm_->Check(&report))) {
      return false;
    }
    if (mine.value != its.value || my_registers != its_registers) {
      ++tally_.twins_differing;
      Complain("differs from its twin at step", steps_);
    }
    if (!report.ok) {
      ++tally_.broken_invariants;
      Complain(report.violation, report.gpa);
    }
    return true;
  }

  uint64_t steps() const { return steps_; }

 private:
  static constexpr uint64_t kNoTarget = 0;
  static constexpr uint64_t kStepsAheadMax = 20'000;

  // Lets the guest run until it has made a step at least.
  bool RunSome() {
    for (uint64_t steps = steps_; steps == steps_;) {
      if (arrived_.load(std::memory_order_acquire)) target_ = kNoTarget;
      if (target_ != kNoTarget) {
        if (!Counted(vm_->Resume())) return false;
      } else {
        arrived_.store(false, std::memory_order_relaxed);
        target_ = steps_ + 1 + random_.Below(random_.Below(2) == 0 ? 400 : kStepsAheadMax);
        const auto arrive = [this](Status status) {
          if (status == Status::kOk) arrived_.store(true, std::memory_order_release);
        };
        if (!Counted(vm_->RunUntil(target_, arrive))) return false;
      }
      // A guest that was paused at its very step arrives without another one: once more then.
      for (bool there = false; steps == steps_ && !there;) {
        there = arrived_.load(std::memory_order_acquire);
        if (!StepsNow(&steps)) return false;
        if (steps == steps_) std::this_thread::yield();
      }
    }
    return true;
  }

  void PassSomeTime() {
    const int64_t until_ns = HostMonotonicNs() + static_cast<int64_t>(random_.Below(30'000));
    while (HostMonotonicNs() < until_ns) CpuRelax();
  }

  // The guest halts by itself, or has just done so: its answer may be a moment behind.
  bool AwaitTarget() {
    const int64_t until_ns = HostMonotonicNs() + kPatienceNs;
    while (!arrived_.load(std::memory_order_acquire)) {
      if (HostMonotonicNs() > until_ns) {
        ++tally_.lost_steps;
        Complain("did not arrive at step", target_);
        return false;
      }
      std::this_thread::yield();
    }
    uint64_t steps = 0;
    if (!StepsNow(&steps)) return false;
    if (steps != target_) {
      ++tally_.lost_steps;
      Complain("ran past the step it was to halt at, to step", steps);
    }
    return true;
  }

  bool Pause() {
    PauseResult pause;
    if (!Counted(vm_->Pause(kPatienceNs, &pause))) return false;
    return pause.latency_ns != 0 || AwaitTarget();
  }

  bool FreezeOnce() {
    std::shared_ptr<Freeze> freeze;
    size_t culprit = 0;
    FreezeOptions options;
    options.handshake_timeout_ns = kPatienceNs;
    if (!Counted(Freeze::Begin({vm_}, options, &freeze, &culprit))) return false;
    if (!freeze->Records()[0].was_running && !AwaitTarget()) return false;
    const bool halted = Halted();
    freeze->Release();
    return halted;
  }

  bool StepsNow(uint64_t* steps) {
    VmStats stats;
    if (!Counted(vm_->Stats(&stats))) return false;
    *steps = stats.steps;
    return true;
  }

  // The proof: digest and steps at the halt, and again as the last act before the guest goes on.
  bool Halted() {
    DigestResult at_halt;
    DigestResult at_release;
    uint64_t before = 0;
    uint64_t after = 0;
    if (!StepsNow(&before) || !Counted(vm_->Digest({.threads = 1}, &at_halt))) return false;
    for (uint64_t spins = random_.Below(100); spins != 0; --spins) CpuRelax();
    if (!Counted(vm_->Digest({.threads = 1}, &at_release)) || !StepsNow(&after)) return false;
    if (at_halt.value != at_release.value) {
      ++tally_.mismatches;
      Complain("has another digest at release, at step", after);
    }
    if (before != after || before < steps_ || before > target_) {
      ++tally_.lost_steps;
      Complain("moved while halted, or lost or won steps; it is at step", after);
    }
    steps_ = after;
    return true;
  }

  bool Counted(Status status) {
    if (status == Status::kOk) return true;
    ++tally_.refusals;
    Complain("answered status", static_cast<uint64_t>(status));
    return false;
  }
  void Complain(const char* what, uint64_t number) {
    std::fprintf(stderr, "\n%s: %s %llu\n", config_.name.c_str(), what,
                 static_cast<unsigned long long>(number));
  }

  const VmConfig config_;
  Prng random_;
  Tally& tally_;
  std::atomic<bool> arrived_{false};  // at target_; set by the guest thread
  uint64_t target_ = kNoTarget;
  uint64_t steps_ = 0;
  std::shared_ptr<Vm> vm_;
};

class Progress {
 public:
  void Show(uint64_t done, uint64_t cycles) {
    if (!shown_ || HostMonotonicNs() < next_ns_) return;
    next_ns_ = HostMonotonicNs() + 200'000'000;
    std::fprintf(stderr, "\r%llu of %llu cycles", static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(cycles));
  }
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool shown_ = isatty(STDERR_FILENO) != 0;
  int64_t next_ns_ = 0;
};

int Soak(const Options& options) {
  const int64_t from_ns = HostMonotonicNs();
  Tally tally;
  std::deque<Subject> subjects;
  for (uint64_t i = 0; i < options.vms; ++i) {
    const uint64_t seed = Mix64(~options.seed ^ Mix64(i));
    if (!subjects.emplace_back(ConfigOf(options, i), seed, tally).Create()) return 1;
  }
  uint64_t resident_warm = ResidentBytes();
  bool going_on = true;
  {
    Progress progress;
    for (uint64_t cycle = 0; cycle < options.cycles && going_on; ++cycle) {
      if (cycle == options.cycles / 10) resident_warm = ResidentBytes();
      going_on = subjects[cycle % options.vms].Cycle();
      progress.Show(cycle, options.cycles);
    }
  }
  const uint64_t resident_end = ResidentBytes();
  const bool grew = resident_end > resident_warm + kGrowthBytesMax;
  uint64_t steps = 0;
  for (Subject& subject : subjects) {
    if (going_on) (void)subject.CompareWithTwin();
    steps += subject.steps();
  }
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("cycles            %llu of %llu, on %llu VMs of 1 MiB\n", number(tally.cycles),
              number(options.cycles), number(options.vms));
  std::printf(
      "  halted          %llu at an exact step, %llu by a pause, %llu by a freeze and a pause\n",
      number(tally.by_step), number(tally.by_pause), number(tally.by_freeze));
  std::printf("guest steps       %llu\n", number(steps));
  std::printf("digest mismatches %llu\n", number(tally.mismatches));
  std::printf("lost steps        %llu\n", number(tally.lost_steps));
  std::printf("twins differing   %llu\n", number(tally.twins_differing));
  std::printf("invariants broken %llu\n", number(tally.broken_invariants));
  std::printf("refused           %llu\n", number(tally.refusals));
  std::printf("resident memory   %.1f MiB at a tenth, %.1f MiB at the end%s\n",
              static_cast<double>(resident_warm) / 0x1p20,
              static_cast<double>(resident_end) / 0x1p20, grew ? ": grew" : "");
  std::printf("seed              %llu\n", number(options.seed));
  std::printf("time              %.1f s\n", static_cast<double>(HostMonotonicNs() - from_ns) / 1e9);
  const bool ok = tally.ok() && !grew && tally.cycles == options.cycles;
  std::printf("%s\n", ok ? "ok" : "FAILED");
  return ok ? 0 : 1;
}

// ── The command line ──────────────────────────────────────────────────────────────────────────

constexpr const char* kUsage =
    "usage: standstill_soak [--cycles N] [--seed S] [--vms N]\n"
    "  --cycles N  pause/resume cycles in all, 1 or more (100000)\n"
    "  --seed S    of the pause points and the guests (1)\n"
    "  --vms N     1 to 64 (4)\n";

bool ParseNumber(const char* text, uint64_t minimum, uint64_t maximum, uint64_t* out) {
  if (*text < '0' || *text > '9') return false;
  char* end = nullptr;
  errno = 0;
  *out = std::strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' && *out >= minimum && *out <= maximum;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    const char* const value = i + 1 < argc ? argv[++i] : "";
    const bool known =
        (name == "--cycles" && ParseNumber(value, 1, uint64_t{1} << 40, &options.cycles)) ||
        (name == "--seed" && ParseNumber(value, 0, ~uint64_t{0}, &options.seed)) ||
        (name == "--vms" && ParseNumber(value, 1, 64, &options.vms));
    if (!known) {
      std::fprintf(stderr, "standstill_soak: cannot use %s %s\n%s", argv[i], value, kUsage);
      return kUsageError;
    }
  }
  return Soak(options);
}

}  // namespace
}  // namespace standstill

int main(int argc, char** argv) {
  return standstill::Main(argc, argv);
}
