// Movement is one walk over a row-major array beside a strided one; reductions run the monoid's own row for each element.
#include "runtime/interpreter/tensor_ops.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "ir/monoid.hpp"
#include "runtime/interpreter/scalar_code.hpp"
#include "tg/error.hpp"

namespace tg::interpreter {
namespace {

Sizes strides_of(const Sizes& shape) {
  Sizes s(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) s[i - 1] = s[i] * shape[i];
  return s;
}
int64_t product(const Sizes& s, size_t from, size_t to) {
  return std::accumulate(s.begin() + static_cast<ptrdiff_t>(from), s.begin() + static_cast<ptrdiff_t>(to), int64_t{1}, std::multiplies<>());
}

/// f(i, at) for all elements in row-major order: i counts them, at = offset + sum of index times stride.
template <class F> void walk(const Sizes& shape, const Sizes& strides, int64_t offset, F f) {
  const int64_t n = product(shape, 0, shape.size());
  Sizes index(shape.size());
  for (int64_t i = 0, at = offset; i < n; ++i) {
    f(static_cast<size_t>(i), static_cast<size_t>(at));
    for (size_t d = shape.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= index[d] * strides[d];
      index[d] = 0;
    }
  }
}

void copy_element(HostArray& to, size_t i, const HostArray& from, size_t j) {
  const size_t size = size_of(to.dtype);
  std::memcpy(to.bytes.data() + i * size, from.bytes.data() + j * size, size);
}

Sizes window_strides(const WindowArg& w, const Sizes& unwindowed) {
  Sizes s = strides_of(unwindowed);
  const int64_t step = s[static_cast<size_t>(w.axis)];
  s[static_cast<size_t>(w.axis)] = step * w.stride;
  s.push_back(step * w.dilation);
  return s;
}

/// An axis seen as lines: for each (outer, inner) the elements at first + k * step, k < length.
struct Lines {
  int64_t outer, length, inner;
  Lines(const Sizes& shape, int64_t axis)
      : outer(product(shape, 0, static_cast<size_t>(axis))), length(shape[static_cast<size_t>(axis)]),
        inner(product(shape, static_cast<size_t>(axis) + 1, shape.size())) {}
  template <class F> void each(F f) const {  // f(first)
    for (int64_t o = 0; o < outer; ++o) for (int64_t i = 0; i < inner; ++i) f(o * length * inner + i);
  }
};

int64_t checked(const HostArray& index, size_t i, std::string_view op, int64_t axis, int64_t bound) {
  const int64_t at = index.integer(i);
  if (at < 0 || at >= bound) throw IndexError(fmt::format("{}: index {} is outside axis {} of size {}", op, at, axis, bound));
  return at;
}

DType wide(DType t) { return is_float(t) ? DType::float64 : t; }  // what sums are kept in
HostArray converted(const HostArray& a, DType to) {
  if (a.dtype == to) return a;
  HostArray out(to, a.shape);
  for (size_t i = 0; i < static_cast<size_t>(a.numel()); ++i) out.set(i, convert(a.at(i), a.dtype, to));
  return out;
}
void add_to(HostArray& sum, size_t i, Number v) { sum.set(i, evaluate(Op::Add, sum.dtype, sum.dtype, sum.at(i), v)); }

/// The running state of many reductions of one monoid: combine(state, lift(value, index)) as one piece of code.
class Folder {
 public:
  Folder(Monoid m, DType value)
      : monoid_(m), value_(value), wide_(wide(value)), count_(components(m)), code_(step(m, wide_)), in_(count_ + 2) {
    for (const UOp& u : identity(m, wide_)) identity_.push_back(value_of(u));
  }
  size_t count() const { return count_; }
  std::vector<Number> empty_states(size_t n) const {  // component after component of each state
    std::vector<Number> s;
    for (size_t i = 0; i < n; ++i) s.insert(s.end(), identity_.begin(), identity_.end());
    return s;
  }
  void feed(Number* state, Number value, int64_t index) {
    std::copy_n(state, count_, in_.data());
    in_[count_] = value;
    in_[count_ + 1] = {index, 0};
    code_.run(in_.data(), state);
  }
  Tuple results(const Sizes& shape) const {
    Tuple t;
    for (size_t c = 0; c < count_; ++c) t.emplace_back(component_dtype(monoid_, c, value_), shape);
    return t;
  }
  void store(Tuple& out, size_t i, const Number* state) const {
    for (size_t c = 0; c < count_; ++c) out[c].set(i, convert(state[c], component_dtype(monoid_, c, wide_), out[c].dtype));
  }

