#include "addon/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "addon/snapshot_object.h"
#include "addon/status_error.h"

namespace standstill {
namespace {

constexpr std::array<const char*, 3> kSyncModes = {"step", "slew", "off"};

// In words that run no code of the caller's, as an object's own toString would.
std::string Describe(const Napi::Value& received) {
  if (received.IsSymbol()) return "a symbol";
  if (received.IsFunction()) return "a function";
  if (received.IsObject()) return "an object";
  return received.ToString().Utf8Value();
}

Napi::Error Refuse(Napi::Env env, const std::string& expected, const std::string& name,
                   const Napi::Value& received) {
  return CodedError(
      env, "ERR_INVALID_ARGUMENT",
      "Expected " + expected + " for " + name + " but received " + Describe(received));
}

double ReadNumber(const Napi::Value& value, const std::string& name, double min, double max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= min && number <= max)) {
    const std::string range = std::to_string(min) + " to " + std::to_string(max);
    throw Refuse(value.Env(), "a number from " + range, name, value);
  }
  return number;
}

uint64_t ReadBigInt(const Napi::Value& value, const std::string& name) {
  bool lossless = false;
  const uint64_t number = value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless) throw Refuse(value.Env(), "a bigint from 0 to 2^64 - 1", name, value);
  return number;
}

bool ReadBool(const Napi::Value& value, const std::string& name) {
  if (!value.IsBoolean()) throw Refuse(value.Env(), "a boolean", name, value);
  return value.As<Napi::Boolean>().Value();
}

ParamValues ReadParams(const Program& program, const Napi::Object& from) {
  ParamValues values{};
  for (size_t i = 0; i < program.params.size(); ++i) values[i] = program.params[i].value_default;
  const Napi::Array names = from.GetPropertyNames();
  for (uint32_t n = 0; n < names.Length(); ++n) {
    const std::string name = names.Get(n).ToString().Utf8Value();
    size_t i = 0;
    while (i < program.params.size() && program.params[i].name != name) ++i;
    if (i == program.params.size()) {
      throw CodedError(
          from.Env(), "ERR_UNKNOWN_PARAMETER",
          "Expected a parameter of program " + std::string(program.name) + " but received " + name);
    }
    values[i] = ReadNumber(from.Get(name), "parameter " + name, program.params[i].value_min,
                           program.params[i].value_max);
  }
  return values;
}

Napi::Object HistogramToJs(Napi::Env env, const Histogram& histogram) {
  const Napi::Object object = Napi::Object::New(env);
  const Napi::Array buckets = Napi::Array::New(env);
  for (size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    const uint64_t count = histogram.Count(bucket);
    if (count == 0) continue;
    const Napi::Array pair = Napi::Array::New(env, 2);
    pair.Set(0u, static_cast<double>(Histogram::LowerBound(bucket)));
    pair.Set(1u, static_cast<double>(count));
    buckets.Set(buckets.Length(), pair);
  }
  object.Set("maxNs", static_cast<double>(histogram.max_ns()));
  object.Set("buckets", buckets);
  return object;
}

Napi::Value TickerToJs(Napi::Env env, const TickerStats* ticker) {
  if (ticker == nullptr) return env.Null();
  const Napi::Object object = Napi::Object::New(env);
  object.Set("ticks", static_cast<double>(ticker->ticks()));
  object.Set("hiddenTotalNs", static_cast<double>(ticker->hidden_total_ns()));
  object.Set("guestGapMaxNs", static_cast<double>(ticker->window_guest_gap_max_ns()));
  object.Set("trueGapMaxNs", static_cast<double>(ticker->window_true_gap_max_ns()));
  object.Set("wallJumpMaxNs", static_cast<double>(ticker->window_wall_jump_max_ns()));
  object.Set("guestGap", HistogramToJs(env, ticker->guest_gap()));
  object.Set("trueGap", HistogramToJs(env, ticker->true_gap()));
  return object;
}

Napi::Value FaultToJs(Napi::Env env, const FaultReport& report) {
  static constexpr std::array<const char*, 4> kKinds = {"", "out-of-range", "misaligned",
                                                        "memory-lost"};
  if (report.fault.kind == FaultKind::kNone) return env.Null();
  const Napi::Object object = Napi::Object::New(env);
  object.Set("kind", kKinds[static_cast<size_t>(report.fault.kind)]);
  object.Set("gpa", static_cast<double>(report.fault.gpa));
  object.Set("sizeBytes", static_cast<double>(report.fault.size_bytes));
  object.Set("step", static_cast<double>(report.step));
  return object;
}

