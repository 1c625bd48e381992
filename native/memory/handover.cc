#include "memory/handover.h"

#include <cstring>
#include <new>

#include "port/clock.h"
#include "port/futex.h"
#include "port/memory.h"
#include "util/check.h"
#include "util/controls.h"

namespace standstill {
namespace {

constexpr int kSpins = 4096;  // about 40 µs; a copy of one page takes about one
constexpr int64_t kPollNs =
    1'000'000;  // how long a waiting guest sleeps before it looks at its gate again
constexpr uint32_t kTagMask = ~uint32_t{0} >> 2;

uint64_t StateBytes(uint64_t pages) {
  return (pages * sizeof(uint32_t) + 4095) / 4096 * 4096;
}

}  // namespace

Handover::Handover(const GuestRam& ram, HandoverWaiter waiter, std::atomic<uint32_t>* states)
    : ram_(ram), waiter_(waiter), states_(states) {}

Handover::~Handover() {
  Unmap(reinterpret_cast<std::byte*>(states_), StateBytes(ram_.pages()));
}

Status Handover::Create(const GuestRam& ram, HandoverWaiter waiter,
                        std::unique_ptr<Handover>* out) {
  std::byte* mapping = MapAnonymous(StateBytes(ram.pages()));
  if (mapping == nullptr) return Status::kOutOfMemory;
  // A fresh mapping is zero, which is what a default-constructed atomic of each page would hold.
  out->reset(new (std::nothrow)
                 Handover(ram, waiter, reinterpret_cast<std::atomic<uint32_t>*>(mapping)));
  if (*out != nullptr) return Status::kOk;
  Unmap(mapping, StateBytes(ram.pages()));
  return Status::kOutOfMemory;
}

void Handover::Begin(std::byte* target) {
  SS_CHECK(Finished());
  // After 2^30 copies the tags begin again, and words of the first round must not look saved.
  tag_ = (tag_ + 1) & kTagMask;
  if (tag_ == 0) {
    for (uint64_t page = 0; page < ram_.pages(); ++page)
      states_[page].store(0, std::memory_order_relaxed);
    tag_ = 1;
  }
  saved_word_ = Word(kSaved);
  target_ = target;
  guest_pages_.store(0, std::memory_order_relaxed);
  unsaved_pages_.store(static_cast<uint32_t>(ram_.pages()), std::memory_order_release);
}

bool Handover::TryClaim(uint64_t page) {
  uint32_t word = states_[page].load(std::memory_order_relaxed);
  return word >> kStateBits != tag_ &&
         states_[page].compare_exchange_strong(word, Word(kClaimed), std::memory_order_acquire,
                                               std::memory_order_relaxed);
}

void Handover::SaveClaimed(uint64_t page) {
  std::memcpy(target_ + page * kPageBytes, ram_.base() + page * kPageBytes, kPageBytes);
  const uint32_t before = states_[page].exchange(saved_word_, std::memory_order_acq_rel);
  if (before == Word(kClaimedWithWaiter)) FutexWakeAll(states_[page]);
  if (unsaved_pages_.fetch_sub(1, std::memory_order_acq_rel) == 1) FutexWakeAll(unsaved_pages_);
}

void Handover::CopyPages(uint64_t first, uint64_t last) {
  for (uint64_t page = first; page < last; ++page) {
    if (TryClaim(page)) SaveClaimed(page);
  }
}

void Handover::AwaitFinished() const {
  for (uint32_t left; (left = unsaved_pages_.load(std::memory_order_acquire)) != 0;) {
    FutexWait(unsaved_pages_, left, kNoTimeout);
  }
}

void Handover::ClaimForGuest(uint64_t page) {
  if (Controls::Take(Control::kSkipHandover)) return;
  if (TryClaim(page)) {
    SaveClaimed(page);
    guest_pages_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const int64_t from_ns = HostMonotonicNs();
  std::atomic<uint32_t>& state = states_[page];
  const auto saved = [&] { return state.load(std::memory_order_acquire) == saved_word_; };
  for (int i = 0; i < kSpins && !saved(); ++i) CpuRelax();
  while (!saved()) {
    waiter_.poll(waiter_.context);
    uint32_t claimed = Word(kClaimed);
    if (state.compare_exchange_strong(claimed, Word(kClaimedWithWaiter), std::memory_order_acquire,
                                      std::memory_order_acquire) ||
        claimed == Word(kClaimedWithWaiter)) {
      FutexWait(state, Word(kClaimedWithWaiter), kPollNs);
    }
  }
  guest_waits_.Record(HostMonotonicNs() - from_ns);
}

}  // namespace standstill