 private:
  static ScalarCode step(Monoid m, DType t) {
    std::vector<UOp> inputs;
    for (size_t c = 0; c < components(m); ++c) inputs.push_back(param(static_cast<int>(c), component_dtype(m, c, t)));
    const State state = inputs;
    inputs.push_back(param(static_cast<int>(inputs.size()), t));
    inputs.push_back(param(static_cast<int>(inputs.size()), DType::index));
    return {combine(m, state, lift(m, inputs[state.size()], inputs.back())), inputs};
  }
  Monoid monoid_;
  DType value_, wide_;
  size_t count_;
  ScalarCode code_;
  std::vector<Number> identity_, in_;
};

}  // namespace

HostArray movement(const UOp& node, const HostArray& in, const Sizes& out, const Sizes& arg) {
  HostArray r(in.dtype, out);
  Sizes strides = strides_of(in.shape);
  int64_t offset = 0;
  switch (node.op()) {
    case Op::Permute: {
      const Sizes of_source = strides;
      for (size_t i = 0; i < out.size(); ++i) strides[i] = of_source[static_cast<size_t>((*node.as<Ints>())[i])];
      break;
    }
    case Op::Expand:
      for (size_t i = 0; i < out.size(); ++i) if (in.shape[i] == 1) strides[i] = 0;
      break;
    case Op::Shrink:
      for (size_t i = 0; i < out.size(); ++i) offset += arg[2 * i] * strides[i];
      break;
    case Op::Flip:
      for (int64_t axis : *node.as<Ints>()) {
        const auto a = static_cast<size_t>(axis);
        offset += (in.shape[a] - 1) * strides[a];
        strides[a] = -strides[a];
      }
      break;
    case Op::Window: strides = window_strides(node.as<WindowArg>(), in.shape); break;
    case Op::Pad: {  // the source is walked, and the result is strided
      const Sizes to = strides_of(out);
      for (size_t i = 0; i < out.size(); ++i) offset += arg[2 * i] * to[i];
      walk(in.shape, to, offset, [&](size_t i, size_t at) { copy_element(r, at, in, i); });
      return r;
    }
    default: throw InternalError(fmt::format("interpreter: {} is not a movement of indices", name_of(node.op())));
  }
  walk(out, strides, offset, [&](size_t i, size_t at) { copy_element(r, i, in, at); });
  return r;
}

HostArray overlap_add(const HostArray& in, const WindowArg& w, const Sizes& out) {
  const HostArray values = converted(in, wide(in.dtype));
  HostArray sum(values.dtype, out);
  walk(in.shape, window_strides(w, out), 0, [&](size_t i, size_t at) { add_to(sum, at, values.at(i)); });
  return converted(sum, in.dtype);
}

HostArray gather(const HostArray& in, const HostArray& index, int64_t axis, const Sizes& out) {
  const Lines lines(in.shape, axis);
  HostArray r(in.dtype, out);
  const auto count = static_cast<size_t>(index.numel());
  if (r.numel() == 0) return r;
  for (size_t k = 0; k < count; ++k) {
    const int64_t at = checked(index, k, "Gather", axis, lines.length);
    for (int64_t o = 0; o < lines.outer; ++o)
      for (int64_t i = 0; i < lines.inner; ++i)
        copy_element(r, (static_cast<size_t>(o) * count + k) * static_cast<size_t>(lines.inner) + static_cast<size_t>(i), in,
                     static_cast<size_t>((o * lines.length + at) * lines.inner + i));
  }
  return r;
}

Tuple scatter(HostArray base, const HostArray& index, const HostArray& values, ScatterArg arg) {
  const Lines lines(base.shape, arg.axis);
  const bool adds = arg.mode == ScatterMode::Add;
  HostArray r = adds ? converted(base, wide(base.dtype)) : base, before(r.dtype, values.shape);
  const auto count = static_cast<size_t>(index.numel());
  if (values.numel() == 0) return {base, converted(before, base.dtype)};
  for (size_t k = 0; k < count; ++k) {
    const int64_t at = checked(index, k, "Scatter", arg.axis, lines.length);
    for (int64_t o = 0; o < lines.outer; ++o)
      for (int64_t i = 0; i < lines.inner; ++i) {
        const auto to = static_cast<size_t>((o * lines.length + at) * lines.inner + i);
        const size_t from = (static_cast<size_t>(o) * count + k) * static_cast<size_t>(lines.inner) + static_cast<size_t>(i);
        copy_element(before, from, r, to);
        if (adds) add_to(r, to, convert(values.at(from), values.dtype, r.dtype));
        else copy_element(r, to, values, from);
      }
  }
  return {converted(r, base.dtype), converted(before, base.dtype)};
}

Tuple reduce(const HostArray& in, ReduceArg arg) {
  // Where an element's state is, and where it lies among the elements reduced with it: both linear in its index.
  Sizes shape = in.shape, kept, among(in.shape.size(), 0), reduced;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool gone = arg.axes >> i & 1;
    reduced.push_back(gone ? shape[i] : 1);
    if (gone) shape[i] = 1;
  }
  kept = strides_of(shape);
  among = strides_of(reduced);
  for (size_t i = 0; i < shape.size(); ++i) (arg.axes >> i & 1 ? kept : among)[i] = 0;