Napi::String ToJs(Napi::Env env, std::string_view text) {
  return Napi::String::New(env, text.data(), text.size());
}

Napi::BigInt Stamp(Napi::Env env, int64_t ns) {
  return Napi::BigInt::New(env, ns);
}

}  // namespace

std::string ReadString(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) throw Refuse(value.Env(), "a string", name, value);
  return value.As<Napi::String>().Utf8Value();
}

std::vector<std::byte> ReadBytes(const Napi::Value& value, const std::string& name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    throw Refuse(value.Env(), "a Uint8Array", name, value);
  const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  const auto bytes = std::as_bytes(std::span(array.Data(), array.ByteLength()));
  return {bytes.begin(), bytes.end()};
}

int64_t ReadInteger(const Napi::Value& value, const std::string& name, int64_t min, int64_t max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) ||
      number != std::floor(number)) {
    const std::string range = std::to_string(min) + " to " + std::to_string(max);
    throw Refuse(value.Env(), "a whole number from " + range, name, value);
  }
  return static_cast<int64_t>(number);
}

std::optional<SyncPolicy> ReadSyncPolicy(const Napi::Object& options) {
  const Napi::Value value = options.Get("clockSync");
  if (value.IsNull() || value.IsUndefined()) return std::nullopt;
  if (!value.IsObject()) throw Refuse(options.Env(), "an object", "clockSync", value);
  const Napi::Object from = value.As<Napi::Object>();
  SyncPolicy policy;
  policy.delay_ns = ReadInteger(from.Get("delayNs"), "delayNs", 0, kSafeInteger);
  policy.slew_ppm = ReadInteger(from.Get("slewPpm"), "slewPpm", 1, 500'000);
  const Napi::Value mode = from.Get("mode");
  const std::string name = ReadString(mode, "mode");
  size_t i = 0;
  while (i < kSyncModes.size() && name != kSyncModes[i]) ++i;
  if (i == kSyncModes.size()) throw Refuse(options.Env(), "step, slew or off", "mode", mode);
  policy.mode = static_cast<SyncMode>(i);
  return policy;
}

VmConfig ReadVmConfig(const Napi::Object& from) {
  VmConfig config;
  config.name = ReadString(from.Get("name"), "name");
  const std::string program = ReadString(from.Get("program"), "program");
  config.program = FindProgram(program);
  if (config.program == nullptr) {
    throw CodedError(from.Env(), "ERR_UNKNOWN_PROGRAM",
                     "Expected a known program but received " + program);
  }
  config.ram_bytes =
      static_cast<uint64_t>(ReadInteger(from.Get("ramBytes"), "ramBytes", 0, kSafeInteger));
  const Napi::Value params = from.Get("params");
  if (!params.IsObject()) throw Refuse(from.Env(), "an object", "params", params);
  config.params = ReadParams(*config.program, params.As<Napi::Object>());
  config.seed = ReadBigInt(from.Get("seed"), "seed");
  config.duty_cycle = ReadNumber(from.Get("dutyCycle"), "dutyCycle", 0, 1);
  config.prefault = ReadBool(from.Get("prefault"), "prefault");
  config.sync = ReadSyncPolicy(from).value_or(config.sync);
  if (const Napi::Value store = from.Get("pageStore"); !store.IsNull() && !store.IsUndefined())
    config.page_store = PageStoreObject::Of(store);
  return config;
}

RestoreConfig ReadRestoreConfig(const Napi::Object& from) {
  RestoreConfig config;
  config.vm.name = ReadString(from.Get("name"), "name");
  config.vm.duty_cycle = ReadNumber(from.Get("dutyCycle"), "dutyCycle", 0, 1);
  config.vm.prefault = ReadBool(from.Get("prefault"), "prefault");
  config.vm.sync = ReadSyncPolicy(from).value_or(config.vm.sync);
  if (const Napi::Value store = from.Get("pageStore"); !store.IsNull())
    config.vm.page_store = PageStoreObject::Of(store);
  config.options.clone = ReadBool(from.Get("clone"), "clone");
  if (const Napi::Value seed = from.Get("seed"); !seed.IsNull())
    config.options.reseed = ReadBigInt(seed, "seed");
  return config;
}

ExploreOptions ReadExploreOptions(const Napi::Value& value) {
  if (!value.IsObject()) throw Refuse(value.Env(), "an object", "the options of explore", value);
  const Napi::Object from = value.As<Napi::Object>();
  ExploreOptions options;
  options.runs = static_cast<uint64_t>(ReadInteger(from.Get("runs"), "runs", 0, kSafeInteger));
  options.steps = static_cast<uint64_t>(ReadInteger(from.Get("steps"), "steps", 0, kSafeInteger));
  options.seed = ReadBigInt(from.Get("seed"), "seed");
  options.check = ReadBool(from.Get("check"), "check");
  return options;
}

FreezeOptions ReadFreezeOptions(const Napi::Object& from) {
  FreezeOptions options;
  options.budget_ns = ReadInteger(from.Get("budgetNs"), "budgetNs", 1, kSafeInteger);
  options.handshake_timeout_ns =
      ReadInteger(from.Get("handshakeTimeoutNs"), "handshakeTimeoutNs", 1, kSafeInteger);
  options.sync = ReadSyncPolicy(from);
  return options;
}

DigestOptions ReadDigestOptions(const Napi::Value& from) {
  DigestOptions options;
  if (!from.IsObject()) return options;
  const Napi::Object object = from.As<Napi::Object>();
  if (object.Has("share")) options.share = ReadNumber(object.Get("share"), "share", 1e-9, 1);
  if (object.Has("seed")) options.seed = ReadBigInt(object.Get("seed"), "seed");
  if (object.Has("threads")) {
    options.threads = static_cast<unsigned>(ReadInteger(object.Get("threads"), "threads", 0, 4096));
  }
  return options;
}

Napi::Array ProgramsToJs(Napi::Env env) {
  static constexpr std::array<const char*, 4> kKinds = {"integer", "fraction", "bytes", "choice"};
  const Napi::Array programs = Napi::Array::New(env);
  for (const Program* program : Programs()) {
    const Napi::Array params = Napi::Array::New(env);
    for (const ParamSpec& spec : program->params) {
      const Napi::Array choices = Napi::Array::New(env);
      for (const std::string_view choice : spec.choices)
        choices.Set(choices.Length(), ToJs(env, choice));
      const Napi::Object param = Napi::Object::New(env);
      param.Set("name", ToJs(env, spec.name));
      param.Set("summary", ToJs(env, spec.summary));
      param.Set("kind", kKinds[static_cast<size_t>(spec.kind)]);
      param.Set("default", spec.value_default);
      param.Set("min", spec.value_min);
      param.Set("max", spec.value_max);
      param.Set("choices", choices);
      params.Set(params.Length(), param);
    }
    const Napi::Object object = Napi::Object::New(env);
    object.Set("name", ToJs(env, program->name));
    object.Set("summary", ToJs(env, program->summary));
    object.Set("readsClock", program->reads_clock);
    object.Set("params", params);
    programs.Set(programs.Length(), object);
  }
  return programs;
}

Napi::Object StatsToJs(Napi::Env env, const VmStats& stats) {
  const Napi::Object clock = Napi::Object::New(env);
  clock.Set("guestMonotonicNs", static_cast<double>(stats.clock.guest_monotonic_ns));
  clock.Set("guestWallNs", Stamp(env, stats.clock.guest_wall_ns));
  clock.Set("lagNs", static_cast<double>(stats.clock_lag_ns));
  clock.Set("pausedTotalNs", static_cast<double>(stats.paused_total_ns));
  const Napi::Object object = Napi::Object::New(env);
  object.Set("state", StateName(stats.state));
  object.Set("steps", static_cast<double>(stats.steps));
  object.Set("epoch", stats.epoch);
  object.Set("foldedEpoch", stats.folded_epoch);
  object.Set("dirtyPages", static_cast<double>(stats.dirty_pages));
  object.Set("dirtyPagesTotal", static_cast<double>(stats.dirty_pages_total));
  object.Set("fault", FaultToJs(env, stats.fault));
  object.Set("clock", clock);
  object.Set("ticker", TickerToJs(env, stats.ticker));
  return object;
}

Napi::Object DigestToJs(Napi::Env env, DigestResult& digest) {
  const size_t pages = digest.page_crcs.size();
  Napi::BigUint64Array crcs = Napi::BigUint64Array::New(env, pages);
  std::memcpy(crcs.Data(), digest.page_crcs.data(), pages * sizeof(uint64_t));
  const Napi::Object object = Napi::Object::New(env);
  object.Set("value", Napi::BigInt::New(env, digest.value));
  object.Set("bytesRead", static_cast<double>(digest.bytes_read));
  object.Set("pageCrcs", crcs);
  object.Set("elapsedNs", static_cast<double>(digest.elapsed_ns));
  return object;
}

Napi::Object CheckToJs(Napi::Env env, const CheckReport& check) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("ok", check.ok);
  object.Set("itemsChecked", static_cast<double>(check.items_checked));
  object.Set("violation",
             check.violation == nullptr ? env.Null() : Napi::String::New(env, check.violation));
  object.Set("gpa", static_cast<double>(check.gpa));
  return object;
}

