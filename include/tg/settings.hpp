#pragma once
// Settings for a part of a program, in place of what the environment says (TG_DEVICE, TG_EAGER, TG_DEBUG).
//
//   {
//     const tg::WithSettings here({.device = "interpreter", .debug = 1});
//     ...                                       tensors that name no device are made there, launches are printed
//   }
#include <memory>
#include <optional>
#include <string>

namespace tg {

struct Settings;

struct SettingsOptions {  // of WithSettings; what is not given stays as it is
  std::optional<std::string> device = {};  // where tensors are made that name no device
  std::optional<bool> eager = {};          // realize every operation at once
  std::optional<int> debug = {};           // 0 to 5: what to print, see docs/tour.md
};

/// While one lives, this thread has these settings. They nest, and end in the reverse order. Throws ValueError for another debug than 0 to
/// 5; an unknown device is told by what makes a tensor.
class [[nodiscard]] WithSettings {
 public:
  explicit WithSettings(const SettingsOptions& options);
  ~WithSettings();
  WithSettings(const WithSettings&) = delete;
  WithSettings& operator=(const WithSettings&) = delete;

 private:
  const Settings* before_;
  const std::unique_ptr<const Settings> here_;
};

/// What long computations call in between kernels, about every 50 ms, on the thread that asked for values, as long as no tensor's memory
/// has changed: what it throws ends the computation, and all tensors are as they were. Null, as it is unless set: nothing. Python's Ctrl-C
/// comes in here.
void set_interruption(void (*check)());

}  // namespace tg
