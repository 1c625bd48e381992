// What this machine can do at best, and what a user would otherwise pick: the figures that ours are
// held against. bench/main.mjs asks over stdin, a line a request, so that their rounds alternate
// with ours; one request as arguments works too.
//
//   handshake SAMPLES                two threads: asked → seen, released → running, without sleeping
//   handshake-many THREADS SAMPLES   the same with many threads that park, all asked by one store
//   wake SAMPLES                     released → running, of a thread that has slept for a millisecond
//   sigstop SAMPLES                  SIGSTOP → waitpid of a busy child
//   sigstop-many SAMPLES TASKS       the same of so many sleeping children, each waited for
//   ptrace SAMPLES                   the same by PTRACE_INTERRUPT
//   freezer-v2 SAMPLES               the same by a cgroup's freezer, version 2
//   freezer-v1 SAMPLES               and version 1
//   sleep SAMPLES INTERVAL_NS        how late clock_nanosleep(TIMER_ABSTIME) returns
//   read THREADS MIB                 bandwidth over memory such as a guest's, mapped at first use
//   copy THREADS MIB                 the same of memcpy; into warm pages
//   copy-fresh THREADS MIB           into pages that nobody has touched, huge where the kernel has them
//   copy-pages SAMPLES MIB PAGES     pages here and there in two such memories, one thread
//   map SAMPLES MIB                  a private mapping of a file in memory, and its first page read
//   fault SAMPLES                    first touch of a fresh page
//   cow SAMPLES MIB                  first write to a page of a private mapping: the kernel copies it
//   write-protect SAMPLES MIB PAGES  dirty pages by the kernel: arm, write to so many, scan
//
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "json_lines.h"
#include "kernel_pages.h"
#include "memory_buffers.h"
#include "port/clock.h"
#include "port/futex.h"
#include "port/memory.h"
#include "process_peers.h"
#include "util/prng.h"

namespace standstill::bench {
namespace {

constexpr int64_t kHostSpinNs = 20'000;  // as the pause gate's own

// Lets the other side run for a random while, so that samples do not fall into step with it.
class Gap {
 public:
  void BusyWait() {
    const int64_t until_ns = HostMonotonicNs() + 20'000 + static_cast<int64_t>(prng_.Below(50'000));
    while (HostMonotonicNs() < until_ns) CpuRelax();
  }

 private:
  Prng prng_{1};
};