Napi::Object RecordToJs(Napi::Env env, const FreezeRecord& record) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("name", record.name);
  object.Set("wasRunning", record.was_running);
  object.Set("requestedAtNs", Stamp(env, record.requested_at_ns));
  object.Set("haltedAtNs", Stamp(env, record.halted_at_ns));
  object.Set("observedAtNs", Stamp(env, record.observed_at_ns));
  object.Set("releasedAtNs", Stamp(env, record.released_at_ns));
  object.Set("resumedAtNs", Stamp(env, record.resumed_at_ns));
  object.Set("syncedAtNs", Stamp(env, record.sync.at_ns));
  object.Set("stepsAtHalt", static_cast<double>(record.steps_at_halt));
  object.Set("stepsAtRelease", static_cast<double>(record.steps_at_release));
  object.Set("clockLagBeforeNs", static_cast<double>(record.sync.lag_before_ns));
  object.Set("clockLagAfterNs", static_cast<double>(record.sync.lag_after_ns));
  object.Set("clockBracketNs", static_cast<double>(record.sync.bracket_ns));
  object.Set("syncedBy", kSyncModes[static_cast<size_t>(record.sync.done)]);
  switch (record.resumed_by) {
    case ResumedBy::kNobody:
      object.Set("resumedBy", env.Null());
      break;
    case ResumedBy::kCaller:
      object.Set("resumedBy", "caller");
      break;
    case ResumedBy::kDeadline:
      object.Set("resumedBy", "deadline");
      break;
  }
  return object;
}

