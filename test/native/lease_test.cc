// Leases: none while the guest runs; a revocation waits for every holder and lets nobody new in.
#include "memory/lease.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>
#include <vector>

#include "support.h"

namespace standstill {
namespace {

using namespace testing;

std::unique_ptr<GuestRam> MakeRam() {
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(kRamBytesMin, false, &ram) == Status::kOk);
  return ram;
}

}  // namespace

TEST_CASE("lease: is given only while the book is open") {
  LeaseBook book;
  Lease lease;
  CHECK(lease.Acquire(book) == Status::kNotPaused);
  book.Open();
  CHECK(lease.Acquire(book) == Status::kOk);
  CHECK_FALSE(lease.revoked());
  Lease other;
  CHECK(other.Acquire(book) == Status::kOk);
  lease.Drop();
  lease.Drop();
  other.Drop();
  book.Revoke();
  CHECK(lease.Acquire(book) == Status::kNotPaused);
  book.Open();
  CHECK(lease.Acquire(book) == Status::kOk);
  lease.Drop();
  book.Revoke();
}

TEST_CASE("lease: a revocation waits until each holder has gone, and holders see it") {
  LeaseBook book;
  book.Open();
  auto first = std::make_unique<Lease>();
  auto second = std::make_unique<Lease>();
  REQUIRE(first->Acquire(book) == Status::kOk);
  REQUIRE(second->Acquire(book) == Status::kOk);
  std::atomic<bool> revoked{false};
  std::thread releaser([&] {
    book.Revoke();
    revoked.store(true);
  });
  CHECK(Eventually([&] { return first->revoked(); }));
  Lease late;
  CHECK(late.Acquire(book) == Status::kNotPaused);
  SleepNs(2 * kMillisecondNs);
  CHECK_FALSE(revoked.load());
  first.reset();
  SleepNs(2 * kMillisecondNs);
  CHECK_FALSE(revoked.load());
  second.reset();
  CHECK(Eventually([&] { return revoked.load(); }));
  releaser.join();
}

TEST_CASE("lease: what its holders read happens before what the releaser writes") {
  LeaseBook book;
  uint64_t word = 0;  // plain: ThreadSanitizer watches
  std::atomic<bool> over{false};
  std::atomic<int> torn{0};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      while (!over.load()) {
        Lease lease;
        if (lease.Acquire(book) != Status::kOk) continue;
        const uint64_t first = word;
        for (int i = 0; i < 20; ++i) {
          if (word != first) torn.fetch_add(1);
        }
        reads.fetch_add(1);
      }
    });
  }
  for (int i = 0; i < Rounds(20'000, 3'000) || reads.load() == 0; ++i) {
    ++word;
    book.Open();
    for (int spin = 0; spin < i % 50; ++spin) CpuRelax();
    book.Revoke();
  }
  over.store(true);
  for (std::thread& reader : readers) reader.join();
  CHECK(torn.load() == 0);
}

TEST_CASE("leased reader: refuses what is out of range, and polls every 256 KiB") {
  const auto ram = MakeRam();
  ram->base()[kRamBytesMin - 1] = std::byte{7};
  LeaseBook book;
  book.Open();
  auto lease = std::make_unique<Lease>();
  REQUIRE(lease->Acquire(book) == Status::kOk);
  Progress progress;
  LeasedReader reader(*ram, *lease, progress);
  CHECK(reader.size_bytes() == kRamBytesMin);
  std::vector<std::byte> page(kRamBytesMin + 1);
  std::byte last{};
  CHECK(reader.Load(kRamBytesMin - 1, &last));
  CHECK(last == std::byte{7});
  uint64_t word = 42;
  CHECK_FALSE(reader.Load(kRamBytesMin - 1, &word));
  CHECK_FALSE(reader.Load(~uint64_t{0}, &word));
  CHECK(word == 42);
  CHECK_FALSE(reader.Read(0, page.data(), kRamBytesMin + 1));
  CHECK_FALSE(reader.Read(kRamBytesMin - 1, page.data(), 2));

  std::thread releaser([&] { book.Revoke(); });
  REQUIRE(Eventually([&] { return lease->revoked(); }));
  uint64_t bytes = 0;
  const auto read_on = [&] {
    for (; bytes < kRamBytesMin; bytes += kPageBytes) reader.Read(bytes, page.data(), kPageBytes);
  };
  CHECK_THROWS_AS(read_on(), ReadEnded);
  CHECK(bytes <= kLeasePollBytes);
  lease.reset();
  releaser.join();
}

}  // namespace standstill
