#include "port/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace standstill {
namespace {

constexpr std::string_view kTemporaryMark = ".standstill-";
constexpr std::string_view kTemporaryEnd = ".tmp";

bool Fail(FileError* error, const char* call) {
  *error = {errno, call};
  return false;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// Hidden, and told from every other file by its ending.
std::string TemporaryPrefix(const std::string& name) {
  return "." + name + std::string(kTemporaryMark);
}

// Another process may be writing the same file now: then its temporary one is locked.
void RemoveLeftovers(const std::string& folder, const std::string& name) {
  DIR* const entries = opendir(folder.c_str());
  if (entries == nullptr) return;
  const std::string prefix = TemporaryPrefix(name);
  while (const dirent* entry = readdir(entries)) {
    const std::string_view each = entry->d_name;
    if (!each.starts_with(prefix) || !each.ends_with(kTemporaryEnd)) continue;
    const std::string path = folder + "/" + std::string(each);
    const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) unlink(path.c_str());
    close(descriptor);
  }
  closedir(entries);
}

}  // namespace

// ── Reading ───────────────────────────────────────────────────────────────────────────────────

std::unique_ptr<ReadableFile> ReadableFile::Open(const std::string& path, FileError* error) {
  // Not to wait for the other end of a pipe.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    Fail(error, "open");
    return nullptr;
  }
  return std::unique_ptr<ReadableFile>(new ReadableFile(descriptor));
}

ReadableFile::~ReadableFile() {
  close(descriptor_);
}

bool ReadableFile::Size(uint64_t* bytes, FileError* error) const {
  struct stat about {};
  if (fstat(descriptor_, &about) != 0) return Fail(error, "fstat");
  if (!S_ISREG(about.st_mode)) {
    errno = S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
    return Fail(error, "read");
  }
  *bytes = static_cast<uint64_t>(about.st_size);
  return true;
}

int64_t ReadableFile::Read(uint64_t offset, std::span<std::byte> to, FileError* error) const {
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t got =
        pread(descriptor_, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      Fail(error, "read");
      return -1;
    }
    done += static_cast<size_t>(got);
  }
  return static_cast<int64_t>(done);
}

// ── Writing ───────────────────────────────────────────────────────────────────────────────────

NewFile::NewFile(std::string path, std::string temporary, int descriptor)
    : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

std::unique_ptr<NewFile> NewFile::Create(const std::string& path, FileError* error) {
  static std::atomic<uint64_t> count{0};
  const std::string folder = FolderOf(path);
  const std::string name = NameOf(path);
  RemoveLeftovers(folder, name);
  for (;;) {
    const std::string temporary = folder + "/" + TemporaryPrefix(name) + std::to_string(getpid()) +
                                  "-" + std::to_string(count.fetch_add(1)) +
                                  std::string(kTemporaryEnd);
    const int descriptor = open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      if (errno == EEXIST) continue;  // of a process of another machine, or namespace
      Fail(error, "create");
      return nullptr;
    }
    struct stat about {};
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &about) == 0 &&
        about.st_nlink != 0) {
      return std::unique_ptr<NewFile>(new NewFile(path, temporary, descriptor));
    }
    close(descriptor);  // taken for a leftover in the moment before it was locked
  }
}

NewFile::~NewFile() {
  if (!committed_) unlink(temporary_.c_str());
  close(descriptor_);
}

bool NewFile::Write(uint64_t offset, std::span<const std::byte> bytes, FileError* error) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t put = pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Fail(error, "write");
    done += static_cast<size_t>(put);
  }
  return true;
}

bool NewFile::SetSize(uint64_t bytes, FileError* error) {
  return ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0 || Fail(error, "truncate");
}

bool NewFile::Commit(FileError* error) {
  if (fsync(descriptor_) != 0) return Fail(error, "fsync");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return Fail(error, "rename");
  committed_ = true;
  const int folder = open(FolderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Fail(error, "open");
  // A file system that cannot flush a folder says EINVAL, and has nothing to flush.
  const bool flushed = fsync(folder) == 0 || errno == EINVAL;
  if (!flushed) Fail(error, "fsync");
  close(folder);
  return flushed;
}

std::string DescribeError(const FileError& error) {
  const char* const name = strerrorname_np(error.number);
  return std::string(name != nullptr ? name : "unknown") + ": " + strerror(error.number) + " (" +
         error.call + ")";
}

}  // namespace standstill
