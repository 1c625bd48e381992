// What went wrong among parallel reads or writes of a file: of several the one that lies first.
//
// Threads: Run and found by any; Take when they are all over. Ordering: as the ParallelFor around it.
#pragma once

#include <atomic>
#include <mutex>
#include <new>
#include <utility>

#include "port/file.h"
#include "standstill/snapshot_file.h"

namespace standstill {

inline Status Damaged(std::string what, uint64_t offset, FileProblem* problem) {
  *problem = {std::move(what), offset};
  return Status::kSnapshotDamaged;
}
inline Status Refused(const FileError& error, uint64_t offset, FileProblem* problem) {
  *problem = {DescribeError(error), offset};
  return Status::kFileFailed;
}

class FirstProblem {
 public:
  // body(problem) answers a Status. A task must not throw, so what it throws ends here.
  template <class Body>
  void Run(const Body& body) {
    FileProblem problem;
    Status status = Status::kOk;
    try {
      status = body(&problem);
    } catch (const std::bad_alloc&) {
      status = Status::kOutOfMemory;
    }
    if (status == Status::kOk) return;
    const std::lock_guard lock(mutex_);
    if (status_ != Status::kOk && problem.offset >= problem_.offset) return;
    status_ = status;
    problem_ = std::move(problem);
    found_.store(true, std::memory_order_relaxed);
  }
  bool found() const { return found_.load(std::memory_order_relaxed); }
  Status Take(FileProblem* problem) {
    *problem = std::move(problem_);
    return status_;
  }

 private:
  std::mutex mutex_;
  Status status_ = Status::kOk;  // mutex_
  FileProblem problem_;          // mutex_
  std::atomic<bool> found_{false};
};

}  // namespace standstill
