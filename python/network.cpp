// What networks are made of: windows, normalisation, attention and losses; a row each, in PyTorch's spelling.
//
//   in:  tg.max_pool1d(x, 2, return_indices=True)      out: max_pool1d_with_indices(x, {.size = 2})
#include "python/bind.hpp"
#include "tg/arrange.hpp"
#include "tg/attention.hpp"
#include "tg/loss.hpp"
#include "tg/nn.hpp"
#include "tg/norm.hpp"

namespace tg::python {

namespace {

using MaybeTensor = std::optional<Tensor>;
Tensor given(const MaybeTensor& t) { return t.value_or(Tensor()); }

/// The same, and a method where there is one in C++.
template <class F, class... Extra>
void perhaps_both(Api& api, bool method, const char* name, const F& f, const char* doc, const Extra&... extra) {
  if (method) both(api, name, f, doc, extra...);
  else function(api, name, f, doc, extra...);
}

void bind_convolutions(Api& api) {
  struct Row {
    const char* name;
    Tensor (*function)(const Tensor&, const Tensor&, const Bias&, const ConvOptions&);
    const char* doc;
  };
  constexpr Row rows[] = {
      {"conv1d", &conv1d, "(n, c, l) with weights (o, c / groups, k) to (n, o, l'); padding also 'same', or (before, after) an axis."},
      {"conv2d", &conv2d,
       "(n, c, h, w) with weights (o, c / groups, kh, kw) to (n, o, h', w'); padding also 'same', or (before, after) an axis."},
      {"conv3d", &conv3d, "(n, c, d, h, w) with weights (o, c / groups, kd, kh, kw) to (n, o, d', h', w')."},
  };
  for (const Row& row : rows)
    perhaps_both(api, std::string_view(row.name) == "conv2d", row.name,
                 [f = row.function](const Tensor& x, const Tensor& w, const MaybeTensor& bias, const PerAxis& stride,
                                    const Padding& padding, const PerAxis& dilation, int64_t groups, bool winograd) {
                   return f(x, w, given(bias),
                            {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups, .winograd = winograd});
                 },
                 row.doc, py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = PerAxis(1),
                 py::arg("padding") = Padding(0), py::arg("dilation") = PerAxis(1), py::arg("groups") = 1, py::arg("winograd") = false);
  using Transposed = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvTransposeOptions&);
  for (const auto& [name, f] : {std::pair<const char*, Transposed>("conv_transpose1d", &conv_transpose1d),
                                {"conv_transpose2d", &conv_transpose2d},
                                {"conv_transpose3d", &conv_transpose3d}})
    function(api, name, [f = f](const Tensor& x, const Tensor& w, const MaybeTensor& bias, const PerAxis& stride, const Padding& padding,
                                const PerAxis& output_padding, int64_t groups, const PerAxis& dilation) {
      return f(x, w, given(bias), {.stride = stride, .padding = padding, .output_padding = output_padding, .dilation = dilation,
                                   .groups = groups});
    }, "The adjoint of a convolution: weights (c, o / groups, sizes...), each size to (size - 1) stride - padding + dilation (k - 1) + "
       "output_padding + 1.",
             py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = PerAxis(1), py::arg("padding") = Padding(0),
             py::arg("output_padding") = PerAxis(0), py::arg("groups") = 1, py::arg("dilation") = PerAxis(1));
}

using Pooled = std::variant<Tensor, Found>;
/// How many windows along each axis; None: as many as there are elements.
using Counts = std::variant<std::vector<std::optional<int64_t>>, PerAxis>;
PerAxis counts_of(const Tensor& x, const Counts& given) {
  if (given.index() == 1) return std::get<1>(given);
  const auto& counts = std::get<0>(given);
  Sizes out;
  const auto first = x.rank() - static_cast<int>(counts.size());
  for (size_t i = 0; i < counts.size(); ++i)
    out.push_back(counts[i] ? *counts[i] : first < 0 ? 1 : x.size(first + static_cast<int>(i)));
  return out;
}
struct Pool {
  const char *max, *avg, *adaptive_max, *adaptive_avg;
  Tensor (*largest)(const Tensor&, const PoolOptions&);
  Found (*found)(const Tensor&, const PoolOptions&);
  Tensor (*mean)(const Tensor&, const PoolOptions&);
  Tensor (*adaptive_largest)(const Tensor&, const PerAxis&);
  Found (*adaptive_found)(const Tensor&, const PerAxis&);
  Tensor (*adaptive_mean)(const Tensor&, const PerAxis&);
};
void bind_pooling(Api& api) {
  constexpr Pool rows[] = {
      {"max_pool1d", "avg_pool1d", "adaptive_max_pool1d", "adaptive_avg_pool1d", &max_pool1d, &max_pool1d_with_indices, &avg_pool1d,
       &adaptive_max_pool1d, &adaptive_max_pool1d_with_indices, &adaptive_avg_pool1d},
      {"max_pool2d", "avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool2d", &max_pool2d, &max_pool2d_with_indices, &avg_pool2d,
       &adaptive_max_pool2d, &adaptive_max_pool2d_with_indices, &adaptive_avg_pool2d},
      {"max_pool3d", "avg_pool3d", "adaptive_max_pool3d", "adaptive_avg_pool3d", &max_pool3d, &max_pool3d_with_indices, &avg_pool3d,
       &adaptive_max_pool3d, &adaptive_max_pool3d_with_indices, &adaptive_avg_pool3d},
  };
  const auto size = py::arg("kernel_size");
  const auto stride = py::arg("stride") = py::none();
  const auto padding = py::arg("padding") = Padding(0);
  const auto ceil_mode = py::arg("ceil_mode") = false, indices = py::arg("return_indices") = false;
  for (const Pool& row : rows) {
    const bool method = std::string_view(row.max) == "max_pool2d";
    perhaps_both(api, method, row.max, [row](const Tensor& x, const PerAxis& k, const std::optional<PerAxis>& step, const Padding& p,
                                             const PerAxis& dilation, bool ceil, bool where) -> Pooled {
      const PoolOptions o{.size = k, .stride = step.value_or(PerAxis(0)), .padding = p, .dilation = dilation, .ceil_mode = ceil};
      return where ? Pooled(row.found(x, o)) : Pooled(row.largest(x, o));
    }, "The largest of each window, and with return_indices where it is, counted through its channel.", size, stride, padding,
                 py::arg("dilation") = PerAxis(1), ceil_mode, indices);
    perhaps_both(api, method, row.avg, [row](const Tensor& x, const PerAxis& k, const std::optional<PerAxis>& step, const Padding& p,
                                             bool ceil, bool include, std::optional<int64_t> divisor, const PerAxis& dilation) {
      return row.mean(x, {.size = k, .stride = step.value_or(PerAxis(0)), .padding = p, .dilation = dilation, .ceil_mode = ceil,
                          .count_include_pad = include, .divisor = divisor.value_or(0)});
    }, "The mean of each window; the stride is the size unless told.", size, stride, padding, ceil_mode,
                 py::arg("count_include_pad") = true, py::arg("divisor_override") = py::none(), py::arg("dilation") = PerAxis(1));
    function(api, row.adaptive_max, [row](const Tensor& x, const Counts& counts, bool where) -> Pooled {
      const PerAxis count = counts_of(x, counts);
      return where ? Pooled(row.adaptive_found(x, count)) : Pooled(row.adaptive_largest(x, count));
    }, "The largest of so many windows of nearly equal size, and with return_indices where it is.", py::arg("output_size"), indices);
    function(api, row.adaptive_avg, [row](const Tensor& x, const Counts& count) {
      return row.adaptive_mean(x, counts_of(x, count));
    }, "The mean of so many windows of nearly equal size; None: as many as there are elements.", py::arg("output_size"));
  }
  function(api, "interpolate", [](const Tensor& x, const std::optional<PerAxis>& sizes,
                                  const std::optional<std::variant<double, std::vector<double>>>& scale, const std::string& mode,
                                  std::optional<bool> align_corners) {
    InterpolateOptions o;
    if (sizes) o.size = sizes->list();
    if (scale) o.scale = scale->index() == 0 ? std::vector{std::get<0>(*scale)} : std::get<1>(*scale);
    constexpr const char* linear[] = {"linear", "bilinear", "trilinear"};
    const bool known = x.rank() >= 3 && x.rank() <= 5 && mode == linear[x.rank() - 3];
    if (!known && mode != "nearest")
      throw ValueError("interpolate: mode is 'nearest', or 'linear', 'bilinear' or 'trilinear' of 3, 4 or 5 axes, not '" + mode + "'");
    o.mode = known ? Resize::Linear : Resize::Nearest;
    o.align_corners = align_corners.value_or(false);
    return interpolate(x, o);
  }, "(n, c, sizes...) on a grid of other sizes, given themselves or by what they are multiplied by.", py::arg("size") = py::none(),
           py::arg("scale_factor") = py::none(), py::arg("mode") = "nearest", py::arg("align_corners") = py::none());
}

void bind_normalisation(Api& api) {
  const auto eps = py::arg("eps") = 1e-5;
  const auto weight = py::arg("weight") = py::none(), bias = py::arg("bias") = py::none();
  both(api, "layer_norm", [](const Tensor& x, const Tensor& w, const MaybeTensor& b, double e) {
    return x.layer_norm(w, given(b), {.eps = e});
  }, "Over the last weight.ndim axes: (x - mean) / sqrt(var + eps) * weight + bias.", py::arg("weight"), bias, eps);
  both(api, "batch_norm", [](const Tensor& x, const Tensor& mean, const Tensor& var, const MaybeTensor& w, const MaybeTensor& b, double e) {
    return x.batch_norm(mean, var, given(w), given(b), {.eps = e});
  }, "Over axis 1, with the given mean and variance: (x - mean) / sqrt(var + eps) * weight + bias.", py::arg("mean"), py::arg("var"),
       weight, bias, eps);
  function(api, "group_norm", [](const Tensor& x, int64_t groups, const MaybeTensor& w, const MaybeTensor& b, double e) {
    return group_norm(x, groups, given(w), given(b), {.eps = e});
  }, "Over the axes behind the first two and the channels of each group; weight and bias have one number a channel.",
           py::arg("num_groups"), weight, bias, eps);
  function(api, "instance_norm", [](const Tensor& x, const MaybeTensor& w, const MaybeTensor& b, double e) {
    return instance_norm(x, given(w), given(b), {.eps = e});
  }, "Over the axes behind the first two; weight and bias have one number a channel.", weight, bias, eps);
  function(api, "rms_norm", [](const Tensor& x, const Tensor& w, double e) { return rms_norm(x, w, {.eps = e}); },
           "Over the last weight.ndim axes: x / sqrt(mean(x^2) + eps) * weight.", py::arg("weight"), eps);
}

/// The windows of (n, c, h, w), or of (c, h, w), as columns: (n, c kh kw, windows).
Tensor unfold_images(const Tensor& x, const PerAxis& size, const PerAxis& dilation, const PerAxis& padding, const PerAxis& stride) {
  if (x.rank() < 3 || x.rank() > 4) throw ShapeError("unfold: an input of " + std::to_string(x.rank()) + " axes; it takes 3 or 4");
  const auto of = [](const PerAxis& p, size_t axis) {
    if (p.list().empty() || p.list().size() > 2) throw ValueError("unfold: it takes a number for both axes, or one an axis");
    return p.list()[p.list().size() == 1 ? 0 : axis];
  };
  Tensor windows = x.pad({{of(padding, 0), of(padding, 0)}, {of(padding, 1), of(padding, 1)}});
  for (const size_t axis : {0, 1})
    windows = unfold(windows, -2, of(dilation, axis) * (of(size, axis) - 1) + 1, of(stride, axis)).slice(-1, {}, {}, of(dilation, axis));
  const int rank = windows.rank();  // (n, c, oh, ow, kh, kw)
  std::vector<int> order;
  for (int axis = 0; axis < rank - 4; ++axis) order.push_back(axis);
  order.insert(order.end(), {rank - 2, rank - 1, rank - 4, rank - 3});
  return windows.permute(order).flatten(-2).flatten(-4, -2);
}

Reduction reduction_of(const std::string& word) {
  if (word == "mean") return Reduction::Mean;
  if (word == "sum") return Reduction::Sum;
  if (word == "batchmean") return Reduction::BatchMean;
  if (word != "none") throw ValueError("reduction: 'none', 'mean', 'sum' or 'batchmean', not '" + word + "'");
  return Reduction::None;
}
void bind_losses(Api& api) {
  const auto target = py::arg("target");
  const auto reduction = py::arg("reduction") = "mean";
  const auto weight = py::arg("weight") = py::none();
  for (const auto& [name, f, doc] : {std::tuple("mse_loss", &mse_loss, "(input - target)^2."),
                                     std::tuple("l1_loss", &l1_loss, "|input - target|.")})
    function(api, name, [f = f](const Tensor& x, const Tensor& t, const std::string& r) { return f(x, t, reduction_of(r)); }, doc, target,
             reduction);
  function(api, "huber_loss", [](const Tensor& x, const Tensor& t, const std::string& r, double delta) {
    return huber_loss(x, t, delta, reduction_of(r));
  }, "With d = |input - target|: d^2 / 2 up to delta, then delta (d - delta / 2).", target, reduction, py::arg("delta") = 1.0);
  function(api, "smooth_l1_loss", [](const Tensor& x, const Tensor& t, const std::string& r, double beta) {
    return smooth_l1_loss(x, t, beta, reduction_of(r));
  }, "With d = |input - target|: d^2 / (2 beta) below beta, then d - beta / 2.", target, reduction, py::arg("beta") = 1.0);
  function(api, "binary_cross_entropy", [](const Tensor& x, const Tensor& t, const MaybeTensor& w, const std::string& r) {
    return binary_cross_entropy(x, t, {.weight = given(w), .reduction = reduction_of(r)});
  }, "-(target log input + (1 - target) log(1 - input)) of probabilities; the logarithms are at least -100.", target, weight, reduction);
  function(api, "binary_cross_entropy_with_logits", [](const Tensor& x, const Tensor& t, const MaybeTensor& w, const std::string& r,
                                                       const MaybeTensor& pos_weight) {
    return binary_cross_entropy_with_logits(x, t, {.weight = given(w), .pos_weight = given(pos_weight), .reduction = reduction_of(r)});
  }, "binary_cross_entropy of sigmoid(input), without overflow.", target, weight, reduction, py::arg("pos_weight") = py::none());
  const auto ignore = py::arg("ignore_index") = -100;
  function(api, "nll_loss", [](const Tensor& x, const Tensor& t, const MaybeTensor& w, int64_t ignored, const std::string& r) {
    return nll_loss(x, t, {.weight = given(w), .ignore_index = ignored, .reduction = reduction_of(r)});
  }, "-input[target] of log-probabilities (n, classes, ...) and classes (n, ...).", target, weight, ignore, reduction);
  both(api, "cross_entropy", [](const Tensor& x, const Tensor& t, const MaybeTensor& w, int64_t ignored, const std::string& r,
                                double smoothing) {
    return cross_entropy(x, t, {.weight = given(w), .ignore_index = ignored, .label_smoothing = smoothing, .reduction = reduction_of(r)});
  }, "nll_loss of log_softmax(input): logits (n, classes, ...), classes (n, ...) or probabilities in the input's shape.", target, weight,
       ignore, reduction, py::arg("label_smoothing") = 0.0);
  using Made = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, double, Reduction);
  for (const auto& [name, f, doc] : {
           std::tuple("margin_ranking_loss", Made(&margin_ranking_loss), "max(0, margin - target (input1 - input2)), of targets 1 or -1."),
           std::tuple("cosine_embedding_loss", Made(&cosine_embedding_loss),
                      "1 - c where the target is 1, max(0, c - margin) where it is -1, of the cosine c of the last axis.")})
    api.module.def(name, [f = f](const Tensor& a, const Tensor& b, const Tensor& t, double margin, const std::string& r) {
      return f(a, b, t, margin, reduction_of(r));
    }, doc, Released(), py::arg("input1"), py::arg("input2"), target, py::arg("margin") = 0.0, reduction);
  function(api, "hinge_embedding_loss", [](const Tensor& x, const Tensor& t, double margin, const std::string& r) {
    return hinge_embedding_loss(x, t, margin, reduction_of(r));
  }, "input where the target is 1, max(0, margin - input) where it is -1.", target, py::arg("margin") = 1.0, reduction);
  function(api, "soft_margin_loss", [](const Tensor& x, const Tensor& t, const std::string& r) {
    return soft_margin_loss(x, t, reduction_of(r));
  }, "log(1 + exp(-target input)), of targets 1 or -1.", target, reduction);
  function(api, "multilabel_soft_margin_loss", [](const Tensor& x, const Tensor& t, const MaybeTensor& w, const std::string& r) {
    return multilabel_soft_margin_loss(x, t, given(w), reduction_of(r));
  }, "binary_cross_entropy_with_logits, as a mean over the last axis.", target, weight, reduction);
  api.module.def("triplet_margin_loss", [](const Tensor& a, const Tensor& b, const Tensor& c, double margin, double p, double eps,
                                           bool swap, const std::string& r) {
    return triplet_margin_loss(a, b, c, {.margin = margin, .p = p, .eps = eps, .swap = swap, .reduction = reduction_of(r)});
  }, "max(0, |anchor - positive| - |anchor - negative| + margin).", Released(), py::arg("anchor"), py::arg("positive"),
                 py::arg("negative"), py::arg("margin") = 1.0, py::arg("p") = 2.0, py::arg("eps") = 1e-6, py::arg("swap") = false,
                 reduction);
  function(api, "poisson_nll_loss", [](const Tensor& x, const Tensor& t, bool log_input, bool full, double eps, const std::string& r) {
    return poisson_nll_loss(x, t, {.log_input = log_input, .full = full, .eps = eps, .reduction = reduction_of(r)});
  }, "exp(input) - target input of the rate's logarithm.", target, py::arg("log_input") = true, py::arg("full") = false,
           py::arg("eps") = 1e-8, reduction);
  function(api, "gaussian_nll_loss", [](const Tensor& x, const Tensor& t, const Tensor& var, bool full, double eps, const std::string& r) {
    return gaussian_nll_loss(x, t, var, full, eps, reduction_of(r));
  }, "(log var + (input - target)^2 / var) / 2, var at least eps: Nix, Weigend 1994.", target, py::arg("var"), py::arg("full") = false,
           py::arg("eps") = 1e-6, reduction);
  function(api, "kl_div", [](const Tensor& x, const Tensor& t, const std::string& r, bool log_target) {
    return kl_div(x, t, log_target, reduction_of(r));
  }, "target (log target - input) of log-probabilities and probabilities; 'batchmean' is the divergence.", target, reduction,
           py::arg("log_target") = false);
}

