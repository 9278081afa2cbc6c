// Random numbers: the generators, and all that draws from them.
//
//   in:  tg.rand(2, 3, generator=g)      out: Drawing from(g); Tensor::rand({2, 3})
//        with tg.Drawing(g): ...         out: the same for all that this thread draws inside
#include "python/factory.hpp"

namespace tg::python {

namespace {

using From = std::optional<Generator*>;

/// f(), which draws from that generator; without one, from what its thread draws from anyway.
template <class F>
Tensor drawn(const From& from, const F& f) {
  const py::gil_scoped_release release;
  std::optional<Drawing> drawing;
  if (from) drawing.emplace(**from);
  return f();
}

/// A context manager, as often as it is entered.
struct DrawingScope {
  Generator* from;
  std::vector<std::unique_ptr<Drawing>> open;
};

/// A generator's state in Python.
using Packed = std::tuple<uint32_t, uint32_t, uint64_t, bool>;
Packed packed(const Generator::State& s) { return {s.key[0], s.key[1], s.calls, s.as_it_is}; }
Generator::State unpacked(const Packed& p) { return {{std::get<0>(p), std::get<1>(p)}, std::get<2>(p), std::get<3>(p)}; }

void bind_generator(py::module_& m) {
  py::class_<Generator>(m, "Generator", "Random numbers of its own: a key, and how many calls were made. Copies go on alike.")
      .def(py::init<uint64_t>(), py::arg("seed") = 0)
      .def_static("with_key", [](std::array<uint32_t, 2> key) { return Generator::with_key(key); },
                  "Its first call draws with the key as it is, as jax.random.uniform(key) does; further ones fold in their number.",
                  py::arg("key"))
      .def("manual_seed", [](Generator& g, uint64_t seed) -> Generator& { g.manual_seed(seed); return g; },
           "Starts anew from a seed. The generator itself.", py::arg("seed"), py::return_value_policy::reference)
      .def_property_readonly("key", &Generator::key, "The two words that the seed became.")
      .def_property_readonly("calls", &Generator::calls, "How often was drawn since.")
      .def("get_state", [](const Generator& g) { return packed(g.state()); }, "All that it is, for set_state().")
      .def("set_state", [](Generator& g, const Packed& state) -> Generator& { return g = Generator(unpacked(state)); },
           "Goes on from a state. The generator itself.", py::arg("new_state"), py::return_value_policy::reference)
      .def(py::pickle([](const Generator& g) { return py::cast(packed(g.state())).cast<py::tuple>(); },
                      [](const py::tuple& state) { return Generator(unpacked(state.cast<Packed>())); }))
      .def("__copy__", [](const Generator& g) { return g; })
      .def("__deepcopy__", [](const Generator& g, const py::dict&) { return g; }, py::arg("memo"));
  py::class_<DrawingScope>(m, "Drawing", "with tg.Drawing(generator): what draws random numbers on this thread (rand, dropout, the weights "
                                         "of layers) takes them from the generator.")
      .def(py::init([](Generator& from) { return DrawingScope{&from, {}}; }), py::arg("generator"), py::keep_alive<1, 2>())
      .def("__enter__", [](DrawingScope& s) { s.open.push_back(std::make_unique<Drawing>(*s.from)); })
      .def("__exit__", [](DrawingScope& s, const py::args&) { s.open.pop_back(); });
  m.def("manual_seed", &manual_seed, "Restarts the random numbers of the whole process.", py::arg("seed"));
  m.def("get_rng_state", [] { return packed(rng_state()); }, "Where the random numbers of the whole process are, for set_rng_state().");
  m.def("set_rng_state", [](const Packed& state) { set_rng_state(unpacked(state)); }, "Goes on from there.", py::arg("new_state"));
}

py::arg_v generator() { return py::arg("generator") = py::none(); }

/// tg.name(2, 3), tg.name((2, 3)) and tg.name(size=(2, 3)); and tg.name_like(x).
void sized(Api& api, const std::string& name, Tensor (*f)(const Sizes&, const TensorOptions&), const char* doc, const char* like_doc) {
  factory(api, name.c_str(), [f, name](const py::args& size, const From& from, DType dtype, const Device& device, bool grad) {
    const Sizes s = sizes_of(size, name.c_str());
    return drawn(from, [&] { return f(s, tensor_options(dtype, device, grad)); });
  }, doc, generator());
  factory(api, name.c_str(), [f](const Shape& size, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] { return f(size.sizes, tensor_options(dtype, device, grad)); });
  }, "", py::kw_only(), py::arg("size"), generator());
  api.module.def((name + "_like").c_str(), [f](const Tensor& x, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] {
      return f(x.shape(), tensor_options(dtype == DType::void_ ? x.dtype() : dtype, device.value_or(x.device()), grad));
    });
  }, like_doc, py::arg("input"), py::kw_only(), generator(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
                 py::arg("requires_grad") = false);
}

