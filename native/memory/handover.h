// The hand-over protocol: what lets a copier take the RAM of a running guest as it stood at an
// epoch's end, without stopping the guest for the copy.
//
// Each page has a state word {tag, state}. The tag is the copy's own number: any other tag means
// "not saved yet", so nothing is reset when a copy begins. Before its first write to a page the
// guest (through the hand-over variant of its accessor), or the copier when it comes by, claims the
// page by compare-and-swap, gives it to the sink, and publishes it as saved. Who loses the claim
// waits: the guest until the page is saved, the copier never (it goes on to the next page and waits
// once, at the end). A copy can be cancelled: the guest then writes on, and has left the sink once
// it has been seen halted.
//
// Threads: Begin by the host while the guest is halted; BeforeWrite by the guest thread; SavePages
// and PassPages by any number of copiers; Cancel and Finished by any. One copy at a time. Ordering:
// claiming is acquire; "saved" is stored with release and loaded with acquire, so the copier's read
// of a page happens before the guest's store to it. Waits are on the state word as a futex.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "memory/mapped_array.h"
#include "standstill/guest_ram.h"
#include "standstill/page_set.h"
#include "standstill/status.h"
#include "util/histogram.h"

namespace standstill {

// Called by a guest that waits for the copier, so that a pause need not wait for the copier too: a
// guest that waits here counts as at a safepoint. It returns after the pause, where there was one.
struct HandoverWaiter {
  void (*poll)(void* context) = nullptr;
  void* context = nullptr;
};

// What becomes of a page's bytes: they are stored, or a value is taken of them.
class PageSink {
 public:
  virtual ~PageSink() = default;
  // By whoever has claimed the page. False where there is no room: a guest then leaves the page to
  // the copier, since it must not allocate, and for the copier the copy has failed.
  virtual bool Save(uint64_t page, const std::byte* bytes, bool by_guest) = 0;
};

class Handover {
 public:
  static Status Create(const GuestRam& ram, HandoverWaiter waiter, std::unique_ptr<Handover>* out);
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // `sink` outlives the copy. O(1).
  void Begin(PageSink* sink);

  // Guest thread, before a write to the page.
  void BeforeWrite(uint64_t page) {
    if (__builtin_expect(states_[page].load(std::memory_order_acquire) != saved_word_, 0))
      ClaimForGuest(page);
  }

  // Copiers, for pages of `word` of a page set. SavePages gives those to the sink that nobody has
  // yet, and cancels where the sink has no room. PassPages marks those as saved whose bytes the
  // copier has already, and answers which of them the guest had claimed before.
  void SavePages(uint64_t index, uint64_t word);
  uint64_t PassPages(uint64_t index, uint64_t word);
  // Copier, at the end: returns when every page is saved, or the copy is cancelled.
  void AwaitFinished();
  // From then on nobody is in the sink but a guest of a cancelled copy, and the guest goes back to
  // the plain variant.
  bool Finished() const { return unsaved_pages_.load(std::memory_order_acquire) == 0; }
  void Cancel();
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  uint64_t pages_saved_by_guest() const { return guest_pages_.load(std::memory_order_relaxed); }
  const Histogram& guest_waits() const { return guest_waits_; }

 private:
  static constexpr uint64_t kNoPage = ~uint64_t{0};
  enum : uint32_t { kClaimed = 1, kClaimedWithWaiter = 2, kSaved = 3, kStateBits = 2 };

  Handover(const GuestRam& ram, HandoverWaiter waiter) : ram_(ram), waiter_(waiter) {}
  uint32_t Word(uint32_t state) const { return (tag_ << kStateBits) | state; }
  bool TryClaim(uint64_t page);
  void SaveLeftPage();
  void SaveForCopier(uint64_t page);
  void Publish(uint64_t page);
  void CountSaved(uint32_t pages);
  void ClaimForGuest(uint64_t page);
  void AwaitSaved(uint64_t page);

  const GuestRam& ram_;
  const HandoverWaiter waiter_;
  MappedArray<std::atomic<uint32_t>> states_;  // a page each
  uint32_t tag_ = 0;          // written while the guest is halted and no copier runs
  uint32_t saved_word_ = 0;   // the same
  PageSink* sink_ = nullptr;  // the same
  std::atomic<bool> cancelled_{false};
  std::atomic<uint32_t> unsaved_pages_{0};    // a futex too; 0 once cancelled
  std::atomic<uint64_t> left_page_{kNoPage};  // claimed by the guest, and left to the copier
  std::atomic<uint64_t> guest_pages_{0};
  Histogram guest_waits_;
};

}  // namespace standstill
