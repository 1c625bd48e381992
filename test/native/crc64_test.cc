// CRC-64/NVME: every backend of this machine gives the value that the definition gives, bit by bit,
// whatever the length, alignment and way of splitting; the algebra over values agrees with reading
// the bytes again.
#include "util/crc64.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/prng.h"

namespace standstill {
namespace {

constexpr uint64_t kSeed = 0x5EED0C64;
constexpr CrcBackend kAllBackends[] = {CrcBackend::kTable, CrcBackend::kClmul128,
                                       CrcBackend::kClmul256, CrcBackend::kClmul512,
                                       CrcBackend::kPmull};

// The definition, one bit at a time, from the polynomial as the standard writes it: nothing shared
// with the code under test.
uint64_t Reference(uint64_t crc, std::span<const std::byte> data) {
  uint64_t reflected = 0;
  for (int bit = 0; bit < 64; ++bit) {
    reflected |= (0xAD93D23594C93659 >> bit & 1) << (63 - bit);
  }
  uint64_t state = ~crc;
  for (const std::byte byte : data) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = ((state ^ static_cast<uint64_t>(byte) >> bit) & 1) != 0;
      state = state >> 1 ^ (carry ? reflected : 0);
    }
  }
  return ~state;
}

std::vector<std::byte> RandomBytes(Prng& prng, size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(prng.Next());
  return bytes;
}

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string Name(CrcBackend backend) {
  return CrcBackendName(backend);
}

template <typename Check>
void ForEachBackend(Check check) {
  for (const CrcBackend backend : kAllBackends) {
    if (!CrcBackendSupported(backend)) continue;
    INFO("backend " << Name(backend) << ", seed " << kSeed);
    check(backend);
  }
}

TEST_CASE("crc64: the backends of this machine") {
  for (const CrcBackend backend : kAllBackends) {
    if (!CrcBackendSupported(backend)) {
      MESSAGE("crc64 backend NOT tested, this machine lacks it: " << Name(backend));
    }
  }
  MESSAGE("crc64 backend chosen: " << Name(CrcBestBackend()));
  CHECK(CrcBackendSupported(CrcBackend::kTable));
  CHECK(CrcBackendSupported(CrcBestBackend()));
}

TEST_CASE("crc64: the published check value, and no bytes at all") {
  CHECK(Reference(0, Bytes("123456789")) == 0xAE8B14860A799888);
  CHECK(Crc64(0, Bytes("123456789")) == 0xAE8B14860A799888);
  CHECK(Crc64(0, {}) == 0);
  CHECK(Crc64(0x1234, {}) == 0x1234);
  ForEachBackend([](CrcBackend backend) {
    CHECK(Crc64With(backend, 0, Bytes("123456789")) == 0xAE8B14860A799888);
    CHECK(Crc64With(backend, 0, {}) == 0);
    CHECK(Crc64With(backend, 0x1234, {}) == 0x1234);
  });
}

TEST_CASE("crc64: every length up to 1100, at random alignments, after random values") {
  Prng prng{kSeed};
  const std::vector<std::byte> bytes = RandomBytes(prng, 1100 + 63);
  for (size_t length = 0; length <= 1100; ++length) {
    const size_t offset = prng.Below(64);
    const uint64_t before = prng.Next();
    const auto data = std::span(bytes).subspan(offset, length);
    const uint64_t expected = Reference(before, data);
    CAPTURE(length);
    CAPTURE(offset);
    ForEachBackend(
        [&](CrcBackend backend) { CHECK(Crc64With(backend, before, data) == expected); });
  }
}

TEST_CASE("crc64: a few MiB, whole and as a chain of random pieces") {
  Prng prng{kSeed};
  const std::vector<std::byte> bytes = RandomBytes(prng, (3 << 20) + 12345);
  const uint64_t expected = Reference(0, bytes);
  CHECK(Crc64(0, bytes) == expected);
  ForEachBackend([&](CrcBackend backend) {
    CHECK(Crc64With(backend, 0, bytes) == expected);
    uint64_t chained = 0;
    for (std::span<const std::byte> rest(bytes); !rest.empty();) {
      // Mostly short pieces, some of many turns of the main loop.
      const size_t bound = prng.Below(4) == 0 ? 200'000 : 3'000;
      const size_t piece = std::min<size_t>(prng.Below(bound), rest.size());
      chained = Crc64With(backend, chained, rest.first(piece));
      rest = rest.subspan(piece);
    }
    CHECK(chained == expected);
  });
}

