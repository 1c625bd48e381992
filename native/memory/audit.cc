#include "memory/audit.h"

#if STANDSTILL_CONTROLS

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "port/memory.h"
#include "util/check.h"

namespace standstill {

ShadowAudit::ShadowAudit(const GuestRam& ram) : ram_(ram), shadow_(MapAnonymous(ram.size_bytes())) {
  SS_CHECK(shadow_ != nullptr);
  std::memcpy(shadow_, ram.base(), ram.size_bytes());
}

ShadowAudit::~ShadowAudit() {
  Unmap(shadow_, ram_.size_bytes());
}

void ShadowAudit::Verify(const uint8_t* marks) {
  for (uint64_t page = 0; page < ram_.pages(); ++page) {
    const std::byte* now = ram_.base() + page * kPageBytes;
    std::byte* before = shadow_ + page * kPageBytes;
    if (std::memcmp(now, before, kPageBytes) == 0) continue;
    if (marks[page] == 0) {
      std::fprintf(stderr, "standstill audit: page %llu changed without its mark\n",
                   static_cast<unsigned long long>(page));
      std::abort();
    }
    std::memcpy(before, now, kPageBytes);
  }
}

void ShadowAudit::Accept(const PageSet& pages) {
  pages.ForEach([&](uint64_t page) {
    std::memcpy(shadow_ + page * kPageBytes, ram_.base() + page * kPageBytes, kPageBytes);
  });
}

}  // namespace standstill

#endif
