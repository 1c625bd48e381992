// Write marks and epochs: no changed page without its mark, one retired map for any number of
// consumers, and folding that never gets in a guest's way.
#include "standstill/write_marks.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "standstill/guest_ram.h"
#include "standstill/ticker_stats.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;
using Pages = std::set<uint64_t>;

std::unique_ptr<WriteMarks> MakeMarks(uint64_t pages) {
  std::unique_ptr<WriteMarks> marks;
  REQUIRE(WriteMarks::Create(pages, &marks) == Status::kOk);
  return marks;
}

Pages NewerThan(WriteMarks& marks, uint64_t epoch) {
  Pages pages;
  uint64_t next = 0;
  for (const PageRange& range : marks.PagesNewerThan(epoch).Ranges()) {
    CHECK(range.page_count > 0);
    CHECK((pages.empty() || range.first_page > next));  // in order, and not to be joined
    next = range.first_page + range.page_count;
    for (uint64_t page = range.first_page; page < next; ++page) pages.insert(page);
  }
  return pages;
}

// Ends an epoch in which these pages were written.
uint64_t EpochOf(WriteMarks& marks, const Pages& pages) {
  for (const uint64_t page : pages) marks.Mark(page);
  marks.ReserveClean();
  return marks.EndEpoch();
}

}  // namespace

TEST_CASE("write marks: begin at epoch 1 with nothing marked and nothing folded") {
  const auto marks = MakeMarks(1000);
  CHECK(marks->epoch() == 1);
  CHECK(marks->folded_epoch() == 0);
  CHECK(NewerThan(*marks, 0).empty());
  for (uint64_t page = 0; page < 1000; ++page) REQUIRE(marks->active()[page] == 0);
}

TEST_CASE("write marks: an epoch's end exchanges the map for a clean one") {
  const auto marks = MakeMarks(300);
  uint8_t* const first = marks->active();
  CHECK(EpochOf(*marks, {0, 5, 299}) == 1);
  CHECK(marks->epoch() == 2);
  CHECK(marks->active() != first);
  for (uint64_t page = 0; page < 300; ++page) REQUIRE(marks->active()[page] == 0);
  CHECK(marks->folded_epoch() == 0);
  CHECK(NewerThan(*marks, 0).empty());  // only what is folded is known
  CHECK(marks->Fold() == 3);
  CHECK(marks->folded_epoch() == 1);
  CHECK(NewerThan(*marks, 0) == Pages{0, 5, 299});
  CHECK(NewerThan(*marks, 1).empty());
}

TEST_CASE("write marks: consumers of different epochs each get the pages newer than theirs") {
  const auto marks = MakeMarks(5000);
  (void)EpochOf(*marks, {1, 2, 3, 4000});
  (void)EpochOf(*marks, {3, 4, 4999});
  (void)EpochOf(*marks, {});
  CHECK(marks->Fold() == 0);
  (void)EpochOf(*marks, {1, 64, 65, 128});
  CHECK(marks->Fold() == 4);
  CHECK(marks->folded_epoch() == 4);
  CHECK(NewerThan(*marks, 0) == Pages{1, 2, 3, 4, 64, 65, 128, 4000, 4999});
  CHECK(NewerThan(*marks, 1) == Pages{1, 3, 4, 64, 65, 128, 4999});
  CHECK(NewerThan(*marks, 2) == Pages{1, 64, 65, 128});
  CHECK(NewerThan(*marks, 3) == Pages{1, 64, 65, 128});
  CHECK(NewerThan(*marks, 4).empty());
  CHECK(marks->dirty_pages_last() == 4);
  CHECK(marks->dirty_pages_total() == 4 + 3 + 0 + 4);
}

TEST_CASE("write marks: with no clean map left, reserving one folds the oldest") {
  const auto marks = MakeMarks(256);
  for (int i = 1; i < WriteMarks::kMaps; ++i) {
    (void)EpochOf(*marks, {static_cast<uint64_t>(i)});
    CHECK(marks->folded_epoch() == 0);
  }
  marks->ReserveClean();
  CHECK(marks->folded_epoch() == 1);
  CHECK(NewerThan(*marks, 0) == Pages{1});
  marks->ReserveClean();
  CHECK(marks->folded_epoch() == 1);  // one was clean
  (void)EpochOf(*marks, {200});
  (void)marks->Fold();
  CHECK(NewerThan(*marks, 0) == Pages{1, 2, 200});
}

