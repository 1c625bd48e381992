#include "addon/freeze_object.h"

#include <array>

#include "addon/convert.h"
#include "addon/environment.h"
#include "addon/status_error.h"
#include "addon/vm_object.h"

namespace standstill {
std::vector<FreezeObject::PropertyDescriptor> FreezeObject::Properties() {
  return {InstanceMethod<&FreezeObject::Release>("release"),
          InstanceMethod<&FreezeObject::RemainingNs>("remainingNs"),
          InstanceAccessor<&FreezeObject::Released>("released"),
          InstanceMethod<&FreezeObject::Token>("token"),
          InstanceMethod<&FreezeObject::Settled>("settled"),
          InstanceMethod<&FreezeObject::Records>("records")};
}

Napi::Value FreezeObject::Begin(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArray() || !info[1].IsObject()) {
    throw CodedError(env, "ERR_INVALID_ARGUMENT",
                     "Expected (vms, options) for freeze but received something else");
  }
  const Napi::Array array = info[0].As<Napi::Array>();
  std::vector<std::shared_ptr<Vm>> vms;
  for (uint32_t i = 0; i < array.Length(); ++i) vms.push_back(VmObject::Of(array.Get(i)));
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  const Status status =
      Freeze::Begin(vms, ReadFreezeOptions(info[1].As<Napi::Object>()), &freeze, &culprit);
  if (status != Status::kOk) {
    if (culprit >= vms.size()) throw StatusError(env, status, "freeze", "none");
    throw StatusError(env, status, "freeze of VM " + vms[culprit]->config().name,
                      std::string("one in state ") + StateName(vms[culprit]->state()));
  }
  return Wrap(env, std::move(freeze));
}

void FreezeObject::Finalize(Napi::Env) {
  if (held_ != nullptr) held_->Release();
}

void FreezeObject::Release(const Napi::CallbackInfo&) {
  held_->Release();
}

Napi::Value FreezeObject::RemainingNs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(held_->RemainingNs()));
}

Napi::Value FreezeObject::Released(const Napi::CallbackInfo& info) {
  // Node binds a class's methods to its objects, but not its accessors.
  if (!info.This().As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected a freeze of this engine but received something else");
  }
  return Napi::Boolean::New(info.Env(), held_->released());
}

Napi::Value FreezeObject::Token(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(held_->token()));
}

Napi::Value FreezeObject::StateOf(const Napi::CallbackInfo& info) {
  static constexpr std::array<const char*, 5> kNames = {"unknown", "beginning", "held", "released",
                                                        "expired"};
  if (!info[0].IsNumber() || !(info[0].As<Napi::Number>().DoubleValue() >= 0)) {
    throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected the token of a freeze for freezeState but received something else");
  }
  const auto token = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
  return Napi::String::New(info.Env(), kNames[static_cast<size_t>(FreezeFence::StateOf(token))]);
}

Napi::Value FreezeObject::Settled(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment::Settler settle;
  const Napi::Promise promise = Environment::Of(env).Promised(env, &settle);
  held_->OnSettled(
      [settle] { settle([](Napi::Env in) -> Napi::Value { return in.Undefined(); }); });
  return promise;
}

Napi::Value FreezeObject::Records(const Napi::CallbackInfo& info) {
  const Napi::Array array = Napi::Array::New(info.Env());
  for (const FreezeRecord& record : held_->Records())
    array.Set(array.Length(), RecordToJs(info.Env(), record));
  return array;
}

}  // namespace standstill
