#pragma once
// Writing by index as functions that leave their operands as they are, and what is chosen by a condition.
//
//   scatter(x, 0, index, values)                      out[index[i][j]][j] = values[i][j]
//   scatter(x, 0, index, values, Scatter::Add)        out[index[i][j]][j] += values[i][j]
//   one_hot(labels, 10);  masked_fill(x, x < 0, 0);  nonzero(x > 1)
#include "tg/tensor.hpp"

namespace tg {

/// What becomes of several values for one place, and of the value that is there. Max and Min give nan if any is.
enum class Scatter : uint8_t { Set, Add, Mul, Max, Min, Mean };

/// x with values[i][j][k] written to out[index[i][j][k]][j][k], for axis 0, and so on (torch.scatter, scatter_reduce).
/// The index (integers) has x's rank and no axis longer than x's but the given one, nor than the values'; a number as `values` is one for
/// all. Set: the last of equal places wins. Mean: over the values and the one that is there; of integers rounded down. Without
/// `include_self` what is there does not count where values are written. The gradient of Max and Min goes to one of equals, Mul's cost is
/// elements times indices. ShapeError; IndexError, when it is computed, for an index outside.
[[nodiscard]] Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Operand& values, Scatter mode = Scatter::Set,
                             bool include_self = true);
[[nodiscard]] inline Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Operand& values) {
  return scatter(x, axis, index, values, Scatter::Add);
}
/// x with alpha values[i] added to entry index[i] of the axis; the index is a vector, and values have its length along the axis.
[[nodiscard]] Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& values, double alpha = 1);
/// x with entry i of the values written to entry index[i] of the axis; shapes as index_add's. The last of equal places wins.
[[nodiscard]] Tensor index_copy(const Tensor& x, int axis, const Tensor& index, const Tensor& values);
/// x with one value in the entries of the axis at the index, a vector; a tensor as value has one element.
[[nodiscard]] Tensor index_fill(const Tensor& x, int axis, const Tensor& index, const Operand& value);
/// x with the first elements of the values, in order, where the mask (bool, broadcasts to x's shape) is true. IndexError, when it is
/// computed, where there are fewer.
[[nodiscard]] Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& values);
/// x with value where the mask (bool, broadcasts to x's shape) is true.
[[nodiscard]] Tensor masked_fill(const Tensor& x, const Tensor& mask, const Operand& value);
/// The elements where the mask is true, in a row; the mask is read at once, since it decides the shape.
[[nodiscard]] Tensor masked_select(const Tensor& x, const Tensor& mask);
/// Where x is not 0: (count, rank), int64. Read at once.
[[nodiscard]] Tensor nonzero(const Tensor& x);
/// Ones of int32 at the indices, along a new last axis of that many classes; -1: one more than the largest, which is read at once.
/// ValueError: no indices and no number of classes. IndexError: an index outside, when it is computed; no classes for indices.
[[nodiscard]] Tensor one_hot(const Tensor& index, int64_t classes = -1);

}  // namespace tg
