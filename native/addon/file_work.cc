#include "addon/file_work.h"

namespace standstill {
namespace {

std::string Received(Status status, const FileProblem& problem) {
  switch (status) {
    case Status::kSnapshotDamaged:
      return problem.what + " at byte " + std::to_string(problem.offset);
    case Status::kFileFailed:
    case Status::kMemoryLost:
      return problem.what;
    case Status::kSnapshotMismatch:
      return "a base that it does not build on, or that another host holds";
    case Status::kCancelled:
      return "a cancellation";
    default:
      return "less";
  }
}

}  // namespace

Napi::Error FileError(Napi::Env env, Status status, const std::string& path,
                      const FileProblem& problem) {
  const Napi::Error error = StatusError(env, status, path, Received(status, problem));
  if (status == Status::kSnapshotDamaged) {
    const Napi::Object damage = Napi::Object::New(env);
    damage.Set("what", problem.what);
    damage.Set("offset", static_cast<double>(problem.offset));
    error.Value().Set("cause", damage);
  }
  return error;
}

}  // namespace standstill
