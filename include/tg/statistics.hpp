#pragma once
// What is told of many numbers: what occurs and how often, where a number belongs, quantiles, covariances, sums without nan.
//
//   unique(x).values;  bincount(labels);  searchsorted(edges, x);  quantile(x, {0.25, 0.75}, {.axis = 0});  cov(samples)
//
// Of integers in float32 where the result is no integer. Counts and places are int32.
#include <utility>

#include "tg/tensor.hpp"

namespace tg {

/// The values that occur, once each; where each occurs first, int32, in the flattened tensor; which of them every element is, in the
/// tensor's shape; how often each occurs.
struct Distinct {
  Tensor values, indices, inverse, counts;
};
/// In ascending order; every nan is a value of its own. Which elements are first is read at once, since it decides the shape.
[[nodiscard]] Distinct unique(const Tensor& x);
/// Of elements that follow each other only, in their order.
[[nodiscard]] Distinct unique_consecutive(const Tensor& x);
/// How often 0, 1, 2, ... occur in a vector of integers, or the sums of their weights, of its shape; at least `least` of them. The largest
/// is read at once. ShapeError, DTypeError; ValueError: a number below 0.
[[nodiscard]] Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t least = 0);
/// How many elements lie in each of `bins` equal parts of [min, max], or where both are equal of [x.min(), x.max()], in x's dtype; what
/// lies outside is not counted. ValueError: no bins, or max below min.
[[nodiscard]] Tensor histc(const Tensor& x, int64_t bins = 100, double min = 0, double max = 0);
/// The same and the edges of the parts, bins + 1.
[[nodiscard]] std::pair<Tensor, Tensor> histogram(const Tensor& x, int64_t bins = 10, double min = 0, double max = 0);
/// Where each value would be put into the last axis, which is sorted, so that it stays sorted: before equals, or with `right` behind them;
/// nan behind all. `sorted` is a vector, or has the values' shape but for the last axis. ShapeError.
[[nodiscard]] Tensor searchsorted(const Tensor& sorted, const Operand& values, bool right = false);
/// searchsorted of a vector, in PyTorch's order of arguments.
[[nodiscard]] Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right = false);
/// Whether each element is among the others: one comparison with each.
[[nodiscard]] Tensor isin(const Tensor& x, const Tensor& others);

enum class Between : uint8_t { Linear, Lower, Higher, Midpoint, Nearest };  // what lies between two neighbours
struct QuantileOptions {  // of quantile
  detail::ByName by_name_only = detail::by_name;
  Axes axis = {};        // one axis; {}: of all elements
  bool keepdim = false;  // the axis stays, of size 1
  Between between = Between::Linear;  // of neighbours
};
/// The number that a part q of the elements is below, at q (n - 1) in their order; nan if any is. Several along a new first axis.
/// ValueError: q outside [0, 1], of nothing.
[[nodiscard]] Tensor quantile(const Tensor& x, double q, const QuantileOptions& options = {});
[[nodiscard]] Tensor quantile(const Tensor& x, const std::vector<double>& q, const QuantileOptions& options = {});
/// The k-th smallest along an axis, from 1, and where it is. ValueError unless 1 <= k <= size.
[[nodiscard]] Found kthvalue(const Tensor& x, int64_t k, int axis = -1, bool keepdim = false);

[[nodiscard]] Tensor nansum(const Tensor& x, const ReduceOptions& options = {});   // without those that are nan
[[nodiscard]] Tensor nanmean(const Tensor& x, const ReduceOptions& options = {});  // of nothing nan
[[nodiscard]] std::pair<Tensor, Tensor> var_mean(const Tensor& x, const VarOptions& options = {});  // the variance, the mean
[[nodiscard]] std::pair<Tensor, Tensor> std_mean(const Tensor& x, const VarOptions& options = {});  // the deviation, the mean
[[nodiscard]] std::pair<Tensor, Tensor> aminmax(const Tensor& x, const ReduceOptions& options = {});  // the smallest, the largest
/// The differences of neighbours along an axis, n times. ValueError: n below 0.
[[nodiscard]] Tensor diff(const Tensor& x, int64_t n = 1, int axis = -1);
/// The integral along an axis by trapezoids, of elements dx apart; or at x, a vector or of y's shape.
[[nodiscard]] Tensor trapezoid(const Tensor& y, double dx = 1, int axis = -1);
[[nodiscard]] Tensor trapezoid(const Tensor& y, const Tensor& x, int axis = -1);
/// Covariances of variables, a row each, of samples, a column each; divided by their number less the correction. Of a vector its variance.
[[nodiscard]] Tensor cov(const Tensor& x, double correction = 1);
/// Pearson's coefficients: covariances over both deviations.
[[nodiscard]] Tensor corrcoef(const Tensor& x);

}  // namespace tg
