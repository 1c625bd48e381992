#include "addon/vm_object.h"

#include <algorithm>
#include <utility>

#include "addon/convert.h"
#include "addon/environment.h"
#include "addon/snapshot_object.h"
#include "addon/status_error.h"

namespace standstill {
namespace {

// A rollback of so many pages at most is done before the call returns: about a millisecond.
constexpr uint64_t kRollbackPagesAtOnce = 2048;

Napi::Error VmError(Napi::Env env, const Vm& vm, Status status, const char* operation) {
  return StatusError(env, status, std::string(operation) + " of VM " + vm.config().name,
                     status == Status::kMemoryLost
                         ? "one that was changed, cut or cannot be read any more"
                         : std::string("one in state ") + StateName(vm.state()));
}

// Of a VM that goes to a snapshot.
std::function<Napi::Error(Napi::Env, Status)> Failing(std::shared_ptr<Vm> vm,
                                                      std::shared_ptr<const Snapshot> snapshot,
                                                      const char* operation) {
  return [vm, snapshot, operation](Napi::Env in, Status status) {
    FileProblem unread;
    if (snapshot->Health(&unread) == Status::kOk) return VmError(in, *vm, status, operation);
    return SnapshotError(in, status, *snapshot,
                         std::string(operation) + " of VM " + vm->config().name,
                         std::string("one in state ") + StateName(vm->state()));
  };
}

// Names the VM and its state in the error, as it is when the promise is rejected.
std::function<Napi::Error(Napi::Env, Status)> Failing(std::shared_ptr<Vm> vm,
                                                      const char* operation) {
  return
      [vm, operation](Napi::Env in, Status status) { return VmError(in, *vm, status, operation); };
}

}  // namespace

std::vector<VmObject::PropertyDescriptor> VmObject::Properties() {
  return {InstanceMethod<&VmObject::State>("state"),
          InstanceMethod<&VmObject::Start>("start"),
          InstanceMethod<&VmObject::Pause>("pause"),
          InstanceMethod<&VmObject::Resume>("resume"),
          InstanceMethod<&VmObject::RunUntil>("runUntil"),
          InstanceMethod<&VmObject::Digest>("digest"),
          InstanceMethod<&VmObject::Check>("check"),
          InstanceMethod<&VmObject::Stats>("stats"),
          InstanceMethod<&VmObject::Registers>("registers"),
          InstanceMethod<&VmObject::Read>("read"),
          InstanceMethod<&VmObject::FlipBit>("flipBit"),
          InstanceMethod<&VmObject::Snapshot>("snapshot"),
          InstanceMethod<&VmObject::Rollback>("rollback"),
          InstanceMethod<&VmObject::Explore>("explore"),
          InstanceMethod<&VmObject::EndEpoch>("endEpoch"),
          InstanceMethod<&VmObject::Close>("close")};
}

Napi::Value VmObject::Own(Napi::Env env, std::shared_ptr<Vm> vm) {
  Environment::Of(env).Own(vm);
  return Wrap(env, std::move(vm));
}

VmObject::VmObject(const Napi::CallbackInfo& info) : Handle(info) {
  const Napi::Env env = info.Env();
  const VmConfig& config = held_->config();
  const Napi::Object self = info.This().As<Napi::Object>();
  // Values, not accessors: Node binds only a class's methods to its own objects.
  self.DefineProperties(
      {Napi::PropertyDescriptor::Value("name", Napi::String::New(env, config.name),
                                       napi_enumerable),
       Napi::PropertyDescriptor::Value(
           "program", Napi::String::New(env, std::string(config.program->name)), napi_enumerable),
       Napi::PropertyDescriptor::Value(
           "ramBytes", Napi::Number::New(env, static_cast<double>(config.ram_bytes)),
           napi_enumerable)});
  TellMemory(env, held_->shares_memory() ? 0 : static_cast<int64_t>(config.ram_bytes));
}

void VmObject::Finalize(Napi::Env env) {
  if (held_ == nullptr) return;  // the constructor threw
  TellMemory(env, 0);
  held_->Close();
}

void VmObject::TellMemory(Napi::Env env, int64_t bytes) {
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes - told_bytes_);
  told_bytes_ = bytes;
}

void VmObject::Demand(Napi::Env env, Status status, const char* operation) const {
  if (status != Status::kOk) throw VmError(env, *held_, status, operation);
}

Napi::Value VmObject::State(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), StateName(held_->state()));
}

void VmObject::Start(const Napi::CallbackInfo& info) {
  Demand(info.Env(), held_->Start(), "start");
}

Napi::Value VmObject::Pause(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  PauseResult result;
  Demand(env, held_->Pause(ReadInteger(info[0], "timeoutNs", 1, kSafeInteger), &result), "pause");
  const Napi::Object object = Napi::Object::New(env);
  object.Set("haltNs", static_cast<double>(result.halt_ns));
  object.Set("latencyNs", static_cast<double>(result.latency_ns));
  return object;
}

void VmObject::Resume(const Napi::CallbackInfo& info) {
  Demand(info.Env(), held_->Resume(), "resume");
}

Napi::Value VmObject::RunUntil(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto step = static_cast<uint64_t>(ReadInteger(info[0], "step", 0, kSafeInteger));
  Environment::Settler settle;
  const Napi::Promise promise = Environment::Of(env).Promised(env, &settle);
  // Weak: a pending runUntil must not keep a collected VM's thread alive; closing settles it.
  const std::weak_ptr<Vm> weak = held_;
  const auto answer = [settle, weak](Status status) {
    settle([status, weak](Napi::Env in) -> Napi::Value {
      if (status == Status::kOk) return in.Undefined();
      if (const auto vm = weak.lock()) throw VmError(in, *vm, status, "runUntil");
      throw StatusError(in, Status::kClosed, "runUntil", "one that was closed");
    });
  };
  if (const Status status = held_->RunUntil(step, answer); status != Status::kOk) answer(status);
  return promise;
}

