// Reductions, running results and sorting, movement and products: a row each.
//
//   in:  x.sum(dim=1, keepdim=True)      out: Tensor::sum({.axis = 1, .keepdim = true})
#include "python/bind.hpp"
#include "tg/arrange.hpp"
#include "tg/contract.hpp"
#include "tg/extrema.hpp"

namespace tg::python {

py::object found_type() {
  static auto& leaked = *new py::object([] {
    py::object type = py::module_::import("collections").attr("namedtuple")("Found", py::make_tuple("values", "indices"));
    type.attr("__doc__") = "(values, indices): what was found along an axis, and where, int32.";
    type.attr("__module__") = "tg";
    return type;
  }());
  return leaked;
}

namespace {

/// x as an operation is told to compute in.
Tensor in_dtype(const Tensor& x, DType t) { return t == DType::void_ ? x : x.cast(t); }

/// max, min and median: with PyTorch's dim values and indices, with NumPy's axis or with neither values.
void bind_extrema(Api& api) {
  for (const auto& [name, f] : {std::pair("max", &maximum), std::pair("min", &minimum)})
    both(api, name, [f = f](const Tensor& a, const Tensor& b) { return f(a, b); }, "Of two tensors: as maximum and minimum.",
         py::arg("other"));
  const auto keepdim = py::arg("keepdim") = false;
  const auto values = [&]<class Options>(const char* name, Tensor (Tensor::*f)(const Options&) const, const char* doc) {
    both(api, name, [f](const Tensor& x, const Axes& axis, bool keep) { return (x.*f)({.axis = axis, .keepdim = keep}); }, doc,
         py::kw_only(), py::arg("axis") = py::none(), keepdim);
  };
  const auto found = [&](const char* name, Found (*f)(const Tensor&, const ArgOptions&), const char* doc) {
    both(api, name, [f](const Tensor& x, int dim, bool keep) { return f(x, {.axis = dim, .keepdim = keep}); }, doc, py::arg("dim"),
         keepdim);
  };
  found("max", &max_with_indices, "With dim, as PyTorch: the largest along it, and where it is, int32: the first of equals, which alone "
        "has the gradient, or the first nan. What is not used is not computed. ValueError of nothing.");
  values("max", &Tensor::max, "With axis, as NumPy, or with neither: the largest alone; equals share the gradient.");
  found("min", &min_with_indices, "With dim, as PyTorch: the smallest along it, and where it is, int32: the first of equals, which alone "
        "has the gradient, or the first nan. What is not used is not computed. ValueError of nothing.");
  values("min", &Tensor::min, "With axis, as NumPy, or with neither: the smallest alone; equals share the gradient.");
  found("median", &median_with_indices, "With dim, as PyTorch: the lower of two in the middle along it, and where it is, int32; nan, and "
        "where the first is, if any is. ValueError of nothing.");
  values("median", &Tensor::median, "With axis, as NumPy, or with neither: the lower of two in the middle alone.");
  for (const auto& [name, f] : {std::pair("amax", &Tensor::max), std::pair("amin", &Tensor::min)})
    both(api, name, [f = f](const Tensor& x, const Axes& dim, bool keep) { return (x.*f)({.axis = dim, .keepdim = keep}); },
         "The largest (smallest) over the axes, or of all; nan if any is; equals share the gradient. ValueError of nothing.",
         py::arg("dim") = py::none(), keepdim);
}

void bind_reductions(Api& api) {
  struct Row {
    const char* name;
    Tensor (Tensor::*function)(const ReduceOptions&) const;
    const char* doc;
  };
  constexpr Row rows[] = {
      {"sum", &Tensor::sum, "Over the axes, or all; bool and narrow integers in 32 bits, 16-bit floats accumulated in float32."},
      {"prod", &Tensor::prod, "The product over the axes, or all."},
      {"mean", &Tensor::mean, "The mean over the axes, or all; float32 of integers."},
      {"any", &Tensor::any, "Whether any is not 0."},
      {"all", &Tensor::all, "Whether none is 0."},
      {"logsumexp", &Tensor::logsumexp, "log(sum(exp(input))), without overflow."},
  };
  for (const Row& row : rows)
    both(api, row.name, [f = row.function](const Tensor& x, const Axes& dim, bool keepdim, DType dtype) {
      return (x.*f)({.axis = dim, .keepdim = keepdim, .dtype = dtype});
    }, row.doc, py::arg("dim") = py::none(), py::arg("keepdim") = false, py::kw_only(), py::arg("dtype") = py::none());
  using OfVar = Tensor (Tensor::*)(const VarOptions&) const;
  for (const auto& [name, f] : {std::pair("var", OfVar(&Tensor::var)), std::pair("std", OfVar(&Tensor::std))}) {
    both(api, name, [f = f](const Tensor& x, bool unbiased) { return (x.*f)({.correction = unbiased ? 1.0 : 0.0}); }, "",
         py::arg("unbiased").noconvert());
    both(api, name, [f = f](const Tensor& x, const Axes& dim, double correction, bool keepdim) {
      return (x.*f)({.axis = dim, .keepdim = keepdim, .correction = correction});
    },
        "Variance, standard deviation: the sum of squared deviations is divided by n - correction.", py::arg("dim") = py::none(),
        py::arg("correction") = 1.0, py::arg("keepdim") = false);
  }
  using OfArg = Tensor (Tensor::*)(const ArgOptions&) const;
  for (const auto& [name, f] : {std::pair("argmax", OfArg(&Tensor::argmax)), std::pair("argmin", OfArg(&Tensor::argmin))})
    both(api, name, [f = f](const Tensor& x, const Axes& dim, bool keepdim) { return (x.*f)({.axis = dim, .keepdim = keepdim}); },
         "Where the largest (smallest) is, int32: the first of equals, or the first nan; in the flattened tensor without dim.",
         py::arg("dim") = py::none(), py::arg("keepdim") = false);
  const auto along = [&](const char* name, auto f, const char* doc) {
    both(api, name, [f](const Tensor& x, int dim, DType t) { return f(in_dtype(x, t), dim); }, doc, py::arg("dim") = -1, py::kw_only(),
         py::arg("dtype") = py::none());
  };
  along("softmax", [](const Tensor& x, int dim) { return x.softmax(dim); }, "exp(input) / sum(exp(input)) along an axis.");
  along("log_softmax", [](const Tensor& x, int dim) { return x.log_softmax(dim); }, "log(softmax(input)) along an axis.");
  along("softmin", [](const Tensor& x, int dim) { return softmin(x, dim); }, "softmax(-input) along an axis.");
}

void bind_order(Api& api) {
  api.module.attr("Found") = found_type();
  const auto dim = py::arg("dim") = -1;
  const auto dtype = py::arg("dtype") = py::none();
  struct Running {
    const char* name;
    Tensor (Tensor::*function)(int) const;
    const char* doc;
  };
  constexpr Running running[] = {
      {"cumsum", &Tensor::cumsum, "The sums of the first elements along an axis, in the dtype of sum."},
      {"cumprod", &Tensor::cumprod, "The products of the first elements along an axis."},
      {"logcumsumexp", &Tensor::logcumsumexp, "log(cumsum(exp(input))), without overflow."},
  };
  for (const Running& row : running)
    both(api, row.name, [f = row.function](const Tensor& x, int axis, DType t) { return (in_dtype(x, t).*f)(axis); }, row.doc, dim,
         py::kw_only(), dtype);
  for (const auto& [name, f] : {std::pair("cummax", &Tensor::cummax), std::pair("cummin", &Tensor::cummin)})
    both(api, name, [f = f](const Tensor& x, int axis) { return (x.*f)(axis); },
         "The largest (smallest) of the first elements along an axis, and where it is: the first of equals; nan from the first nan on.",
        dim);
  const auto descending = py::arg("descending") = false, stable = py::arg("stable") = true;
  both(api, "sort", [](const Tensor& x, int axis, bool down, bool in_order) {
    return x.sort({.axis = axis, .descending = down, .stable = in_order});
  }, "Sorted along an axis, and where each was. Equals stay in their order, whatever stable is; nan comes last.", dim, descending, stable);
  both(api, "argsort", [](const Tensor& x, int axis, bool down, bool in_order) {
    return x.argsort({.axis = axis, .descending = down, .stable = in_order});
  }, "Where the elements of sort were, int32.", dim, descending, stable);
  both(api, "topk", [](const Tensor& x, int64_t k, int axis, bool largest, bool) { return x.topk(k, axis, largest); },
       "The k largest (smallest) along an axis, in order whatever sorted is, and where they were.", py::arg("k"), dim,
       py::arg("largest") = true, py::arg("sorted") = true);
}

/// x.name(2, 3), x.name((2, 3)) and x.name(size=(2, 3)), by the keyword given, and tg.name(x, (2, 3)).
template <class F>
void sized(Api& api, const char* name, const char* keyword, const F& f, const char* doc) {
  const auto of_shape = [f](const Tensor& x, const Shape& s) { return f(x, s.sizes); };
  api.tensor.def(name, [f, name](const Tensor& x, const py::args& sizes) {
    const Sizes s = sizes_of(sizes, name);
    return released([&] { return f(x, s); });
  }, doc);
  api.tensor.def(name, of_shape, "", Released(), py::kw_only(), py::arg(keyword));
  api.module.def(name, of_shape, doc, Released(), py::arg("input"), py::arg(keyword));
}
/// One count an axis, as NumPy counts them: of fewer than there are, the first axes are taken once.
Sizes for_all_axes(Sizes counts, const Tensor& x) {
  counts.insert(counts.begin(), static_cast<size_t>(std::max(x.rank() - static_cast<int>(counts.size()), 0)), 1);
  return counts;
}
std::vector<int> as_ints(const Sizes& s) { return {s.begin(), s.end()}; }

using Pairs = std::vector<std::pair<int64_t, int64_t>>;
/// PyTorch's flat pairs from the last axis on: (left, right, top, bottom).
Pairs pairs_from_last(const Sizes& flat) {
  if (flat.size() % 2 != 0) throw ValueError("pad: an odd number of amounts; there are two an axis, from the last axis on");
  Pairs out;
  for (size_t i = flat.size(); i > 0; i -= 2) out.emplace_back(flat[i - 2], flat[i - 1]);
  return out;
}

/// The same, or NumPy's: a pair an axis, or a number for all.
Pairs amounts_of(const std::variant<Shape, Pairs>& amounts, const Tensor& x) {
  const auto everywhere = [&](const std::pair<int64_t, int64_t>& one) { return Pairs(static_cast<size_t>(x.rank()), one); };
  if (const auto* pairs = std::get_if<Pairs>(&amounts)) return pairs->size() == 1 ? everywhere((*pairs)[0]) : *pairs;
  const Sizes& flat = std::get<Shape>(amounts).sizes;
  return flat.size() == 1 ? everywhere({flat[0], flat[0]}) : pairs_from_last(flat);
}

void bind_movement(Api& api) {
  const auto reshape = [](const Tensor& x, const Sizes& s) { return x.reshape(s); };
  const auto expand = [](const Tensor& x, const Sizes& s) { return x.expand(s); };
  sized(api, "reshape", "shape", reshape, "The same elements in another shape; one size may be -1.");
  api.tensor.def("view", &Tensor::bitcast, "As bitcast.", Released(), py::arg("dtype").none(false));
  sized(api, "view", "size", reshape, "As reshape, of sizes; as bitcast, of a dtype.");
  sized(api, "expand", "size", expand, "Axes of size 1 repeat; -1 keeps; new axes in front.");
  sized(api, "broadcast_to", "size", expand, "As expand.");
  sized(api, "permute", "dims", [](const Tensor& x, const Sizes& s) { return x.permute(as_ints(s)); },
        "Axis i of the result is axis dims[i].");
  sized(api, "repeat", "repeats", [](const Tensor& x, const Sizes& s) { return x.repeat(s); }, "So many times along each axis.");
  sized(api, "tile", "dims", [](const Tensor& x, const Sizes& s) { return x.repeat(for_all_axes(s, x)); },
        "As repeat; of fewer counts than axes, the first axes are taken once.");
  api.tensor.def("flip", [](const Tensor& x, int first, int second, const py::args& more) {
    std::vector<int> axes{first, second};
    for (const py::handle axis : more) axes.push_back(axis.cast<int>());
    return released([&] { return x.flip(axes); });
  }, "", py::arg("first"), py::arg("second"));
  both(
      api, "flip", [](const Tensor& x, const Axes& dims) { return x.flip(dims); }, "Backward along the axes, or all.",
      py::arg("dim") = py::none());
  both(
      api, "flatten", [](const Tensor& x, int first, int last) { return x.flatten(first, last); },
      "The axes from start_dim to end_dim as one.",
       py::arg("start_dim") = 0, py::arg("end_dim") = -1);
  both(
      api, "unflatten", [](const Tensor& x, int dim, const Shape& s) { return x.unflatten(dim, s.sizes); }, "One axis as several.",
      py::arg("dim"),
       py::arg("sizes"));
  both(api, "transpose", [](const Tensor& x, int a, int b) { return x.transpose(a, b); }, "Two axes exchanged.", py::arg("dim0") = 0,
       py::arg("dim1") = 1);
  both(api, "transpose", [](const Tensor& x, const Shape& axes) { return x.permute(as_ints(axes.sizes)); },
       "As permute: NumPy's transpose.", py::arg("axes"));
  both(
      api, "squeeze", [](const Tensor& x, const Axes& dim) { return x.squeeze(dim); },
      "Without the axes, which are of size 1; all such without dim.",
       py::arg("dim") = py::none());
  both(api, "unsqueeze", [](const Tensor& x, int dim) { return x.unsqueeze(dim); }, "With a new axis of size 1.", py::arg("dim"));
  both(api, "split", [](const Tensor& x, const std::variant<int64_t, Sizes>& size, int dim) {
    return size.index() == 0 ? x.split(std::get<0>(size), dim) : x.split(std::get<1>(size), dim);
  }, "Pieces of that length, the last perhaps shorter, or of the given lengths.", py::arg("split_size"), py::arg("dim") = 0);
  both(api, "chunk", [](const Tensor& x, int64_t chunks, int dim) { return x.chunk(chunks, dim); },
       "At most so many pieces of equal length, the last perhaps shorter.", py::arg("chunks"), py::arg("dim") = 0);
  both(api, "pad", [](const Tensor& x, const std::variant<Shape, Pairs>& amounts, const std::string& mode, double value) {
    const Pairs pairs = amounts_of(amounts, x);
    constexpr std::pair<std::string_view, PadMode> modes[] = {
        {"reflect", PadMode::Reflect}, {"replicate", PadMode::Replicate}, {"circular", PadMode::Circular}};
    for (const auto& [name, how] : modes)
      if (mode == name) return pad(x, pairs, how);
    if (mode != "constant") throw ValueError("pad: mode is 'constant', 'reflect', 'replicate' or 'circular', not '" + mode + "'");
    return x.pad(pairs, {.value = value});
  }, "PyTorch's amounts, two an axis from the last axis on, (left, right, top, bottom), or NumPy's, a pair an axis from the first, or one "
     "number for all sides. Negative ones cut. Around it is the value, or, by "
     "mode, the input itself: mirrored without its last element, its last element, or its other end.", py::arg("pad"),
       py::arg("mode") = "constant", py::arg("value") = 0.0);
  both(
      api, "shrink", [](const Tensor& x, const Pairs& ranges) { return x.shrink(ranges); }, "The part from begin to end, a pair an axis.",
      py::arg("ranges"));
  const auto joined = [&](const char* name, Tensor (*f)(const std::vector<Tensor>&, int), const char* doc) {
    api.module.def(
        name, [f](const std::vector<Tensor>& t, int dim) { return f(t, dim); }, doc, Released(), py::arg("tensors"), py::arg("dim") = 0);
  };
  joined("cat", &Tensor::cat, "Along an existing axis; shapes are equal but for it, dtypes promote.");
  joined("concat", &Tensor::cat, "As cat.");
  joined("stack", &Tensor::stack, "Along a new axis; shapes are equal, dtypes promote.");
  for (const auto& [name, f] : {std::pair("hstack", &hstack), std::pair("vstack", &vstack)})
    api.module.def(name, [f = f](const std::vector<Tensor>& t) { return f(t); },
                   "Side by side (hstack), below each other (vstack), vectors as rows.", Released(), py::arg("tensors"));
  both(api, "gather", [](const Tensor& x, int dim, const Tensor& index) { return x.gather(dim, index); },
       "out[i][j] = input[index[i][j]][j] for dim 0, and so on.", py::arg("dim"), py::arg("index"));
  for (const char* name : {"take_along_dim", "take_along_axis"})
    both(api, name, [](const Tensor& x, const Tensor& index, const Axes& dim) { return take_along_dim(x, index, dim); },
         "As gather, of what both broadcast to beside the axis; without one, of the flattened input.", py::arg("indices"),
         py::arg("dim") = py::none());
  both(api, "take", [](const Tensor& x, const Tensor& index, int dim) { return x.take(index, dim); },
       "Whole entries along the axis, which the index's shape replaces (numpy.take).", py::arg("index"), py::arg("dim") = 0);
  both(
      api, "index_select", [](const Tensor& x, int dim, const Tensor& index) { return x.take(index, dim); },
      "Whole entries along the axis.",
       py::arg("dim"), py::arg("index"));
}

void bind_products(Api& api) {
  for (const char* name : {"matmul", "dot", "mm", "bmm", "mv"})
    both(api, name, [](const Tensor& a, const Tensor& b) { return a.matmul(b); },
         "(..., m, k) by (..., k, n); leading axes broadcast; vectors as in NumPy.", py::arg("other"));
  const auto product = [](const Operand& a, const Operand& b) {
    if (!a.tensor || !b.tensor) throw ShapeError("matmul: a number has no axis to contract; use * instead");
    return a.tensor->matmul(*b.tensor);
  };
  api.tensor.def("__matmul__", [=](const Tensor& a, const Operand& b) { return product(a, b); }, Released(), py::is_operator(),
                 py::arg("other"));
  api.tensor.def("__rmatmul__", [=](const Tensor& b, const Operand& a) { return product(a, b); }, Released(), py::is_operator(),
                 py::arg("other"));
  using AddProduct = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const AddOptions&);
  struct Row {
    const char* name;
    AddProduct function;
    const char* first;
    const char* second;
    const char* doc;
  };
  constexpr Row rows[] = {
      {"addmm", addmm, "mat1", "mat2", "beta * input + alpha * (mat1 @ mat2)."},
      {"addmv", addmv, "mat", "vec", "beta * input + alpha * (mat @ vec)."},
      {"addr", addr, "vec1", "vec2", "beta * input + alpha * outer(vec1, vec2)."},
      {"baddbmm", baddbmm, "batch1", "batch2", "beta * input + alpha * (batch1 @ batch2), of batches of matrices."},
      {"addbmm", addbmm, "batch1", "batch2", "beta * input + alpha * (batch1 @ batch2).sum(0)."},
  };
  for (const Row& row : rows)
    both(api, row.name, [f = row.function](const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
      return f(x, a, b, {.beta = beta, .alpha = alpha});
    }, row.doc, py::arg(row.first), py::arg(row.second), py::kw_only(), py::arg("beta") = Scalar(1), py::arg("alpha") = Scalar(1));
  const auto other = py::arg("other");
  both(api, "inner", &inner, "Sums of products over the last axes of both; of a number, all products.", other);
  both(api, "kron", &kron, "Kronecker's product: the other times each element of the input, in its place.", other);
  both(api, "cross", &cross, "The vector at right angles to both, along an axis of size 3, the first such without one.", other,
       py::arg("dim") = py::none());
  api.module.def("cdist", &cdist, "The norms of all differences of rows, (..., n, d) and (..., m, d) to (..., n, m).", Released(),
                 py::arg("x1"), py::arg("x2"), py::arg("p") = 2.0);
  api.module.def("pairwise_distance", &pairwise_distance, "norm(x1 - x2 + eps) along the last axis.", Released(), py::arg("x1"),
                 py::arg("x2"), py::arg("p") = 2.0, py::arg("eps") = 1e-6, py::arg("keepdim") = false);
}

}  // namespace

void bind_functions(Api& api) {
  bind_extrema(api);
  bind_reductions(api);
  bind_order(api);
  bind_movement(api);
  bind_products(api);
}

}  // namespace tg::python
