// Guest RAM: sizes, zero content, presence after pre-faulting, and guards that nobody can touch.
#include "standstill/guest_ram.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "port/memory.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

Status CreateStatus(uint64_t size_bytes) {
  std::unique_ptr<GuestRam> ram;
  const Status status = GuestRam::Create(size_bytes, false, &ram);
  CHECK((ram != nullptr) == (status == Status::kOk));
  return status;
}

// How many of the pages are present in memory.
uint64_t PresentPages(const GuestRam& ram) {
  std::vector<unsigned char> present(ram.pages());
  REQUIRE(mincore(const_cast<std::byte*>(ram.base()), ram.size_bytes(), present.data()) == 0);
  return static_cast<uint64_t>(
      std::count_if(present.begin(), present.end(), [](unsigned char p) { return (p & 1) != 0; }));
}

// The kernel's line for the mapping that holds the address.
std::string MappingOf(const void* address) {
  std::ifstream maps("/proc/self/maps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  for (std::string line; std::getline(maps, line);) {
    size_t dash = 0;
    const uintptr_t from = std::stoull(line, &dash, 16);
    const uintptr_t to = std::stoull(line.substr(dash + 1), nullptr, 16);
    if (wanted >= from && wanted < to) return line;
  }
  return {};
}

}  // namespace

TEST_CASE("guest ram: whole pages from 1 MiB to 64 GiB, and nothing else") {
  for (const uint64_t bytes :
       {uint64_t{0}, uint64_t{1}, uint64_t{4095}, kPageBytes, kRamBytesMin - kPageBytes,
        kRamBytesMin - 1, kRamBytesMin + 1, kRamBytesMin + 512, kRamBytesMax + kPageBytes,
        kRamBytesMax + 1, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 4095}) {
    CAPTURE(bytes);
    CHECK(CreateStatus(bytes) == Status::kInvalidArgument);
  }
  CHECK(CreateStatus(kRamBytesMin) == Status::kOk);
  CHECK(CreateStatus(kRamBytesMin + kPageBytes) == Status::kOk);
  CHECK(CreateStatus(uint64_t{1} << 30) == Status::kOk);
}

TEST_CASE("guest ram: more than the machine has gives kOutOfMemory, up to it is a mapping") {
  if (PhysicalMemoryBytes() < kRamBytesMax) {
    CHECK(CreateStatus(kRamBytesMax) == Status::kOutOfMemory);
    const uint64_t all = PhysicalMemoryBytes() & ~(kPageBytes - 1);
    CHECK(CreateStatus(all + kPageBytes) == Status::kOutOfMemory);
  } else {
    MESSAGE("this machine has more memory than the largest RAM");
  }
}

TEST_CASE("guest ram: reads as zero, can be written to its ends, and its range check is exact") {
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(kRamBytesMin, false, &ram) == Status::kOk);
  CHECK(ram->size_bytes() == kRamBytesMin);
  CHECK(ram->pages() == 256);
  CHECK(std::all_of(ram->base(), ram->base() + ram->size_bytes(),
                    [](std::byte b) { return b == std::byte{0}; }));
  ram->base()[0] = std::byte{1};
  ram->base()[ram->size_bytes() - 1] = std::byte{2};
  CHECK(ram->Contains(0, kRamBytesMin));
  CHECK(ram->Contains(kRamBytesMin, 0));
  CHECK(ram->Contains(kRamBytesMin - 1, 1));
  CHECK_FALSE(ram->Contains(kRamBytesMin, 1));
  CHECK_FALSE(ram->Contains(kRamBytesMin + 1, 0));
  CHECK_FALSE(ram->Contains(1, kRamBytesMin));
  CHECK_FALSE(ram->Contains(1, ~uint64_t{0}));
  CHECK_FALSE(ram->Contains(~uint64_t{0}, 1));
  CHECK_FALSE(ram->Contains(~uint64_t{0}, ~uint64_t{0}));
}

