#pragma once
// The options of operations, written by name: x.sum({.axis = {0, 1}, .keepdim = true}).
//
// Every struct opens with a member that cannot be written by position, so x.sum({0, 1}) does not compile instead of meaning
// "axis 0, keepdim". Axes count from the end where negative.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "tg/dtype.hpp"

namespace tg {

namespace detail {
/// Takes the first position of an options struct: only its default can initialise it.
struct ByName {
  struct Key { explicit Key() = default; };
  constexpr explicit ByName(Key) {}
};
inline constexpr ByName by_name{ByName::Key{}};
}  // namespace detail

using Sizes = std::vector<int64_t>;

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

/// A size along height and width: 3, or {3, 5}.
struct Pair {
  int64_t height, width;
  Pair(int64_t both) : height(both), width(both) {}
  Pair(int both) : height(both), width(both) {}
  Pair(int64_t h, int64_t w) : height(h), width(w) {}
};

struct TensorOptions {
  detail::ByName by_name_only = detail::by_name;
  DType dtype = DType::void_;   // void_: the data's own; float32 where there is no data
  std::string device = "";      // "": TG_DEVICE, else cpu
  bool requires_grad = false;
};

struct ReduceOptions {
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};               // {}: all
  bool keepdim = false;         // reduced axes stay, of size 1
  DType dtype = DType::void_;   // to compute and return in; void_: see each reduction
};

struct VarOptions {
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};
  bool keepdim = false;
  double correction = 1;        // divides by n - correction (Bessel); 0 for the population's variance
};

struct ArgOptions {
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};               // one axis; {}: of the flattened tensor
  bool keepdim = false;
};

struct SortOptions {
  detail::ByName by_name_only = detail::by_name;
  int axis = -1;
  bool descending = false;
};

struct ClampOptions {
  detail::ByName by_name_only = detail::by_name;
  double min = -__builtin_inf(), max = __builtin_inf();
};

struct GeluOptions {
  detail::ByName by_name_only = detail::by_name;
  bool tanh = false;            // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) instead of the one with erf
};

enum class Rounding : uint8_t { None, Trunc, Floor };
struct DivOptions {
  detail::ByName by_name_only = detail::by_name;
  Rounding rounding = Rounding::None;
};

struct CloseOptions {           // |a - b| <= atol + rtol |b|
  detail::ByName by_name_only = detail::by_name;
  double rtol = 1e-5, atol = 1e-8;
  bool equal_nan = false;
};

struct ConvOptions {
  detail::ByName by_name_only = detail::by_name;
  Pair stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
};

struct PoolOptions {
  detail::ByName by_name_only = detail::by_name;
  Pair size = 2;
  Pair stride = 0;              // 0: the size
  Pair padding = 0, dilation = 1;
};

struct NormOptions {
  detail::ByName by_name_only = detail::by_name;
  double eps = 1e-5;
};

struct PadOptions {
  detail::ByName by_name_only = detail::by_name;
  double value = 0;
};

struct UniformOptions {
  detail::ByName by_name_only = detail::by_name;
  double low = 0, high = 1;
  TensorOptions tensor = {};
};

struct BackwardOptions;  // tensor.hpp

}  // namespace tg
