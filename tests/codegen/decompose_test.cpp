// Decomposed expressions, evaluated operation by operation with the scalar meaning of each: accuracy against long double, special values,
// and that only arithmetic machines have is left.
#include "codegen/decompose.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <unordered_map>

#include "fuzzing.hpp"
#include "ir/symbolic.hpp"
#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"

namespace tg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

UOp unary(Op op, const UOp& x) { return UOp::make(op, {x}); }
UOp decomposed(const UOp& u) { return decompose(u, Target{}); }

/// An expression of params as a list of operations, run on one input after another.
class ScalarProgram {
 public:
  explicit ScalarProgram(const UOp& root) {
    for (const UOp& u : toposort(root)) {
      Step s{u.op(), u.src().empty() ? u.dtype() : u.src(u.op() == Op::Where ? 1 : 0).dtype(), u.dtype(), {}};
      for (size_t i = 0; i < u.src().size(); ++i) s.src[i] = at_.at(u.src(i));
      at_.emplace(u, steps_.size());
      steps_.push_back(s);
      const bool real = is_float(u.dtype());
      values_.push_back(!is_const(u) ? Number{} : real ? Number{0, u.as<double>()} : Number{u.as<int64_t>(), 0});
    }
  }
  Number operator()(std::initializer_list<Number> inputs) {
    size_t input = 0;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& s = steps_[i];
      const auto v = [&](int k) { return values_[s.src[k]]; };
      if (s.op == Op::Param) values_[i] = inputs.begin()[input++];
      else if (s.op == Op::Cast) values_[i] = convert(v(0), s.operand, s.result);
      else if (s.op == Op::Bitcast) values_[i] = from_bits(s.result, to_bits(s.operand, v(0)));
      else if (s.op != Op::Const) values_[i] = evaluate(s.op, s.operand, s.result, v(0), v(1), v(2));
    }
    return values_.back();
  }
  double operator()(double x) { return (*this)({Number{0, x}}).d; }
  size_t operations() const {
    size_t n = 0;
    for (const Step& s : steps_) n += is_elementwise(s.op) && s.op != Op::Bitcast;
    return n;
  }

 private:
  struct Step { Op op; DType operand, result; size_t src[3]; };
  static uint64_t to_bits(DType t, Number v) {
    if (!is_float(t)) return static_cast<uint64_t>(v.i);
    return t == float64 ? std::bit_cast<uint64_t>(v.d) : std::bit_cast<uint32_t>(static_cast<float>(v.d));
  }
  static Number from_bits(DType t, uint64_t bits) {
    if (t == float64) return {0, std::bit_cast<double>(bits)};
    if (t == float32) return {0, static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))};
    return round_to(t, {static_cast<int64_t>(bits), 0});
  }
  std::vector<Step> steps_;
  std::vector<Number> values_;
  std::unordered_map<UOp, size_t> at_;
};

struct Function {
  const char* name;
  UOp (*of)(const UOp&);
  long double (*reference)(long double);
  double units32, units64;         // largest error allowed
  size_t operations32, operations64;
};
UOp scaled(const UOp& x, double by) { return x * constant(x.dtype(), by); }
const Function kFunctions[] = {
    {"exp2", [](const UOp& x) { return unary(Op::Exp2, x); }, [](long double x) { return std::exp2(x); }, 0.9, 0.9, 20, 25},
    {"exp", [](const UOp& x) { return unary(Op::Exp2, scaled(x, std::numbers::log2e)); }, [](long double x) { return std::exp(x); }, 0.9,
     0.9, 21, 26},
    {"log2", [](const UOp& x) { return unary(Op::Log2, x); }, [](long double x) { return std::log2(x); }, 1.5, 1.4, 27, 38},
    {"log", [](const UOp& x) { return scaled(unary(Op::Log2, x), std::numbers::ln2); }, [](long double x) { return std::log(x); }, 0.9, 0.9,
     30, 41},
    {"sin", [](const UOp& x) { return unary(Op::Sin, x); }, [](long double x) { return std::sin(x); }, 1.6, 1.5, 82, 131},
    {"cos", [](const UOp& x) { return unary(Op::Cos, x); }, [](long double x) { return std::cos(x); }, 1.6, 1.5, 82, 131},
};
void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }

struct Format { DType dtype; int digits, least; };  // least: exponent of the smallest denormal
constexpr Format kFloat32{float32, 24, -149}, kFloat64{float64, 53, -1074};

