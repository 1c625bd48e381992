// One guest that several ways of running it take forward in turn: by the engine's own guest thread,
// and by plain loops on the calling thread. They share RAM and registers, so they do the same work
// on the same pages, and the program's own check at the end shows that each has done it.
//
// Threads: all of it by one thread; the guest thread is inside.
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <memory>

#include "engine/guest_thread.h"
#include "memory/lease.h"
#include "port/clock.h"
#include "port/futex.h"
#include "standstill/write_marks.h"
#include "util/check.h"

namespace standstill::bench {

// How often the kernel has taken the CPU from the calling thread.
inline int64_t Preemptions() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

// Keeps the calling thread, and those that it starts, on the CPU that it is on: ways of running a
// guest that take turns on one CPU share its caches, so that none of them pays for another one's
// move.
class OneCpu {
 public:
  OneCpu() {
    sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof(here), &here);
  }
  ~OneCpu() { sched_setaffinity(0, sizeof(before_), &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_;
};

inline void SleepNs(int64_t ns) {
  const timespec time{.tv_sec = 0, .tv_nsec = ns};
  nanosleep(&time, nullptr);
}

struct Timing {
  int64_t elapsed_ns = 0;
  bool preempted = false;  // the kernel ran something else meanwhile: the figure is not ours
};

class Machine {
 public:
  Machine(const Program& program, uint64_t ram_bytes, const ParamValues& params) {
    SS_CHECK(GuestRam::Create(ram_bytes, true, &ram_) == Status::kOk);
    SS_CHECK(WriteMarks::Create(ram_->pages(), &marks_) == Status::kOk);
    guest_ = std::make_unique<GuestThread>(
        GuestThread::Setup{program, *ram_, gate_, clock_, marks_->active(), 1, [this] {
                             preemptions_ = Preemptions();
                             halts_.fetch_add(1, std::memory_order_release);
                             FutexWakeAll(halts_);
                           }});
    program.init({guest_->registers(), *ram_, params, 1});
    SS_CHECK(guest_->Start());
    program_ = &program;
  }
  ~Machine() { guest_->Stop(); }

  GuestRam& ram() { return *ram_; }
  GuestThread& guest() { return *guest_; }
  ClockPage& clock() { return clock_; }
  RamWindow window(Handover* handover) {
    return {ram_->base(), ram_->size_bytes(), marks_->active(), handover};
  }

  // The engine's way, timed by the guest's own stamps: its first step and its halt at the last one.
  Timing RunGuest(uint64_t steps) {
    const int64_t before = preemptions_;
    const uint32_t halts = halts_.load(std::memory_order_relaxed);
    guest_->SetTarget(guest_->steps() + steps);
    Release();
    while (halts_.load(std::memory_order_acquire) == halts) FutexWait(halts_, halts, kNoTimeout);
    const Timing timing{guest_->halted_at_ns() - guest_->resumed_at_ns(), preemptions_ != before};
    SleepNs(100'000);  // until the guest has given up spinning for its release
    return timing;
  }

  void Release() {
    guest_->ExpectResume();
    SS_CHECK(gate_.BeginRelease(gate_.generation()));
    clock_.Run(HostMonotonicNs());
    gate_.FinishRelease(gate_.generation());
  }
  void Halt() {
    const PauseGate::Ticket ticket = gate_.Request(false);
    SS_CHECK(ticket.halted || gate_.WaitHalted(ticket.generation, 1'000'000'000));
  }
  // As an epoch ends before a live copy.
  void EndEpoch() {
    marks_->ReserveClean();
    marks_->EndEpoch();
    guest_->UseMarks(marks_->active());
  }

  bool Sound() {
    LeaseBook book;
    book.Open();
    Lease lease;
    SS_CHECK(lease.Acquire(book) == Status::kOk);
    Progress progress;
    LeasedReader reader(*ram_, lease, progress);
    return program_->check(guest_->registers(), reader).ok;
  }

 private:
  const Program* program_ = nullptr;
  PauseGate gate_;
  ClockPage clock_;
  std::unique_ptr<GuestRam> ram_;
  std::unique_ptr<WriteMarks> marks_;
  std::unique_ptr<GuestThread> guest_;
  int64_t preemptions_ = 0;  // the guest thread's, as of its latest halt
  std::atomic<uint32_t> halts_{0};
};

}  // namespace standstill::bench
