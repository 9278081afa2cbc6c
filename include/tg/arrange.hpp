#pragma once
// Arrangements of tensors besides the methods of Tensor, as functions; and tensors made like others or by a rule. All are lazy and movement
// alone, but for those that choose by a condition.
//
//   roll(x, {1}, {0});  tril(x);  rearrange(x, "b (h w) c -> b c h w", {{"h", 8}})
#include <string_view>
#include <utility>

#include "tg/tensor.hpp"

namespace tg {

// ---- creation ----

// In the shape, dtype and device of x, where options do not say otherwise.
[[nodiscard]] Tensor full_like(const Tensor& x, Scalar value, const TensorOptions& options = {});
[[nodiscard]] Tensor zeros_like(const Tensor& x, const TensorOptions& options = {});
[[nodiscard]] Tensor ones_like(const Tensor& x, const TensorOptions& options = {});
[[nodiscard]] Tensor empty_like(const Tensor& x, const TensorOptions& options = {});
[[nodiscard]] Tensor rand_like(const Tensor& x, const TensorOptions& options = {});
[[nodiscard]] Tensor randn_like(const Tensor& x, const TensorOptions& options = {});
/// Some values, in truth zeros: nothing is computed before it is known what for.
[[nodiscard]] Tensor empty(const Sizes& shape, const TensorOptions& options = {});
/// `count` numbers from start to stop, both included, at equal distances. ValueError: a count below 0.
[[nodiscard]] Tensor linspace(Scalar start, Scalar stop, int64_t count, const TensorOptions& options = {});
/// base to the powers of linspace. ValueError: a count below 0.
[[nodiscard]] Tensor logspace(Scalar start, Scalar stop, int64_t count, double base = 10, const TensorOptions& options = {});
/// Where a matrix of that size is not above (below) a diagonal: rows and columns, (2, count), int64.
[[nodiscard]] Tensor tril_indices(int64_t rows, int64_t columns, int64_t diagonal = 0, const TensorOptions& options = {});
[[nodiscard]] Tensor triu_indices(int64_t rows, int64_t columns, int64_t diagonal = 0, const TensorOptions& options = {});
/// Ones where column <= row + diagonal, (rows, columns); columns -1: square.
[[nodiscard]] Tensor tri(int64_t rows, int64_t columns = -1, int64_t diagonal = 0, const TensorOptions& options = {});
/// The coordinates of a grid: n vectors of lengths s0, s1, ... to n tensors of shape (s0, s1, ...); xy: of shape (s1, s0, ...), as NumPy.
[[nodiscard]] std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes, bool xy = false);
/// All choices of one element of each vector, in rows; of one vector, it.
[[nodiscard]] Tensor cartesian_prod(const std::vector<Tensor>& vectors);
/// All choices of r elements of a vector in their order, in rows; with an element again, if it may be.
[[nodiscard]] Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false);
/// The powers of a vector's elements, a row each: from `columns` - 1 down to 0, or increasing. Columns -1: as many as elements.
[[nodiscard]] Tensor vander(const Tensor& x, int64_t columns = -1, bool increasing = false);

// ---- movement ----

