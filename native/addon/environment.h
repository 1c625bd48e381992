// What one Node environment (the main thread, or a worker) owns of the addon: the classes, the
// error class, the mailbox by which other threads reach it, and the VMs that must be closed when it
// goes.
//
// Threads: the environment's own, except Mailbox::Post, which any thread may call at any time, also
// after the environment has gone.
#pragma once

#include <napi.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "addon/status_error.h"
#include "standstill/vm.h"

namespace standstill {

// Letters from any thread to the environment's own. A letter that is expected keeps the event loop
// alive; a running VM does not.
class Mailbox {
 public:
  using Letter = std::function<void(Napi::Env)>;

  explicit Mailbox(Napi::Env env);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void Expect(Napi::Env env);  // environment's thread: one letter more is to come
  void Post(Letter letter);    // any thread: delivers it; dropped where the environment has gone
  void Close();                // environment's thread, as it goes

 private:
  static void Deliver(napi_env env, napi_value, void* mailbox, void* letter);

  std::mutex mutex_;
  napi_threadsafe_function queue_ = nullptr;  // mutex_; null once closed
  size_t expected_ = 0;                       // the environment's thread
};

class Environment {
 public:
  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
  static void Create(Napi::Env env);

  explicit Environment(Napi::Env env) : mailbox_(std::make_shared<Mailbox>(env)) {}

  void set_error_class(const Napi::Function& error_class) {
    error_class_ = Napi::Persistent(error_class);
  }
  Napi::FunctionReference& error_class() { return error_class_; }
  // The constructor of the objects with this tag, which is one of the addon's constants.
  Napi::FunctionReference& class_of(const napi_type_tag& tag) { return classes_[&tag]; }

  void Own(const std::shared_ptr<Vm>& vm);
  void Leave();  // closes the mailbox and every VM; idempotent

  // A promise for `work` done on the engine's pool; `convert` makes its value (or throws) on this
  // thread.
  template <class Result>
  Napi::Promise OnPool(Napi::Env env, std::function<Result()> work,
                       std::function<Napi::Value(Napi::Env, Result&)> convert);
  // A promise settled by whoever calls the settler, once, on any thread.
  using Settler = std::function<void(std::function<Napi::Value(Napi::Env)>)>;
  Napi::Promise Promised(Napi::Env env, Settler* settler);

 private:
  Napi::FunctionReference error_class_;
  std::map<const napi_type_tag*, Napi::FunctionReference> classes_;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<std::weak_ptr<Vm>> vms_;
};

bool SubmitToPool(std::function<void()> task);

// A promise for work on the engine's pool that answers a status and fills a value: the error is
// made by `fail`, the value by `convert`, both on the environment's thread.
template <class T>
Napi::Promise OnPoolOrFail(Napi::Env env, std::function<Status(T*)> work,
                           std::function<Napi::Error(Napi::Env, Status)> fail,
                           std::function<Napi::Value(Napi::Env, T&)> convert) {
  struct Answer {
    Status status = Status::kOk;
    T value{};
  };
  return Environment::Of(env).OnPool<Answer>(
      env,
      [work = std::move(work)] {
        Answer answer;
        answer.status = work(&answer.value);
        return answer;
      },
      [fail = std::move(fail), convert = std::move(convert)](Napi::Env in,
                                                             Answer& answer) -> Napi::Value {
        if (answer.status != Status::kOk) throw fail(in, answer.status);
        return convert(in, answer.value);
      });
}

template <class Result>
Napi::Promise Environment::OnPool(Napi::Env env, std::function<Result()> work,
                                  std::function<Napi::Value(Napi::Env, Result&)> convert) {
  Settler settle;
  const Napi::Promise promise = Promised(env, &settle);
  const bool submitted = SubmitToPool([settle, work = std::move(work), convert]() mutable {
    auto result = std::make_shared<Result>(work());
    work = nullptr;  // what it holds is free before anybody hears of the result
    settle([result, convert](Napi::Env in) { return convert(in, *result); });
  });
  if (!submitted) {
    settle([](Napi::Env in) -> Napi::Value {
      throw StatusError(in, Status::kThreadFailed, "work on RAM", "none");
    });
  }
  return promise;
}

}  // namespace standstill
