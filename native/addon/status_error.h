// From the engine's Status to the StandstillError that JavaScript sees.
//
// Threads: the environment's own.
#pragma once

#include <napi.h>

#include <string>

#include "standstill/status.h"
#include "standstill/vm.h"

namespace standstill {

const char* StatusCode(Status status);  // "ERR_…"
const char* StateName(VmState state);

// "Expected … for `subject` but received `received`", as an instance of the class given to
// `initialise`.
Napi::Error StatusError(Napi::Env env, Status status, const std::string& subject,
                        const std::string& received);
Napi::Error CodedError(Napi::Env env, const char* code, const std::string& message);

}  // namespace standstill