  Folder folder(arg.monoid, in.dtype);
  Tuple out = folder.results(shape);
  const auto n = static_cast<size_t>(out[0].numel());
  std::vector<Number> states = folder.empty_states(n);
  std::vector<int64_t> position;
  if (arg.monoid == Monoid::ArgMax) {
    position.resize(static_cast<size_t>(in.numel()));
    walk(in.shape, among, 0, [&](size_t i, size_t at) { position[i] = static_cast<int64_t>(at); });
  }
  walk(in.shape, kept, 0, [&](size_t i, size_t at) {
    folder.feed(&states[at * folder.count()], in.at(i), position.empty() ? 0 : position[i]);
  });
  for (size_t i = 0; i < n; ++i) folder.store(out, i, &states[i * folder.count()]);
  return out;
}

Tuple scan(const HostArray& in, ScanArg arg) {
  const Lines lines(in.shape, arg.axis);
  Folder folder(arg.monoid, in.dtype);
  Tuple out = folder.results(in.shape);
  lines.each([&](int64_t first) {
    std::vector<Number> state = folder.empty_states(1);
    for (int64_t k = 0; k < lines.length; ++k) {
      const auto i = static_cast<size_t>(first + k * lines.inner);
      if (!arg.inclusive) folder.store(out, i, state.data());
      folder.feed(state.data(), in.at(i), k);
      if (arg.inclusive) folder.store(out, i, state.data());
    }
  });
  return out;
}

Tuple sort(const HostArray& in, SortArg arg) {
  const Lines lines(in.shape, arg.axis);
  Tuple out{HostArray(in.dtype, in.shape), HostArray(DType::index, in.shape)};
  std::vector<size_t> order(static_cast<size_t>(lines.length));
  lines.each([&](int64_t first) {
    const auto at = [&](size_t k) { return static_cast<size_t>(first) + k * static_cast<size_t>(lines.inner); };
    const auto before = [&](size_t a, size_t b) {
      const Number x = in.at(at(arg.descending ? b : a)), y = in.at(at(arg.descending ? a : b));
      if (is_float(in.dtype) && (std::isnan(x.d) || std::isnan(y.d))) return !std::isnan(in.at(at(a)).d) && std::isnan(in.at(at(b)).d);
      return evaluate(Op::Less, in.dtype, DType::bool_, x, y).i != 0;
    };
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return before(a, b) || (!before(b, a) && a < b); });  // stable
    for (size_t k = 0; k < order.size(); ++k) {
      copy_element(out[0], at(k), in, at(order[k]));
      out[1].set(at(k), {static_cast<int64_t>(order[k]), 0});
    }
  });
  return out;
}

}  // namespace tg::interpreter
