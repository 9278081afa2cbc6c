#pragma once
// Random programs of tensors, and how far their values may be from exact ones: for the test that lets the interpreter and kernels disagree.
//
//   RandomProgram p(seed, "cpu");   p.roots: tensors that are not computed yet   p.error(i): how far elements of root i may be from exact
//
// Every value carries a bound of its magnitude and of the error that rounding has made by then (the running error analysis of Wilkinson
// 1963).
// Whole numbers small enough are exact. What jumps (comparisons, casts to integers, positions) is asked of exact values alone: so a
// disagreement is a bug and never bad luck.
//
// Of ten programs one has inputs that are infinite or nan, and one ends in gradients with respect to its inputs: that one computes in
// float64, asks of exact values alone too what has a corner, and its gradients may differ by a small part of the largest.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tg/scatter.hpp"
#include "tg/tg.hpp"
#include "tg/windows.hpp"

namespace tg {

class RandomProgram {
 public:
  RandomProgram(uint64_t seed, std::string device)
      : random_(seed), device_(std::move(device)), unbounded_(seed % 10 == 8), differentiated_(seed % 10 == 9) {
    const int64_t ops = 1 + below(pick<int64_t>({4, 4, 4, 4, 4, 4, 4, 4, 10, 10, 40}));  // many small ones, since each is compiled twice
    for (int64_t n = 1 + below(3); n > 0; --n) input();
    for (int64_t made = 0, tries = 0; made < ops && tries < 20 * ops; ++tries) made += step();
    for (size_t i = values_.size(); i-- > 0 && roots.size() < 3;)
      if (!values_[i].used) {
        roots.push_back(values_[i].t);
        errors_.push_back(values_[i].error);
      }
    if (differentiated_) add_gradients();
  }
  std::vector<Tensor> roots;
  std::map<std::string, int> applied;  // how often each operation
  /// Of a root whose largest element is so large.
  double error(size_t root, double largest) const { return root < errors_.size() ? errors_[root] : 1e-9 * (1 + largest); }
  const std::string& text() const { return text_; }

