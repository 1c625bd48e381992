// VMs that begin at a snapshot: copies of it, and clones that share its memory.
#include <new>
#include <utility>

#include "engine/vm_operation.h"

namespace standstill {
namespace {

VmConfig ConfigAt(VmConfig config, const MachineState& state) {
  config.program = state.program;
  config.ram_bytes = state.ram_bytes;
  config.params = state.params;
  config.seed = state.seed;
  return config;
}

Status MakeRam(const VmConfig& config, const Snapshot& snapshot, bool clone, Progress& progress,
               std::unique_ptr<GuestRam>* out) {
  if (!clone) return GuestRam::Create(config.ram_bytes, config.prefault, out);
  std::shared_ptr<const RamImage> image;
  const Status status = snapshot.Image(progress, &image);
  return status == Status::kOk ? GuestRam::Create(std::move(image), out) : status;
}

}  // namespace

Status Vm::Restore(const VmConfig& config, const Snapshot& snapshot, const RestoreOptions& options,
                   Progress& progress, std::shared_ptr<Vm>* out) try {
  const VmConfig own = ConfigAt(config, snapshot.state());
  std::unique_ptr<GuestRam> ram;
  Status status = MakeRam(own, snapshot, options.clone, progress, &ram);
  if (status != Status::kOk) return status;
  std::unique_ptr<Impl> impl;
  if (status = Impl::Build(own, std::move(ram), &impl); status != Status::kOk) return status;
  uint64_t epoch;
  PageSet pages(0);
  if (status = impl->FindPagesToRestore(*snapshot.table(), &epoch, &pages); status != Status::kOk)
    return status;
  if (!options.clone) impl->CopyPages(*snapshot.table(), pages, progress);
  if (progress.cancelled()) return Status::kCancelled;
  impl->Adopt(snapshot, pages, epoch);
  if (options.reseed && own.program->reseed != nullptr) {
    own.program->reseed(impl->guest->registers(), *options.reseed);
    impl->seed = *options.reseed;
  }
  return Impl::Open(std::move(impl), out);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
