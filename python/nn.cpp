// Layers, optimizers and files. The classes here hold the C++ ones; tg/nn and tg/optim.py give them PyTorch's shape.
//
//   in:  tg.nn.Linear(784, 10)(x)      out: nn::Linear's operator(), with the weights that it made
#include "tg/nn.hpp"

#include "io/mnist.hpp"
#include "io/safetensors.hpp"
#include "python/bind.hpp"
#include "tg/optim.hpp"

namespace tg::python {

namespace {

using Device = std::optional<std::string>;

/// A layer with its call, its state and the tensors that are its members.
template <class Layer, class... Tensors>
py::class_<Layer> layer(py::module_& m, const char* name, const char* doc, const Tensors&... tensors) {
  py::class_<Layer> c(m, name, doc, py::dynamic_attr());
  c.def("forward", [](const Layer& l, const Tensor& x) { return l(x); }, "The layer's output.", Released(), py::arg("input"));
  if constexpr (requires(const Layer& l) { l.state(); })
    c.def("_own_state", [](const Layer& l) { return l.state(); }, "Its tensors by name.");
  [[maybe_unused]] const auto member = [&](const auto& named) {
    c.def_property(named.first, [t = named.second](const Layer& l) { return (l.*t).defined() ? std::optional(l.*t) : std::nullopt; },
                   [t = named.second](Layer& l, const Tensor& v) { l.*t = v; });
  };
  (member(tensors), ...);
  return c;
}

void bind_layers(py::module_& m) {
  const auto dtype = py::arg("dtype") = py::none(), device = py::arg("device") = py::none();
  const auto on = [](DType t, const Device& d) { return tensor_options(t, d, false); };

  layer<nn::Linear>(m, "_Linear", "input W^T + b, of (..., in_features); weights start uniform in +-1/sqrt(in_features).",
                    std::pair("weight", &nn::Linear::weight), std::pair("bias", &nn::Linear::bias))
      .def(py::init([=](int64_t in, int64_t out, bool bias, DType t, const Device& d) {
        return nn::Linear(in, out, {.bias = bias, .tensor = on(t, d)});
      }), Released(), py::arg("in_features"), py::arg("out_features"), py::arg("bias") = true, py::kw_only(), dtype, device);

  const auto convolution = [&]<class C>(const char* name, const char* doc) {
    layer<C>(m, name, doc, std::pair("weight", &C::weight), std::pair("bias", &C::bias))
        .def(py::init([=](int64_t in, int64_t out, const PerAxis& size, const PerAxis& stride, const Padding& padding,
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
    layer<C>(m, name, doc, std::pair("weight", &C::weight), std::pair("bias", &C::bias))
        .def(py::init([=](int64_t in, int64_t out, const PerAxis& size, const PerAxis& stride, const Padding& padding,
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

  layer<nn::BatchNorm>(m, "_BatchNorm", "Over axis 1: by the batch's mean and variance in training, by the running ones in evaluation.",
                       std::pair("weight", &nn::BatchNorm::weight), std::pair("bias", &nn::BatchNorm::bias),
                       std::pair("running_mean", &nn::BatchNorm::running_mean), std::pair("running_var", &nn::BatchNorm::running_var))
      .def(py::init([=](int64_t channels, double eps, double momentum, DType t, const Device& d) {
        return nn::BatchNorm(channels, {.eps = eps, .momentum = momentum, .tensor = on(t, d)});
      }), Released(), py::arg("num_features"), py::arg("eps") = 1e-5, py::arg("momentum") = 0.1, py::kw_only(), dtype, device);

  layer<nn::LayerNorm>(m, "_LayerNorm", "Over the last axes, of the given sizes: (x - mean) / sqrt(var + eps) * weight + bias.",
                       std::pair("weight", &nn::LayerNorm::weight), std::pair("bias", &nn::LayerNorm::bias))
      .def(py::init([=](const Shape& shape, double eps, bool bias, DType t, const Device& d) {
        return nn::LayerNorm(shape.sizes, {.eps = eps, .bias = bias, .tensor = on(t, d)});
      }), Released(), py::arg("normalized_shape"), py::arg("eps") = 1e-5, py::arg("bias") = true, py::kw_only(), dtype, device);

  layer<nn::GroupNorm>(m, "_GroupNorm", "tg.group_norm, with a weight and a bias a channel.",
                       std::pair("weight", &nn::GroupNorm::weight), std::pair("bias", &nn::GroupNorm::bias))
      .def(py::init([=](int64_t groups, int64_t channels, double eps, bool affine, DType t, const Device& d) {
        return nn::GroupNorm(groups, channels, {.eps = eps, .affine = affine, .tensor = on(t, d)});
      }), Released(), py::arg("num_groups"), py::arg("num_channels"), py::arg("eps") = 1e-5, py::arg("affine") = true, py::kw_only(),
          dtype, device);
  layer<nn::InstanceNorm>(m, "_InstanceNorm", "tg.instance_norm, with a weight and a bias a channel where affine says so.",
                          std::pair("weight", &nn::InstanceNorm::weight), std::pair("bias", &nn::InstanceNorm::bias))
      .def(py::init([=](int64_t channels, double eps, bool affine, DType t, const Device& d) {
        return nn::InstanceNorm(channels, {.eps = eps, .affine = affine, .tensor = on(t, d)});
      }), Released(), py::arg("num_features"), py::arg("eps") = 1e-5, py::kw_only(), py::arg("affine") = false, dtype, device);
  layer<nn::RMSNorm>(m, "_RMSNorm", "tg.rms_norm over the last axes, of the given sizes.", std::pair("weight", &nn::RMSNorm::weight))
      .def(py::init([=](const Shape& shape, double eps, DType t, const Device& d) {
        return nn::RMSNorm(shape.sizes, {.eps = eps, .tensor = on(t, d)});
      }), Released(), py::arg("normalized_shape"), py::arg("eps") = 1e-5, py::kw_only(), dtype, device);

  layer<nn::Embedding>(m, "_Embedding", "tg.embedding with a table (num_embeddings, embedding_dim).",
                       std::pair("weight", &nn::Embedding::weight))
      .def(py::init([=](int64_t count, int64_t width, std::optional<int64_t> padding_idx, DType t, const Device& d) {
        return nn::Embedding(count, width, {.padding_idx = padding_idx.value_or(nn::kNoPadding), .tensor = on(t, d)});
      }), Released(), py::arg("num_embeddings"), py::arg("embedding_dim"), py::arg("padding_idx") = py::none(), py::kw_only(), dtype,
          device);

  layer<nn::Dropout>(m, "_Dropout", "tg.dropout in training, nothing in evaluation.")
      .def(py::init<double>(), py::arg("p") = 0.5)
      .def_readonly("p", &nn::Dropout::p);

  bind_guard<nn::Evaluation>(m, "_Evaluation", "While one is entered, layers called on this thread evaluate.");
}

void bind_optimizers(py::module_& m) {
  using nn::Optimizer;
  py::class_<Optimizer>(m, "_Optimizer", "What the optimizers have in common.")
      .def("step", [](Optimizer& o, const py::args& also) {
        const auto tensors = also.cast<std::vector<Tensor>>();
        released([&] { o.step(tensors); });
      },
          "Updates every parameter that has a gradient, and removes the gradient; the tensors given, such as the loss, are computed "
          "with it.")
      .def("zero_grad", &Optimizer::zero_grad, "Removes all gradients, for a backward that is not to count.")
      .def("state", &Optimizer::state, "The moments by name: what to save, and steps beside it.")
      .def_property("lr", &Optimizer::lr, &Optimizer::set_lr, "The learning rate, from the next step on.")
      .def_property("steps", &Optimizer::steps, &Optimizer::set_steps, "Steps taken; Adam's bias correction depends on it.");
  const auto params = py::arg("params");
  const auto lr = py::arg("lr") = 1e-3;
  py::class_<nn::SGD, Optimizer>(m, "_SGD", "v = momentum v + g; p -= lr v, or with Nesterov p -= lr (g + momentum v).")
      .def(py::init([](const nn::State& s, double rate, double momentum, double weight_decay, bool nesterov) {
        return nn::SGD(s, {.lr = rate, .momentum = momentum, .weight_decay = weight_decay, .nesterov = nesterov});
      }), Released(), params, lr, py::arg("momentum") = 0.0, py::arg("weight_decay") = 0.0, py::arg("nesterov") = false);
  const auto adam = [&]<class A>(const char* name, double decay, const char* doc) {
    py::class_<A, Optimizer>(m, name, doc)
        .def(py::init([](const nn::State& s, double rate, std::pair<double, double> betas, double eps, double weight_decay) {
          return A(s, {.lr = rate, .beta1 = betas.first, .beta2 = betas.second, .eps = eps, .weight_decay = weight_decay});
        }), Released(), params, lr, py::arg("betas") = std::pair(0.9, 0.999), py::arg("eps") = 1e-8, py::arg("weight_decay") = decay);
  };
  adam.operator()<nn::Adam>("_Adam", 0, "Kingma, Ba 2015.");
  adam.operator()<nn::AdamW>("_AdamW", 0.01, "Adam with decoupled weight decay: Loshchilov, Hutter 2019.");
}

void bind_files(py::module_& m) {
  m.def("_save", &nn::save, "Writes tensors as safetensors, atomically.", Released(), py::arg("path"), py::arg("state"),
        py::arg("metadata") = nn::Metadata());
  m.def("_load_into", [](const std::string& path, const nn::State& state) { return nn::load(path, state); },
        "Gives the tensors the values they have in the file.", Released(), py::arg("path"), py::arg("state"));
  m.def("_load", [](const std::string& path) {
    const io::SafeTensors file(path);
    nn::State out;
    for (const io::NamedView& t : file.tensors()) {
      const auto bytes = static_cast<int64_t>(t.data.size());
      out.emplace_back(t.name, Tensor::from_memory(t.data.data(), bytes / static_cast<int64_t>(size_of(t.dtype)), t.dtype, t.shape));
    }
    return std::pair(std::move(out), file.metadata());
  }, "The tensors of a safetensors file, and its metadata.", Released(), py::arg("path"));
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
