// Work on the engine's pool that reads or writes a file.
//
// Threads: the environment's own; the work itself runs on the engine's pool.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "standstill/snapshot_file.h"

namespace standstill {

// The error names the file; that of a damaged one has { what, offset } as its cause.
Napi::Error FileError(Napi::Env env, Status status, const std::string& path,
                      const FileProblem& problem);

template <class T>
Napi::Promise OnPoolWithFile(Napi::Env env, const std::string& path,
                             std::function<Status(T*, FileProblem*)> work,
                             std::function<Napi::Value(Napi::Env, T&)> convert) {
  auto problem = std::make_shared<FileProblem>();
  return OnPoolOrFail<T>(
      env, [problem, work = std::move(work)](T* out) { return work(out, problem.get()); },
      [problem, path](Napi::Env in, Status status) {
        return FileError(in, status, path, *problem);
      },
      std::move(convert));
}

// Of work without a value.
inline Napi::Promise OnPoolWithFile(Napi::Env env, const std::string& path,
                                    std::function<Status(FileProblem*)> work) {
  struct Nothing {};
  return OnPoolWithFile<Nothing>(
      env, path, [work = std::move(work)](Nothing*, FileProblem* problem) { return work(problem); },
      [](Napi::Env in, Nothing&) -> Napi::Value { return in.Undefined(); });
}

}  // namespace standstill
