// The addon's entry: what src/native/contract.ts calls Addon.
#include <napi.h>

#include "addon/convert.h"
#include "addon/environment.h"
#include "addon/freeze_object.h"
#include "addon/process_object.h"
#include "addon/proof_object.h"
#include "addon/snapshot_file_object.h"
#include "addon/snapshot_object.h"
#include "addon/snapshot_writer_object.h"
#include "addon/status_error.h"
#include "addon/vm_object.h"
#include "port/file.h"
#include "port/machine.h"
#include "port/task_pool.h"
#include "util/controls.h"
#include "util/crc64.h"

namespace standstill {
namespace {

void Initialise(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) {
    throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected a class of errors for initialise but received something else");
  }
  Environment::Of(info.Env()).set_error_class(info[0].As<Napi::Function>());
}

Napi::Value ListPrograms(const Napi::CallbackInfo& info) {
  return ProgramsToJs(info.Env());
}

Napi::Value StatusCodes(const Napi::CallbackInfo& info) {
  const Napi::Array codes = Napi::Array::New(info.Env());
  for (int i = 1; i < kStatusCount; ++i)
    codes.Set(codes.Length(), StatusCode(static_cast<Status>(i)));
  codes.Set(codes.Length(), "ERR_UNKNOWN_PROGRAM");
  codes.Set(codes.Length(), "ERR_UNKNOWN_PARAMETER");
  return codes;
}

Napi::Value CreateVm(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) {
    throw CodedError(env, "ERR_INVALID_ARGUMENT",
                     "Expected a configuration for createVm but received none");
  }
  const VmConfig config = ReadVmConfig(info[0].As<Napi::Object>());
  return OnPoolOrFail<std::shared_ptr<Vm>>(
      env, [config](std::shared_ptr<Vm>* out) { return Vm::Create(config, out); },
      [config](Napi::Env in, Status status) {
        return StatusError(in, status, "VM " + config.name,
                           std::to_string(config.ram_bytes) + " bytes of RAM");
      },
      [](Napi::Env in, std::shared_ptr<Vm>& vm) { return VmObject::Own(in, std::move(vm)); });
}

// restoreVm(config, snapshot, progress)
Napi::Value RestoreVm(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) {
    throw CodedError(env, "ERR_INVALID_ARGUMENT",
                     "Expected a configuration for restoreVm but received none");
  }
  const RestoreConfig config = ReadRestoreConfig(info[0].As<Napi::Object>());
  const auto snapshot = SnapshotObject::Of(info[1]);
  return OnPoolOrFail<std::shared_ptr<Vm>>(
      env,
      [config, snapshot, progress = ProgressObject::Of(info[2])](std::shared_ptr<Vm>* out) {
        return Vm::Restore(config.vm, *snapshot, config.options, *progress, out);
      },
      [config, snapshot](Napi::Env in, Status status) {
        return SnapshotError(in, status, *snapshot, "VM " + config.vm.name,
                             "a machine or host that refuses it");
      },
      [](Napi::Env in, std::shared_ptr<Vm>& vm) { return VmObject::Own(in, std::move(vm)); });
}

Napi::Value Crc64OfBytes(const Napi::CallbackInfo& info) {
  if (!info[0].IsBigInt() || !info[1].IsTypedArray()) {
    throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected (bigint, Uint8Array) for crc64 but received something else");
  }
  bool lossless;
  const uint64_t previous = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  const Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  return Napi::BigInt::New(
      info.Env(), Crc64(previous, std::as_bytes(std::span(bytes.Data(), bytes.ByteLength()))));
}

Napi::Value EngineInfo(const Napi::CallbackInfo& info) {
  const Napi::Object object = Napi::Object::New(info.Env());
  object.Set("crcBackend", CrcBackendName(CrcBestBackend()));
  object.Set("poolThreads", TaskPool::Get().threads());
  return object;
}

Napi::Value ErrnoToJs(Napi::Env env, int number) {
  return number == 0 ? env.Null() : Napi::String::New(env, DescribeErrno(number));
}

