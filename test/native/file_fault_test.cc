// A save that fails, at whichever call: the path has its old file whole or the new one whole, never
// a third thing, and nothing else is left in the folder.
#include <doctest/doctest.h>

#include <cerrno>

#include "file_faults.h"
#include "snapshot_files.h"

namespace standstill {
namespace {

using namespace testing;

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("file fault: whichever call of a save fails, the path has the old file or the new one") {
  const TestFolder folder;
  const std::string path = folder / "one";
  const SnapshotPair pair;
  for (const SaveOptions& form : pair.forms()) {
    for (const FileFault kind : {FileFault::kError, FileFault::kShort, FileFault::kInterrupted}) {
      int refused = 0;
      size_t calls = 0;
      for (size_t at = 1, last = 0; calls >= last; ++at) {
        last = at;
        CAPTURE(static_cast<int>(kind));
        CAPTURE(at);
        REQUIRE(Save(pair.older, path) == Status::kOk);
        ArmFault(at, kind, kind == FileFault::kShort ? ENOSPC : EIO);
        FileProblem problem;
        const Status status = Save(pair.newer, path, form, &problem);
        const Names made = DisarmFaults();
        calls = made.size();
        CAPTURE(problem.what);
        REQUIRE(folder.names() == Names{"one"});
        const SnapshotPointer now = pair.Find(path);
        REQUIRE(now != nullptr);
        if (status == Status::kOk) {
          REQUIRE(now == pair.newer);
          continue;
        }
        ++refused;
        REQUIRE(status == Status::kFileFailed);
        REQUIRE(problem.what.starts_with(kind == FileFault::kShort ? "ENOSPC:" : "EIO:"));
        // The new one only where nothing but the flushing of its folder was refused.
        const bool renamed =
            std::count(made.begin(), made.end(), "rename") == 1 && made.back() == "fsync";
        REQUIRE((now == pair.newer) == renamed);
      }
      CHECK((refused > 3) == (kind != FileFault::kInterrupted));
      CHECK(calls > 6);
    }
  }
}

TEST_CASE("file fault: whichever call of an export fails, the same") {
  const TestFolder folder;
  const std::string path = folder / "flat";
  const SnapshotPair pair;
  size_t calls = 0;
  for (size_t at = 1, last = 0; calls >= last; at += Rounds(1, 4)) {
    last = at;
    CAPTURE(at);
    Progress progress;
    FileProblem problem;
    REQUIRE(ExportFlat(*pair.older, path, {}, progress, &problem) == Status::kOk);
    ArmFault(at, FileFault::kError, EIO);
    const Status status = ExportFlat(*pair.newer, path, {}, progress, &problem);
    calls = DisarmFaults().size();
    REQUIRE(folder.names() == Names{"flat"});
    const auto bytes = BytesOfFile(path);
    if (status == Status::kOk) {
      REQUIRE(bytes == RamOf(*pair.newer));
    } else {
      REQUIRE(status == Status::kFileFailed);
      REQUIRE((bytes == RamOf(*pair.older) || bytes == RamOf(*pair.newer)));
    }
  }
  CHECK(calls > 6);
}

TEST_CASE(
    "file fault: a new file has its name after it is on disk, and the folder is flushed last") {
  const TestFolder folder;
  const SnapshotPair pair;
  ArmFault(0, FileFault::kError);
  REQUIRE(Save(pair.newer, folder / "one") == Status::kOk);
  Names calls = DisarmFaults();
  REQUIRE(calls.size() > 4);
  CHECK(Names(calls.end() - 4, calls.end()) == Names{"write", "fsync", "rename", "fsync"});
}

TEST_CASE("file fault: whichever read fails is reported as such, and no page is kept") {
  const TestFolder folder;
  const std::string path = folder / "one";
  const SnapshotPair pair;
  for (const SaveOptions& form : pair.forms()) {
    REQUIRE(Save(pair.newer, path, form) == Status::kOk);
    const auto store = form.base != nullptr ? pair.store : MakePageStore();
    const uint64_t held = UsageOf(*store).held_bytes;
    for (const FileFault kind : {FileFault::kError, FileFault::kShort, FileFault::kInterrupted}) {
      size_t calls = 0;
      for (size_t at = 1, last = 0; calls >= last; ++at) {
        last = at;
        CAPTURE(at);
        ArmFault(at, kind, EIO);
        const Opened opened = Verify(path);
        Loaded loaded;
        if (opened.status == Status::kOk) loaded = Load(opened.file, store, form.base);
        const Names made = DisarmFaults();
        calls = made.size();
        const Status status = opened.status == Status::kOk ? loaded.status : opened.status;
        // The last read cut short is still followed by the rest of it.
        const bool refused = kind != FileFault::kInterrupted && made.size() >= at;
        REQUIRE(status == (refused ? Status::kFileFailed : Status::kOk));
        loaded.snapshot.reset();
        REQUIRE(UsageOf(*store).held_bytes == held);
      }
      CHECK(calls > 5);
    }
  }
}

}  // namespace standstill