void SleepUntil(int64_t at_ns) {
  const timespec at{.tv_sec = at_ns / 1'000'000'000, .tv_nsec = at_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// ── Two threads ───────────────────────────────────────────────────────────────────────────────

// The least that any pause can be: one word asks, another one answers.
struct alignas(64) Word {
  std::atomic<uint32_t> value{0};
};
struct Pair {
  Word asked;  // odd: stand still; even: run; ~0: leave
  Word answered;
  std::atomic<int64_t> running_since_ns{0};
};
constexpr uint32_t kLeave = ~uint32_t{0};

void StandByPair(Pair& pair, bool park) {
  uint32_t seen = 0;
  for (;;) {
    uint32_t asked;
    while ((asked = pair.asked.value.load(std::memory_order_acquire)) == seen) {
      if (park && (seen & 1) != 0) FutexWait(pair.asked.value, seen, kNoTimeout);
    }
    if (asked == kLeave) return;
    if ((asked & 1) == 0) pair.running_since_ns.store(HostMonotonicNs(), std::memory_order_relaxed);
    seen = asked;
    pair.answered.value.store(asked, std::memory_order_release);
  }
}

void AwaitAnswer(const Pair& pair, uint32_t answer) {
  while (pair.answered.value.load(std::memory_order_acquire) != answer) {
  }
}

JsonLine Handshake(int samples, bool park) {
  Pair pair;
  std::thread thread([&] { StandByPair(pair, park); });
  std::vector<int64_t> halt_ns;
  std::vector<int64_t> resume_ns;
  Gap gap;
  for (uint32_t i = 0; i < 2 * static_cast<uint32_t>(samples); i += 2) {
    gap.BusyWait();
    const int64_t asked_ns = HostMonotonicNs();
    pair.asked.value.store(i + 1, std::memory_order_release);
    AwaitAnswer(pair, i + 1);
    halt_ns.push_back(HostMonotonicNs() - asked_ns);
    if (park) SleepUntil(HostMonotonicNs() + 1'500'000);
    const int64_t released_ns = HostMonotonicNs();
    pair.asked.value.store(i + 2, std::memory_order_release);
    if (park) FutexWakeAll(pair.asked.value);
    AwaitAnswer(pair, i + 2);
    resume_ns.push_back(pair.running_since_ns.load(std::memory_order_relaxed) - released_ns);
  }
  pair.asked.value.store(kLeave, std::memory_order_release);
  FutexWakeAll(pair.asked.value);
  thread.join();
  JsonLine line;
  line.Add("haltNs", halt_ns).Add("resumeNs", resume_ns);
  return line;
}

// ── Many threads ──────────────────────────────────────────────────────────────────────────────

// One word asks all of them, one count answers, one system call wakes them.
struct Crowd {
  Word asked;  // odd: stand still; even: run; ~0: leave
  Word standing;
  Word running;
  std::atomic<bool> host_asleep{false};
  uint32_t threads = 0;
};

void StandByCrowd(Crowd& crowd) {
  for (;;) {
    uint32_t asked;
    while (((asked = crowd.asked.value.load(std::memory_order_acquire)) & 1) != 0) {
      if (asked == kLeave) return;
      FutexWait(crowd.asked.value, asked, kNoTimeout);
    }
    crowd.running.value.fetch_add(1, std::memory_order_acq_rel);
    while (crowd.asked.value.load(std::memory_order_acquire) == asked) {
    }
    const uint32_t standing = crowd.standing.value.fetch_add(1, std::memory_order_acq_rel) + 1;
    if (standing == crowd.threads && crowd.host_asleep.load(std::memory_order_acquire)) {
      FutexWakeAll(crowd.standing.value);
    }
  }
}

void AwaitStanding(Crowd& crowd) {
  const auto all = [&] {
    return crowd.standing.value.load(std::memory_order_acquire) == crowd.threads;
  };
  const int64_t until_ns = HostMonotonicNs() + kHostSpinNs;
  while (!all() && HostMonotonicNs() < until_ns) CpuRelax();
  crowd.host_asleep.store(true, std::memory_order_seq_cst);
  // Only the last one wakes the host; the bound makes up for a count that moved before the wait.
  for (uint32_t now; (now = crowd.standing.value.load(std::memory_order_acquire)) != crowd.threads;)
    FutexWait(crowd.standing.value, now, 100'000);
  crowd.host_asleep.store(false, std::memory_order_relaxed);
}

JsonLine HandshakeMany(int threads, int samples) {
  Crowd crowd;
  crowd.threads = static_cast<uint32_t>(threads);
  crowd.asked.value = 1;  // they start standing, and leave so
  std::vector<std::thread> started;
  for (int i = 0; i < threads; ++i) started.emplace_back([&] { StandByCrowd(crowd); });
  std::vector<int64_t> halt_ns;
  for (uint32_t asked = 2; asked < 2 * static_cast<uint32_t>(samples) + 2; asked += 2) {
    crowd.standing.value.store(0, std::memory_order_relaxed);
    crowd.running.value.store(0, std::memory_order_relaxed);
    crowd.asked.value.store(asked, std::memory_order_release);
    FutexWakeAll(crowd.asked.value);
    while (crowd.running.value.load(std::memory_order_acquire) != crowd.threads)
      SleepUntil(HostMonotonicNs() + 5'000'000);
    const int64_t asked_ns = HostMonotonicNs();
    crowd.asked.value.store(asked + 1, std::memory_order_release);
    AwaitStanding(crowd);
    halt_ns.push_back(HostMonotonicNs() - asked_ns);
  }
  crowd.asked.value.store(kLeave, std::memory_order_release);
  FutexWakeAll(crowd.asked.value);
  for (std::thread& thread : started) thread.join();
  JsonLine line;
  line.Add("haltNs", halt_ns);
  return line;
}

// ── A process ─────────────────────────────────────────────────────────────────────────────────

JsonLine Sigstop(int samples) {
  JsonLine line;
  const BusyChild child;
  const pid_t pid = child.pid();
  if (pid < 0) return line.Add("error", "fork failed");
  std::vector<int64_t> halt_ns;
  Gap gap;
  int status = 0;
  for (int i = 0; i < samples; ++i) {
    gap.BusyWait();
    const int64_t asked_ns = HostMonotonicNs();
    kill(pid, SIGSTOP);
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) break;
    halt_ns.push_back(HostMonotonicNs() - asked_ns);
    kill(pid, SIGCONT);
    if (waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status)) break;
  }
  return line.Add("haltNs", halt_ns);
}

// ── A timer ───────────────────────────────────────────────────────────────────────────────────

// In a thread of its own: the timer slack is a thread's.
JsonLine Sleep(int samples, int64_t interval_ns) {
  std::vector<int64_t> late_ns;
  std::thread thread([&] {
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    for (int i = 0; i < samples; ++i) {
      const int64_t at_ns = HostMonotonicNs() + interval_ns;
      SleepUntil(at_ns);
      late_ns.push_back(HostMonotonicNs() - at_ns);
    }
  });
  thread.join();
  JsonLine line;
  line.Add("lateNs", late_ns);
  return line;
}

// ── Memory ────────────────────────────────────────────────────────────────────────────────────

JsonLine Read(int threads, uint64_t bytes) {
  Memory(0).OfBytes(bytes);
  std::atomic<uint64_t> sum{0};
  const int64_t elapsed_ns = OverChunks(threads, bytes, [&](uint64_t at, uint64_t length) {
    sum.fetch_xor(ReadAll(Memory(0).Data() + at, length), std::memory_order_relaxed);
  });
  JsonLine line;
  line.Add("elapsedNs", elapsed_ns).Add("bytes", bytes).Add("sum", std::to_string(sum.load()));
  return line;
}

JsonLine Copy(int threads, uint64_t bytes) {
  Memory(0).OfBytes(bytes);
  Memory(1).OfBytes(bytes);
  const int64_t elapsed_ns = OverChunks(threads, bytes, [](uint64_t at, uint64_t length) {
    std::memcpy(Memory(1).Data() + at, Memory(0).Data() + at, length);
  });
  JsonLine line;
  line.Add("elapsedNs", elapsed_ns).Add("bytes", bytes);
  return line;
}

JsonLine CopyFresh(int threads, uint64_t bytes) {
  Memory(0).OfBytes(bytes);
  std::byte* const fresh = MapHuge(bytes, kHugePageBytes);
  JsonLine line;
  if (fresh == nullptr) return line.Add("error", "the machine has no memory for it");
  const int64_t elapsed_ns = OverChunks(threads, bytes, [fresh](uint64_t at, uint64_t length) {
    std::memcpy(fresh + at, Memory(0).Data() + at, length);
  });
  Unmap(fresh, bytes);
  return line.Add("elapsedNs", elapsed_ns).Add("bytes", bytes);
}

JsonLine CopyPages(int samples, uint64_t bytes, uint64_t pages) {
  Memory(0).OfBytes(bytes);
  Memory(1).OfBytes(bytes);
  Prng prng{1};
  std::vector<int64_t> elapsed_ns;
  std::vector<uint64_t> places(pages);
  for (int i = 0; i < samples; ++i) {
    for (uint64_t& place : places) place = prng.Below(bytes / kPageBytes) * kPageBytes;
    const int64_t from_ns = HostMonotonicNs();
    for (const uint64_t place : places)
      std::memcpy(Memory(1).Data() + place, Memory(0).Data() + place, kPageBytes);
    elapsed_ns.push_back(HostMonotonicNs() - from_ns);
  }
  JsonLine line;
  return line.Add("elapsedNs", elapsed_ns);
}

// ── Requests ──────────────────────────────────────────────────────────────────────────────────

JsonLine Answer(const std::string& request) {
  std::istringstream words(request);
  std::string name;
  int64_t first = 0;
  int64_t second = 0;
  int64_t third = 0;
  words >> name >> first >> second >> third;
  const bool sane = first >= 1 && first <= 1'000'000 && second >= 0 && third >= 0;
  const int count = static_cast<int>(first);
  if (sane && name == "handshake") return Handshake(count, false);
  if (sane && name == "wake") return Handshake(count, true);
  if (sane && name == "handshake-many" && second >= 1)
    return HandshakeMany(count, static_cast<int>(second));
  if (sane && name == "sigstop") return Sigstop(count);
  if (sane && name == "sigstop-many" && second >= 1 && second <= 10'000)
    return SigstopMany(count, static_cast<int>(second));
  Gap gap;
  const auto wait = [&gap] { gap.BusyWait(); };
  if (sane && name == "ptrace") return PtraceInterrupt(count, wait);
  if (sane && name == "freezer-v2") return Freeze(count, kFreezerV2, wait);
  if (sane && name == "freezer-v1") return Freeze(count, kFreezerV1, wait);
  if (sane && name == "sleep") return Sleep(count, second);
  if (sane && name == "fault") return FirstTouch(count);
  const auto bytes = static_cast<uint64_t>(second) << 20;
  if (sane && name == "read" && bytes != 0) return Read(count, bytes);
  if (sane && name == "copy" && bytes != 0) return Copy(count, bytes);
  if (sane && name == "copy-fresh" && bytes != 0) return CopyFresh(count, bytes);
  if (sane && name == "map" && bytes != 0) return MapAndTouch(count, bytes);
  if (sane && name == "cow" && bytes != 0) return CopyOnWrite(count, bytes);
  const auto pages = static_cast<uint64_t>(third);
  const bool has_pages = pages != 0 && pages <= bytes / kPageBytes;
  if (sane && name == "copy-pages" && has_pages) return CopyPages(count, bytes, pages);
  if (sane && name == "write-protect" && has_pages) return WriteProtect(count, bytes, pages);
  JsonLine line;
  return line.Add("error", "unknown request");
}

}  // namespace
}  // namespace standstill::bench

int main(int argc, char** argv) {
  using standstill::bench::Answer;
  if (argc > 1) {
    std::string request;
    for (int i = 1; i < argc; ++i) (request += argv[i]) += ' ';
    Answer(request).Print();
    return 0;
  }
  for (std::string request; std::getline(std::cin, request);) Answer(request).Print();
  return 0;
}
