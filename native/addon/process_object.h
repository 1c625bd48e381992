// NativeSupervisor, the asking side of a guest's supervisor, and NativeProcessImage, what a tree of
// processes is in memory.
//
// Threads: the environment's own; `await` blocks it for as long as it is told at most. An image is
// captured on the engine's pool.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "addon/handle.h"
#include "process/process_image.h"
#include "process/supervisor_channel.h"

namespace standstill {

struct OpenSupervisor {
  ~OpenSupervisor();
  void CloseOtherEnd();

  SupervisorChannel channel;
  int supervisor_fd = -1;  // until the supervisor has it
};

class SupervisorObject : public Handle<SupervisorObject, OpenSupervisor> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d5355504552};
  static constexpr const char* kClass = "NativeSupervisor";
  static constexpr const char* kWhat = "a supervisor";
  static std::vector<PropertyDescriptor> Properties();
  // openSupervisor()
  static Napi::Value Open(const Napi::CallbackInfo& info);
  // takeDescriptor(pid, fd): a copy of a descriptor of a supervisor, the caller's to close
  static Napi::Value TakeDescriptor(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value SupervisorFd(const Napi::CallbackInfo& info);
  void HandedOver(const Napi::CallbackInfo& info);
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value Await(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
};

class ProcessImageObject : public Handle<ProcessImageObject, const ProcessImage> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d50494d4147};
  static constexpr const char* kClass = "NativeProcessImage";
  static constexpr const char* kWhat = "an image of processes";
  static std::vector<PropertyDescriptor> Properties();
  // captureProcesses(pids, progress)
  static Napi::Value Capture(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value PageCrcs(const Napi::CallbackInfo& info);
  Napi::Value Compare(const Napi::CallbackInfo& info);
};

}  // namespace standstill
