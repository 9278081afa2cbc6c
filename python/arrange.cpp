// Arrangements, writing by index, and products by the names of axes: the functions of tg/arrange.hpp, tg/scatter.hpp and tg/contract.hpp.
//
//   in:  x.roll(1, 0), tg.scatter_add(x, 0, index, values)      out: roll(x, {1}, 0), scatter(x, 0, index, values, Scatter::Add)
#include "tg/arrange.hpp"

#include "python/bind.hpp"
#include "tg/contract.hpp"
#include "tg/scatter.hpp"

namespace tg::python {

Scatter scatter_mode(const std::string& word) {
  constexpr std::pair<std::string_view, Scatter> words[] = {
      {"sum", Scatter::Add},     {"add", Scatter::Add},  {"prod", Scatter::Mul}, {"multiply", Scatter::Mul},
      {"amax", Scatter::Max},    {"amin", Scatter::Min}, {"mean", Scatter::Mean},
  };
  for (const auto& [name, mode] : words)
    if (name == word) return mode;
  throw ValueError("scatter: reduce is 'sum' ('add'), 'prod' ('multiply'), 'amax', 'amin' or 'mean', not '" + word + "'");
}

namespace {

void bind_moving(Api& api) {
  const auto diagonal_ = py::arg("diagonal") = 0;
  both(api, "roll", [](const Tensor& x, const Shape& shifts, const Axes& dims) { return roll(x, shifts.sizes, dims); },
       "Elements move along the axes and come back at the other end; without axes, along the flattened tensor.", py::arg("shifts"),
       py::arg("dims") = py::none());
  both(api, "repeat_interleave", [](const Tensor& x, const std::variant<int64_t, Tensor>& times, const Axes& dim) {
    return times.index() == 0 ? repeat_interleave(x, std::get<0>(times), dim) : repeat_interleave(x, std::get<1>(times), dim);
  }, "Each element so many times, next to itself, along the axis (without one, of the flattened tensor); a tensor of counts, one an entry, "
     "is read at once.", py::arg("repeats"), py::arg("dim") = py::none());
  api.module.def("repeat_interleave", [](const Tensor& times) { return repeat_interleave(times); },
                 "Of counts alone: number i so many times, int64.", Released(), py::arg("repeats"));
  both(api, "unfold", [](const Tensor& x, int dim, int64_t size, int64_t step) { return unfold(x, dim, size, step); },
       "Windows along an axis, `step` apart; a new last axis runs along them.", py::arg("dimension"), py::arg("size"), py::arg("step"));
  both(api, "diagonal", [](const Tensor& x, int64_t offset, int a, int b) { return diagonal(x, offset, a, b); },
       "input[..., i, i + offset] of two axes, as a new last axis.", py::arg("offset") = 0, py::arg("dim1") = 0, py::arg("dim2") = 1);
  both(api, "diag", [](const Tensor& x, int64_t offset) { return diag(x, offset); },
       "A vector on the diagonal of a square matrix of zeros; of a matrix, its diagonal.", diagonal_);
  both(api, "tril", [](const Tensor& x, int64_t offset) { return tril(x, offset); },
       "The last two axes with zeros above the diagonal, which is counted to the right.", diagonal_);
  both(api, "triu", [](const Tensor& x, int64_t offset) { return triu(x, offset); },
       "The last two axes with zeros below the diagonal, which is counted to the right.", diagonal_);
  both_locked(api, "rearrange", [](const Tensor& x, const std::string& pattern, const py::kwargs& sizes) {
    std::vector<std::pair<std::string, int64_t>> named;
    for (const auto& [name, size] : sizes) named.emplace_back(name.cast<std::string>(), size.cast<int64_t>());
    const py::gil_scoped_release release;
    return rearrange(x, pattern, {named.begin(), named.end()});
  }, "einops.rearrange: tg.rearrange(x, 'b (h w) c -> b c h w', h=8). Rogozhnikov 2022.", py::arg("pattern"));
}

/// x.f(2), x.f([1, 3]): pieces along an axis.
void bind_splitting(Api& api) {
  using Pieces = std::variant<int64_t, Sizes>;
  const auto split = [](const Tensor& x, const Pieces& pieces, int axis) {
    return pieces.index() == 0 ? tensor_split(x, std::get<0>(pieces), axis) : tensor_split(x, std::get<1>(pieces), axis);
  };
  constexpr const char* doc = "So many pieces, of which the first are longer by one where they must; or those between the given places.";
  const auto pieces = py::arg("indices_or_sections");
  for (const char* name : {"tensor_split", "array_split"}) both(api, name, split, doc, pieces, py::arg("dim") = 0);
  for (const auto& [name, axis] : {std::pair("vsplit", 0), {"hsplit", 1}, {"dsplit", 2}})
    both(api, name, [=, axis = axis](const Tensor& x, const Pieces& p) { return split(x, p, axis == 1 && x.rank() == 1 ? 0 : axis); },
         "As tensor_split along an axis: the first, second (of a vector the first), third.", pieces);
}
void bind_assembling(Api& api) {
  using Tensors = std::vector<Tensor>;
  for (const auto& [name, f, doc] : {std::tuple("dstack", &dstack, "Matrices behind each other, along axis 2."),
                                     std::tuple("column_stack", &column_stack, "Vectors as columns beside each other.")})
    api.module.def(name, f, doc, Released(), py::arg("tensors"));
  const auto several = [&](const char* name, const auto& f, const char* doc) {
    api.module.def(name, [f](const py::args& tensors) {
      const Tensors list = tensors_of(tensors);
      return released([&] { return f(list); });
    }, doc);
  };
  several("block_diag", &block_diag, "Matrices along the diagonal of one, zeros elsewhere; vectors and numbers are rows.");
  several("cartesian_prod", &cartesian_prod, "All choices of one element of each vector, in rows; of one vector, it.");
  for (const char* name : {"broadcast_tensors", "broadcast_arrays"})
    several(name, &broadcast_tensors, "The tensors in the shape that they broadcast to.");
  for (const auto& [name, f] : {std::pair("atleast_1d", &atleast_1d), {"atleast_2d", &atleast_2d}, {"atleast_3d", &atleast_3d}})
    api.module.def(name, [f = f](const py::args& tensors) {
      std::vector<Tensor> list = tensors_of(tensors);
      std::ranges::transform(list, list.begin(), f);
      const bool one = tensors.size() == 1 && !py::isinstance<py::list>(tensors[0]) && !py::isinstance<py::tuple>(tensors[0]);
      return one ? py::cast(list[0]) : py::tuple(py::cast(list));
    }, "With axes of size 1 until there are so many; of several tensors, a tuple.");
  api.module.def("combinations", &combinations, "All choices of r elements of a vector in their order, in rows.", Released(),
                 py::arg("input"), py::arg("r") = 2, py::arg("with_replacement") = false);
  api.module.def("vander", [](const Tensor& x, std::optional<int64_t> n, bool increasing) { return vander(x, n.value_or(-1), increasing); },
                 "The powers of a vector's elements, a row each, from the highest down to 0.", Released(), py::arg("x"),
                 py::arg("N") = py::none(), py::arg("increasing") = false);
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none();
  using Device = std::optional<std::string>;
  for (const auto& [name, f] : {std::pair("tril_indices", &tril_indices), {"triu_indices", &triu_indices}})
    api.module.def(name, [f = f](int64_t rows, std::optional<int64_t> columns, int64_t offset, DType t, const Device& d) {
      return f(rows, columns.value_or(rows), offset, tensor_options(t, d, false));
    }, "Where a matrix of that size is not above (below) a diagonal: rows and columns, (2, count), int64.", Released(), py::arg("row"),
                   py::arg("col") = py::none(), py::arg("offset") = 0, py::kw_only(), dtype, device);
  api.module.def("logspace", [](double start, double end, int64_t steps, double base, DType t, const Device& d, bool grad) {
    return logspace(start, end, steps, base, tensor_options(t, d, grad));
  }, "base to the powers of linspace.", Released(), py::arg("start"), py::arg("end"), py::arg("steps"), py::arg("base") = 10.0,
                 py::kw_only(), dtype, device, py::arg("requires_grad") = false);
  both(api, "rot90", [](const Tensor& x, int64_t k, std::pair<int, int> dims) { return rot90(x, k, dims.first, dims.second); },
       "Turned by k quarters, from the first axis to the second.", py::arg("k") = 1, py::arg("dims") = std::pair(0, 1));
  both(api, "diag_embed", &diag_embed, "The last axis on the diagonals of new matrices, whose rows and columns are dim1 and dim2.",
       py::arg("offset") = 0, py::arg("dim1") = -2, py::arg("dim2") = -1);
  const auto r = py::arg("upscale_factor");
  function(api, "pixel_shuffle", &pixel_shuffle, "(..., c r^2, h, w) to (..., c, h r, w r): Shi et al. 2016.", r);
  function(api, "pixel_unshuffle", &pixel_unshuffle, "(..., c, h r, w r) to (..., c r^2, h, w).", py::arg("downscale_factor"));
  function(api, "channel_shuffle", &channel_shuffle, "Channels i of all groups beside each other: Zhang et al. 2018.", py::arg("groups"));
}

void bind_writing(Api& api) {
  const auto dim = py::arg("dim"), index = py::arg("index"), source = py::arg("src");
  both(api, "scatter", [](const Tensor& x, int axis, const Tensor& at, const Operand& v, const std::optional<std::string>& mode) {
    return scatter(x, axis, at, v, mode ? scatter_mode(*mode) : Scatter::Set);
  }, "out[index[i][j]][j] = src[i][j] for dim 0, and so on; with reduce the values are combined with the ones that are there.", dim, index,
       source, py::kw_only(), py::arg("reduce") = py::none());
  both(api, "scatter_add", [](const Tensor& x, int axis, const Tensor& at, const Operand& v) { return scatter_add(x, axis, at, v); },
       "out[index[i][j]][j] += src[i][j] for dim 0, and so on.", dim, index, source);
  both(api, "scatter_reduce", [](const Tensor& x, int axis, const Tensor& at, const Operand& v, const std::string& mode,
                                  bool include_self) {
    return scatter(x, axis, at, v, scatter_mode(mode), include_self);
  }, "scatter with 'sum', 'prod', 'mean', 'amax' or 'amin' of the values and, with include_self, the one that is there.", dim, index,
       source, py::arg("reduce"), py::kw_only(), py::arg("include_self") = true);
  both(api, "index_add", [](const Tensor& x, int axis, const Tensor& at, const Tensor& v, double alpha) {
    return index_add(x, axis, at, v, alpha);
  },
      "input with alpha source[i] added to entry index[i] of the axis.", dim, index, py::arg("source"), py::kw_only(),
      py::arg("alpha") = 1.0);
  both(api, "index_copy", &index_copy, "input with source[i] written to entry index[i] of the axis; the last of equal places wins.", dim,
       index, py::arg("source"));
  both(api, "index_fill", [](const Tensor& x, int axis, const Tensor& at, const Operand& v) { return index_fill(x, axis, at, v); },
       "input with a value in the entries of the axis at the index.", dim, index, py::arg("value"));
  both(api, "masked_scatter", &masked_scatter, "input with the first elements of the source, in order, where the mask (bool, broadcasts) "
       "is true.", py::arg("mask"), py::arg("source"));
  both(api, "masked_fill", [](const Tensor& x, const Tensor& mask, const Operand& v) { return masked_fill(x, mask, v); },
       "input with the value where the mask (bool, broadcasts) is true.", py::arg("mask"), py::arg("value"));
  both(api, "masked_select", &masked_select, "The elements where the mask is true, in a row; the mask is read at once.", py::arg("mask"));
  both_locked(api, "nonzero", [](const Tensor& x, bool as_tuple) -> std::variant<Tensor, py::tuple> {
    const auto [places, along] = released([&] {
      const Tensor found = nonzero(x);
      std::vector<Tensor> axes;
      for (int k = 0; as_tuple && k < x.rank(); ++k) axes.push_back(found.at(slice(), k));
      return std::pair(found, axes);
    });
    if (!as_tuple) return places;
    return py::tuple(py::cast(along));
  }, "Where it is not 0: (count, rank), int64; as_tuple: a vector an axis. Read at once.", py::arg("as_tuple") = false);
  both(api, "one_hot", &one_hot, "Ones of int32 at the indices, along a new last axis; without a number of classes one more than the "
       "largest, which is read at once. IndexError: an index below 0 or beyond them, when it is computed.", py::arg("num_classes") = -1);
}

void bind_contractions(Api& api) {
  const char* doc = "Sums of products by the names of axes: tg.einsum('bij,bjk->bik', a, b).";
  api.module.def("einsum", [](const std::string& equation, const py::args& operands) {
    const std::vector<Tensor> tensors = tensors_of(operands);
    return released([&] { return einsum(equation, tensors); });
  }, doc, py::arg("equation"));
  both(api, "outer", &outer, "All products of two vectors, (m, n).", py::arg("other"));
  using Pair = std::pair<std::vector<int>, std::vector<int>>;
  both(api, "tensordot", [](const Tensor& a, const Tensor& b, const std::variant<int, Pair>& dims) {
    if (dims.index() == 0) return tensordot(a, b, std::get<0>(dims));
    return tensordot(a, b, std::get<1>(dims).first, std::get<1>(dims).second);
  }, "Sums of products over the last axes of the input and the first of the other; or over pairs of them, as named.", py::arg("other"),
       py::arg("dims") = 2);
  both(api, "norm", [](const Tensor& x, const std::variant<double, std::string>& p, const Axes& dim, bool keepdim) {
    if (p.index() == 1 && std::get<1>(p) != "fro") throw ValueError("norm: p is a number or 'fro', not '" + std::get<1>(p) + "'");
    return norm(x, {.p = p.index() == 0 ? std::get<0>(p) : 2.0, .axis = dim, .keepdim = keepdim});
  }, "The p-th root of the sum of |input|^p; infinite p: the largest or smallest |input|; 0: how many are not 0; 'fro': 2.",
       py::arg("p") = 2.0,
       py::arg("dim") = py::none(), py::arg("keepdim") = false);
  both(api, "normalize", [](const Tensor& x, double p, const Axes& dim, double eps) {
    return normalize(x, {.p = p, .axis = dim}, eps);
  }, "input / max(norm along the axis, eps).", py::arg("p") = 2.0, py::arg("dim") = 1, py::arg("eps") = 1e-12);
  api.module.def("cosine_similarity", &cosine_similarity, "Sums of products along the axis over the product of both norms.", Released(),
                 py::arg("x1"), py::arg("x2"), py::arg("dim") = 1, py::arg("eps") = 1e-8);
  both(api, "trace", &trace, "The sum of a matrix's diagonal.");
  both(api, "count_nonzero", [](const Tensor& x, const Axes& dim) { return count_nonzero(x, {.axis = dim}); },
       "How many elements are not 0, int32.", py::arg("dim") = py::none());
}

}  // namespace

void bind_arrangements(Api& api) {
  bind_moving(api);
  bind_splitting(api);
  bind_assembling(api);
  bind_writing(api);
  bind_contractions(api);
}

}  // namespace tg::python
