#pragma once
// The generator behind Tensor::rand and its kin: threefry2x32, 20 rounds (Salmon, Moraes, Dror, Shaw 2011), a function of key and counter.
//
//   tg::manual_seed(7);  Tensor::rand({4});      the same four numbers on every device, for any number of threads
//
// Layout, that of JAX's threefry2x32 with jax_threefry_partitionable:
//   seed       key (seed >> 32, seed & 0xffffffff), as jax.random.key(seed)
//   call n     (from 0, counted since the seed was set) key_n = threefry2x32(key, (0, n)), as jax.random.fold_in(key, n)
//   element i  (x0, x1) = threefry2x32(key_n, (i >> 32, i & 0xffffffff)); its 32 bits are x0 ^ x1, its 64 bits x0 << 32 | x1,
//              and 16-bit floats take the low half of the 32
//   rand       the top mantissa bits of those as the fraction of a number in [1, 2), minus 1: jax.random.uniform
//   randn      Box, Muller 1958: sqrt(-2 ln u) cos(2 pi v) with u = (x0 + 1/2) / 2^32, v = x1 / 2^32
//   randint    low + (x0 ^ x1) * (high - low) >> 32; a bias of at most (high - low) / 2^32
#include <array>
#include <cstdint>

namespace tg {

/// Restarts the random numbers of the whole process. Without it the seed is 0. Calls from several threads take their turns in some order.
void manual_seed(uint64_t seed);

/// The block function itself: 64 bits of counter under 64 bits of key.
[[nodiscard]] std::array<uint32_t, 2> threefry2x32(std::array<uint32_t, 2> key, std::array<uint32_t, 2> counter);

}  // namespace tg
