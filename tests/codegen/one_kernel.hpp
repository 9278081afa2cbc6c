#pragma once
// A program that is one kernel, with its memory: run with whatever verbs, its result is compared.
//
//   const Case c(Inputs{"cpu"}({7, 5}).sum(), device("cpu"));        EXPECT_EQ(c.run(Verbs{}), c.run(parse_verbs("tile(i0, 2, loop)")));
#include <gtest/gtest.h>

#include <bit>

#include "codegen/codegen.hpp"
#include "engine/canonical.hpp"
#include "engine/kernels.hpp"
#include "schedule/plan.hpp"
#include "tensor/impl.hpp"
#include "tg/device.hpp"
#include "tg/tg.hpp"

namespace tg {

using Numbers = std::vector<double>;

// Inputs of small whole numbers, so that sums are exact in any order.
struct Inputs {
  std::string device;
  Tensor operator()(const Sizes& shape) const {
    int64_t n = 1;
    for (int64_t s : shape) n *= s;
    std::vector<float> data(static_cast<size_t>(n));
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>((i * 7 + i / 5) % 11) - 5;
    return Tensor::from(data, shape, {.device = device}).realize();
  }
  Tensor indices(int64_t n, int64_t bound) const {
    std::vector<int32_t> data(static_cast<size_t>(n));
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<int32_t>(static_cast<int64_t>(i * i + 3) % bound);
    return Tensor::from(data, {n}, {.device = device}).realize();
  }
};

struct TestProgram {
  const char* name;
  Tensor (*build)(const Inputs&);
};

inline Tensor half(const Tensor& x) { return x.cast(bfloat16).realize(); }

// One kernel and the memory it runs over.
struct Case {
  Case(const Tensor& y, Device& d) : Case(std::vector{y}, d) {}
  Case(const std::vector<Tensor>& stored, Device& d) : device(d), like(stored) {
    std::vector<UOp> nodes;
    for (const Tensor& y : like) nodes.push_back(node_of(y, "test"));
    const Canonical c(nodes);
    const Plan p = schedule(c.roots());
    if (p.launches.size() != 1) throw InternalError("this test wants one kernel:\n" + to_string(p));
    kernel = p.launches[0].kernel;
    for (int b : p.launches[0].buffers) {
      const PlanBuffer& of = p.buffers[static_cast<size_t>(b)];
      const bool given = of.kind == PlanBuffer::Kind::Input;
      buffers.push_back(given ? c.inputs[static_cast<size_t>(of.input)]
                              : make_buffer(d, static_cast<size_t>(of.elements.value()) * size_of(of.dtype)));
    }
  }
  Numbers run(const Verbs& verbs) const { return run(generate(kernel, device.target(), verbs)); }
  Numbers run(const Generated& g) const {
    std::vector<PhaseInfo> infos;
    std::vector<Grid> grids;
    for (const LoweredPhase& p : g.phases) {
      infos.push_back({p.phase.entry, p.phase.written, p.phase.scratch_bytes, {p.phase.block[0], p.phase.block[1], p.phase.block[2]}});
      grids.push_back({{p.grid[0].value(), p.grid[1].value(), p.grid[2].value()}});
    }
    const auto program = device.load(device.compile(source(g, device.target())), infos);
    std::vector<std::shared_ptr<Buffer>> all = buffers;
    for (const auto& [dtype, n] : g.temporaries) all.push_back(make_buffer(device, static_cast<size_t>(n.value()) * size_of(dtype)));
    std::vector<MemoryRef> refs;
    for (const auto& b : all) refs.push_back(b->ref());
    const auto slot = [&](size_t i) { return static_cast<size_t>(kernel.stores[i].src(0).as<ParamArg>().slot); };
    std::vector<std::vector<float>> out;
    for (size_t i = 0; i < like.size(); ++i) {
      out.emplace_back(static_cast<size_t>(like[i].numel()), -1e30f);
      device.copy_in(refs[slot(i)], out[i].data(), out[i].size() * sizeof(float));
    }
    device.launch(*program, {refs, {}, grids});
    EXPECT_FALSE(device.synchronize());
    Numbers numbers;
    for (size_t i = 0; i < like.size(); ++i) {
      device.copy_out(out[i].data(), refs[slot(i)], out[i].size() * sizeof(float));
      for (float& v : out[i]) numbers.push_back(like[i].dtype() == int32 ? std::bit_cast<int32_t>(v) : v);
    }
    return numbers;
  }

  Device& device;
  std::vector<Tensor> like;  // what it stores
  Kernel kernel;
  std::vector<std::shared_ptr<Buffer>> buffers;
};

// d(convolution)/d(its weight): x's shape, w's shape.
inline Tensor weight_gradient(const Inputs& in, const Sizes& image, const Sizes& kernel) {
  const Tensor w = Tensor::zeros(kernel, {.device = in.device, .requires_grad = true}), y = in(image).conv2d(w);
  return gradient(y, {w}, {.seed = in(y.shape())})[0];
}
// d(convolution)/d(its input): x's shape, w's shape.
inline Tensor input_gradient(const Inputs& in, const Sizes& image, const Sizes& kernel, const ConvOptions& o = {}) {
  const Tensor x = Tensor::zeros(image, {.device = in.device, .requires_grad = true}), y = x.conv2d(in(kernel), o);
  return gradient(y, {x}, {.seed = in(y.shape())})[0];
}

}  // namespace tg
