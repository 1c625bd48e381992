// Writes the fuzzer's seeds into a folder: standstill_make_seeds test/fuzz/corpus/snapshot_file
#include <cstdio>

#include "seeds.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "standstill_make_seeds: expected a folder\n");
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder);
  for (const auto& [name, input] : standstill::testing::MakeSeeds()) {
    std::ofstream file(folder / name, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    if (!file.flush()) return 1;
    std::printf("%s: %zu bytes\n", name.c_str(), input.size());
  }
  return 0;
}
