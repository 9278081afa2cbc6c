#pragma once
// Products and sums of tensors besides matmul: what the compiler sees is one broadcasted multiplication and a sum.
//
//   einsum("bij,bjk->bik", {a, b});  tensordot(a, b, 2);  norm(x, {.p = 1, .axis = 0})
#include <string_view>

#include "tg/tensor.hpp"

namespace tg {

/// Sums of products by the names of axes: names that two operands share are multiplied elementwise, those that the result lacks are
/// summed, a name twice in one operand is its diagonal, ... are axes that broadcast. Without -> the names that occur once, in alphabetical
/// order. Operands are contracted from left to right. Dtypes as matmul's. ValueError: an equation that does not fit; ShapeError: sizes.
[[nodiscard]] Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);
/// All products of two vectors, (m, n).
[[nodiscard]] Tensor outer(const Tensor& a, const Tensor& b);
/// Sums of products over the last `axes` axes of a and the first of b; or over pairs of them, as named.
[[nodiscard]] Tensor tensordot(const Tensor& a, const Tensor& b, int axes = 2);
[[nodiscard]] Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int>& a_axes, const std::vector<int>& b_axes);

/// Sums of products over the last axes of both; of a number, all products.
[[nodiscard]] Tensor inner(const Tensor& a, const Tensor& b);
/// Kronecker's product: b times each element of a, in its place.
[[nodiscard]] Tensor kron(const Tensor& a, const Tensor& b);
/// The vector at right angles to both, along an axis of size 3, the first such without one. Shapes broadcast.
[[nodiscard]] Tensor cross(const Tensor& a, const Tensor& b, const Axes& axis = {});

struct AddOptions {  // of addmm and the others
  detail::ByName by_name_only = detail::by_name;
  Scalar beta = 1, alpha = 1;  // of what is added to, where 0 it is not looked at; and of the product
};
// beta x + alpha product, of which x broadcasts to the shape. ShapeError.
[[nodiscard]] Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& options = {});    // matrices
[[nodiscard]] Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& options = {});    // and a vector
[[nodiscard]] Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& options = {});     // outer(a, b)
[[nodiscard]] Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& options = {});  // batches of matrices
[[nodiscard]] Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const AddOptions& options = {});   // summed over the batch

struct NormOf {  // of norm
  detail::ByName by_name_only = detail::by_name;
  double p = 2;          // the p-th root of the sum of |x|^p; infinite: the largest or smallest |x|; 0: how many are not 0
  Axes axis = {};        // {}: all
  bool keepdim = false;  // reduced axes stay, of size 1
};
/// The norm of vectors along the axes; of integers in float32.
[[nodiscard]] Tensor norm(const Tensor& x, const NormOf& options = {});
/// x / max(norm along the axis, eps), in x's dtype, or float32 of integers.
[[nodiscard]] Tensor normalize(const Tensor& x, const NormOf& options = {.axis = 1}, double eps = 1e-12);
/// Sums of products along the axis over the product of both norms, each at least eps. Shapes broadcast.
[[nodiscard]] Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis = 1, double eps = 1e-8);
/// norm(a - b + eps) along the last axis.
[[nodiscard]] Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6, bool keepdim = false);
/// The norms of all differences of rows: (..., n, d) and (..., m, d) to (..., n, m).
[[nodiscard]] Tensor cdist(const Tensor& a, const Tensor& b, double p = 2);
/// The sum of a matrix's diagonal, in the dtype of sum. ShapeError: not of a matrix.
[[nodiscard]] Tensor trace(const Tensor& x);
/// How many elements are not 0, int32.
[[nodiscard]] Tensor count_nonzero(const Tensor& x, const ReduceOptions& options = {});

}  // namespace tg
