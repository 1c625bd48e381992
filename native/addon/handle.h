// A JavaScript object that holds an object of the engine: made by the addon only, recognised by its
// tag, and never to be forged.
//
// Threads: the environment's own.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/status_error.h"

namespace standstill {

// `Object` has
//   static constexpr napi_type_tag kTag;  static constexpr const char* kClass, *kWhat;
//   static std::vector<Napi::ClassPropertyDescriptor<Object>> Properties();
template <class Object, class Held>
class Handle : public Napi::ObjectWrap<Object> {
 public:
  static void Define(Napi::Env env) {
    Environment::Of(env).class_of(Object::kTag) =
        Napi::Persistent(Object::DefineClass(env, Object::kClass, Object::Properties()));
  }
  static Napi::Value Wrap(Napi::Env env, std::shared_ptr<Held> held) {
    return Environment::Of(env)
        .class_of(Object::kTag)
        .New({Napi::External<std::shared_ptr<Held>>::New(env, &held)});
  }
  // What is behind a JavaScript value; throws where it is not one of ours.
  static std::shared_ptr<Held> Of(const Napi::Value& value) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&Object::kTag)) {
      throw CodedError(
          value.Env(), "ERR_INVALID_ARGUMENT",
          std::string("Expected ") + Object::kWhat + " of this engine but received something else");
    }
    return Object::Unwrap(value.As<Napi::Object>())->held_;
  }

  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Object>(info) {
    if (!info[0].IsExternal()) {
      throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                       std::string("Expected the engine to make ") + Object::kWhat +
                           " but received a constructor call");
    }
    held_ = *info[0].As<Napi::External<std::shared_ptr<Held>>>().Data();
    info.This().As<Napi::Object>().TypeTag(&Object::kTag);
  }

 protected:
  std::shared_ptr<Held> held_;  // null only where the constructor threw
};

}  // namespace standstill
