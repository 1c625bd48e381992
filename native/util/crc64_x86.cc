// CRC-64 by carry-less multiplication on x86-64. One shape at three widths: independent
// accumulators, each folded over all of them a turn, hide the latency of the multiplication; then
// they are folded into one and reduced. Target attributes, not build flags, select the
// instructions, so that the same binary starts on a machine without them.
#include "util/crc64.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#define TARGET_128 __attribute__((target("pclmul")))
#define TARGET_256 __attribute__((target("pclmul,avx2,vpclmulqdq")))
#define TARGET_512 __attribute__((target("pclmul,avx2,vpclmulqdq,avx512f")))
#define INLINE __attribute__((always_inline)) inline

namespace standstill::crc64_internal {
namespace {

// Asks for the memory that the loads reach in kAheadBytes: the hardware's own prefetchers stop at
// the end of a page, and the multiplications fill the reorder window before more loads are in it.
// Where the data ends sooner, the lines are those of what the caller reads next.
constexpr size_t kAheadBytes = 2048;

INLINE void PrefetchTurn(const std::byte* data, size_t bytes, size_t turn_bytes,
                         const std::byte* next) {
  const std::byte* ahead = bytes >= kAheadBytes + turn_bytes
                               ? data + kAheadBytes
                               : next + (kAheadBytes - std::min(bytes, kAheadBytes));
  for (size_t line = 0; line < turn_bytes; line += 64) __builtin_prefetch(ahead + line);
}

// The pair of multipliers that moves a register kBytes further.
template <size_t kBytes>
TARGET_128 INLINE __m128i Distance128() {
  constexpr auto kLo = static_cast<long long>(FoldLo(kBytes));
  constexpr auto kHi = static_cast<long long>(FoldHi(kBytes));
  return _mm_set_epi64x(kHi, kLo);
}

TARGET_128 INLINE __m128i Load128(const std::byte* data) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
}

TARGET_128 INLINE __m128i Fold128(__m128i x, __m128i distance, __m128i onto) {
  return _mm_xor_si128(onto, _mm_xor_si128(_mm_clmulepi64_si128(x, distance, 0x00),
                                           _mm_clmulepi64_si128(x, distance, 0x11)));
}

// x mod P; the header has the algebra.
TARGET_128 INLINE uint64_t Reduce(__m128i x) {
  constexpr uint64_t kInverse = CarrylessInverse(kReducer);
  const __m128i constants =
      _mm_set_epi64x(static_cast<long long>(kReducer), static_cast<long long>(kInverse));
  const __m128i multiple = _mm_clmulepi64_si128(x, constants, 0x00);
  const __m128i product = _mm_clmulepi64_si128(multiple, constants, 0x10);
  const __m128i rest = _mm_xor_si128(_mm_xor_si128(x, product), _mm_slli_si128(multiple, 8));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(rest, rest)));
}

// Folds what is left of the data into x, then appends the CRC's own 64 zero bits: x * x^64 mod P.
TARGET_128 INLINE uint64_t Finish128(__m128i x, const std::byte* data, size_t bytes) {
  for (; bytes != 0; data += 16, bytes -= 16) x = Fold128(x, Distance128<16>(), Load128(data));
  const __m128i shifted_lo = _mm_clmulepi64_si128(x, Distance128<8>(), 0x00);
  return Reduce(_mm_xor_si128(shifted_lo, _mm_srli_si128(x, 8)));
}

