// Places where a snapshot is to be saved: no file can be there, no room is left, nothing may be
// written. Each is reported as what it is, and leaves everything there as it was.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "file_faults.h"
#include "port/file.h"
#include "snapshot_files.h"

namespace standstill {
namespace {

using namespace testing;

using Names = std::vector<std::string>;

// Of a child: a file system of its own, which nobody else sees. False where that is not permitted.
bool MountSmall(const std::string& path, const std::string& options, unsigned long flags = 0) {
  return mount("standstill-test", path.c_str(), "tmpfs", flags, options.c_str()) == 0;
}
bool MayMount() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}
std::string Pages(uint64_t pages) {
  return "size=" + std::to_string(pages * kPageBytes);
}

// The exit code of a child that may not do what it is for.
constexpr int kNotPermitted = 77;

void CheckChild(const char* test_case) {
  const ChildEnd end = RunChild(test_case);
  CAPTURE(end.output);
  CHECK(end.signal == 0);
  if (end.code == kNotPermitted) {
    MESSAGE("skipped: this process may not mount a file system");
  } else {
    CHECK(end.code == 0);
  }
}

}  // namespace

// ── No file can be there ──────────────────────────────────────────────────────────────────────

TEST_CASE("file place: a place where no file can be is refused before anything is written") {
  const TestFolder folder;
  const SnapshotPair pair;
  WriteBytes(folder / "file", std::vector<std::byte>(3));
  std::filesystem::create_directory(folder / "sub");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("loop", folder / "loop");
  const Names before = folder.names();
  const auto refused = [&](const std::string& path, const std::string& why) {
    CAPTURE(path);
    FileProblem problem;
    ArmFault(0, FileFault::kError);
    CHECK(Save(pair.newer, path, {}, &problem) == Status::kFileFailed);
    const Names calls = DisarmFaults();
    CHECK(std::find(calls.begin(), calls.end(), "write") == calls.end());
    CHECK(problem.what.starts_with(why + ":"));
    CHECK(folder.names() == before);
  };
  refused(folder / "none/one", "ENOENT");
  refused(folder / "file/one", "ENOTDIR");
  refused(folder / "sub", "EISDIR");
  refused(folder / "sub/", "EISDIR");
  refused(folder / "none/", "ENOENT");
  refused("", "ENOENT");
  refused(folder / "pipe", "EINVAL");
  refused("/dev/null", "EINVAL");  // root would have replaced the device
  refused(folder / "loop", "ELOOP");
  refused(folder / std::string(256, 'n'), "ENAMETOOLONG");
}

TEST_CASE("file place: a name of the greatest length is a name, and a link stays one") {
  const TestFolder folder;
  const SnapshotPair pair;
  const std::string longest(255, 'n');
  REQUIRE(Save(pair.newer, folder / longest) == Status::kOk);
  CHECK(pair.Find(folder / longest) == pair.newer);
  std::filesystem::create_directory(folder / "sub");
  REQUIRE(Save(pair.older, folder / "sub/real") == Status::kOk);
  std::filesystem::create_symlink("sub/real", folder / "link");
  REQUIRE(Save(pair.newer, folder / "link") == Status::kOk);
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(pair.Find(folder / "sub/real") == pair.newer);
  CHECK(folder.names() == Names{"link", longest, "sub"});
}

// A path without a folder was once looked up again at the end.
TEST_CASE("file place: the folder stays the one where the save began, wherever the process goes") {
  const TestFolder folder;
  const TestFolder elsewhere;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  FileError error;
  auto file = NewFile::Create("one", &error);
  std::filesystem::current_path(elsewhere.path());
  REQUIRE(file != nullptr);
  CHECK(file->Commit(&error));
  file = NewFile::Create("two", &error);
  std::filesystem::current_path(here);
  file.reset();
  CHECK(folder.names() == Names{"one"});
  CHECK(elsewhere.names().empty());
}

// ── No room ───────────────────────────────────────────────────────────────────────────────────