void bind_numbers(Api& api) {
  sized(api, "rand", &Tensor::rand, "Uniform in [0, 1).", "Uniform in [0, 1), of that shape, dtype and device.");
  sized(api, "randn", &Tensor::randn, "Normal, mean 0 and variance 1.", "Normal, of that shape, dtype and device.");
  factory(api, "randint", [](int64_t low, int64_t high, const Shape& size, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] { return Tensor::randint(size.sizes, low, high, tensor_options(dtype, device, grad)); });
  }, "Integers in [low, high), int32 unless told.", py::arg("low"), py::arg("high"), py::arg("size"), py::kw_only(), generator());
  factory(api, "randint", [](int64_t high, const Shape& size, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] { return Tensor::randint(size.sizes, 0, high, tensor_options(dtype, device, grad)); });
  }, "", py::arg("high"), py::arg("size"), py::kw_only(), generator());
  factory(api, "uniform", [](const Shape& size, double low, double high, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] {
      return Tensor::uniform(size.sizes, {.low = low, .high = high, .tensor = tensor_options(dtype, device, grad)});
    });
  }, "Uniform in [low, high).", py::arg("size"), py::arg("low") = 0.0, py::arg("high") = 1.0, py::kw_only(), generator());
  factory(api, "normal", [](double mean, double std, const Shape& size, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] { return normal(size.sizes, {.mean = mean, .std = std, .tensor = tensor_options(dtype, device, grad)}); });
  }, "Normal, of that mean and standard deviation.", py::arg("mean"), py::arg("std"), py::arg("size"), py::kw_only(), generator());
  const char* const each = "A number for each of the means and standard deviations, broadcast.";
  const auto beside = [](const Tensor& x, double number) { return Tensor::full({}, number, {.dtype = x.dtype(), .device = x.device()}); };
  api.module.def("normal", [=](const Tensor& mean, const std::variant<double, Tensor>& std, const From& from) {
    const Tensor scale = std.index() == 1 ? std::get<1>(std) : beside(mean, std::get<0>(std));
    return drawn(from, [&] { return normal(mean, scale); });
  }, each, py::arg("mean"), py::arg("std") = 1.0, py::kw_only(), generator());
  api.module.def("normal", [=](double mean, const Tensor& std, const From& from) {
    return drawn(from, [&] { return normal(beside(std, mean), std); });
  }, each, py::arg("mean"), py::arg("std"), py::kw_only(), generator());
  factory(api, "randperm", [](int64_t n, const From& from, DType dtype, const Device& device, bool grad) {
    return drawn(from, [&] { return randperm(n, tensor_options(dtype, device, grad)); });
  }, "0 to n - 1 in random order, int32 unless told.", py::arg("n"), py::kw_only(), generator());
}

