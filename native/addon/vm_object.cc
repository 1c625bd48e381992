#include "addon/vm_object.h"

#include <algorithm>
#include <utility>

#include "addon/convert.h"
#include "addon/environment.h"
#include "addon/status_error.h"

namespace standstill {
namespace {

constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d564d2d3031};
constexpr int64_t kReadBytesMax = int64_t{1} << 30;  // one Buffer, with room to spare in V8
constexpr int64_t kSafeInteger = (int64_t{1} << 53) - 1;

Napi::Error VmError(Napi::Env env, const Vm& vm, Status status, const char* operation) {
  return StatusError(env, status, std::string(operation) + " of VM " + vm.config().name,
                     std::string("one in state ") + StateName(vm.state()));
}

// What a pool task brings back, with the VM that it kept alive.
template <class T>
struct Reading {
  Status status = Status::kOk;
  T value{};
};

}  // namespace

Napi::Function VmObject::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeVm",
      {InstanceMethod<&VmObject::State>("state"), InstanceMethod<&VmObject::Start>("start"),
       InstanceMethod<&VmObject::Pause>("pause"), InstanceMethod<&VmObject::Resume>("resume"),
       InstanceMethod<&VmObject::RunUntil>("runUntil"), InstanceMethod<&VmObject::Digest>("digest"),
       InstanceMethod<&VmObject::Check>("check"), InstanceMethod<&VmObject::Stats>("stats"),
       InstanceMethod<&VmObject::Registers>("registers"), InstanceMethod<&VmObject::Read>("read"),
       InstanceMethod<&VmObject::FlipBit>("flipBit"),
       InstanceMethod<&VmObject::EndEpoch>("endEpoch"), InstanceMethod<&VmObject::Close>("close")});
}

Napi::Value VmObject::Wrap(Napi::Env env, std::shared_ptr<Vm> vm) {
  Environment::Of(env).Own(vm);
  return Environment::Of(env).vm_class().New({Napi::External<std::shared_ptr<Vm>>::New(env, &vm)});
}

std::shared_ptr<Vm> VmObject::VmOf(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw CodedError(value.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected a VM of this engine but received something else");
  }
  return Unwrap(value.As<Napi::Object>())->vm_;
}

VmObject::VmObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VmObject>(info) {
  if (!info[0].IsExternal()) {
    throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected createVm to make a VM but received a constructor call");
  }
  vm_ = *info[0].As<Napi::External<std::shared_ptr<Vm>>>().Data();
  const Napi::Env env = info.Env();
  const VmConfig& config = vm_->config();
  const Napi::Object self = info.This().As<Napi::Object>();
  self.TypeTag(&kTag);
  // Values, not accessors: Node binds only a class's methods to its own objects.
  self.DefineProperties(
      {Napi::PropertyDescriptor::Value("name", Napi::String::New(env, config.name),
                                       napi_enumerable),
       Napi::PropertyDescriptor::Value(
           "program", Napi::String::New(env, std::string(config.program->name)), napi_enumerable),
       Napi::PropertyDescriptor::Value(
           "ramBytes", Napi::Number::New(env, static_cast<double>(config.ram_bytes)),
           napi_enumerable)});
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(config.ram_bytes));
}

void VmObject::Finalize(Napi::Env env) {
  if (vm_ == nullptr) return;  // the constructor threw
  Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(vm_->config().ram_bytes));
  vm_->Close();
}

void VmObject::Demand(Napi::Env env, Status status, const char* operation) const {
  if (status != Status::kOk) throw VmError(env, *vm_, status, operation);
}

Napi::Value VmObject::State(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), StateName(vm_->state()));
}

void VmObject::Start(const Napi::CallbackInfo& info) {
  Demand(info.Env(), vm_->Start(), "start");
}

Napi::Value VmObject::Pause(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  PauseResult result;
  Demand(env, vm_->Pause(ReadInteger(info[0], "timeoutNs", 1, kSafeInteger), &result), "pause");
  const Napi::Object object = Napi::Object::New(env);
  object.Set("haltNs", static_cast<double>(result.halt_ns));
  object.Set("latencyNs", static_cast<double>(result.latency_ns));
  return object;
}

