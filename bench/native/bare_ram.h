// What a guest program would be without the engine's costs: the same steps over RAM that is neither
// checked nor marked, in one loop that never looks up. Bench only: no VM runs like this.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "guest/access.h"
#include "standstill/clock_page.h"

namespace standstill::bench {

class BareRam {
 public:
  explicit BareRam(const RamWindow& window) : base_(window.base), size_bytes_(window.size_bytes) {}
  uint64_t size_bytes() const { return size_bytes_; }
  template <class T>
  T Load(uint64_t gpa) const {
    T value;
    std::memcpy(&value, base_ + gpa, sizeof(T));
    return value;
  }
  template <class T>
  void Store(uint64_t gpa, T value) {
    std::memcpy(base_ + gpa, &value, sizeof(T));
  }
  std::span<const std::byte> ReadWindow(uint64_t gpa, uint64_t length) const {
    return {base_ + gpa, length};
  }
  std::span<std::byte> WriteWindow(uint64_t gpa, uint64_t length) { return {base_ + gpa, length}; }

 private:
  std::byte* base_;
  uint64_t size_bytes_;
};

// Bounds without marks, to tell the two apart.
struct NoClaim {
  static void Claim(const RamWindow&, uint64_t) {}
};

// `steps` steps in one go, the registers in the compiler's hands throughout. A program that reads
// the clock reads it at every step here too: that is its work, not a cost of the engine's.
template <class P, class Ram>
[[gnu::noinline]] void RunInOneGo(void* registers, RamWindow window, Inputs inputs,
                                  const ClockPage& clock, uint64_t steps) {
  using Registers = typename P::Registers;
  Registers local = *static_cast<Registers*>(registers);
  Ram ram(window);
  for (; steps != 0; --steps) {
    if constexpr (P::kReadsClock) inputs.clock = clock.Read();
    P::Step(local, ram, inputs);
  }
  *static_cast<Registers*>(registers) = local;
}

}  // namespace standstill::bench