Napi::Object CostToJs(Napi::Env env, const SnapshotCost& cost) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("blackoutNs", static_cast<double>(cost.blackout_ns));
  object.Set("copyNs", static_cast<double>(cost.copy_ns));
  object.Set("pagesCopied", static_cast<double>(cost.pages_copied));
  object.Set("pagesByGuest", static_cast<double>(cost.pages_by_guest));
  object.Set("guestWaits", static_cast<double>(cost.guest_waits));
  object.Set("guestWaitMaxNs", static_cast<double>(cost.guest_wait_ns_max));
  object.Set("guestSteps", static_cast<double>(cost.guest_steps));
  return object;
}

Napi::Object ExploredToJs(Napi::Env env, const ExploreResult& result) {
  const Napi::Object object = Napi::Object::New(env);
  const Napi::Array findings = Napi::Array::New(env);
  for (const ExploreFinding& finding : result.findings) {
    const Napi::Object each = Napi::Object::New(env);
    each.Set("run", static_cast<double>(finding.run));
    each.Set("seed", Napi::BigInt::New(env, finding.seed));
    each.Set("step", static_cast<double>(finding.step));
    each.Set("fault", FaultToJs(env, {finding.fault, finding.step}));
    each.Set("check", CheckToJs(env, finding.check));
    findings.Set(findings.Length(), each);
  }
  object.Set("runs", static_cast<double>(result.runs));
  object.Set("findingsTotal", static_cast<double>(result.findings_total));
  object.Set("findings", findings);
  object.Set("pagesRestored", static_cast<double>(result.pages_restored));
  object.Set("rollbackNs", static_cast<double>(result.rollback_ns));
  object.Set("elapsedNs", static_cast<double>(result.elapsed_ns));
  return object;
}

Napi::Uint8Array BytesToJs(Napi::Env env, std::span<const std::byte> bytes) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(array.Data(), bytes.size())).begin());
  return array;
}

}  // namespace standstill