/// The tensors in the shape that they broadcast to.
[[nodiscard]] std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors);
/// Turned by quarters from axis a to axis b.
[[nodiscard]] Tensor rot90(const Tensor& x, int64_t times = 1, int a = 0, int b = 1);
/// So many pieces, of which the first are longer by one where they must; or those between the given places.
[[nodiscard]] std::vector<Tensor> tensor_split(const Tensor& x, int64_t count, int axis = 0);
[[nodiscard]] std::vector<Tensor> tensor_split(const Tensor& x, const Sizes& places, int axis = 0);
/// With axes of size 1 in front, until there are 1, 2 or 3; of 3, a matrix gets its behind, and a vector one on each side.
[[nodiscard]] Tensor atleast_1d(const Tensor& x);
[[nodiscard]] Tensor atleast_2d(const Tensor& x);
[[nodiscard]] Tensor atleast_3d(const Tensor& x);
/// Matrices behind each other, along axis 2 of atleast_3d; vectors as columns beside each other.
[[nodiscard]] Tensor dstack(const std::vector<Tensor>& tensors);
[[nodiscard]] Tensor column_stack(const std::vector<Tensor>& tensors);
/// The last axis on the diagonals of new matrices, whose rows and columns are these axes of the result.
[[nodiscard]] Tensor diag_embed(const Tensor& x, int64_t offset = 0, int rows = -2, int columns = -1);
/// Matrices along the diagonal of one, zeros elsewhere; vectors and numbers are rows.
[[nodiscard]] Tensor block_diag(const std::vector<Tensor>& tensors);
/// (..., c r^2, h, w) to (..., c, h r, w r): Shi et al. 2016; and back. ShapeError where sizes do not divide.
[[nodiscard]] Tensor pixel_shuffle(const Tensor& x, int64_t r);
[[nodiscard]] Tensor pixel_unshuffle(const Tensor& x, int64_t r);
/// (n, groups c, ...): channels i of all groups beside each other. Zhang et al. 2018.
[[nodiscard]] Tensor channel_shuffle(const Tensor& x, int64_t groups);

/// Elements move by `shifts` along the axes and come back at the other end; without axes, along the flattened tensor.
[[nodiscard]] Tensor roll(const Tensor& x, const Sizes& shifts, const Axes& axes = {});
/// Each element so many times, next to itself, along the axis; without one, of the flattened tensor.
[[nodiscard]] Tensor repeat_interleave(const Tensor& x, int64_t times, const Axes& axis = {});
/// Entry i of the axis times[i] times; the counts (integers, one for each or one for all) are read at once, since they decide the shape.
[[nodiscard]] Tensor repeat_interleave(const Tensor& x, const Tensor& times, const Axes& axis = {});
/// Number i times[i] times, int64: what repeats anything else so.
[[nodiscard]] Tensor repeat_interleave(const Tensor& times);
/// Windows of `size` along the axis, `step` apart; a new last axis runs along them (torch.Tensor.unfold).
[[nodiscard]] Tensor unfold(const Tensor& x, int axis, int64_t size, int64_t step);
/// x[..., i, i + offset] of the axes a and b, as a new last axis.
[[nodiscard]] Tensor diagonal(const Tensor& x, int64_t offset = 0, int a = 0, int b = 1);
/// A vector's elements on the diagonal of a square matrix of zeros; of a matrix, its diagonal.
[[nodiscard]] Tensor diag(const Tensor& x, int64_t offset = 0);
/// The last two axes with zeros above the diagonal (tril), below it (triu); `diagonal` counts it to the right.
[[nodiscard]] Tensor tril(const Tensor& x, int64_t diagonal = 0);
[[nodiscard]] Tensor triu(const Tensor& x, int64_t diagonal = 0);
/// Fills the border with x itself: mirrored without its last element (reflect), with its last element (replicate), or from the other end
/// (circular). Amounts as Tensor::pad's; negative ones cut. ShapeError where x has not as much.
enum class PadMode : uint8_t { Reflect, Replicate, Circular };
[[nodiscard]] Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& amounts, PadMode mode);
/// Matrices side by side, and vectors one after another; rows, and vectors as rows, below each other. As cat, of numbers as vectors too.
[[nodiscard]] Tensor hstack(const std::vector<Tensor>& tensors);
[[nodiscard]] Tensor vstack(const std::vector<Tensor>& tensors);
/// einops.rearrange: names of axes on both sides, groups in parentheses, 1 for an axis of size 1, ... for any axes; `sizes` names those
/// that the shape leaves open. ValueError: a pattern that does not parse, or names that differ. Rogozhnikov 2022.
[[nodiscard]] Tensor rearrange(const Tensor& x, std::string_view pattern,
                               const std::vector<std::pair<std::string_view, int64_t>>& sizes = {});

}  // namespace tg
