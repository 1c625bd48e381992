// The audit of the write marks, in control builds only: a shadow copy of the RAM, compared byte for
// byte at each epoch's end. A page that changed without its mark is named and ends the process.
//
// Threads: a host thread while the guest is halted.
#pragma once

#include <cstdint>
#include <memory>

#include "standstill/guest_ram.h"
#include "standstill/page_set.h"

namespace standstill {

class ShadowAudit {
 public:
#if STANDSTILL_CONTROLS
  explicit ShadowAudit(const GuestRam& ram);
  ~ShadowAudit();
  ShadowAudit(const ShadowAudit&) = delete;
  ShadowAudit& operator=(const ShadowAudit&) = delete;

  void Verify(const uint8_t* marks);
  void Accept(const PageSet& pages);  // the host has written these

 private:
  const GuestRam& ram_;
  std::byte* shadow_;
#else
  void Verify(const uint8_t*) {}
  void Accept(const PageSet&) {}
#endif
};

}  // namespace standstill