TEST_CASE("guest ram: pre-faulting makes every page present, and without it few are") {
  // Not a multiple of the chunk in which it is populated.
  const uint64_t bytes = (uint64_t{33} << 20) + kPageBytes;
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(bytes, true, &ram) == Status::kOk);
  CHECK(PresentPages(*ram) == ram->pages());
  CHECK(
      std::all_of(ram->base(), ram->base() + bytes, [](std::byte b) { return b == std::byte{0}; }));
  std::unique_ptr<GuestRam> lazy;
  REQUIRE(GuestRam::Create(bytes, false, &lazy) == Status::kOk);
  CHECK(PresentPages(*lazy) == 0);
  lazy->base()[kPageBytes * 7] = std::byte{1};
  CHECK(PresentPages(*lazy) >= 1);
  CHECK(PresentPages(*lazy) < lazy->pages());
}

TEST_CASE("guest ram: is a memfd's shared mapping between two inaccessible ones, gone at the end") {
  const size_t mappings = MappingCount();
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(kRamBytesMin, false, &ram) == Status::kOk);
  const std::string inside = MappingOf(ram->base());
  CHECK(inside.find("rw-s") != std::string::npos);
  CHECK(inside.find("memfd:standstill-guest-ram") != std::string::npos);
  CHECK(MappingOf(ram->base() - 1).find("---p") != std::string::npos);
  CHECK(MappingOf(ram->base() + ram->size_bytes()).find("---p") != std::string::npos);
  ram.reset();
  if (!kSanitized) CHECK(MappingCount() <= mappings);
}

TEST_CASE("guest ram: its size is sealed") {
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(kRamBytesMin, false, &ram) == Status::kOk);
  // The descriptor is closed; the kernel still hands the file out by its mapping.
  std::string range = MappingOf(ram->base());
  range = range.substr(0, range.find(' '));
  const std::string path = "/proc/self/map_files/" + range;
  const int fd = open(path.c_str(), O_RDWR);
  if (fd < 0) {
    MESSAGE("this process may not open " << path);
    return;
  }
  CHECK(ftruncate(fd, kPageBytes) != 0);
  CHECK(ftruncate(fd, static_cast<off_t>(2 * kRamBytesMin)) != 0);
  const int seals = fcntl(fd, F_GET_SEALS);
  CHECK((seals & F_SEAL_SHRINK) != 0);
  CHECK((seals & F_SEAL_GROW) != 0);
  CHECK((seals & F_SEAL_SEAL) != 0);
  close(fd);
}

// ── Guards ────────────────────────────────────────────────────────────────────────────────────

namespace {

// Touches one byte at an offset from the RAM's start, or from its end. Ends the process.
void Touch(bool from_end, int64_t offset, bool writes) {
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(kRamBytesMin, true, &ram) == Status::kOk);
  DieOfSignals();
  volatile std::byte* const at = ram->base() + (from_end ? ram->size_bytes() : 0) + offset;
  if (writes) *at = std::byte{1};
  if (!writes) (void)*at;
  _exit(0);
}

}  // namespace

TEST_CASE("child: reads just below the ram" * doctest::skip()) {
  Touch(false, -1, false);
}
TEST_CASE("child: writes just below the ram" * doctest::skip()) {
  Touch(false, -1, true);
}
TEST_CASE("child: writes 64 KiB below the ram" * doctest::skip()) {
  Touch(false, -65536, true);
}
TEST_CASE("child: reads just above the ram" * doctest::skip()) {
  Touch(true, 0, false);
}
TEST_CASE("child: writes just above the ram" * doctest::skip()) {
  Touch(true, 0, true);
}
TEST_CASE("child: writes 64 KiB above the ram" * doctest::skip()) {
  Touch(true, 65535, true);
}
TEST_CASE("child: writes the ram's last byte" * doctest::skip()) {
  Touch(true, -1, true);
}

TEST_CASE("guest ram: who touches a guard on either side dies of it, and inside nobody does") {
  for (const char* child :
       {"child: reads just below the ram", "child: writes just below the ram",
        "child: writes 64 KiB below the ram", "child: reads just above the ram",
        "child: writes just above the ram", "child: writes 64 KiB above the ram"}) {
    CAPTURE(child);
    CHECK(RunChild(child).signal == SIGSEGV);
  }
  const ChildEnd inside = RunChild("child: writes the ram's last byte");
  CHECK(inside.signal == 0);
  CHECK(inside.code == 0);
}

}  // namespace standstill
