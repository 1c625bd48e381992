// The timer: callbacks in the order of their moments, never early, none after it was disarmed.
#include "engine/deadline.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "support.h"

namespace standstill {

using namespace testing;

TEST_CASE("deadline: a callback comes once, on another thread, and not before its moment") {
  for (const int64_t delay_ns : {int64_t{-5}, int64_t{0}, int64_t{100'000}, 5 * kMillisecondNs}) {
    CAPTURE(delay_ns);
    const int64_t at_ns = HostMonotonicNs() + delay_ns;
    std::atomic<int64_t> came_at_ns{0};
    std::atomic<int> times{0};
    std::atomic<bool> elsewhere{false};
    const auto caller = std::this_thread::get_id();
    DeadlineTimer::Handle handle;
    REQUIRE(DeadlineTimer::Get().Arm(
        at_ns,
        [&] {
          elsewhere.store(std::this_thread::get_id() != caller);
          came_at_ns.store(HostMonotonicNs());
          times.fetch_add(1);
        },
        &handle));
    REQUIRE(Eventually([&] { return times.load() != 0; }));
    CHECK(came_at_ns.load() >= at_ns);
    CHECK(elsewhere.load());
    CHECK_FALSE(DeadlineTimer::Get().Disarm(handle));
    SleepNs(kMillisecondNs);
    CHECK(times.load() == 1);
  }
}

TEST_CASE("deadline: callbacks come in the order of their moments, however they were armed") {
  constexpr int kEntries = 50;
  std::mutex mutex;
  std::vector<int> order;
  const int64_t from_ns = HostMonotonicNs() + 20 * kMillisecondNs;
  for (int i = 0; i < kEntries; ++i) {
    const int place = (i * 37) % kEntries;
    DeadlineTimer::Handle handle;
    REQUIRE(DeadlineTimer::Get().Arm(
        from_ns + place * 50'000,
        [&, place] {
          const std::lock_guard lock(mutex);
          order.push_back(place);
        },
        &handle));
  }
  REQUIRE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return order.size() == kEntries;
  }));
  for (int i = 0; i < kEntries; ++i) CHECK(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("deadline: one that comes sooner than those armed before it does not wait for them") {
  DeadlineTimer::Handle far;
  REQUIRE(DeadlineTimer::Get().Arm(
      HostMonotonicNs() + 2 * kPatienceNs, [] {}, &far));
  SleepNs(2 * kMillisecondNs);  // the timer sleeps towards it
  std::atomic<bool> came{false};
  DeadlineTimer::Handle near;
  REQUIRE(DeadlineTimer::Get().Arm(
      HostMonotonicNs() + kMillisecondNs, [&] { came.store(true); }, &near));
  CHECK(Eventually([&] { return came.load(); }));
  CHECK(DeadlineTimer::Get().Disarm(far));
  CHECK_FALSE(DeadlineTimer::Get().Disarm(far));
}

TEST_CASE("deadline: a moment without end is never reached") {
  DeadlineTimer::Handle never;
  std::atomic<bool> came{false};
  REQUIRE(DeadlineTimer::Get().Arm(
      std::numeric_limits<int64_t>::max(), [&] { came.store(true); }, &never));
  SleepNs(5 * kMillisecondNs);
  CHECK_FALSE(came.load());
  CHECK(DeadlineTimer::Get().Disarm(never));
}

TEST_CASE("deadline: disarmed or run, never both and never neither") {
  constexpr uint64_t kSeed = 0xD15A;
  CAPTURE(kSeed);
  Prng random{kSeed};
  int disarmed = 0;
  const int rounds = Rounds(2000, 400);
  auto ran = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < rounds; ++i) {
    DeadlineTimer::Handle handle;
    REQUIRE(DeadlineTimer::Get().Arm(
        HostMonotonicNs() + static_cast<int64_t>(random.Below(40'000)),
        [ran] { ran->fetch_add(1); }, &handle));
    SpinNs(static_cast<int64_t>(random.Below(60'000)));
    if (DeadlineTimer::Get().Disarm(handle)) ++disarmed;
  }
  CHECK(Eventually([&] { return ran->load() + disarmed == rounds; }));
  SleepNs(kMillisecondNs);
  CHECK(ran->load() + disarmed == rounds);
}

TEST_CASE("deadline: what was done before arming is seen by the callback, which may arm another") {
  uint64_t word = 0;  // plain
  std::atomic<uint64_t> seen{0};
  word = 41;
  DeadlineTimer::Handle outer;
  DeadlineTimer::Handle inner;
  REQUIRE(DeadlineTimer::Get().Arm(
      HostMonotonicNs(),
      [&] {
        ++word;
        (void)DeadlineTimer::Get().Arm(
            HostMonotonicNs(), [&] { seen.store(word); }, &inner);
      },
      &outer));
  REQUIRE(Eventually([&] { return seen.load() != 0; }));
  CHECK(seen.load() == 42);
}

}  // namespace standstill
