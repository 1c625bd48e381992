// A set of pages, a bit each, kept in words of 64 pages: as many as a leaf of a page table has.
//
// Threads: as a standard container.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace standstill {

struct PageRange {
  uint64_t first_page;
  uint64_t page_count;
};

class PageSet {
 public:
  static constexpr uint64_t kWordPages = 64;

  explicit PageSet(uint64_t pages) : words_((pages + kWordPages - 1) / kWordPages) {}

  bool Holds(uint64_t page) const {
    return (words_[page / kWordPages] >> page % kWordPages & 1) != 0;
  }
  void Add(uint64_t page) { words_[page / kWordPages] |= uint64_t{1} << page % kWordPages; }

  // The pages of word `index` that a RAM of so many has.
  static uint64_t WordMask(uint64_t pages, uint64_t index) {
    const uint64_t left = pages - index * kWordPages;
    return left >= kWordPages ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
  }

  uint64_t word_count() const { return words_.size(); }
  uint64_t word(uint64_t index) const { return words_[index]; }
  uint64_t& word(uint64_t index) { return words_[index]; }

  uint64_t count() const {
    uint64_t pages = 0;
    for (const uint64_t word : words_) pages += static_cast<uint64_t>(std::popcount(word));
    return pages;
  }

  // visit(page) for each, in order; of words [first, last) only.
  template <class Visit>
  void ForEachIn(uint64_t first, uint64_t last, Visit&& visit) const {
    for (uint64_t index = first; index < std::min(last, word_count()); ++index) {
      for (uint64_t left = words_[index]; left != 0; left &= left - 1) {
        visit(index * kWordPages + static_cast<uint64_t>(std::countr_zero(left)));
      }
    }
  }
  template <class Visit>
  void ForEach(Visit&& visit) const {
    ForEachIn(0, word_count(), visit);
  }

  // In address order, none touching the next.
  std::vector<PageRange> Ranges() const {
    std::vector<PageRange> ranges;
    ForEach([&](uint64_t page) {
      if (!ranges.empty() && ranges.back().first_page + ranges.back().page_count == page) {
        ++ranges.back().page_count;
      } else {
        ranges.push_back({page, 1});
      }
    });
    return ranges;
  }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace standstill
