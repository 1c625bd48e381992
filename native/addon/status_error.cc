#include "addon/status_error.h"

#include <array>

#include "addon/environment.h"

namespace standstill {
namespace {

struct Row {
  const char* code;
  const char* expected;
};

constexpr std::array<Row, kStatusCount> kRows = {{
    {"OK", ""},
    {"ERR_INVALID_ARGUMENT", "a value in its documented range"},
    {"ERR_OUT_OF_MEMORY", "as much memory as asked for"},
    {"ERR_THREAD_FAILED", "one more thread"},
    {"ERR_VM_NOT_STARTED", "a VM that has been started"},
    {"ERR_VM_ALREADY_STARTED", "a VM that has not been started"},
    {"ERR_VM_NOT_PAUSED", "a halted VM (created, paused or faulted)"},
    {"ERR_VM_FAULTED", "a VM without a guest fault"},
    {"ERR_VM_CLOSED", "an open VM"},
    {"ERR_BUSY", "a VM that no freeze, runUntil, snapshot or exploration holds"},
    {"ERR_PAUSE_TIMEOUT", "the guest at a safepoint within the timeout"},
    {"ERR_STEP_PASSED", "a step that the guest has not passed"},
    {"ERR_LEASE_REVOKED", "a VM that stays halted while its memory is read"},
    {"ERR_ABORTED", "the operation to be let end"},
    {"ERR_SNAPSHOT_LIMIT", "room under the host's cap on snapshot memory"},
    {"ERR_SNAPSHOT_MISMATCH", "a snapshot of this program and RAM size"},
    {"ERR_SNAPSHOT_DAMAGED", "a whole, unaltered snapshot file"},
    {"ERR_SNAPSHOT_IO", "a file that can be read and written"},
    {"ERR_MEMORY_LOST", "a file that stays as it was while memory is mapped from it"},
}};

const Row& RowOf(Status status) {
  return kRows[static_cast<size_t>(status)];
}

}  // namespace

const char* StatusCode(Status status) {
  return RowOf(status).code;
}

const char* StateName(VmState state) {
  static constexpr std::array<const char*, 7> kNames = {"created", "running", "idle",  "pausing",
                                                        "paused",  "faulted", "closed"};
  return kNames[static_cast<size_t>(state)];
}

Napi::Error CodedError(Napi::Env env, const char* code, const std::string& message) {
  const Napi::FunctionReference& error_class = Environment::Of(env).error_class();
  if (error_class.IsEmpty()) {  // before initialise
    const Napi::Error error = Napi::Error::New(env, message);
    error.Value().Set("code", code);
    return error;
  }
  return Napi::Error(
      env, error_class.New({Napi::String::New(env, code), Napi::String::New(env, message)}));
}

Napi::Error StatusError(Napi::Env env, Status status, const std::string& subject,
                        const std::string& received) {
  return CodedError(env, StatusCode(status),
                    std::string("Expected ") + RowOf(status).expected + " for " + subject +
                        " but received " + received);
}

}  // namespace standstill
