// CRC-64 by carry-less multiplication on arm64: the shape of crc64_x86.cc, where the comments are.
// The instructions are written as assembly because arm_neon.h declares them only in a build for
// machines that all have them; nothing here runs before FindKernel has seen them.
#include "util/crc64.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace standstill::crc64_internal {
namespace {

inline uint64x2_t MultiplyLo(uint64x2_t a, uint64x2_t b) {
  uint64x2_t product;
  __asm__(".arch_extension aes\n\tpmull %0.1q, %1.1d, %2.1d" : "=w"(product) : "w"(a), "w"(b));
  return product;
}

inline uint64x2_t MultiplyHi(uint64x2_t a, uint64x2_t b) {
  uint64x2_t product;
  __asm__(".arch_extension aes\n\tpmull2 %0.1q, %1.2d, %2.2d" : "=w"(product) : "w"(a), "w"(b));
  return product;
}

inline uint64x2_t Pair(uint64_t lo, uint64_t hi) {
  return vcombine_u64(vcreate_u64(lo), vcreate_u64(hi));
}

template <size_t kBytes>
inline uint64x2_t Distance() {
  constexpr uint64_t kLo = FoldLo(kBytes);
  constexpr uint64_t kHi = FoldHi(kBytes);
  return Pair(kLo, kHi);
}

inline uint64x2_t Load(const std::byte* data) {
  return vreinterpretq_u64_u8(vld1q_u8(reinterpret_cast<const uint8_t*>(data)));
}

inline uint64x2_t Fold(uint64x2_t x, uint64x2_t distance, uint64x2_t onto) {
  return veorq_u64(onto, veorq_u64(MultiplyLo(x, distance), MultiplyHi(x, distance)));
}

inline uint64_t Reduce(uint64x2_t x) {
  constexpr uint64_t kInverse = CarrylessInverse(kReducer);
  const uint64x2_t multiple = MultiplyLo(x, Pair(kInverse, 0));
  const uint64x2_t product = MultiplyLo(multiple, Pair(kReducer, 0));
  return vgetq_lane_u64(x, 1) ^ vgetq_lane_u64(product, 1) ^ vgetq_lane_u64(multiple, 0);
}

// The hardware's prefetchers are left alone here: no machine to measure on, so no use of `next`.
uint64_t Pmull(uint64_t state, const std::byte* data, size_t bytes, const std::byte* /*next*/) {
  constexpr size_t kTurnBytes = 64;
  uint64x2_t x = veorq_u64(Pair(state, 0), Load(data));
  if (bytes >= kTurnBytes) {
    uint64x2_t x0 = x;
    uint64x2_t x1 = Load(data + 16);
    uint64x2_t x2 = Load(data + 32);
    uint64x2_t x3 = Load(data + 48);
    const uint64x2_t turn = Distance<kTurnBytes>();
    for (data += kTurnBytes, bytes -= kTurnBytes; bytes >= kTurnBytes;
         data += kTurnBytes, bytes -= kTurnBytes) {
      x0 = Fold(x0, turn, Load(data));
      x1 = Fold(x1, turn, Load(data + 16));
      x2 = Fold(x2, turn, Load(data + 32));
      x3 = Fold(x3, turn, Load(data + 48));
    }
    x2 = Fold(x0, Distance<32>(), x2);
    x3 = Fold(x1, Distance<32>(), x3);
    x = Fold(x2, Distance<16>(), x3);
  } else {
    data += 16;
    bytes -= 16;
  }
  for (; bytes != 0; data += 16, bytes -= 16) x = Fold(x, Distance<16>(), Load(data));
  const uint64x2_t shifted_lo = MultiplyLo(x, Distance<8>());
  return Reduce(veorq_u64(shifted_lo, Pair(vgetq_lane_u64(x, 1), 0)));
}

uint64_t PmullProduct(uint64_t a, uint64_t b) {
  const uint64x2_t product = MultiplyLo(Pair(a, 0), Pair(b, 0));
  const uint64_t lo = vgetq_lane_u64(product, 0);
  const uint64_t hi = vgetq_lane_u64(product, 1);
  return Reduce(Pair(lo << 1, hi << 1 | lo >> 63));
}

bool HasPmull() {
#if defined(__APPLE__)
  return true;
#else
  // Linux lets programs read this register, through emulation, since 4.11.
  uint64_t isar0;
  __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(isar0));
  constexpr uint64_t kAesAndPmull = 2;
  return (isar0 >> 4 & 0xF) >= kAesAndPmull;
#endif
}

}  // namespace

Kernel FindKernel(CrcBackend backend) {
  return backend == CrcBackend::kPmull && HasPmull() ? Pmull : nullptr;
}

Product FindProduct() {
  return HasPmull() ? PmullProduct : nullptr;
}

}  // namespace standstill::crc64_internal

#endif  // defined(__aarch64__)
