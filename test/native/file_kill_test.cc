// A save that is killed, at whichever call: the path has its old file whole or the new one whole,
// and what else was left beside it is recognised and removed by the next save.
#include <doctest/doctest.h>

#include <cstdlib>

#include "file_faults.h"
#include "port/file.h"
#include "snapshot_files.h"

namespace standstill {
namespace {

using namespace testing;

using Names = std::vector<std::string>;

constexpr const char* kFolderVariable = "STANDSTILL_TEST_FOLDER";
constexpr const char* kFormVariable = "STANDSTILL_TEST_FORM";
constexpr const char* kCallVariable = "STANDSTILL_TEST_CALL";

uint64_t NumberIn(const char* variable) {
  const char* const text = std::getenv(variable);
  REQUIRE(text != nullptr);
  return std::strtoull(text, nullptr, 10);
}
void SetNumber(const char* variable, uint64_t number) {
  setenv(variable, std::to_string(number).c_str(), 1);
}

bool IsLeftover(const std::string& name) {
  return name.starts_with(".one.standstill-") && name.ends_with(".tmp");
}

}  // namespace

TEST_CASE("file kill child: saves until it dies" * doctest::skip()) {
  const std::string source = std::string(std::getenv(kFolderVariable)) + "/source";
  const std::string target = std::string(std::getenv(kFolderVariable)) + "/target";
  SnapshotPair pair(source + "/older", source + "/newer");
  const SaveOptions form = pair.forms()[NumberIn(kFormVariable)];
  ArmFault(NumberIn(kCallVariable), FileFault::kDie);
  CHECK(Save(pair.newer, target + "/one", form) == Status::kOk);
}

TEST_CASE("file kill: whichever call of a save is its last, there is the old file or the new one") {
  const TestFolder folder;
  std::filesystem::create_directories(folder / "source");
  std::filesystem::create_directories(folder / "target");
  const std::string path = folder / "target/one";
  const SnapshotPair pair;
  REQUIRE(Save(pair.older, folder / "source/older") == Status::kOk);
  REQUIRE(Save(pair.newer, folder / "source/newer") == Status::kOk);
  setenv(kFolderVariable, folder.path().c_str(), 1);
  const auto forms = pair.forms();
  for (size_t form = 0; form < forms.size(); form += static_cast<size_t>(Rounds(1, 2))) {
    bool renamed = false;
    int leftovers = 0;
    for (size_t at = 1;; ++at) {
      CAPTURE(form);
      CAPTURE(at);
      REQUIRE(Save(pair.older, path) == Status::kOk);
      REQUIRE(NamesIn(folder / "target") == Names{"one"});
      SetNumber(kFormVariable, form);
      SetNumber(kCallVariable, at);
      const ChildEnd end = RunChild("file kill child: saves until it dies");
      CAPTURE(end.output);
      const SnapshotPointer now = pair.Find(path);
      REQUIRE(now != nullptr);
      REQUIRE((now == pair.newer || !renamed));  // once it has the name it keeps it
      renamed = now == pair.newer;
      Names names = NamesIn(folder / "target");
      if (end.signal == 0) {
        REQUIRE(end.code == 0);
        REQUIRE(renamed);
        REQUIRE(names == Names{"one"});
        break;
      }
      REQUIRE(end.signal == SIGKILL);
      if (names.size() == 1) continue;
      ++leftovers;
      REQUIRE(names.size() == 2);
      REQUIRE(IsLeftover(names[0]));
      REQUIRE_FALSE(renamed);
      REQUIRE(Save(pair.newer, path, forms[form]) == Status::kOk);
      REQUIRE(NamesIn(folder / "target") == Names{"one"});
      REQUIRE(pair.Find(path) == pair.newer);
    }
    CHECK(leftovers > 3);
  }
}

// ── Leftovers ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE(
    "file kill: only what is left of this name is removed, and nothing that is being written") {
  const TestFolder folder;
  const SnapshotPair pair;
  const Names kept = {".one.standstill-7-1",  // other endings, other names
                      ".one.standstill-7-1.tmp~", ".other.standstill-7-1.tmp",
                      "one.standstill-7-1.tmp"};
  const Names left = {".one.standstill-7-1.tmp", ".one.standstill-7-2.tmp"};
  for (const Names& names : {kept, left}) {
    for (const std::string& name : names) WriteBytes(folder / name, std::vector<std::byte>(9));
  }
  // One that is no file of ours, though its name says so, is no reason to wait or to fail.
  std::filesystem::create_directory(folder / ".one.standstill-8.tmp");
  std::filesystem::create_symlink(kept[3], folder / ".one.standstill-9.tmp");

  FileError error;
  auto written = NewFile::Create(folder / "one", &error);
  REQUIRE(written != nullptr);
  Names before = folder.names();
  CHECK(before.size() == kept.size() + 3);
  for (const std::string& name : left)
    CHECK(std::find(before.begin(), before.end(), name) == before.end());
  REQUIRE(Save(pair.newer, folder / "one") == Status::kOk);
  before.push_back("one");
  std::sort(before.begin(), before.end());
  CHECK(folder.names() == before);
  REQUIRE(written->Commit(&error));  // the later one has the name
  CHECK(BytesOfFile(folder / "one").empty());
}

}  // namespace standstill
