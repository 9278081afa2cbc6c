// Functions of one and of two operands, a row each: name, operator, what it does. A row is a method, a function and, with an operator,
// that.
//
//   in:  {"add", "add", add, "input + other"}      out: x.add(y), tg.add(x, y), x + y, 1 + x
#include <cstring>

#include "python/bind.hpp"

namespace tg::python {

namespace {

struct Unary {
  const char* name;
  Tensor (Tensor::*function)() const;
  const char* doc;
};
constexpr Unary kUnary[] = {
#define UNARY(kind, name, ulp, value, doc) {#name, &Tensor::name, doc "."},
#include "tg/unary.def"
};

struct Binary {
  const char* name;
  const char* python;  // the operator's name between its underlines, or null
  Tensor (*function)(const Operand&, const Operand&);
  const char* doc;
};
constexpr Binary kBinary[] = {
    {"add", "add", add, "input + other."},
    {"sub", "sub", sub, "input - other; not of bool."},
    {"mul", "mul", mul, "input * other."},
    {"div", "truediv", div, "True division; of integers in float32."},
    {"floor_divide", "floordiv", floor_div, "Division rounded down, as Python's //; an integer by 0 is 0."},
    {"remainder", "mod", mod, "input - input // other * other, as Python's %; an integer by 0 is 0."},
    {"pow", "pow", tg::pow, "input to the other: exact for integers."},
    {"maximum", nullptr, maximum, "The larger of two; nan if either is."},
    {"minimum", nullptr, minimum, "The smaller of two; nan if either is."},
    {"bitwise_and", "and", bitwise_and, "input & other, of integers and bool."},
    {"bitwise_or", "or", bitwise_or, "input | other, of integers and bool."},
    {"bitwise_xor", "xor", bitwise_xor, "input ^ other, of integers and bool."},
    {"bitwise_left_shift", "lshift", left_shift, "input << other, of integers; a shift beyond the width gives 0."},
    {"bitwise_right_shift", "rshift", right_shift, "input >> other, of integers; copies the sign."},
    {"logical_and", nullptr, logical_and, "Whether both are not 0."},
    {"logical_or", nullptr, logical_or, "Whether one is not 0."},
    {"logical_xor", nullptr, logical_xor, "Whether exactly one is not 0."},
    {"fmod", nullptr, tg::fmod, "input - trunc(input / other) * other, with the sign of the input, as C's; an integer by 0 is 0."},
    {"atan2", nullptr, tg::atan2, "The angle of the point (other, input), from -pi to pi."},
    {"hypot", nullptr, tg::hypot, "sqrt(input^2 + other^2) without overflow."},
    {"logaddexp", nullptr, logaddexp, "log(exp(input) + exp(other)) without overflow."},
    {"copysign", nullptr, tg::copysign, "|input| with the sign of the other."},
    {"nextafter", nullptr, tg::nextafter, "The number of the dtype next to the input towards the other; has no gradient."},
};
constexpr Binary kComparisons[] = {
    {"eq", "eq", eq, "input == other, elementwise; nan is unequal to all."}, {"ne", "ne", ne, "input != other, elementwise."},
    {"lt", "lt", lt, "input < other, elementwise."},                         {"le", "le", le, "input <= other, elementwise."},
    {"gt", "gt", gt, "input > other, elementwise."},                         {"ge", "ge", ge, "input >= other, elementwise."},
};
/// Other names that PyTorch or NumPy knows them by.
constexpr const char* kAliases[][2] = {
    {"absolute", "abs"},      {"negative", "neg"},        {"subtract", "sub"},        {"multiply", "mul"},     {"divide", "div"},
    {"true_divide", "div"},   {"swish", "silu"},          {"equal", "eq"},            {"not_equal", "ne"},     {"less", "lt"},
    {"less_equal", "le"},   {"greater", "gt"},    {"greater_equal", "ge"}, {"mod", "remainder"}, {"floor_div", "floor_divide"},
    {"arcsin", "asin"},       {"arccos", "acos"},         {"arctan", "atan"},         {"arctan2", "atan2"},    {"arcsinh", "asinh"},
    {"arccosh", "acosh"},     {"arctanh", "atanh"},       {"fix", "trunc"},           {"clip", "clamp"},
    {"power", "pow"},         {"rint", "round"},          {"invert", "bitwise_not"},
    {"radians", "deg2rad"},   {"degrees", "rad2deg"},
    {"left_shift", "bitwise_left_shift"},                {"right_shift", "bitwise_right_shift"},
};

std::string dunder(const std::string& name) { return "__" + name + "__"; }

void bind_binary(Api& api, const Binary& row, bool reflected) {
  const auto f = row.function;
  api.module.def(
      row.name, [f](const Operand& a, const Operand& b) { return f(a, b); }, row.doc, Released(), py::arg("input"), py::arg("other"));
  const auto method = [f](const Tensor& a, const Operand& b) { return f(a, b); };
  api.tensor.def(row.name, method, row.doc, Released(), py::arg("other"));
  if (!row.python) return;
  api.tensor.def(dunder(row.python).c_str(), method, Released(), py::is_operator(), py::arg("other"));
  if (reflected)
    api.tensor.def(dunder("r" + std::string(row.python)).c_str(), [f](const Tensor& b, const Operand& a) { return f(a, b); }, Released(),
                   py::is_operator(), py::arg("other"));
}

/// The activations that have numbers of their own.
void bind_activations(Api& api) {
  both(api, "gelu", [](const Tensor& x, const std::string& approximate) {
    if (approximate != "none" && approximate != "tanh")
      throw ValueError("gelu: approximate is 'none' or 'tanh', not '" + approximate + "'");
    return x.gelu({.tanh = approximate == "tanh"});
  }, "input * Phi(input), Hendrycks, Gimpel 2016; approximate='tanh' for the formula with tanh.", py::arg("approximate") = "none");
  both(api, "hardtanh", &Tensor::hardtanh, "clamp, whose gradient at the bounds is 0.", py::arg("min_val") = -1.0,
       py::arg("max_val") = 1.0);
  both(api, "leaky_relu", &Tensor::leaky_relu, "input, times the slope where it is negative.", py::arg("negative_slope") = 0.01);
  both(api, "elu", &Tensor::elu, "alpha expm1(input) where the input is negative: Clevert et al. 2015.", py::arg("alpha") = 1.0);
  both(api, "celu", &Tensor::celu, "alpha expm1(input / alpha) where the input is negative: Barron 2017.", py::arg("alpha") = 1.0);
  both(api, "softplus", &Tensor::softplus, "log(1 + exp(beta input)) / beta, without overflow; input itself where beta input is above the "
       "threshold.", py::arg("beta") = 1.0, py::arg("threshold") = 20.0);
  both(api, "prelu", &Tensor::prelu, "input, times the weight where it is negative; the weight has one element, or one for each index of "
       "axis 1. He et al. 2015.", py::arg("weight"));
  both(api, "glu", &Tensor::glu, "The axis' first half times sigmoid of its second.", py::arg("dim") = -1);
  both(api, "dropout", [](const Tensor& x, double p, bool training) { return x.dropout(p, training); },
       "Zero with probability p, else scaled by 1 / (1 - p), while training.", py::arg("p") = 0.5, py::arg("training") = true);
}

/// Functions of two or three operands that take more than these.
void bind_more(Api& api) {
  both(api, "div", [](const Tensor& a, const Operand& b, const std::optional<std::string>& mode) {
    if (mode && *mode != "trunc" && *mode != "floor")
      throw ValueError("div: rounding_mode is None, 'trunc' or 'floor', not '" + *mode + "'");
    return div(a, b, {.rounding = !mode ? Rounding::None : *mode == "trunc" ? Rounding::Trunc : Rounding::Floor});
  }, "Division rounded towards zero ('trunc') or down ('floor'), exact for integers.", py::arg("other"), py::kw_only(),
       py::arg("rounding_mode"));
  const auto alpha = py::arg("alpha");
  both(api, "add", [](const Tensor& a, const Operand& b, const Scalar& s) { return add(a, b, {.alpha = s}); }, "input + alpha other.",
       py::arg("other"), py::kw_only(), alpha);
  both(api, "sub", [](const Tensor& a, const Operand& b, const Scalar& s) { return sub(a, b, {.alpha = s}); },
       "input - alpha other; not of bool.", py::arg("other"), py::kw_only(), alpha);
  both(api, "lerp", [](const Tensor& a, const Operand& b, const Operand& w) { return lerp(a, b, w); }, "input + weight (end - input).",
       py::arg("end"), py::arg("weight"));
  const auto rtol = py::arg("rtol") = 1e-5, atol = py::arg("atol") = 1e-8, equal_nan = py::arg("equal_nan") = false;
  both(api, "isclose", [](const Tensor& a, const Operand& b, double r, double t, bool nan) {
    return isclose(a, b, {.rtol = r, .atol = t, .equal_nan = nan});
  }, "Whether |input - other| <= atol + rtol |other|.", py::arg("other"), rtol, atol, equal_nan);
  both(api, "allclose", [](const Tensor& a, const Operand& b, double r, double t, bool nan) {
    return allclose(a, b, {.rtol = r, .atol = t, .equal_nan = nan});
  }, "Whether isclose holds of all elements: a bool of Python's.", py::arg("other"), rtol, atol, equal_nan);
  both(api, "nan_to_num", &nan_to_num, "Numbers in the place of nan and of the infinities: without one the largest finite number.",
       py::arg("nan") = 0.0, py::arg("posinf") = py::none(), py::arg("neginf") = py::none());
  const auto other = py::arg("other");
  const auto value = py::arg("value") = Scalar(1);
  for (const auto& [name, f, doc] : {std::tuple("fmax", &tg::fmax, "The larger of two; where one is nan, the other."),
                                     std::tuple("fmin", &tg::fmin, "The smaller of two; where one is nan, the other."),
                                     std::tuple("xlogy", &xlogy, "input * log(other); 0 where the input is 0, unless the other is nan.")})
    both(api, name, [f = f](const Tensor& a, const Operand& b) { return f(a, b); }, doc, other);
  both(api, "heaviside", [](const Tensor& x, const Operand& v) { return heaviside(x, v); },
       "0 below 0, 1 above, the values at 0; nan stays. It has no gradient in the input.", py::arg("values"));
  both(api, "float_power", [](const Tensor& x, const Operand& y) { return float_power(x, y); }, "pow in float64.", py::arg("exponent"));
  both(api, "addcmul", [](const Tensor& x, const Tensor& a, const Operand& b, const Scalar& v) { return addcmul(x, a, b, v); },
       "input + value * tensor1 * tensor2.", py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), value);
  both(api, "addcdiv", [](const Tensor& x, const Tensor& a, const Operand& b, const Scalar& v) { return addcdiv(x, a, b, v); },
       "input + value * tensor1 / tensor2.", py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), value);
  for (const auto& [name, f, doc] : {std::tuple("frac", &frac, "input - trunc(input)."),
                                     std::tuple("deg2rad", &deg2rad, "Degrees to radians."),
                                     std::tuple("rad2deg", &rad2deg, "Radians to degrees."),
                                     std::tuple("sinc", &sinc, "sin(pi input) / (pi input), 1 at 0."),
                                     std::tuple("signbit", &tg::signbit, "Whether the sign is set, of -0 too."),
                                     std::tuple("isposinf", &isposinf, "Whether it is inf."),
                                     std::tuple("isneginf", &isneginf, "Whether it is -inf."),
                                     std::tuple("tanhshrink", &tanhshrink, "input - tanh(input).")})
    both(api, name, f, doc);
  both(api, "logit", [](const Tensor& x, std::optional<double> eps) { return logit(x, eps.value_or(-1)); },
       "log(input / (1 - input)); with eps the input is kept within [eps, 1 - eps].", py::arg("eps") = py::none());
  both(api, "threshold", &threshold, "The input above the threshold, else the value.", py::arg("threshold"), py::arg("value"));
  both(api, "hardshrink", &hardshrink, "0 from -lambd to lambd, else the input.", py::arg("lambd") = 0.5);
  both(api, "softshrink", &softshrink, "0 from -lambd to lambd, else the input, lambd nearer to 0.", py::arg("lambd") = 0.5);
  both(api, "round", [](const Tensor& x, int decimals) { return x.round(decimals); },
       "To so many digits behind the point, or in front of it where decimals is negative; halves to even.", py::arg("decimals"));
  for (const auto& [name, max] : {std::pair("clamp_min", false), std::pair("clamp_max", true)}) {
    both(api, name, [max = max](const Tensor& x, double bound) {
      return max ? x.clamp({.max = bound}) : x.clamp({.min = bound});
    }, "As clamp, of one bound.", py::arg(max ? "max" : "min"));
    both(api, name, [max = max](const Tensor& x, const Tensor& bound) {
      return max ? clamp(x, Tensor(), bound) : clamp(x, bound);
    }, "", py::arg(max ? "max" : "min"));
  }
  constexpr const char* derivative = "The n-th derivative of digamma; n from 0, of digamma itself.";
  api.module.def("polygamma", &polygamma, derivative, Released(), py::arg("n"), py::arg("input"));
  api.tensor.def("polygamma", [](const Tensor& x, int n) { return polygamma(n, x); }, derivative, Released(), py::arg("n"));
}

}  // namespace

