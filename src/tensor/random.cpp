// Random tensors: threefry2x32 written in integer ops, so that every device computes the same bits and draws fuse into their users.
//
//   Tensor::rand({4})      bits(key, Iota(4)), key = two bound variables: the graph is the same at every step, only their values differ
#include "tg/random.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include "tensor/impl.hpp"
#include "tensor/special.hpp"
#include "tg/arrange.hpp"
#include "tg/functions.hpp"
#include "tg/ir/op_info.hpp"

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

struct Shared {
  Mutex mutex;
  Generator generator;
};
Shared& shared() { static auto& leaked = *new Shared; return leaked; }
thread_local Generator* drawing_from = nullptr;

using Key = std::array<uint32_t, 2>;
Key next_key() {
  if (drawing_from) return drawing_from->next();
  const std::lock_guard lock(shared().mutex);
  return shared().generator.next();
}

UOp both(Op o, const UOp& a, const UOp& b) { return UOp::make(o, {a, b}); }
UOp word(int64_t v) { return constant(DType::uint32, v); }

/// The two words of every element under the key.
std::array<UOp, 2> words(const Key& key, int64_t n) {
  static std::atomic<uint64_t> draws{0};
  const uint64_t call = draws++;
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

/// All bits of an unsigned dtype at random.
UOp random_bits(const Key& key, int64_t n, DType t) {
  const auto x = words(key, n);
  if (t != DType::uint64) return cast(both(Op::Xor, x[0], x[1]), t);
  return both(Op::Or, both(Op::Shl, cast(x[0], t), constant(t, 32)), cast(x[1], t));
}

/// Uniform in [0, 1): random mantissa bits below the exponent of 1, minus 1.
UOp fractions(const Key& key, int64_t n, DType t) {
  struct Layout { DType drawn, bits; int width, mantissa; };
  const Layout layout = t == DType::float64    ? Layout{DType::uint64, DType::uint64, 64, 52}
                        : t == DType::float32  ? Layout{DType::uint32, DType::uint32, 32, 23}
                        : t == DType::bfloat16 ? Layout{DType::uint8, DType::uint16, 16, 7}
                                               : Layout{DType::uint16, DType::uint16, 16, 10};
  const auto number = [&](int64_t v) { return constant(layout.bits, v); };
  const UOp bits = cast(random_bits(key, n, layout.drawn), layout.bits);
  const int64_t exponent_of_one = ((int64_t{1} << (layout.width - layout.mantissa - 2)) - 1) << layout.mantissa;
  const int beyond = static_cast<int>(8 * size_of(layout.drawn)) - layout.mantissa;
  const UOp one_to_two = both(Op::Or, both(Op::Shr, bits, number(beyond)), number(exponent_of_one));
  return UOp::make(Op::Bitcast, {one_to_two}, Arg{}, t) + constant(t, -1);
}
UOp between(const UOp& fractions, double low, double high) {
  const DType t = fractions.dtype();
  const double from = round_to(t, {0, low}).d, size = round_to(t, {0, round_to(t, {0, high}).d - from}).d;
  return fractions * constant(t, size) + constant(t, from);
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

Key threefry2x32(Key key, Key counter) {
  return rounds<uint32_t>({key[0], key[1], key[0] ^ key[1] ^ kParity}, counter,
                          [](uint32_t x, int r, uint32_t mixed) { return (x << r | x >> (32 - r)) ^ mixed; });
}

Generator Generator::with_key(Key key) {
  return Generator(State{.key = key, .as_it_is = true});
}
void Generator::manual_seed(uint64_t seed) {
  state_ = {.key = {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)}};
}
Key Generator::next() {
  const uint64_t call = std::atomic_ref(state_.calls)++;
  if (state_.as_it_is && call == 0) return state_.key;
  return threefry2x32(state_.key, {static_cast<uint32_t>(call >> 32), static_cast<uint32_t>(call)});
}
Generator split_generator() { return Generator::with_key(next_key()); }
Drawing::Drawing(Generator& from) : before_(std::exchange(drawing_from, &from)) {}
Drawing::~Drawing() { drawing_from = before_; }

void manual_seed(uint64_t seed) {
  const std::lock_guard lock(shared().mutex);
  shared().generator.manual_seed(seed);
}
Generator::State rng_state() {
  const std::lock_guard lock(shared().mutex);
  return shared().generator.state();
}
void set_rng_state(const Generator::State& state) {
  const std::lock_guard lock(shared().mutex);
  shared().generator = Generator(state);
}

Tensor Tensor::rand(const Sizes& shape, const TensorOptions& o) {
  const DType t = random_dtype(o, "rand");
  return finish(fractions(next_key(), elements(shape, "rand"), t), shape, o);
}
Tensor Tensor::randn(const Sizes& shape, const TensorOptions& o) {
  const DType t = random_dtype(o, "randn"), work = working_dtype(t);
  const double above_minus_1 = work == DType::float64 ? std::nextafter(-1.0, 0.0) : static_cast<double>(std::nextafter(-1.0f, 0.0f));
  const UOp u = between(fractions(next_key(), elements(shape, "randn"), work), above_minus_1, 1);
  return finish(tg::cast(special::erfinv(u) * constant(work, std::numbers::sqrt2), t), shape, o);
}
Tensor Tensor::randint(const Sizes& shape, int64_t low, int64_t high, const TensorOptions& o) {
  const int64_t n = elements(shape, "randint");
  const DType t = o.dtype == DType::void_ ? DType::int32 : o.dtype;
  if (low >= high) throw ValueError(fmt::format("randint: the range [{}, {}) is empty; low must be below high", low, high));
  require_dtype(t != DType::bool_ && t != DType::index, "randint", t, "ask for an integer or float dtype");
  weak_constant(Scalar(low), t, "randint");
  weak_constant(Scalar(high - 1), t, "randint");
  const bool fits_32 = low >= INT32_MIN && high <= INT32_MAX;
  const size_t bytes = !is_float(t) ? size_of(t) : fits_32 ? 4 : 8;
  const DType bits = bytes == 1 ? DType::uint8 : bytes == 2 ? DType::uint16 : bytes == 4 ? DType::uint32 : DType::uint64;
  const auto wrapped = [&](uint64_t v) { return bytes == 8 ? v : v & ((uint64_t{1} << 8 * bytes) - 1); };
  // Twice as many bits as the dtype's, modulo the range: high * 2^width + low. A range of all there is is 0 here.
  const Key key = next_key();
  const uint64_t range = wrapped(static_cast<uint64_t>(high) - static_cast<uint64_t>(low));
  UOp offset = random_bits(threefry2x32(key, {0, 1}), n, bits);
  if (range != 0) {
    const auto number = [&](uint64_t v) { return constant(bits, static_cast<int64_t>(v)); };
    const uint64_t half = (uint64_t{1} << 4 * bytes) % range, whole = wrapped(half * half) % range;
    const UOp upper = both(Op::Mod, random_bits(threefry2x32(key, {0, 0}), n, bits), number(range));
    offset = both(Op::Mod, upper * number(whole) + both(Op::Mod, offset, number(range)), number(range));
  }
  const DType sum = is_float(t) ? (fits_32 ? DType::int32 : DType::int64) : t;
  return finish(tg::cast(tg::cast(offset, sum) + constant(sum, low), t), shape, o);
}
Tensor Tensor::uniform(const Sizes& shape, const UniformOptions& o) {
  if (!(o.low <= o.high) || !std::isfinite(o.high - o.low))
    throw ValueError(fmt::format("uniform: the range [{}, {}) must be finite, low at most high", o.low, o.high));
  const DType t = random_dtype(o.tensor, "uniform");
  return finish(between(fractions(next_key(), elements(shape, "uniform"), t), o.low, o.high), shape, o.tensor);
}
Tensor normal(const Sizes& shape, const NormalOptions& o) {
  if (!(o.std >= 0) || !std::isfinite(o.std) || !std::isfinite(o.mean))
    throw ValueError(fmt::format("normal: mean {} and std {} must be finite, and std not negative", o.mean, o.std));
  const Tensor x = Tensor::randn(shape, {.dtype = o.tensor.dtype, .device = o.tensor.device});
  return finish(node_of(x * o.std + o.mean, "normal"), shape, o.tensor);
}
Tensor normal(const Tensor& mean, const Tensor& std) {
  const Tensor scale = std + zeros_like(mean), x = Tensor::randn(scale.shape(), {.dtype = scale.dtype(), .device = scale.device()});
  return x * scale + mean;
}

namespace {
struct Fans { double in, out; };
Fans fans(const Sizes& shape, std::string_view operation) {
  if (shape.size() < 2)
    throw ShapeError(fmt::format("{}: shape {} has no fan-in; it takes two axes or more", operation, to_string(shape)));
  if (elements(shape, operation) == 0) return {1, 1};
  const auto field = static_cast<double>(product(std::span(shape).subspan(2)));
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}
UniformOptions within(double bound, const TensorOptions& o) { return {.low = -bound, .high = bound, .tensor = o}; }
}  // namespace

Tensor Tensor::kaiming_uniform(const Sizes& shape, double a, const TensorOptions& o) {
  return uniform(shape, within(std::sqrt(6 / ((1 + a * a) * fans(shape, "kaiming_uniform").in)), o));
}
Tensor kaiming_normal(const Sizes& shape, double a, const TensorOptions& o) {
  return normal(shape, {.std = std::sqrt(2 / ((1 + a * a) * fans(shape, "kaiming_normal").in)), .tensor = o});
}
Tensor xavier_uniform(const Sizes& shape, double gain, const TensorOptions& o) {
  const Fans f = fans(shape, "xavier_uniform");
  return Tensor::uniform(shape, within(gain * std::sqrt(6 / (f.in + f.out)), o));
}
Tensor xavier_normal(const Sizes& shape, double gain, const TensorOptions& o) {
  const Fans f = fans(shape, "xavier_normal");
  return normal(shape, {.std = gain * std::sqrt(2 / (f.in + f.out)), .tensor = o});
}

Tensor randperm(int64_t n, const TensorOptions& o) {
  const DType t = o.dtype == DType::void_ ? DType::int32 : o.dtype;
  require_dtype(t != DType::bool_ && t != DType::index, "randperm", t, "ask for an integer or float dtype");
  elements({n}, "randperm");
  // Sorted by random keys of 32 bits, once more for each factor of 1600 or so: two numbers that never differ in a key stay in order.
  Key key = next_key();
  Tensor out = Tensor::arange(n, {.dtype = t, .device = device_of(o)});
  const int sorts = static_cast<int>(std::ceil(3 * std::log(std::fmax(1, static_cast<double>(n))) / std::log(UINT32_MAX)));
  for (int i = 0; i < sorts; ++i) {
    const Tensor order = make(random_bits(threefry2x32(key, {0, 1}), n, DType::uint32), device_of(o)).argsort();
    out = i == 0 ? order.cast(t) : out.take(order);
    key = threefry2x32(key, {0, 0});
  }
  return finish(node_of(out, "randperm"), {n}, o);
}
Tensor bernoulli(const Tensor& p) {
  require_dtype(is_float(p.dtype()), "bernoulli", p.dtype(), "probabilities are floats; cast it first");
  const DType work = working_dtype(p.dtype());
  return lt(Tensor::rand(p.shape(), {.dtype = work, .device = p.device()}), p.detach().cast(work)).cast(p.dtype());
}
Tensor multinomial(const Tensor& weights, int64_t count, bool replacement) {
  require_dtype(is_float(weights.dtype()), "multinomial", weights.dtype(), "weights are floats; cast it first");
  if (weights.rank() < 1 || weights.rank() > 2 || weights.size(-1) == 0)
    throw ShapeError(fmt::format("multinomial: weights of shape {}; it takes (n) or (rows, n), n not 0", to_string(weights.shape())));
  if (count < 0 || (!replacement && count > weights.size(-1)))
    throw ValueError(fmt::format("multinomial: {} draws of {} without replacement; draw fewer, or with replacement = true", count,
                                 weights.size(-1)));
  const Tensor w = weights.detach().cast(DType::float32);
  if (!replacement) {  // who arrives first: the time of rate w is -log(1 - u) / w
    const Tensor u = Tensor::rand(w.shape(), {.device = w.device()});
    return div(u.neg().log1p().neg(), w).topk(count, -1, false).indices;
  }
  Sizes shape = w.shape();
  shape.back() = count;
  // How many of the running sums are at most u times their last: the place of u among them, which has a weight above 0.
  const Tensor sums = w.cumsum(-1), total = sums.at({ellipsis, slice(-1, none)});
  const Tensor u = Tensor::rand(shape, {.device = w.device()}) * total;
  const Tensor place = le(sums.unsqueeze(-2), u.unsqueeze(-1)).sum({.axis = -1});
  const Tensor last = lt(sums, total).sum({.axis = -1, .keepdim = true});  // u * total may round up to the total
  return minimum(place, last).cast(DType::int32);
}

}  // namespace tg