TEST_CASE("write marks: a map that comes round again is clean") {
  const auto marks = MakeMarks(256);
  Prng random{5};
  for (uint64_t epoch = 1; epoch <= 50; ++epoch) {
    Pages pages;
    for (int i = 0; i < 20; ++i) pages.insert(random.Below(256));
    REQUIRE(EpochOf(*marks, pages) == epoch);
    for (uint64_t page = 0; page < 256; ++page) REQUIRE(marks->active()[page] == 0);
    if (epoch % 3 != 0) continue;
    REQUIRE(marks->Fold() == pages.size());
    REQUIRE(NewerThan(*marks, epoch - 1) == pages);
  }
}

TEST_CASE("write marks: sizes that are no whole number of blocks lose no page") {
  for (const uint64_t pages : {1u, 63u, 64u, 65u, 256u, 257u, 4097u}) {
    CAPTURE(pages);
    const auto marks = MakeMarks(pages);
    const Pages ends = {0, pages / 2, pages - 1};
    for (uint64_t epoch = 1; epoch <= 5; ++epoch) {
      (void)EpochOf(*marks, ends);
      CHECK(marks->Fold() == ends.size());
      CHECK(NewerThan(*marks, epoch - 1) == ends);
    }
  }
}

TEST_CASE("write marks: of every program cover every page that changed, epoch by epoch") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    std::unique_ptr<GuestRam> ram;
    REQUIRE(GuestRam::Create(kRamBytesMin, false, &ram) == Status::kOk);
    const auto marks = MakeMarks(ram->pages());
    std::vector<uint64_t> registers(program->register_bytes / 8 + 1);
    const VmConfig config = ConfigOf(*program, {.seed = 31});
    program->init({registers.data(), *ram, config.params, config.seed});
    TickerStats ticker;
    Inputs inputs;
    inputs.ticker = &ticker;
    const std::vector<std::byte> at_start(ram->base(), ram->base() + ram->size_bytes());
    std::vector<std::byte> before = at_start;
    uint64_t changed_ever = 0;
    for (uint64_t epoch = 1; epoch <= 12; ++epoch) {
      // From a step or two to enough for a lap.
      for (uint32_t left = uint32_t{1} << epoch; left != 0;) {
        const RamWindow window = {ram->base(), ram->size_bytes(), marks->active(), nullptr};
        GuestFault fault;
        const RunResult result = program->run(registers.data(), window, inputs, left, &fault);
        REQUIRE(result.outcome != Outcome::kFaulted);
        left -= result.steps;
      }
      marks->ReserveClean();
      REQUIRE(marks->EndEpoch() == epoch);
      (void)marks->Fold();
      const Pages dirty = NewerThan(*marks, epoch - 1);
      for (uint64_t page = 0; page < ram->pages(); ++page) {
        const uint64_t at = page * kPageBytes;
        if (std::memcmp(before.data() + at, ram->base() + at, kPageBytes) == 0) continue;
        REQUIRE(dirty.contains(page));
        ++changed_ever;
      }
      std::memcpy(before.data(), ram->base(), ram->size_bytes());
    }
    CHECK(changed_ever > 0);
    // A consumer that knows only the beginning gets all that changed since.
    const Pages since = NewerThan(*marks, 0);
    for (uint64_t page = 0; page < ram->pages(); ++page) {
      const uint64_t at = page * kPageBytes;
      if (std::memcmp(at_start.data() + at, ram->base() + at, kPageBytes) != 0) {
        REQUIRE(since.contains(page));
      }
    }
  }
}

TEST_CASE("write marks: folding and asking go on while a guest writes through the active map") {
  constexpr uint64_t kPages = 4096;
  const auto marks = MakeMarks(kPages);
  std::atomic<bool> over{false};
  std::thread folder([&] {
    while (!over.load()) (void)marks->Fold();
  });
  std::thread consumer([&] {
    while (!over.load()) {
      const uint64_t epoch = marks->folded_epoch();
      (void)marks->PagesNewerThan(epoch == 0 ? 0 : epoch - 1);
      (void)marks->dirty_pages_total();
    }
  });
  Prng random{17};
  uint64_t total = 0;
  for (int epoch = 1; epoch <= Rounds(3000, 500); ++epoch) {
    Pages pages;
    uint8_t* const active = marks->active();
    for (int i = 0; i < 50; ++i) {
      const uint64_t page = random.Below(kPages);
      active[page] = 1;
      pages.insert(page);
    }
    total += pages.size();
    marks->ReserveClean();
    (void)marks->EndEpoch();
  }
  over.store(true);
  folder.join();
  consumer.join();
  (void)marks->Fold();
  CHECK(marks->dirty_pages_total() == total);
}

}  // namespace standstill
