// Data in batches: tg.data.DataLoader's class in C++. What reads examples in Python is called by its threads, which take Python's lock
// for it; whoever waits for them (for a batch, or for their end) has let go of it.
//
//   in:  _DataLoader(_Dataset(len(data), example), 128, True, ...)      out: DataLoader(Dataset(size, example), {...})
#include <pybind11/functional.h>

#include "python/bind.hpp"
#include "tg/data.hpp"

namespace tg::python {

namespace {

/// An Epoch that can be closed before its end.
struct Pass {
  std::optional<Epoch> epoch;
  explicit Pass(Epoch e) : epoch(std::move(e)) {}
  Pass(Pass&&) = default;
  Pass& operator=(Pass&&) = default;
  ~Pass() { close(); }
  void close() {
    if (epoch) released([&] { epoch.reset(); });
  }
};

}  // namespace

void bind_data(py::module_& m) {
  py::class_<Dataset>(m, "_Dataset", "So many examples.")
      .def(py::init<std::vector<Tensor>>(), "Entry i of axis 0 of each tensor.", py::arg("tensors"))
      .def(py::init<int64_t, std::function<Example(int64_t)>>(), "Example i is example(i).", py::arg("size"), py::arg("example"))
      .def_static("in_batches", &Dataset::in_batches, "The examples at some places are batch(places).", py::arg("size"), py::arg("batch"))
      .def("subset", &Dataset::subset, "The examples at these places.", py::arg("places"))
      .def("__len__", &Dataset::size);
  m.def("_random_places", [](int64_t size, const std::vector<double>& parts, std::optional<Generator*> generator) {
    std::optional<Drawing> drawing;
    if (generator) drawing.emplace(**generator);
    return random_places(size, parts);
  }, "Which examples belong to each part.", Released(), py::arg("size"), py::arg("parts"), py::arg("generator") = py::none());
  py::class_<Pass>(m, "_Epoch", "One pass over the batches.")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", [](Pass& p) {
        std::optional<Example> batch;
        if (p.epoch) batch = released([&] { return p.epoch->next(); });
        if (!batch) throw py::stop_iteration();
        return *batch;
      })
      .def("close", &Pass::close, "Ends it, when the batches that are being made are.");
  py::class_<DataLoader>(m, "_DataLoader", "Batches of a _Dataset.")
      .def(py::init([](Dataset data, int64_t batch_size, bool shuffle, bool drop_last, int threads, int prefetch,
                       std::optional<Generator*> generator) {
        return DataLoader(std::move(data), {.batch_size = batch_size, .shuffle = shuffle, .drop_last = drop_last, .threads = threads,
                                            .prefetch = prefetch, .generator = generator.value_or(nullptr)});
      }), py::arg("dataset"), py::arg("batch_size"), py::arg("shuffle"), py::arg("drop_last"), py::arg("threads"), py::arg("prefetch"),
           py::arg("generator"), py::keep_alive<1, 8>())
      .def("__len__", &DataLoader::size)
      .def("epoch", [](const DataLoader& l) { return Pass(released([&] { return l.epoch(); })); }, "A new one, whose order is drawn now.");
}

}  // namespace tg::python