void VmObject::Resume(const Napi::CallbackInfo& info) {
  Demand(info.Env(), vm_->Resume(), "resume");
}

Napi::Value VmObject::RunUntil(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto step = static_cast<uint64_t>(ReadInteger(info[0], "step", 0, kSafeInteger));
  Environment::Settler settle;
  const Napi::Promise promise = Environment::Of(env).Promised(env, &settle);
  // Weak: a pending runUntil must not keep a collected VM's thread alive; closing settles it.
  const std::weak_ptr<Vm> weak = vm_;
  const auto answer = [settle, weak](Status status) {
    settle([status, weak](Napi::Env in) -> Napi::Value {
      if (status == Status::kOk) return in.Undefined();
      if (const auto vm = weak.lock()) throw VmError(in, *vm, status, "runUntil");
      throw StatusError(in, Status::kClosed, "runUntil", "one that was closed");
    });
  };
  if (const Status status = vm_->RunUntil(step, answer); status != Status::kOk) answer(status);
  return promise;
}

Napi::Value VmObject::Digest(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const DigestOptions options = ReadDigestOptions(info[0]);
  const auto vm = vm_;
  return Environment::Of(env).OnPool<Reading<DigestResult>>(
      env,
      [vm, options] {
        Reading<DigestResult> reading;
        reading.status = vm->Digest(options, &reading.value);
        return reading;
      },
      [vm](Napi::Env in, Reading<DigestResult>& reading) -> Napi::Value {
        if (reading.status != Status::kOk) throw VmError(in, *vm, reading.status, "digest");
        return DigestToJs(in, reading.value);
      });
}

Napi::Value VmObject::Check(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto vm = vm_;
  return Environment::Of(env).OnPool<Reading<CheckReport>>(
      env,
      [vm] {
        Reading<CheckReport> reading;
        reading.status = vm->Check(&reading.value);
        return reading;
      },
      [vm](Napi::Env in, Reading<CheckReport>& reading) -> Napi::Value {
        if (reading.status != Status::kOk) throw VmError(in, *vm, reading.status, "check");
        return CheckToJs(in, reading.value);
      });
}

Napi::Value VmObject::Stats(const Napi::CallbackInfo& info) {
  VmStats stats;
  Demand(info.Env(), vm_->Stats(&stats), "stats");
  return StatsToJs(info.Env(), stats);
}

Napi::Value VmObject::Registers(const Napi::CallbackInfo& info) {
  std::vector<std::byte> bytes;
  Demand(info.Env(), vm_->ReadRegisters(&bytes), "registers");
  return BytesToJs(info.Env(), bytes);
}

Napi::Value VmObject::Read(const Napi::CallbackInfo& info) {
  const auto ram_bytes = static_cast<int64_t>(vm_->config().ram_bytes);
  const int64_t gpa = ReadInteger(info[0], "gpa", 0, ram_bytes);
  const int64_t length =
      ReadInteger(info[1], "length", 0, std::min(ram_bytes - gpa, kReadBytesMax));
  std::vector<std::byte> bytes;
  Demand(info.Env(),
         vm_->ReadRam(static_cast<uint64_t>(gpa), static_cast<uint64_t>(length), &bytes), "read");
  return BytesToJs(info.Env(), bytes);
}

void VmObject::FlipBit(const Napi::CallbackInfo& info) {
  const auto ram_bytes = static_cast<int64_t>(vm_->config().ram_bytes);
  const auto gpa = static_cast<uint64_t>(ReadInteger(info[0], "gpa", 0, ram_bytes - 1));
  const auto bit = static_cast<unsigned>(ReadInteger(info[1], "bit", 0, 7));
  Demand(info.Env(), vm_->FlipBit(gpa, bit), "flipBit");
}

Napi::Value VmObject::EndEpoch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EpochResult result;
  Demand(env, vm_->EndEpoch(&result), "endEpoch");
  const Napi::Object object = Napi::Object::New(env);
  object.Set("epoch", result.epoch);
  object.Set("dirtyPages", static_cast<double>(result.dirty_pages));
  return object;
}

void VmObject::Close(const Napi::CallbackInfo&) {
  vm_->Close();
}

}  // namespace standstill
