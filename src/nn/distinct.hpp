#pragma once
// A state names a tied weight, one tensor that two layers hold, twice. What moves tensors takes each once.
//
//   distinct({{"tokens", w}, {"out", w}})      {{"tokens", w}}
#include "tg/nn.hpp"

namespace tg::nn {

/// Each tensor of a state once, by its first name.
State distinct(const State& state);

}  // namespace tg::nn