TARGET_128 uint64_t Clmul128(uint64_t state, const std::byte* data, size_t bytes,
                             const std::byte* next) {
  constexpr size_t kTurnBytes = 128;
  __m128i x0 = _mm_xor_si128(_mm_cvtsi64_si128(static_cast<long long>(state)), Load128(data));
  if (bytes < kTurnBytes) return Finish128(x0, data + 16, bytes - 16);
  PrefetchTurn(data, bytes, kTurnBytes, next);
  __m128i x1 = Load128(data + 16);
  __m128i x2 = Load128(data + 32);
  __m128i x3 = Load128(data + 48);
  __m128i x4 = Load128(data + 64);
  __m128i x5 = Load128(data + 80);
  __m128i x6 = Load128(data + 96);
  __m128i x7 = Load128(data + 112);
  const __m128i turn = Distance128<kTurnBytes>();
  for (data += kTurnBytes, bytes -= kTurnBytes; bytes >= kTurnBytes;
       data += kTurnBytes, bytes -= kTurnBytes) {
    PrefetchTurn(data, bytes, kTurnBytes, next);
    x0 = Fold128(x0, turn, Load128(data));
    x1 = Fold128(x1, turn, Load128(data + 16));
    x2 = Fold128(x2, turn, Load128(data + 32));
    x3 = Fold128(x3, turn, Load128(data + 48));
    x4 = Fold128(x4, turn, Load128(data + 64));
    x5 = Fold128(x5, turn, Load128(data + 80));
    x6 = Fold128(x6, turn, Load128(data + 96));
    x7 = Fold128(x7, turn, Load128(data + 112));
  }
  // In halves: three latencies deep rather than seven.
  x4 = Fold128(x0, Distance128<64>(), x4);
  x5 = Fold128(x1, Distance128<64>(), x5);
  x6 = Fold128(x2, Distance128<64>(), x6);
  x7 = Fold128(x3, Distance128<64>(), x7);
  x6 = Fold128(x4, Distance128<32>(), x6);
  x7 = Fold128(x5, Distance128<32>(), x7);
  x7 = Fold128(x6, Distance128<16>(), x7);
  return Finish128(x7, data, bytes);
}

template <size_t kBytes>
TARGET_256 INLINE __m256i Distance256() {
  return _mm256_broadcastsi128_si256(Distance128<kBytes>());
}

TARGET_256 INLINE __m256i Load256(const std::byte* data) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
}

TARGET_256 INLINE __m256i Fold256(__m256i x, __m256i distance, __m256i onto) {
  return _mm256_xor_si256(onto, _mm256_xor_si256(_mm256_clmulepi64_epi128(x, distance, 0x00),
                                                 _mm256_clmulepi64_epi128(x, distance, 0x11)));
}

// The two lanes of x are neighbours in memory.
TARGET_256 INLINE __m128i JoinLanes256(__m256i x) {
  return Fold128(_mm256_castsi256_si128(x), Distance128<16>(), _mm256_extracti128_si256(x, 1));
}

TARGET_256 uint64_t Clmul256(uint64_t state, const std::byte* data, size_t bytes,
                             const std::byte* next) {
  constexpr size_t kTurnBytes = 256;
  if (bytes < kTurnBytes) return Clmul128(state, data, bytes, next);
  PrefetchTurn(data, bytes, kTurnBytes, next);
  const __m256i before = _mm256_set_epi64x(0, 0, 0, static_cast<long long>(state));
  __m256i x0 = _mm256_xor_si256(before, Load256(data));
  __m256i x1 = Load256(data + 32);
  __m256i x2 = Load256(data + 64);
  __m256i x3 = Load256(data + 96);
  __m256i x4 = Load256(data + 128);
  __m256i x5 = Load256(data + 160);
  __m256i x6 = Load256(data + 192);
  __m256i x7 = Load256(data + 224);
  const __m256i turn = Distance256<kTurnBytes>();
  for (data += kTurnBytes, bytes -= kTurnBytes; bytes >= kTurnBytes;
       data += kTurnBytes, bytes -= kTurnBytes) {
    PrefetchTurn(data, bytes, kTurnBytes, next);
    x0 = Fold256(x0, turn, Load256(data));
    x1 = Fold256(x1, turn, Load256(data + 32));
    x2 = Fold256(x2, turn, Load256(data + 64));
    x3 = Fold256(x3, turn, Load256(data + 96));
    x4 = Fold256(x4, turn, Load256(data + 128));
    x5 = Fold256(x5, turn, Load256(data + 160));
    x6 = Fold256(x6, turn, Load256(data + 192));
    x7 = Fold256(x7, turn, Load256(data + 224));
  }
  x4 = Fold256(x0, Distance256<128>(), x4);
  x5 = Fold256(x1, Distance256<128>(), x5);
  x6 = Fold256(x2, Distance256<128>(), x6);
  x7 = Fold256(x3, Distance256<128>(), x7);
  x6 = Fold256(x4, Distance256<64>(), x6);
  x7 = Fold256(x5, Distance256<64>(), x7);
  x7 = Fold256(x6, Distance256<32>(), x7);
  return Finish128(JoinLanes256(x7), data, bytes);
}

