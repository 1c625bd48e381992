// The JavaScript object of one VM: conversion only.
//
// Threads: the environment's own. The VM is closed when the object is collected, when the
// environment goes, or by close(), whichever comes first.
#pragma once

#include <napi.h>

#include <memory>

#include "standstill/vm.h"

namespace standstill {

class VmObject : public Napi::ObjectWrap<VmObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Wrap(Napi::Env env, std::shared_ptr<Vm> vm);
  // The VM behind a JavaScript value; throws where it is not one of ours.
  static std::shared_ptr<Vm> VmOf(const Napi::Value& value);

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
  Napi::Value EndEpoch(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Demand(Napi::Env env, Status status, const char* operation) const;

  std::shared_ptr<Vm> vm_;
};

}  // namespace standstill
