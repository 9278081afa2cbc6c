// What is told of many numbers: the functions of tg/statistics.hpp.
//
//   in:  tg.unique(x, return_counts=True)      out: (unique(x).values, unique(x).counts)
#include "tg/statistics.hpp"

#include "python/bind.hpp"

namespace tg::python {

namespace {

/// The values alone, or with what else was asked for.
std::variant<Tensor, py::tuple> told(const Distinct& found, bool indices, bool inverse, bool counts) {
  py::list out;
  out.append(found.values);
  if (indices) out.append(found.indices);
  if (inverse) out.append(found.inverse);
  if (counts) out.append(found.counts);
  if (out.size() == 1) return found.values;
  return py::tuple(out);
}
void bind_distinct(Api& api) {
  const auto inverse = py::arg("return_inverse") = false, counts = py::arg("return_counts") = false;
  both(api, "unique", [](const Tensor& x, bool) { return unique(x).values; },
       "The values that occur, once each, in ascending order whatever sorted is; every nan is a value of its own. How many there are is "
       "read at once.", py::arg("sorted") = true);
  both_locked(api, "unique", [](const Tensor& x, bool, bool want_inverse, bool want_counts, bool want_index) {
    return told(released([&] { return unique(x); }), want_index, want_inverse, want_counts);
  }, "And where each is first, which of them every element is, how often each occurs, in NumPy's order.", py::arg("sorted") = true, inverse,
              counts, py::arg("return_index") = false);
  both(api, "unique_consecutive", [](const Tensor& x) { return unique_consecutive(x).values; },
       "As unique, of elements that follow each other only.");
  both_locked(api, "unique_consecutive", [](const Tensor& x, bool want_inverse, bool want_counts) {
    return told(released([&] { return unique_consecutive(x); }), false, want_inverse, want_counts);
  }, "", inverse, counts);
}

void bind_counts(Api& api) {
  both(api, "bincount", [](const Tensor& x, const std::optional<Tensor>& weights, int64_t least) {
    return bincount(x, weights.value_or(Tensor()), least);
  }, "How often 0, 1, 2, ... occur in a vector of integers, or the sums of their weights. The largest is read at once.",
       py::arg("weights") = py::none(), py::arg("minlength") = 0);
  both(api, "histc", &histc, "How many elements lie in each of so many equal parts of [min, max], or where both are equal of the input's "
       "range; in the input's dtype.", py::arg("bins") = 100, py::arg("min") = 0.0, py::arg("max") = 0.0);
  both(api, "histogram", [](const Tensor& x, int64_t bins, std::optional<std::pair<double, double>> range) {
    const auto [min, max] = range.value_or(std::pair(0.0, 0.0));
    return histogram(x, bins, min, max);
  }, "As histc, and the edges of the parts.", py::arg("bins") = 10, py::arg("range") = py::none());
  const char* where = "Where each value would be put into the sorted last axis, so that it stays sorted, int32: before equals, or with "
                      "right behind them; nan behind all.";
  const auto is_right = [](bool right, const std::optional<std::string>& side) {
    if (side && *side != "left" && *side != "right") throw ValueError("searchsorted: side is 'left' or 'right', not '" + *side + "'");
    return right || side == "right";
  };
  const auto right = py::arg("right") = false;
  api.module.def("searchsorted", [=](const Tensor& sorted, const Operand& v, bool r, const std::optional<std::string>& side) {
    return searchsorted(sorted, v, is_right(r, side));
  }, where, Released(), py::arg("sorted_sequence"), py::arg("input"), py::kw_only(), right, py::arg("side") = py::none());
  both(api, "bucketize", &bucketize, "searchsorted of a vector of boundaries.", py::arg("boundaries"), py::kw_only(), right);
  api.module.def("isin", [](const Tensor& x, const Operand& others, bool, bool invert) {
    const Tensor found = others.tensor ? isin(x, *others.tensor) : eq(x, others);
    return invert ? found.logical_not() : found;
  }, "Whether each element is among the others, or with invert is not; assume_unique changes nothing.", Released(), py::arg("elements"),
                 py::arg("test_elements"), py::kw_only(), py::arg("assume_unique") = false, py::arg("invert") = false);
}

Between between(const std::string& word) {
  constexpr std::pair<std::string_view, Between> words[] = {{"linear", Between::Linear}, {"lower", Between::Lower},
                                                            {"higher", Between::Higher}, {"midpoint", Between::Midpoint},
                                                            {"nearest", Between::Nearest}};
  for (const auto& [name, value] : words)
    if (name == word) return value;
  throw ValueError("quantile: interpolation is 'linear', 'lower', 'higher', 'midpoint' or 'nearest', not '" + word + "'");
}
void bind_quantiles(Api& api) {
  const auto dim = py::arg("dim") = py::none(), keepdim = py::arg("keepdim") = false;
  const auto how = py::arg("interpolation") = "linear";
  both(api, "quantile", [](const Tensor& x, double q, const Axes& axis, bool keep, const std::string& word) {
    return quantile(x, q, {.axis = axis, .keepdim = keep, .between = between(word)});
  }, "The number that a part q of the elements is below, at q (n - 1) in their order; nan if any is. Several along a new first axis.",
       py::arg("q"), dim, keepdim, py::kw_only(), how);
  both(api, "quantile", [](const Tensor& x, const std::variant<std::vector<double>, Tensor>& q, const Axes& axis, bool keep,
                           const std::string& word) {
    const QuantileOptions o{.axis = axis, .keepdim = keep, .between = between(word)};
    if (q.index() == 0) return quantile(x, std::get<0>(q), o);
    const Tensor& t = std::get<1>(q);
    return t.rank() == 0 ? quantile(x, t.item<double>(), o) : quantile(x, t.to_vector<double>(), o);
  }, "", py::arg("q"), dim, keepdim, py::kw_only(), how);
  both(api, "kthvalue", &kthvalue, "The k-th smallest along an axis, from 1, and where it is.", py::arg("k"), py::arg("dim") = -1, keepdim);
}

void bind_moments(Api& api) {
  const auto dim = py::arg("dim") = py::none(), keepdim = py::arg("keepdim") = false;
  for (const auto& [name, f, doc] : {std::tuple("nansum", &nansum, "The sum of those that are not nan."),
                                     std::tuple("nanmean", &nanmean, "The mean of those that are not nan; of none nan.")})
    both(api, name, [f = f](const Tensor& x, const Axes& axis, bool keep, DType t) {
      return f(x, {.axis = axis, .keepdim = keep, .dtype = t});
    }, doc, dim, keepdim, py::kw_only(), py::arg("dtype") = py::none());
  for (const auto& [name, f] : {std::pair("var_mean", &var_mean), std::pair("std_mean", &std_mean)})
    api.module.def(name, [f = f](const Tensor& x, const Axes& axis, double correction, bool keep) {
      return f(x, {.axis = axis, .keepdim = keep, .correction = correction});
    }, "The variance or standard deviation, and the mean.", Released(), py::arg("input"), dim, py::arg("correction") = 1.0, keepdim);
  both(api, "aminmax", [](const Tensor& x, const Axes& axis, bool keep) { return aminmax(x, {.axis = axis, .keepdim = keep}); },
       "The smallest and the largest.", py::kw_only(), dim, keepdim);
  both(api, "diff", [](const Tensor& x, int64_t n, int axis, const std::optional<Tensor>& before, const std::optional<Tensor>& behind) {
    if (!before && !behind) return diff(x, n, axis);
    std::vector<Tensor> parts{x};
    if (before) parts.insert(parts.begin(), *before);
    if (behind) parts.push_back(*behind);
    return diff(cat(parts, axis), n, axis);
  }, "The differences of neighbours along an axis, n times, of what prepend and append are joined to.", py::arg("n") = 1,
       py::arg("dim") = -1, py::arg("prepend") = py::none(), py::arg("append") = py::none());
  for (const char* name : {"trapezoid", "trapz"}) {
    api.module.def(name, [](const Tensor& y, double dx, int axis) { return trapezoid(y, dx, axis); },
                   "The integral along an axis by trapezoids, of elements dx apart.", Released(), py::arg("y"), py::kw_only(),
                   py::arg("dx") = 1.0, py::arg("dim") = -1);
    api.module.def(name, [](const Tensor& y, const Tensor& x, int axis) { return trapezoid(y, x, axis); }, "Of elements at x.", Released(),
                   py::arg("y"), py::arg("x"), py::kw_only(), py::arg("dim") = -1);
  }
  both(api, "cov", &cov, "Covariances of variables, a row each, of samples, a column each.", py::kw_only(), py::arg("correction") = 1.0);
  both(api, "corrcoef", &corrcoef, "Pearson's coefficients of variables, a row each.");
}

}  // namespace

void bind_statistics(Api& api) {
  bind_distinct(api);
  bind_counts(api);
  bind_quantiles(api);
  bind_moments(api);
}

}  // namespace tg::python
