// NativeSnapshot, and what goes with it: NativePageStore, a host's memory for snapshots, and
// NativeProgress, by which JavaScript watches and cancels work on the engine's pool.
//
// Threads: the environment's own; the work itself runs on the engine's pool.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "addon/handle.h"
#include "standstill/progress.h"
#include "standstill/snapshot.h"

namespace standstill {

Napi::Object StateToJs(Napi::Env env, const MachineState& state);
// Of work that reads a snapshot: where the file that it is mapped from is to blame, with what is wrong
// with that.
Napi::Error SnapshotError(Napi::Env env, Status status, const Snapshot& snapshot,
                          const std::string& subject, const std::string& received);

class ProgressObject : public Handle<ProgressObject, Progress> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d50524f4752};
  static constexpr const char* kClass = "NativeProgress";
  static constexpr const char* kWhat = "a progress";
  static std::vector<PropertyDescriptor> Properties();
  static Napi::Value Create(const Napi::CallbackInfo& info);
  // Null where there is none.
  static std::shared_ptr<Progress> IfAny(const Napi::Value& value) {
    return value.IsUndefined() ? nullptr : Of(value);
  }
  using Handle::Handle;

 private:
  Napi::Value Done(const Napi::CallbackInfo& info);
  Napi::Value Total(const Napi::CallbackInfo& info);
  void Begin(const Napi::CallbackInfo& info);
  void Add(const Napi::CallbackInfo& info);
  void Cancel(const Napi::CallbackInfo& info);
  Napi::Value Cancelled(const Napi::CallbackInfo& info);
};

class PageStoreObject : public Handle<PageStoreObject, PageStore> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d53544f5245};
  static constexpr const char* kClass = "NativePageStore";
  static constexpr const char* kWhat = "a page store";
  static std::vector<PropertyDescriptor> Properties();
  // createPageStore(limitBytes)
  static Napi::Value Create(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value Usage(const Napi::CallbackInfo& info);
};

class SnapshotObject : public Handle<SnapshotObject, const Snapshot> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d534e415000};
  static constexpr const char* kClass = "NativeSnapshot";
  static constexpr const char* kWhat = "a snapshot";
  static std::vector<PropertyDescriptor> Properties();
  using Handle::Handle;

 private:
  Napi::Value State(const Napi::CallbackInfo& info);
  Napi::Value PageStore(const Napi::CallbackInfo& info);
  Napi::Value StateBytes(const Napi::CallbackInfo& info);
  Napi::Value Digest(const Napi::CallbackInfo& info);
  Napi::Value PageCrcs(const Napi::CallbackInfo& info);
  Napi::Value Diff(const Napi::CallbackInfo& info);
  Napi::Value Read(const Napi::CallbackInfo& info);
  Napi::Value Usage(const Napi::CallbackInfo& info);
};

}  // namespace standstill
