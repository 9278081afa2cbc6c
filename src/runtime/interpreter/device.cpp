// The device whose graphs are evaluated op by op on the host: it has memory and facts, and is never asked to compile.
#include "runtime/host_device.hpp"
#include "runtime/registry.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

class InterpreterDevice : public HostDevice {
 public:
  InterpreterDevice() {
    target_.name = "interpreter";
    target_.renderer = "";
    target_.vector_bytes = 0;
  }
  const Target& target() const override { return target_; }
  bool interprets() const override { return true; }

  std::string compile(const std::string&) override { refuse(); }
  std::shared_ptr<Program> load(const std::string&, std::span<const PhaseInfo>) override { refuse(); }
  void launch(Program&, const LaunchArgs&) override { refuse(); }
  std::optional<Fault> synchronize() override { return {}; }

 private:
  [[noreturn]] static void refuse() { throw InternalError("interpreter: asked to compile or launch; it evaluates graphs only"); }
  Target target_;
};

}  // namespace

std::unique_ptr<Device> open_interpreter() { return std::make_unique<InterpreterDevice>(); }

}  // namespace tg
