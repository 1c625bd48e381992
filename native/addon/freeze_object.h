// The JavaScript object of one freeze: conversion only. Collected unreleased, it releases.
//
// Threads: the environment's own.
#pragma once

#include <napi.h>

#include <vector>

#include "addon/handle.h"
#include "standstill/freeze.h"

namespace standstill {

class FreezeObject : public Handle<FreezeObject, Freeze> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d4652454500};
  static constexpr const char* kClass = "NativeFreeze";
  static constexpr const char* kWhat = "a freeze";
  static std::vector<PropertyDescriptor> Properties();
  // freeze(vms, options)
  static Napi::Value Begin(const Napi::CallbackInfo& info);
  // freezeState(token), in any environment of the process
  static Napi::Value StateOf(const Napi::CallbackInfo& info);

  using Handle::Handle;
  void Finalize(Napi::Env env) override;

 private:
  void Release(const Napi::CallbackInfo& info);
  Napi::Value RemainingNs(const Napi::CallbackInfo& info);
  Napi::Value Released(const Napi::CallbackInfo& info);
  Napi::Value Token(const Napi::CallbackInfo& info);
  Napi::Value Settled(const Napi::CallbackInfo& info);
  Napi::Value Records(const Napi::CallbackInfo& info);
};

}  // namespace standstill
