// The JavaScript object of one VM: conversion only.
//
// Threads: the environment's own. The VM is closed when the object is collected, when the
// environment goes, or by close(), whichever comes first.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "addon/handle.h"
#include "standstill/vm.h"

namespace standstill {

class VmObject : public Handle<VmObject, Vm> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d564d2d3031};
  static constexpr const char* kClass = "NativeVm";
  static constexpr const char* kWhat = "a VM";
  static std::vector<PropertyDescriptor> Properties();
  // Wraps it, and has it closed when the environment goes.
  static Napi::Value Own(Napi::Env env, std::shared_ptr<Vm> vm);

  explicit VmObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value State(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  Napi::Value Pause(const Napi::CallbackInfo& info);
  void Resume(const Napi::CallbackInfo& info);
  Napi::Value RunUntil(const Napi::CallbackInfo& info);
  Napi::Value Digest(const Napi::CallbackInfo& info);
  Napi::Value Check(const Napi::CallbackInfo& info);
  Napi::Value Stats(const Napi::CallbackInfo& info);
  Napi::Value Registers(const Napi::CallbackInfo& info);
  Napi::Value Read(const Napi::CallbackInfo& info);
  void FlipBit(const Napi::CallbackInfo& info);
  Napi::Value Snapshot(const Napi::CallbackInfo& info);
  Napi::Value Rollback(const Napi::CallbackInfo& info);
  Napi::Value Explore(const Napi::CallbackInfo& info);
  Napi::Value EndEpoch(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Demand(Napi::Env env, Status status, const char* operation) const;
  // What V8 is to know of memory outside of its heap. RAM that is shared is none to collect garbage for:
  // a VM of gigabytes would cost each such mapping a whole collection.
  void TellMemory(Napi::Env env, int64_t bytes);

  int64_t told_bytes_ = 0;
};

}  // namespace standstill