// digest(options?, progress?)
Napi::Value VmObject::Digest(const Napi::CallbackInfo& info) {
  const auto vm = held_;
  return OnPoolOrFail<DigestResult>(
      info.Env(),
      [vm, options = ReadDigestOptions(info[0]),
       progress = ProgressObject::IfAny(info[1])](DigestResult* out) mutable {
        options.progress = progress.get();
        return vm->Digest(options, out);
      },
      Failing(vm, "digest"), DigestToJs);
}

// check(progress?)
Napi::Value VmObject::Check(const Napi::CallbackInfo& info) {
  const auto vm = held_;
  return OnPoolOrFail<CheckReport>(
      info.Env(),
      [vm, progress = ProgressObject::IfAny(info[0])](CheckReport* out) {
        return vm->Check(out, progress.get());
      },
      Failing(vm, "check"), CheckToJs);
}

// snapshot(live, progress)
Napi::Value VmObject::Snapshot(const Napi::CallbackInfo& info) {
  struct Taken {
    std::shared_ptr<const standstill::Snapshot> snapshot;
    SnapshotCost cost;
  };
  const auto vm = held_;
  return OnPoolOrFail<Taken>(
      info.Env(),
      [vm, live = info[0].ToBoolean().Value(), progress = ProgressObject::Of(info[1])](Taken* out) {
        return vm->TakeSnapshot(live, *progress, &out->snapshot, &out->cost);
      },
      Failing(vm, "snapshot"),
      [](Napi::Env in, Taken& taken) -> Napi::Value {
        const Napi::Object object = Napi::Object::New(in);
        object.Set("snapshot", SnapshotObject::Wrap(in, std::move(taken.snapshot)));
        object.Set("cost", CostToJs(in, taken.cost));
        return object;
      });
}

// rollback(snapshot): at once where few pages differ, else on the pool.
Napi::Value VmObject::Rollback(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto vm = held_;
  const auto snapshot = SnapshotObject::Of(info[0]);
  const auto pages_of = [](Napi::Env in, const RollbackResult& result) -> Napi::Value {
    return Napi::Number::New(in, static_cast<double>(result.pages));
  };
  RollbackResult result;
  const auto failing = Failing(vm, snapshot, "rollback");
  if (const Status status = vm->Rollback(*snapshot, kRollbackPagesAtOnce, &result);
      status != Status::kOk) {
    throw failing(env, status);
  }
  if (result.done) {
    const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
    deferred.Resolve(pages_of(env, result));
    return deferred.Promise();
  }
  return OnPoolOrFail<RollbackResult>(
      env,
      [vm, snapshot](RollbackResult* out) { return vm->Rollback(*snapshot, ~uint64_t{0}, out); },
      failing, pages_of);
}

// explore(snapshot, { runs, steps, seed, check }, progress)
Napi::Value VmObject::Explore(const Napi::CallbackInfo& info) {
  const auto vm = held_;
  const auto snapshot = SnapshotObject::Of(info[0]);
  return OnPoolOrFail<ExploreResult>(
      info.Env(),
      [vm, snapshot, options = ReadExploreOptions(info[1]), progress = ProgressObject::Of(info[2])](
          ExploreResult* out) { return vm->Explore(*snapshot, options, *progress, out); },
      Failing(vm, snapshot, "explore"), ExploredToJs);
}

Napi::Value VmObject::Stats(const Napi::CallbackInfo& info) {
  VmStats stats;
  Demand(info.Env(), held_->Stats(&stats), "stats");
  return StatsToJs(info.Env(), stats);
}

Napi::Value VmObject::Registers(const Napi::CallbackInfo& info) {
  std::vector<std::byte> bytes;
  Demand(info.Env(), held_->ReadRegisters(&bytes), "registers");
  return BytesToJs(info.Env(), bytes);
}

Napi::Value VmObject::Read(const Napi::CallbackInfo& info) {
  const auto ram_bytes = static_cast<int64_t>(held_->config().ram_bytes);
  const int64_t gpa = ReadInteger(info[0], "gpa", 0, ram_bytes);
  const int64_t length =
      ReadInteger(info[1], "length", 0, std::min(ram_bytes - gpa, kReadBytesMax));
  std::vector<std::byte> bytes;
  Demand(info.Env(),
         held_->ReadRam(static_cast<uint64_t>(gpa), static_cast<uint64_t>(length), &bytes), "read");
  return BytesToJs(info.Env(), bytes);
}

void VmObject::FlipBit(const Napi::CallbackInfo& info) {
  const auto ram_bytes = static_cast<int64_t>(held_->config().ram_bytes);
  const auto gpa = static_cast<uint64_t>(ReadInteger(info[0], "gpa", 0, ram_bytes - 1));
  const auto bit = static_cast<unsigned>(ReadInteger(info[1], "bit", 0, 7));
  Demand(info.Env(), held_->FlipBit(gpa, bit), "flipBit");
}

Napi::Value VmObject::EndEpoch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EpochResult result;
  Demand(env, held_->EndEpoch(&result), "endEpoch");
  const Napi::Object object = Napi::Object::New(env);
  object.Set("epoch", result.epoch);
  object.Set("dirtyPages", static_cast<double>(result.dirty_pages));
  return object;
}

void VmObject::Close(const Napi::CallbackInfo& info) {
  held_->Close();
  TellMemory(info.Env(), 0);
}

}  // namespace standstill
