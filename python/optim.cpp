// Optimizers and schedules of learning rates. tg/optim gives them PyTorch's shape.
//
//   in:  tg.optim.SGD(net.parameters(), lr=0.1)      out: nn::SGD over the state of the net
#include "python/bind.hpp"
#include "tg/lr.hpp"

namespace tg::python {

namespace {

/// An optimizer whose constructor and _add_group take the same arguments.
template <class O, class Make, class... Extra>
void optimizer(py::module_& m, const char* name, const char* doc, const Make& make, const Extra&... extra) {
  const auto params = py::arg("params");
  py::class_<O, nn::Optimizer> c(m, name, doc);
  [&]<class... A>(auto (*)(A...)) {
    c.def(py::init([make](const nn::State& s, A... a) { return O(s, make(a...)); }), Released(), params, extra...);
    c.def(
        "_add_group", [make](O& o, const nn::State& s, A... a) { o.add_group(s, make(a...)); }, "More parameters, by options of their own.",
          Released(), params, extra...);
  }(+make);
}
using Betas = std::pair<double, double>;

void bind_schedules(py::module_& m) {
  py::class_<nn::LrRule>(m, "_LrRule", "The rate at a step.")
      .def("__call__", [](const nn::LrRule& f, double base, int64_t t) { return f(base, t); }, py::arg("base"), py::arg("step"));
  m.def("_step_lr", &nn::step_lr, py::arg("step_size"), py::arg("gamma") = 0.1);
  m.def("_multistep_lr", &nn::multistep_lr, py::arg("milestones"), py::arg("gamma") = 0.1);
  m.def("_lambda_lr", [](const py::function& factor) {
    return nn::lambda_lr([factor](int64_t t) { return factor(t).cast<double>(); });
  }, py::arg("lr_lambda"));
  m.def("_exponential_lr", &nn::exponential_lr, py::arg("gamma"));
  m.def("_linear_lr", &nn::linear_lr, py::arg("start_factor") = 1.0 / 3, py::arg("end_factor") = 1.0, py::arg("total_iters") = 5);
  m.def("_cosine_lr", &nn::cosine_lr, py::arg("T_max"), py::arg("eta_min") = 0.0);
  m.def("_constant_lr", &nn::constant_lr, py::arg("factor") = 1.0 / 3, py::arg("total_iters") = 5);
  m.def("_polynomial_lr", &nn::polynomial_lr, py::arg("total_iters") = 5, py::arg("power") = 1.0);
  m.def("_cosine_restarts_lr", &nn::cosine_restarts_lr, py::arg("T_0"), py::arg("T_mult") = 1, py::arg("eta_min") = 0.0);
  m.def("_cyclic_lr", [](double low, double high, int64_t up, std::optional<int64_t> down, const std::string& mode, double gamma) {
    constexpr std::pair<std::string_view, nn::Cycle> modes[] = {
        {"triangular", nn::Cycle::Triangular}, {"triangular2", nn::Cycle::Halving}, {"exp_range", nn::Cycle::Exponential}};
    for (const auto& [name, cycle] : modes)
      if (name == mode) return nn::cyclic_lr(low, high, {.up = up, .down = down.value_or(0), .cycle = cycle, .gamma = gamma});
    throw ValueError("CyclicLR: mode is 'triangular', 'triangular2' or 'exp_range', not '" + mode + "'");
  }, py::arg("base_lr"), py::arg("max_lr"), py::arg("step_size_up") = 2000, py::arg("step_size_down") = py::none(),
        py::arg("mode") = "triangular", py::arg("gamma") = 1.0);
  using Count = std::optional<int64_t>;
  m.def("_one_cycle_lr", [](double max_lr, Count steps, Count epochs, Count each, double rise, const std::string& strategy, double div,
                            double final_div) {
    if (strategy != "cos" && strategy != "linear")
      throw ValueError("OneCycleLR: anneal_strategy is 'cos' or 'linear', not '" + strategy + "'");
    if (!steps && (!epochs || !each)) throw ValueError("OneCycleLR: how many steps? Give total_steps, or epochs and steps_per_epoch");
    return nn::one_cycle_lr(max_lr, steps ? *steps : *epochs * *each,
                            {.rise = rise, .div_factor = div, .final_div_factor = final_div, .linear = strategy == "linear"});
  }, py::arg("max_lr"), py::arg("total_steps") = py::none(), py::arg("epochs") = py::none(), py::arg("steps_per_epoch") = py::none(),
        py::arg("pct_start") = 0.3, py::arg("anneal_strategy") = "cos", py::arg("div_factor") = 25.0, py::arg("final_div_factor") = 1e4);
  m.def("_sequential_lr", [](const std::vector<const nn::LrRule*>& rules, const std::vector<int64_t>& milestones) {
    std::vector<nn::LrRule> own;
    for (const nn::LrRule* r : rules) own.push_back(*r);
    return nn::sequential_lr(std::move(own), milestones);
  }, py::arg("rules"), py::arg("milestones"));
  py::class_<nn::LrSchedule>(m, "_LrSchedule", "Gives an optimizer the rates of a rule.")
      .def(py::init([](nn::Optimizer& o, const nn::LrRule& rule) { return nn::LrSchedule(o, rule); }), py::keep_alive<1, 2>(),
           py::arg("optimizer"), py::arg("rule"))
      .def("step", &nn::LrSchedule::step, "The next rate.")
      .def_property("steps", &nn::LrSchedule::steps, &nn::LrSchedule::set_steps, "Steps taken.");
  py::class_<nn::PlateauLr>(m, "_ReduceLROnPlateau", "Multiplies the rates by factor when a metric has stopped to improve.")
      .def(py::init([](nn::Optimizer& o, const std::string& mode, double factor, int64_t patience, double threshold, int64_t cooldown,
                       double least) {
        if (mode != "min" && mode != "max") throw ValueError("ReduceLROnPlateau: mode is 'min' or 'max', not '" + mode + "'");
        return nn::PlateauLr(o, {.largest = mode == "max", .factor = factor, .patience = patience, .threshold = threshold,
                                 .cooldown = cooldown, .least = least});
      }), py::keep_alive<1, 2>(), py::arg("optimizer"), py::arg("mode") = "min", py::arg("factor") = 0.1, py::arg("patience") = 10,
           py::arg("threshold") = 1e-4, py::arg("cooldown") = 0, py::arg("min_lr") = 0.0)
      .def("step", &nn::PlateauLr::step, "Takes the metric of a step.", py::arg("metrics"))
      .def_property("_progress", [](const nn::PlateauLr& s) {
        const auto& [best, bad, cooling] = s.progress();
        return std::tuple(best, bad, cooling);
      }, [](nn::PlateauLr& s, const std::tuple<double, int64_t, int64_t>& p) {
        s.set_progress({.best = std::get<0>(p), .bad = std::get<1>(p), .cooling = std::get<2>(p)});
      });
}

}  // namespace

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
      .def_property("lr", [](const Optimizer& o) { return o.lr(); }, [](Optimizer& o, double rate) { o.set_lr(rate); },
                    "The learning rate of the first group; set, that of all, from the next step on.")
      .def("_groups", &Optimizer::groups, "How many groups there are.")
      .def("_lr", &Optimizer::lr, "The learning rate of a group.", py::arg("group"))
      .def("_set_lr", [](Optimizer& o, double rate, size_t group) { o.set_lr(rate, group); }, "Sets it.", py::arg("lr"), py::arg("group"))
      .def_property("steps", &Optimizer::steps, &Optimizer::set_steps, "Steps taken; Adam's bias correction depends on it.");
  const auto lr = py::arg("lr") = 1e-3;
  const auto betas = py::arg("betas") = Betas(0.9, 0.999);
  const auto eps = py::arg("eps") = 1e-8;
  const auto decay = py::arg("weight_decay") = 0.0, momentum = py::arg("momentum") = 0.0;
  const auto maximize = py::arg("maximize") = false;
  optimizer<nn::SGD>(m, "_SGD", "v = momentum v + (1 - dampening) g; p -= lr v, or with Nesterov p -= lr (g + momentum v).",
                     [](double rate, double v, double dampening, double d, bool nesterov, bool up) {
                       return nn::SgdOptions{.lr = rate, .momentum = v, .dampening = dampening, .weight_decay = d, .nesterov = nesterov,
                                             .maximize = up};
                     },
                     lr, momentum, py::arg("dampening") = 0.0, decay, py::arg("nesterov") = false, maximize);
  const auto adam = [](double rate, Betas b, double e, double d, bool amsgrad, bool up) {
    return nn::AdamOptions{.lr = rate, .beta1 = b.first, .beta2 = b.second, .eps = e, .weight_decay = d, .amsgrad = amsgrad,
                           .maximize = up};
  };
  const auto amsgrad = py::arg("amsgrad") = false;
  optimizer<nn::Adam>(m, "_Adam", "Kingma, Ba 2015; amsgrad: Reddi, Kale, Kumar 2018.", adam, lr, betas, eps, decay, amsgrad, maximize);
  optimizer<nn::AdamW>(m, "_AdamW", "Adam with decoupled weight decay: Loshchilov, Hutter 2019.", adam, lr, betas, eps,
                       py::arg("weight_decay") = 0.01, amsgrad, maximize);
  optimizer<nn::LAMB>(m, "_LAMB", "Adam's update, scaled by the norm of the parameter: You et al. 2020.",
                      [](double rate, Betas b, double e, double d) {
                        return nn::LambOptions{.lr = rate, .beta1 = b.first, .beta2 = b.second, .eps = e, .weight_decay = d};
                      },
                      lr, betas, py::arg("eps") = 1e-6, decay);
  optimizer<nn::Muon>(m, "_Muon", "Momentum whose update of a matrix is made orthogonal: Jordan et al. 2024.",
                      [](double rate, double d, double v, bool nesterov, int steps) {
                        return nn::MuonOptions{.lr = rate, .momentum = v, .weight_decay = d, .nesterov = nesterov, .steps = steps};
                      },
                      lr, py::arg("weight_decay") = 0.1, py::arg("momentum") = 0.95, py::arg("nesterov") = true, py::arg("ns_steps") = 5);
  optimizer<nn::RMSprop>(m, "_RMSprop", "The gradient over the root of its mean square, or centered over its deviation: Hinton 2012.",
                         [](double rate, double alpha, double e, double d, double v, bool centered, bool up) {
                           return nn::RmspropOptions{.lr = rate, .alpha = alpha, .eps = e, .weight_decay = d, .momentum = v,
                                                     .centered = centered, .maximize = up};
                         },
                         py::arg("lr") = 1e-2, py::arg("alpha") = 0.99, eps, decay, momentum, py::arg("centered") = false, maximize);
  optimizer<nn::Adagrad>(m, "_Adagrad", "The gradient over the root of the sum of its squares: Duchi, Hazan, Singer 2011.",
                         [](double rate, double lr_decay, double d, double initial, double e, bool up) {
                           return nn::AdagradOptions{.lr = rate, .lr_decay = lr_decay, .weight_decay = d, .initial = initial, .eps = e,
                                                     .maximize = up};
                         },
                         py::arg("lr") = 1e-2, py::arg("lr_decay") = 0.0, decay, py::arg("initial_accumulator_value") = 0.0,
                         py::arg("eps") = 1e-10, maximize);
  optimizer<nn::Adadelta>(m, "_Adadelta", "The gradient in units of the last updates: Zeiler 2012.",
                          [](double rate, double rho, double e, double d, bool up) {
                            return nn::AdadeltaOptions{.lr = rate, .rho = rho, .eps = e, .weight_decay = d, .maximize = up};
                          },
                          py::arg("lr") = 1.0, py::arg("rho") = 0.9, py::arg("eps") = 1e-6, decay, maximize);
  optimizer<nn::Adamax>(m, "_Adamax", "Adam by the largest gradient instead of the mean square: Kingma, Ba 2015.",
                        [](double rate, Betas b, double e, double d, bool up) {
                          return nn::AdamaxOptions{.lr = rate, .beta1 = b.first, .beta2 = b.second, .eps = e, .weight_decay = d,
                                                   .maximize = up};
                        },
                        py::arg("lr") = 2e-3, betas, eps, decay, maximize);
  optimizer<nn::NAdam>(m, "_NAdam", "Adam with Nesterov's momentum: Dozat 2016.",
                       [](double rate, Betas b, double e, double d, double momentum_decay, bool up) {
                         return nn::NadamOptions{.lr = rate, .beta1 = b.first, .beta2 = b.second, .eps = e, .weight_decay = d,
                                                 .momentum_decay = momentum_decay, .maximize = up};
                       },
                       py::arg("lr") = 2e-3, betas, eps, decay, py::arg("momentum_decay") = 4e-3, maximize);
  optimizer<nn::RAdam>(m, "_RAdam", "Adam whose division begins, rectified, when the variance is known: Liu et al. 2020.",
                       [](double rate, Betas b, double e, double d, bool up) {
                         return nn::RadamOptions{.lr = rate, .beta1 = b.first, .beta2 = b.second, .eps = e, .weight_decay = d,
                                                 .maximize = up};
                       },
                       lr, betas, eps, decay, maximize);
  m.def("_clip_grad_norm", &nn::clip_grad_norm, "Scales the gradients so that their norm is at most max_norm; gives the norm they had.",
        Released(), py::arg("parameters"), py::arg("max_norm"), py::arg("norm_type") = 2.0);
  m.def("_clip_grad_value", &nn::clip_grad_value, "Limits every element of the gradients.", Released(), py::arg("parameters"),
        py::arg("clip_value"));
  py::class_<nn::ExponentialAverage>(m, "_ExponentialAverage", "A running mean of weights: average = decay average + (1 - decay) weight.")
      .def(py::init<const nn::State&, double>(), Released(), py::arg("params"), py::arg("decay") = 0.999)
      .def("update", &nn::ExponentialAverage::update, "Takes the weights as they are now.", Released())
      .def("swap", &nn::ExponentialAverage::swap, "Exchanges weights and averages: before an evaluation and after it.", Released())
      .def("state", &nn::ExponentialAverage::state, "The averages, under the names of the weights.");
  bind_schedules(m);
}

}  // namespace tg::python
