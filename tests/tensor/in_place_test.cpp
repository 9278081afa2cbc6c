// Writing to tensors: assign, the forms in place, parts of tensors; and what is left alone.
#include <iterator>
#include <thread>

#include "runtime/buffer.hpp"
#include "runtime/null/null.hpp"
#include "tensor/impl.hpp"
#include "tensor_testing.hpp"
#include "tg/arrange.hpp"
#include "tg/functions.hpp"
#include "tg/ir/uop.hpp"
#include "tg/random.hpp"
#include "tg/scatter.hpp"
#include "tg/settings.hpp"
#include "tg/transform.hpp"

namespace tg {
namespace {

TEST(Clone, KeepsItsValueAndPassesGradients) {
  Tensor x({1.f, 2.f}), copy = x.clone(), alias = x;
  x.assign(5);
  expect_equal(copy, {2}, {1, 2});
  expect_equal(alias, {2}, {5, 5});
  Tensor leaf({3.f}, {.requires_grad = true});
  (leaf.clone() * 2).backward();
  expect_equal(leaf.grad(), {1}, {2});
}

TEST(Assign, ALeafStaysOne) {
  Tensor w = leaf({1, 2}, {2});
  for (int step = 0; step < 3; ++step) {
    w.zero_grad();
    (w * w).sum().backward();
    w.assign(w - 0.25 * w.grad());
    EXPECT_TRUE(w.requires_grad());
    if (step == 1) w.realize();
  }
  expect_near(w, {1 / 8., 2 / 8.});
  (w * 2).sum().backward();
  EXPECT_TRUE(w.has_grad());
}
TEST(Assign, AGraphBuiltBeforeRealizingFindsItsLeaf) {
  Tensor w = leaf({1, 2}, {2});
  w.assign(Tensor({3.f, 4.f}));
  const Tensor y = (w * w).sum();
  w.realize();
  y.backward();
  expect_near(w.grad(), {6, 8});
}
TEST(Assign, WhatReadsTheNewOfOneAndTheOldOfAnother) {
  Tensor p({1.f, -2.f}), v({0.f, 0.f}), a({0.f, 0.f});
  std::vector<double> pe{1, -2}, ve(2), ae(2);
  for (int step = 0; step < 3; ++step) {
    v.assign(v * 0.5 + p * p);
    const Tensor d = (a + 1) / (v + 1) * p;  // the new v, the old a and p; the new p is stored beside the new v
    a.assign(a * 0.5 + d * d);
    p.assign(p - d * 0.5);
    realize({v, a, p});
    for (size_t i = 0; i < 2; ++i) {
      ve[i] = ve[i] * 0.5 + pe[i] * pe[i];
      const double de = (ae[i] + 1) / (ve[i] + 1) * pe[i];
      ae[i] = ae[i] * 0.5 + de * de;
      pe[i] -= de * 0.5;
    }
    expect_near(p, pe);
    expect_near(a, ae);
    expect_near(v, ve);
  }
}
TEST(Assign, OlderReadersKeepTheOlderValue) {
  Tensor x({1.f, 2.f});
  const Tensor before = x * 10;
  x.assign(Tensor({5.f, 6.f}));
  x.realize();
  expect_near(before, {10, 20});
  expect_near(x, {5, 6});
  x.assign(7);
  expect_near(x * 1, {7, 7});
  expect_throw<ShapeError>([&] { x.assign(Tensor({1.f, 2.f, 3.f})); },
                           "assign: shapes (2,) and (3,) do not broadcast: axis -1 is 2 and 3; sizes must be equal, or one of them 1");
  expect_throw<ShapeError>([&] { x.assign(Tensor({{1.f, 2.f}})); },
                           "assign: a value of shape (1, 2) does not fit into shape (2,); it must broadcast to it");
}
TEST(Assign, EqualConstantsDoNotShareMemory) {
  Tensor a = Tensor::zeros({2}), b = Tensor::zeros({2});
  a.realize();
  b.realize();
  a.assign(1);
  a.realize();
  expect_near(b, {0, 0});
  Tensor v = Tensor::zeros({2}, {.requires_grad = true}), w = Tensor::zeros({2}, {.requires_grad = true});
  v.assign(1);
  v.realize();
  expect_near(w, {0, 0});
}
TEST(Assign, ValuesThatWereNotCopiedKeepTheOlderValue) {
  Tensor w = leaf({1, 2}, {2});
  const Tensor shaped = w.reshape({2, 1}), cut = w.detach(), source({5.f, 6.f});
  realize({shaped, cut});
  w.assign(source);
  w.realize();
  w.assign(w + 1);
  w.realize();
  w.assign(w + 1);
  w.realize();
  expect_near(w, {7, 8});
  expect_near(shaped, {1, 2});
  expect_near(cut, {1, 2});
  expect_near(source, {5, 6});
}
TEST(Assign, ReusesMemoryThatNobodyElseReads) {
  if (device(settings().device).interprets() || settings().eager) return;  // the one keeps no memory, the other a realized w * 2
  Tensor w = leaf({1, 2}, {2});
  const auto address = [&] { return buffer_of(node_of(w, "test"))->memory->handle; };
  const void* before = address();
  for (int i = 0; i < 3; ++i) {
    w.assign(w * 2);
    w.realize();
    EXPECT_EQ(address(), before);
  }
  expect_near(w, {8, 16});
}
TEST(Assign, UpdatesInPlaceRecordHistory) {
  const Tensor x = leaf(3);
  Tensor y = x * 2;
  y += x;
  y *= y;
  y.backward();
  expect_near(y, {81});
  expect_near(x.grad(), {54});
}

TEST(InPlace, IsTheFunctionWrittenIntoTheTensor) {
  struct Form {
    const char* name;
    std::function<void(Tensor&, const Tensor&)> write;
    std::function<Tensor(const Tensor&, const Tensor&)> value;
  };
  const Tensor mask({true, false, true}), places({2, 0, 0}), c({0.5f, 1.5f, 3.f});
  const Form forms[] = {
#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) {#name, [](Tensor& x, auto&) { x.name##_(); }, [](auto& x, auto&) { return x.name(); }},
#define UNARY_Same(name) UNARY_Real(name)
#define UNARY_Truth(name)
#define UNARY_Bits(name)
#include "tg/unary.def"
#define TWO(name) {#name, [](Tensor& x, auto& y) { x.name##_(y); }, [](auto& x, auto& y) { return name(x, y); }}
      TWO(add), TWO(sub), TWO(mul), TWO(div), TWO(floor_div), TWO(mod), TWO(fmod), TWO(pow), TWO(atan2), TWO(hypot), TWO(copysign),
      TWO(nextafter),
      {"+=", [](Tensor& x, auto& y) { x += y; }, [](auto& x, auto& y) { return x + y; }},
      {"-=", [](Tensor& x, auto& y) { x -= y; }, [](auto& x, auto& y) { return x - y; }},
      {"*=", [](Tensor& x, auto& y) { x *= y; }, [](auto& x, auto& y) { return x * y; }},
      {"/=", [](Tensor& x, auto& y) { x /= y; }, [](auto& x, auto& y) { return x / y; }},
      {"lerp", [&](Tensor& x, auto& y) { x.lerp_(y, c); }, [&](auto& x, auto& y) { return lerp(x, y, c); }},
      {"clamp", [](Tensor& x, auto&) { x.clamp_({.max = 1}); }, [](auto& x, auto&) { return x.clamp({.max = 1}); }},
      {"clamp, tensors", [&](Tensor& x, auto& y) { x.clamp_(c, y); }, [&](auto& x, auto& y) { return clamp(x, c, y); }},
      {"add, scaled", [](Tensor& x, auto& y) { x.add_(y, {.alpha = 2}); }, [](auto& x, auto& y) { return add(x, y, {.alpha = 2}); }},
      {"sub, scaled", [](Tensor& x, auto& y) { x.sub_(y, {.alpha = 2}); }, [](auto& x, auto& y) { return sub(x, y, {.alpha = 2}); }},
      {"masked_fill", [&](Tensor& x, auto&) { x.masked_fill_(mask, 7); }, [&](auto& x, auto&) { return masked_fill(x, mask, 7); }},
      {"scatter", [&](Tensor& x, auto& y) { x.scatter_(0, places, y); }, [&](auto& x, auto& y) { return scatter(x, 0, places, y); }},
      {"scatter_add", [&](Tensor& x, auto& y) { x.scatter_add_(0, places, y); },
       [&](auto& x, auto& y) { return scatter_add(x, 0, places, y); }},
      {"index_add", [&](Tensor& x, auto& y) { x.index_add_(0, places, y); }, [&](auto& x, auto& y) { return index_add(x, 0, places, y); }},
      {"copy", [](Tensor& x, auto& y) { x.copy_(y); }, [](auto&, auto& y) { return y; }},
      {"fill", [](Tensor& x, auto&) { x.fill_(3); }, [](auto& x, auto&) { return full_like(x, 3); }},
      {"zero", [](Tensor& x, auto&) { x.zero_(); }, [](auto& x, auto&) { return zeros_like(x); }},
  };
  const size_t step = settings().device == "opencl" ? 16 : 1;  // whose compiler takes a second a form
  for (size_t i = 0; i < std::size(forms); i += step) {
    const Form& f = forms[i];
    SCOPED_TRACE(f.name);
    const Tensor start = leaf({0.25, 0.5, 0.75}, {3}), y = leaf({0.5, 2, 0.125}, {3});
    Tensor x = start * 1, alias = x;
    f.write(x, y);
    const Tensor expected = f.value(start, y);
    expect_close(alias, expected, 0);
    if (!expected.requires_grad()) continue;
    const auto ours = gradient(x.sum(), {start, y}), theirs = gradient(expected.sum(), {start, y});
    for (size_t k : {size_t{0}, size_t{1}}) expect_close(ours[k], theirs[k], 0);
  }
  Tensor bits({6, 5});
  bits.bitwise_and_(4).bitwise_or_(1).bitwise_xor_(2).left_shift_(2).right_shift_(1).bitwise_not_();
  expect_equal(bits, {2}, {-15, -15});
  expect_equal(Tensor({1, 2}).copy_(Tensor({3.7f})), {2}, {3, 3});
}
TEST(InPlace, DrawsRandomNumbers) {
  manual_seed(3);
  const Tensor u = Tensor::uniform({5}, {.low = -1, .high = 4}), n = normal({5}, {.mean = 2, .std = 3}),
               b = bernoulli(Tensor::full({5}, 0.5f));
  manual_seed(3);
  expect_close(Tensor::zeros({5}).uniform_(-1, 4), u, 0);
  expect_close(Tensor::zeros({5}).normal_(2, 3), n, 0);
  expect_close(Tensor::zeros({5}).bernoulli_(0.5), b, 0);
}
TEST(InPlace, OfALeafNeedsThatNothingIsRecorded) {
  Tensor w = leaf({1, 2}, {2});
  (w * w).sum().backward();
  expect_throw<GradientError>([&] { w.zero_(); },
                              "zero_: a leaf that requires a gradient cannot be changed in place; do it while a NoGrad lives, or use "
                              "assign, neither of which records history");
  {
    const NoGrad off;
    w -= 0.25 * w.grad();
    w[0] = 7;
    w.mul_(2);
  }
  expect_equal(w, {2}, {14, 2});
  EXPECT_TRUE(w.requires_grad());
  w.zero_grad();
  (w * w).sum().backward();
  expect_equal(w.grad(), {2}, {28, 4});
}
TEST(InPlace, KeepsDtypeAndShape) {
  Tensor i({1, 2}), x({1.f, 2.f});
  expect_throw<DTypeError>([&] { i.exp_(); },
                           "exp_: the result's dtype float32 is not the tensor's int32; write x = x + y instead, or cast the operand");
  expect_throw<ShapeError>([&] { x += Tensor({{1.f}, {2.f}}); },
                           "+=: the result's shape (2, 2) is not the tensor's (2,); write x = x + y instead");
  expect_throw<ShapeError>([&] { x.copy_(Tensor({{1.f, 2.f}})); },
                           "copy_: a value of shape (1, 2) does not fit into shape (2,); it must broadcast to it");
}

bool is_made(const Tensor& x) { return x.op() != Op::Assign; }

TEST(Pending, IsMadeByTheNextRunOfItsThread) {
  const WithSettings lazily({.eager = false});
  Tensor x({1.f, 2.f}), other({3.f});
  x.assign(x * 2);
  EXPECT_FALSE(is_made(x));
  (void)(other + 1).realize();
  EXPECT_TRUE(is_made(x));
  expect_equal(x, {2}, {2, 4});
  x.assign(x + 1);
  std::thread([&] { (void)(other + 2).realize(); }).join();
  EXPECT_FALSE(is_made(x));
  Tensor elsewhere({1.f}, {.device = "null"});
  elsewhere.assign(elsewhere * 2);
  (void)(other + 3).realize();
  EXPECT_TRUE(is_made(x));
  EXPECT_FALSE(is_made(elsewhere));
  expect_equal(x, {2}, {3, 5});
}
TEST(Pending, ALoopThatAsksForItsLossAloneComputesNoStepTwice) {
  const WithSettings lazily({.eager = false});
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  Tensor x = Tensor::ones({8, 4}, {.device = "null"}).realize(), w = Tensor::ones({4}, {.device = "null", .requires_grad = true});
  Tensor mean = Tensor::zeros({4}, {.device = "null"}).realize();
  std::vector<int64_t> launches;
  for (int step = 0; step < 6; ++step) {
    const Tensor loss = (x * w).square().sum();
    w.zero_grad();
    loss.backward({.keep_graph = true});
    mean.assign(mean * 0.9 + (x * w).mean({.axis = {0}}).detach() * 0.1);
    const NoGrad none;
    w -= 0.1 * w.grad();
    null.reset();
    (void)Tensor(loss).realize();
    launches.push_back(null.counts().phases);
    EXPECT_TRUE(is_made(w) && is_made(mean)) << step;
    EXPECT_TRUE(w.requires_grad());
  }
  EXPECT_EQ(launches, std::vector<int64_t>(6, launches[0]));
}
TEST(Pending, WhatCannotBeMadeHasNotHappened) {
  const WithSettings lazily({.eager = false});
  Tensor x({1.f, 2.f}), other({3.f});
  x.assign(x.take(Tensor({0, 7}).realize()));
  const Tensor y = other + 1;
  EXPECT_THROW((void)y.item(), IndexError);
  EXPECT_TRUE(is_made(x));
  expect_equal(x, {2}, {1, 2});
  expect_equal(y, {1}, {4});
}
TEST(Pending, OfABatchIsLeftToItsFunction) {
  const WithSettings lazily({.eager = false});
  Tensor kept({1.f, 2.f}), other({3.f});
  const Tensor y = vmap([&](const Tensor& x) {
    kept.assign(kept + x);
    return x * 2;
  })(Tensor({1.f, 2.f, 3.f}));
  expect_equal(other + 1, {1}, {4});
  expect_equal(y, {3}, {2, 4, 6});
  EXPECT_THROW((void)kept.realize(), ValueError);
}
TEST(Pending, IsForgottenWithItsTensor) {
  const WithSettings lazily({.eager = false});
  auto& null = dynamic_cast<NullDevice&>(device("null"));
  const Tensor other = Tensor::ones({2}, {.device = "null"}).realize();
  {
    Tensor x = Tensor({1.f, 2.f}, {.device = "null"}).realize();
    x.assign(x.exp());
    EXPECT_FALSE(is_made(x));
  }
  null.reset();
  (void)(other + 1).realize();
  EXPECT_EQ(null.counts().phases, 1);
}

TEST(Parts, AreWrittenThrough) {
  Tensor x = Tensor::arange(12).reshape({3, 4});
  x[0][1] += 100;
  x[1] = 7;
  x[2][slice(1, 3)] *= 2;
  x[slice(none, none, 2)][slice(none, none, -1)][0][0] = -1;
  x[x == 7].zero_();
  expect_equal(x, {3, 4}, {0, 101, 2, 3, 0, 0, 0, 0, -1, 18, 20, 11});
  Tensor row = x[2];
  row -= 1;
  row.set(3, 50);
  expect_equal(x[2], {4}, {-2, 17, 19, 50});
  expect_equal(row, {4}, {-2, 17, 19, 50});
  x[none][0][1].fill_(9);
  expect_equal(x[1], {4}, {9, 9, 9, 9});
  const Tensor value = x.at(0);  // not a part
  Tensor(value).zero_();
  expect_equal(x[0], {4}, {0, 101, 2, 3});
  x[Tensor({1, 0})] += 1;
  expect_equal(x[1], {4}, {10, 10, 10, 10});
  x[Tensor({1, 0})][0] = 5;  // of a copy
  expect_equal(x[1], {4}, {10, 10, 10, 10});
  expect_throw<IndexError>([&] { (void)x[3]; }, "at: index 3 is out of range for axis 0 of size 3; it takes -3 to 2");
}
TEST(Parts, PassGradients) {
  const Tensor x = leaf({1, 2, 3}, {3}), v = leaf(5);
  Tensor y = x * 2;
  y[1] *= 3;
  y[slice(2, none)] = v * v;
  expect_equal(y, {3}, {2, 12, 25});
  y.sum().backward();
  expect_equal(x.grad(), {3}, {2, 6, 0});
  expect_equal(v.grad(), {1}, {10});
}

TEST(NotRecorded, EveryResultIsWithoutGradient) {
  const Tensor x = leaf({1, 2, 3, 4}, {2, 2});
  const NoGrad off;
  const std::pair<const char*, Tensor> same[] = {
      {"reshape", x.reshape({2, 2})}, {"cast", x.cast(float32)},         {"bitcast", x.bitcast(float32)},    {"to", x.to(x.device())},
      {"clamp", x.clamp({})},         {"dropout", x.dropout(0.5, false)}, {"permute", x.permute({0, 1})},     {"expand", x.expand({2, 2})},
      {"pad", x.pad({{0, 0}})},       {"shrink", x.shrink({{0, 2}})},     {"squeeze", x.squeeze()},           {"flip", x.flip({})},
      {"at", x.at(slice())},          {"repeat", x.repeat({1, 1})},       {"contiguous", x.contiguous()},     {"clone", x.clone()},
      {"flatten", x.flatten(0, 0)},   {"transpose", x.transpose(0, 0)},   {"roll", roll(x, {0}, {0})},        {"cat", cat({x})},
      {"sum", x.sum({.axis = {0}})},  {"trunc", x.trunc()},               {"split", x.split(2)[0]},           {"[]", x[slice()]},
  };
  for (const auto& [name, y] : same) EXPECT_FALSE(y.requires_grad()) << name;
}
TEST(SameValue, IsATensorOfItsOwn) {
  Tensor x({1.f, 2.f});
  for (Tensor y : {x.reshape({2}), x.cast(float32), x.clamp({}), x.dropout(0.5, false), x.to(x.device()), x.permute({0})}) {
    y += 1;
    expect_equal(y, {2}, {2, 3});
  }
  expect_equal(x, {2}, {1, 2});
}

}  // namespace
}  // namespace tg
