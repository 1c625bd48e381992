// What bounds, marks and safepoints cost a guest: each program as the engine runs it, against the
// same program without any of them, in turns on one guest. Also what a live copy of the RAM costs
// it. bench/main.mjs asks over stdin, a line a request; one request as arguments works too.
//
//   cost PROGRAM VARIANT MIB ROUNDS ROUND_US
//       nanoseconds a step, by round, for each way of running
//
//   live PROGRAM VARIANT MIB ROUNDS
//       the guest's pace alone, beside a plain copy, and while its RAM is copied live
//
// VARIANT is the program's first parameter for page-writer (0 uniform, 1 zipfian, 2 sequential),
// and ignored for the others.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "bare_ram.h"
#include "flat_sink.h"
#include "guest/hash_chain.h"
#include "guest/kv_store.h"
#include "guest/page_writer.h"
#include "guest/queue.h"
#include "guest/ticker.h"
#include "json_lines.h"
#include "machine.h"
#include "memory/handover.h"
#include "port/memory.h"

namespace standstill::bench {
namespace {

struct Request {
  std::string kind;
  std::string program;
  int variant = 0;
  uint64_t mib = 0;
  int rounds = 0;
  int64_t round_us = 0;
};

std::unique_ptr<Machine> MakeMachine(const Request& request) {
  const Program& program = *FindProgram(request.program);
  ParamValues params{};
  for (size_t i = 0; i < program.params.size(); ++i) params[i] = program.params[i].value_default;
  if (program.name == PageWriter::kName) params[PageWriter::kPattern] = request.variant;
  return std::make_unique<Machine>(program, request.mib << 20, params);
}

template <class Run>
Timing Time(const Run& run) {
  const int64_t preemptions = Preemptions();
  const int64_t from_ns = HostMonotonicNs();
  run();
  const int64_t elapsed_ns = HostMonotonicNs() - from_ns;
  return {elapsed_ns, Preemptions() != preemptions};
}

// A hand-over with every page saved: what is left of it is the look at the page's state.
struct Saved {
  explicit Saved(GuestRam& ram) {
    target = MapAnonymous(ram.size_bytes());
    SS_CHECK(target != nullptr && Populate(target, ram.size_bytes()));
    sink = std::make_unique<FlatSink>(target);
    SS_CHECK(Handover::Create(ram, {}, &handover) == Status::kOk);
    handover->Begin(sink.get());
    CopyPages(*handover, 0, ram.pages());
    bytes = ram.size_bytes();
  }
  ~Saved() { Unmap(target, bytes); }
  std::byte* target;
  uint64_t bytes;
  std::unique_ptr<FlatSink> sink;
  std::unique_ptr<Handover> handover;
};

// ── cost ──────────────────────────────────────────────────────────────────────────────────────

template <class P>
JsonLine Cost(const Request& request) {
  const OneCpu one_cpu;
  const auto machine = MakeMachine(request);
  const Saved saved(machine->ram());
  void* const registers = machine->guest().registers();
  TickerStats ticker;
  Inputs inputs;
  inputs.ticker = &ticker;
  const auto in_one_go = [&](auto run) {
    return [&, run](uint64_t steps) {
      const RamWindow window = machine->window(saved.handover.get());
      return Time([&] { run(registers, window, inputs, machine->clock(), steps); });
    };
  };
  struct Way {
    const char* name;
    std::function<Timing(uint64_t)> run;
    std::vector<int64_t> round_ps = {};  // picoseconds a step; 0: preempted
  };
  std::array<Way, 5> ways = {{
      {"bare", in_one_go(&RunInOneGo<P, BareRam>)},
      {"bounds", in_one_go(&RunInOneGo<P, CheckedRam<NoClaim>>)},
      {"boundsAndMarks", in_one_go(&RunInOneGo<P, CheckedRam<MarkWrites>>)},
      {"boundsMarksAndHandOver", in_one_go(&RunInOneGo<P, CheckedRam<MarkAndHandOverWrites>>)},
      {"engine", [&](uint64_t steps) { return machine->RunGuest(steps); }},
  }};
  // As many steps as fill a round, by the faster of two runs: one may have been disturbed.
  uint64_t steps = 1000;
  const auto fills_a_round = [&] {
    const int64_t first_ns = ways[0].run(steps).elapsed_ns;
    return std::min(first_ns, ways[0].run(steps).elapsed_ns) >= request.round_us * 1000;
  };
  while (!fills_a_round()) steps *= 2;
  for (int round = -2; round < request.rounds; ++round) {
    for (size_t i = 0; i < ways.size(); ++i) {
      Way& way = ways[(i + static_cast<size_t>(round + 2)) % ways.size()];
      const Timing timing = way.run(steps);
      if (round < 0) continue;
      way.round_ps.push_back(
          timing.preempted ? 0 : timing.elapsed_ns * 1000 / static_cast<int64_t>(steps));
    }
  }
  JsonLine line;
  for (const Way& way : ways) line.Add(way.name, way.round_ps);
  return line.Add("stepsPerRound", steps).Add("sound", machine->Sound() ? 1 : 0);
}

// ── live ──────────────────────────────────────────────────────────────────────────────────────

// The guest's pace while `work` runs on this thread.
template <class Work>
int64_t PaceWhile(Machine& machine, const Work& work) {
  const uint64_t steps = machine.guest().steps();
  const int64_t from_ns = HostMonotonicNs();
  work();
  const int64_t elapsed_ns = HostMonotonicNs() - from_ns;
  const auto stepped = static_cast<int64_t>(machine.guest().steps() - steps);
  return stepped == 0 ? 0 : elapsed_ns * 1000 / stepped;
}

template <class P>
JsonLine Live(const Request& request) {
  const auto machine = MakeMachine(request);
  GuestThread& guest = machine->guest();
  GuestRam& ram = machine->ram();
  std::byte* const target = MapAnonymous(ram.size_bytes());
  SS_CHECK(target != nullptr && Populate(target, ram.size_bytes()));
  FlatSink sink(target);
  std::unique_ptr<Handover> handover;
  SS_CHECK(Handover::Create(ram, guest.waiter(), &handover) == Status::kOk);

  std::vector<int64_t> bare_ps, alone_ps, beside_copy_ps, live_ps, live_ns, guest_pages;
  guest.SetTarget(GuestThread::kNoTarget);
  for (int round = -1; round < request.rounds; ++round) {
    // The program with none of the costs, for as long as a copy takes.
    uint64_t steps = 1000;
    Timing bare;
    do {
      steps *= 2;
      bare = Time([&] {
        RunInOneGo<P, BareRam>(guest.registers(), machine->window(nullptr), {}, machine->clock(),
                               steps);
      });
    } while (bare.elapsed_ns < 5'000'000);
    machine->Release();
    const int64_t alone = PaceWhile(*machine, [] { SleepNs(20'000'000); });
    // A copy that keeps nothing apart from the guest: what the memory itself costs.
    const int64_t beside_copy = PaceWhile(*machine, [&] {
      for (uint64_t at = 0; at < ram.size_bytes(); at += kPageBytes)
        std::memcpy(target + at, ram.base() + at, kPageBytes);
    });
    machine->Halt();
    machine->EndEpoch();
    handover->Begin(&sink);
    guest.UseHandover(handover.get());
    machine->Release();
    const int64_t from_ns = HostMonotonicNs();
    const int64_t live = PaceWhile(*machine, [&] {
      for (uint64_t page = 0; page < ram.pages(); page += PageSet::kWordPages)
        handover->SavePages(page / PageSet::kWordPages, ~uint64_t{0});
      handover->AwaitFinished();
    });
    const int64_t elapsed_ns = HostMonotonicNs() - from_ns;
    machine->Halt();
    if (round < 0) continue;
    bare_ps.push_back(bare.elapsed_ns * 1000 / static_cast<int64_t>(steps));
    alone_ps.push_back(alone);
    beside_copy_ps.push_back(beside_copy);
    live_ps.push_back(live);
    live_ns.push_back(elapsed_ns);
    guest_pages.push_back(static_cast<int64_t>(handover->pages_saved_by_guest()));
  }
  const bool sound = machine->Sound();
  Unmap(target, ram.size_bytes());
  JsonLine line;
  line.Add("bare", bare_ps).Add("alone", alone_ps).Add("besideCopy", beside_copy_ps);
  line.Add("live", live_ps).Add("copyNs", live_ns).Add("pagesCopiedByGuest", guest_pages);
  return line.Add("pages", ram.pages()).Add("sound", sound ? 1 : 0);
}

// ── Requests ──────────────────────────────────────────────────────────────────────────────────

template <class P>
JsonLine AnswerFor(const Request& request) {
  return request.kind == "live" ? Live<P>(request) : Cost<P>(request);
}

JsonLine Answer(const std::string& text) {
  Request request;
  std::istringstream words(text);
  words >> request.kind >> request.program >> request.variant >> request.mib >> request.rounds >>
      request.round_us;
  JsonLine error;
  error.Add("error", "unknown request");
  const bool timed = request.kind == "cost" && request.round_us >= 1;
  const bool sized = request.mib >= 1 && request.mib <= 64 * 1024 && request.rounds >= 1;
  if (!sized || !(timed || request.kind == "live")) return error;
  if (request.program == PageWriter::kName) return AnswerFor<PageWriter>(request);
  if (request.program == KvStore::kName) return AnswerFor<KvStore>(request);
  if (request.program == Queue::kName) return AnswerFor<Queue>(request);
  if (request.program == HashChain::kName) return AnswerFor<HashChain>(request);
  if (request.program == Ticker::kName) return AnswerFor<Ticker>(request);
  return error;
}

}  // namespace
}  // namespace standstill::bench

int main(int argc, char** argv) {
  using standstill::bench::Answer;
  if (argc > 1) {
    std::string request;
    for (int i = 1; i < argc; ++i) (request += argv[i]) += ' ';
    Answer(request).Print();
    return 0;
  }
  for (std::string request; std::getline(std::cin, request);) Answer(request).Print();
  return 0;
}