Napi::Value TryMachineHere(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const MachineTrials trials = TryMachine();
  const Napi::Object object = Napi::Object::New(env);
  object.Set("memfd", ErrnoToJs(env, trials.memfd_errno));
  object.Set("userfaultfd", ErrnoToJs(env, trials.userfaultfd_errno));
  object.Set("hugePageBytes", static_cast<double>(trials.huge_page_bytes));
  return object;
}

#if STANDSTILL_CONTROLS
void SetControl(const Napi::CallbackInfo& info) {
  const std::string name = info[0].ToString().Utf8Value();
  for (size_t i = 0; i < kControlNames.size(); ++i) {
    if (name != kControlNames[i]) continue;
    return Controls::Set(static_cast<Control>(i), info[1].ToNumber().Uint32Value());
  }
  throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                   "Expected a known control but received " + name);
}
#endif

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Environment::Create(env);
  VmObject::Define(env);
  FreezeObject::Define(env);
  ProgressObject::Define(env);
  PageStoreObject::Define(env);
  SnapshotObject::Define(env);
  SnapshotFileObject::Define(env);
  SnapshotLoaderObject::Define(env);
  SnapshotWriterObject::Define(env);
  ProofObject::Define(env);
  SupervisorObject::Define(env);
  ProcessImageObject::Define(env);
  exports.Set("initialise", Napi::Function::New<Initialise>(env, "initialise"));
  exports.Set("programs", Napi::Function::New<ListPrograms>(env, "programs"));
  exports.Set("statusCodes", Napi::Function::New<StatusCodes>(env, "statusCodes"));
  exports.Set("createVm", Napi::Function::New<CreateVm>(env, "createVm"));
  exports.Set("restoreVm", Napi::Function::New<RestoreVm>(env, "restoreVm"));
  exports.Set("createProgress", Napi::Function::New<ProgressObject::Create>(env, "createProgress"));
  exports.Set("createPageStore",
              Napi::Function::New<PageStoreObject::Create>(env, "createPageStore"));
  exports.Set("openSnapshotFile",
              Napi::Function::New<SnapshotFileObject::Open>(env, "openSnapshotFile"));
  exports.Set("mapSnapshotFile",
              Napi::Function::New<SnapshotFileObject::Map>(env, "mapSnapshotFile"));
  exports.Set("createSnapshotLoader",
              Napi::Function::New<SnapshotLoaderObject::Create>(env, "createSnapshotLoader"));
  exports.Set("createSnapshotWriter",
              Napi::Function::New<SnapshotWriterObject::Create>(env, "createSnapshotWriter"));
  exports.Set("exportFlat", Napi::Function::New<ExportFlatFile>(env, "exportFlat"));
  exports.Set("prepareProof", Napi::Function::New<ProofObject::Prepare>(env, "prepareProof"));
  exports.Set("freeze", Napi::Function::New<FreezeObject::Begin>(env, "freeze"));
  exports.Set("openSupervisor", Napi::Function::New<SupervisorObject::Open>(env, "openSupervisor"));
  exports.Set("takeDescriptor",
              Napi::Function::New<SupervisorObject::TakeDescriptor>(env, "takeDescriptor"));
  exports.Set("captureProcesses",
              Napi::Function::New<ProcessImageObject::Capture>(env, "captureProcesses"));
  exports.Set("freezeState", Napi::Function::New<FreezeObject::StateOf>(env, "freezeState"));
  exports.Set("crc64", Napi::Function::New<Crc64OfBytes>(env, "crc64"));
  exports.Set("engineInfo", Napi::Function::New<EngineInfo>(env, "engineInfo"));
  exports.Set("tryMachine", Napi::Function::New<TryMachineHere>(env, "tryMachine"));
#if STANDSTILL_CONTROLS
  exports.Set("setControl", Napi::Function::New<SetControl>(env, "setControl"));
#endif
  return exports;
}

}  // namespace

NODE_API_MODULE(standstill, Init)

}  // namespace standstill
