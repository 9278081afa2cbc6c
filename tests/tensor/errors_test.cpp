// What mistakes are answered with, held in errors.txt: what was called, with which shapes or dtypes, and what to do instead, in at most ten
// lines. After a change to a message
//   TG_UPDATE_GOLDEN=1 build/release/bin/test_tensor --gtest_filter='Errors.*'
// writes the file anew; the difference is read before it is committed.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor_testing.hpp"

namespace tg {
namespace {

Tensor f(const Sizes& shape) { return Tensor::zeros(shape); }
Tensor i(const Sizes& shape) { return Tensor::zeros(shape, {.dtype = int32}); }
Tensor b(const Sizes& shape) { return Tensor::zeros(shape, {.dtype = bool_}); }
const Tensor x;  // undefined
using Lengths = Sizes;
using List = std::vector<Tensor>;
using Pairs = std::vector<std::pair<int64_t, int64_t>>;

struct Call {
  const char* text;
  void (*run)();
};
// The text of a call is its code.
#define CALL(...) {#__VA_ARGS__, [] { (void)(__VA_ARGS__); }}
constexpr Call kCalls[] = {
    // creation
    CALL(Tensor({{1, 2}, {3}})),
    CALL(Tensor::zeros({2, -1})),
    CALL(Tensor::from(std::vector{1, 2, 3}, {2, 2})),
    CALL(Tensor::full({2}, 300, {.dtype = int8})),
    CALL(Tensor::arange(0, 1, 0)),
    CALL(Tensor::eye(-2)),
    CALL(linspace(0, 1, -3)),
    CALL(meshgrid({f({2, 3})})),
    CALL(Tensor::rand({2}, {.dtype = int32})),
    CALL(Tensor::randint({2}, 5, 5)),
    CALL(Tensor::uniform({2}, {.low = 1, .high = 0})),
    CALL(normal({2}, {.std = -1})),
    CALL(xavier_uniform({3})),
    CALL(multinomial(f({3}), 4)),
    CALL(bernoulli(i({3}))),
    CALL(x.shape()),
    CALL(f({2}) + x),
    // elementwise
    CALL(f({2, 3}) + f({4})),
    CALL(i({2}) + 5000000000),
    CALL(Tensor({1}, {.dtype = int8}) * 300),
    CALL(b({2}).neg()),
    CALL(b({2}) - b({2})),
    CALL(f({2}) & i({2})),
    CALL(f({2}) << 1),
    CALL(pow(i({2}), -1)),
    CALL(where(f({2}), 1, f({2}))),
    CALL(f({2}).bitwise_not()),
    CALL(f({3}).bitcast(float64)),
    CALL(b({2}).view(int8)),
    CALL(i({2}).round(-19)),
    CALL(f({2}).clamp({.min = 1, .max = 0})),
    CALL(f({2}).dropout(1.5)),
    CALL(f({2, 3}).glu()),
    CALL(f({2, 3}).prelu(f({2}))),
    CALL(finfo(int32)),
    CALL(iinfo(float32)),
    // reductions and orders
    CALL(f({2, 3}).sum({.axis = 2})),
    CALL(f({2, 3}).sum({.axis = {0, 0}})),
    CALL(f({0, 3}).max({.axis = 0})),
    CALL(f({2, 3}).argmax({.axis = {0, 1}})),
    CALL(f({2}).softmax(1)),
    CALL(f({2}).cumsum(-2)),
    CALL(f({2, 3}).topk(4)),
    CALL(f({2, 3}).sort({.axis = 2})),
    CALL(norm(b({2, 3}), {.axis = 3})),
    // movement
    CALL(f({2, 3}).reshape({4})),
    CALL(f({2, 3}).reshape({-1, -1})),
    CALL(f({2, 3}).reshape({4, -1})),
    CALL(f({2, 3}).unflatten(1, {2, 2})),
    CALL(f({2, 3}).permute({0, 0})),
    CALL(f({2, 3}).transpose(0, 2)),
    CALL(f({2, 3}).expand({4, 3})),
    CALL(f({2, 3}).repeat({2})),
    CALL(f({2, 3}).squeeze(0)),
    CALL(f({2, 3}).unsqueeze(4)),
    CALL(f({2, 3}).split(0)),
    CALL(f({5}).split(Lengths{2, 2})),
    CALL(f({5}).chunk(0)),
    CALL(f({2}).pad({{1, 1}, {1, 1}})),
    CALL(pad(f({2}), {{3, 0}}, PadMode::Reflect)),
    CALL(f({2, 3}).shrink({{0, 2}, {1, 4}})),
    CALL(stack({f({2}), f({3})})),
    CALL(cat({f({2, 3}), f({3, 2})})),
    CALL(cat(List{})),
    CALL(roll(f({2, 3}), {1, 1}, 0)),
    CALL(unfold(f({4}), 0, 5, 1)),
    CALL(diag(f({2, 2, 2}))),
    CALL(tril(f({2}))),
    CALL(rearrange(f({2, 3}), "a b -> a c")),
    CALL(rearrange(f({6}), "(a b) -> a b")),
    // indexing
    CALL(f({2, 3}).at(2)),
    CALL(f({2, 3}).at(0, 0, 0)),
    CALL(f({4}).at(slice(0, 4, 0))),
    CALL(f({4}).at(f({2}))),
    CALL(f({4}).at(b({3}))),
    CALL(f({4}).set(slice(0, 2), f({3}))),
    CALL(f({4}).assign(f({3}))),
    CALL(f({2, 3}).gather(0, i({2}))),
    CALL(f({2, 3}).take(f({2}))),
    CALL(take_along_dim(f({2, 3}), i({4, 3}), 1)),
    CALL(take_along_dim(f({2, 3}), i({2}), 1)),
    CALL(scatter(f({3}), 0, i({2}), f({1}))),
    CALL(scatter(f({3}), 0, i({2}), i({2}))),
    CALL(index_add(f({3}), 0, i({2}), f({3}))),
    CALL(masked_fill(f({3}), i({3}), 0)),
    CALL(masked_fill(f({3}), b({2, 3}), 0)),
    CALL(one_hot(f({3}))),
    CALL(repeat_interleave(f({3}), i({2}), 0)),
    // products and windows
    CALL(f({2, 3}).matmul(f({4, 5}))),
    CALL(f({}).matmul(f({3}))),
    CALL(einsum("ij,jk", {f({2, 3})})),
    CALL(einsum("ij,jk", {f({2, 3}), f({4, 5})})),
    CALL(einsum("ij->ik", {f({2, 3})})),
    CALL(tensordot(f({2, 3}), f({2, 3}), 1)),
    CALL(outer(f({2, 3}), f({2}))),
    CALL(conv2d(f({1, 3, 8, 8}), f({4, 2, 3, 3}))),
    CALL(conv2d(f({1, 3, 8, 8}), f({4, 3, 3, 3}), {.groups = 2})),
    CALL(conv2d(f({1, 3, 2, 2}), f({4, 3, 3, 3}))),
    CALL(conv2d(f({1, 3, 8, 8}), f({4, 3, 3, 3}), {.stride = 0})),
    CALL(conv2d(f({1, 3, 8, 8}), f({4, 3, 3, 3}), f({3}))),
    CALL(conv_transpose2d(f({1, 3, 8, 8}), f({4, 2, 3, 3}))),
    CALL(max_pool2d(f({8}))),
    CALL(max_pool2d(f({1, 1, 8, 8}), {.size = 2, .padding = 2})),
    CALL(adaptive_avg_pool2d(f({1, 1, 8, 8}), 0)),
    CALL(interpolate(f({1, 1, 8}), {})),
    // norms, attention, losses
    CALL(f({2, 3}).layer_norm(f({2}), f({2}))),
    CALL(f({2, 3}).batch_norm(f({2}), f({3}), f({3}), f({3}))),
    CALL(group_norm(f({2, 6}), 4, x, x)),
    CALL(scaled_dot_product_attention(f({2, 3, 4}), f({2, 5, 6}), f({2, 5, 4}))),
    CALL(mse_loss(f({2}), f({3}))),
    CALL(huber_loss(f({2}), f({2}), 0)),
    CALL(nll_loss(f({2, 3}), i({3}))),
    CALL(nll_loss(f({2, 3}), f({2}))),
    CALL(cross_entropy(f({2, 3}), i({2}), {.label_smoothing = 2})),
    CALL(f({}).cross_entropy(i({}))),
    // values and gradients
    CALL(f({2}).item()),
    CALL(f({2}).backward({.seed = f({3})})),
    CALL(f({2}).set_requires_grad().backward()),
    CALL(f({}).backward()),
    CALL(f({}).grad()),
    CALL(i({2}).set_requires_grad()),
    CALL((f({2}).set_requires_grad() * 2).set_requires_grad(false)),
    CALL(f({2}).set_grad(f({3}))),
    CALL(gradient(f({}), {f({})})),
    CALL(explain(f({2}), "everything")),
};

/// "ShapeError: add: ...", or that nothing was thrown.
template <class E>
std::string answer(const char* kind, const E& e) { return std::string(kind) + ": " + e.what(); }
std::string answer(const Call& call) {
  try {
    call.run();
    return "nothing was thrown";
  } catch (const ShapeError& e) { return answer("ShapeError", e);
  } catch (const DTypeError& e) { return answer("DTypeError", e);
  } catch (const IndexError& e) { return answer("IndexError", e);
  } catch (const DeviceError& e) { return answer("DeviceError", e);
  } catch (const ValueError& e) { return answer("ValueError", e);
  } catch (const GradientError& e) { return answer("GradientError", e); }
}

TEST(Errors, AreWhatTheyWere) {
  const auto file = std::filesystem::path(TG_SOURCE_DIR) / "tests/tensor/errors.txt";
  std::string now;
  for (const Call& call : kCalls) {
    const std::string text = answer(call);
    EXPECT_NE(text, "nothing was thrown") << call.text;
    EXPECT_LE(std::ranges::count(text, '\n'), 9) << call.text;
    now += std::string(call.text) + "\n  " + text + "\n\n";
  }
  if (std::getenv("TG_UPDATE_GOLDEN")) std::ofstream(file) << now;
  std::stringstream before;
  before << std::ifstream(file).rdbuf();
  EXPECT_EQ(before.str(), now) << "if this is meant: TG_UPDATE_GOLDEN=1 test_tensor --gtest_filter='Errors.*', and read the difference";
}

}  // namespace
}  // namespace tg