 private:
  struct Value {
    Tensor t;
    double most;        // no element is larger in magnitude
    double error = 0;   // nor further from the exact value of the program
    bool whole = true;  // whole numbers
    bool used = false;
  };

  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(below(static_cast<int64_t>(from.size())))];
  }

  static bool floats(DType t) { return t == float16 || t == bfloat16 || t == float32 || t == float64; }
  static double unit(DType t) { return t == float64 ? 0x1p-48 : t == float32 ? 0x1p-23 : t == float16 ? 0x1p-10 : 0x1p-7; }
  static double exact_below(DType t) { return t == float64 ? 0x1p53 : t == float32 ? 0x1p24 : t == float16 ? 0x1p11 : 0x1p8; }
  static double limit(DType t) { return t == float16 ? 500 : 1e4; }
  static double bits(DType t) {
    return t == bool_ ? 1
                      : std::ldexp(1.0, t == uint8 || t == int8     ? 8
                                        : t == uint16 || t == int16 ? 16
                                        : t == uint32 || t == int32 ? 32
                                                                    : 63);
  }
  static constexpr int64_t kMostElements = 600;

  // ---- leaves ----

  DType any_dtype() {
    if (differentiated_) return below(4) ? float64 : pick<DType>({int32, int64, uint8, bool_});
    return pick<DType>({float32, float32, float32, float32, float64, float16, bfloat16, int32, int32, int64, int8, uint8, int16, uint16,
                        uint32, uint64, bool_});
  }
  Sizes any_shape() {
    Sizes shape;
    int64_t n = 1;
    for (int64_t rank = below(4); rank > 0; --rank) {
      const int64_t size = below(60) == 0 ? 0 : pick<int64_t>({1, 2, 3, 4, 5, 7, 8, 16, 17, 33});
      if (n * size > kMostElements) continue;
      shape.push_back(size);
      n *= size;
    }
    return shape;
  }
  void input() {
    const DType t = any_dtype();
    const Sizes shape = any_shape();
    int64_t n = 1;
    for (int64_t s : shape) n *= s;
    const bool fractions = floats(t) && below(2);
    const double most = t == bool_ ? 1 : t == uint8 || t == uint16 || t == uint32 || t == uint64 ? 9 : 5;
    std::vector<double> data(static_cast<size_t>(n));
    for (double& v : data) {
      v = most == 1 ? static_cast<double>(below(2)) : most == 9 ? static_cast<double>(below(10)) : static_cast<double>(below(11)) - 5;
      if (fractions) v += std::ldexp(static_cast<double>(below(1 << 16)), -17);
    }
    if (unbounded_ && floats(t))
      for (double& v : data) if (below(4) == 0) v = pick<double>({INFINITY, -INFINITY, NAN, -0.0});
    Tensor given = Tensor::from(data, shape, {.dtype = t, .device = device_}).realize();
    if (differentiated_ && t == float64) inputs_.push_back(given.set_requires_grad());
    add("input", {given, most + 1, 0, !fractions}, {});
  }

  void add_gradients() {
    for (size_t i = 0; i < errors_.size(); ++i)
      if (const Tensor y = roots[i]; y.requires_grad() && roots.size() == errors_.size()) {
        for (const Tensor& g : gradient(y.sum(), inputs_)) roots.push_back(g);
        ++applied["gradient"];
        text_ += "  gradients of root " + std::to_string(i) + "\n";
      }
  }
  /// What the functions of real numbers take.
  Tensor real(const Tensor& x) const { return x.cast(differentiated_ ? float64 : float32); }
  /// Whether a function that has a corner may be taken of a value.
  bool may_bend(const Value& x) const { return !differentiated_ || x.error == 0; }

  // ---- steps ----

  bool add(const std::string& name, Value v, const std::vector<size_t>& from) {
    const DType t = v.t.dtype();
    if (v.t.numel() > kMostElements) return false;
    if (!floats(t)) {
      if (v.error > 0) return false;
      v.most = std::min(v.most, bits(t));
      v.whole = true;
    } else {
      if (v.most > (t == float16 ? 3e4 : 1e15)) return false;
      if (!v.whole || v.most >= exact_below(t)) v.error += unit(t) * std::max(v.most, 1e-30) * (inexact_ ? 16 : 1);
      if (v.error > 0.05 * std::max(1.0, v.most)) return false;
      if (v.most > limit(t)) {  // scaled back by a power of two
        const double by = std::exp2(-std::ceil(std::log2(v.most / 8)));
        v = {mul(v.t, by), v.most * by, v.error * by, false};
      }
    }
    ++applied[name];
    text_ += "  " + std::to_string(values_.size()) + " = " + name;
    for (size_t i : from) {
      text_ += " " + std::to_string(i);
      values_[i].used = true;
    }
    text_ += ": " + std::string(name_of(v.t.dtype())) + " (";
    for (int64_t n : v.t.shape()) text_ += std::to_string(n) + ",";
    text_ += ")\n";
    values_.push_back(std::move(v));
    return true;
  }

  bool step() {
    const size_t i = below(3) ? values_.size() - 1 - static_cast<size_t>(below(static_cast<int64_t>(std::min<size_t>(3, values_.size()))))
                              : static_cast<size_t>(below(static_cast<int64_t>(values_.size())));
    inexact_ = false;
    try {
      switch (below(20)) {
        case 0: case 1: case 2: case 3: return unary(i);
        case 4: case 5: case 6: case 7: case 8: case 9: return binary(i, static_cast<size_t>(below(static_cast<int64_t>(values_.size()))));
        case 10: case 11: case 12: case 13: case 14: case 15: return movement(i);
        case 16: return below(2) ? scatter(i) : convolution(i);
        default: return reduction(i);
      }
    } catch (const Error&) { return false; }  // it has no meaning for these dtypes or shapes
  }

  bool smooth(const char* name, size_t i, double slope, double most, const std::function<Tensor(const Tensor&)>& f) {
    const Value x = values_[i];
    inexact_ = true;
    const Tensor y = f(x.t);
    return add(name, {y, most, slope * (x.error + (floats(x.t.dtype()) ? 0 : unit(float32) * x.most)), false}, {i});
  }
  bool unary(size_t i) {
    const Value x = values_[i];
    const DType t = x.t.dtype();
    const bool exact = x.error == 0;
    switch (below(6) ? 10 + below(12) : below(10)) {  // the first ten are long kernels
      case 0: return smooth("sin", i, 1, 1, [](const Tensor& v) { return v.sin(); });
      case 1: return smooth("cos", i, 1, 1, [](const Tensor& v) { return v.cos(); });
      case 2: return smooth("tanh", i, 1, 1, [](const Tensor& v) { return v.tanh(); });
      case 3: return smooth("sigmoid", i, 1, 1, [](const Tensor& v) { return v.sigmoid(); });
      case 4: return may_bend(x) && smooth("exp", i, 1, 1, [&](const Tensor& v) { return (-real(v).abs()).exp(); });
      case 5:
        return may_bend(x) && smooth("sqrt", i, 1, std::sqrt(x.most + 1), [&](const Tensor& v) { return (real(v).abs() + 1).sqrt(); });
      case 6: return may_bend(x) && smooth("log", i, 1, std::log(x.most + 2), [&](const Tensor& v) { return (real(v).abs() + 1).log(); });
      case 7: return may_bend(x) && smooth("reciprocal", i, 1, 1, [&](const Tensor& v) { return (real(v).abs() + 1).reciprocal(); });
      case 8: return smooth("erf", i, 1.2, 1, [](const Tensor& v) { return v.erf(); });
      case 9: return smooth("gelu", i, 1.2, x.most + 1, [&](const Tensor& v) { return real(v).gelu(); });
      case 10: return may_bend(x) && add("relu", {x.t.relu(), x.most, x.error, x.whole}, {i});
      case 11: return add("neg", {-x.t, x.most, x.error, x.whole}, {i});
      case 12: return may_bend(x) && add("abs", {x.t.abs(), x.most, x.error, x.whole}, {i});
      case 13: return add("square", {x.t.square(), x.most * x.most, 2 * x.most * x.error, x.whole}, {i});
      case 14: return exact && add("sign", {x.t.sign(), 1}, {i});
      case 15: return exact && add("floor", {x.t.floor(), x.most + 1}, {i});
      case 16: return exact && add("round", {x.t.round(), x.most + 1}, {i});
      case 17: return exact && add("logical_not", {x.t.logical_not(), 1}, {i});
      case 18: return exact && !floats(t) && add("bitwise_not", {x.t.bitwise_not(), bits(t)}, {i});
      case 19: return may_bend(x) && add("clamp", {x.t.clamp({.min = -2, .max = 3}), std::min(x.most, 3.0), x.error, x.whole}, {i});
      default: {
        const DType to = any_dtype();
        const double most = unbounded_ ? bits(to) : x.most;
        if (!floats(to))
          return exact && add("cast", {x.t.cast(to), std::min(most, bits(to)) + (most >= bits(to) || to != bool_ ? bits(to) : 0)}, {i});
        return x.most < 3e4 && add("cast", {x.t.cast(to), x.most, x.error, x.whole}, {i});
      }
    }
  }

  bool binary(size_t i, size_t j) {
    const Value x = values_[i], y = values_[j];
    const bool exact = x.error == 0 && y.error == 0, whole = x.whole && y.whole;
    const bool any_float = floats(x.t.dtype()) || floats(y.t.dtype());
    const double largest = std::max(x.most, y.most), worst = std::max(x.error, y.error);
    // an integer becomes a float on the way
    const auto joined = [&](const Tensor& t, double most, double error) -> Value {
      const bool lossy =
          any_float && (!floats(x.t.dtype()) || !floats(y.t.dtype()) || x.t.dtype() != y.t.dtype()) && largest >= exact_below(t.dtype());
      return {t, most, lossy ? 1e300 : error, whole};
    };
    switch (below(18)) {
      case 0: case 1: return add("add", joined(x.t + y.t, x.most + y.most, x.error + y.error), {i, j});
      case 2: return add("sub", joined(x.t - y.t, x.most + y.most, x.error + y.error), {i, j});
      case 3: case 4:
        return add("mul", joined(x.t * y.t, x.most * y.most, x.most * y.error + y.most * x.error + x.error * y.error), {i, j});
      case 5: return may_bend(x) && may_bend(y) && add("maximum", joined(maximum(x.t, y.t), largest, worst), {i, j});
      case 6: return may_bend(x) && may_bend(y) && add("minimum", joined(minimum(x.t, y.t), largest, worst), {i, j});
      case 7: return exact && add("lt", {lt(x.t, y.t), 1, comparable(x, y)}, {i, j});
      case 8: return exact && add("ge", {ge(x.t, y.t), 1, comparable(x, y)}, {i, j});
      case 9: return exact && add("eq", {eq(x.t, y.t), 1, comparable(x, y)}, {i, j});
      case 10: return !any_float && add("floor_div", {floor_div(x.t, y.t), largest}, {i, j});
      case 11: return !any_float && add("mod", {mod(x.t, y.t), largest}, {i, j});
      case 12: return !any_float && add("bitwise_xor", {bitwise_xor(x.t, y.t), 2 * largest + 1}, {i, j});
      case 13: return !any_float && add("bitwise_and", {bitwise_and(x.t, y.t), 2 * largest + 1}, {i, j});
      case 14: return !any_float && add("right_shift", {right_shift(x.t, y.t.abs()), largest + 1}, {i, j});
      case 15:
        inexact_ = true;
        return may_bend(y) && add("div", {div(real(x.t), real(y.t).abs() + 1), x.most,
                           x.error + x.most * y.error + unit(float32) * x.most * (1 + y.most), false}, {i, j});
      default: {
        const size_t k = static_cast<size_t>(below(static_cast<int64_t>(values_.size())));
        const Value c = values_[k];
        return c.error == 0 && add("where", joined(where(c.t.cast(bool_), x.t, y.t), largest, worst), {k, i, j});
      }
    }
  }
  // 0, or beyond all bounds: operands of several dtypes may be rounded before they are compared.
  static double comparable(const Value& x, const Value& y) {
    if (x.t.dtype() == y.t.dtype() || (!floats(x.t.dtype()) && !floats(y.t.dtype()))) return 0;
    return x.whole && y.whole && std::max(x.most, y.most) < 256 ? 0 : 1e300;
  }

  bool movement(size_t i) {
    const Value x = values_[i];
    const Sizes shape = x.t.shape();
    const int rank = x.t.rank();
    const auto moved = [&](const char* name, const Tensor& t) { return add(name, {t, x.most, x.error, x.whole}, {i}); };
    const int axis = rank ? static_cast<int>(below(rank)) : 0;
    const int64_t n = rank ? shape[static_cast<size_t>(axis)] : 1;
    std::vector<std::pair<int64_t, int64_t>> pairs;
    switch (below(11)) {
      case 0: return moved("reshape", rank && n % 2 == 0 && n > 2 ? x.t.unflatten(axis, {2, n / 2}) : x.t.reshape({-1}));
      case 1: return moved("flatten", x.t.flatten());
      case 2: {
        std::vector<int> axes(static_cast<size_t>(rank));
        for (size_t a = 0; a < axes.size(); ++a) axes[a] = static_cast<int>(a);
        std::shuffle(axes.begin(), axes.end(), random_);
        return moved("permute", x.t.permute(axes));
      }
      case 3: {
        Sizes to = shape;
        for (int64_t& s : to) if (s == 1) s = 1 + below(5);
        if (below(2)) to.insert(to.begin(), 1 + below(4));
        return moved("expand", x.t.expand(to));
      }
      case 4:
        for (int a = 0; a < rank; ++a) pairs.emplace_back(below(3), below(3));
        return moved("pad", x.t.pad(pairs));
      case 5:
        for (int64_t s : shape) {
          const int64_t begin = s > 1 ? below(s) : 0;
          pairs.emplace_back(begin, s > begin ? begin + 1 + below(s - begin) : s);
        }
        return moved("shrink", x.t.shrink(pairs));
      case 6: return rank && moved("flip", x.t.flip({axis}));
      case 7: return moved("unsqueeze", x.t.unsqueeze(static_cast<int>(below(rank + 1))));
      case 8: return rank && moved("repeat", x.t.repeat(Sizes(static_cast<size_t>(rank), 2)));
      case 9: return rank && moved("cat", Tensor::cat({x.t, x.t.flip({axis})}, axis));
      default: return rank && n > 2 && moved("slice", x.t.shrink([&] {
        for (int64_t s : shape) pairs.emplace_back(s > 2 ? 1 : 0, s);
        return pairs;
      }()).contiguous());
    }
  }

  bool reduction(size_t i) {
    const Value x = values_[i];
    const int rank = x.t.rank();
    if (rank == 0) return false;
    const int axis = static_cast<int>(below(rank));
    const auto n = static_cast<double>(x.t.shape()[static_cast<size_t>(axis)]);
    const bool exact = x.error == 0, half = x.t.dtype() == float16 || x.t.dtype() == bfloat16;
    const ReduceOptions over{.axis = {axis}, .keepdim = below(2) == 0};
    const double rounding = floats(x.t.dtype()) && !(x.whole && n * x.most < exact_below(x.t.dtype()))
                                ? n * n * x.most * unit(half ? float32 : x.t.dtype())
                                : 0;
    switch (below(15)) {
      case 0: case 1: case 2: return add("sum", {x.t.sum(over), n * x.most + 1, n * x.error + rounding, x.whole}, {i});
      case 3:
        inexact_ = true;
        return n > 0 && add("mean", {x.t.mean(over), x.most, x.error + rounding + unit(float32) * x.most * 4, false}, {i});
      case 4: return n > 0 && may_bend(x) && add("max", {x.t.max(over), x.most, x.error, x.whole}, {i});
      case 5: return n > 0 && may_bend(x) && add("min", {x.t.min(over), x.most, x.error, x.whole}, {i});
      case 6: return exact && add("any", {x.t.any(over), 1}, {i});
      case 7: return exact && n > 0 && add("argmax", {x.t.argmax({.axis = axis}), n}, {i});
      case 8: return floats(x.t.dtype()) && add("cumsum", {x.t.cumsum(axis), n * x.most + 1, n * x.error + rounding, x.whole}, {i});
      case 9: return n > 0 && n <= 16 && may_bend(x) && add("sort", {x.t.sort({.axis = axis}).values, x.most, x.error, x.whole}, {i});
      case 10:
        inexact_ = true;
        return n > 0 && add("softmax",
                            {real(x.t).softmax(axis), 1, 2 * x.error + 4 * unit(float32) * x.most + n * unit(float32), false}, {i});
      case 11:
        inexact_ = true;
        return n > 0 &&
               add("logsumexp",
                   {real(x.t).logsumexp(over), x.most + std::log(n + 1), x.error + 4 * unit(float32) * (x.most + n), false}, {i});
      case 12: return exact && !floats(x.t.dtype()) && n > 0 && x.t.dtype() != bool_ && take(i);
      default: return product(i);
    }
  }
  // Rows of another value by this one's numbers.
  bool take(size_t i) {
    const size_t j = static_cast<size_t>(below(static_cast<int64_t>(values_.size())));
    const Value index = values_[i], from = values_[j];
    if (from.t.rank() == 0 || from.t.shape()[0] == 0 || index.t.rank() > 2) return false;
    const Tensor at = mod(index.t.cast(int32), from.t.shape()[0]);
    return add("take", {from.t.take(at), from.most, from.error, from.whole}, {j, i});
  }
  // Its own entries, backward, to random places along an axis.
  bool scatter(size_t i) {
    const Value x = values_[i];
    if (x.t.rank() == 0 || x.t.numel() == 0) return false;
    const int axis = static_cast<int>(below(x.t.rank()));
    const auto n = x.t.size(axis);
    std::vector<int64_t> places(static_cast<size_t>(x.t.numel()));
    for (int64_t& p : places) p = below(2 * n) - n;
    const Tensor index = Tensor::from(places, x.t.shape(), {.dtype = int32, .device = device_}).realize(), v = x.t.flip({axis});
    if (x.t.dtype() == bool_ || below(2)) return add("scatter", {tg::scatter(x.t, axis, index, v), x.most, x.error, x.whole}, {i});
    const double terms = static_cast<double>(n) + 1, most = terms * x.most;
    const double rounding = floats(x.t.dtype()) && !(x.whole && most < exact_below(x.t.dtype())) ? terms * most * unit(x.t.dtype()) : 0;
    return add("scatter_add", {tg::scatter_add(x.t, axis, index, v), most, terms * x.error + rounding, x.whole}, {i});
  }
  // Of the last axes, with weights of small whole numbers. An infinite factor of what lies outside may be nothing or nan.
  bool convolution(size_t i) {
    const Value x = values_[i];
    const int rank = x.t.rank();
    if (!floats(x.t.dtype()) || rank < 2 || rank > 3 || unbounded_) return false;
    Sizes shape{1 + below(3), x.t.size(0)};
    int64_t terms = shape[1];
    for (int a = 1; a < rank; ++a) terms *= shape.emplace_back(1 + below(3));
    std::vector<double> data(static_cast<size_t>(shape[0] * terms));
    for (double& v : data) v = static_cast<double>(below(5)) - 2;
    const Tensor w = Tensor::from(data, shape, {.dtype = x.t.dtype(), .device = device_}).realize();
    const ConvOptions o{
        .stride = static_cast<int>(1 + below(2)), .padding = static_cast<int>(below(2)), .dilation = static_cast<int>(1 + below(2))};
    const auto k = static_cast<double>(terms);
    const double most = 2 * k * x.most + 1;
    const bool half = x.t.dtype() == float16 || x.t.dtype() == bfloat16;
    const double rounding = x.whole && most < exact_below(x.t.dtype()) ? 0 : k * most * unit(half ? float32 : x.t.dtype());
    const Tensor y = rank == 2 ? conv1d(x.t, w, o) : conv2d(x.t, w, o);
    return add("convolution", {y, most, 2 * k * x.error + rounding, x.whole}, {i});
  }
  bool product(size_t i) {
    const Value x = values_[i];
    if (!floats(x.t.dtype()) || x.t.rank() < 2 || unbounded_) return false;
    const auto k = static_cast<double>(x.t.shape().back());
    const Tensor y = x.t.transpose(-1, -2);
    const bool half = x.t.dtype() == float16 || x.t.dtype() == bfloat16;
    const double most = k * x.most * x.most + 1;
    const double rounding = x.whole && most < exact_below(x.t.dtype()) ? 0 : k * most * unit(half ? float32 : x.t.dtype());
    return add("matmul", {x.t.matmul(y), most, k * (2 * x.most * x.error + x.error * x.error) + rounding, x.whole}, {i});
  }

  std::mt19937_64 random_;
  const std::string device_;
  const bool unbounded_, differentiated_;
  std::vector<Tensor> inputs_;  // that gradients are of
  std::vector<Value> values_;
  std::vector<double> errors_;
  std::string text_;
  bool inexact_ = false;  // the operation at hand rounds several times
};

}  // namespace tg
