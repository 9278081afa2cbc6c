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
    {"neg", &Tensor::neg, "-input; not of bool."},
    {"abs", &Tensor::abs, "The absolute value."},
    {"sign", &Tensor::sign, "-1, 0 or 1; nan of nan."},
    {"floor", &Tensor::floor, "The largest whole number not above."},
    {"ceil", &Tensor::ceil, "The smallest whole number not below."},
    {"round", &Tensor::round, "The nearest whole number, halves to even."},
    {"trunc", &Tensor::trunc, "The whole part, towards zero."},
    {"exp", &Tensor::exp, "e to the input."},
    {"exp2", &Tensor::exp2, "2 to the input."},
    {"log", &Tensor::log, "The natural logarithm."},
    {"log2", &Tensor::log2, "The logarithm to the base 2."},
    {"sin", &Tensor::sin, "The sine, within 2 units in the last place for inputs of any size."},
    {"cos", &Tensor::cos, "The cosine, within 2 units in the last place for inputs of any size."},
    {"tan", &Tensor::tan, "The tangent."},
    {"sqrt", &Tensor::sqrt, "The square root."},
    {"rsqrt", &Tensor::rsqrt, "1 / sqrt(input)."},
    {"reciprocal", &Tensor::reciprocal, "1 / input."},
    {"square", &Tensor::square, "input * input."},
    {"isnan", &Tensor::isnan, "Whether it is not a number."},
    {"isinf", &Tensor::isinf, "Whether it is infinite."},
    {"isfinite", &Tensor::isfinite, "Whether it is neither infinite nor nan."},
    {"logical_not", &Tensor::logical_not, "Whether it is 0."},
    {"bitwise_not", &Tensor::bitwise_not, "~input, of integers and bool."},
    {"erf", &Tensor::erf, "The error function."},
    {"relu", &Tensor::relu, "max(input, 0)."},
    {"sigmoid", &Tensor::sigmoid, "1 / (1 + exp(-input)), without overflow."},
    {"tanh", &Tensor::tanh, "The hyperbolic tangent."},
    {"silu", &Tensor::silu, "input * sigmoid(input)."},
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
};
constexpr Binary kComparisons[] = {
    {"eq", "eq", eq, "input == other, elementwise; nan is unequal to all."}, {"ne", "ne", ne, "input != other, elementwise."},
    {"lt", "lt", lt, "input < other, elementwise."},                         {"le", "le", le, "input <= other, elementwise."},
    {"gt", "gt", gt, "input > other, elementwise."},                         {"ge", "ge", ge, "input >= other, elementwise."},
};
/// Other names that PyTorch or NumPy knows them by.
constexpr const char* kAliases[][2] = {
    {"absolute", "abs"},    {"negative", "neg"}, {"subtract", "sub"},     {"multiply", "mul"},  {"divide", "div"},
    {"true_divide", "div"},
    {"swish", "silu"},     {"equal", "eq"},        {"not_equal", "ne"},     {"less", "lt"},           {"less_equal", "le"},
    {"greater", "gt"},     {"greater_equal", "ge"}, {"mod", "remainder"},   {"floor_div", "floor_divide"},
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

}  // namespace

void bind_elementwise(Api& api) {
  for (const Unary& row : kUnary) both(api, row.name, [f = row.function](const Tensor& x) { return (x.*f)(); }, row.doc);
  for (const Binary& row : kBinary) bind_binary(api, row, true);
  for (const Binary& row : kComparisons) bind_binary(api, row, false);
  for (const auto& [alias, name] : kAliases) {
    api.tensor.attr(alias) = api.tensor.attr(name);
    api.module.attr(alias) = api.module.attr(name);
  }
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
  both(api, "gelu", [](const Tensor& x, const std::string& approximate) {
    if (approximate != "none" && approximate != "tanh")
          throw ValueError("gelu: approximate is 'none' or 'tanh', not '" + approximate + "'");
    return x.gelu({.tanh = approximate == "tanh"});
  }, "input * Phi(input), Hendrycks, Gimpel 2016; approximate='tanh' for the formula with tanh.", py::arg("approximate") = "none");
  both(api, "dropout", [](const Tensor& x, double p, bool training) { return x.dropout(p, training); },
       "Zero with probability p, else scaled by 1 / (1 - p), while training.", py::arg("p") = 0.5, py::arg("training") = true);
  api.module.def("where", [](const Tensor& condition, const Operand& a, const Operand& b) { return where(condition, a, b); },
                 "input where the condition (bool) is true, else other; all three broadcast.", Released(), py::arg("condition"),
                 py::arg("input"), py::arg("other"));
  c.def("where", [](const Tensor& x, const Tensor& condition, const Operand& other) { return where(condition, x, other); },
        "self where the condition is true, else other.", Released(), py::arg("condition"), py::arg("other"));
}

}  // namespace tg::python
