#include "util/crc64.h"

#include <array>
#include <bit>
#include <cstring>

#include "util/check.h"

namespace standstill {
namespace crc64_internal {

#if !defined(__x86_64__) && !defined(__aarch64__)
Kernel FindKernel(CrcBackend) {
  return nullptr;
}
Product FindProduct() {
  return nullptr;
}
#endif

}  // namespace crc64_internal

namespace {

using crc64_internal::kOne;
using crc64_internal::Multiply;
using crc64_internal::TimesX;

// kByteTables[k][b]: what byte b of the register becomes after k + 1 bytes.
constexpr auto kByteTables = [] {
  std::array<std::array<uint64_t, 256>, 8> tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = TimesX(state);
    tables[0][byte] = state;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}();

// kShifts[d][v]: x^(8 * v * 16^d) mod P, so that a shift costs one product for each hexadecimal
// digit of its length that is not 0.
constexpr auto kShifts = [] {
  std::array<std::array<uint64_t, 16>, 16> shifts{};
  uint64_t base = kOne >> 8;
  for (auto& row : shifts) {
    row[0] = kOne;
    for (size_t value = 1; value < 16; ++value) row[value] = Multiply(row[value - 1], base);
    base = Multiply(row[15], base);
  }
  return shifts;
}();

uint64_t TableUpdate(uint64_t state, std::span<const std::byte> data) {
  const auto& t = kByteTables;
  for (; data.size() >= 8; data = data.subspan(8)) {
    uint64_t word;
    std::memcpy(&word, data.data(), 8);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    const uint64_t v = state ^ word;
    state = t[7][v & 0xFF] ^ t[6][v >> 8 & 0xFF] ^ t[5][v >> 16 & 0xFF] ^ t[4][v >> 24 & 0xFF] ^
            t[3][v >> 32 & 0xFF] ^ t[2][v >> 40 & 0xFF] ^ t[1][v >> 48 & 0xFF] ^ t[0][v >> 56];
  }
  for (const std::byte byte : data) {
    state = state >> 8 ^ t[0][(state ^ static_cast<uint64_t>(byte)) & 0xFF];
  }
  return state;
}

// Guest pages are a multiple of 16 bytes: the tables see only the odd ends of other data.
uint64_t Update(crc64_internal::Kernel kernel, uint64_t crc, std::span<const std::byte> data,
                const std::byte* read_next) {
  uint64_t state = ~crc;
  const size_t body_bytes = data.size() & ~size_t{15};
  if (kernel != nullptr && body_bytes != 0) {
    // Without a hint the lines fetched past the end are the data's own first ones, read already.
    const std::byte* next = read_next != nullptr ? read_next : data.data();
    state = kernel(state, data.data(), body_bytes, next);
    data = data.subspan(body_bytes);
  }
  return ~TableUpdate(state, data);
}

uint64_t BestMultiply(uint64_t a, uint64_t b) {
  static const crc64_internal::Product fast = crc64_internal::FindProduct();
  return fast != nullptr ? fast(a, b) : Multiply(a, b);
}

}  // namespace

const char* CrcBackendName(CrcBackend backend) {
  switch (backend) {
    case CrcBackend::kTable:
      return "table";
    case CrcBackend::kClmul128:
      return "clmul128";
    case CrcBackend::kClmul256:
      return "clmul256";
    case CrcBackend::kClmul512:
      return "clmul512";
    case CrcBackend::kPmull:
      return "pmull";
  }
  SS_CHECK(!"a CrcBackend outside of the enumeration");
}

bool CrcBackendSupported(CrcBackend backend) {
  return backend == CrcBackend::kTable || crc64_internal::FindKernel(backend) != nullptr;
}

CrcBackend CrcBestBackend() {
  static const CrcBackend best = [] {
    for (const CrcBackend backend : {CrcBackend::kClmul512, CrcBackend::kClmul256,
                                     CrcBackend::kClmul128, CrcBackend::kPmull}) {
      if (CrcBackendSupported(backend)) return backend;
    }
    return CrcBackend::kTable;
  }();
  return best;
}

uint64_t Crc64(uint64_t crc, std::span<const std::byte> data, const std::byte* read_next) {
  static const crc64_internal::Kernel kernel = crc64_internal::FindKernel(CrcBestBackend());
  return Update(kernel, crc, data, read_next);
}

uint64_t Crc64With(CrcBackend backend, uint64_t crc, std::span<const std::byte> data,
                   const std::byte* read_next) {
  SS_CHECK(CrcBackendSupported(backend));
  return Update(crc64_internal::FindKernel(backend), crc, data, read_next);
}

uint64_t Crc64Combine(uint64_t crc_a, uint64_t crc_b, uint64_t length_b_bytes) {
  // All ones go in and come out of every value: shifted through B, the ones that came out of A are
  // those that went into B, and cancel.
  return Crc64Shift(length_b_bytes).Apply(crc_a) ^ crc_b;
}

uint64_t Crc64Replace(uint64_t whole, uint64_t old_block, uint64_t new_block,
                      uint64_t bytes_after) {
  return whole ^ Crc64Shift(bytes_after).Apply(old_block ^ new_block);
}

Crc64Shift::Crc64Shift(uint64_t length_bytes) : multiplier_(kOne) {
  for (size_t digit = 0; length_bytes != 0; ++digit, length_bytes >>= 4) {
    const uint64_t value = length_bytes & 15;
    if (value != 0) multiplier_ = BestMultiply(multiplier_, kShifts[digit][value]);
  }
}

uint64_t Crc64Shift::Apply(uint64_t crc) const {
  return BestMultiply(crc, multiplier_);
}

}  // namespace standstill
