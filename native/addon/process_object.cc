#include "addon/process_object.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "addon/convert.h"
#include "addon/snapshot_object.h"
#include "port/clock.h"
#include "port/file.h"
#include "port/small_file.h"

namespace standstill {
namespace {

// In the order of SupervisorRequestKind, SupervisorAnswer, SpawnStep, GuestLife, ThawedBy and
// ProcessChange.
constexpr std::array kRequests = {"status",  "start",     "freeze", "thaw",
                                  "members", "terminate", "close"};
constexpr std::array kAnswers = {"ok", "spawn-failed", "freeze-timeout", "freezer-failed",
                                 "not-running"};
constexpr std::array kSteps = {"none", "fork", "group", "network", "folder", "exec"};
constexpr std::array kLives = {"not-started", "alive", "ended"};
constexpr std::array kThawers = {"nobody", "caller", "deadline"};
constexpr std::array kChanges = {"none", "processes", "tasks", "mappings", "presence", "content"};

template <class Names, class Value>
const char* NameOf(const Names& names, Value value) {
  const auto index = static_cast<size_t>(value);
  return index < names.size() ? names[index] : "unknown";
}

constexpr int64_t kLongestNs = int64_t{366} * 86'400 * 1'000'000'000;

// A stamp on the monotonic clock that JavaScript has as a BigInt; 0: none.
int64_t ReadStamp(const Napi::Value& value, const std::string& name) {
  bool lossless = false;
  const int64_t stamp = value.IsBigInt() ? value.As<Napi::BigInt>().Int64Value(&lossless) : -1;
  if (lossless && stamp >= 0) return stamp;
  throw CodedError(value.Env(), "ERR_INVALID_ARGUMENT",
                   "Expected a stamp as a bigint for " + name + " but received something else");
}

Napi::Value Stamp(Napi::Env env, int64_t at_ns) {
  return Napi::BigInt::New(env, at_ns);
}

Napi::Value ErrnoText(Napi::Env env, int number) {
  return number == 0 ? env.Null() : Napi::String::New(env, DescribeErrno(number));
}

Napi::Object ReplyToJs(Napi::Env env, const SupervisorReply& reply, const std::vector<int>& pids) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("answer", NameOf(kAnswers, reply.answer));
  object.Set("error", ErrnoText(env, reply.error_number));
  object.Set("spawnStep", NameOf(kSteps, reply.spawn_step));
  object.Set("life", NameOf(kLives, reply.life));
  object.Set("frozen", reply.frozen != 0);
  object.Set("daemonised", reply.daemonised != 0);
  object.Set("outsideGroup", reply.outside_group);
  object.Set("pid", reply.pid);
  object.Set("exitCode", reply.exit_code);
  object.Set("exitSignal", reply.exit_signal);
  object.Set("thawedBy", NameOf(kThawers, reply.thawed_by));
  object.Set("generation", static_cast<double>(reply.generation));
  object.Set("requestedAtNs", Stamp(env, reply.requested_at_ns));
  object.Set("receivedAtNs", Stamp(env, reply.received_at_ns));
  object.Set("frozenAtNs", Stamp(env, reply.frozen_at_ns));
  object.Set("thawAtNs", Stamp(env, reply.thaw_at_ns));
  object.Set("runningAtNs", Stamp(env, reply.running_at_ns));
  const Napi::Array members = Napi::Array::New(env, pids.size());
  for (size_t i = 0; i < pids.size(); ++i) members.Set(static_cast<uint32_t>(i), pids[i]);
  object.Set("pids", members);
  return object;
}

}  // namespace

OpenSupervisor::~OpenSupervisor() {
  CloseOtherEnd();
}

void OpenSupervisor::CloseOtherEnd() {
  if (supervisor_fd >= 0) PacketSocket::CloseEnd(supervisor_fd);
  supervisor_fd = -1;
}

std::vector<SupervisorObject::PropertyDescriptor> SupervisorObject::Properties() {
  return {InstanceMethod<&SupervisorObject::SupervisorFd>("supervisorFd"),
          InstanceMethod<&SupervisorObject::HandedOver>("handedOver"),
          InstanceMethod<&SupervisorObject::Send>("send"),
          InstanceMethod<&SupervisorObject::Await>("await"),
          InstanceMethod<&SupervisorObject::Close>("close")};
}

Napi::Value SupervisorObject::Open(const Napi::CallbackInfo& info) {
  auto held = std::make_shared<OpenSupervisor>();
  if (!held->channel.Open(&held->supervisor_fd)) {
    throw StatusError(info.Env(), Status::kOutOfMemory, "the socket of a supervisor",
                      "a machine that has no more of them");
  }
  return Wrap(info.Env(), std::move(held));
}

Napi::Value SupervisorObject::TakeDescriptor(const Napi::CallbackInfo& info) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  const auto pid = static_cast<int>(ReadInteger(info[0], "a pid", 1, kMax));
  const auto fd = static_cast<int>(ReadInteger(info[1], "a descriptor", 0, kMax));
  standstill::Descriptor taken = standstill::TakeDescriptor(pid, fd);
  if (!taken.open()) {
    throw CodedError(info.Env(), "ERR_NETWORK_UNAVAILABLE",
                     "Expected a socket of a guest's network but its supervisor refuses it: " +
                         DescribeErrno(errno));
  }
  return Napi::Number::New(info.Env(), taken.Release());
}

Napi::Value SupervisorObject::SupervisorFd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), held_->supervisor_fd);
}

void SupervisorObject::HandedOver(const Napi::CallbackInfo&) {
  held_->CloseOtherEnd();
}

