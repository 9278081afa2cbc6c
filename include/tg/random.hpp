#pragma once
// The generator behind Tensor::rand and its kin: threefry2x32, 20 rounds (Salmon, Moraes, Dror, Shaw 2011), a function of key and counter.
//
//   tg::manual_seed(7);  Tensor::rand({4});      the same four numbers on every device, for any number of threads
//   tg::Generator own(7);  tg::Drawing from(own);  Tensor::rand({4});      from a generator of one's own, while `from` lives
//
// Layout, that of JAX's threefry2x32 with jax_threefry_partitionable (the default since JAX 0.5):
//   seed       key (seed >> 32, seed & 0xffffffff), as jax.random.key(seed)
//   call n     (from 0, counted since the seed was set) key_n = threefry2x32(key, (0, n)), as jax.random.fold_in(key, n), which is also
//              element n of jax.random.split(key, n + 1)
//   element i  (x0, x1) = threefry2x32(key_n, (i >> 32, i & 0xffffffff)); its 32 bits are x0 ^ x1, its 64 bits x0 << 32 | x1, its 16 and
//              8 bits the low ones of the 32: jax.random.bits
//   rand       the top mantissa bits of those (of bfloat16: of 8) as the fraction of a number in [1, 2), minus 1: jax.random.uniform
//   uniform    (high - low) rand + low
//   randn      sqrt(2) erfinv(u), u uniform between -1 and 1: jax.random.normal; of 16-bit floats in float32, rounded
//   randint    twice the dtype's bits, from keys 0 and 1 split off the call's, modulo high - low, plus low: jax.random.randint
//   randperm   sorted by 32 bits from key 1 split off, again with key 0 in the call's place if n is large: jax.random.permutation
//   bernoulli  rand < p: jax.random.bernoulli
// A Generator made by with_key draws with that key itself at its first call: jax.random.uniform(key), bit for bit; randn up to the
// rounding of erfinv.
#include <array>
#include <cstdint>

#include "tg/tensor.hpp"

namespace tg {

/// Restarts the random numbers of the whole process. Without it the seed is 0. Calls from several threads take their turns in some order.
void manual_seed(uint64_t seed);

/// The block function itself: 64 bits of counter under 64 bits of key.
[[nodiscard]] std::array<uint32_t, 2> threefry2x32(std::array<uint32_t, 2> key, std::array<uint32_t, 2> counter);

/// Random numbers of its own: a key, and how many calls were made. Copies go on alike. Several threads may draw from it, in some
/// order.
class Generator {
 public:
  /// All that it is: what a checkpoint keeps, and goes on from.
  struct State {
    std::array<uint32_t, 2> key{};
    uint64_t calls = 0;
    bool as_it_is = false;  // the first call uses the key itself
  };
  explicit Generator(uint64_t seed = 0) { manual_seed(seed); }
  explicit Generator(const State& state) : state_(state) {}
  /// Its first call uses the key as it is; further ones fold in their number.
  [[nodiscard]] static Generator with_key(std::array<uint32_t, 2> key);
  void manual_seed(uint64_t seed);
  /// The key of the next call.
  [[nodiscard]] std::array<uint32_t, 2> next();
  [[nodiscard]] std::array<uint32_t, 2> key() const { return state_.key; }
  [[nodiscard]] uint64_t calls() const { return state_.calls; }
  [[nodiscard]] const State& state() const { return state_; }

 private:
  State state_;
};

/// Where the random numbers of the whole process are, and to go on from there.
[[nodiscard]] Generator::State rng_state();
void set_rng_state(const Generator::State& state);

/// While one lives, all that draws random numbers on this thread (rand, dropout, the weights of layers) takes them from its generator,
/// which must outlive it.
class Drawing {
 public:
  explicit Drawing(Generator& from);
  ~Drawing();
  Drawing(const Drawing&) = delete;
  Drawing& operator=(const Drawing&) = delete;

 private:
  Generator* before_;
};

/// A generator whose key is what the next call on this thread would have had: what is drawn from it later, and elsewhere, follows from the
/// seed alone.
[[nodiscard]] Generator split_generator();

struct NormalOptions {  // of normal
  detail::ByName by_name_only = detail::by_name;
  double mean = 0, std = 1;   // of the distribution
  TensorOptions tensor = {};  // dtype and device
};
/// mean + std randn. ValueError: a negative or infinite std.
[[nodiscard]] Tensor normal(const Sizes& shape, const NormalOptions& options = {});
/// A number for each of the means and standard deviations (float), broadcast, in the dtype they promote to; what these are of a gradient
/// reaches them. A negative std is not looked for.
[[nodiscard]] Tensor normal(const Tensor& mean, const Tensor& std);

// Weights to start with. Of a shape (o, i, k...) fan_in is i times the k, fan_out o times the k; ShapeError of less than two axes.
/// Normal with std sqrt(2 / ((1 + a^2) fan_in)): He, Zhang, Ren, Sun 2015. Tensor::kaiming_uniform is the uniform one.
[[nodiscard]] Tensor kaiming_normal(const Sizes& shape, double a = 0, const TensorOptions& options = {});
/// Uniform in +-gain sqrt(6 / (fan_in + fan_out)); normal with std gain sqrt(2 / (fan_in + fan_out)): Glorot, Bengio 2010.
[[nodiscard]] Tensor xavier_uniform(const Sizes& shape, double gain = 1, const TensorOptions& options = {});
[[nodiscard]] Tensor xavier_normal(const Sizes& shape, double gain = 1, const TensorOptions& options = {});
[[nodiscard]] inline Tensor glorot_uniform(const Sizes& shape, const TensorOptions& o = {}) { return xavier_uniform(shape, 1, o); }
[[nodiscard]] inline Tensor glorot_normal(const Sizes& shape, const TensorOptions& o = {}) { return xavier_normal(shape, 1, o); }

/// 0 to n - 1 in random order, int32 unless options say otherwise.
[[nodiscard]] Tensor randperm(int64_t n, const TensorOptions& options = {});
/// 1 with the probability that each element of p (floats) says, else 0, in p's dtype; a nan or a number outside 0 to 1 is taken as nearest.
[[nodiscard]] Tensor bernoulli(const Tensor& p);
/// `count` indices (int32) of each row of weights, (n) or (rows, n), with probability in proportion to the weights; without replacement by
/// the order of exponential times (Efraimidis, Spirakis 2006). ValueError: count above n without replacement.
[[nodiscard]] Tensor multinomial(const Tensor& weights, int64_t count, bool replacement = false);

}  // namespace tg
