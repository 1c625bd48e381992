// The fuzzer's seeds are snapshot files of today's format, and are what its generator makes.
#include <doctest/doctest.h>

#include "../fuzz/seeds.h"
#include "snapshot_files.h"

namespace standstill {

using namespace testing;

TEST_CASE("fuzz seeds: those that are kept are those that are made, and are read without a fault") {
  const TestFolder folder;
  const std::string kept = STANDSTILL_TEST_SOURCES "/fuzz/corpus/snapshot_file/";
  const auto store = MakePageStore();
  const SeedPair pair(store);
  std::vector<std::string> names;
  for (const auto& [name, input] : MakeSeeds()) {
    CAPTURE(name);
    INFO("standstill_make_seeds writes them anew");
    CHECK(input.size() < 20'000);
    CHECK(BytesOfFile(kept + name) == input);
    WriteBytes(folder / name, FileOf(input));
    const auto file = Verify(folder / name).file;
    REQUIRE(file != nullptr);
    (void)LoadWhole(folder / name, store, file->differential() ? pair.base : nullptr);
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  CHECK(NamesIn(kept) == names);
}

}  // namespace standstill