// send(kind, untilNs, deadlineNs, generation)
Napi::Value SupervisorObject::Send(const Napi::CallbackInfo& info) {
  SupervisorRequest request;
  const std::string kind = ReadString(info[0], "a request");
  size_t index = 0;
  while (index < kRequests.size() && kind != kRequests[index]) ++index;
  if (index == kRequests.size()) {
    throw CodedError(info.Env(), "ERR_INVALID_ARGUMENT",
                     "Expected a request of a supervisor but received " + kind);
  }
  request.kind = static_cast<SupervisorRequestKind>(index);
  request.until_ns = ReadStamp(info[1], "untilNs");
  request.deadline_ns = ReadStamp(info[2], "deadlineNs");
  request.generation = static_cast<uint64_t>(ReadInteger(info[3], "generation", 0, kSafeInteger));
  return Napi::Boolean::New(info.Env(), held_->channel.Send(request));
}

// await(timeoutNs): a reply, or null where none came: too late, or the supervisor is gone.
Napi::Value SupervisorObject::Await(const Napi::CallbackInfo& info) {
  const int64_t timeout_ns = ReadInteger(info[0], "timeoutNs", 0, kLongestNs);
  SupervisorReply reply;
  std::vector<int32_t> pids;
  const auto outcome =
      held_->channel.Await(MomentAfter(HostMonotonicNs(), timeout_ns), &reply, &pids);
  if (outcome != SupervisorChannel::Outcome::kAnswered) return info.Env().Null();
  return ReplyToJs(info.Env(), reply, pids);
}

void SupervisorObject::Close(const Napi::CallbackInfo&) {
  held_->CloseOtherEnd();
  held_->channel.Close();
}

std::vector<ProcessImageObject::PropertyDescriptor> ProcessImageObject::Properties() {
  return {InstanceMethod<&ProcessImageObject::Info>("info"),
          InstanceMethod<&ProcessImageObject::PageCrcs>("pageCrcs"),
          InstanceMethod<&ProcessImageObject::Compare>("compare")};
}

Napi::Value ProcessImageObject::Capture(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArray()) {
    throw CodedError(env, "ERR_INVALID_ARGUMENT",
                     "Expected an array of pids for captureProcesses but received none");
  }
  const Napi::Array list = info[0].As<Napi::Array>();
  std::vector<int> pids;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    pids.push_back(static_cast<int>(
        ReadInteger(list.Get(i), "a pid", 1, std::numeric_limits<int32_t>::max())));
  }
  struct Captured {
    ProcessImage image;
    std::optional<CaptureError> error;
  };
  return Environment::Of(env).OnPool<Captured>(
      env,
      [pids, progress = ProgressObject::Of(info[1])] {
        Captured captured;
        captured.error = CaptureProcesses(pids, *progress, &captured.image);
        return captured;
      },
      [](Napi::Env in, Captured& captured) -> Napi::Value {
        const Napi::Object object = Napi::Object::New(in);
        if (captured.error) {
          object.Set("pid", captured.error->pid);
          object.Set("error", ErrnoText(in, captured.error->number));
          object.Set("image", in.Null());
          return object;
        }
        object.Set("pid", 0);
        object.Set("error", in.Null());
        object.Set("image",
                   Wrap(in, std::make_shared<const ProcessImage>(std::move(captured.image))));
        return object;
      });
}

Napi::Value ProcessImageObject::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object object = Napi::Object::New(env);
  double mappings = 0;
  double tasks = 0;
  double tasks_with_registers = 0;
  double cpu_ns = 0;
  for (const SingleProcessImage& process : held_->processes) {
    mappings += static_cast<double>(process.mappings.size());
    for (const TaskImage& task : process.tasks) {
      tasks += 1;
      tasks_with_registers += task.registers.empty() ? 0 : 1;
      cpu_ns += static_cast<double>(task.cpu_ns);
    }
  }
  object.Set("digest", Napi::BigInt::New(env, held_->digest));
  object.Set("bytesRead", static_cast<double>(held_->bytes_read));
  object.Set("elapsedNs", static_cast<double>(held_->elapsed_ns));
  object.Set("processes", static_cast<double>(held_->processes.size()));
  object.Set("mappings", mappings);
  object.Set("tasks", tasks);
  object.Set("tasksWithRegisters", tasks_with_registers);
  object.Set("cpuTimeNs", cpu_ns);
  return object;
}

Napi::Value ProcessImageObject::PageCrcs(const Napi::CallbackInfo& info) {
  std::vector<uint64_t> crcs;
  for (const SingleProcessImage& process : held_->processes) {
    for (const MappingImage& mapping : process.mappings) {
      crcs.insert(crcs.end(), mapping.crcs.begin(), mapping.crcs.end());
    }
  }
  Napi::BigUint64Array array = Napi::BigUint64Array::New(info.Env(), crcs.size());
  std::copy(crcs.begin(), crcs.end(), array.Data());
  return array;
}

// compare(later)
Napi::Value ProcessImageObject::Compare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const ProcessDifference found = CompareImages(*held_, *Of(info[0]));
  if (found.change == ProcessChange::kNone) return env.Null();
  const Napi::Object object = Napi::Object::New(env);
  object.Set("change", NameOf(kChanges, found.change));
  object.Set("pid", found.pid);
  object.Set("address", Napi::BigInt::New(env, found.address));
  object.Set("lengthBytes", static_cast<double>(found.length_bytes));
  object.Set("permissions", found.mapping.permissions);
  object.Set("mapping", found.mapping.name);
  object.Set("pagesChanged", static_cast<double>(found.pages_changed));
  object.Set("detail", found.detail);
  return object;
}

}  // namespace standstill
