#include "addon/environment.h"

#include <algorithm>
#include <cstdlib>

#include "port/task_pool.h"

namespace standstill {
namespace {

constexpr int64_t kExitTimeoutNs = 250'000'000;

// On the main thread process.exit runs no cleanup hook; guests are then stopped here, with a bound.
void StopGuestsAtExit() {
  static const int once = std::atexit([] { StopAllGuests(kExitTimeoutNs); });
  (void)once;
}

}  // namespace

bool SubmitToPool(std::function<void()> task) {
  return TaskPool::Get().Submit(std::move(task));
}

// ── Mailbox ───────────────────────────────────────────────────────────────────────────────────

Mailbox::Mailbox(Napi::Env env) {
  const napi_value name = Napi::String::New(env, "standstill");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                      &Mailbox::Deliver, &queue_) != napi_ok) {
    throw Napi::Error::New(env, "Expected a thread-safe function but received a refusal");
  }
  napi_unref_threadsafe_function(env, queue_);
}

void Mailbox::Expect(Napi::Env env) {
  if (expected_++ == 0) napi_ref_threadsafe_function(env, queue_);
}

void Mailbox::Post(Letter letter) {
  const std::lock_guard lock(mutex_);
  if (queue_ == nullptr) return;
  auto* const posted = new Letter(std::move(letter));
  if (napi_call_threadsafe_function(queue_, posted, napi_tsfn_nonblocking) != napi_ok)
    delete posted;
}

void Mailbox::Close() {
  const std::lock_guard lock(mutex_);
  if (queue_ == nullptr) return;
  napi_release_threadsafe_function(queue_, napi_tsfn_abort);
  queue_ = nullptr;
}

void Mailbox::Deliver(napi_env env, napi_value, void* raw_mailbox, void* raw_letter) {
  const std::unique_ptr<Letter> letter(static_cast<Letter*>(raw_letter));
  if (env == nullptr) return;  // the environment is going; nobody is there to hear
  auto* const mailbox = static_cast<Mailbox*>(raw_mailbox);
  if (--mailbox->expected_ == 0) napi_unref_threadsafe_function(env, mailbox->queue_);
  try {
    (*letter)(env);
  } catch (const Napi::Error&) {
    // The worker is being terminated, so that not even a rejection arrives. Node's frames below
    // carry no C++ exception.
  }
}

// ── Environment ───────────────────────────────────────────────────────────────────────────────

void Environment::Create(Napi::Env env) {
  StopGuestsAtExit();
  auto* const environment = new Environment(env);
  env.SetInstanceData<Environment>(environment);
  // Runs before the finalizers of what JavaScript still holds; those find their VMs closed already.
  env.AddCleanupHook([environment] { environment->Leave(); });
}

void Environment::Own(const std::shared_ptr<Vm>& vm) {
  std::erase_if(vms_, [](const std::weak_ptr<Vm>& known) { return known.expired(); });
  vms_.push_back(vm);
}

void Environment::Leave() {
  mailbox_->Close();
  for (const auto& known : vms_) {
    if (const auto vm = known.lock()) vm->Close();
  }
  vms_.clear();
}

Napi::Promise Environment::Promised(Napi::Env env, Settler* settler) {
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  mailbox_->Expect(env);
  *settler = [mailbox = mailbox_, deferred](std::function<Napi::Value(Napi::Env)> value) {
    mailbox->Post([deferred, value = std::move(value)](Napi::Env in) {
      const Napi::HandleScope scope(in);
      try {
        deferred.Resolve(value(in));
      } catch (const Napi::Error& error) {
        deferred.Reject(error.Value());
      }
    });
  };
  return deferred.Promise();
}

}  // namespace standstill
