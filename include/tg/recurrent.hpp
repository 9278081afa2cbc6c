#pragma once
// Layers that read a sequence step by step, keeping a state: RNN, LSTM, GRU, and their cells, which do one step.
//
//   tg::nn::LSTM lstm(8, 16, {.layers = 2});
//   auto [y, h, c] = lstm(x);                  x (time, n, 8) to y (time, n, 16); h and c (2, n, 16), after the last step
//
// What the input adds to the gates is one product for all steps; then each step is one to three launches, of the same kernels as the next
// step's. Weights are PyTorch's, in its order of gates, and start uniform in +-1/sqrt(hidden).
#include "tg/nn.hpp"

namespace tg::nn {

/// What a cell computes of its gates z = W_ih x + b_ih + W_hh h + b_hh, each of `hidden` numbers.
enum class Gates : uint8_t {
  Tanh,  // h = tanh(z): Elman 1990
  Relu,  // h = relu(z)
  Lstm,  // i, f, g, o: c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c): Hochreiter, Schmidhuber 1997, Gers et al. 2000
  Gru,   // r, u, n: with n = tanh(x's part + sigmoid(r) h's part), h = (1 - sigmoid(u)) n + sigmoid(u) h: Cho et al. 2014
};

/// What a step leaves; c of an LSTM alone.
struct Memory {
  Tensor h, c;
};

struct CellOptions {  // of the cells
  detail::ByName by_name_only = detail::by_name;
  bool relu = false;          // RNNCell: instead of tanh
  bool bias = true;           // with biases, or without
  TensorOptions tensor = {};  // dtype and device
};
/// What the cells have in common: x (n, in) or (in) and a state (n, hidden) or (hidden), zeros where it is not given, to the next state.
/// weight_ih (gates hidden, in), weight_hh (gates hidden, hidden), bias_ih and bias_hh (gates hidden).
struct Cell {
  Gates gates;
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  Cell(Gates kind, int64_t in, int64_t hidden, const CellOptions& options);
  [[nodiscard]] int64_t in() const { return weight_ih.size(1); }       // how many numbers it reads
  [[nodiscard]] int64_t hidden() const { return weight_hh.size(1); }   // how many it keeps
  [[nodiscard]] Memory step(const Tensor& x, const Memory& before) const;
  [[nodiscard]] State state() const;
};
struct RNNCell : Cell {
  RNNCell(int64_t in, int64_t hidden, const CellOptions& o = {}) : Cell(o.relu ? Gates::Relu : Gates::Tanh, in, hidden, o) {}
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& h = {}) const { return step(x, {h, {}}).h; }
};
struct GRUCell : Cell {
  GRUCell(int64_t in, int64_t hidden, const CellOptions& o = {}) : Cell(Gates::Gru, in, hidden, o) {}
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& h = {}) const { return step(x, {h, {}}).h; }
};
struct LSTMCell : Cell {
  LSTMCell(int64_t in, int64_t hidden, const CellOptions& o = {}) : Cell(Gates::Lstm, in, hidden, o) {}
  [[nodiscard]] Memory operator()(const Tensor& x, const Memory& before = {}) const { return step(x, before); }
};

struct RecurrentOptions {  // of RNN, LSTM, GRU
  detail::ByName by_name_only = detail::by_name;
  int64_t layers = 1;          // one reading what the last one says
  bool relu = false;           // RNN: instead of tanh
  bool bias = true;            // with biases, or without
  bool batch_first = false;    // sequences are (n, time, ...)
  double dropout = 0;          // of what a layer says to the next, in training
  bool bidirectional = false;  // a second cell a layer reads backward; what both say is joined
  TensorOptions tensor = {};   // dtype and device
};
/// What is said at each step, and the states after the last, a layer and direction each along axis 0.
struct Recurred {
  Tensor output, h, c;
};
/// What they have in common. Sequences (time, n, in), or (time, in) without a batch; states (layers directions, n, hidden). ShapeError.
struct Recurrent {
  std::vector<Cell> cells;  // of layer 0 forward, backward, of layer 1, ...
  RecurrentOptions options;
  Recurrent(Gates kind, int64_t in, int64_t hidden, const RecurrentOptions& options);
  [[nodiscard]] Recurred operator()(const Tensor& x, const Memory& before = {}) const;
  /// weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ...
  [[nodiscard]] State state() const;
};
struct RNN : Recurrent {
  RNN(int64_t in, int64_t hidden, const RecurrentOptions& o = {}) : Recurrent(o.relu ? Gates::Relu : Gates::Tanh, in, hidden, o) {}
};
struct LSTM : Recurrent {
  LSTM(int64_t in, int64_t hidden, const RecurrentOptions& o = {}) : Recurrent(Gates::Lstm, in, hidden, o) {}
};
struct GRU : Recurrent {
  GRU(int64_t in, int64_t hidden, const RecurrentOptions& o = {}) : Recurrent(Gates::Gru, in, hidden, o) {}
};

}  // namespace tg::nn