template <size_t kBytes>
TARGET_512 INLINE __m512i Distance512() {
  constexpr auto kLo = static_cast<long long>(FoldLo(kBytes));
  constexpr auto kHi = static_cast<long long>(FoldHi(kBytes));
  return _mm512_set_epi64(kHi, kLo, kHi, kLo, kHi, kLo, kHi, kLo);
}

TARGET_512 INLINE __m512i Load512(const std::byte* data) {
  return _mm512_loadu_si512(data);
}

TARGET_512 INLINE __m512i Fold512(__m512i x, __m512i distance, __m512i onto) {
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(onto, _mm512_clmulepi64_epi128(x, distance, 0x00),
                                   _mm512_clmulepi64_epi128(x, distance, 0x11), kXorOfThree);
}

TARGET_512 uint64_t Clmul512(uint64_t state, const std::byte* data, size_t bytes,
                             const std::byte* next) {
  constexpr size_t kTurnBytes = 512;
  if (bytes < kTurnBytes) return Clmul256(state, data, bytes, next);
  PrefetchTurn(data, bytes, kTurnBytes, next);
  const __m512i before = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, static_cast<long long>(state));
  __m512i x0 = _mm512_xor_si512(before, Load512(data));
  __m512i x1 = Load512(data + 64);
  __m512i x2 = Load512(data + 128);
  __m512i x3 = Load512(data + 192);
  __m512i x4 = Load512(data + 256);
  __m512i x5 = Load512(data + 320);
  __m512i x6 = Load512(data + 384);
  __m512i x7 = Load512(data + 448);
  const __m512i turn = Distance512<kTurnBytes>();
  for (data += kTurnBytes, bytes -= kTurnBytes; bytes >= kTurnBytes;
       data += kTurnBytes, bytes -= kTurnBytes) {
    PrefetchTurn(data, bytes, kTurnBytes, next);
    x0 = Fold512(x0, turn, Load512(data));
    x1 = Fold512(x1, turn, Load512(data + 64));
    x2 = Fold512(x2, turn, Load512(data + 128));
    x3 = Fold512(x3, turn, Load512(data + 192));
    x4 = Fold512(x4, turn, Load512(data + 256));
    x5 = Fold512(x5, turn, Load512(data + 320));
    x6 = Fold512(x6, turn, Load512(data + 384));
    x7 = Fold512(x7, turn, Load512(data + 448));
  }
  x4 = Fold512(x0, Distance512<256>(), x4);
  x5 = Fold512(x1, Distance512<256>(), x5);
  x6 = Fold512(x2, Distance512<256>(), x6);
  x7 = Fold512(x3, Distance512<256>(), x7);
  x6 = Fold512(x4, Distance512<128>(), x6);
  x7 = Fold512(x5, Distance512<128>(), x7);
  x7 = Fold512(x6, Distance512<64>(), x7);
  // Through memory: GCC 12 warns of its own header where a half is extracted.
  __m256i halves[2];
  _mm512_storeu_si512(halves, x7);
  return Finish128(JoinLanes256(Fold256(halves[0], Distance256<32>(), halves[1])), data, bytes);
}

TARGET_128 uint64_t ClmulProduct(uint64_t a, uint64_t b) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)),
                                               _mm_cvtsi64_si128(static_cast<long long>(b)), 0x00);
  // One bit short of a register's form, as the header says: the whole register goes left by one.
  const __m128i carry = _mm_slli_si128(_mm_srli_epi64(product, 63), 8);
  return Reduce(_mm_or_si128(_mm_slli_epi64(product, 1), carry));
}

}  // namespace

// __builtin_cpu_supports answers for the wide registers only where the operating system saves them.
Kernel FindKernel(CrcBackend backend) {
  __builtin_cpu_init();
  const bool has_128 = __builtin_cpu_supports("pclmul");
  const bool has_256 =
      has_128 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
  const bool has_512 = has_256 && __builtin_cpu_supports("avx512f");
  if (backend == CrcBackend::kClmul128 && has_128) return Clmul128;
  if (backend == CrcBackend::kClmul256 && has_256) return Clmul256;
  if (backend == CrcBackend::kClmul512 && has_512) return Clmul512;
  return nullptr;
}

Product FindProduct() {
  return FindKernel(CrcBackend::kClmul128) != nullptr ? ClmulProduct : nullptr;
}

}  // namespace standstill::crc64_internal

#endif  // defined(__x86_64__)
