// CRC-64/NVME (polynomial 0xAD93D23594C93659, reflected, all ones in, all ones out; the value of
// "123456789" is 0xAE8B14860A799888) and the algebra that makes it a digest of guest RAM: joining
// the values of neighbouring ranges, and carrying one changed block into the value of the whole.
//
// Threads: every function may be called from any thread at any time; a Crc64Shift is immutable. The
// best backend is decided on first use, once.
// Memory ordering: data is read with plain loads. The caller makes sure that nobody writes it
// meanwhile, and that earlier writes of other threads happen before the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace standstill {

enum class CrcBackend { kTable, kClmul128, kClmul256, kClmul512, kPmull };

const char* CrcBackendName(CrcBackend backend);

// Whether this build contains the backend and this machine, its operating system included, runs it.
bool CrcBackendSupported(CrcBackend backend);

// The fastest supported backend: what Crc64 uses.
CrcBackend CrcBestBackend();

// The value of everything before plus `data`, where `crc` is the value of the bytes before (0:
// none). `read_next` is what the caller means to read after `data`, where it knows: its first lines
// are fetched meanwhile, so that page after page reaches the speed of one long range. Only a hint:
// never dereferenced.
uint64_t Crc64(uint64_t crc, std::span<const std::byte> data, const std::byte* read_next = nullptr);

// The same through one backend, which must be supported.
uint64_t Crc64With(CrcBackend backend, uint64_t crc, std::span<const std::byte> data,
                   const std::byte* read_next = nullptr);

// The value of A followed by B.
uint64_t Crc64Combine(uint64_t crc_a, uint64_t crc_b, uint64_t length_b_bytes);

// The value of the whole after one block inside it changed. `bytes_after` counts the bytes between
// the end of the block and the end of the whole.
uint64_t Crc64Replace(uint64_t whole, uint64_t old_block, uint64_t new_block, uint64_t bytes_after);

// "Followed by `length_bytes` more bytes", prepared once and applied to many values. The shift is
// linear over xor, so that
//   Crc64Combine(a, b, n)           == Crc64Shift(n).Apply(a) ^ b
//   Crc64Replace(whole, old, new, n) == whole ^ Crc64Shift(n).Apply(old ^ new)
class Crc64Shift {
 public:
  explicit Crc64Shift(uint64_t length_bytes);

  uint64_t Apply(uint64_t crc) const;

 private:
  uint64_t multiplier_;  // x^(8 * length_bytes) mod P
};

// What the backends' files share; nothing below is for callers.
namespace crc64_internal {

// Polynomials over GF(2) of degree below 64 are held reflected, as the CRC itself is: bit 63 - i is
// the coefficient of x^i. So 1 is the top bit, and multiplying by x shifts to the right.
inline constexpr uint64_t kPolynomial = 0x9A6C9329AC4BC9B5;  // P without its x^64
inline constexpr uint64_t kOne = uint64_t{1} << 63;

constexpr uint64_t TimesX(uint64_t a) {
  return (a >> 1) ^ (kPolynomial & -(a & 1));
}

// a * b mod P, one coefficient of `a` at a time.
constexpr uint64_t Multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (; a != 0; a <<= 1) {
    product ^= b & -(a >> 63);
    b = TimesX(b);
  }
  return product;
}

// x^exponent mod P, by squaring.
constexpr uint64_t XPower(uint64_t exponent) {
  uint64_t power = kOne;
  for (uint64_t square = TimesX(kOne); exponent != 0; exponent >>= 1) {
    if (exponent & 1) power = Multiply(power, square);
    square = Multiply(square, square);
  }
  return power;
}

// A 128-bit register holds reflected lo * x^64 + hi, lo being the eight bytes at the lower address.
// A carry-less product of two reflected words comes out one bit short of that form, that is, as the
// product times x in it. Hence the - 1 in the multipliers that move a register n bytes further:
//   (lo * x^64 + hi) * x^(8n)  ==  lo * x^(8n + 64) + hi * x^(8n)  (mod P)
constexpr uint64_t FoldLo(uint64_t bytes) {
  return XPower(8 * bytes + 64 - 1);
}
constexpr uint64_t FoldHi(uint64_t bytes) {
  return XPower(8 * bytes - 1);
}

// Reduction of a register to its value mod P adds the multiple of P that clears lo. Read as a plain
// integer, reflected P is kReducer plus its constant term, 1, as bit 64; the multiple is lo times
// the carry-less inverse of kReducer mod 2^64, and what it leaves in the upper word is the
// remainder.
inline constexpr uint64_t kReducer = kPolynomial << 1 | 1;
static_assert(kPolynomial >> 63 == 1);

constexpr uint64_t CarrylessInverse(uint64_t a) {
  uint64_t inverse = 0;
  uint64_t rest = 1;  // 1 - a * inverse, cleared from the low end
  for (int bit = 0; bit < 64; ++bit) {
    if ((rest >> bit & 1) == 0) continue;
    inverse |= uint64_t{1} << bit;
    rest ^= a << bit;
  }
  return inverse;
}

// A kernel takes the CRC register (not inverted) over `bytes` bytes, a positive multiple of 16, and
// may prefetch from `next` on; a product is a * b mod P. The file of the architecture built for
// finds them: null where the machine lacks the instructions. crc64.cc stands in on an architecture
// without such a file.
using Kernel = uint64_t (*)(uint64_t state, const std::byte* data, size_t bytes,
                            const std::byte* next);
using Product = uint64_t (*)(uint64_t a, uint64_t b);
Kernel FindKernel(CrcBackend backend);
Product FindProduct();

}  // namespace crc64_internal
}  // namespace standstill
