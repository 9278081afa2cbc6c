#pragma once
// Normalisation besides Tensor's layer_norm and batch_norm: (x - mean) / sqrt(var + eps) * weight + bias, var the population's. Weight and
// bias may be Tensor(): 1 and 0.
//
//   group_norm(x, 8, weight, bias);  rms_norm(x, weight, {.eps = 1e-6})
#include "tg/tensor.hpp"

namespace tg {

/// Over the axes behind the first two and the channels of each group: x (n, channels, ...), weight and bias (channels). Wu, He 2018.
[[nodiscard]] Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight = {}, const Tensor& bias = {},
                                const NormOptions& options = {});
/// Over the axes behind the first two: x (n, channels, sizes...). Ulyanov, Vedaldi, Lempitsky 2016.
[[nodiscard]] Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, const NormOptions& options = {});
/// Over the last weight.rank() axes, without a mean: x / sqrt(mean(x^2) + eps) * weight. Zhang, Sennrich 2019.
[[nodiscard]] Tensor rms_norm(const Tensor& x, const Tensor& weight, const NormOptions& options = {});

}  // namespace tg
