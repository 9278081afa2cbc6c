#pragma once
// The options of operations, written by name: x.sum({.axis = {0, 1}, .keepdim = true}).
//
// Every struct opens with a member that cannot be written by position, so x.sum({0, 1}) does not compile instead of meaning
// "axis 0, keepdim". Axes count from the end where negative.
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "tg/scalar.hpp"

namespace tg {

namespace detail {
/// Takes the first position of an options struct: only its default can initialise it.
struct ByName {
  struct Key { explicit Key() = default; };
  constexpr explicit ByName(Key) {}
};
inline constexpr ByName by_name{ByName::Key{}};

/// An axis or a size by position, x.sum(1): a template, since g++ 12 takes the names of options in braces for a list of numbers.
template <class T>
concept Integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;
}  // namespace detail

/// The sizes of a shape, an axis each, 32 at most: {2, 3}. Printed as (2, 3).
struct Sizes : std::vector<int64_t> {
  using std::vector<int64_t>::vector;
  Sizes(std::vector<int64_t> sizes) : vector(std::move(sizes)) {}
  friend std::ostream& operator<<(std::ostream& out, const Sizes& sizes) { return sizes.print(out); }

 private:
  std::ostream& print(std::ostream& out) const;
};

/// Axes of a tensor: 1, {0, 1}, or {} for all of them.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : list_{axis} {}
  Axes(std::initializer_list<int> axes) : list_(axes) {}
  Axes(std::vector<int> axes) : list_(std::move(axes)) {}
  [[nodiscard]] const std::vector<int>& list() const { return list_; }

 private:
  std::vector<int> list_;
};

/// A number for each axis that a window moves along: 3 for every axis, or {3, 5}, one an axis.
class PerAxis {
 public:
  PerAxis(int every) : list_{every} {}
  PerAxis(int64_t every) : list_{every} {}
  PerAxis(std::initializer_list<int64_t> each) : list_(each) {}
  PerAxis(Sizes each) : list_(std::move(each)) {}
  [[nodiscard]] const Sizes& list() const { return list_; }

 private:
  Sizes list_;
};

/// What is put around the axes that a window moves along: 1, or {1, 2}, as much on both sides of an axis; sides({{1, 2}, {0, 3}}), before
/// and after each; same(), what leaves the sizes as they are where the stride is 1, the odd one after.
class Padding {
 public:
  Padding(int every) : before_(every), after_(every) {}
  Padding(std::initializer_list<int64_t> each) : before_(each), after_(each) {}
  Padding(PerAxis each) : before_(each), after_(std::move(each)) {}
  [[nodiscard]] static Padding sides(const std::vector<std::pair<int64_t, int64_t>>& before_and_after) {
    Sizes before, after;
    for (const auto& [b, a] : before_and_after) before.push_back(b), after.push_back(a);
    Padding p = PerAxis(before);
    p.after_ = PerAxis(after);
    return p;
  }
  [[nodiscard]] static Padding same() {
    Padding p = 0;
    p.same_ = true;
    return p;
  }
  [[nodiscard]] const Sizes& before() const { return before_.list(); }
  [[nodiscard]] const Sizes& after() const { return after_.list(); }
  [[nodiscard]] bool is_same() const { return same_; }

 private:
  PerAxis before_, after_;
  bool same_ = false;
};

struct TensorOptions {  // of what makes tensors
  detail::ByName by_name_only = detail::by_name;
  DType dtype = DType::void_;  // void_: the data's own; float32 where there is no data
  std::string device = "";     // "": TG_DEVICE, else cpu
  bool requires_grad = false;  // it is a leaf that backward gives a gradient
};

struct ReduceOptions {  // of sum and the other reductions
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};               // {}: all
  bool keepdim = false;         // reduced axes stay, of size 1
  DType dtype = DType::void_;   // to compute and return in; void_: see each reduction
};

struct VarOptions {  // of var and std
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};         // {}: all
  bool keepdim = false;   // reduced axes stay, of size 1
  double correction = 1;  // divides by n - correction (Bessel); 0 for the population's variance
};

struct ArgOptions {  // of argmax, argmin, median
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};        // one axis; {}: of the flattened tensor
  bool keepdim = false;  // reduced axes stay, of size 1
};

struct SortOptions {  // of sort and argsort
  detail::ByName by_name_only = detail::by_name;
  int axis = -1;            // which one
  bool descending = false;  // the largest first
  bool stable = true;       // equals stay in their order, as they do anyway
};

struct ClampOptions {  // of clamp
  detail::ByName by_name_only = detail::by_name;
  double min = -__builtin_inf(), max = __builtin_inf();  // both included
};

struct ScaleOptions {  // of add and sub
  detail::ByName by_name_only = detail::by_name;
  Scalar alpha = 1;  // what the second operand is multiplied by
};

struct GeluOptions {  // of gelu
  detail::ByName by_name_only = detail::by_name;
  bool tanh = false;            // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) instead of the one with erf
};

enum class Rounding : uint8_t { None, Trunc, Floor };  // not at all, towards zero, down
struct DivOptions {  // of div
  detail::ByName by_name_only = detail::by_name;
  Rounding rounding = Rounding::None;  // of the quotient
};

struct CloseOptions {           // |a - b| <= atol + rtol |b|
  detail::ByName by_name_only = detail::by_name;
  double rtol = 1e-5, atol = 1e-8;  // as above
  bool equal_nan = false;           // nan is close to nan
};

struct ConvOptions {  // of convolutions
  detail::ByName by_name_only = detail::by_name;
  PerAxis stride = 1;    // how far windows are apart
  Padding padding = 0;   // what is put around the axes
  PerAxis dilation = 1;  // how far elements of a window are apart
  int64_t groups = 1;    // channels are cut into so many parts that see each other only
  bool winograd = false;  // floats and windows of 3 at stride 1 alone: a quarter of the multiplications (2 axes), rounded otherwise
};

struct PoolOptions {  // of pooling
  detail::ByName by_name_only = detail::by_name;
  PerAxis size = 2;               // of a window
  PerAxis stride = 0;             // 0: the size
  Padding padding = 0;            // what is put around the axes
  PerAxis dilation = 1;           // how far elements of a window are apart
  bool ceil_mode = false;         // a last window that begins inside may end outside
  bool count_include_pad = true;  // of means: padding counts as zeros
  int64_t divisor = 0;            // of means: divides by it; 0: by how many count
};

struct NormOptions {  // of layer_norm and the other norms
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;  // added to the variance
};

struct PadOptions {  // of pad
  detail::ByName by_name_only = detail::by_name;
  double value = 0;  // what fills the border
};

struct UniformOptions {  // of uniform
  detail::ByName by_name_only = detail::by_name;
  double low = 0, high = 1;   // from low, below high
  TensorOptions tensor = {};  // dtype and device
};

struct BackwardOptions;  // tensor.hpp

}  // namespace tg
