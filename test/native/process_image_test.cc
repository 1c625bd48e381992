// The memory of another process, read from outside: private and shared anonymous pages are read,
// what is only reserved is not and stays so, and what changes is found where it is.
#include "process/process_image.h"

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "port/process_memory.h"
#include "support.h"

namespace standstill {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kReservedBytes = size_t{64} << 30;

// A child that stands still, with a private mapping, one that it shares with us, and a reserved one.
class StoppedChild {
 public:
  StoppedChild() {
    shared_ = static_cast<char*>(
        mmap(nullptr, 16 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    REQUIRE(shared_ != MAP_FAILED);
    std::memset(shared_, 's', 16 * kPage);
    private_ = static_cast<char*>(
        mmap(nullptr, 64 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(private_ != MAP_FAILED);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      // Every second page, so that a chunk is made of many runs.
      for (size_t page = 0; page < 64; page += 2) private_[page * kPage] = 'p';
      mmap(nullptr, kReservedBytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      // Shared memory has no page here until it is looked at.
      for (size_t page = 0; page < 16; ++page) {
        if (*static_cast<volatile char*>(shared_ + page * kPage) != 's') _exit(1);
      }
      raise(SIGSTOP);
      _exit(0);
    }
    REQUIRE(waitpid(pid_, nullptr, WUNTRACED) == pid_);
  }
  ~StoppedChild() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    munmap(shared_, 16 * kPage);
    munmap(private_, 64 * kPage);
  }

  int pid() const { return pid_; }
  char* shared() { return shared_; }
  uint64_t private_address() const { return reinterpret_cast<uint64_t>(private_); }

 private:
  char* shared_;
  char* private_;
  int pid_;
};

ProcessImage Captured(int pid) {
  Progress progress;
  ProcessImage image;
  REQUIRE_FALSE(CaptureProcesses({pid}, progress, &image).has_value());
  CHECK(progress.done() == image.bytes_read / kPage);
  return image;
}

const MappingImage& MappingAt(const ProcessImage& image, uint64_t address) {
  for (const MappingImage& mapping : image.processes.at(0).mappings) {
    if (mapping.mapping.start <= address && address < mapping.mapping.end) return mapping;
  }
  FAIL("no such mapping");
  return image.processes.at(0).mappings.at(0);
}

// As on a kernel before 6.7. False where that cannot be had.
bool RefuseScans() {
  std::array<sock_filter, 4> filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {filter.size(), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
         ioctl(STDIN_FILENO, 0) == -1 && errno == ENOTTY;
}

size_t PagesIn(const MappingImage& mapping, uint64_t address, size_t bytes) {
  size_t count = 0;
  for (const uint64_t page : mapping.pages) count += page >= address && page < address + bytes;
  return count;
}

TEST_CASE("the pages that are there are read, and no page is made by reading") {
  StoppedChild child;
  const ProcessImage first = Captured(child.pid());
  const uint64_t shared = reinterpret_cast<uint64_t>(child.shared());
  CHECK(PagesIn(MappingAt(first, child.private_address()), child.private_address(), 64 * kPage) ==
        32);
  CHECK(PagesIn(MappingAt(first, shared), shared, 16 * kPage) == 16);
  CHECK(first.bytes_read < kReservedBytes / 64);
  const ProcessImage second = Captured(child.pid());
  CHECK(second.bytes_read == first.bytes_read);
  CHECK(second.digest == first.digest);
  CHECK(CompareImages(first, second).change == ProcessChange::kNone);
}

TEST_CASE("a kernel that cannot scan is asked page by page, and tells the same") {
  constexpr size_t kPages = 40'000;
  const int pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    auto* const memory =
        static_cast<char*>(mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    madvise(memory, kPages * kPage, MADV_NOHUGEPAGE);
    // More runs than one scan answers, and more pages than one read does.
    size_t present = 0;
    for (size_t page = 0; page < kPages; page += 1 + page % 7, ++present) memory[page * kPage] = 1;
    const auto start = reinterpret_cast<uint64_t>(memory);
    std::vector<uint64_t> scanned;
    std::vector<uint64_t> walked;
    if (ListPages(getpid(), start, start + kPages * kPage, true, &scanned) != 0) _exit(1);
    if (!RefuseScans()) _exit(2);
    if (ListPages(getpid(), start, start + kPages * kPage, true, &walked) != 0) _exit(3);
    if (scanned.size() != present) _exit(4);
    _exit(scanned == walked ? 0 : 5);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("shared memory that an outsider writes is found, run by run") {
  StoppedChild child;
  const ProcessImage before = Captured(child.pid());
  child.shared()[3 * kPage + 7] = 'x';
  child.shared()[4 * kPage] = 'x';
  child.shared()[9 * kPage] = 'x';
  const ProcessDifference found = CompareImages(before, Captured(child.pid()));
  CHECK(found.change == ProcessChange::kContent);
  CHECK(found.pid == child.pid());
  CHECK(found.address == reinterpret_cast<uint64_t>(child.shared()) + 3 * kPage);
  CHECK(found.length_bytes == 2 * kPage);
  CHECK(found.pages_changed == 3);
  CHECK(found.mapping.permissions == "rw-s");
}

TEST_CASE("a process more, and one that is gone") {
  StoppedChild one;
  StoppedChild two;
  Progress progress;
  ProcessImage both;
  REQUIRE_FALSE(CaptureProcesses({two.pid(), one.pid()}, progress, &both).has_value());
  CHECK(both.processes.at(0).pid < both.processes.at(1).pid);
  CHECK(CompareImages(Captured(one.pid()), both).change == ProcessChange::kProcesses);

  const int gone = fork();
  if (gone == 0) _exit(0);
  REQUIRE(waitpid(gone, nullptr, 0) == gone);
  ProcessImage untouched;
  const auto error = CaptureProcesses({one.pid(), gone}, progress, &untouched);
  REQUIRE(error.has_value());
  CHECK(error->pid == gone);
  CHECK(untouched.processes.empty());
}

TEST_CASE("a capture is cancelled") {
  StoppedChild child;
  Progress progress;
  progress.Cancel();
  ProcessImage image;
  const auto error = CaptureProcesses({child.pid()}, progress, &image);
  REQUIRE(error.has_value());
  CHECK(error->number == ECANCELED);
}

TEST_CASE("a task that ran on is told") {
  StoppedChild child;
  const ProcessImage before = Captured(child.pid());
  ProcessImage after = Captured(child.pid());
  after.processes[0].tasks[0].cpu_ns += 2'000'000;
  CHECK(CompareImages(before, after).change == ProcessChange::kTasks);
  after = before;
  after.processes[0].tasks[0].registers = "0 0x1 0x2";
  CHECK(CompareImages(before, after).detail.ends_with("moved"));
  after = before;
  after.processes[0].maps += "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n";
  CHECK(CompareImages(before, after).change == ProcessChange::kMappings);
}

}  // namespace
}  // namespace standstill
