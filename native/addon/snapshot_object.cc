#include "addon/snapshot_object.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "addon/convert.h"
#include "addon/file_work.h"
#include "standstill/snapshot_file.h"

namespace standstill {
namespace {

std::function<Napi::Error(Napi::Env, Status)> Failing(std::shared_ptr<const Snapshot> snapshot,
                                                      const char* operation) {
  return [snapshot, operation](Napi::Env in, Status status) {
    return SnapshotError(in, status, *snapshot, std::string(operation) + " of a snapshot",
                         status == Status::kCancelled ? "a cancellation" : "another one");
  };
}

Napi::Number Count(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace

Napi::Error SnapshotError(Napi::Env env, Status status, const Snapshot& snapshot,
                          const std::string& subject, const std::string& received) {
  FileProblem problem;
  const bool may_be_file = status == Status::kMemoryLost || status == Status::kSnapshotDamaged;
  if (may_be_file && snapshot.Health(&problem) != Status::kOk)
    return FileError(env, status, subject, problem);
  return StatusError(env, status, subject, received);
}

Napi::Object StateToJs(Napi::Env env, const MachineState& state) {
  const Napi::Object params = Napi::Object::New(env);
  for (size_t i = 0; i < state.program->params.size(); ++i)
    params.Set(std::string(state.program->params[i].name), state.params[i]);
  const Napi::Object object = Napi::Object::New(env);
  object.Set("vmName", state.vm_name);
  object.Set("program", std::string(state.program->name));
  object.Set("params", params);
  object.Set("seed", Napi::BigInt::New(env, state.seed));
  object.Set("ramBytes", Count(env, state.ram_bytes));
  object.Set("steps", Count(env, state.steps));
  object.Set("registers", BytesToJs(env, state.registers));
  object.Set("guestMonotonicNs", static_cast<double>(state.guest_monotonic_ns));
  object.Set("guestWallNs", Napi::BigInt::New(env, state.guest_wall_ns));
  object.Set("takenWallNs", Napi::BigInt::New(env, state.taken_wall_ns));
  return object;
}

// ── Progress ──────────────────────────────────────────────────────────────────────────────────

std::vector<ProgressObject::PropertyDescriptor> ProgressObject::Properties() {
  return {InstanceMethod<&ProgressObject::Done>("done"),
          InstanceMethod<&ProgressObject::Total>("total"),
          InstanceMethod<&ProgressObject::Begin>("begin"),
          InstanceMethod<&ProgressObject::Add>("add"),
          InstanceMethod<&ProgressObject::Cancel>("cancel"),
          InstanceMethod<&ProgressObject::Cancelled>("cancelled")};
}

Napi::Value ProgressObject::Create(const Napi::CallbackInfo& info) {
  return Wrap(info.Env(), std::make_shared<Progress>());
}

Napi::Value ProgressObject::Done(const Napi::CallbackInfo& info) {
  return Count(info.Env(), held_->done());
}

Napi::Value ProgressObject::Total(const Napi::CallbackInfo& info) {
  return Count(info.Env(), held_->total());
}

// begin(total)
void ProgressObject::Begin(const Napi::CallbackInfo& info) {
  held_->Begin(static_cast<uint64_t>(ReadInteger(info[0], "total", 0, kSafeInteger)));
}

// add(done)
void ProgressObject::Add(const Napi::CallbackInfo& info) {
  held_->Add(static_cast<uint64_t>(ReadInteger(info[0], "done", 0, kSafeInteger)));
}

void ProgressObject::Cancel(const Napi::CallbackInfo&) {
  held_->Cancel();
}

Napi::Value ProgressObject::Cancelled(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), held_->cancelled());
}

// ── Page stores ───────────────────────────────────────────────────────────────────────────────

std::vector<PageStoreObject::PropertyDescriptor> PageStoreObject::Properties() {
  return {InstanceMethod<&PageStoreObject::Usage>("usage")};
}

Napi::Value PageStoreObject::Create(const Napi::CallbackInfo& info) {
  const int64_t limit_bytes = ReadInteger(info[0], "limitBytes", kSnapshotLimitBytesMin,
                                          static_cast<int64_t>(kSnapshotLimitBytesMax));
  std::shared_ptr<PageStore> store;
  if (const Status status = CreatePageStore(static_cast<uint64_t>(limit_bytes), &store);
      status != Status::kOk) {
    throw StatusError(info.Env(), status, "a page store", std::to_string(limit_bytes) + " bytes");
  }
  return Wrap(info.Env(), std::move(store));
}

Napi::Value PageStoreObject::Usage(const Napi::CallbackInfo& info) {
  const PageStoreUsage usage = UsageOf(*held_);
  const Napi::Object object = Napi::Object::New(info.Env());
  object.Set("limitBytes", Count(info.Env(), usage.limit_bytes));
  object.Set("heldBytes", Count(info.Env(), usage.held_bytes));
  object.Set("residentBytes", Count(info.Env(), usage.resident_bytes));
  return object;
}

// ── Snapshots ─────────────────────────────────────────────────────────────────────────────────

std::vector<SnapshotObject::PropertyDescriptor> SnapshotObject::Properties() {
  return {InstanceMethod<&SnapshotObject::State>("state"),
          InstanceMethod<&SnapshotObject::PageStore>("pageStore"),
          InstanceMethod<&SnapshotObject::StateBytes>("stateBytes"),
          InstanceMethod<&SnapshotObject::Digest>("digest"),
          InstanceMethod<&SnapshotObject::PageCrcs>("pageCrcs"),
          InstanceMethod<&SnapshotObject::Diff>("diff"),
          InstanceMethod<&SnapshotObject::Read>("read"),
          InstanceMethod<&SnapshotObject::Usage>("usage")};
}

Napi::Value SnapshotObject::State(const Napi::CallbackInfo& info) {
  return StateToJs(info.Env(), held_->state());
}

Napi::Value SnapshotObject::PageStore(const Napi::CallbackInfo& info) {
  return PageStoreObject::Wrap(info.Env(), held_->store());
}

Napi::Value SnapshotObject::StateBytes(const Napi::CallbackInfo& info) {
  return BytesToJs(info.Env(), standstill::StateBytes(held_->state()));
}

// digest(progress)
Napi::Value SnapshotObject::Digest(const Napi::CallbackInfo& info) {
  const auto snapshot = held_;
  return OnPoolOrFail<uint64_t>(
      info.Env(),
      [snapshot, progress = ProgressObject::Of(info[0])](uint64_t* out) {
        return snapshot->Digest(*progress, out);
      },
      Failing(snapshot, "digest"),
      [](Napi::Env in, uint64_t& value) -> Napi::Value { return Napi::BigInt::New(in, value); });
}

// pageCrcs(progress)
Napi::Value SnapshotObject::PageCrcs(const Napi::CallbackInfo& info) {
  const auto snapshot = held_;
  return OnPoolOrFail<std::vector<uint64_t>>(
      info.Env(),
      [snapshot, progress = ProgressObject::Of(info[0])](std::vector<uint64_t>* out) {
        return snapshot->PageCrcs(*progress, out);
      },
      Failing(snapshot, "page CRCs"),
      [](Napi::Env in, std::vector<uint64_t>& crcs) -> Napi::Value {
        auto array = Napi::BigUint64Array::New(in, crcs.size());
        std::copy(crcs.begin(), crcs.end(), array.Data());
        return array;
      });
}

// diff(other, progress)
Napi::Value SnapshotObject::Diff(const Napi::CallbackInfo& info) {
  const auto snapshot = held_;
  const auto other = Of(info[0]);
  return OnPoolOrFail<std::vector<PageRange>>(
      info.Env(),
      [snapshot, other, progress = ProgressObject::Of(info[1])](std::vector<PageRange>* out) {
        return snapshot->Diff(*other, *progress, out);
      },
      [snapshot, other](Napi::Env in, Status status) {
        FileProblem unread;
        const bool ours = snapshot->Health(&unread) != Status::kOk;
        return Failing(ours ? snapshot : other, "diff")(in, status);
      },
      [](Napi::Env in, std::vector<PageRange>& ranges) -> Napi::Value {
        const Napi::Array array = Napi::Array::New(in, ranges.size());
        for (size_t i = 0; i < ranges.size(); ++i) {
          const Napi::Object range = Napi::Object::New(in);
          range.Set("firstPage", Count(in, ranges[i].first_page));
          range.Set("pageCount", Count(in, ranges[i].page_count));
          array.Set(static_cast<uint32_t>(i), range);
        }
        return array;
      });
}

// read(gpa, length)
Napi::Value SnapshotObject::Read(const Napi::CallbackInfo& info) {
  const auto ram_bytes = static_cast<int64_t>(held_->state().ram_bytes);
  const int64_t gpa = ReadInteger(info[0], "gpa", 0, ram_bytes);
  const int64_t length =
      ReadInteger(info[1], "length", 0, std::min(ram_bytes - gpa, kReadBytesMax));
  std::vector<std::byte> bytes;
  if (const Status status =
          held_->Read(static_cast<uint64_t>(gpa), static_cast<uint64_t>(length), &bytes);
      status != Status::kOk) {
    throw Failing(held_, "read")(info.Env(), status);
  }
  return BytesToJs(info.Env(), bytes);
}

Napi::Value SnapshotObject::Usage(const Napi::CallbackInfo& info) {
  const SnapshotUsage usage = held_->Usage();
  const Napi::Object object = Napi::Object::New(info.Env());
  object.Set("zeroPages", Count(info.Env(), usage.zero_pages));
  object.Set("filePages", Count(info.Env(), usage.file_pages));
  object.Set("sharedPages", Count(info.Env(), usage.shared_pages));
  object.Set("privatePages", Count(info.Env(), usage.private_pages));
  object.Set("imagePages", Count(info.Env(), usage.image_pages));
  return object;
}

}  // namespace standstill
