#include "port/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace standstill {
namespace {

constexpr std::string_view kTemporaryMark = ".standstill-";
constexpr std::string_view kTemporaryEnd = ".tmp";
constexpr size_t kNamePartMax = 180;  // of the 255 bytes of a file's name

bool Fail(FileError* error, const char* call) {
  *error = {errno, call};
  return false;
}

// Repeated for as long as a signal interrupts it.
template <class Call>
auto Uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// Hidden, and told from every other file by its ending. Of a long name a part, so that there is room
// for the rest; what two names share is guarded by the lock.
std::string TemporaryPrefix(const std::string& name) {
  std::string prefix = ".";
  return prefix.append(name, 0, kNamePartMax).append(kTemporaryMark);
}

// Where the file is to be. A link is followed: what it names is replaced, not the link; and what is
// no file (a folder, a device, a pipe) is not replaced by one.
bool FindTarget(const std::string& path, std::string* target, FileError* error) {
  *target = path;
  struct stat about {};
  if (stat(path.c_str(), &about) != 0)
    return (errno == ENOENT && !NameOf(path).empty()) || Fail(error, "stat");
  if (!S_ISREG(about.st_mode)) {
    errno = S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
    return Fail(error, "replace");
  }
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         std::free);
  if (real == nullptr) return Fail(error, "realpath");
  *target = real.get();
  return true;
}

int Flush(int descriptor) {
  return Uninterrupted([&] { return fsync(descriptor); });
}

// False where another process holds it. A file system without locks takes none, and then nobody's
// temporary file is ever taken for a leftover.
bool Lock(int descriptor) {
  return flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

// Another process may be writing the same file now: then its temporary one is locked.
void RemoveLeftovers(int folder, const std::string& prefix) {
  const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = again < 0 ? nullptr : fdopendir(again);
  if (entries == nullptr) {
    if (again >= 0) close(again);
    return;
  }
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix) || !name.ends_with(kTemporaryEnd)) continue;
    const int descriptor =
        openat(folder, entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, entry->d_name, 0);
    close(descriptor);
  }
  closedir(entries);
}

int CreateTemporary(int folder, const std::string& prefix, std::string* name, FileError* error) {
  static std::atomic<uint64_t> count{0};
  for (;;) {
    *name = prefix + std::to_string(getpid()) + "-" + std::to_string(count.fetch_add(1));
    name->append(kTemporaryEnd);
    const int descriptor = Uninterrupted(
        [&] { return openat(folder, name->c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644); });
    if (descriptor < 0) {
      if (errno == EEXIST) continue;  // of a process of another machine, or namespace
      Fail(error, "create");
      return -1;
    }
    struct stat about {};
    if (Lock(descriptor) && (fstat(descriptor, &about) != 0 || about.st_nlink != 0))
      return descriptor;
    close(descriptor);  // taken for a leftover in the moment before it was locked
  }
}

}  // namespace

// ── Reading ───────────────────────────────────────────────────────────────────────────────────

std::unique_ptr<ReadableFile> ReadableFile::Open(const std::string& path, FileError* error) {
  // Not to wait for the other end of a pipe.
  const int descriptor =
      Uninterrupted([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
  if (descriptor < 0) {
    Fail(error, "open");
    return nullptr;
  }
  return std::unique_ptr<ReadableFile>(new ReadableFile(descriptor));
}

ReadableFile::~ReadableFile() {
  close(descriptor_);
}

bool ReadableFile::Stamp(FileStamp* stamp, FileError* error) const {
  struct stat about {};
  if (fstat(descriptor_, &about) != 0) return Fail(error, "fstat");
  if (!S_ISREG(about.st_mode)) {
    errno = S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
    return Fail(error, "read");
  }
  *stamp = {static_cast<uint64_t>(about.st_size),
            int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec};
  return true;
}

int64_t ReadableFile::Read(uint64_t offset, std::span<std::byte> to, FileError* error) const {
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t got = Uninterrupted([&] {
      return pread(descriptor_, to.data() + done, to.size() - done,
                   static_cast<off_t>(offset + done));
    });
    if (got == 0) break;
    if (got < 0) {
      Fail(error, "read");
      return -1;
    }
    done += static_cast<size_t>(got);
  }
  return static_cast<int64_t>(done);
}

std::byte* ReadableFile::MapGuarded(uint64_t offset, uint64_t bytes, Sharing sharing,
                                    uint64_t guard_bytes, FileError* error) const {
  std::byte* const reservation =
      standstill::MapGuarded(descriptor_, offset, bytes, sharing, guard_bytes);
  if (reservation == nullptr) Fail(error, "mmap");
  return reservation;
}

// ── Writing ───────────────────────────────────────────────────────────────────────────────────

NewFile::NewFile(int folder, std::string name, std::string temporary, int descriptor)
    : folder_(folder),
      name_(std::move(name)),
      temporary_(std::move(temporary)),
      descriptor_(descriptor) {}

std::unique_ptr<NewFile> NewFile::Create(const std::string& path, FileError* error) {
  std::string target;
  if (!FindTarget(path, &target, error)) return nullptr;
  const std::string name = NameOf(target);
  const int folder = Uninterrupted(
      [&] { return open(FolderOf(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (folder < 0) {
    Fail(error, "open");
    return nullptr;
  }
  const std::string prefix = TemporaryPrefix(name);
  RemoveLeftovers(folder, prefix);
  std::string temporary;
  const int descriptor = CreateTemporary(folder, prefix, &temporary, error);
  if (descriptor < 0) {
    close(folder);
    return nullptr;
  }
  return std::unique_ptr<NewFile>(new NewFile(folder, name, temporary, descriptor));
}

NewFile::~NewFile() {
  if (!committed_) unlinkat(folder_, temporary_.c_str(), 0);
  close(descriptor_);
  close(folder_);
}

bool NewFile::Write(uint64_t offset, std::span<const std::byte> bytes, FileError* error) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t put = Uninterrupted([&] {
      return pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                    static_cast<off_t>(offset + done));
    });
    if (put < 0) return Fail(error, "write");
    done += static_cast<size_t>(put);
  }
  return true;
}

bool NewFile::SetSize(uint64_t bytes, FileError* error) {
  return Uninterrupted([&] { return ftruncate(descriptor_, static_cast<off_t>(bytes)); }) == 0 ||
         Fail(error, "truncate");
}

bool NewFile::Commit(FileError* error) {
  if (Flush(descriptor_) != 0) return Fail(error, "fsync");
  if (renameat(folder_, temporary_.c_str(), folder_, name_.c_str()) != 0)
    return Fail(error, "rename");
  committed_ = true;
  // A file system that cannot flush a folder says EINVAL, and has nothing to flush.
  return Flush(folder_) == 0 || errno == EINVAL || Fail(error, "fsync");
}

std::string DescribeErrno(int number) {
  const char* const name = strerrorname_np(number);
  return std::string(name != nullptr ? name : "unknown") + ": " + strerror(number);
}

std::string DescribeError(const FileError& error) {
  return DescribeErrno(error.number) + " (" + error.call + ")";
}

}  // namespace standstill
