// Changes snapshot files where a reader looks, and makes their checksums right again, so that what
// is behind them is reached.
//
// Threads: one.
#pragma once

#include <cstring>
#include <vector>

#include "snapshot_image.h"
#include "snapshot_input.h"
#include "util/prng.h"

namespace standstill::testing {

class SnapshotMutator {
 public:
  // Alters `size` bytes, to at most `size_max`, and answers how many there are.
  using Mutate = size_t (*)(uint8_t* data, size_t size, size_t size_max);

  SnapshotMutator(uint64_t seed, Mutate mutate) : random_{seed}, mutate_(mutate) {}

  // Empty: this input is not to be changed this way.
  std::vector<std::byte> Change(std::span<const std::byte> input) {
    if (input.size() < sizeof(FileHeader) || random_.Below(16) == 0) return {};
    SnapshotImage image(FileOf(input));
    if (!Sane(image)) return {};
    for (uint64_t left = 1 + random_.Below(3); left > 0; --left) ChangePart(image);
    if (random_.Below(8) != 0 && Sane(image)) image.bytes().resize(image.layout().file_bytes);
    if (random_.Below(8) != 0) image.Seal(random_.Below(2) == 0);
    return InputOf(std::move(image.bytes()));
  }

 private:
  static constexpr uint64_t kFileBytesMax = uint64_t{8} << 20;
  static constexpr uint64_t kNumbersEnd = offsetof(FileHeader, reserved);

  // Its parts are where its header says.
  static bool Sane(const SnapshotImage& image) {
    const FileHeader header = image.header();
    return header.ram_bytes <= (uint64_t{1} << 30) && header.state_bytes <= kStateBytesMax &&
           header.data_bytes <= kFileBytesMax && image.layout().file_bytes <= kFileBytesMax;
  }

  void ChangePart(SnapshotImage& image) {
    if (!Sane(image)) return;
    const FileLayout at = image.layout();
    switch (random_.Below(7)) {
      case 0:
        return ChangeNumber(image, 8, kNumbersEnd, 4);
      case 1:
        return ChangeBytes(image, 8, kNumbersEnd);
      case 2:
        return ChangeState(image);
      case 3:
        return ChangeNumber(image, at.page_crcs, at.tables_end, 8);
      case 4:
        return ChangeNumber(image, at.presence, at.tables_end, 8);
      case 5:
        return ChangeBytes(image, at.page_crcs, at.data);
      default:
        return ChangeBytes(image, at.data,
                           at.data + std::min<uint64_t>(at.trailer - at.data, 3 * kPageBytes));
    }
  }

  // One number of [from, to), of some size.
  void ChangeNumber(SnapshotImage& image, uint64_t from, uint64_t to, uint64_t align) {
    const uint64_t offset = from + random_.Below((to - from) / align) * align;
    if (offset + sizeof(uint64_t) > image.bytes().size()) return;
    uint64_t number = 0;
    image.Get(offset, &number);
    const uint64_t power = uint64_t{1} << random_.Below(64);
    switch (random_.Below(6)) {
      case 0:
        number = random_.Below(4);
        break;
      case 1:
        number = power - random_.Below(2);
        break;
      case 2:
        number += kPageBytes;
        break;
      case 3:
        number -= kPageBytes;
        break;
      case 4:
        number ^= power;
        break;
      default:
        number = ~uint64_t{0} - random_.Below(2) * kPageBytes;
        break;
    }
    image.Put(offset, number);
  }

  void ChangeBytes(SnapshotImage& image, uint64_t from, uint64_t to) {
    to = std::min<uint64_t>(to, image.bytes().size());
    if (from >= to) return;
    auto* const data = reinterpret_cast<uint8_t*>(image.bytes().data());
    (void)mutate_(data + from, to - from, to - from);
  }

  // The state may get longer and shorter: what is behind it moves along.
  void ChangeState(SnapshotImage& image) {
    const FileLayout before = image.layout();
    if (before.file_bytes > image.bytes().size()) return;
    const auto part = [&](uint64_t from, uint64_t to) {
      const auto begin = image.bytes().begin();
      return std::vector<std::byte>(begin + static_cast<std::ptrdiff_t>(from),
                                    begin + static_cast<std::ptrdiff_t>(to));
    };
    FileHeader header = image.header();
    std::vector<std::byte> state = part(before.state, before.state + header.state_bytes);
    const std::vector<std::byte> tables = part(before.page_crcs, before.tables_end);
    const std::vector<std::byte> data = part(before.data, before.file_bytes);
    const size_t state_bytes = state.size();
    state.resize(state_bytes + 64);
    state.resize(mutate_(reinterpret_cast<uint8_t*>(state.data()), state_bytes, state.size()));
    header.state_bytes = state.size();
    image.bytes().assign(sizeof(header), std::byte{0});
    image.SetHeader(header);
    const FileLayout after = image.layout();
    image.bytes().resize(after.file_bytes);
    const auto put = [&](uint64_t offset, const std::vector<std::byte>& bytes) {
      std::copy(bytes.begin(), bytes.end(),
                image.bytes().begin() + static_cast<std::ptrdiff_t>(offset));
    };
    put(after.state, state);
    put(after.page_crcs, tables);
    put(after.data, data);
  }

  Prng random_;
  const Mutate mutate_;
};

}  // namespace standstill::testing
