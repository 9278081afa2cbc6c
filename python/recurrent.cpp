// Layers that read sequences: the classes hold the C++ ones, tg/nn/recurrent.py gives them PyTorch's shape.
//
//   in:  tg.nn.LSTM(8, 16)(x, (h, c))      out: nn::LSTM(8, 16)(x, {h, c})
#include "tg/recurrent.hpp"

#include "python/bind.hpp"

namespace tg::python {

namespace {

using Device = std::optional<std::string>;
using MaybeTensor = std::optional<Tensor>;
using Pair = std::pair<Tensor, Tensor>;

/// Tensors in the order of Cell::state.
std::vector<Tensor>::const_iterator take(nn::Cell& cell, std::vector<Tensor>::const_iterator from) {
  for (Tensor* t : {&cell.weight_ih, &cell.weight_hh, &cell.bias_ih, &cell.bias_hh})
    if (t->defined()) *t = *from++;
  return from;
}

/// A class over a cell or a layer: what its state is, how it takes another, and its sizes.
template <class L>
py::class_<L> class_of(py::module_& m, const char* name, const char* doc) {
  py::class_<L> c(m, name, doc, py::dynamic_attr());
  constexpr bool is_cell = std::is_base_of_v<nn::Cell, L>;
  const auto first = [](const L& l) -> const nn::Cell& {
    if constexpr (is_cell) return l;
    else return l.cells[0];
  };
  c.def("_own_state", [](const L& l) { return l.state(); }, "Its tensors by name.");
  c.def("_take_state", [](L& l, const std::vector<Tensor>& tensors) {
    auto from = tensors.begin();
    if constexpr (is_cell) (void)take(l, from);
    else for (nn::Cell& cell : l.cells) from = take(cell, from);
  }, "Holds these tensors from now on, in the order of its state.", py::arg("tensors"));
  const auto made = [&](const char* attribute, const auto& value) { c.def_property_readonly(attribute, value, "As it was made with."); };
  made("input_size", [=](const L& l) { return first(l).in(); });
  made("hidden_size", [=](const L& l) { return first(l).hidden(); });
  made("bias", [=](const L& l) { return first(l).bias_ih.defined(); });
  if constexpr (!is_cell) {
    made("num_layers", [](const L& l) { return l.options.layers; });
    made("batch_first", [](const L& l) { return l.options.batch_first; });
    made("dropout", [](const L& l) { return l.options.dropout; });
    made("bidirectional", [](const L& l) { return l.options.bidirectional; });
  }
  return c;
}
bool is_relu(const std::string& word) {
  if (word != "tanh" && word != "relu") throw ValueError("RNN: nonlinearity is 'tanh' or 'relu', not '" + word + "'");
  return word == "relu";
}

const auto kIn = py::arg("input_size"), kHidden = py::arg("hidden_size"), kInput = py::arg("input");

void bind_cells(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none(), bias = py::arg("bias") = true;
  const auto hx = py::arg("hx") = py::none();
  const auto forward = [](const auto& l, const Tensor& x, const MaybeTensor& h) { return l(x, h.value_or(Tensor())); };
  constexpr const char* doc = "The next state; zeros before it where none is given.";
  class_of<nn::RNNCell>(m, "_RNNCell", "tanh(W_ih input + b_ih + W_hh h + b_hh), or relu: Elman 1990.")
      .def(py::init([](int64_t in, int64_t hidden, bool b, const std::string& word, DType t, const Device& d) {
        return nn::RNNCell(in, hidden, {.relu = is_relu(word), .bias = b, .tensor = tensor_options(t, d, false)});
      }), Released(), kIn, kHidden, bias, py::arg("nonlinearity") = "tanh", py::kw_only(), dtype, device)
      .def("forward", [=](const nn::RNNCell& l, const Tensor& x, const MaybeTensor& h) { return forward(l, x, h); }, doc, Released(),
           kInput, hx);
  class_of<nn::GRUCell>(m, "_GRUCell", "A step of a GRU: Cho et al. 2014.")
      .def(py::init([](int64_t in, int64_t hidden, bool b, DType t, const Device& d) {
        return nn::GRUCell(in, hidden, {.bias = b, .tensor = tensor_options(t, d, false)});
      }), Released(), kIn, kHidden, bias, py::kw_only(), dtype, device)
      .def("forward", [=](const nn::GRUCell& l, const Tensor& x, const MaybeTensor& h) { return forward(l, x, h); }, doc, Released(),
           kInput, hx);
  class_of<nn::LSTMCell>(m, "_LSTMCell", "A step of an LSTM: Hochreiter, Schmidhuber 1997.")
      .def(py::init([](int64_t in, int64_t hidden, bool b, DType t, const Device& d) {
        return nn::LSTMCell(in, hidden, {.bias = b, .tensor = tensor_options(t, d, false)});
      }), Released(), kIn, kHidden, bias, py::kw_only(), dtype, device)
      .def("forward", [](const nn::LSTMCell& l, const Tensor& x, const std::optional<Pair>& before) {
        const nn::Memory next = l(x, before ? nn::Memory{before->first, before->second} : nn::Memory{});
        return Pair(next.h, next.c);
      }, "The next states h and c; zeros before them where none are given.", Released(), kInput, hx);
}

void bind_layers_of_sequences(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none(), hx = py::arg("hx") = py::none();
  const auto layers = py::arg("num_layers") = 1;
  const auto bias = py::arg("bias") = true, batch_first = py::arg("batch_first") = false, both_ways = py::arg("bidirectional") = false;
  const auto dropout = py::arg("dropout") = 0.0;
  const auto options = [](int64_t count, bool b, bool first, double p, bool both, DType t, const Device& d) {
    return nn::RecurrentOptions{.layers = count, .bias = b, .batch_first = first, .dropout = p, .bidirectional = both,
                                .tensor = tensor_options(t, d, false)};
  };
  const auto forward = [](const auto& l, const Tensor& x, const MaybeTensor& h) {
    const nn::Recurred r = l(x, {h.value_or(Tensor()), {}});
    return Pair(r.output, r.h);
  };
  constexpr const char* doc = "What is said at each step, and the states after the last.";
  class_of<nn::RNN>(m, "_RNN", "Layers of RNNCells over sequences (time, n, input_size).")
      .def(py::init([=](int64_t in, int64_t hidden, int64_t count, const std::string& word, bool b, bool first, double p, bool both,
                        DType t, const Device& d) {
        nn::RecurrentOptions o = options(count, b, first, p, both, t, d);
        o.relu = is_relu(word);
        return nn::RNN(in, hidden, o);
      }), Released(), kIn, kHidden, layers, py::arg("nonlinearity") = "tanh", bias, batch_first, dropout, both_ways, py::kw_only(), dtype,
           device)
      .def("forward", [=](const nn::RNN& l, const Tensor& x, const MaybeTensor& h) { return forward(l, x, h); }, doc, Released(),
           kInput, hx);
  class_of<nn::GRU>(m, "_GRU", "Layers of GRUCells over sequences (time, n, input_size).")
      .def(py::init([=](int64_t in, int64_t hidden, int64_t count, bool b, bool first, double p, bool both, DType t, const Device& d) {
        return nn::GRU(in, hidden, options(count, b, first, p, both, t, d));
      }), Released(), kIn, kHidden, layers, bias, batch_first, dropout, both_ways, py::kw_only(), dtype, device)
      .def("forward", [=](const nn::GRU& l, const Tensor& x, const MaybeTensor& h) { return forward(l, x, h); }, doc, Released(),
           kInput, hx);
  class_of<nn::LSTM>(m, "_LSTM", "Layers of LSTMCells over sequences (time, n, input_size).")
      .def(py::init([=](int64_t in, int64_t hidden, int64_t count, bool b, bool first, double p, bool both, DType t, const Device& d) {
        return nn::LSTM(in, hidden, options(count, b, first, p, both, t, d));
      }), Released(), kIn, kHidden, layers, bias, batch_first, dropout, both_ways, py::kw_only(), dtype, device)
      .def("forward", [](const nn::LSTM& l, const Tensor& x, const std::optional<Pair>& before) {
        const nn::Recurred r = l(x, before ? nn::Memory{before->first, before->second} : nn::Memory{});
        return std::pair(r.output, Pair(r.h, r.c));
      }, "What is said at each step, and the states h and c after the last.", Released(), kInput, hx);
}

}  // namespace

void bind_recurrent(py::module_& m) {
  bind_cells(m);
  bind_layers_of_sequences(m);
}

}  // namespace tg::python
