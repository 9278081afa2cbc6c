#pragma once
// Every operation, each as a function of a tensor of 4 x 6 whole numbers: what docs/ops.md has rows of.
//
//   {"sum", [](const Tensor& x) { return x.sum({.axis = 1}); }}       a row; a third member says how far a float32 result may be off
#include <functional>
#include <string>
#include <vector>

#include "tg/arrange.hpp"
#include "tg/attention.hpp"
#include "tg/contract.hpp"
#include "tg/functions.hpp"
#include "tg/loss.hpp"
#include "tg/nn.hpp"
#include "tg/norm.hpp"
#include "tg/random.hpp"
#include "tg/recurrent.hpp"
#include "tg/scatter.hpp"
#include "tg/statistics.hpp"
#include "tg/transformer.hpp"
#include "tg/windows.hpp"

namespace tg {

struct Operation {
  std::string name;
  std::function<Tensor(const Tensor&)> of;  // of a (4, 6) tensor
  double ulp = -1;
  bool reads = false;  // values, to know the size of its result
};
struct Section { const char* title; std::vector<Operation> ops; };

inline Tensor images(const Tensor& x) { return x.reshape({1, 2, 3, 4}); }
inline Tensor volumes(const Tensor& x) { return x.reshape({1, 2, 2, 2, 3}); }
inline TensorOptions like(const Tensor& x) { return {.dtype = x.dtype(), .device = x.device()}; }
/// What f draws, always the same.
inline Tensor drawn(const std::function<Tensor()>& f) {
  Generator g(1);
  const Drawing from(g);
  return f();
}
/// x, after something was written to it.
inline Tensor written(const Tensor& x, const std::function<void(Tensor&)>& write) {
  Tensor y = x.clone();
  write(y);
  return y;
}
/// A layer whose weights are always the same, as it is when nothing is trained.
inline std::function<Tensor(const Tensor&)> layer(std::function<Tensor(const Tensor&)> of) {
  return [of = std::move(of)](const Tensor& x) {
    const nn::Evaluation off;
    return drawn([&] { return of(x); });
  };
}
inline Tensor rows(const Tensor& x) { return (Tensor::arange(4, {.device = std::string(x.device())}) % 3).cast(int64); }

/// Numbers at which an operation has derivatives: what is not named here has them at most numbers from -3 to 3.
struct Domain { double low = -3, high = 3; };
inline Domain domain_of(std::string_view name) {
  constexpr std::pair<std::string_view, Domain> kDomains[] = {
      {" asin acos atanh erfinv logit binary_cross_entropy ", {0.05, 0.85}},
      {" sqrt rsqrt reciprocal log log2 log10 log1p lgamma digamma polygamma div pow xlogy addcdiv batch_norm gaussian_nll_loss kl_div ",
       {0.3, 3}},
      {" acosh ", {1.2, 4}},
      {" tan ", {-1.2, 1.2}},
      {" relu6 threshold hardshrink softshrink ", {-9, 9}},
  };
  for (const auto& [names, domain] : kDomains)
    if (names.find(" " + std::string(name) + " ") != names.npos) return domain;
  return {};
}

inline std::vector<Section> sections() {
  Section unary{"Elementwise, of one tensor", {}};
#define UNARY(kind, name, ulp, value, doc) unary.ops.push_back({#name, [](const Tensor& x) { return tg::name(x); }, ulp});
#include "tg/unary.def"
  const auto one = [&](const char* name, std::function<Tensor(const Tensor&)> of, double ulp = -1) {
    unary.ops.push_back({name, of, ulp});
  };
  one("gelu", [](const Tensor& x) { return x.gelu(); }, 4);
  one("gelu, tanh", [](const Tensor& x) { return x.gelu({.tanh = true}); }, 4);
  one("elu", [](const Tensor& x) { return x.elu(); }, 4);
  one("celu", [](const Tensor& x) { return x.celu(2); }, 4);
  one("softplus", [](const Tensor& x) { return x.softplus(); }, 4);
  one("leaky_relu", [](const Tensor& x) { return x.leaky_relu(); });
  one("frac", [](const Tensor& x) { return frac(x); });
  one("deg2rad", [](const Tensor& x) { return deg2rad(x); });
  one("rad2deg", [](const Tensor& x) { return rad2deg(x); });
  one("sinc", [](const Tensor& x) { return sinc(x); });
  one("logit", [](const Tensor& x) { return logit(x, 0.1); });
  one("round, decimals", [](const Tensor& x) { return x.round(1); });
  one("polygamma", [](const Tensor& x) { return polygamma(1, x); });
  one("cast", [](const Tensor& x) { return x.cast(float64); });
  one("bitcast", [](const Tensor& x) { return x.bitcast(uint8); });
  one("signbit", [](const Tensor& x) { return tg::signbit(x); });
  one("isposinf", [](const Tensor& x) { return isposinf(x); });
  one("isneginf", [](const Tensor& x) { return isneginf(x); });
  one("threshold", [](const Tensor& x) { return threshold(x, 2, 1); });
  one("hardshrink", [](const Tensor& x) { return hardshrink(x, 2); });
  one("softshrink", [](const Tensor& x) { return softshrink(x, 2); });
  one("tanhshrink", [](const Tensor& x) { return tanhshrink(x); });
  one("hardtanh", [](const Tensor& x) { return x.hardtanh(); });
  one("clamp", [](const Tensor& x) { return x.clamp({.min = 1, .max = 3}); });
  one("prelu", [](const Tensor& x) { return x.prelu(x.shrink({{0, 1}, {0, 1}}).reshape({1})); });
  one("glu", [](const Tensor& x) { return x.glu(); });
  return {
      {"Creation, in the tensor's dtype",
       {{"empty", [](const Tensor& x) { return empty({4, 6}, like(x)); }},
        {"full", [](const Tensor& x) { return Tensor::full({4, 6}, 1, like(x)); }},
        {"zeros", [](const Tensor& x) { return Tensor::zeros({4, 6}, like(x)); }},
        {"ones", [](const Tensor& x) { return Tensor::ones({4, 6}, like(x)); }},
        {"full_like", [](const Tensor& x) { return full_like(x, 1); }},
        {"arange", [](const Tensor& x) { return Tensor::arange(0, 24, 1, like(x)); }},
        {"linspace", [](const Tensor& x) { return linspace(0, 23, 24, like(x)); }},
        {"eye", [](const Tensor& x) { return Tensor::eye(4, 6, like(x)); }},
        {"tri", [](const Tensor& x) { return tri(4, 6, 0, like(x)); }},
        {"meshgrid", [](const Tensor& x) { return meshgrid({x.flatten(), x.flatten()})[0]; }},
        {"from nested data", [](const Tensor& x) { return Tensor({{1, 0}, {0, 1}}, like(x)); }}}},
      {"Random, in the tensor's dtype",
       {{"rand", [](const Tensor& x) { return drawn([&] { return Tensor::rand({4, 6}, like(x)); }); }},
        {"randn", [](const Tensor& x) { return drawn([&] { return Tensor::randn({4, 6}, like(x)); }); }},
        {"uniform", [](const Tensor& x) { return drawn([&] { return Tensor::uniform({4, 6}, {.low = -1, .tensor = like(x)}); }); }},
        {"normal", [](const Tensor& x) { return drawn([&] { return normal({4, 6}, {.mean = 1, .tensor = like(x)}); }); }},
        {"randint", [](const Tensor& x) { return drawn([&] { return Tensor::randint({4, 6}, 0, 9, like(x)); }); }},
        {"randperm", [](const Tensor& x) { return drawn([&] { return randperm(24, like(x)); }); }},
        {"bernoulli", [](const Tensor& x) { return drawn([&] { return bernoulli(x / 24); }); }},
        {"multinomial", [](const Tensor& x) { return drawn([&] { return multinomial(x, 2); }); }},
        {"multinomial, replacement", [](const Tensor& x) { return drawn([&] { return multinomial(x, 2, true); }); }},
        {"kaiming_uniform", [](const Tensor& x) { return drawn([&] { return Tensor::kaiming_uniform({4, 6}, 0, like(x)); }); }},
        {"kaiming_normal", [](const Tensor& x) { return drawn([&] { return kaiming_normal({4, 6}, 0, like(x)); }); }},
        {"xavier_uniform", [](const Tensor& x) { return drawn([&] { return xavier_uniform({4, 6}, 1, like(x)); }); }},
        {"xavier_normal", [](const Tensor& x) { return drawn([&] { return xavier_normal({4, 6}, 1, like(x)); }); }},
        {"dropout", [](const Tensor& x) { return drawn([&] { return x.dropout(); }); }}}},
      unary,
      {"Elementwise, of several tensors",
       {{"add", [](const Tensor& x) { return x + x.flip(); }},
        {"sub", [](const Tensor& x) { return x - x.flip(); }},
        {"mul", [](const Tensor& x) { return x * x.flip(); }},
        {"div", [](const Tensor& x) { return x / x.flip(); }, 0.5},
        {"floor_div", [](const Tensor& x) { return div(x, x.flip(), {.rounding = Rounding::Floor}); }},
        {"mod", [](const Tensor& x) { return x % x.flip(); }},
        {"fmod", [](const Tensor& x) { return fmod(x, x.flip()); }},
        {"pow", [](const Tensor& x) { return pow(x, x.flip()); }, 4},
        {"atan2", [](const Tensor& x) { return atan2(x, x.flip()); }, 4},
        {"hypot", [](const Tensor& x) { return hypot(x, x.flip()); }, 4},
        {"logaddexp", [](const Tensor& x) { return logaddexp(x, x.flip()); }, 4},
        {"copysign", [](const Tensor& x) { return copysign(x, x.flip()); }, 0},
        {"nextafter", [](const Tensor& x) { return nextafter(x, x.flip()); }, 0},
        {"nan_to_num", [](const Tensor& x) { return nan_to_num(x); }},
        {"fmax", [](const Tensor& x) { return fmax(x, x.flip()); }},
        {"fmin", [](const Tensor& x) { return fmin(x, x.flip()); }},
        {"xlogy", [](const Tensor& x) { return xlogy(x, x.flip()); }},
        {"heaviside", [](const Tensor& x) { return heaviside(x, x.flip()); }},
        {"addcmul", [](const Tensor& x) { return addcmul(x, x.flip(), x); }},
        {"addcdiv", [](const Tensor& x) { return addcdiv(x, x.flip(), x); }},
        {"lerp", [](const Tensor& x) { return lerp(x, x.flip(), x); }},
        {"clamp, tensors", [](const Tensor& x) { return clamp(x, x.flip(), x * 2); }},
        {"minimum", [](const Tensor& x) { return minimum(x, x.flip()); }},
        {"maximum", [](const Tensor& x) { return maximum(x, x.flip()); }},
        {"where", [](const Tensor& x) { return where(x > x.flip(), x, x.flip()); }},
        {"eq", [](const Tensor& x) { return x == x.flip(); }},
        {"ne", [](const Tensor& x) { return x != x.flip(); }},
        {"lt", [](const Tensor& x) { return x < x.flip(); }},
        {"le", [](const Tensor& x) { return x <= x.flip(); }},
        {"gt", [](const Tensor& x) { return x > x.flip(); }},
        {"ge", [](const Tensor& x) { return x >= x.flip(); }},
        {"logical_and", [](const Tensor& x) { return logical_and(x, x.flip()); }},
        {"logical_or", [](const Tensor& x) { return logical_or(x, x.flip()); }},
        {"logical_xor", [](const Tensor& x) { return logical_xor(x, x.flip()); }},
        {"isclose", [](const Tensor& x) { return isclose(x, x.flip()); }},
        {"bitwise_and", [](const Tensor& x) { return x & x.flip(); }},
        {"bitwise_or", [](const Tensor& x) { return x | x.flip(); }},
        {"bitwise_xor", [](const Tensor& x) { return x ^ x.flip(); }},
        {"left_shift", [](const Tensor& x) { return x << 1; }},
        {"right_shift", [](const Tensor& x) { return x >> 1; }},
        {"add_, in place", [](const Tensor& x) { return written(x, [](Tensor& y) { y.add_(y.flip()); }); }}}},
      {"Movement and indexing",
       {{"reshape", [](const Tensor& x) { return x.reshape({3, 8}); }},
        {"flatten", [](const Tensor& x) { return x.flatten(); }},
        {"unflatten", [](const Tensor& x) { return x.unflatten(1, {2, 3}); }},
        {"squeeze", [](const Tensor& x) { return x.unsqueeze(1).squeeze(); }},
        {"permute", [](const Tensor& x) { return x.unflatten(1, {2, 3}).permute({2, 0, 1}); }},
        {"rearrange", [](const Tensor& x) { return rearrange(x, "a (b c) -> c (a b)", {{"b", 2}}); }},
        {"transpose", [](const Tensor& x) { return x.T(); }},
        {"expand", [](const Tensor& x) { return x.unsqueeze(0).expand({3, 4, 6}); }},
        {"flip", [](const Tensor& x) { return x.flip(); }},
        {"roll", [](const Tensor& x) { return roll(x, {1}); }},
        {"pad", [](const Tensor& x) { return x.pad({{1, 2}}); }},
        {"pad, reflect", [](const Tensor& x) { return pad(x, {{1, 2}}, PadMode::Reflect); }},
        {"pad, replicate", [](const Tensor& x) { return pad(x, {{1, 2}}, PadMode::Replicate); }},
        {"pad, circular", [](const Tensor& x) { return pad(x, {{1, 2}}, PadMode::Circular); }},
        {"repeat", [](const Tensor& x) { return x.repeat({2, 1}); }},
        {"repeat_interleave", [](const Tensor& x) { return repeat_interleave(x, 2); }},
        {"cat", [](const Tensor& x) { return cat({x, x.flip()}); }},
        {"stack", [](const Tensor& x) { return stack({x, x.flip()}); }},
        {"hstack", [](const Tensor& x) { return hstack({x, x.flip()}); }},
        {"vstack", [](const Tensor& x) { return vstack({x, x.flip()}); }},
        {"dstack", [](const Tensor& x) { return dstack({x, x.flip()}); }},
        {"column_stack", [](const Tensor& x) { return column_stack({x, x.flip()}); }},
        {"block_diag", [](const Tensor& x) { return block_diag({x, x.flip()}); }},
        {"diag_embed", [](const Tensor& x) { return diag_embed(x); }},
        {"rot90", [](const Tensor& x) { return rot90(x); }},
        {"tensor_split", [](const Tensor& x) { return tensor_split(x, 3)[1]; }},
        {"pixel_shuffle", [](const Tensor& x) { return pixel_shuffle(x.reshape({4, 2, 3}), 2); }},
        {"pixel_unshuffle", [](const Tensor& x) { return pixel_unshuffle(x.reshape({2, 2, 6}), 2); }},
        {"channel_shuffle", [](const Tensor& x) { return channel_shuffle(x.reshape({1, 4, 6}), 2); }},
        {"cartesian_prod", [](const Tensor& x) { return cartesian_prod({x.flatten(), x.flatten()}); }},
        {"combinations", [](const Tensor& x) { return combinations(x.flatten()); }},
        {"vander", [](const Tensor& x) { return vander(x.flatten(), 3); }},
        {"unfold", [](const Tensor& x) { return unfold(x, 1, 3, 1); }},
        {"diagonal", [](const Tensor& x) { return diagonal(x); }},
        {"diag", [](const Tensor& x) { return diag(x.shrink({{0, 1}, {0, 6}}).reshape({6})); }},
        {"split", [](const Tensor& x) { return x.split(2)[1]; }},
        {"chunk", [](const Tensor& x) { return x.chunk(2)[1]; }},
        {"triu", [](const Tensor& x) { return triu(x); }},
        {"tril", [](const Tensor& x) { return tril(x); }},
        {"slice", [](const Tensor& x) { return x.shrink({{1, 3}, {2, 5}}); }},
        {"index, integer", [](const Tensor& x) { return x.at(1); }},
        {"index, step", [](const Tensor& x) { return x.at(slice(), slice(none, none, -2)); }},
        {"index, None and ellipsis", [](const Tensor& x) { return x.at(none, ellipsis, 1); }},
        {"index, integer tensors", [](const Tensor& x) { return x.at(rows(x), rows(x)); }},
        {"set, slice", [](const Tensor& x) { return written(x, [](Tensor& y) { y.set(slice(0, 2), 1); }); }},
        {"x[i][j] += 1", [](const Tensor& x) { return written(x, [&](Tensor& y) { y[1][2] += Tensor::ones({}, like(x)); }); }},
        {"take", [](const Tensor& x) { return x.take(rows(x)); }},
        {"take_along_dim", [](const Tensor& x) { return take_along_dim(x, rows(x).reshape({4, 1}), 1); }},
        {"gather", [](const Tensor& x) { return x.gather(0, rows(x).reshape({1, 4})); }},
        {"scatter", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x); }},
        {"scatter, add", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x, Scatter::Add); }},
        {"scatter, mul", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x, Scatter::Mul); }},
        {"scatter, amax", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x, Scatter::Max); }},
        {"scatter, amin", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x, Scatter::Min); }},
        {"scatter, mean", [](const Tensor& x) { return scatter(x, 0, rows(x).reshape({4, 1}), x, Scatter::Mean); }},
        {"index_add", [](const Tensor& x) { return index_add(x, 0, rows(x), x); }},
        {"index_copy", [](const Tensor& x) { return index_copy(x, 0, rows(x), x); }},
        {"index_fill", [](const Tensor& x) { return index_fill(x, 0, rows(x), 1); }},
        {"masked_scatter", [](const Tensor& x) { return masked_scatter(x, x > 2, x); }},
        {"masked_fill", [](const Tensor& x) { return masked_fill(x, x > 2, 1); }},
        {"one_hot", [](const Tensor& x) { return one_hot(x, 16); }}}},
      {"Reductions and scans",
       {{"sum", [](const Tensor& x) { return x.sum({.axis = 1}); }},
        {"prod", [](const Tensor& x) { return x.prod({.axis = 1}); }},
        {"mean", [](const Tensor& x) { return x.mean({.axis = 1}); }},
        {"max", [](const Tensor& x) { return x.max({.axis = 1}); }},
        {"min", [](const Tensor& x) { return x.min({.axis = 1}); }},
        {"argmin", [](const Tensor& x) { return x.argmin({.axis = 1}); }},
        {"argmax", [](const Tensor& x) { return x.argmax({.axis = 1}); }},
        {"any", [](const Tensor& x) { return x.any({.axis = 1}); }},
        {"all", [](const Tensor& x) { return x.all({.axis = 1}); }},
        {"var", [](const Tensor& x) { return x.var({.axis = 1}); }},
        {"std", [](const Tensor& x) { return x.std({.axis = 1}); }},
        {"normalize", [](const Tensor& x) { return normalize(x); }},
        {"cosine_similarity", [](const Tensor& x) { return cosine_similarity(x, x.flip()); }},
        {"trace", [](const Tensor& x) { return trace(x); }},
        {"norm", [](const Tensor& x) { return norm(x); }},
        {"logsumexp", [](const Tensor& x) { return x.logsumexp({.axis = 1}); }},
        {"softmax", [](const Tensor& x) { return x.softmax(); }},
        {"softmin", [](const Tensor& x) { return softmin(x); }},
        {"log_softmax", [](const Tensor& x) { return x.log_softmax(); }},
        {"cumsum", [](const Tensor& x) { return x.cumsum(); }},
        {"cumprod", [](const Tensor& x) { return x.cumprod(); }},
        {"cummin", [](const Tensor& x) { return x.cummin().values; }},
        {"cummax", [](const Tensor& x) { return x.cummax().values; }},
        {"logcumsumexp", [](const Tensor& x) { return x.logcumsumexp(); }},
        {"sort", [](const Tensor& x) { return x.sort().values; }},
        {"argsort", [](const Tensor& x) { return x.argsort(); }},
        {"topk", [](const Tensor& x) { return x.topk(2).values; }},
        {"count_nonzero", [](const Tensor& x) { return count_nonzero(x); }},
        {"quantile", [](const Tensor& x) { return quantile(x, 0.3, {.axis = 1}); }},
        {"kthvalue", [](const Tensor& x) { return kthvalue(x, 2).values; }},
        {"histc", [](const Tensor& x) { return histc(x, 5); }},
        {"searchsorted", [](const Tensor& x) { return searchsorted(x.flatten().sort().values, x); }},
        {"isin", [](const Tensor& x) { return isin(x, x); }},
        {"nansum", [](const Tensor& x) { return nansum(x, {.axis = 1}); }},
        {"nanmean", [](const Tensor& x) { return nanmean(x, {.axis = 1}); }},
        {"diff", [](const Tensor& x) { return diff(x); }},
        {"trapezoid", [](const Tensor& x) { return trapezoid(x); }},
        {"cov", [](const Tensor& x) { return cov(x); }},
        {"corrcoef", [](const Tensor& x) { return corrcoef(x); }},
        {"median", [](const Tensor& x) { return x.median({.axis = 1}); }}}},
      {"Products",
       {{"matmul", [](const Tensor& x) { return x.matmul(x.T()); }},
        {"einsum", [](const Tensor& x) { return einsum("ij,kj->ik", {x, x}); }},
        {"outer", [](const Tensor& x) { return outer(x.flatten(), x.flatten()); }},
        {"addmm", [](const Tensor& x) { return addmm(x.matmul(x.T()), x, x.T()); }},
        {"baddbmm", [](const Tensor& x) { return baddbmm(x.unsqueeze(0), x.unsqueeze(0), x.T().matmul(x).unsqueeze(0)); }},
        {"addbmm", [](const Tensor& x) { return addbmm(x.matmul(x.T()), x.unsqueeze(0), x.T().unsqueeze(0)); }},
        {"inner", [](const Tensor& x) { return inner(x, x); }},
        {"kron", [](const Tensor& x) { return kron(x, x); }},
        {"cross", [](const Tensor& x) { return cross(x.reshape({8, 3}), x.flip().reshape({8, 3})); }},
        {"cdist", [](const Tensor& x) { return cdist(x, x.flip()); }},
        {"tensordot", [](const Tensor& x) { return tensordot(x, x, 2); }}}},
      {"Networks",
       {{"conv1d", [](const Tensor& x) { return conv1d(x.reshape({1, 2, 12}), x.reshape({4, 2, 3}), Tensor()); }},
        {"conv3d", [](const Tensor& x) { return conv3d(volumes(x), x.reshape({6, 2, 1, 2, 1}), Tensor()); }},
        {"conv_transpose1d", [](const Tensor& x) { return conv_transpose1d(x.reshape({1, 2, 12}), x.reshape({2, 4, 3})); }},
        {"conv_transpose3d", [](const Tensor& x) { return conv_transpose3d(volumes(x), x.reshape({2, 6, 1, 2, 1})); }},
        {"max_pool1d", [](const Tensor& x) { return max_pool1d(x.reshape({1, 2, 12}), {.size = 2}); }},
        {"max_pool3d", [](const Tensor& x) { return max_pool3d(volumes(x), {.size = 2}); }},
        {"max_pool2d, indices", [](const Tensor& x) { return max_pool2d_with_indices(images(x), {.size = 2}).indices; }},
        {"avg_pool1d", [](const Tensor& x) { return avg_pool1d(x.reshape({1, 2, 12}), {.size = 2}); }},
        {"avg_pool3d", [](const Tensor& x) { return avg_pool3d(volumes(x), {.size = 2}); }},
        {"adaptive_max_pool2d", [](const Tensor& x) { return adaptive_max_pool2d(images(x), 2); }},
        {"interpolate, nearest", [](const Tensor& x) { return interpolate(images(x), {.size = {5, 7}}); }},
        {"conv2d", [](const Tensor& x) { return conv2d(images(x), x.reshape({3, 2, 2, 2}), Tensor()); }},
        {"conv_transpose2d", [](const Tensor& x) { return conv_transpose2d(images(x), x.reshape({2, 3, 2, 2})); }},
        {"max_pool2d", [](const Tensor& x) { return max_pool2d(images(x), {.size = 2}); }},
        {"avg_pool2d", [](const Tensor& x) { return avg_pool2d(images(x), {.size = 2}); }},
        {"adaptive_avg_pool2d", [](const Tensor& x) { return adaptive_avg_pool2d(images(x), 2); }},
        {"interpolate, bilinear", [](const Tensor& x) { return interpolate(images(x), {.size = {5, 7}, .mode = Resize::Linear}); }},
        {"scaled_dot_product_attention", [](const Tensor& x) { return scaled_dot_product_attention(x, x, x); }},
        {"layer_norm", [](const Tensor& x) { return x.layer_norm(x.shrink({{0, 1}, {0, 6}}).reshape({6}), {}); }},
        {"embedding", [](const Tensor& x) { return nn::embedding(rows(x), x); }},
        {"batch_norm", [](const Tensor& x) { const Tensor w = x.shrink({{0, 1}, {0, 6}}).reshape({6}); return x.batch_norm(w, w, w, w); }},
        {"instance_norm", [](const Tensor& x) { return instance_norm(images(x)); }},
        {"rms_norm", [](const Tensor& x) { return rms_norm(x, x.shrink({{0, 1}, {0, 6}}).reshape({6})); }},
        {"group_norm", [](const Tensor& x) { return group_norm(images(x), 2); }},
        {"mse_loss", [](const Tensor& x) { return mse_loss(x, x.flip()); }},
        {"l1_loss", [](const Tensor& x) { return l1_loss(x, x.flip()); }},
        {"huber_loss", [](const Tensor& x) { return huber_loss(x, x.flip()); }},
        {"binary_cross_entropy_with_logits", [](const Tensor& x) { return binary_cross_entropy_with_logits(x, x.flip()); }},
        {"margin_ranking_loss", [](const Tensor& x) { return margin_ranking_loss(x, x.flip(), x); }},
        {"hinge_embedding_loss", [](const Tensor& x) { return hinge_embedding_loss(x, x.flip()); }},
        {"cosine_embedding_loss", [](const Tensor& x) { return cosine_embedding_loss(x, x.flip(), rows(x)); }},
        {"triplet_margin_loss", [](const Tensor& x) { return triplet_margin_loss(x, x.flip(), x + 1); }},
        {"poisson_nll_loss", [](const Tensor& x) { return poisson_nll_loss(x, x.flip()); }},
        {"gaussian_nll_loss", [](const Tensor& x) { return gaussian_nll_loss(x, x.flip(), x); }},
        {"smooth_l1_loss", [](const Tensor& x) { return smooth_l1_loss(x, x.flip()); }},
        {"binary_cross_entropy", [](const Tensor& x) { return binary_cross_entropy(x, x.flip()); }},
        {"nll_loss", [](const Tensor& x) { return nll_loss(x, rows(x)); }},
        {"cross_entropy", [](const Tensor& x) { return cross_entropy(x, rows(x)); }},
        {"kl_div", [](const Tensor& x) { return kl_div(x, x.flip()); }}}},
      {"Layers, in evaluation",
       {{"Linear", layer([](const Tensor& x) { return nn::Linear(6, 5, {.tensor = like(x)})(x); })},
        {"Conv2d", layer([](const Tensor& x) { return nn::Conv2d(2, 3, 2, {.tensor = like(x)})(images(x)); })},
        {"ConvTranspose2d", layer([](const Tensor& x) { return nn::ConvTranspose2d(2, 3, 2, {.tensor = like(x)})(images(x)); })},
        {"BatchNorm", layer([](const Tensor& x) { return nn::BatchNorm(6, {.tensor = like(x)})(x); })},
        {"LayerNorm", layer([](const Tensor& x) { return nn::LayerNorm({6}, {.tensor = like(x)})(x); })},
        {"GroupNorm", layer([](const Tensor& x) { return nn::GroupNorm(2, 6, {.tensor = like(x)})(x); })},
        {"InstanceNorm", layer([](const Tensor& x) { return nn::InstanceNorm(2, {.affine = true, .tensor = like(x)})(images(x)); })},
        {"RMSNorm", layer([](const Tensor& x) { return nn::RMSNorm({6}, {.tensor = like(x)})(x); })},
        {"RNN", layer([](const Tensor& x) { return nn::RNN(3, 2, {.tensor = like(x)})(x.reshape({4, 2, 3})).output; })},
        {"LSTM", layer([](const Tensor& x) { return nn::LSTM(3, 2, {.tensor = like(x)})(x.reshape({4, 2, 3})).output; })},
        {"GRU", layer([](const Tensor& x) { return nn::GRU(3, 2, {.tensor = like(x)})(x.reshape({4, 2, 3})).output; })},
        {"MultiheadAttention", layer([](const Tensor& x) { return nn::MultiheadAttention(6, 2, {.tensor = like(x)})(x, x, x).output; })},
        {"TransformerEncoderLayer",
         layer([](const Tensor& x) { return nn::TransformerEncoderLayer(6, 2, {.feedforward = 8, .tensor = like(x)})(x); })},
        {"TransformerDecoderLayer",
         layer([](const Tensor& x) { return nn::TransformerDecoderLayer(6, 2, {.feedforward = 8, .tensor = like(x)})(x, x.flip()); })}}},
      {"Results whose size is read",
       {{"nonzero", [](const Tensor& x) { return nonzero(x > 1); }, -1, true},
        {"masked_select", [](const Tensor& x) { return masked_select(x, x > 1); }, -1, true},
        {"unique", [](const Tensor& x) { return unique(x).values; }, -1, true}}},
  };
}

}  // namespace tg
