#include "snapshot/state_codec.h"

#include <cstring>
#include <string_view>

namespace standstill {
namespace {

constexpr uint32_t kStateVersion = 1;
constexpr uint32_t kTextBytesMax = 256;
// In the year 2116: sums and differences of such clocks do not overflow.
constexpr int64_t kClockNsMax = int64_t{1} << 62;

class Encoder {
 public:
  template <class T>
  Encoder& Put(T value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
    return *this;
  }
  Encoder& PutBytes(std::span<const std::byte> bytes) {
    Put(static_cast<uint32_t>(bytes.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Encoder& PutText(std::string_view text) { return PutBytes(std::as_bytes(std::span(text))); }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Once something was missing, everything after it reads as zero.
class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> bytes) : left_(bytes) {}

  template <class T>
  T Get() {
    T value{};
    if (const auto bytes = Take(sizeof(T)); !bytes.empty())
      std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::span<const std::byte> GetBytes(uint32_t max) {
    const auto length = Get<uint32_t>();
    if (length > max) whole_ = false;
    return whole_ ? Take(length) : std::span<const std::byte>();
  }
  std::string_view GetText() {
    const auto bytes = GetBytes(kTextBytesMax);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  bool whole() const { return whole_; }
  bool done() const { return whole_ && left_.empty(); }

 private:
  std::span<const std::byte> Take(size_t bytes) {
    if (!whole_ || bytes > left_.size()) {
      whole_ = false;
      return {};
    }
    const auto taken = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return taken;
  }

  std::span<const std::byte> left_;
  bool whole_ = true;
};

}  // namespace

std::vector<std::byte> EncodeState(const MachineState& state) {
  Encoder to;
  to.Put(kStateVersion).PutText(state.program->name);
  to.Put(state.ram_bytes).Put(state.seed).Put(state.steps);
  to.Put(state.guest_monotonic_ns).Put(state.guest_wall_ns);
  to.Put(static_cast<uint32_t>(state.program->params.size()));
  for (size_t i = 0; i < state.program->params.size(); ++i)
    to.PutText(state.program->params[i].name).Put(state.params[i]);
  to.PutBytes(state.registers);
  return to.Take();
}

const char* DecodeState(std::span<const std::byte> bytes, MachineState* state) {
  Decoder from(bytes);
  if (from.Get<uint32_t>() != kStateVersion) return "a machine state of version 1";
  state->program = FindProgram(from.GetText());
  if (state->program == nullptr) return "a guest program that this engine has";
  state->ram_bytes = from.Get<uint64_t>();
  state->seed = from.Get<uint64_t>();
  state->steps = from.Get<uint64_t>();
  state->guest_monotonic_ns = from.Get<int64_t>();
  state->guest_wall_ns = from.Get<int64_t>();
  const auto showable = [](int64_t clock_ns) { return 0 <= clock_ns && clock_ns <= kClockNsMax; };
  if (!showable(state->guest_monotonic_ns) || !showable(state->guest_wall_ns))
    return "clocks from 0 to 2^62 ns";
  const std::span<const ParamSpec> params = state->program->params;
  if (from.Get<uint32_t>() != params.size()) return "the program's parameters";
  for (size_t i = 0; i < params.size(); ++i) {
    if (from.GetText() != params[i].name) return "the program's parameters";
    state->params[i] = from.Get<double>();
    if (!ParamFits(params[i], state->params[i])) return "parameters in their range";
  }
  const auto registers = from.GetBytes(kRegisterBytesMax);
  if (!from.done() || registers.size() != state->program->register_bytes)
    return "the program's registers";
  state->registers.assign(registers.begin(), registers.end());
  const auto possible = state->program->possible;
  if (possible != nullptr && !possible(state->registers.data(), state->params, state->ram_bytes))
    return "registers that the program can have";
  return nullptr;
}

}  // namespace standstill
