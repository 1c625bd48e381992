#include "port/task_pool.h"

#include <algorithm>
#include <atomic>

namespace standstill {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

// Shared with helpers that may start after the caller has returned: they then find nothing left to
// do.
struct Loop {
  Loop(uint64_t count, const std::function<void(uint64_t)>& body) : count(count), body(body) {}

  void Run() {
    for (uint64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      body(i);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
        const std::lock_guard lock(mutex);
        finished = true;
        all_done.notify_all();
      }
    }
  }

  const uint64_t count;
  const std::function<void(uint64_t)>&
      body;  // used only while an index is left, so while the caller waits
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> done{0};
  std::mutex mutex;
  std::condition_variable all_done;
  bool finished = false;  // mutex
};

}  // namespace

TaskPool& TaskPool::Get() {
  static TaskPool& pool = *new TaskPool;
  return pool;
}

TaskPool::TaskPool() : threads_(std::max(2u, CpuCount())) {}

bool TaskPool::Submit(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  if (idle_ < tasks_.size() && started_ < threads_) {
    Thread thread;
    const bool started = thread.Start(
        "standstill-pool", kStackBytes, [](void* pool) { static_cast<TaskPool*>(pool)->Work(); },
        this);
    if (started) {
      thread.Detach();
      ++started_;
    } else if (started_ == 0) {
      tasks_.pop_back();
      return false;
    }
  }
  wake_.notify_one();
  return true;
}

void TaskPool::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return !tasks_.empty(); });
    --idle_;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

void TaskPool::ParallelFor(uint64_t count, unsigned threads,
                           const std::function<void(uint64_t)>& body) {
  if (count == 0) return;
  const uint64_t wanted = std::min<uint64_t>(threads == kAllThreads ? threads_ : threads, count);
  if (wanted == 1) {
    for (uint64_t i = 0; i < count; ++i) body(i);
    return;
  }
  const auto loop = std::make_shared<Loop>(count, body);
  for (uint64_t helper = 1; helper < wanted; ++helper) {
    if (!Submit([loop] { loop->Run(); })) break;
  }
  loop->Run();
  std::unique_lock lock(loop->mutex);
  loop->all_done.wait(lock, [&] { return loop->finished; });
}

}  // namespace standstill
