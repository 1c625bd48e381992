// The one table of guest programs: adding a program is its own file and its row here.
#include "guest/access.h"
#include "guest/hash_chain.h"
#include "guest/idle.h"
#include "guest/kv_store.h"
#include "guest/page_writer.h"
#include "guest/queue.h"
#include "guest/ticker.h"
#include "standstill/program.h"

namespace standstill {
namespace {

template <class P>
constexpr Program kProgram = MakeProgram<P>();

constexpr const Program* kPrograms[] = {
    &kProgram<PageWriter>, &kProgram<KvStore>, &kProgram<Queue>,
    &kProgram<HashChain>,  &kProgram<Ticker>,  &kProgram<Idle>,
};

}  // namespace

std::span<const Program* const> Programs() {
  return kPrograms;
}

const Program* FindProgram(std::string_view name) {
  for (const Program* program : kPrograms) {
    if (program->name == name) return program;
  }
  return nullptr;
}

}  // namespace standstill
