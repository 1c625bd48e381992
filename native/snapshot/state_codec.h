// A machine's state as bytes: what a snapshot file keeps of it, and what a snapshot's id is taken
// over. What is only about the snapshot (the VM's name, when it was taken) is not in it.
//
//   u32 1 · text program · u64 RAM bytes, seed, steps · i64 guest monotonic ns, guest wall ns
//   u32 parameters · {text name · f64 value} each · u32 register bytes · registers
//   with text = u32 length · bytes, all little-endian
//
// Threads: any.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "standstill/snapshot.h"

namespace standstill {

std::vector<std::byte> EncodeState(const MachineState& state);
// Null, or why these bytes are no state that this engine can run: a string literal. Reads nothing
// outside of them, whatever is in them.
const char* DecodeState(std::span<const std::byte> bytes, MachineState* state);

}  // namespace standstill
