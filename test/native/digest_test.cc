// The digest: the flat CRC of the RAM's bytes, however many threads compute it; a share that
// depends on its seed alone; one bit, one page.
#include "standstill/digest.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "memory/lease.h"
#include "support.h"
#include "util/crc64.h"

namespace standstill {
namespace {

using namespace testing;

class Image {
 public:
  explicit Image(uint64_t size_bytes, uint64_t seed = 1) {
    REQUIRE(GuestRam::Create(size_bytes, false, &ram) == Status::kOk);
    Prng random{seed};
    for (uint64_t at = 0; at < size_bytes; at += 8) {
      const uint64_t word = random.Next();
      std::memcpy(ram->base() + at, &word, 8);
    }
    book.Open();
  }
  DigestResult Digest(const DigestOptions& options = {}) {
    Lease lease;
    REQUIRE(lease.Acquire(book) == Status::kOk);
    DigestResult result;
    REQUIRE(DigestRam(*ram, lease, options, &result) == Status::kOk);
    return result;
  }
  std::span<const std::byte> bytes() const { return {ram->base(), ram->size_bytes()}; }
  uint64_t PageCrc(uint64_t page) const {
    return Crc64(0, bytes().subspan(page * kPageBytes, kPageBytes));
  }

  std::unique_ptr<GuestRam> ram;
  LeaseBook book;
};

}  // namespace

TEST_CASE("digest: is the flat CRC of the RAM, with any number of threads") {
  // A whole number of chunks, and one with a rest; the table's backend is shared with nothing.
  for (const uint64_t size : {kRamBytesMin, 5 * kRamBytesMin, kRamBytesMin + 7 * kPageBytes}) {
    CAPTURE(size);
    Image image(size, size);
    const uint64_t flat = Crc64With(CrcBackend::kTable, 0, image.bytes());
    for (const unsigned threads : {0u, 1u, 2u, 3u, 17u}) {
      CAPTURE(threads);
      const DigestResult digest = image.Digest({.threads = threads});
      CHECK(digest.value == flat);
      CHECK(digest.bytes_read == size);
      CHECK(digest.elapsed_ns > 0);
      REQUIRE(digest.page_crcs.size() == image.ram->pages());
      for (uint64_t page = 0; page < image.ram->pages(); ++page) {
        REQUIRE(digest.page_crcs[page] == image.PageCrc(page));
      }
    }
  }
}

TEST_CASE("digest: of zeroes is theirs, and not zero") {
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(kRamBytesMin, false, &ram) == Status::kOk);
  LeaseBook book;
  book.Open();
  Lease lease;
  REQUIRE(lease.Acquire(book) == Status::kOk);
  DigestResult digest;
  REQUIRE(DigestRam(*ram, lease, {}, &digest) == Status::kOk);
  const std::vector<std::byte> zeroes(kRamBytesMin);
  CHECK(digest.value == Crc64With(CrcBackend::kTable, 0, zeroes));
  CHECK(digest.value != 0);
}

TEST_CASE("digest: any one flipped bit changes the value and exactly its page's CRC") {
  constexpr uint64_t kSeed = 0xB17F;
  CAPTURE(kSeed);
  Prng random{kSeed};
  Image image(2 * kRamBytesMin);
  const DigestResult before = image.Digest();
  for (int i = 0; i < 40; ++i) {
    const uint64_t at = random.Below(image.ram->size_bytes());
    const std::byte bit = std::byte{1} << random.Below(8);
    CAPTURE(at);
    image.ram->base()[at] ^= bit;
    const DigestResult after = image.Digest();
    image.ram->base()[at] ^= bit;
    CHECK(after.value != before.value);
    for (uint64_t page = 0; page < image.ram->pages(); ++page) {
      REQUIRE((after.page_crcs[page] != before.page_crcs[page]) == (page == at >> kPageShift));
    }
    // The algebra that keeps a digest up over dirty pages agrees with the reading.
    const uint64_t page = at >> kPageShift;
    const uint64_t bytes_after = image.ram->size_bytes() - (page + 1) * kPageBytes;
    CHECK(Crc64Replace(before.value, before.page_crcs[page], after.page_crcs[page], bytes_after) ==
          after.value);
  }
  CHECK(image.Digest().value == before.value);
}

