// Random tensors: threefry2x32 written in integer ops, so that every device computes the same bits and draws fuse into their users.
//
//   Tensor::rand({4})      bits(key, Iota(4)), key = two bound variables: the graph is the same at every step, only their values differ
#include "tg/random.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "ir/op_info.hpp"
#include "tensor/impl.hpp"

namespace tg {

namespace {

/// 20 rounds in five groups of four, a piece of the key added after each. Word: uint32_t, or UOp of uint32.
template <class Word, class Rotate>
std::array<Word, 2> rounds(const std::array<Word, 3>& key, std::array<Word, 2> x, Rotate rotate) {
  constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  x = {x[0] + key[0], x[1] + key[1]};
  for (int group = 0; group < 5; ++group) {
    for (int r : rotations[group % 2]) {
      x[0] = x[0] + x[1];
      x[1] = rotate(x[1], r, x[0]);
    }
    x = {x[0] + key[static_cast<size_t>((group + 1) % 3)],
         x[1] + (key[static_cast<size_t>((group + 2) % 3)] + static_cast<uint32_t>(group + 1))};
  }
  return x;
}
constexpr uint32_t kParity = 0x1bd11bda;

struct Generator {
  std::mutex mutex;
  std::array<uint32_t, 2> key{0, 0};
  uint64_t calls = 0;
};
Generator& generator() { static Generator g; return g; }

UOp both(Op o, const UOp& a, const UOp& b) { return UOp::make(o, {a, b}); }
UOp word(int64_t v) { return constant(DType::uint32, v); }

/// The two words of every element, under the key of the next call.
std::array<UOp, 2> words(int64_t n) {
  std::array<uint32_t, 2> key;
  uint64_t call;
  {
    Generator& g = generator();
    const std::lock_guard lock(g.mutex);
    call = g.calls++;
    key = threefry2x32(g.key, {static_cast<uint32_t>(call >> 32), static_cast<uint32_t>(call)});
  }
  // A name for each call, so that two draws in one graph never meet.
  const auto bound = [&](int i) {
    return UOp::make(Op::Bind, {scalar_variable(fmt::format("random{}.{}", call, i), DType::uint32), word(key[static_cast<size_t>(i)])});
  };
  const UOp k0 = bound(0), k1 = bound(1), k2 = both(Op::Xor, both(Op::Xor, k0, k1), word(kParity));
  std::array<UOp, 2> counter{word(0), iota(n, DType::uint32)};
  if (n > int64_t{1} << 32) {
    const UOp i = iota(n, DType::uint64);
    counter = {cast(both(Op::Shr, i, constant(DType::uint64, 32)), DType::uint32), cast(i, DType::uint32)};
  }
  return rounds<UOp>({k0, k1, k2}, counter, [](const UOp& x, int r, const UOp& mixed) {
    return both(Op::Xor, both(Op::Or, both(Op::Shl, x, word(r)), both(Op::Shr, x, word(32 - r))), mixed);
  });
}

/// Uniform in [0, 1): random mantissa bits below the exponent of 1, minus 1.
UOp fractions(const std::array<UOp, 2>& x, DType t) {
  struct Layout { DType bits; int width, mantissa; };
  const Layout layout = t == DType::float64    ? Layout{DType::uint64, 64, 52}
                        : t == DType::float32  ? Layout{DType::uint32, 32, 23}
                        : t == DType::bfloat16 ? Layout{DType::uint16, 16, 7}
                                               : Layout{DType::uint16, 16, 10};
  const auto number = [&](int64_t v) { return constant(layout.bits, v); };
  const UOp bits = layout.width == 64 ? both(Op::Or, both(Op::Shl, cast(x[0], layout.bits), number(32)), cast(x[1], layout.bits))
                                      : cast(both(Op::Xor, x[0], x[1]), layout.bits);
  const int64_t exponent_of_one = ((int64_t{1} << (layout.width - layout.mantissa - 2)) - 1) << layout.mantissa;
  const UOp one_to_two = both(Op::Or, both(Op::Shr, bits, number(layout.width - layout.mantissa)), number(exponent_of_one));
  return UOp::make(Op::Bitcast, {one_to_two}, Arg{}, t) + constant(t, -1);
}

DType random_dtype(const TensorOptions& o, std::string_view operation) {
  const DType t = o.dtype == DType::void_ ? DType::float32 : o.dtype;
  require_dtype(is_float(t), operation, t, "ask for a float dtype, or use randint");
  return t;
}
Tensor finish(const UOp& flat, const Sizes& shape, const TensorOptions& o) {
  Tensor t = make(reshape(flat, shape_of(shape)), device_of(o));
  if (o.requires_grad) t.set_requires_grad(true);
  return t;
}
int64_t elements(const Sizes& shape, std::string_view operation) {
  check_sizes(shape, operation);
  return product(shape);
}

}  // namespace

std::array<uint32_t, 2> threefry2x32(std::array<uint32_t, 2> key, std::array<uint32_t, 2> counter) {
  return rounds<uint32_t>({key[0], key[1], key[0] ^ key[1] ^ kParity}, counter,
                          [](uint32_t x, int r, uint32_t mixed) { return (x << r | x >> (32 - r)) ^ mixed; });
}

void manual_seed(uint64_t seed) {
  Generator& g = generator();
  const std::lock_guard lock(g.mutex);
  g.key = {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)};
  g.calls = 0;
}

