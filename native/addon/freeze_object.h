// The JavaScript object of one freeze: conversion only. Collected unreleased, it releases.
//
// Threads: the environment's own.
#pragma once

#include <napi.h>

#include <memory>

#include "standstill/freeze.h"

namespace standstill {

class FreezeObject : public Napi::ObjectWrap<FreezeObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // freeze(vms, options)
  static Napi::Value Begin(const Napi::CallbackInfo& info);

  explicit FreezeObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  void Release(const Napi::CallbackInfo& info);
  Napi::Value RemainingNs(const Napi::CallbackInfo& info);
  Napi::Value Released(const Napi::CallbackInfo& info);
  Napi::Value Settled(const Napi::CallbackInfo& info);
  Napi::Value Records(const Napi::CallbackInfo& info);

  std::shared_ptr<Freeze> freeze_;
};

}  // namespace standstill
