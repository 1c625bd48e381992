#include "addon/proof_object.h"

#include <memory>
#include <utility>

#include "addon/snapshot_object.h"
#include "addon/vm_object.h"

namespace standstill {
namespace {

std::function<Napi::Error(Napi::Env, Status)> Failing(const char* operation) {
  return [operation](Napi::Env in, Status status) {
    return StatusError(in, status, operation, "one that is not");
  };
}

}  // namespace

std::vector<ProofObject::PropertyDescriptor> ProofObject::Properties() {
  return {InstanceMethod<&ProofObject::AtHalt>("atHalt"),
          InstanceMethod<&ProofObject::Finish>("finish"),
          InstanceMethod<&ProofObject::Close>("close")};
}

Napi::Value ProofObject::Prepare(const Napi::CallbackInfo& info) {
  const auto vm = VmObject::Of(info[0]);
  return OnPoolOrFail<std::unique_ptr<DeferredProof>>(
      info.Env(),
      [vm, progress = ProgressObject::Of(info[1])](std::unique_ptr<DeferredProof>* out) {
        return DeferredProof::Prepare(vm, *progress, out);
      },
      [vm](Napi::Env in, Status status) {
        return StatusError(in, status, "a proof of VM " + vm->config().name,
                           std::string("one in state ") + StateName(vm->state()));
      },
      [](Napi::Env in, std::unique_ptr<DeferredProof>& proof) {
        return Wrap(in, std::move(proof));
      });
}

Napi::Value ProofObject::AtHalt(const Napi::CallbackInfo& info) {
  const auto proof = held_;
  return OnPoolOrFail<uint64_t>(
      info.Env(), [proof](uint64_t* out) { return proof->AtHalt(out); },
      Failing("the digest at the halt"),
      [](Napi::Env in, uint64_t& pages) -> Napi::Value {
        return Napi::Number::New(in, static_cast<double>(pages));
      });
}

// finish(progress)
Napi::Value ProofObject::Finish(const Napi::CallbackInfo& info) {
  const auto proof = held_;
  return OnPoolOrFail<ProofResult>(
      info.Env(),
      [proof, progress = ProgressObject::Of(info[0])](ProofResult* out) {
        return proof->Finish(*progress, out);
      },
      Failing("the digest at the release"),
      [](Napi::Env in, ProofResult& result) -> Napi::Value {
        const Napi::Object object = Napi::Object::New(in);
        object.Set("digestBefore", Napi::BigInt::New(in, result.digest_before));
        object.Set("digestAfter", Napi::BigInt::New(in, result.digest_after));
        object.Set("bytesRead", static_cast<double>(result.bytes_read));
        object.Set("pagesChanged", static_cast<double>(result.pages_changed));
        object.Set("firstChangedPage", static_cast<double>(result.first_changed_page));
        return object;
      });
}

// On the pool, since a guest under a proof that was not finished is halted for it. The last work
// under way holds the proof as well.
Napi::Value ProofObject::Close(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env())
      .OnPool<int>(
          info.Env(),
          [proof = std::move(held_)]() mutable {
            proof.reset();
            return 0;
          },
          [](Napi::Env in, int&) -> Napi::Value { return in.Undefined(); });
}

}  // namespace standstill