TEST_CASE("file place child: a file system with less and less too little room" * doctest::skip()) {
  const TestFolder folder;
  if (!MayMount() || !MountSmall(folder.path(), Pages(1000))) _exit(kNotPermitted);
  const std::string path = folder / "one";
  const SnapshotPair pair;
  for (const SaveOptions& form : pair.forms()) {
    REQUIRE(MountSmall(folder.path(), Pages(1000), MS_REMOUNT));
    REQUIRE(Save(pair.older, path) == Status::kOk);
    struct stat about {};
    REQUIRE(stat(path.c_str(), &about) == 0);
    const uint64_t used = static_cast<uint64_t>(about.st_blocks) * 512 / kPageBytes + 1;
    uint64_t room = 0;
    for (Status status = Status::kFileFailed; status != Status::kOk; ++room) {
      CAPTURE(room);
      REQUIRE(MountSmall(folder.path(), Pages(used + room), MS_REMOUNT));
      FileProblem problem;
      status = Save(pair.newer, path, form, &problem);
      CAPTURE(problem.what);
      REQUIRE((status == Status::kOk || problem.what.starts_with("ENOSPC:")));
      REQUIRE(folder.names() == Names{"one"});
      REQUIRE(pair.Find(path) == (status == Status::kOk ? pair.newer : pair.older));
      REQUIRE(room < 500);
    }
    CHECK(room > 2);
  }
  // No room for one file more.
  REQUIRE(MountSmall(folder.path(), "nr_inodes=3", MS_REMOUNT));
  WriteBytes(folder / "two", {});
  FileProblem problem;
  CHECK(Save(pair.older, path, {}, &problem) == Status::kFileFailed);
  CHECK(problem.what.starts_with("ENOSPC:"));
  CHECK(pair.Find(path) == pair.newer);
  CHECK(folder.names() == Names{"one", "two"});
  umount(folder.path().c_str());
}
TEST_CASE("file place: on a disk that is full the old file stays, however much room was left") {
  CheckChild("file place child: a file system with less and less too little room");
}

// ── Nothing may be written ────────────────────────────────────────────────────────────────────

TEST_CASE("file place child: a file system that is read only" * doctest::skip()) {
  const TestFolder folder;
  if (!MayMount() || !MountSmall(folder.path(), Pages(1000))) _exit(kNotPermitted);
  const SnapshotPair pair;
  REQUIRE(Save(pair.older, folder / "one") == Status::kOk);
  WriteBytes(folder / ".one.standstill-1-1.tmp", {});
  REQUIRE(MountSmall(folder.path(), Pages(1000), MS_REMOUNT | MS_RDONLY));
  FileProblem problem;
  for (const char* name : {"one", "two"}) {
    CHECK(Save(pair.newer, folder / name, {}, &problem) == Status::kFileFailed);
    CHECK(problem.what.starts_with("EROFS:"));
  }
  CHECK(pair.Find(folder / "one") == pair.older);
  CHECK(folder.names() == Names{".one.standstill-1-1.tmp", "one"});
  umount(folder.path().c_str());
}
TEST_CASE("file place: a file system that is read only is reported as such") {
  CheckChild("file place child: a file system that is read only");
}

TEST_CASE("file place child: a folder of somebody else" * doctest::skip()) {
  const TestFolder folder;
  const SnapshotPair pair;
  REQUIRE(Save(pair.older, folder / "one") == Status::kOk);
  REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
  const uid_t user = geteuid();
  if (user == 0) REQUIRE(seteuid(65'534) == 0);  // root may write anywhere
  FileProblem problem;
  for (const char* name : {"one", "two"}) {
    CHECK(Save(pair.newer, folder / name, {}, &problem) == Status::kFileFailed);
    CHECK(problem.what.starts_with("EACCES:"));
  }
  CHECK(pair.Find(folder / "one") == pair.older);
  CHECK(folder.names() == Names{"one"});
  REQUIRE(seteuid(user) == 0);
  prctl(PR_SET_DUMPABLE, 1);  // for the leak check at the end
  REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
}
TEST_CASE("file place: a folder without permission to write is reported as such") {
  CheckChild("file place child: a folder of somebody else");
}

}  // namespace standstill