TEST_CASE("digest: two pages that change places change the value") {
  Image image(kRamBytesMin);
  const uint64_t before = image.Digest().value;
  std::vector<std::byte> page(image.ram->base(), image.ram->base() + kPageBytes);
  std::memcpy(image.ram->base(), image.ram->base() + 9 * kPageBytes, kPageBytes);
  std::memcpy(image.ram->base() + 9 * kPageBytes, page.data(), kPageBytes);
  CHECK(image.Digest().value != before);
}

TEST_CASE(
    "digest: a share reads the pages that its seed chooses, always the same, and only those") {
  Image image(8 * kRamBytesMin);
  for (const double share : {0.01, 0.25, 0.5, 0.9}) {
    CAPTURE(share);
    const DigestResult first = image.Digest({.share = share, .seed = 11, .threads = 1});
    const DigestResult again = image.Digest({.share = share, .seed = 11, .threads = 2});
    CHECK(first.value == again.value);
    CHECK(first.bytes_read == again.bytes_read);
    CHECK(first.page_crcs == again.page_crcs);
    CHECK(image.Digest({.share = share, .seed = 12}).page_crcs != first.page_crcs);

    // The value is that of the chosen pages one after another; the others are 0.
    uint64_t expected = 0;
    uint64_t pages = 0;
    for (uint64_t page = 0; page < image.ram->pages(); ++page) {
      if (first.page_crcs[page] == 0) continue;
      REQUIRE(first.page_crcs[page] == image.PageCrc(page));
      expected = Crc64Combine(expected, image.PageCrc(page), kPageBytes);
      ++pages;
    }
    CHECK(first.value == expected);
    CHECK(first.bytes_read == pages * kPageBytes);
    const double got = static_cast<double>(pages) / static_cast<double>(image.ram->pages());
    CHECK(got > share * 0.5);
    CHECK(got < share * 1.5 + 0.02);

    // A bit in a page that was not read stays unseen; in one that was, it is seen.
    bool read_seen = false;
    bool unread_seen = false;
    for (uint64_t page = 0; page < image.ram->pages() && !(read_seen && unread_seen); ++page) {
      const bool read = first.page_crcs[page] != 0;
      if (read ? read_seen : unread_seen) continue;
      (read ? read_seen : unread_seen) = true;
      image.ram->base()[page * kPageBytes + 99] ^= std::byte{16};
      const DigestResult after = image.Digest({.share = share, .seed = 11});
      image.ram->base()[page * kPageBytes + 99] ^= std::byte{16};
      CHECK((after.value != first.value) == read);
    }
    CHECK(read_seen);
    CHECK(unread_seen);
  }
  // A larger share of one seed holds the smaller one.
  const DigestResult half = image.Digest({.share = 0.5, .seed = 3});
  const DigestResult tenth = image.Digest({.share = 0.1, .seed = 3});
  for (uint64_t page = 0; page < image.ram->pages(); ++page) {
    if (tenth.page_crcs[page] != 0) REQUIRE(half.page_crcs[page] != 0);
  }
}

TEST_CASE("digest: a share of nothing, of more than all, or of no number is refused") {
  Image image(kRamBytesMin);
  Lease lease;
  REQUIRE(lease.Acquire(image.book) == Status::kOk);
  DigestResult digest;
  for (const double share : {0.0, -0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(DigestRam(*image.ram, lease, {.share = share}, &digest) == Status::kInvalidArgument);
  }
  CHECK(digest.page_crcs.empty());
}

TEST_CASE("digest: a revoked lease leaves no result") {
  Image image(kRamBytesMin);
  auto lease = std::make_unique<Lease>();
  REQUIRE(lease->Acquire(image.book) == Status::kOk);
  std::thread releaser([&] { image.book.Revoke(); });
  REQUIRE(Eventually([&] { return lease->revoked(); }));
  DigestResult digest;
  digest.value = 77;
  CHECK(DigestRam(*image.ram, *lease, {}, &digest) == Status::kLeaseRevoked);
  CHECK(digest.value == 77);
  CHECK(digest.page_crcs.empty());
  lease.reset();
  releaser.join();
}

TEST_CASE("digest: several of one halted VM at once agree") {
  const auto vm = StartVm("kv-store", {.ram_bytes = 4 * kRamBytesMin});
  REQUIRE(RunsOn(*vm));
  Pause(*vm);
  const uint64_t expected = DigestOf(*vm, {.threads = 1}).value;
  std::vector<uint64_t> values(6);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < values.size(); ++t) {
    threads.emplace_back([&, t] {
      DigestResult digest;
      if (vm->Digest({}, &digest) == Status::kOk) values[t] = digest.value;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const uint64_t value : values) CHECK(value == expected);
}

}  // namespace standstill
