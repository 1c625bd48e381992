#include "memory/handover.h"

#include <bit>
#include <new>

#include "port/clock.h"
#include "port/futex.h"
#include "util/check.h"
#include "util/controls.h"

namespace standstill {
namespace {

constexpr int kSpins = 4096;  // about 40 µs; a copy of one page takes about one
constexpr int64_t kPollNs =
    1'000'000;  // how long a waiting guest sleeps before it looks at its gate again
constexpr uint32_t kTagMask = ~uint32_t{0} >> 2;

}  // namespace

Status Handover::Create(const GuestRam& ram, HandoverWaiter waiter,
                        std::unique_ptr<Handover>* out) {
  std::unique_ptr<Handover> handover(new (std::nothrow) Handover(ram, waiter));
  if (handover == nullptr || !handover->states_.Create(ram.pages())) return Status::kOutOfMemory;
  *out = std::move(handover);
  return Status::kOk;
}

void Handover::Begin(PageSink* sink) {
  SS_CHECK(Finished());
  // After 2^30 copies the tags begin again, and words of the first round must not look saved.
  tag_ = (tag_ + 1) & kTagMask;
  if (tag_ == 0) {
    for (uint64_t page = 0; page < ram_.pages(); ++page)
      states_[page].store(0, std::memory_order_relaxed);
    tag_ = 1;
  }
  saved_word_ = Word(kSaved);
  sink_ = sink;
  cancelled_.store(false, std::memory_order_relaxed);
  left_page_.store(kNoPage, std::memory_order_relaxed);
  guest_pages_.store(0, std::memory_order_relaxed);
  unsaved_pages_.store(static_cast<uint32_t>(ram_.pages()), std::memory_order_release);
}

bool Handover::TryClaim(uint64_t page) {
  uint32_t word = states_[page].load(std::memory_order_relaxed);
  return word >> kStateBits != tag_ &&
         states_[page].compare_exchange_strong(word, Word(kClaimed), std::memory_order_acquire,
                                               std::memory_order_relaxed);
}

void Handover::Publish(uint64_t page) {
  const uint32_t before = states_[page].exchange(saved_word_, std::memory_order_acq_rel);
  if (before == Word(kClaimedWithWaiter)) FutexWakeAll(states_[page]);
}

void Handover::CountSaved(uint32_t pages) {
  uint32_t left = unsaved_pages_.load(std::memory_order_relaxed);
  // A cancelled copy has nothing left to count.
  while (left != 0 &&
         !unsaved_pages_.compare_exchange_weak(left, left - pages, std::memory_order_acq_rel,
                                               std::memory_order_relaxed)) {
  }
  if (left == pages) FutexWakeAll(unsaved_pages_);
}

void Handover::SaveForCopier(uint64_t page) {
  if (!sink_->Save(page, ram_.base() + page * kPageBytes, false)) Cancel();
  Publish(page);
}

void Handover::SaveLeftPage() {
  const uint64_t page = left_page_.exchange(kNoPage, std::memory_order_acq_rel);
  if (page == kNoPage || cancelled()) return;
  SaveForCopier(page);
  CountSaved(1);
}

void Handover::SavePages(uint64_t index, uint64_t word) {
  if (left_page_.load(std::memory_order_relaxed) != kNoPage) SaveLeftPage();
  uint32_t saved = 0;
  for (; word != 0 && !cancelled(); word &= word - 1) {
    const uint64_t page = index * PageSet::kWordPages + std::countr_zero(word);
    if (!TryClaim(page)) continue;
    SaveForCopier(page);
    ++saved;
  }
  CountSaved(saved);
}

uint64_t Handover::PassPages(uint64_t index, uint64_t word) {
  uint64_t claimed_by_guest = 0;
  uint32_t passed = 0;
  for (; word != 0; word &= word - 1) {
    const uint64_t page = index * PageSet::kWordPages + std::countr_zero(word);
    if (TryClaim(page)) {
      Publish(page);
      ++passed;
    } else {
      claimed_by_guest |= word & -word;
    }
  }
  CountSaved(passed);
  return claimed_by_guest;
}

void Handover::AwaitFinished() {
  for (uint32_t left; (left = unsaved_pages_.load(std::memory_order_acquire)) != 0;) {
    SaveLeftPage();
    FutexWait(unsaved_pages_, left, kPollNs);
  }
}

void Handover::Cancel() {
  cancelled_.store(true, std::memory_order_release);
  unsaved_pages_.store(0, std::memory_order_release);
  FutexWakeAll(unsaved_pages_);
}

void Handover::ClaimForGuest(uint64_t page) {
  if (cancelled() || Controls::Take(Control::kSkipHandover)) return;
  if (TryClaim(page)) {
    if (sink_->Save(page, ram_.base() + page * kPageBytes, true)) {
      guest_pages_.fetch_add(1, std::memory_order_relaxed);
      Publish(page);
      CountSaved(1);
      return;
    }
    left_page_.store(page, std::memory_order_release);
  }
  const int64_t from_ns = HostMonotonicNs();
  AwaitSaved(page);
  guest_waits_.Record(HostMonotonicNs() - from_ns);
}

void Handover::AwaitSaved(uint64_t page) {
  std::atomic<uint32_t>& state = states_[page];
  const auto over = [&] {
    return state.load(std::memory_order_acquire) == saved_word_ || cancelled();
  };
  for (int i = 0; i < kSpins && !over(); ++i) CpuRelax();
  while (!over()) {
    waiter_.poll(waiter_.context);
    uint32_t word = Word(kClaimed);
    if (state.compare_exchange_strong(word, Word(kClaimedWithWaiter), std::memory_order_acquire,
                                      std::memory_order_acquire) ||
        word == Word(kClaimedWithWaiter)) {
      FutexWait(state, Word(kClaimedWithWaiter), kPollNs);
    }
  }
}

}  // namespace standstill
