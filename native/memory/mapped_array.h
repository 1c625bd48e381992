// An array of zeroes in a mapping of its own: what is never touched takes no memory, and the
// addresses never change.
//
// Threads: creation and destruction by one; elements as their type allows.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "port/memory.h"

namespace standstill {

template <class T>
class MappedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  MappedArray() = default;
  ~MappedArray() {
    if (data_ != nullptr) Unmap(reinterpret_cast<std::byte*>(data_), count_ * sizeof(T));
  }
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;

  // Once. False where the machine refuses the mapping.
  bool Create(uint64_t count) {
    data_ = reinterpret_cast<T*>(MapAnonymous(count * sizeof(T)));
    count_ = data_ != nullptr ? count : 0;
    return data_ != nullptr;
  }

  T& operator[](uint64_t index) { return data_[index]; }
  const T& operator[](uint64_t index) const { return data_[index]; }
  T* data() { return data_; }
  uint64_t count() const { return count_; }

 private:
  T* data_ = nullptr;
  uint64_t count_ = 0;
};

}  // namespace standstill
