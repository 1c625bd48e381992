// Deliberate defects, one for each proof, so that tests can show each proof to fail. They exist
// only where the engine is built with STANDSTILL_CONTROLS, which no package holds; elsewhere Take
// is a constant false.
//
// Threads: any. Ordering: relaxed; a control is armed before the VM that it is meant for runs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace standstill {

enum class Control : uint8_t {
  kFlipRam,       // a bit of RAM flips behind everyone's back, each time that a digest is done
  kDropMark,      // a page is written without its mark
  kSkipHandover,  // the guest writes a page that it did not hand over
  kLoseStep,      // a step is counted that was not executed
  kClockRuns,     // guest-monotonic time runs on through a pause
  kSkipAudit,  // no defect: the marks are not audited, so that what stands behind is seen to fail
  kSlowDigest,  // a digest reads so many percent of the pages twice: the regression that the gate must find
};
inline constexpr std::array<std::string_view, 7> kControlNames = {
    "flip-ram",   "drop-mark",  "skip-handover", "lose-step",
    "clock-runs", "skip-audit", "slow-digest"};

class Controls {
 public:
#if STANDSTILL_CONTROLS
  static void Set(Control control, uint32_t level) {
    levels_[static_cast<size_t>(control)].store(level, std::memory_order_relaxed);
  }
  // 0 where it is off.
  static uint32_t Level(Control control) {
    return levels_[static_cast<size_t>(control)].load(std::memory_order_relaxed);
  }
  static bool Take(Control control) {
    return Level(control) != 0;
  }

 private:
  static inline std::array<std::atomic<uint32_t>, kControlNames.size()> levels_{};
#else
  static constexpr uint32_t Level(Control) {
    return 0;
  }
  static constexpr bool Take(Control) {
    return false;
  }
#endif
};

}  // namespace standstill