double units(const Format& f, double got, long double want) {
  const double rounded = f.dtype == float64 ? static_cast<double>(want) : static_cast<double>(static_cast<float>(want));
  if (std::isnan(rounded) || std::isnan(got)) return std::isnan(rounded) && std::isnan(got) ? 0 : kInfinity;
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0 : kInfinity;
  int exponent = 0;
  std::frexp(want, &exponent);
  return static_cast<double>(std::fabs(got - want) / std::ldexp(1.0L, std::max(exponent - f.digits, f.least)));
}

/// Every exponent with both signs, mantissas at both ends of it and at random; then the numbers on both sides of each given one.
std::vector<double> samples(const Format& f, size_t a_binade, std::initializer_list<double> around) {
  std::mt19937_64 random(1);
  std::vector<double> out;
  const bool wide = f.dtype == float64;
  const int mantissa = f.digits - 1;
  const auto add = [&](uint64_t bits) {
    out.push_back(wide ? std::bit_cast<double>(bits) : static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))));
  };
  const uint64_t sign = uint64_t{1} << (wide ? 63 : 31), low = (uint64_t{1} << mantissa) - 1;
  for (uint64_t e = 0; e <= (wide ? 2047 : 255); ++e)
    for (size_t i = 0; i < a_binade; ++i) {
      const uint64_t bits = e << mantissa | ((i < 4 ? i : i < 8 ? 0 - (i - 3) : random()) & low);
      add(bits), add(bits | sign);
    }
  for (const double c : around)
    for (const double s : {c, -c}) {
      const uint64_t bits = wide ? std::bit_cast<uint64_t>(s) : std::bit_cast<uint32_t>(static_cast<float>(s));
      for (uint64_t d = 0; d < 100; ++d) add(bits + d), add(bits - d);
    }
  for (int i = 0; i < 20000; ++i) {  // where most arguments are
    const double v = std::ldexp(static_cast<double>(static_cast<int64_t>(random())), -63);
    for (const double size : {1.0, 4.0, 100.0, 1100.0}) out.push_back(wide ? v * size : static_cast<double>(static_cast<float>(v * size)));
    out.push_back(wide ? 1 + v / 8 : static_cast<double>(static_cast<float>(1 + v / 8)));
  }
  return out;
}

class Accuracy : public testing::TestWithParam<Function> {
 protected:
  void check(const Format& f, size_t a_binade, double bound, size_t operations) {
    ScalarProgram program(decomposed(GetParam().of(param(0, f.dtype))));
    EXPECT_LE(program.operations(), operations);
    double worst = 0, at = 0;
    const double pi = std::numbers::pi;
    for (const double x : samples(f, a_binade,
                                  {1,
                                   0.5,
                                   126,
                                   127,
                                   128,
                                   149.5,
                                   151,
                                   1023,
                                   1024,
                                   1074.5,
                                   88.7228,
                                   103.97,
                                   709.7827,
                                   745.13,
                                   2.0 / 3,
                                   4.0 / 3,
                                   pi / 4,
                                                pi / 2, pi, 2 * pi, 100 * pi, 16367173 * 0x1p72, 6381956970095103 * 0x1p797})) {
      const double error = units(f, program(x), GetParam().reference(x));
      if (error > worst) worst = error, at = x;
    }
    EXPECT_LE(worst, bound) << GetParam().name << " of " << at;
    RecordProperty(std::string(name_of(f.dtype)), std::to_string(worst));
  }
};
TEST_P(Accuracy, Float32) { check(kFloat32, static_cast<size_t>(fuzz_runs(200)), GetParam().units32, GetParam().operations32); }
TEST_P(Accuracy, Float64) { check(kFloat64, static_cast<size_t>(fuzz_runs(24)), GetParam().units64, GetParam().operations64); }
INSTANTIATE_TEST_SUITE_P(Decompose, Accuracy, testing::ValuesIn(kFunctions), testing::PrintToStringParamName());

