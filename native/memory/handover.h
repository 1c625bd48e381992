// The hand-over protocol: what lets a copier take the RAM of a running guest as it stood at an
// epoch's end, without stopping the guest for the copy.
//
// Each page has a state word {tag, state}. The tag is the copy's own number: any other tag means
// "not saved yet", so nothing is reset when a copy begins. Before its first write to a page the
// guest (through the hand-over variant of its accessor), or the copier when it comes by, claims the
// page by compare-and-swap, copies it to its place in the target, and publishes it as saved. Who
// loses the claim waits: the guest until the page is saved, the copier never (it goes on to the
// next page and waits once, at the end).
//
// Threads: Begin by the host while the guest is halted; BeforeWrite by the guest thread; CopyPages
// by any number of copiers; Finished by any. One copy at a time. Ordering: claiming is acquire;
// "saved" is stored with release and loaded with acquire, so the copier's read of a page happens
// before the guest's store to it. Waits are on the state word as a futex.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "standstill/guest_ram.h"
#include "standstill/status.h"
#include "util/histogram.h"

namespace standstill {

// Called by a guest that waits for the copier, so that a pause need not wait for the copier too: a
// guest that waits here counts as at a safepoint. It returns after the pause, where there was one.
struct HandoverWaiter {
  void (*poll)(void* context) = nullptr;
  void* context = nullptr;
};

class Handover {
 public:
  static Status Create(const GuestRam& ram, HandoverWaiter waiter, std::unique_ptr<Handover>* out);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // `target` holds ram.size_bytes() bytes, present in memory, and outlives the copy. O(1).
  void Begin(std::byte* target);

  // Guest thread, before a write to the page.
  void BeforeWrite(uint64_t page) {
    if (__builtin_expect(states_[page].load(std::memory_order_acquire) != saved_word_, 0))
      ClaimForGuest(page);
  }

  // Copier: saves the pages [first, last) that are not saved yet.
  void CopyPages(uint64_t first, uint64_t last);
  // Every page is saved; from then on the guest may go back to the plain variant.
  void AwaitFinished() const;
  bool Finished() const { return unsaved_pages_.load(std::memory_order_acquire) == 0; }

  uint64_t pages_copied_by_guest() const { return guest_pages_.load(std::memory_order_relaxed); }
  const Histogram& guest_waits() const { return guest_waits_; }

 private:
  enum : uint32_t { kClaimed = 1, kClaimedWithWaiter = 2, kSaved = 3, kStateBits = 2 };

  Handover(const GuestRam& ram, HandoverWaiter waiter, std::atomic<uint32_t>* states);
  uint32_t Word(uint32_t state) const { return (tag_ << kStateBits) | state; }
  bool TryClaim(uint64_t page);
  void SaveClaimed(uint64_t page);
  void ClaimForGuest(uint64_t page);

  const GuestRam& ram_;
  const HandoverWaiter waiter_;
  std::atomic<uint32_t>* const states_;     // a page each, in a mapping of its own
  uint32_t tag_ = 0;                        // written while the guest is halted and no copier runs
  uint32_t saved_word_ = 0;                 // the same
  std::byte* target_ = nullptr;             // the same
  std::atomic<uint32_t> unsaved_pages_{0};  // a futex too
  std::atomic<uint64_t> guest_pages_{0};
  Histogram guest_waits_;
};

}  // namespace standstill
