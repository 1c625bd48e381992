#include "port/memory_loss.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <new>
#include <vector>

namespace standstill {

// A place for a watched mapping, used again by later ones and never freed: the handler may look at
// it at any time. Written under the registry's mutex, in an order that lets the handler tell a
// mapping from a mixture of two: `start` is kNowhere while the rest changes.
struct WatchedRange {
  static constexpr uintptr_t kNowhere = ~uintptr_t{0};
  std::atomic<uintptr_t> start{kNowhere};
  std::atomic<uintptr_t> end{0};
  std::atomic<int> protection{0};
  std::atomic<MemoryLoss*> loss{nullptr};
};

namespace {

struct Block {
  std::array<WatchedRange, 128> ranges;
  Block* next = nullptr;  // written before the block is published
};

// What the handler reads.
constinit std::atomic<Block*> blocks{nullptr};
uintptr_t page_bytes = 0;          // written before the handler is installed
struct sigaction previous_action;  // the same

// Of the mapping that holds the address, if there is one and it is not being exchanged.
bool Holds(const WatchedRange& range, uintptr_t address) {
  const uintptr_t start = range.start.load();
  return address >= start && start != WatchedRange::kNowhere && address < range.end.load() &&
         range.start.load() == start;
}

// Replaces the page by one of zeroes, if it is of a watched mapping. That mapping stays meanwhile:
// somebody is reading it.
bool Rescue(uintptr_t address) {
  for (Block* block = blocks.load(); block != nullptr; block = block->next) {
    for (WatchedRange& range : block->ranges) {
      if (!Holds(range, address)) continue;
      const uintptr_t page = address & ~(page_bytes - 1);
      // The bare call: a library's wrapper, as ThreadSanitizer's, may take it for a write to the page.
      if (syscall(SYS_mmap, page, page_bytes, range.protection.load(),
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == -1) {
        return false;
      }
      range.loss.load()->Note(page - range.start.load());
      return true;
    }
  }
  return false;
}

void Forward(int signal, siginfo_t* info, void* context) {
  // The instruction is repeated as the handler returns; not where the machine only tells of bad memory.
  const bool from_memory = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler == SIG_IGN && !from_memory) {
    return;
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    struct sigaction fallback {};
    fallback.sa_handler = SIG_DFL;
    sigaction(signal, &fallback, nullptr);
    if (!from_memory) raise(signal);
  }
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int before = errno;
  const bool of_memory = info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR;
  if (!of_memory || !Rescue(reinterpret_cast<uintptr_t>(info->si_addr)))
    Forward(signal, info, context);
  errno = before;
}

// Those that watch. Never destroyed.
class Registry {
 public:
  static Registry& Get() {
    static Registry& registry = *new Registry;
    return registry;
  }

  // Null without memory.
  WatchedRange* Add(uintptr_t start, uint64_t bytes, int protection, MemoryLoss* loss) try {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) Grow();
    WatchedRange* const range = free_.back();
    free_.pop_back();
    range->end.store(start + bytes);
    range->protection.store(protection);
    range->loss.store(loss);
    range->start.store(start);
    return range;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }

  void Remove(WatchedRange* range) {
    const std::lock_guard lock(mutex_);
    range->start.store(WatchedRange::kNowhere);
    free_.push_back(range);  // there was room for it before
  }

 private:
  Registry() {
    page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    sigaction(SIGBUS, nullptr, &previous_action);
    struct sigaction action {};
    action.sa_sigaction = &OnBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(SIGBUS, &action, nullptr);
  }

  void Grow() {
    auto block = std::make_unique<Block>();
    count_ += block->ranges.size();
    free_.reserve(count_);
    for (WatchedRange& range : block->ranges) free_.push_back(&range);
    block->next = blocks.load();
    blocks.store(block.release());
  }

  std::mutex mutex_;
  std::vector<WatchedRange*> free_;  // mutex_
  size_t count_ = 0;                 // mutex_
};

}  // namespace

std::unique_ptr<LossWatch> LossWatch::Begin(const std::byte* start, uint64_t bytes,
                                            bool writable) try {
  std::unique_ptr<LossWatch> watch(new LossWatch);
  watch->loss_ = std::make_shared<MemoryLoss>();
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  watch->range_ = Registry::Get().Add(reinterpret_cast<uintptr_t>(start), bytes, protection,
                                      watch->loss_.get());
  return watch->range_ != nullptr ? std::move(watch) : nullptr;
} catch (const std::bad_alloc&) {
  return nullptr;
}

LossWatch::~LossWatch() {
  if (range_ != nullptr) Registry::Get().Remove(range_);
}

}  // namespace standstill
