// Names in, open devices and renderers out. Devices open at first use and stay open to the end of the process, which waits for what they
// still have to do.
//
//   device("cpu")     opened once, by whoever asks first          device("cuda")   DeviceError: no device "cuda"; known: cpu, ...
#include "runtime/registry.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

#include <unistd.h>

#include "base/fork.hpp"
#include "tg/error.hpp"

namespace tg {

void Device::launch_blocks(const BlockLaunch&) { throw InternalError("this device does not run kernels block by block"); }

namespace {

struct DeviceEntry {
  explicit DeviceEntry(DeviceFactory f) : factory(std::move(f)) {}
  DeviceFactory factory;
  std::mutex opening;  // held while the factory runs, which may itself ask for other devices
  std::unique_ptr<Device> owner;
  std::atomic<Device*> open = nullptr;
};

/// Entries are never removed, so references into the maps stay good without the lock.
struct Registry {
  const pid_t process = getpid();
  Mutex mutex;
  std::map<std::string, DeviceEntry, std::less<>> devices;
  std::map<std::string, Renderer, std::less<>> renderers;
  InChild forget{[](void* self) { static_cast<Registry*>(self)->forget_what_opens(); }, this};

  Registry() {
    devices.try_emplace("cpu", open_cpu);
    devices.try_emplace("opencl", open_opencl);
    devices.try_emplace("null", open_null);
    devices.try_emplace("null:gpu", open_null_gpu);
    devices.try_emplace("interpreter", open_interpreter);
  }
  /// What another thread was opening when this process began, nobody opens any more.
  void forget_what_opens() {
    for (auto& [name, entry] : devices) {
      if (entry.open.load()) continue;
      new (&entry.opening) std::mutex;
      (void)entry.owner.release();
    }
  }
};

Registry& registry() {
  static Registry* const r = new Registry;  // never destroyed: static tensors may outlive any static object of ours
  return *r;
}

template <typename Map>
auto& find(Map& map, std::string_view kind, std::string_view name) {
  const std::lock_guard lock(registry().mutex);
  const auto it = map.find(name);
  if (it != map.end()) return it->second;
  std::string known;
  for (const auto& [other, value] : map) known += (known.empty() ? "" : ", ") + other;
  throw DeviceError(fmt::format("no {0} is called \"{1}\"; known: {2}. Use one of these, or add one with tg::register_{0}", kind, name,
                                known.empty() ? "none" : known));
}

void finish_devices() {
  if (getpid() != registry().process) return;  // a child made by fork has none of the drivers' threads to wait for
  const std::lock_guard lock(registry().mutex);
  for (auto& [name, entry] : registry().devices) {
    try {
      if (Device* d = entry.open.load(std::memory_order_acquire)) d->synchronize();
    } catch (const std::exception&) {
      // nobody is left to be told
    }
  }
}

Device& open(DeviceEntry& entry, std::string_view name) {
  if (Device* d = entry.open.load(std::memory_order_acquire)) return *d;
  const std::lock_guard lock(entry.opening);
  if (entry.owner) return *entry.owner;
  try {
    entry.owner = entry.factory();
  } catch (const std::exception& e) { throw DeviceError(fmt::format("device \"{}\" cannot be opened: {}", name, e.what())); }
  if (!entry.owner) throw DeviceError(fmt::format("device \"{}\" cannot be opened: its factory returned nothing", name));
  entry.open.store(entry.owner.get(), std::memory_order_release);
  wait_at_exit();
  return *entry.owner;
}

}  // namespace

bool register_device(std::string name, DeviceFactory factory) {
  const std::lock_guard lock(registry().mutex);
  return registry().devices.try_emplace(std::move(name), std::move(factory)).second;
}

bool register_renderer(std::string name, Renderer r) {
  const std::lock_guard lock(registry().mutex);
  return registry().renderers.try_emplace(std::move(name), std::move(r)).second;
}

void wait_at_exit() { std::atexit(finish_devices); }

Device& device(std::string_view name) { return open(find(registry().devices, "device", name), name); }

const Renderer& renderer(std::string_view name) { return find(registry().renderers, "renderer", name); }

std::vector<DeviceStatus> devices() {
  std::vector<std::pair<std::string, DeviceEntry*>> entries;
  {
    const std::lock_guard lock(registry().mutex);
    for (auto& [name, entry] : registry().devices) entries.emplace_back(name, &entry);
  }
  std::vector<DeviceStatus> result;
  for (auto& [name, entry] : entries) {
    DeviceStatus status{name, "", ""};
    try {
      status.description = open(*entry, name).target().name;
    } catch (const std::exception& e) { status.problem = e.what(); }
    result.push_back(std::move(status));
  }
  return result;
}

}  // namespace tg
