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

// How a RAM that is to equal a snapshot begins: as the file, where the snapshot has pages in one; as
// the snapshot's image for a clone, where its pages are in memory; else as zeroes.
struct Beginning {
  std::unique_ptr<GuestRam> ram;
  std::shared_ptr<const FilePages> file;  // null: not as one
  bool equal = false;                     // to the snapshot
};

Status Begin(const VmConfig& config, const Snapshot& snapshot, bool clone, Progress& progress,
             Beginning* out) {
  const PageTable& table = *snapshot.table();
  if (table.file() != nullptr && (!clone || table.AllInFile())) {
    out->file = table.file();
    return GuestRam::Create(out->file->image(), config.prefault, &out->ram);
  }
  if (!clone) return GuestRam::Create(config.ram_bytes, config.prefault, &out->ram);
  out->equal = true;
  std::shared_ptr<const RamImage> image;
  const Status status = snapshot.Image(progress, &image);
  return status == Status::kOk ? GuestRam::Create(std::move(image), false, &out->ram) : status;
}

}  // namespace

Status Vm::Restore(const VmConfig& config, const Snapshot& snapshot, const RestoreOptions& options,
                   Progress& progress, std::shared_ptr<Vm>* out) try {
  const VmConfig own = ConfigAt(config, snapshot.state());
  Beginning beginning;
  Status status = Begin(own, snapshot, options.clone, progress, &beginning);
  if (status != Status::kOk) return status;
  std::unique_ptr<Impl> impl;
  if (status = Impl::Build(own, std::move(beginning.ram), &impl); status != Status::kOk)
    return status;
  impl->origin = beginning.file;
  uint64_t epoch;
  PageSet pages(0);
  if (status = impl->FindPagesToRestore(*snapshot.table(), &epoch, &pages); status != Status::kOk)
    return status;
  if (!beginning.equal) impl->CopyPages(*snapshot.table(), pages, progress);
  if (progress.cancelled()) return Status::kCancelled;
  if (status = snapshot.table()->Health(); status != Status::kOk) return status;
  impl->Adopt(snapshot, pages, epoch);
  if (status = impl->MemoryStatus(); status != Status::kOk) return status;
  if (options.reseed && own.program->reseed != nullptr) {
    own.program->reseed(impl->guest->registers(), *options.reseed);
    impl->seed = *options.reseed;
  }
  return Impl::Open(std::move(impl), out);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