void bind_weights(Api& api) {
  struct Row {
    const char *name, *number;
    double value;
    Tensor (*function)(const Sizes&, double, const TensorOptions&);
    const char* doc;
  };
  constexpr Row rows[] = {
      {"kaiming_uniform", "a", 0, &Tensor::kaiming_uniform, "Uniform in +-sqrt(6 / ((1 + a^2) fan_in)): He et al. 2015."},
      {"kaiming_normal", "a", 0, &kaiming_normal, "Normal with std sqrt(2 / ((1 + a^2) fan_in)): He et al. 2015."},
      {"xavier_uniform", "gain", 1, &xavier_uniform, "Uniform in +-gain sqrt(6 / (fan_in + fan_out)): Glorot, Bengio 2010."},
      {"xavier_normal", "gain", 1, &xavier_normal, "Normal with std gain sqrt(2 / (fan_in + fan_out)): Glorot, Bengio 2010."},
  };
  for (const Row& row : rows)
    factory(api, row.name, [f = row.function](const Shape& size, double number, const From& from, DType dtype, const Device& device,
                                              bool grad) {
      return drawn(from, [&] { return f(size.sizes, number, tensor_options(dtype, device, grad)); });
    }, row.doc, py::arg("size"), py::arg(row.number) = row.value, py::kw_only(), generator());
  for (const auto& [alias, name] : {std::pair("glorot_uniform", "xavier_uniform"), {"glorot_normal", "xavier_normal"}}) {
    api.tensor.attr(alias) = py::staticmethod(api.tensor.attr(name));
    api.module.attr(alias) = api.module.attr(name);
  }
}

void bind_draws(Api& api) {
  both_locked(api, "bernoulli", [](const Tensor& p, const From& from) { return drawn(from, [&] { return bernoulli(p); }); },
       "1 with the probability that each element (float) says, else 0, in its dtype.", py::kw_only(), generator());
  both_locked(api, "multinomial", [](const Tensor& weights, int64_t count, bool replacement, const From& from) {
    return drawn(from, [&] { return multinomial(weights, count, replacement); });
  }, "So many indices (int32) of each row, (n) or (rows, n), with probability in proportion to the weights there: Efraimidis, Spirakis "
     "2006.", py::arg("num_samples"), py::arg("replacement") = false, py::kw_only(), generator());
  // What changes a tensor of the caller's: x.normal_(0, 0.02).
  api.tensor.def("uniform_", [](const py::object& x, double low, double high, const From& from) {
    const auto& t = x.cast<const Tensor&>();
    return x.attr("assign")(drawn(from, [&] {
      return Tensor::uniform(t.shape(), {.low = low, .high = high, .tensor = {.dtype = t.dtype(), .device = t.device()}});
    }));
  }, "This tensor is uniform in [from, to) from now on. The tensor itself.", py::arg("from_") = 0.0, py::arg("to") = 1.0, py::kw_only(),
                 generator());
  api.tensor.def("normal_", [](const py::object& x, double mean, double std, const From& from) {
    const auto& t = x.cast<const Tensor&>();
    return x.attr("assign")(drawn(from, [&] {
      return normal(t.shape(), {.mean = mean, .std = std, .tensor = {.dtype = t.dtype(), .device = t.device()}});
    }));
  }, "This tensor is normal, of that mean and standard deviation, from now on. The tensor itself.", py::arg("mean") = 0.0,
                 py::arg("std") = 1.0, py::kw_only(), generator());
  api.tensor.def("bernoulli_", [](const py::object& x, double p, const From& from) {
    const auto& t = x.cast<const Tensor&>();
    return x.attr("assign")(drawn(from, [&] { return bernoulli(Tensor::full(t.shape(), p, {.device = t.device()})); }));
  }, "This tensor is 1 with probability p, else 0, from now on. The tensor itself.", py::arg("p") = 0.5, py::kw_only(), generator());
}

}  // namespace

void bind_random(Api& api) {
  bind_generator(api.module);
  bind_numbers(api);
  bind_weights(api);
  bind_draws(api);
}

}  // namespace tg::python