TEST(Decompose, SpecialValues) {
  struct Case { int function; double in, out; };
  const Case cases[] = {
      {0, kInfinity, kInfinity},
      {0, -kInfinity, 0},
      {0, 0, 1},
      {0, -0.0, 1},
      {0, 1, 2},
      {0, -1, 0.5},
      {0, 10, 1024},
      {0, 1e30, kInfinity},
      {0, -1e30, 0},
      {1, kInfinity, kInfinity}, {1, -kInfinity, 0}, {1, 0, 1}, {1, -0.0, 1}, {1, 1e30, kInfinity}, {1, -1e30, 0},
      {2, kInfinity, kInfinity},
      {2, -kInfinity, kNan},
      {2, 0, -kInfinity},
      {2, -0.0, -kInfinity},
      {2, 1, 0},
      {2, -1, kNan},
      {2, 8, 3},
      {2, 0.25, -2},
      {2, 0x1p-140, -140},
      {3, kInfinity, kInfinity}, {3, -kInfinity, kNan}, {3, 0, -kInfinity}, {3, -0.0, -kInfinity}, {3, 1, 0}, {3, -1, kNan},
      {4, kInfinity, kNan}, {4, -kInfinity, kNan}, {4, 0, 0}, {4, -0.0, -0.0},
      {5, kInfinity, kNan}, {5, -kInfinity, kNan}, {5, 0, 1}, {5, -0.0, 1}, {5, 1e-30, 1},
      {0, kNan, kNan}, {1, kNan, kNan}, {2, kNan, kNan}, {3, kNan, kNan}, {4, kNan, kNan}, {5, kNan, kNan},
  };
  for (const DType t : {float32, float64})
    for (const Case& c : cases) {
      ScalarProgram program(decomposed(kFunctions[c.function].of(param(0, t))));
      const double got = program(c.in);
      const std::string what = std::string(kFunctions[c.function].name) + " " + std::string(name_of(t)) + " of " + std::to_string(c.in);
      if (std::isnan(c.out)) EXPECT_TRUE(std::isnan(got)) << what;
      else EXPECT_EQ(std::bit_cast<uint64_t>(got), std::bit_cast<uint64_t>(c.out)) << what << " is " << got;
    }
}
TEST(Decompose, NansOfAnyBitsStayNan) {
  for (const Function& f : kFunctions) {
    const UOp bits = param(0, int32);
    ScalarProgram program(decomposed(f.of(UOp::make(Op::Bitcast, {bits}, Arg{}, float32))));
    for (const int64_t b : {0x7fc00000LL, 0x7fc00001LL, 0x7fffffffLL, 0x7fd55555LL, -1LL, -0x3fffffLL})
      EXPECT_TRUE(std::isnan(program({Number{b, 0}}).d)) << f.name << " " << b;
  }
}
TEST(Decompose, SineStaysWithinOne) {
  for (const Op op : {Op::Sin, Op::Cos}) {
    ScalarProgram program(decomposed(unary(op, param(0, float32))));
    for (int n = op == Op::Sin; n < 20000; n += 2) {
      const auto top = static_cast<float>(n * std::numbers::pi / 2);
      for (const float x : {top, std::nextafter(top, 0.0f), std::nextafter(top, 1e9f)})
        EXPECT_LE(std::fabs(program(static_cast<double>(x))), 1.0) << x;
    }
  }
}

bool is_half(DType t) { return t == float16 || t == bfloat16; }
/// Operations no renderer has.
size_t leftover(const UOp& root) {
  size_t n = 0;
  for (const UOp& u : toposort(root)) {
    n += u.op() == Op::Exp2 || u.op() == Op::Log2 || u.op() == Op::Sin || u.op() == Op::Cos;
    if (!is_elementwise(u.op()) || u.op() == Op::Cast || u.op() == Op::Bitcast || u.op() == Op::Where) continue;
    for (const UOp& s : u.src()) n += is_half(s.dtype());
  }
  return n;
}

