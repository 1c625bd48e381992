// What an engine call answers: a closed set of codes. Nothing throws across the engine's surface.
//
// Threads: values only, safe anywhere.
#pragma once

#include <cstdint>

namespace standstill {

enum class [[nodiscard]] Status : uint8_t{
    kOk,
    kInvalidArgument,  // a number or name outside its documented range
    kOutOfMemory,      // an allocation or a mapping was refused by the machine
    kThreadFailed,     // the machine refused a thread
    kNotStarted,       // the operation needs a VM that has been started
    kAlreadyStarted,   // start() on a VM that has been started
    kNotPaused,        // the operation needs a halted guest
    kFaulted,          // the guest stopped at a guest fault and cannot run on
    kClosed,           // the VM is closed
    kBusy,             // another operation holds the VM: a freeze, a step in flight, a live copy
    kPauseTimeout,     // the guest reached no safepoint in time; the request was withdrawn
    kStepPassed,       // runUntil a step that the guest has already passed
    kLeaseRevoked,   // the VM was released while its memory was being read; the result is discarded
    kCancelled,      // by whoever asked for it
    kSnapshotLimit,  // no room under the host's cap on snapshot memory
    kSnapshotMismatch,  // the snapshot is of another program, other parameters or another RAM size
    kSnapshotDamaged,   // a file that is no whole, unaltered snapshot
    kFileFailed,        // the operating system refused to read or write a file
    kMemoryLost,        // the file that memory is mapped from was changed, cut or cannot be read
};

inline constexpr int kStatusCount = static_cast<int>(Status::kMemoryLost) + 1;

}  // namespace standstill