void bind_layer_functions(Api& api) {
  api.module.def("scaled_dot_product_attention", [](const Tensor& q, const Tensor& k, const Tensor& v, const MaybeTensor& mask,
                                                    double dropout, bool causal, std::optional<double> scale, bool grouped) {
    return scaled_dot_product_attention(
        q, k, v, {.mask = given(mask), .causal = causal, .grouped = grouped, .scale = scale.value_or(0), .dropout = dropout});
  }, "softmax(query key^T scale + mask) value, of (..., l, e), (..., s, e) and (..., s, v) to (..., l, v); a bool mask is true where a "
     "query may look.", Released(), py::arg("query"), py::arg("key"), py::arg("value"), py::arg("attn_mask") = py::none(),
                 py::arg("dropout_p") = 0.0, py::arg("is_causal") = false, py::arg("scale") = py::none(), py::arg("enable_gqa") = false);
  function(api, "linear", [](const Tensor& x, const Tensor& weight, const MaybeTensor& bias) { return nn::linear(x, weight, given(bias)); },
           "input W^T + b, of (..., in) and a weight (out, in).", py::arg("weight"), py::arg("bias") = py::none());
  function(api, "embedding", [](const Tensor& x, const Tensor& weight, std::optional<int64_t> padding_idx) {
    return nn::embedding(x, weight, padding_idx.value_or(nn::kNoPadding));
  }, "The rows of the weight at integers; the one at padding_idx gets no gradient.", py::arg("weight"),
           py::arg("padding_idx") = py::none());
}

}  // namespace

void bind_network(Api& api) {
  function(api, "_unfold_images", &unfold_images, "", py::arg("kernel_size"), py::arg("dilation"), py::arg("padding"), py::arg("stride"));
  bind_convolutions(api);
  bind_pooling(api);
  bind_normalisation(api);
  bind_losses(api);
  bind_layer_functions(api);
}

}  // namespace tg::python
