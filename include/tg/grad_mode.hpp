#pragma once
// Whether operations record history, so that backward can walk it.
//
//   {
//     const tg::NoGrad evaluating;
//     tg::Tensor y = net(x);                    requires no gradient, whatever the weights do
//   }

namespace tg {

[[nodiscard]] bool grad_enabled();   // whether operations on this thread record history
bool set_grad_enabled(bool record);  // whether they do from now on; whether they did
/// While one lives, operations on this thread record history, or do not: then nothing computed requires a gradient. The innermost counts.
class GradMode {
 public:
  explicit GradMode(bool record) : before_(set_grad_enabled(record)) {}
  ~GradMode() { set_grad_enabled(before_); }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};
/// GradMode(false).
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

}  // namespace tg
