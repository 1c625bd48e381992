// The pool: each index once, the caller taking part, and what was done is seen.
#include "port/task_pool.h"

#include <doctest/doctest.h>

#include <set>
#include <thread>
#include <vector>

#include "support.h"

namespace standstill {

using namespace testing;

TEST_CASE("task pool: a loop's body runs once for each index, and its stores are seen") {
  for (const unsigned threads : {TaskPool::kAllThreads, 1u, 2u, 3u, 64u}) {
    for (const uint64_t count : {0u, 1u, 2u, 7u, 1000u}) {
      CAPTURE(threads);
      CAPTURE(count);
      std::vector<uint64_t> counts(count);  // plain: each index belongs to one thread
      TaskPool::Get().ParallelFor(count, threads, [&](uint64_t i) { counts[i] += i + 1; });
      for (uint64_t i = 0; i < count; ++i) REQUIRE(counts[i] == i + 1);
    }
  }
}

TEST_CASE("task pool: is bounded, and a loop of one thread is the caller's own") {
  CHECK(TaskPool::Get().threads() >= 2);
  const auto caller = std::this_thread::get_id();
  std::set<std::thread::id> ids;
  TaskPool::Get().ParallelFor(50, 1, [&](uint64_t) { ids.insert(std::this_thread::get_id()); });
  CHECK(ids == std::set{caller});
}

TEST_CASE("task pool: loops from many threads at once, and inside loops, all end") {
  std::atomic<uint64_t> done{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < Rounds(200, 50); ++i) {
        TaskPool::Get().ParallelFor(8, TaskPool::kAllThreads, [&](uint64_t) {
          TaskPool::Get().ParallelFor(3, 2, [&](uint64_t) { done.fetch_add(1); });
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(done.load() == static_cast<uint64_t>(4 * Rounds(200, 50) * 8 * 3));
}

TEST_CASE("task pool: every submitted task runs once, after what was done before it") {
  constexpr int kTasks = 500;
  std::vector<int> values(kTasks);  // plain
  std::atomic<int> done{0};
  std::atomic<int> wrong{0};
  for (int i = 0; i < kTasks; ++i) {
    values[static_cast<size_t>(i)] = i;
    REQUIRE(TaskPool::Get().Submit([&, i] {
      if (values[static_cast<size_t>(i)] != i) wrong.fetch_add(1);
      done.fetch_add(1);
    }));
  }
  CHECK(Eventually([&] { return done.load() == kTasks; }));
  CHECK(wrong.load() == 0);
}

}  // namespace standstill
