// Layers, optimizers and files. The classes here hold the C++ ones; tg/nn and tg/optim.py give them PyTorch's shape.
//
//   in:  tg.nn.Linear(784, 10)(x)      out: nn::Linear's operator(), with the weights that it made
#include "tg/nn.hpp"

#include <sstream>

#include "io/mnist.hpp"
#include "python/bind.hpp"
#include "tg/lr.hpp"
#include "tg/mapped.hpp"
#include "tg/transformer.hpp"

namespace tg::python {

namespace {

using Device = std::optional<std::string>;

/// Gives a layer other tensors in place of those that state() tells, in its order.
struct Taking {
  std::vector<Tensor>::const_iterator from;

  template <class Layer, class... Members>
  void each(Layer& l, Members... members) { ((*this)(l.*members), ...); }

  void operator()(Tensor& member) {
    if (member.defined()) member = *from++;
  }
  void operator()(nn::Linear& l) { each(l, &nn::Linear::weight, &nn::Linear::bias); }
  void operator()(nn::LayerNorm& l) { each(l, &nn::LayerNorm::weight, &nn::LayerNorm::bias); }
  void operator()(nn::MultiheadAttention& l) {
    using M = nn::MultiheadAttention;
    each(l, &M::in_proj_weight, &M::in_proj_bias, &M::out_proj);
  }
  void operator()(nn::TransformerEncoderLayer& l) {
    using T = nn::TransformerEncoderLayer;
    each(l, &T::self_attn, &T::linear1, &T::linear2, &T::norm1, &T::norm2);
  }
  void operator()(nn::TransformerDecoderLayer& l) {
    using T = nn::TransformerDecoderLayer;
    each(l, &T::self_attn, &T::multihead_attn, &T::linear1, &T::linear2, &T::norm1, &T::norm2, &T::norm3);
  }
};
/// Binds _take_state of a layer, by how it is taken.
template <class Layer, class Take>
void bind_taking(py::class_<Layer>& c, const Take& take) {
  c.def("_take_state", [take](Layer& l, const std::vector<Tensor>& tensors) {
    Taking taking{tensors.begin()};
    take(taking, l);
  }, "Holds these tensors from now on, in the order of its state.", py::arg("tensors"));
}
constexpr auto by_members = [](Taking& taking, auto& l) { taking(l); };

/// A layer with its call, its state and the tensors that are its members.
template <class Layer, class... Tensors>
py::class_<Layer> layer(py::module_& m, const char* name, const char* doc, const Tensors&... tensors) {
  py::class_<Layer> c(m, name, doc, py::dynamic_attr());
  c.def("forward", [](const Layer& l, const Tensor& x) { return l(x); }, "The layer's output.", Released(), py::arg("input"));
  if constexpr (requires(const Layer& l) { l.state(); })
    c.def("_own_state", [](const Layer& l) { return l.state(); }, "Its tensors by name.");
  [[maybe_unused]] const auto member = [&](const auto& named) {
    c.def_property(named.first, [t = named.second](const Layer& l) { return Member{l.*t}; },
                   [t = named.second](Layer& l, const Tensor& v) { l.*t = v; });
  };
  (member(tensors), ...);
  bind_taking(c, [=](Taking& taking, Layer& l) { taking.each(l, tensors.second...); });
  return c;
}

/// What a layer was made with, as PyTorch calls it: told by its tensors and options.
template <class Layer, class Value>
void attribute(py::class_<Layer>& c, const char* name, const Value& value) {
  c.def_property_readonly(name, value, "As it was made with.");
}
/// A number an axis of the window.
IntegerTuple each(const PerAxis& p, const Tensor& weight) {
  const auto axes = static_cast<size_t>(weight.rank() - 2);
  return {p.list().size() == 1 ? Sizes(axes, p.list()[0]) : p.list()};
}
/// The attributes that both kinds of convolutions have.
template <class C>
void convolution_attributes(py::class_<C>& c) {
  attribute(c, "kernel_size", [](const C& l) { const Sizes s = l.weight.shape(); return IntegerTuple{Sizes(s.begin() + 2, s.end())}; });
  attribute(c, "stride", [](const C& l) { return each(l.options.stride, l.weight); });
  attribute(c, "dilation", [](const C& l) { return each(l.options.dilation, l.weight); });
  attribute(c, "groups", [](const C& l) { return l.options.groups; });
  attribute(c, "padding", [](const C& l) -> std::variant<IntegerTuple, std::string> {
    if (l.options.padding.is_same()) return "same";
    return each(PerAxis(l.options.padding.before()), l.weight);
  });
}

TensorOptions on(DType t, const Device& d) { return tensor_options(t, d, false); }

using MaybeTensor = std::optional<Tensor>;
nn::AttentionMasks masks_of(const MaybeTensor& mask, const MaybeTensor& key_padding, bool causal) {
  return {.mask = mask.value_or(Tensor()), .key_padding = key_padding.value_or(Tensor()), .causal = causal};
}
void bind_transformers(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none();
  using nn::MultiheadAttention;
  py::class_<MultiheadAttention> attention(m, "_MultiheadAttention",
                                           "Queries, keys and values, projected, cut into heads, attended to, joined.",
                                           py::dynamic_attr());
  bind_taking(attention, by_members);
  attention.def(py::init([](int64_t width, int64_t heads, double dropout, bool bias, bool batch_first, DType t, const Device& d) {
        return MultiheadAttention(width, heads, {.dropout = dropout, .bias = bias, .batch_first = batch_first,
                                                 .tensor = on(t, d)});
      }), Released(), py::arg("embed_dim"), py::arg("num_heads"), py::arg("dropout") = 0.0, py::arg("bias") = true, py::kw_only(),
           py::arg("batch_first") = false, dtype, device)
      .def("forward", [](const MultiheadAttention& l, const Tensor& q, const Tensor& k, const Tensor& v, const MaybeTensor& key_padding,
                         bool need_weights, const MaybeTensor& mask, bool causal) {
        const nn::Attended a = l(q, k, v, masks_of(mask, key_padding, causal));
        return std::pair(a.output, need_weights ? MaybeTensor(a.weights) : std::nullopt);
      }, "The output, and the mean of the heads' weights, which costs nothing unless it is asked for. Masks are true where not to look.",
           Released(), py::arg("query"), py::arg("key"), py::arg("value"), py::arg("key_padding_mask") = py::none(),
           py::arg("need_weights") = true, py::arg("attn_mask") = py::none(), py::arg("is_causal") = false)
      .def("_own_state", &MultiheadAttention::state, "Its tensors by name.");
  attribute(attention, "embed_dim", [](const MultiheadAttention& l) { return l.in_proj_weight.size(1); });
  attribute(attention, "num_heads", [](const MultiheadAttention& l) { return l.heads; });
  attribute(attention, "head_dim", [](const MultiheadAttention& l) { return l.in_proj_weight.size(1) / l.heads; });
  attribute(attention, "dropout", [](const MultiheadAttention& l) { return l.dropout; });
  attribute(attention, "batch_first", [](const MultiheadAttention& l) { return l.batch_first; });
  attribute(attention, "in_proj_weight", [](const MultiheadAttention& l) { return Member{l.in_proj_weight}; });
  attribute(attention, "in_proj_bias", [](const MultiheadAttention& l) { return Member{l.in_proj_bias}; });
  const auto block = [&]<class Block>(const char* name, const char* doc) {
    py::class_<Block> c(m, name, doc, py::dynamic_attr());
    bind_taking(c, by_members);
    return c.def(py::init([](int64_t width, int64_t heads, int64_t feedforward, double dropout, const std::string& activation, double eps,
                         bool batch_first, bool norm_first, bool bias, DType t, const Device& d) {
          if (activation != "relu" && activation != "gelu")
            throw ValueError("transformer: activation is 'relu' or 'gelu', not '" + activation + "'");
          return Block(width, heads, {.feedforward = feedforward, .dropout = dropout,
                                      .activation = activation == "gelu" ? nn::Activation::Gelu : nn::Activation::Relu, .eps = eps,
                                      .batch_first = batch_first, .norm_first = norm_first, .bias = bias,
                                      .tensor = on(t, d)});
        }), Released(), py::arg("d_model"), py::arg("nhead"), py::arg("dim_feedforward") = 2048, py::arg("dropout") = 0.1,
             py::arg("activation") = "relu", py::arg("layer_norm_eps") = 1e-5, py::arg("batch_first") = false,
             py::arg("norm_first") = false, py::arg("bias") = true, py::kw_only(), dtype, device)
        .def("_own_state", &Block::state, "Its tensors by name.");
  };
  block.operator()<nn::TransformerEncoderLayer>("_TransformerEncoderLayer", "Attention to itself, then two linear layers.")
      .def("forward", [](const nn::TransformerEncoderLayer& l, const Tensor& x, const MaybeTensor& mask, const MaybeTensor& key_padding,
                         bool causal) { return l(x, masks_of(mask, key_padding, causal)); }, "Masks are true where not to look.",
           Released(), py::arg("src"), py::arg("src_mask") = py::none(), py::arg("src_key_padding_mask") = py::none(),
           py::arg("is_causal") = false);
  block.operator()<nn::TransformerDecoderLayer>("_TransformerDecoderLayer", "Attention to itself and to a memory, then two linear layers.")
      .def("forward", [](const nn::TransformerDecoderLayer& l, const Tensor& x, const Tensor& memory, const MaybeTensor& mask,
                         const MaybeTensor& memory_mask, const MaybeTensor& key_padding, const MaybeTensor& memory_key_padding,
                         bool causal) {
        return l(x, memory, masks_of(mask, key_padding, causal), masks_of(memory_mask, memory_key_padding, false));
      }, "Masks are true where not to look.", Released(), py::arg("tgt"), py::arg("memory"), py::arg("tgt_mask") = py::none(),
           py::arg("memory_mask") = py::none(), py::arg("tgt_key_padding_mask") = py::none(),
           py::arg("memory_key_padding_mask") = py::none(), py::arg("tgt_is_causal") = false);
}

void bind_convolutions(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none();
  const auto convolution = [&]<class C>(const char* name, const char* doc) {
    auto c = layer<C>(m, name, doc, std::pair("weight", &C::weight), std::pair("bias", &C::bias));
    attribute(c, "in_channels", [](const C& l) { return l.weight.size(1) * l.options.groups; });
    attribute(c, "out_channels", [](const C& l) { return l.weight.size(0); });
    convolution_attributes(c);
    c.def(py::init([](int64_t in, int64_t out, const PerAxis& size, const PerAxis& stride, const Padding& padding,
                          const PerAxis& dilation, int64_t groups, bool bias, DType t, const Device& d) {
          return C(in, out, size, {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups, .bias = bias,
                                   .tensor = on(t, d)});
        }), Released(), py::arg("in_channels"), py::arg("out_channels"), py::arg("kernel_size"), py::arg("stride") = PerAxis(1),
            py::arg("padding") = Padding(0), py::arg("dilation") = PerAxis(1), py::arg("groups") = 1, py::arg("bias") = true,
            py::kw_only(), dtype, device);
  };
  convolution.operator()<nn::Conv1d>("_Conv1d", "tg.conv1d with a weight (out, in / groups, length) and a bias (out).");
  convolution.operator()<nn::Conv2d>("_Conv2d", "tg.conv2d with a weight (out, in / groups, height, width) and a bias (out).");
  convolution.operator()<nn::Conv3d>("_Conv3d", "tg.conv3d with a weight (out, in / groups, depth, height, width) and a bias (out).");
  const auto transposed = [&]<class C>(const char* name, const char* doc) {
    auto c = layer<C>(m, name, doc, std::pair("weight", &C::weight), std::pair("bias", &C::bias));
    attribute(c, "in_channels", [](const C& l) { return l.weight.size(0); });
    attribute(c, "out_channels", [](const C& l) { return l.weight.size(1) * l.options.groups; });
    attribute(c, "output_padding", [](const C& l) { return each(l.options.output_padding, l.weight); });
    convolution_attributes(c);
    c.def(py::init([](int64_t in, int64_t out, const PerAxis& size, const PerAxis& stride, const Padding& padding,
                          const PerAxis& output_padding, int64_t groups, bool bias, const PerAxis& dilation, DType t, const Device& d) {
          return C(in, out, size, {.stride = stride, .padding = padding, .output_padding = output_padding, .dilation = dilation,
                                   .groups = groups, .bias = bias, .tensor = on(t, d)});
        }), Released(), py::arg("in_channels"), py::arg("out_channels"), py::arg("kernel_size"), py::arg("stride") = PerAxis(1),
            py::arg("padding") = Padding(0), py::arg("output_padding") = PerAxis(0), py::arg("groups") = 1, py::arg("bias") = true,
            py::arg("dilation") = PerAxis(1), py::kw_only(), dtype, device);
  };
  transposed.operator()<nn::ConvTranspose1d>("_ConvTranspose1d", "tg.conv_transpose1d with a weight (in, out / groups, length).");
  transposed.operator()<nn::ConvTranspose2d>("_ConvTranspose2d", "tg.conv_transpose2d with a weight (in, out / groups, height, width).");
  transposed.operator()<nn::ConvTranspose3d>("_ConvTranspose3d",
                                             "tg.conv_transpose3d with a weight (in, out / groups, depth, height, width).");
}

void bind_norms(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none();
  auto batch_norm =
      layer<nn::BatchNorm>(m, "_BatchNorm", "Over axis 1: by the batch's mean and variance in training, by the running ones in evaluation.",
                       std::pair("weight", &nn::BatchNorm::weight), std::pair("bias", &nn::BatchNorm::bias),
                       std::pair("running_mean", &nn::BatchNorm::running_mean), std::pair("running_var", &nn::BatchNorm::running_var));
  attribute(batch_norm, "num_features", [](const nn::BatchNorm& l) { return l.weight.size(0); });
  attribute(batch_norm, "eps", [](const nn::BatchNorm& l) { return l.eps; });
  attribute(batch_norm, "momentum", [](const nn::BatchNorm& l) { return l.momentum; });
  batch_norm.def(py::init([](int64_t channels, double eps, double momentum, DType t, const Device& d) {
        return nn::BatchNorm(channels, {.eps = eps, .momentum = momentum, .tensor = on(t, d)});
      }), Released(), py::arg("num_features"), py::arg("eps") = 1e-5, py::arg("momentum") = 0.1, py::kw_only(), dtype, device);

  auto layer_norm =
      layer<nn::LayerNorm>(m, "_LayerNorm", "Over the last axes, of the given sizes: (x - mean) / sqrt(var + eps) * weight + bias.",
                       std::pair("weight", &nn::LayerNorm::weight), std::pair("bias", &nn::LayerNorm::bias));
  attribute(layer_norm, "normalized_shape", [](const nn::LayerNorm& l) { return IntegerTuple{l.shape}; });
  attribute(layer_norm, "eps", [](const nn::LayerNorm& l) { return l.eps; });
  attribute(layer_norm, "elementwise_affine", [](const nn::LayerNorm& l) { return l.weight.defined(); });
  layer_norm.def(py::init([](const Shape& shape, double eps, bool affine, bool bias, DType t, const Device& d) {
        return nn::LayerNorm(shape.sizes, {.eps = eps, .affine = affine, .bias = bias, .tensor = on(t, d)});
      }), Released(), py::arg("normalized_shape"), py::arg("eps") = 1e-5, py::arg("elementwise_affine") = true, py::arg("bias") = true,
         py::kw_only(), dtype, device);

  auto group_norm = layer<nn::GroupNorm>(m, "_GroupNorm", "tg.group_norm, with a weight and a bias a channel.",
                       std::pair("weight", &nn::GroupNorm::weight), std::pair("bias", &nn::GroupNorm::bias));
  attribute(group_norm, "num_groups", [](const nn::GroupNorm& l) { return l.groups; });
  attribute(group_norm, "num_channels", [](const nn::GroupNorm& l) { return l.channels; });
  attribute(group_norm, "eps", [](const nn::GroupNorm& l) { return l.eps; });
  attribute(group_norm, "affine", [](const nn::GroupNorm& l) { return l.weight.defined(); });
  group_norm.def(py::init([](int64_t groups, int64_t channels, double eps, bool affine, DType t, const Device& d) {
        return nn::GroupNorm(groups, channels, {.eps = eps, .affine = affine, .tensor = on(t, d)});
      }), Released(), py::arg("num_groups"), py::arg("num_channels"), py::arg("eps") = 1e-5, py::arg("affine") = true, py::kw_only(),
          dtype, device);
  auto instance_norm =
      layer<nn::InstanceNorm>(m, "_InstanceNorm", "tg.instance_norm, with a weight and a bias a channel where affine says so.",
                          std::pair("weight", &nn::InstanceNorm::weight), std::pair("bias", &nn::InstanceNorm::bias));
  attribute(instance_norm, "num_features", [](const nn::InstanceNorm& l) { return l.channels; });
  attribute(instance_norm, "eps", [](const nn::InstanceNorm& l) { return l.eps; });
  attribute(instance_norm, "affine", [](const nn::InstanceNorm& l) { return l.weight.defined(); });
  instance_norm.def(py::init([](int64_t channels, double eps, bool affine, DType t, const Device& d) {
        return nn::InstanceNorm(channels, {.eps = eps, .affine = affine, .tensor = on(t, d)});
      }), Released(), py::arg("num_features"), py::arg("eps") = 1e-5, py::kw_only(), py::arg("affine") = false, dtype, device);
  auto rms_norm =
      layer<nn::RMSNorm>(m, "_RMSNorm", "tg.rms_norm over the last axes, of the given sizes.", std::pair("weight", &nn::RMSNorm::weight));
  attribute(rms_norm, "normalized_shape", [](const nn::RMSNorm& l) { return IntegerTuple{l.weight.shape()}; });
  attribute(rms_norm, "eps", [](const nn::RMSNorm& l) { return l.eps; });
  rms_norm.def(py::init([](const Shape& shape, double eps, DType t, const Device& d) {
        return nn::RMSNorm(shape.sizes, {.eps = eps, .tensor = on(t, d)});
      }), Released(), py::arg("normalized_shape"), py::arg("eps") = 1e-5, py::kw_only(), dtype, device);
}

void bind_layers(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none();
  auto linear = layer<nn::Linear>(m, "_Linear",
                                  "input W^T + b, of (..., in_features); weights start uniform in +-1/sqrt(in_features).",
                                  std::pair("weight", &nn::Linear::weight), std::pair("bias", &nn::Linear::bias));
  attribute(linear, "in_features", [](const nn::Linear& l) { return l.weight.size(1); });
  attribute(linear, "out_features", [](const nn::Linear& l) { return l.weight.size(0); });
  linear.def(py::init([](int64_t in, int64_t out, bool bias, DType t, const Device& d) {
        return nn::Linear(in, out, {.bias = bias, .tensor = on(t, d)});
      }), Released(), py::arg("in_features"), py::arg("out_features"), py::arg("bias") = true, py::kw_only(), dtype, device);

  auto embedding = layer<nn::Embedding>(m, "_Embedding", "tg.embedding with a table (num_embeddings, embedding_dim).",
                       std::pair("weight", &nn::Embedding::weight));
  attribute(embedding, "num_embeddings", [](const nn::Embedding& l) { return l.weight.size(0); });
  attribute(embedding, "embedding_dim", [](const nn::Embedding& l) { return l.weight.size(1); });
  attribute(embedding, "padding_idx", [](const nn::Embedding& l) {
    return l.padding_idx == nn::kNoPadding ? std::nullopt : std::optional(l.padding_idx);
  });
  embedding.def(py::init([](int64_t count, int64_t width, std::optional<int64_t> padding_idx, DType t, const Device& d) {
        return nn::Embedding(count, width, {.padding_idx = padding_idx.value_or(nn::kNoPadding), .tensor = on(t, d)});
      }), Released(), py::arg("num_embeddings"), py::arg("embedding_dim"), py::arg("padding_idx") = py::none(), py::kw_only(), dtype,
          device);

  layer<nn::Dropout>(m, "_Dropout", "tg.dropout in training, nothing in evaluation.")
      .def(py::init<double>(), py::arg("p") = 0.5)
      .def_readonly("p", &nn::Dropout::p);

  bind_convolutions(m);
  bind_norms(m);
  bind_transformers(m);
  // Called from C++, forward is right below its caller in a traceback.
  m.attr("_call_module") = py::cpp_function([](const py::object& module, const py::args& inputs, const py::kwargs& keywords) {
    std::optional<nn::Evaluation> evaluation;
    if (!module.attr("training").cast<bool>()) evaluation.emplace();
    return py::object(module.attr("forward")(*inputs, **keywords));
  }, "forward(...), evaluating where the module does not train.", py::name("__call__"), py::is_method(m));
}

void bind_files(py::module_& m) {
  m.def("_save", py::overload_cast<const std::string&, const nn::State&, const nn::Metadata&>(&nn::save),
        "Writes tensors as safetensors, atomically.", Released(), py::arg("path"), py::arg("state"),
        py::arg("metadata") = nn::Metadata());
  m.def("_save_bytes", [](const nn::State& state, const nn::Metadata& metadata) {
    const std::string bytes = released([&] {
      std::ostringstream out;
      nn::save(out, state, metadata);
      return std::move(out).str();
    });
    return py::bytes(bytes);
  }, "The tensors as safetensors.", py::arg("state"), py::arg("metadata"));
  m.def("_load_bytes", [](const py::bytes& bytes) {
    std::istringstream in{std::string(bytes)};
    TensorFile file = load_tensors(in);
    return std::pair(std::move(file.tensors), std::move(file.metadata));
  }, "The tensors in a safetensors file's bytes, and its metadata.", py::arg("bytes"));
  m.def("_load_into", [](const std::string& path, const nn::State& state) { return nn::load(path, state); },
        "Gives the tensors the values they have in the file.", Released(), py::arg("path"), py::arg("state"));
  m.def("_load", [](const std::string& path) {
    TensorFile file = load_tensors(path);
    return std::pair(std::move(file.tensors), std::move(file.metadata));
  }, "The tensors of a safetensors file, and its metadata.", Released(), py::arg("path"));
  m.def("_from_file", [](const std::string& path, DType dtype, const Shape& shape, int64_t offset) {
    return from_file(path, dtype, shape.sizes, offset);
  }, "Elements in a file.", Released(), py::arg("path"), py::arg("dtype"), py::arg("shape"), py::arg("offset"));
  m.def("_load_npy", &load_npy, "The array of an .npy file.", Released(), py::arg("path"));
  m.def("_mnist", [](const std::string& folder) {
    const io::Mnist mnist = io::load_mnist(io::find_mnist(folder));
    const auto tensor = [](const io::Array& a) {
          return Tensor::from_memory(a.data.data(), static_cast<int64_t>(a.data.size()), a.dtype, a.shape);
        };
    const auto part = [&](const io::MnistPart& p) { return std::pair(tensor(p.images), tensor(p.labels)); };
    return std::pair(part(mnist.train), part(mnist.test));
  }, "The MNIST digits.", Released(), py::arg("folder") = "");
}

}  // namespace

void bind_nn(py::module_& m) {
  bind_layers(m);
  bind_optimizers(m);
  bind_files(m);
}

}  // namespace tg::python
