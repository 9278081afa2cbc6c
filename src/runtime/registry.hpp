#pragma once
// The lookups behind tg/device.hpp, and the built-in devices.
//
//   renderer(target.renderer)(phases, target)   text of a kernel
#include "tg/device.hpp"

namespace tg {

/// The renderer registered under that name. Throws DeviceError listing the known names.
const Renderer& renderer(std::string_view name);

/// At the process's end, waits for what devices still have to do: before anything is torn down that exists by now. A driver's threads would
/// go on in libraries that are gone. Called after a device has opened, and by one whose driver sets up more at its first launch.
void wait_at_exit();

/// The built-in devices, one folder each. Throw DeviceError where this machine cannot serve them.
std::unique_ptr<Device> open_cpu();
std::unique_ptr<Device> open_opencl();
std::unique_ptr<Device> open_null();
std::unique_ptr<Device> open_null_gpu();
std::unique_ptr<Device> open_interpreter();

}  // namespace tg
