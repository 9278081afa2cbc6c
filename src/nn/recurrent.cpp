// Recurrent layers: one product for what all inputs add to the gates, then a step after another.
//
//   LSTM(8, 16)(x (5, n, 8))      z = x W_ih^T + b_ih (5, n, 64); 5 times: z[t] + h W_hh^T + b_hh, and c, h of its four parts
#include "tg/recurrent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/impl.hpp"
#include "tg/functions.hpp"

namespace tg::nn {

namespace {

int64_t parts(Gates g) { return g == Gates::Lstm ? 4 : g == Gates::Gru ? 3 : 1; }
std::string_view name_of(Gates g) { return g == Gates::Lstm ? "LSTM" : g == Gates::Gru ? "GRU" : "RNN"; }

/// The state after a step, given what the input adds to the gates. Products are stored, so that each is one kernel.
Memory stepped(const Cell& cell, const Tensor& from_x, const Memory& m) {
  const Tensor from_h = linear(m.h, cell.weight_hh, cell.bias_hh);
  if (cell.gates == Gates::Tanh) return {(from_x + from_h).tanh().contiguous(), {}};
  if (cell.gates == Gates::Relu) return {(from_x + from_h).relu().contiguous(), {}};
  if (cell.gates == Gates::Lstm) {
    const std::vector<Tensor> z = (from_x + from_h).contiguous().chunk(4, -1);
    const Tensor c = (z[1].sigmoid() * m.c + z[0].sigmoid() * z[2].tanh()).contiguous();
    return {(z[3].sigmoid() * c.tanh()).contiguous(), c};
  }
  const std::vector<Tensor> x = from_x.chunk(3, -1), h = from_h.contiguous().chunk(3, -1);
  const Tensor next = (x[2] + (x[0] + h[0]).sigmoid() * h[2]).tanh(), kept = (x[1] + h[1]).sigmoid();
  return {((1 - kept) * next + kept * m.h).contiguous(), {}};
}
/// What it was given, or zeros.
Memory begun(const Cell& cell, Memory m, const Sizes& shape, const Tensor& like, std::string_view what) {
  const auto given = [&](Tensor& t) {
    if (!t.defined()) t = Tensor::zeros(shape, {.dtype = like.dtype(), .device = like.device()});
    else if (t.shape() != shape)
      throw ShapeError(fmt::format("{}: a state of shape {}; it takes {}", what, to_string(t.shape()), to_string(shape)));
  };
  given(m.h);
  if (cell.gates == Gates::Lstm) given(m.c);
  return m;
}
void require_width(const Cell& cell, const Tensor& x, std::string_view what) {
  if (x.size(-1) != cell.in())
    throw ShapeError(fmt::format("{}: an input of shape {}; its last axis has {} elements", what, to_string(x.shape()), cell.in()));
}

}  // namespace

Cell::Cell(Gates kind, int64_t in, int64_t hidden, const CellOptions& o) : gates(kind) {
  for (const auto& [what, n] : {std::pair("in", in), std::pair("hidden", hidden)})
    if (n < 1) throw ValueError(fmt::format("{}: {} is {}; it takes 1 or more", name_of(kind), what, n));
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  TensorOptions trained = o.tensor;
  trained.requires_grad = true;
  const auto drawn = [&](const Sizes& shape) { return Tensor::uniform(shape, {.low = -bound, .high = bound, .tensor = trained}); };
  const int64_t rows = parts(kind) * hidden;
  weight_ih = drawn({rows, in});
  weight_hh = drawn({rows, hidden});
  if (o.bias) bias_ih = drawn({rows}), bias_hh = drawn({rows});
}
Memory Cell::step(const Tensor& x, const Memory& before) const {
  const std::string what = fmt::format("{}Cell", name_of(gates));
  if (x.rank() != 1 && x.rank() != 2)
    throw ShapeError(fmt::format("{}: an input of shape {}; it takes (n, {}) or ({})", what, to_string(x.shape()), in(), in()));
  require_width(*this, x, what);
  Sizes shape = x.shape();
  shape.back() = hidden();
  return stepped(*this, linear(x, weight_ih, bias_ih), begun(*this, before, shape, x, what));
}
State Cell::state() const {
  State s{{"weight_ih", weight_ih}, {"weight_hh", weight_hh}};
  if (bias_ih.defined()) s.insert(s.end(), {{"bias_ih", bias_ih}, {"bias_hh", bias_hh}});
  return s;
}

Recurrent::Recurrent(Gates kind, int64_t in, int64_t hidden, const RecurrentOptions& o) : options(o) {
  if (o.layers < 1) throw ValueError(fmt::format("{}: {} layers; it takes 1 or more", name_of(kind), o.layers));
  if (!(o.dropout >= 0 && o.dropout < 1))
    throw ValueError(fmt::format("{}: dropout is {}; it takes 0 or more and less than 1", name_of(kind), o.dropout));
  for (int64_t layer = 0; layer < o.layers; ++layer)
    for (int direction = 0; direction <= o.bidirectional; ++direction)
      cells.emplace_back(kind, layer == 0 ? in : hidden * (1 + o.bidirectional), hidden, CellOptions{.bias = o.bias, .tensor = o.tensor});
}
Recurred Recurrent::operator()(const Tensor& input, const Memory& before) const {
  const Cell& first = cells[0];
  const std::string_view what = name_of(first.gates);
  const bool batched = input.rank() == 3;
  if (!batched && input.rank() != 2)
    throw ShapeError(fmt::format("{}: an input of shape {}; it takes {}, or without n", what, to_string(input.shape()),
                                 options.batch_first ? "(n, time, in)" : "(time, n, in)"));
  require_width(first, input, what);
  Tensor x = !batched ? input.unsqueeze(1) : options.batch_first ? input.transpose(0, 1) : input;
  const int64_t time = x.size(0), count = static_cast<int64_t>(cells.size());
  if (time == 0) throw ShapeError(fmt::format("{}: an input of shape {}; it takes one step or more", what, to_string(input.shape())));
  const Sizes states = batched ? Sizes{count, x.size(1), first.hidden()} : Sizes{count, first.hidden()};
  const Memory start = begun(first, before, states, x, what);
  std::vector<Tensor> last_h, last_c;
  const size_t directions = options.bidirectional ? 2 : 1;
  for (size_t layer = 0; layer < cells.size() / directions; ++layer) {
    std::vector<Tensor> said;
    if (layer > 0) x = x.dropout(options.dropout, training());
    for (size_t direction = 0; direction < directions; ++direction) {
      const size_t number = layer * directions + direction;
      const Cell& cell = cells[number];
      const auto state = [&](const Tensor& all) { return all.at(static_cast<int64_t>(number)).reshape({x.size(1), first.hidden()}); };
      Memory m{state(start.h), start.c.defined() ? state(start.c) : Tensor()};
      const Tensor from_x = linear(x, cell.weight_ih, cell.bias_ih).contiguous();
      std::vector<Tensor> steps(static_cast<size_t>(time));
      for (int64_t i = 0; i < time; ++i) {
        const int64_t t = direction == 0 ? i : time - 1 - i;
        m = stepped(cell, from_x.at(t), m);
        steps[static_cast<size_t>(t)] = m.h;
      }
      said.push_back(Tensor::stack(steps));
      last_h.push_back(m.h);
      if (m.c.defined()) last_c.push_back(m.c);
    }
    x = Tensor::cat(said, -1);
  }
  const auto joined = [&](const std::vector<Tensor>& all) { return all.empty() ? Tensor() : Tensor::stack(all).reshape(states); };
  const Tensor output = !batched ? x.squeeze(1) : options.batch_first ? x.transpose(0, 1) : x;
  return {output, joined(last_h), joined(last_c)};
}
State Recurrent::state() const {
  State out;
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t layer = options.bidirectional ? i / 2 : i;
    for (const auto& [name, t] : cells[i].state())
      out.emplace_back(fmt::format("{}_l{}{}", name, layer, options.bidirectional && i % 2 == 1 ? "_reverse" : ""), t);
  }
  return out;
}

}  // namespace tg::nn
