#include "engine/vm_operation.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "port/task_pool.h"

namespace standstill {
namespace {

constexpr uint64_t kGroupWords = 16;  // 4 MiB: what one thread takes at a time

constexpr uint64_t kParallelPages = 512;

}  // namespace

void ForWords(const PageSet& pages, bool guest_runs,
              const std::function<void(uint64_t, uint64_t)>& visit) {
  TaskPool& pool = TaskPool::Get();
  const bool few = pages.count() < kParallelPages;
  const unsigned beside_guest = std::max(1u, pool.threads() - 1);
  const unsigned threads = few ? 1 : guest_runs ? beside_guest : TaskPool::kAllThreads;
  const uint64_t groups = (pages.word_count() + kGroupWords - 1) / kGroupWords;
  pool.ParallelFor(groups, threads, [&](uint64_t group) {
    const uint64_t last = std::min(pages.word_count(), (group + 1) * kGroupWords);
    for (uint64_t index = group * kGroupWords; index < last; ++index) {
      if (const uint64_t word = pages.word(index); word != 0) visit(index, word);
    }
  });
}

Status Vm::Impl::Operation::Begin(Mode mode, Progress* progress) {
  if (impl_.closed) return Status::kClosed;
  if (impl_.copying) return Status::kBusy;
  impl_.copying = begun_ = true;
  impl_.copy_progress = progress;
  if (mode == Mode::kExclusive) {
    impl_.exclusive = true;
    if (std::exchange(impl_.readers_open, false)) impl_.leases.Revoke();
  }
  return Status::kOk;
}

Vm::Impl::Operation::~Operation() {
  if (!begun_) return;
  const std::lock_guard lock(impl_.control);
  impl_.copying = impl_.exclusive = false;
  impl_.copy_progress = nullptr;
  if (impl_.closed) impl_.FreeMemory();
  impl_.copy_done.notify_all();
}

void Vm::Impl::Operation::Watch(Progress* progress) {
  const std::lock_guard lock(impl_.control);
  impl_.copy_progress = progress;
  if (impl_.closed && progress != nullptr) progress->Cancel();
}

Status Vm::Impl::Operation::EndEpoch(PageSink* sink, Cut* cut) {
  const std::lock_guard lock(impl_.control);
  if (impl_.closed) return Status::kClosed;
  if (sink != nullptr && impl_.handover == nullptr) {
    const Status status = Handover::Create(*impl_.ram, impl_.guest->waiter(), &impl_.handover);
    if (status != Status::kOk) return status;
  }
  impl_.marks->ReserveClean();
  const int64_t from_ns = HostMonotonicNs();
  PauseResult pause;
  if (const Status status = impl_.Halt(kHandshakeTimeoutNs, &pause, &cut->was_running);
      status != Status::kOk) {
    return status;
  }
  // A sleeping guest is halted on its behalf, and stamps nothing.
  cut->halted_at_ns = std::max(from_ns, impl_.guest->halted_at_ns());
  const bool whole = !impl_.guest->mid_step();  // else in the wait of an earlier copy, cancelled
  if (whole) {
    cut->state = impl_.Capture();
    cut->epoch = impl_.EndEpochHalted().epoch;
    if (sink != nullptr) {
      impl_.handover->Begin(sink);
      impl_.guest->UseHandover(impl_.handover.get());
    }
  }
  if (cut->was_running) {
    impl_.guest->ExpectResume();
    impl_.Release();
  }
  cut->released_at_ns = HostMonotonicNs();
  return whole ? Status::kOk : Status::kBusy;
}

PageSet Vm::Impl::Operation::PagesNewerThan(uint64_t epoch) {
  (void)impl_.marks->Fold();
  return impl_.marks->PagesNewerThan(epoch);
}

uint64_t Vm::Impl::Operation::PassOver(const PageSet& needed) {
  uint64_t by_guest = 0;
  for (uint64_t index = 0; index < needed.word_count(); ++index) {
    const uint64_t rest = ~needed.word(index) & PageSet::WordMask(impl_.ram->pages(), index);
    by_guest += static_cast<uint64_t>(std::popcount(impl_.handover->PassPages(index, rest)));
  }
  return by_guest;
}

Status Vm::Impl::Operation::SavePages(const PageSet& pages, bool guest_runs, Progress& progress) {
  progress.Begin(pages.count());
  ForWords(pages, guest_runs, [&](uint64_t index, uint64_t word) {
    if (progress.cancelled()) return;
    impl_.handover->SavePages(index, word);
    progress.Add(static_cast<uint64_t>(std::popcount(word)));
  });
  if (progress.cancelled()) return CancelCopy(Status::kCancelled);
  impl_.handover->AwaitFinished();
  if (impl_.handover->cancelled()) return CancelCopy(Status::kSnapshotLimit);
  return impl_.closed ? Status::kClosed : Status::kOk;
}

Status Vm::Impl::Operation::CancelCopy(Status why) {
  impl_.handover->Cancel();
  for (;;) {
    const std::lock_guard lock(impl_.control);
    if (impl_.closed) return Status::kClosed;  // its guest thread has ended
    PauseResult pause;
    bool was_running;
    if (impl_.Halt(kHandshakeTimeoutNs, &pause, &was_running) != Status::kOk) continue;
    if (was_running) impl_.Release();
    return why;
  }
}

}  // namespace standstill
