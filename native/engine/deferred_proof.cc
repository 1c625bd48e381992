#include "standstill/deferred_proof.h"

#include <atomic>
#include <bit>
#include <new>
#include <utility>

#include "engine/vm_operation.h"
#include "snapshot/page_crcs.h"
#include "util/controls.h"
#include "util/crc64.h"

namespace standstill {
namespace {

// Rounds behind the running guest: each reads what was written during the one before. More of them
// would not catch up with a guest that writes faster than memory is read.
constexpr int kRounds = 3;
constexpr uint64_t kFewPages = 64;

// Takes the CRC of each page that it is given.
class CrcSink final : public PageSink {
 public:
  explicit CrcSink(PageCrcs& crcs) : crcs_(crcs) {}
  bool Save(uint64_t page, const std::byte* bytes, bool) override {
    crcs_.Set(page, Crc64(0, {bytes, kPageBytes}));
    return true;
  }

 private:
  PageCrcs& crcs_;
};

PageSet AllPages(uint64_t pages) {
  PageSet all(pages);
  for (uint64_t index = 0; index < all.word_count(); ++index)
    all.word(index) = PageSet::WordMask(pages, index);
  return all;
}

// Those that were not zeroes when RAM began.
void AddOrigin(const FilePages* file, PageSet* pages) {
  if (file == nullptr) return;
  for (uint64_t index = 0; index < pages->word_count(); ++index)
    pages->word(index) |= file->present().word(index);
}

}  // namespace

class DeferredProof::Impl {
 public:
  explicit Impl(std::shared_ptr<Vm> vm)
      : vm(std::move(vm)), engine(*this->vm->impl_), operation(engine) {}

  Status Prepare(Progress& progress);
  void Disarm() {
    const std::lock_guard lock(engine.control);
    armed = engine.proof_armed = false;
  }

  const std::shared_ptr<Vm> vm;
  Vm::Impl& engine;
  Vm::Impl::Operation operation;
  std::unique_ptr<PageCrcs> after;  // the closing digest's; made before the freeze
  std::unique_ptr<CrcSink> sink;
  uint64_t digest_before = 0;
  bool armed = false;
};

DeferredProof::DeferredProof(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

DeferredProof::~DeferredProof() {
  if (!impl_->armed) return;
  impl_->Disarm();
  (void)impl_->operation.CancelCopy(Status::kCancelled);
}

Status DeferredProof::Prepare(std::shared_ptr<Vm> vm, Progress& progress,
                              std::unique_ptr<DeferredProof>* out) try {
  std::unique_ptr<DeferredProof> proof(new DeferredProof(std::make_unique<Impl>(std::move(vm))));
  if (const Status status = proof->impl_->Prepare(progress); status != Status::kOk) return status;
  *out = std::move(proof);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status DeferredProof::Impl::Prepare(Progress& progress) {
  {
    const std::lock_guard lock(engine.control);
    const Status status = operation.Begin(Vm::Impl::Operation::Mode::kShared, &progress);
    if (status != Status::kOk) return status;
  }
  if (engine.page_crcs.table == nullptr) {
    const Status status = PageCrcs::Create(engine.ram->pages(), &engine.page_crcs.table);
    if (status != Status::kOk) return status;
  }
  PageCrcs& crcs = *engine.page_crcs.table;
  if (const Status status = PageCrcs::Create(crcs.pages(), &after); status != Status::kOk)
    return status;
  for (int round = 0; round < kRounds; ++round) {
    CrcSink each(crcs);
    Cut cut;
    if (const Status status = operation.EndEpoch(&each, &cut); status != Status::kOk) return status;
    PageSet changed = operation.PagesNewerThan(engine.page_crcs.epoch);
    if (engine.page_crcs.epoch == 0) AddOrigin(engine.origin.get(), &changed);
    (void)operation.PassOver(changed);
    const Status status = operation.SavePages(changed, cut.was_running, progress);
    if (status != Status::kOk) return status;
    crcs.Refresh(changed);
    engine.page_crcs.epoch = cut.epoch;
    if (changed.count() <= kFewPages) break;
  }
  operation.Watch(nullptr);
  return Status::kOk;
}

Status DeferredProof::AtHalt(uint64_t* pages_read) try {
  Vm::Impl& engine = impl_->engine;
  PageCrcs& crcs = *engine.page_crcs.table;
  Lease lease;
  uint64_t epoch;
  {
    const std::lock_guard lock(engine.control);
    if (engine.closed) return Status::kClosed;
    if (!engine.halted()) return Status::kNotPaused;
    if (engine.guest->mid_step()) return Status::kBusy;
    engine.OpenForReaders();
    if (const Status status = lease.Acquire(engine.leases); status != Status::kOk) return status;
    engine.marks->ReserveClean();
    epoch = engine.EndEpochHalted().epoch;
    // Armed before anything is done to the host: whoever releases the guest, each page is read as
    // it stands at the release.
    impl_->sink = std::make_unique<CrcSink>(*impl_->after);
    engine.handover->Begin(impl_->sink.get());
    engine.guest->UseHandover(engine.handover.get());
    impl_->armed = engine.proof_armed = true;
  }
  const PageSet changed = impl_->operation.PagesNewerThan(engine.page_crcs.epoch);
  CrcSink opening(crcs);
  ForWords(changed, false, [&](uint64_t index, uint64_t word) {
    for (; word != 0 && !lease.revoked(); word &= word - 1) {
      const uint64_t page = index * PageSet::kWordPages + std::countr_zero(word);
      (void)opening.Save(page, engine.ram->base() + page * kPageBytes, false);
    }
  });
  if (lease.revoked()) {
    engine.page_crcs = {};  // some pages are of this epoch, others are not
    return engine.LeaseEnd();
  }
  if (const Status status = engine.MemoryStatus(); status != Status::kOk) return status;
  crcs.Refresh(changed);
  engine.page_crcs.epoch = epoch;
  impl_->digest_before = crcs.Whole();
  *pages_read = changed.count();
  engine.ApplyFlipControl();
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status DeferredProof::Finish(Progress& progress, ProofResult* out) try {
  Vm::Impl& engine = impl_->engine;
  if (!impl_->armed || engine.page_crcs.table == nullptr) return Status::kNotPaused;
  const PageSet all = AllPages(engine.config.ram_bytes >> kPageShift);
  impl_->Disarm();
  impl_->operation.Watch(&progress);
  const Status status =
      impl_->operation.SavePages(all, engine.gate.state() == PauseGate::kRunning, progress);
  impl_->operation.Watch(nullptr);
  if (status != Status::kOk) return status;
  if (engine.MemoryStatus() != Status::kOk) return Status::kMemoryLost;
  impl_->after->Refresh(all);
  const PageCrcs& before = *engine.page_crcs.table;
  *out = {.digest_before = impl_->digest_before,
          .digest_after = impl_->after->Whole(),
          .bytes_read = engine.config.ram_bytes};
  for (uint64_t page = 0; page < before.pages(); ++page) {
    if (before[page] == (*impl_->after)[page]) continue;
    if (out->pages_changed++ == 0) out->first_changed_page = page;
  }
  // The pages' values at the halt are those of the epoch that ended there only if nothing changed
  // behind the marks' back.
  if (out->pages_changed != 0) engine.page_crcs = {};
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
