// The fuzzer's seeds: a small file of each form and of each guest program. The same bytes each time;
// make_seeds.cc writes them to corpus/, and a test compares.
//
// Threads: one.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "run_packer.h"
#include "snapshot_input.h"
#include "standstill/snapshot_file.h"
#include "standstill/vm.h"
#include "util/check.h"

namespace standstill::testing {

using SnapshotPointer = std::shared_ptr<const Snapshot>;

// The last chunk of the RAM is not a whole one.
inline constexpr uint64_t kSeedRamBytes = kRamBytesMin + 3 * kPageBytes;

inline std::shared_ptr<Vm> MakeSeedVm(const Program& program, std::shared_ptr<PageStore> store,
                                      uint64_t ram_bytes = kSeedRamBytes) {
  VmConfig config{.name = "seed", .program = &program, .ram_bytes = ram_bytes, .params = {}};
  config.page_store = std::move(store);
  for (size_t i = 0; i < program.params.size(); ++i)
    config.params[i] = program.params[i].value_default;
  std::shared_ptr<Vm> vm;
  SS_CHECK(Vm::Create(config, &vm) == Status::kOk);
  return vm;
}

// Without what differs from one process to the next.
inline SnapshotPointer SeedSnapshotOf(Vm& vm) {
  Progress progress;
  SnapshotPointer snapshot;
  SnapshotCost cost;
  SS_CHECK(vm.TakeSnapshot(false, progress, &snapshot, &cost) == Status::kOk);
  MachineState state = snapshot->state();
  state.guest_monotonic_ns = 1'000'000;
  state.guest_wall_ns = 2'000'000;
  state.taken_wall_ns = 3'000'000;
  return std::make_shared<const Snapshot>(std::move(state), snapshot->table());
}

// The base of the differential seeds, and what differs from it by two pages.
struct SeedPair {
  explicit SeedPair(const std::shared_ptr<PageStore>& store) {
    const auto vm = MakeSeedVm(*FindProgram("page-writer"), store);
    SS_CHECK(vm->FlipBit(5, 1) == Status::kOk);
    base = SeedSnapshotOf(*vm);
    SS_CHECK(vm->FlipBit(kSeedRamBytes - 1, 3) == Status::kOk);
    SS_CHECK(vm->FlipBit(70 * kPageBytes, 3) == Status::kOk);
    next = SeedSnapshotOf(*vm);
  }
  SnapshotPointer base;
  SnapshotPointer next;
};

struct Seed {
  std::string name;
  std::vector<std::byte> input;
};

inline std::vector<std::byte> SaveSeed(const SnapshotPointer& snapshot,
                                       const SaveOptions& options) {
  std::string folder = std::filesystem::temp_directory_path() / "standstill-seed-XXXXXX";
  SS_CHECK(mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/one";
  Progress progress;
  FileProblem problem;
  std::unique_ptr<SnapshotWriter> writer;
  SS_CHECK(SnapshotWriter::Create(path, snapshot, options, progress, &writer, &problem) ==
           Status::kOk);
  if (!options.compressed) SS_CHECK(writer->WriteChunks(progress, &problem) == Status::kOk);
  for (uint64_t chunk = 0; options.compressed && chunk < writer->chunk_count(); ++chunk) {
    std::vector<std::byte> pages;
    SS_CHECK(writer->ChunkPages(chunk, &pages) == Status::kOk);
    if (!pages.empty()) SS_CHECK(writer->PutChunk(chunk, Pack(pages), &problem) == Status::kOk);
  }
  SS_CHECK(writer->Commit(&problem) == Status::kOk);
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove_all(folder);
  const auto bytes = std::as_bytes(std::span(text));
  return InputOf({bytes.begin(), bytes.end()});
}

inline std::vector<Seed> MakeSeeds() {
  std::shared_ptr<PageStore> store;
  SS_CHECK(CreatePageStore(uint64_t{64} << 20, &store) == Status::kOk);
  const SeedPair pair(store);
  std::vector<Seed> seeds;
  seeds.push_back({"flat", SaveSeed(pair.base, {})});
  seeds.push_back({"compressed", SaveSeed(pair.next, {.compressed = true})});
  seeds.push_back({"differential", SaveSeed(pair.next, {.base = pair.base})});
  seeds.push_back(
      {"compressed-differential", SaveSeed(pair.next, {.compressed = true, .base = pair.base})});
  for (const Program* program : Programs()) {
    const auto vm = MakeSeedVm(*program, store, kRamBytesMin);
    SS_CHECK(vm->RunUntilAndWait(3) == Status::kOk);
    seeds.push_back(
        {std::string(program->name), SaveSeed(SeedSnapshotOf(*vm), {.compressed = true})});
  }
  return seeds;
}

}  // namespace standstill::testing
