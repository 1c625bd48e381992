// Between JavaScript values and the engine's plain structs. Everything read is checked: what is not
// of its documented type or range throws ERR_INVALID_ARGUMENT.
//
// Threads: the environment's own.
#pragma once

#include <napi.h>

#include <span>
#include <string>
#include <vector>

#include "standstill/freeze.h"
#include "standstill/vm.h"

namespace standstill {

struct RestoreConfig {
  VmConfig vm;
  RestoreOptions options;
};
RestoreConfig ReadRestoreConfig(const Napi::Object& from);
VmConfig ReadVmConfig(const Napi::Object& from);
FreezeOptions ReadFreezeOptions(const Napi::Object& from);
DigestOptions ReadDigestOptions(const Napi::Value& from);

ExploreOptions ReadExploreOptions(const Napi::Value& from);

inline constexpr int64_t kSafeInteger = (int64_t{1} << 53) - 1;
// The most that one Buffer is given, with room to spare in V8.
inline constexpr int64_t kReadBytesMax = int64_t{1} << 30;

// A whole number from `min` to `max`.
int64_t ReadInteger(const Napi::Value& value, const std::string& name, int64_t min, int64_t max);

std::string ReadString(const Napi::Value& value, const std::string& name);
// A copy of what is in a Uint8Array.
std::vector<std::byte> ReadBytes(const Napi::Value& value, const std::string& name);

Napi::Array ProgramsToJs(Napi::Env env);
Napi::Object StatsToJs(Napi::Env env, const VmStats& stats);
Napi::Object DigestToJs(Napi::Env env, DigestResult& digest);
Napi::Object CheckToJs(Napi::Env env, const CheckReport& check);
Napi::Object RecordToJs(Napi::Env env, const FreezeRecord& record);
Napi::Object CostToJs(Napi::Env env, const SnapshotCost& cost);
Napi::Object ExploredToJs(Napi::Env env, const ExploreResult& result);
Napi::Uint8Array BytesToJs(Napi::Env env, std::span<const std::byte> bytes);

}  // namespace standstill