Tensor Tensor::rand(const Sizes& shape, const TensorOptions& o) {
  const DType t = random_dtype(o, "rand");
  return finish(fractions(words(elements(shape, "rand")), t), shape, o);
}
Tensor Tensor::randn(const Sizes& shape, const TensorOptions& o) {
  const DType t = random_dtype(o, "randn"), work = working_dtype(t);
  const auto x = words(elements(shape, "randn"));
  const auto number = [&](double v) { return constant(work, v); };
  const UOp u = tg::cast(x[0], work) * number(0x1p-32) + number(0x1p-33), v = tg::cast(x[1], work) * number(0x1p-32);
  const UOp radius = UOp::make(Op::Sqrt, {UOp::make(Op::Log2, {u}) * number(-2 * std::numbers::ln2)});
  const UOp cosine = UOp::make(Op::Sin, {(v + number(0.25)) * number(2 * std::numbers::pi)});
  return finish(tg::cast(radius * cosine, t), shape, o);
}
Tensor Tensor::randint(const Sizes& shape, int64_t low, int64_t high, const TensorOptions& o) {
  const int64_t n = elements(shape, "randint");
  const DType t = o.dtype == DType::void_ ? DType::int32 : o.dtype;
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  if (low >= high || range > uint64_t{1} << 32)
    throw ValueError(fmt::format("randint: the range [{}, {}) must hold 1 to 2^32 integers", low, high));
  require_dtype(t != DType::bool_ && t != DType::index, "randint", t, "ask for an integer or float dtype");
  weak_constant(Scalar(low), t, "randint");
  weak_constant(Scalar(high - 1), t, "randint");
  const auto x = words(n);
  const UOp wide = tg::cast(both(Op::Xor, x[0], x[1]), DType::uint64) * constant(DType::uint64, static_cast<int64_t>(range));
  const UOp offset = tg::cast(both(Op::Shr, wide, constant(DType::uint64, 32)), DType::int64);
  return finish(tg::cast(offset + low, t), shape, o);
}
Tensor Tensor::uniform(const Sizes& shape, const UniformOptions& o) {
  if (!(o.low <= o.high) || !std::isfinite(o.high - o.low))
    throw ValueError(fmt::format("uniform: the range [{}, {}) must be finite, low at most high", o.low, o.high));
  const DType t = random_dtype(o.tensor, "uniform");
  return finish(fractions(words(elements(shape, "uniform")), t) * constant(t, o.high - o.low) + constant(t, o.low), shape, o.tensor);
}
Tensor Tensor::kaiming_uniform(const Sizes& shape, double a, const TensorOptions& o) {
  if (shape.size() < 2)
    throw ShapeError(fmt::format("kaiming_uniform: shape {} has no fan-in; it takes two axes or more", to_string(shape)));
  const int64_t fan_in = elements(shape, "kaiming_uniform") == 0 ? 1 : product(std::span(shape).subspan(1));
  UniformOptions u;
  u.high = std::sqrt(6 / ((1 + a * a) * static_cast<double>(fan_in)));
  u.low = -u.high;
  u.tensor = o;
  return uniform(shape, u);
}

}  // namespace tg