TEST(Decompose, HalfArithmeticRoundsEveryResult) {
  std::mt19937_64 random(2);
  for (const DType t : {float16, bfloat16})
    for (const Op op : {Op::Add, Op::Mul, Op::Div, Op::Max, Op::Less, Op::NotEqual, Op::Sqrt, Op::Recip, Op::Trunc, Op::Fma}) {
      std::vector<UOp> src;
      for (int i = 0; i < info(op).arity; ++i) src.push_back(param(i, t));
      const UOp e = decomposed(UOp::make(op, src, Arg{}));
      EXPECT_EQ(leftover(e), 0u);
      EXPECT_EQ(e.dtype(), op == Op::Less || op == Op::NotEqual ? bool_ : t);
      ScalarProgram program(e);
      const auto number = [&] {
        return round_to(t, {0, std::ldexp(static_cast<double>(random() % 4096), static_cast<int>(random() % 16) - 12)});
      };
      for (int i = 0; i < 300; ++i) {
        const Number a = number(), b = number(), c = number(), want = evaluate(op, t, e.dtype(), a, b, c), got = program({a, b, c});
        if (is_float(e.dtype())) EXPECT_EQ(got.d, want.d) << name_of(op) << " of " << a.d << " " << b.d << " " << c.d;
        else EXPECT_EQ(got.i, want.i) << name_of(op) << " of " << a.d << " " << b.d;
      }
    }
}
TEST(Decompose, HalfFunctionsAreComputedInFloat32) {
  for (const DType t : {float16, bfloat16}) {
    const UOp e = decomposed(unary(Op::Exp2, unary(Op::Sin, param(0, t))));
    EXPECT_EQ(leftover(e), 0u);
    EXPECT_EQ(e.dtype(), t);
    EXPECT_NEAR(ScalarProgram(e)(1.0), std::exp2(std::sin(1.0)), 0.02);
  }
}
TEST(Decompose, LoadsStoresAndChoicesKeepTheirType) {
  const UOp i = range(8, 0), to = param(0, float16, {8}), from = param(1, float16, {8});
  const UOp copy = store(to, i, where(less(i, 4), load(from, i), constant(float16, 0)));
  EXPECT_EQ(decomposed(copy), copy);
  const UOp sum = decomposed(store(to, i, load(from, i) + load(from, i)));
  EXPECT_EQ(sum.src(2).op(), Op::Cast);
  EXPECT_EQ(sum.src(2).dtype(), float16);
  EXPECT_EQ(sum.src(2).src(0).dtype(), float32);
}
TEST(Decompose, HalfReductionsAccumulateInFloat32) {
  const UOp i = range(8, 0, RangeKind::Reduce), from = param(0, bfloat16, {8});
  const UOp sum = decomposed(UOp::make(Op::Reduce, {load(from, i), i}, ReduceArg{Monoid::Sum, 0}));
  EXPECT_EQ(sum, cast(UOp::make(Op::Reduce, {cast(load(from, i), float32), i}, ReduceArg{Monoid::Sum, 0}), bfloat16));
  const UOp best = UOp::make(Op::Reduce, {load(from, i), i}, ReduceArg{Monoid::ArgMax, 0});
  const UOp wide = UOp::make(Op::Reduce, {cast(load(from, i), float32), i}, ReduceArg{Monoid::ArgMax, 0});
  EXPECT_EQ(decomposed(UOp::make(Op::Get, {best}, int64_t{0}, bfloat16)), cast(UOp::make(Op::Get, {wide}, int64_t{0}, float32), bfloat16));
  EXPECT_EQ(decomposed(UOp::make(Op::Get, {best}, int64_t{1}, DType::index)), UOp::make(Op::Get, {wide}, int64_t{1}, DType::index));
}

TEST(Decompose, BoolArithmeticIsLogic) {
  for (const Op op : {Op::Add, Op::Mul, Op::Max, Op::Less, Op::Fma}) {
    std::vector<UOp> src;
    for (int i = 0; i < info(op).arity; ++i) src.push_back(param(i, bool_));
    const UOp e = decomposed(UOp::make(op, src, Arg{}));
    for (const UOp& u : toposort(e)) EXPECT_TRUE(u.op() != op) << name_of(op);
    std::unordered_map<UOp, UOp> values;
    for (int64_t bits = 0; bits < 8; ++bits) {
      Number v[3];
      for (size_t i = 0; i < src.size(); ++i) v[i] = {bits >> i & 1, 0}, values[src[i]] = constant(bool_, v[i].i);
      EXPECT_TRUE(is_const(simplify(substitute(e, values)), static_cast<double>(evaluate(op, bool_, bool_, v[0], v[1], v[2]).i)))
          << name_of(op) << " " << bits;
    }
  }
}
TEST(Decompose, IntegerFmaIsAProductAndASum) {
  const UOp a = param(0, int32), b = param(1, int32), c = param(2, int32);
  EXPECT_EQ(decomposed(UOp::make(Op::Fma, {a, b, c})), a * b + c);
}
TEST(Decompose, OnlyTheRightFactorMakesItNatural) {
  const UOp x = param(0, float32);
  const UOp e = unary(Op::Exp2, scaled(x, 1.5));
  EXPECT_NEAR(ScalarProgram(decomposed(e))(2.0), 8.0, 1e-6);
  EXPECT_NEAR(ScalarProgram(decomposed(scaled(unary(Op::Log2, x), 0.5)))(16.0), 2.0, 1e-6);
}
TEST(Decompose, SharedPartsStayShared) {
  const UOp e = unary(Op::Exp2, param(0, float32));
  const UOp both[] = {e + e * 2, e * e};
  const std::vector<UOp> out = decompose(both, Target{});
  EXPECT_EQ(out[0].src(0), out[1].src(0));
}

}  // namespace
}  // namespace tg
