#include "memory/lease.h"

#include "port/futex.h"
#include "util/check.h"

namespace standstill {

void LeaseBook::Open() {
  SS_CHECK(word_.load(std::memory_order_relaxed) == kRevoked);
  word_.store(0, std::memory_order_release);
}

void LeaseBook::Revoke() {
  uint32_t word = word_.fetch_or(kRevoked, std::memory_order_acquire) | kRevoked;
  while (word != kRevoked) {
    FutexWait(word_, word, kNoTimeout);
    word = word_.load(std::memory_order_acquire);
  }
}

Status Lease::Acquire(LeaseBook& book) {
  SS_CHECK(book_ == nullptr);
  uint32_t word = book.word_.load(std::memory_order_relaxed);
  do {
    if ((word & LeaseBook::kRevoked) != 0) return Status::kNotPaused;
  } while (!book.word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed));
  book_ = &book;
  return Status::kOk;
}

void Lease::Drop() {
  if (book_ == nullptr) return;
  const uint32_t before = book_->word_.fetch_sub(1, std::memory_order_release);
  if (before == (LeaseBook::kRevoked | 1)) FutexWakeAll(book_->word_);
  book_ = nullptr;
}

}  // namespace standstill