void bind_elementwise(Api& api) {
  for (const Unary& row : kUnary) both(api, row.name, [f = row.function](const Tensor& x) { return (x.*f)(); }, row.doc);
  for (const Binary& row : kBinary) bind_binary(api, row, true);
  for (const Binary& row : kComparisons) bind_binary(api, row, false);
  Class& c = api.tensor;
  c.def("__neg__", &Tensor::neg, Released()).def("__abs__", &Tensor::abs, Released()).def("__invert__", &Tensor::bitwise_not, Released());
  c.def("__pos__", [](const Tensor& x) { return x; });
  c.attr("__hash__") = py::module_::import("builtins").attr("object").attr("__hash__");  // == is elementwise, so a tensor is itself

  both(api, "clamp", [](const Tensor& x, std::optional<double> min, std::optional<double> max) {
    ClampOptions o;
    if (min) o.min = *min;
    if (max) o.max = *max;
    return x.clamp(o);
  }, "Not below min nor above max.", py::arg("min") = py::none(), py::arg("max") = py::none());
  both(api, "clamp", [](const Tensor& x, const std::optional<Tensor>& min, const std::optional<Tensor>& max) {
    return clamp(x, min.value_or(Tensor()), max.value_or(Tensor()));
  }, "Within bounds that are tensors, and have gradients: it is max where they cross.", py::arg("min") = py::none(),
       py::arg("max") = py::none());
  api.module.def("where", [](const Tensor& condition, const Operand& a, const Operand& b) { return where(condition, a, b); },
                 "input where the condition (bool) is true, else other; all three broadcast.", Released(), py::arg("condition"),
                 py::arg("input"), py::arg("other"));
  c.def("where", [](const Tensor& x, const Tensor& condition, const Operand& other) { return where(condition, x, other); },
        "self where the condition is true, else other.", Released(), py::arg("condition"), py::arg("other"));
  bind_activations(api);
  bind_more(api);
  for (const auto& [alias, name] : kAliases) {
    api.tensor.attr(alias) = api.tensor.attr(name);
    api.module.attr(alias) = api.module.attr(name);
  }
}

}  // namespace tg::python
