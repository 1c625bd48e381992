// NativeProof: a deferred proof of one VM's memory over a freeze.
//
// Threads: the environment's own; the reading is done on the engine's pool.
#pragma once

#include <napi.h>

#include <vector>

#include "addon/handle.h"
#include "standstill/deferred_proof.h"

namespace standstill {

class ProofObject : public Handle<ProofObject, DeferredProof> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d50524f4f46};
  static constexpr const char* kClass = "NativeProof";
  static constexpr const char* kWhat = "a proof";
  static std::vector<PropertyDescriptor> Properties();
  // prepareProof(vm, progress)
  static Napi::Value Prepare(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value AtHalt(const Napi::CallbackInfo& info);
  Napi::Value Finish(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);
};

}  // namespace standstill