TEST_CASE("crc64: the hint of what is read next changes no value and is never dereferenced") {
  Prng prng{kSeed};
  const std::vector<std::byte> bytes = RandomBytes(prng, 3 * 4096);
  // Prefetching an unmapped address is no fault.
  const auto* unmapped = reinterpret_cast<const std::byte*>(uintptr_t{64});
  for (const size_t length : {size_t{16}, size_t{100}, size_t{4096}, bytes.size()}) {
    CAPTURE(length);
    const auto data = std::span(bytes).first(length);
    const uint64_t expected = Reference(0, data);
    CHECK(Crc64(0, data, unmapped) == expected);
    ForEachBackend([&](CrcBackend backend) {
      CHECK(Crc64With(backend, 0, data, bytes.data()) == expected);
      CHECK(Crc64With(backend, 0, data, unmapped) == expected);
    });
  }
}

TEST_CASE("crc64: the value of a join from the values of its parts") {
  Prng prng{kSeed};
  const std::vector<std::byte> bytes = RandomBytes(prng, 70'000);
  for (int round = 0; round < 500; ++round) {
    const auto whole = std::span(bytes).first(prng.Below(bytes.size() + 1));
    const size_t split = prng.Below(whole.size() + 1);
    INFO("seed " << kSeed << ", length " << whole.size() << ", split " << split);
    const uint64_t a = Crc64(0, whole.first(split));
    const uint64_t b = Crc64(0, whole.subspan(split));
    CHECK(Crc64Combine(a, b, whole.size() - split) == Crc64(0, whole));
  }
  CHECK(Crc64Combine(0x1234, 0, 0) == 0x1234);
}

TEST_CASE("crc64: one shift joins every block of its length") {
  Prng prng{kSeed};
  for (const size_t block_bytes : {1, 15, 16, 17, 255, 4096, 65536}) {
    INFO("seed " << kSeed << ", block " << block_bytes);
    const std::vector<std::byte> bytes = RandomBytes(prng, 5 * block_bytes);
    const Crc64Shift shift(block_bytes);
    uint64_t joined = 0;
    for (size_t at = 0; at < bytes.size(); at += block_bytes) {
      joined = shift.Apply(joined) ^ Crc64(0, std::span(bytes).subspan(at, block_bytes));
    }
    CHECK(joined == Crc64(0, bytes));
  }
}

// Lengths that no buffer has: the shift by a sum is the shift by one, then by the other; and it is
// the product with a power that is computed another way.
TEST_CASE("crc64: shifts of any 64-bit length") {
  Prng prng{kSeed};
  for (int round = 0; round < 500; ++round) {
    const uint64_t first = prng.Next() >> (1 + prng.Below(63));
    const uint64_t second = prng.Next() >> (1 + prng.Below(63));
    const uint64_t crc = prng.Next();
    INFO("seed " << kSeed << ", lengths " << first << " and " << second << ", value " << crc);
    CHECK(Crc64Shift(first + second).Apply(crc) ==
          Crc64Shift(second).Apply(Crc64Shift(first).Apply(crc)));
    const uint64_t short_length = first >> 3;  // its count of bits fits in 64
    CHECK(Crc64Shift(short_length).Apply(crc) ==
          crc64_internal::Multiply(crc, crc64_internal::XPower(8 * short_length)));
  }
}

TEST_CASE("crc64: the value of the whole after one block changed") {
  Prng prng{kSeed};
  std::vector<std::byte> bytes = RandomBytes(prng, 64 * 4096 + 77);
  uint64_t whole = Crc64(0, bytes);
  for (int round = 0; round < 200; ++round) {
    const size_t length = 1 + prng.Below(8192);
    const size_t at = prng.Below(bytes.size() - length + 1);
    INFO("seed " << kSeed << ", round " << round << ", at " << at << ", length " << length);
    const auto block = std::span(bytes).subspan(at, length);
    const uint64_t old_block = Crc64(0, block);
    for (uint64_t changes = 1 + prng.Below(16); changes != 0; --changes) {
      block[prng.Below(length)] ^= static_cast<std::byte>(1 + prng.Below(255));
    }
    whole = Crc64Replace(whole, old_block, Crc64(0, block), bytes.size() - at - length);
    CHECK(whole == Crc64(0, bytes));
  }
}

}  // namespace
}  // namespace standstill
