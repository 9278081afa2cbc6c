// Optimizers against their formulas computed in double here; one step of a small network, on this device and on the interpreter.
#include "tg/lr.hpp"

#include "base/log.hpp"
#include "runtime/null/null.hpp"
#include "tensor/tensor_testing.hpp"
#include "tg/transformer.hpp"

namespace tg::nn {
namespace {

const std::vector<double> kStart{1.0, -2.0, 0.5}, kSlopes{0.3, -0.1, 2.0};
constexpr int kSteps = 4;

/// The gradient of sum(slopes * p^2) at p.
double slope(size_t i, double p) { return 2 * kSlopes[i] * p; }
double rate(int step) { return 0.1 / (1 + step); }  // changes with every step

/// Parameters after kSteps of the optimizer, which starts at kStart.
Tensor after_steps(const std::function<Optimizer(const State&)>& make) {
  Tensor p = Tensor::from(kStart, {3}, {.dtype = float32, .requires_grad = true});
  const Tensor slopes = Tensor::from(kSlopes, {3}, {.dtype = float32});
  Optimizer o = make({{"p", p}});
  for (int t = 0; t < kSteps; ++t) {
    o.set_lr(rate(t));
    (p * p * slopes).sum().backward();
    o.step();
    EXPECT_FALSE(p.has_grad());
  }
  EXPECT_EQ(o.steps(), kSteps);
  return p;
}
/// The same, by a function that moves one parameter, given its index, its value and the step.
std::vector<double> expected(const std::function<double(size_t, double, int)>& move) {
  std::vector<double> p = kStart;
  for (int t = 0; t < kSteps; ++t)
    for (size_t i = 0; i < p.size(); ++i) p[i] = move(i, p[i], t);
  return p;
}

TEST(SGD, Plain) {
  expect_near(after_steps([](const State& s) { return SGD(s); }),
              expected([](size_t i, double p, int t) { return p - rate(t) * slope(i, p); }));
}
TEST(SGD, MomentumNesterovAndDecay) {
  for (const bool nesterov : {false, true}) {
    std::vector<double> v(3);
    const auto by_hand = expected([&](size_t i, double p, int t) {
      const double g = slope(i, p) + 0.2 * p;
      v[i] = 0.9 * v[i] + g;
      return p - rate(t) * (nesterov ? g + 0.9 * v[i] : v[i]);
    });
    expect_near(after_steps([&](const State& s) { return SGD(s, {.momentum = 0.9, .weight_decay = 0.2, .nesterov = nesterov}); }), by_hand);
  }
}

struct ByHand {
  double coupled = 0, decoupled = 0;
  std::vector<double> m = std::vector<double>(3), v = std::vector<double>(3);
  double operator()(size_t i, double p, int t) {
    const double g = slope(i, p) + coupled * p;
    m[i] = 0.9 * m[i] + 0.1 * g;
    v[i] = 0.99 * v[i] + 0.01 * g * g;
    const double mh = m[i] / (1 - std::pow(0.9, t + 1)), vh = v[i] / (1 - std::pow(0.99, t + 1));
    return p * (1 - rate(t) * decoupled) - rate(t) * mh / (std::sqrt(vh) + 1e-8);
  }
};
TEST(Adam, BiasCorrection) {
  expect_near(after_steps([](const State& s) { return Adam(s, {.beta2 = 0.99}); }), expected(ByHand{}), 1e-5);
}
TEST(Adam, DecayEntersTheGradient) {
  expect_near(after_steps([](const State& s) { return Adam(s, {.beta2 = 0.99, .weight_decay = 0.5}); }), expected(ByHand{.coupled = 0.5}),
              1e-5);
}
TEST(AdamW, DecayIsApart) {
  expect_near(after_steps([](const State& s) { return AdamW(s, {.beta2 = 0.99, .weight_decay = 0.5}); }),
              expected(ByHand{.decoupled = 0.5}), 1e-5);
}

TEST(SGD, DampeningAndMaximize) {
  std::vector<double> v(3);
  const auto by_hand = expected([&](size_t i, double p, int t) {
    v[i] = 0.9 * v[i] - slope(i, p) * (t == 0 ? 1 : 0.75);
    return p - rate(t) * v[i];
  });
  expect_near(after_steps([](const State& s) { return SGD(s, {.momentum = 0.9, .dampening = 0.25, .maximize = true}); }), by_hand);
}
TEST(Adam, TheLargestAverageOfSquaresDivides) {
  std::vector<double> m(3), v(3), most(3);
  const auto by_hand = expected([&](size_t i, double p, int t) {
    const double g = slope(i, p);
    m[i] = 0.9 * m[i] + 0.1 * g, v[i] = 0.3 * v[i] + 0.7 * g * g, most[i] = std::max(most[i], v[i]);
    return p - rate(t) * m[i] / (1 - std::pow(0.9, t + 1)) / (std::sqrt(most[i] / (1 - std::pow(0.3, t + 1))) + 1e-8);
  });
  expect_near(after_steps([](const State& s) { return Adam(s, {.beta2 = 0.3, .amsgrad = true}); }), by_hand, 1e-5);
}
TEST(RMSprop, CenteredWithMomentum) {
  std::vector<double> v(3), a(3), b(3);
  const auto by_hand = expected([&](size_t i, double p, int t) {
    const double g = slope(i, p) + 0.2 * p;
    v[i] = 0.9 * v[i] + 0.1 * g * g, a[i] = 0.9 * a[i] + 0.1 * g;
    b[i] = 0.5 * b[i] + g / (std::sqrt(v[i] - a[i] * a[i]) + 1e-8);
    return p - rate(t) * b[i];
  });
  const RmspropOptions options{.alpha = 0.9, .weight_decay = 0.2, .momentum = 0.5, .centered = true};
  expect_near(after_steps([&](const State& s) { return RMSprop(s, options); }), by_hand, 1e-5);
}
TEST(Adadelta, UpdatesAreInUnitsOfTheLast) {
  std::vector<double> v(3), a(3);
  const auto by_hand = expected([&](size_t i, double p, int t) {
    v[i] = 0.9 * v[i] + 0.1 * slope(i, p) * slope(i, p);
    const double d = std::sqrt(a[i] + 1e-6) / std::sqrt(v[i] + 1e-6) * slope(i, p);
    a[i] = 0.9 * a[i] + 0.1 * d * d;
    return p - rate(t) * d;
  });
  expect_near(after_steps([](const State& s) { return Adadelta(s); }), by_hand, 1e-5);
}
TEST(Adagrad, TheSumOfSquaresDivides) {
  std::vector<double> sum(3, 0.5);
  const auto by_hand = expected([&](size_t i, double p, int t) {
    sum[i] += slope(i, p) * slope(i, p);
    return p - rate(t) / (1 + 0.1 * t) * slope(i, p) / (std::sqrt(sum[i]) + 1e-10);
  });
  expect_near(after_steps([](const State& s) { return Adagrad(s, {.lr_decay = 0.1, .initial = 0.5}); }), by_hand, 1e-5);
}

/// p and the optimizer's moments after the steps from `first` to `last`, which start at `from`.
State stepped(int first, int last, const State& from) {
  Tensor p = Tensor::from(from[0].second.to_vector<float>(), {2}, {.requires_grad = true});
  Adam o({{"p", p}}, {.lr = 0.1});
  State moments = o.state();
  for (size_t i = 0; i < moments.size() && from.size() > 1; ++i) moments[i].second.assign(from[i + 1].second);
  o.set_steps(first);
  for (int t = first; t < last; ++t) {
    (p * p).sum().backward();
    o.step();
  }
  State out{{"p", p}};
  for (const auto& entry : o.state()) out.push_back(entry);
  return out;
}
TEST(Optimizer, ResumesFromItsStateAndSteps) {
  const State start{{"p", Tensor({1.f, -2.f})}};
  expect_close(stepped(2, 4, stepped(0, 2, start))[0].second, stepped(0, 4, start)[0].second, 0);
}

TEST(Optimizer, RealizesLossAndBuffersWithTheStep) {
  const BatchNorm b(2);
  SGD o(b.state());
  const Tensor loss = b(Tensor({{1.f, 2.f}, {3.f, 5.f}})).square().sum();
  loss.backward();
  o.step({loss});
  EXPECT_EQ(loss.op(), Op::Buffer);
  EXPECT_EQ(b.running_mean.op(), Op::Buffer);
  EXPECT_EQ(b.weight.op(), Op::Buffer);
  expect_near(b.running_mean, {0.2, 0.35});
}

TEST(Optimizer, StepsShareOneSchedule) {
  Tensor p = Tensor::from(std::vector<float>{1, -2, 3}, {3}, {.requires_grad = true});
  using Make = std::function<Optimizer(const State&)>;
  for (const auto& make : std::vector<Make>{[](const State& s) { return SGD(s, {.momentum = 0.9, .dampening = 0.5}); },
                                            [](const State& s) { return AdamW(s); }, [](const State& s) { return RMSprop(s); },
                                            [](const State& s) { return Adagrad(s, {.lr_decay = 0.1}); },
                                            [](const State& s) { return NAdam(s); }, [](const State& s) { return RAdam(s); }}) {
    Optimizer o = make({{"p", p}});
    for (int t = 0; t < 3; ++t) {
      const LogCapture plans(2);
      o.set_lr(rate(t));
      const Tensor loss = (p * p).sum();
      loss.backward();
      o.step({loss});
      const bool planned = plans.text().find("assigned") != std::string::npos;
      EXPECT_TRUE(t == 0 || !planned) << "step " << t << ":\n" << plans.text();
      EXPECT_TRUE(t > 0 || planned || settings().eager) << plans.text();  // op by op, the plan for one assignment may be there already
    }
  }
}

TEST(Optimizer, UpdatesAnyNumberOfParametersInOneLaunch) {
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  for (const int n : {1, 7, 40}) {
    State s;
    std::vector<Tensor> grads;
    Tensor loss = Tensor::zeros({}, {.device = "null"});
    for (int i = 0; i < n; ++i) {
      s.emplace_back("p" + std::to_string(i), Tensor::ones({i % 5 + 1, 3 * i + 1}, {.device = "null"}).realize());
      s.back().second.set_requires_grad(true);
      loss = loss + (s.back().second * s.back().second).sum();
    }
    loss.backward();
    for (const auto& entry : s) grads.push_back(entry.second.grad());
    realize(grads);
    Adam o(s);
    const int64_t before = null.counts().kernels;
    o.step();
    const int64_t launches = null.counts().kernels - before;
    if (settings().eager) EXPECT_GT(launches, n);
    else EXPECT_LE(launches, 2) << n << " parameters";
  }
}
TEST(Optimizer, SkipsParametersWithoutGradient) {
  Tensor used = Tensor::from(std::vector<float>{1}, {1}, {.requires_grad = true}),
         unused = Tensor::from(std::vector<float>{7}, {1}, {.requires_grad = true});
  Adam o({{"used", used}, {"unused", unused}}, {.lr = 0.5});
  (used * 3).sum().backward();
  o.step();
  expect_near(used, {0.5});
  expect_near(unused, {7});
  expect_throw<GradientError>([&] { o.step(); }, "optimizer: no parameter has a gradient; call backward() on the loss before step()");
}

TEST(Optimizer, TakesATensorOfTwoNamesOnce) {
  Tensor w = Tensor::from(std::vector<float>{1}, {1}, {.requires_grad = true});
  const State tied{{"in", w}, {"out", w}};
  SGD o(tied, {.lr = 0.5, .momentum = 0.5});
  EXPECT_EQ(o.parameters().size(), 1u);
  EXPECT_EQ(o.state().size(), 1u);
  EXPECT_EQ(o.state()[0].first, "momentum.in");
  const ExponentialAverage average(tied, 0.5);
  EXPECT_EQ(average.state().size(), 1u);
  (w * 2).sum().backward();
  o.step();
  average.update();
  expect_near(w, {0});
  average.swap();
  expect_near(w, {0.5});
  average.swap();
  expect_near(w, {0});
}

TEST(Optimizer, RefusesSettingsWithoutMeaning) {
  Tensor p = Tensor::from(std::vector<float>{1}, {1}, {.requires_grad = true});
  const State s{{"p", p}};
  expect_throw<ValueError>([&] { SGD(s, {.lr = -1}); }, "optimizer: lr is -1; it takes a finite number from 0 on");
  expect_throw<ValueError>([&] { SGD(s, {.nesterov = true}); },
                           "optimizer: nesterov without momentum has no meaning; set momentum, such as 0.9");
  expect_throw<ValueError>([&] { SGD(s, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}); },
                           "optimizer: nesterov with dampening has no meaning; leave one out");
  expect_throw<ValueError>([&] { RMSprop(s, {.alpha = 1}); }, "optimizer: alpha is 1; it takes 0 or more and less than 1");
  expect_throw<ValueError>([&] { Adagrad(s, {.initial = -1}); }, "optimizer: the sum to begin with is -1; it takes 0 or more");
  expect_throw<ValueError>([&] { Adam(s, {.beta1 = 1}); }, "optimizer: beta1 is 1; it takes 0 or more and less than 1");
  expect_throw<ValueError>([&] { Adam(State{}); }, "optimizer: no tensor in the state requires a gradient");
}

/// Loss, parameters and running statistics after two steps of a small convolutional network on batches of 4.
std::vector<std::vector<double>> trained_on(const std::string& device) {
  manual_seed(5);
  const TensorOptions on{.device = device};
  const Sequential net{Conv2d(1, 2, 3, {.tensor = on}),
                       [](const Tensor& x) { return x.relu(); },
                       Conv2d(2, 3, 3, {.bias = false, .tensor = on}),  // before BatchNorm a bias has a gradient of rounding errors alone
                       BatchNorm(3, {.tensor = on}),
                       [](const Tensor& x) { return x.max_pool2d({.size = 2}).flatten(1); },
                       Linear(12, 5, {.tensor = on})};
  const auto pixels = samples(8 * 64, 0, 255, 2);
  const Tensor images = Tensor::from(pixels, {8, 1, 8, 8}, {.dtype = uint8, .device = device});
  const Tensor labels = Tensor::from(std::vector<int32_t>{0, 3, 1, 4, 2, 2, 0, 1}, {8}, on);
  Adam o(net.state(), {.lr = 0.01});
  std::vector<std::vector<double>> out;
  for (int t = 0; t < 2; ++t) {
    const Tensor which = Tensor::from(std::vector<int32_t>{t, 7 - t, 3, 5}, {4}, on);
    const Tensor loss = net(images.take(which).cast(float32) * (1.0 / 255)).cross_entropy(labels.take(which));
    loss.backward();
    o.step({loss});
    out.push_back({loss.item<double>()});
  }
  for (const State& s : {net.state(), o.state()})
    for (const auto& entry : s) out.push_back(entry.second.to_vector<double>());
  return out;
}
TEST(Training, AgreesWithTheInterpreter) {
  const auto here = trained_on(settings().device), there = trained_on("interpreter");
  ASSERT_EQ(here.size(), there.size());
  EXPECT_GT(here[0][0], 0.5);
  for (size_t i = 0; i < here.size(); ++i) {
    ASSERT_EQ(here[i].size(), there[i].size());
    for (size_t j = 0; j < here[i].size(); ++j) EXPECT_NEAR(here[i][j], there[i][j], 2e-4) << "tensor " << i << ", element " << j;
  }
}

TEST(Training, LearnsToSeparateTwoSpirals) {
  manual_seed(2);
  std::vector<float> points;
  std::vector<int32_t> arms;
  for (int i = 0; i < 100; ++i)
    for (int arm = 0; arm < 2; ++arm) {
      const double r = 0.1 + 0.009 * i, angle = 0.04 * i + 3.14159265 * arm;
      points.insert(points.end(), {static_cast<float>(r * std::cos(angle)), static_cast<float>(r * std::sin(angle))});
      arms.push_back(arm);
    }
  const Tensor x = Tensor::from(points, {200, 2}), y = Tensor::from(arms, {200});
  const Sequential net{Linear(2, 32), [](const Tensor& h) { return h.tanh(); }, Linear(32, 32), [](const Tensor& h) { return h.tanh(); },
                       Linear(32, 2)};
  Adam o(net.state(), {.lr = 0.02});
  float first = 0, last = 0;
  for (int t = 0; t < 150; ++t) {
    const Tensor loss = net(x).cross_entropy(y);
    loss.backward();
    o.step({loss});
    (t == 0 ? first : last) = loss.item<float>();
  }
  EXPECT_GT(first, 0.5f);
  EXPECT_LT(last, 0.1f);
  EXPECT_GT((net(x).argmax({.axis = 1}) == y).sum().item<int>(), 190);
}

TEST(Optimizer, SchedulesCompileNothing) {
  if (settings().eager) return;
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const Tensor w = Tensor::from(std::vector<float>(6, 1), {2, 3}, {.device = "null", .requires_grad = true});
  const Tensor b = Tensor::from(std::vector<float>(3, 1), {3}, {.device = "null", .requires_grad = true});
  AdamW o({{"w", w}}, {.lr = 0.1, .weight_decay = 0.1});
  o.add_group({{"b", b}}, {.lr = 0.2});
  LrSchedule schedule(o, sequential_lr({linear_lr(0.1, 1, 2), cosine_lr(8)}, {2}));
  int64_t compiled = 0;
  for (int t = 0; t < 6; ++t) {
    ((w + b).square()).sum().backward();
    (void)clip_grad_norm(o.parameters(), 1.0 / (t + 1));
    o.step();
    schedule.step();
    if (t == 1) compiled = null.counts().compiles;
  }
  EXPECT_EQ(null.counts().compiles, compiled);
  EXPECT_NEAR(o.lr(1) / o.lr(0), 2, 1e-12);
}
TEST(Optimizer, GroupsAndRulesRefuseWhatHasNoMeaning) {
  const Tensor w = Tensor::from(std::vector<float>{1}, {1}, {.requires_grad = true});
  SGD o({{"w", w}});
  expect_throw<ValueError>([&] { o.add_group({{"again", w}}, {}); }, "optimizer: parameter again is in another group already");
  expect_throw<ValueError>([&] { Muon({{"w", w}}); },
                           "optimizer: Muon is for matrices, and parameter w has shape (1,); give it to another optimizer");
  expect_throw<ValueError>([&] { (void)o.lr(1); }, "optimizer: group 1 of 1");
  expect_throw<ValueError>([&] { (void)clip_grad_norm({w}, 0); }, "optimizer: max_norm is 0; it takes a number above 0");
  expect_throw<ValueError>([] { (void)sequential_lr({step_lr(1)}, {1}); },
                           "sequential_lr: 1 rules and 1 milestones; it takes a milestone between any two rules");
  expect_throw<ValueError>([] { (void)step_lr(0); }, "step_lr: the number of steps is 0; it takes 1 or more");
  expect_throw<ValueError>([] { MultiheadAttention(6, 4); }, "MultiheadAttention: a width of 6 does not divide by 4 heads");
}

}  // namespace
}  // namespace tg::nn
