#pragma once
// Tensor: an n-dimensional array that knows how it was computed.
//
//   tg::Tensor x({2.0f}, {.requires_grad = true});
//   tg::Tensor y = x * x + sin(x);        nothing is computed yet: y holds the graph of its definition
//   y.backward();                         x.grad() is 2x + cos(x), a graph as well
//   float slope = x.grad().item<float>(); now it is scheduled, compiled and run
//
// A Tensor is a handle: copies alias one value, const is shallow, Tensor() is undefined and can be assigned to. Operations never change
// their operands; they are lazy until a value is asked for (item, to_vector, printing, realize), and errors in shapes, dtypes, indices and
// devices are thrown by the call that makes them (ShapeError, DTypeError, IndexError, ValueError, DeviceError).
//
// Dtypes of results. Two tensors: promote(a, b) of tg/dtype.hpp. A plain number beside a tensor is weak: it takes the tensor's dtype,
// except that a float beside integers or bool gives float32, and an integer beside bool gives int32. `/`, exp, mean and all else that
// leaves the integers gives float32 for integers. Sums of bool and of integers narrower than 32 bits are int32 (uint32 for unsigned ones).
// 16-bit floats are summed, and every function that takes several steps is computed, in float32 and rounded once at the end.
//
// Broadcasting: shapes are aligned at their last axis; sizes must be equal or 1, and missing leading axes are of size 1.
//
// Threads: any number may read one tensor (use it in operations, realize it, take its value) and call backward at once; other writes to
// one tensor (assign, set, +=, set_requires_grad) are the caller's to order.
#include <concepts>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tg/error.hpp"
#include "tg/grad_mode.hpp"
#include "tg/index.hpp"
#include "tg/op.hpp"
#include "tg/options.hpp"
#include "tg/scalar.hpp"
#include "tg/value.hpp"

namespace tg {

class Tensor;

/// A tensor or a plain number, as an argument only.
class Operand {
 public:
  Operand(const Tensor& t) : tensor(&t), scalar(0) {}
  Operand(const Scalar& s) : scalar(s) {}
  template <detail::Arithmetic Number>
  Operand(Number v) : scalar(v) {}
  const Tensor* tensor = nullptr;  // null: the scalar
  Scalar scalar;
};

/// A bias as an argument only: a tensor, or Tensor() for none, but never what stands in braces, which are options.
class Bias {
 public:
  template <class T>
    requires std::is_same_v<T, Tensor>
  Bias(const T& t) : tensor(t) {}
  const Tensor& tensor;
};

// Elementwise functions of two operands, at least one of them a tensor; shapes broadcast. The operators are these.
[[nodiscard]] Tensor add(const Operand& a, const Operand& b);
[[nodiscard]] Tensor sub(const Operand& a, const Operand& b);        // not of bool
[[nodiscard]] Tensor mul(const Operand& a, const Operand& b);
[[nodiscard]] Tensor div(const Operand& a, const Operand& b);        // true division; of integers in float32
[[nodiscard]] Tensor floor_div(const Operand& a, const Operand& b);  // rounds down, as Python's //; an integer by 0 is 0
[[nodiscard]] Tensor mod(const Operand& a, const Operand& b);        // a - floor_div(a, b) * b, as Python's %; an integer by 0 is 0
/// a to the b. Powers of integers are exact (and wrap); of floats within 4 units in the last place; negative a only to whole b, else nan.
/// ValueError: integers to a negative number.
[[nodiscard]] Tensor pow(const Operand& a, const Operand& b);
[[nodiscard]] Tensor maximum(const Operand& a, const Operand& b);    // nan if either is
[[nodiscard]] Tensor minimum(const Operand& a, const Operand& b);
[[nodiscard]] Tensor eq(const Operand& a, const Operand& b);         // comparisons give bool; nan is unequal to all
[[nodiscard]] Tensor ne(const Operand& a, const Operand& b);
[[nodiscard]] Tensor lt(const Operand& a, const Operand& b);
[[nodiscard]] Tensor le(const Operand& a, const Operand& b);
[[nodiscard]] Tensor gt(const Operand& a, const Operand& b);
[[nodiscard]] Tensor ge(const Operand& a, const Operand& b);
[[nodiscard]] Tensor bitwise_and(const Operand& a, const Operand& b);  // of integers and bool
[[nodiscard]] Tensor bitwise_or(const Operand& a, const Operand& b);
[[nodiscard]] Tensor bitwise_xor(const Operand& a, const Operand& b);
[[nodiscard]] Tensor left_shift(const Operand& a, const Operand& b);   // of integers; a shift beyond the width gives 0
[[nodiscard]] Tensor right_shift(const Operand& a, const Operand& b);  // copies the sign bit of signed integers
[[nodiscard]] Tensor logical_and(const Operand& a, const Operand& b);  // of any dtype, as != 0
[[nodiscard]] Tensor logical_or(const Operand& a, const Operand& b);
[[nodiscard]] Tensor logical_xor(const Operand& a, const Operand& b);
/// a where the condition (bool) is true, else b; all three broadcast, a and b promote.
[[nodiscard]] Tensor where(const Tensor& condition, const Operand& a, const Operand& b);

struct BackwardOptions;
struct Found;
struct NormOf;  // contract.hpp

namespace detail {
struct TensorImpl;  // src/tensor/impl.hpp

/// Shared ownership, without <memory>, which is half the cost of a header like this.
class Handle {
 public:
  Handle() = default;
  explicit Handle(TensorImpl* adopted) : impl_(adopted) {}
  Handle(const Handle& o) noexcept : impl_(o.impl_) { retain(impl_); }
  Handle(Handle&& o) noexcept : impl_(std::exchange(o.impl_, nullptr)) {}
  Handle& operator=(Handle o) noexcept { std::swap(impl_, o.impl_); return *this; }
  ~Handle() { release(impl_); }
  [[nodiscard]] TensorImpl* get() const { return impl_; }
  TensorImpl* operator->() const { return impl_; }
  TensorImpl& operator*() const { return *impl_; }
  explicit operator bool() const { return impl_ != nullptr; }

 private:
  static void retain(TensorImpl*) noexcept;
  static void release(TensorImpl*) noexcept;
  TensorImpl* impl_ = nullptr;
};
}  // namespace detail

class Tensor {  // an array that knows how it was computed: see the head of this file
 public:
  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) = default;
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & = default;
  ~Tensor() = default;
  Tensor& operator=(const Operand& value) && { return copy_(value); }  // x[i] = value
  /// Data, never a shape: Tensor({{1.f, 2.f}, {3.f, 4.f}}). Dtypes of literals: see tg/value.hpp. ShapeError where lists differ in length.
  Tensor(std::initializer_list<Value> values, const TensorOptions& options = {});
  /// A copy of a vector's, array's or span's elements in row-major order; the C++ element type's own dtype (double stays float64).
  template <class Container>
    requires requires(const Container& c) { std::data(c); std::size(c); }
  [[nodiscard]] static Tensor from(const Container& data, const Sizes& shape, const TensorOptions& options = {}) {
    return from_memory(std::data(data), static_cast<int64_t>(std::size(data)), detail::dtype_of<std::decay_t<decltype(*std::data(data))>>(),
                       shape,
                       options);
  }
  template <class Container>
    requires requires(const Container& c) { std::data(c); std::size(c); }
  [[nodiscard]] static Tensor from(const Container& data) { return from(data, {static_cast<int64_t>(std::size(data))}); }
  /// The same of `count` elements of `dtype` at `data`, in the machine's byte order; converted where options ask for another dtype.
  [[nodiscard]] static Tensor from_memory(const void* data, int64_t count, DType dtype, const Sizes& shape,
                                          const TensorOptions& options = {});

  [[nodiscard]] static Tensor full(const Sizes& shape, Scalar value, const TensorOptions& options = {});  // dtype of a literal
  [[nodiscard]] static Tensor zeros(const Sizes& shape, const TensorOptions& options = {});               // float32 unless told
  [[nodiscard]] static Tensor ones(const Sizes& shape, const TensorOptions& options = {});                // float32 unless told
  /// start, start + step, ... before stop: ceil((stop - start) / step) numbers. ValueError: a step of 0.
  [[nodiscard]] static Tensor arange(Scalar start, Scalar stop, Scalar step = 1, const TensorOptions& options = {});
  [[nodiscard]] static Tensor arange(Scalar stop, const TensorOptions& options = {}) { return arange(0, stop, 1, options); }
  /// Ones on the diagonal, (rows, columns); columns -1: square.
  [[nodiscard]] static Tensor eye(int64_t rows, int64_t columns = -1, const TensorOptions& options = {});
  [[nodiscard]] static Tensor eye(int64_t rows, const TensorOptions& options) { return eye(rows, rows, options); }
  // Random numbers: tg/random.hpp says from which generator.
  [[nodiscard]] static Tensor rand(const Sizes& shape, const TensorOptions& options = {});   // uniform in [0, 1)
  [[nodiscard]] static Tensor randn(const Sizes& shape, const TensorOptions& options = {});  // normal, mean 0, variance 1
  /// Integers in [low, high), int32 unless options say otherwise. ValueError: an empty range, or one that the dtype does not hold.
  [[nodiscard]] static Tensor randint(const Sizes& shape, int64_t low, int64_t high, const TensorOptions& options = {});
  [[nodiscard]] static Tensor uniform(const Sizes& shape, const UniformOptions& options = {});
  /// Uniform in +-sqrt(6 / ((1 + a^2) fan_in)), fan_in the elements per first index: He et al. 2015, as PyTorch with slope a.
  [[nodiscard]] static Tensor kaiming_uniform(const Sizes& shape, double a = 0, const TensorOptions& options = {});
  /// Along a new axis; along an existing one. Shapes (but for cat's axis) must be equal; dtypes promote.
  [[nodiscard]] static Tensor stack(const std::vector<Tensor>& tensors, int axis = 0);
  [[nodiscard]] static Tensor cat(const std::vector<Tensor>& tensors, int axis = 0);

  // ---- what it is; all but defined() throw ValueError on an undefined tensor ----
  [[nodiscard]] bool defined() const { return static_cast<bool>(impl_); }
  [[nodiscard]] Sizes shape() const;
  [[nodiscard]] int64_t size(int axis) const;
  [[nodiscard]] int rank() const;
  [[nodiscard]] int dim() const { return rank(); }
  [[nodiscard]] int64_t numel() const;
  [[nodiscard]] DType dtype() const;
  [[nodiscard]] std::string device() const;
  // The graph, to look at: the op that defines it, its operands (as tensors that cannot be differentiated through), whether it has none.
  [[nodiscard]] Op op() const;
  [[nodiscard]] std::vector<Tensor> parents() const;
  [[nodiscard]] bool is_leaf() const;

  // ---- its value ----
  /// Computes the value, once. Where nothing requires a gradient the history is dropped, else kept for backward. Several tensors at
  /// once, so that they share kernels: tg::realize.
  const Tensor& realize() const;
  /// The value of a tensor with one element; ShapeError otherwise. item<T>() converts as Scalar::to.
  [[nodiscard]] Scalar item() const;
  template <detail::Arithmetic Number>
  [[nodiscard]] Number item() const {
    return item().to<Number>();
  }
  /// All elements in row-major order, converted as Scalar::to.
  template <detail::Arithmetic Number>
  [[nodiscard]] std::vector<Number> to_vector() const {
    if constexpr (std::is_same_v<Number, bool>) {
      const auto bytes = to_vector<uint8_t>();
      return std::vector<bool>(bytes.begin(), bytes.end());
    } else {
      realize();  // first, so that what no memory holds is a DeviceError
      std::vector<Number> out(static_cast<size_t>(numel()));
      copy_out(out.data(), detail::dtype_of<Number>());
      return out;
    }
  }
  /// All elements in row-major order, as `dtype`, to memory that holds numel() of them.
  void copy_out(void* to, DType dtype) const;
  explicit operator bool() const { return item().to<bool>(); }
  /// As NumPy prints arrays.
  friend std::ostream& operator<<(std::ostream& out, const Tensor& t) { return t.print(out); }
  [[nodiscard]] std::string str() const;
  /// As NumPy's repr: "Tensor([1., 2.], dtype=float16, requires_grad=True)", without what a literal has anyway.
  [[nodiscard]] std::string repr() const;

  // ---- gradients ----
  [[nodiscard]] bool requires_grad() const;
  /// Makes a leaf: its value is computed, its history dropped, and backward will give it a gradient. DTypeError unless it is a float.
  Tensor& set_requires_grad(bool on = true);
  /// d(this)/d(leaf), added to grad() of every leaf below that requires one. This tensor must have one element, or a seed of its shape;
  /// afterwards its history is dropped, unless keep_graph says otherwise. GradientError: no leaf below, or backward ran before.
  void backward() const;
  void backward(const BackwardOptions& options) const;
  template <std::same_as<Tensor> T>  // the seed; never what stands in braces
  void backward(const T& seed) const { backward_from(seed); }
  /// The accumulated gradient. GradientError where there is none yet. A handle taken before a further backward keeps the older value.
  [[nodiscard]] Tensor grad() const;
  [[nodiscard]] bool has_grad() const;
  void set_grad(const Tensor& gradient) const;  // of this tensor's shape; Tensor() removes it
  void zero_grad() const { set_grad(Tensor()); }
  /// The same value, through which no gradient passes.
  [[nodiscard]] Tensor detach() const;
  /// The same value, gradient included, as a tensor of its own: an assignment to one leaves the other as it is.
  [[nodiscard]] Tensor clone() const;

  // ---- writing, and functions as methods ----
  /// This tensor and all its copies have the value from now on; its memory is reused where no one else still reads the old value. The value
  /// broadcasts and converts to this shape and dtype, and its history is not recorded: a leaf stays a leaf. The next value that this thread
  /// asks for is computed together with it.
  Tensor& assign(const Operand& value);
  // In place: x.add_(y), x += y and x.exp_() write x.add(y) and x.exp() into x and all its copies, whose dtype and shape stay. History is
  // recorded; a leaf that requires a gradient can be written to only while nothing is recorded (NoGrad). GradientError, DTypeError,
  // ShapeError. tg/methods.def lists them, and what is a method besides being a function.
  Tensor& operator+=(const Operand& b) { return update(tg::add(*this, b), "+="); }
  Tensor& operator-=(const Operand& b) { return update(tg::sub(*this, b), "-="); }
  Tensor& operator*=(const Operand& b) { return update(tg::mul(*this, b), "*="); }
  Tensor& operator/=(const Operand& b) { return update(tg::div(*this, b), "/="); }
#define UNARY(kind, name, ...) UNARY_##kind(name)
#define UNARY_Real(name) Tensor& name##_();
#define UNARY_Same(name) Tensor& name##_();
#define UNARY_Bits(name) Tensor& name##_();
#define UNARY_Truth(name)
#include "tg/unary.def"
#define METHOD(name, parameters, ...) PLAIN(name, parameters) IN_PLACE(name##_, parameters)
#define PLAIN(name, parameters, ...) [[nodiscard]] Tensor name parameters const;
#define IN_PLACE(name, parameters, ...) Tensor& name parameters;
#include "tg/methods.def"
#undef METHOD
#undef PLAIN
#undef IN_PLACE

  // ---- indexing: one index an axis from the first, see tg/index.hpp ----
  /// Integers drop their axis; index tensors (one or several, which broadcast) replace theirs, or stand in front if anything but integers
  /// is between them or between them and an integer, as in NumPy.
  /// Numbers outside throw IndexError here; elements of index tensors outside throw it when the value is computed. Negative ones count
  /// from the end. A mask (bool) is read at once, since it decides the shape, and stands for the index tensors of its true elements.
  template <class... I>
  [[nodiscard]] Tensor at(const I&... indices) const {
    return at(std::vector<Index>{Index(indices)...});
  }
  [[nodiscard]] Tensor at(const std::vector<Index>& indices) const;
  /// x.at(index), as a part of x: what is written to it is written to x, so that x[i][j] += 1, x[slice(0, 2)] = y and x[mask].zero_() work.
  /// What is written to x later, a part does not see. Parts of x[ids], where index tensors picked copies, are parts of the copies.
  [[nodiscard]] Tensor operator[](const Index& index) const;
  // The same along one axis: entry `index`, without the axis; `length` entries from `start` on, IndexError where they are not all inside;
  // a slice; and all entries, without the axis.
  [[nodiscard]] Tensor select(int axis, int64_t index) const;
  [[nodiscard]] Tensor narrow(int axis, int64_t start, int64_t length) const;
  [[nodiscard]] Tensor slice(int axis, SliceBound begin = {}, SliceBound end = {}, int64_t step = 1) const;
  [[nodiscard]] std::vector<Tensor> unbind(int axis = 0) const;
  /// for (Tensor row : x): x[0], x[1], ... ShapeError of a tensor without axes.
  class Iterator;
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;
  /// x.set(i, slice(1, 3), value): the elements that at(...) reads become `value`, broadcast; the last of equal indices wins. History is
  /// recorded, except in a leaf that requires a gradient, which stays one.
  template <class... A>
    requires(sizeof...(A) >= 2)
  Tensor& set(const A&... indices_and_value) {
    std::vector<Index> indices;
    return set_next(indices, indices_and_value...);
  }
  Tensor& set_at(const std::vector<Index>& indices, const Operand& value);
  /// out[i][j] = this[index[i][j]][j] for axis 0, and so on (torch.gather): index has this rank, and no axis longer than this one's.
  [[nodiscard]] Tensor gather(int axis, const Tensor& index) const;
  /// Whole entries along the axis: its axis is replaced by the index's shape (numpy.take).
  [[nodiscard]] Tensor take(const Tensor& index, int axis = 0) const;
  [[nodiscard]] Tensor index_select(int axis, const Tensor& index) const { return take(index, axis); }

  // ---- dtype, device ----
  [[nodiscard]] Tensor cast(DType dtype) const;       // floats to integers truncate and saturate, nan to 0
  /// The same bits as numbers of another dtype. Of another size the last axis is as much longer or shorter: ShapeError where its bytes do
  /// not fill whole numbers. DTypeError of bool.
  [[nodiscard]] Tensor bitcast(DType dtype) const;
  [[nodiscard]] Tensor to(DType dtype) const { return cast(dtype); }
  [[nodiscard]] Tensor to(std::string_view device) const;
  [[nodiscard]] Tensor contiguous() const;            // a point at which the value is stored, in row-major order

  // ---- movement ----
  [[nodiscard]] Tensor reshape(const Sizes& shape) const;  // one size may be -1: what is left
  [[nodiscard]] Tensor view(const Sizes& shape) const { return reshape(shape); }
  template <std::same_as<DType> T>  // never what stands in braces, which are sizes
  [[nodiscard]] Tensor view(T dtype) const { return bitcast(dtype); }
  [[nodiscard]] Tensor view_as(const Tensor& other) const { return reshape(other.shape()); }
  [[nodiscard]] Tensor flatten(int first = 0, int last = -1) const;
  [[nodiscard]] Tensor unflatten(int axis, const Sizes& shape) const;
  [[nodiscard]] Tensor permute(const std::vector<int>& axes) const;  // axis i of the result is axis axes[i]
  [[nodiscard]] Tensor transpose(int a = 0, int b = 1) const;
  [[nodiscard]] Tensor T() const;                     // all axes reversed
  [[nodiscard]] Tensor t() const;                     // of a matrix or vector, else ShapeError
  [[nodiscard]] Tensor mT() const { return transpose(-2, -1); }
  [[nodiscard]] Tensor expand(const Sizes& shape) const;             // axes of size 1 repeat; -1 keeps; new axes in front
  [[nodiscard]] Tensor expand_as(const Tensor& other) const { return expand(other.shape()); }
  [[nodiscard]] Tensor broadcast_to(const Sizes& shape) const { return expand(shape); }
  [[nodiscard]] Tensor repeat(const Sizes& times) const;
  /// (before, after) an axis; the last axes if there are fewer pairs than axes. Negative ones cut.
  [[nodiscard]] Tensor pad(const std::vector<std::pair<int64_t, int64_t>>& amounts, const PadOptions& options = {}) const;
  [[nodiscard]] Tensor shrink(const std::vector<std::pair<int64_t, int64_t>>& begin_end) const;
  [[nodiscard]] Tensor flip(const Axes& axes = {}) const;
  [[nodiscard]] Tensor squeeze(const Axes& axes = {}) const;         // {}: all of size 1
  [[nodiscard]] Tensor unsqueeze(int axis) const;
  [[nodiscard]] std::vector<Tensor> split(int64_t length, int axis = 0) const;  // pieces of that length, the last perhaps shorter
  [[nodiscard]] std::vector<Tensor> split(const Sizes& lengths, int axis = 0) const;
  [[nodiscard]] std::vector<Tensor> chunk(int64_t count, int axis = 0) const;   // at most so many pieces of equal length, the last shorter

  // ---- elementwise ----
  // Of one tensor, from tg/unary.def, which says what each is and how accurate: x.exp(), x.tanh(), x.isnan(), ...
#define UNARY(kind, name, ...) [[nodiscard]] Tensor name() const;
#include "tg/unary.def"
  [[nodiscard]] Tensor round(int decimals) const;  // to so many digits behind the point; negative: in front of it
  /// Within the bounds; x.clamp({.min = 0, .max = 6}). nan stays.
  [[nodiscard]] Tensor clamp(const ClampOptions& options) const;
  [[nodiscard]] Tensor hardtanh(double min = -1, double max = 1) const;  // clamp, whose gradient at the bounds is 0
  [[nodiscard]] Tensor gelu(const GeluOptions& options = {}) const;      // x Phi(x): Hendrycks, Gimpel 2016
  [[nodiscard]] Tensor leaky_relu(double negative_slope = 0.01) const;   // x, times the slope where it is negative
  [[nodiscard]] Tensor elu(double alpha = 1) const;                      // alpha expm1(x) where x is negative: Clevert et al. 2015
  [[nodiscard]] Tensor celu(double alpha = 1) const;                     // alpha expm1(x / alpha) there: Barron 2017
  /// log(1 + exp(beta x)) / beta, without overflow; x itself where beta x is above the threshold.
  [[nodiscard]] Tensor softplus(double beta = 1, double threshold = 20) const;
  /// x, times the weight where it is negative; the weight has one element, or one for each index of axis 1. He et al. 2015.
  [[nodiscard]] Tensor prelu(const Tensor& weight) const;
  [[nodiscard]] Tensor glu(int axis = -1) const;                         // the axis' first half times sigmoid of its second
  /// Zero with probability p, else scaled by 1 / (1 - p), while training.
  [[nodiscard]] Tensor dropout(double p = 0.5, bool training = true) const;

  // ---- reductions: x.sum({.axis = {0, 1}, .keepdim = true}), or x.sum({0, 1}, true); over all axes unless told ----
  [[nodiscard]] Tensor sum(const ReduceOptions& options = {}) const;
  [[nodiscard]] Tensor prod(const ReduceOptions& options = {}) const;
  [[nodiscard]] Tensor mean(const ReduceOptions& options = {}) const;
  [[nodiscard]] Tensor max(const ReduceOptions& options = {}) const;     // nan if any is; ValueError of nothing
  [[nodiscard]] Tensor min(const ReduceOptions& options = {}) const;
  [[nodiscard]] Tensor any(const ReduceOptions& options = {}) const;     // bool
  [[nodiscard]] Tensor all(const ReduceOptions& options = {}) const;
  [[nodiscard]] Tensor var(const VarOptions& options = {}) const;        // two passes: mean, then squared deviations
  [[nodiscard]] Tensor std(const VarOptions& options = {}) const;
  [[nodiscard]] Tensor argmax(const ArgOptions& options = {}) const;     // int32; the first of equals, or the first nan
  [[nodiscard]] Tensor argmin(const ArgOptions& options = {}) const;
  [[nodiscard]] Tensor logsumexp(const ReduceOptions& options = {}) const;
#define REDUCTION(name)                                                                                    \
  template <detail::Integer I>                                                                             \
  [[nodiscard]] Tensor name(I axis, bool keepdim = false) const { return name({axis}, keepdim); }          \
  template <detail::Integer I>                                                                             \
  [[nodiscard]] Tensor name(std::initializer_list<I> axes, bool keepdim = false) const {                   \
    return name({.axis = std::vector<int>(axes.begin(), axes.end()), .keepdim = keepdim});                 \
  }
  REDUCTION(sum) REDUCTION(prod) REDUCTION(mean) REDUCTION(any) REDUCTION(all) REDUCTION(var) REDUCTION(std) REDUCTION(argmax)
  REDUCTION(argmin) REDUCTION(logsumexp)
#undef REDUCTION
  [[nodiscard]] Tensor softmax(int axis = -1) const;
  [[nodiscard]] Tensor log_softmax(int axis = -1) const;

  // ---- in order: running results, and sorting. Indices are int32, along the axis ----
  [[nodiscard]] Tensor cumsum(int axis = -1) const;        // in the dtype of sum
  [[nodiscard]] Tensor cumprod(int axis = -1) const;
  [[nodiscard]] Tensor logcumsumexp(int axis = -1) const;  // its gradient is quadratic in the axis, as cumprod's
  [[nodiscard]] Found cummax(int axis = -1) const;         // and where: the first of equals; nan from the first nan on
  [[nodiscard]] Found cummin(int axis = -1) const;
  /// Stable: equals stay in their order; nan comes last, ascending or descending. Of values that are sorted without their indices -0 and 0
  /// are told apart, -0 first.
  [[nodiscard]] Found sort(const SortOptions& options = {}) const;
  [[nodiscard]] Tensor argsort(const SortOptions& options = {}) const;
  /// The first k of sort({.axis = axis, .descending = largest}), without sorting all where k is small. ValueError unless 0 <= k <= size.
  [[nodiscard]] Found topk(int64_t k, int axis = -1, bool largest = true) const;
  [[nodiscard]] Tensor median(const ArgOptions& options = {}) const;  // the lower of two in the middle; nan if any is

  // ---- products and windows ----
  /// (..., m, k) by (..., k, n); leading axes broadcast; vectors as in NumPy. 16-bit floats accumulate in float32.
  [[nodiscard]] Tensor matmul(const Tensor& b) const;
  [[nodiscard]] Tensor dot(const Tensor& b) const { return matmul(b); }
  /// (n, c, h, w) with weights (o, c / groups, kh, kw) and bias (o), or Tensor() for none, to (n, o, oh, ow); oh is
  /// (h + 2 padding - dilation (kh - 1) - 1) / stride + 1. Cross-correlation, as every framework's.
  [[nodiscard]] Tensor conv2d(const Tensor& weight, const Bias& bias, const ConvOptions& options = {}) const;
  [[nodiscard]] Tensor conv2d(const Tensor& weight, const ConvOptions& options = {}) const;
  [[nodiscard]] Tensor max_pool2d(const PoolOptions& options = {}) const;  // padding is never the maximum
  [[nodiscard]] Tensor avg_pool2d(const PoolOptions& options = {}) const;  // padding counts as zeros
  /// Over the last weight.rank() axes: (x - mean) / sqrt(var + eps) * weight + bias. Ba, Kiros, Hinton 2016.
  [[nodiscard]] Tensor layer_norm(const Tensor& weight, const Tensor& bias, const NormOptions& options = {}) const;
  /// Over axis 1, with the given mean and variance (c): (x - mean) / sqrt(var + eps) * weight + bias. Ioffe, Szegedy 2015.
  [[nodiscard]] Tensor batch_norm(const Tensor& mean, const Tensor& var, const Tensor& weight, const Tensor& bias,
                                  const NormOptions& options = {}) const;
  /// Mean over all targets of -log_softmax(this)[target]: logits (n, classes, ...), integer targets (n, ...). IndexError, when it is
  /// computed, for a target outside.
  [[nodiscard]] Tensor cross_entropy(const Tensor& target) const;

  [[nodiscard]] friend Tensor operator+(const Operand& a, const Operand& b) { return tg::add(a, b); }
  [[nodiscard]] friend Tensor operator-(const Operand& a, const Operand& b) { return tg::sub(a, b); }
  [[nodiscard]] friend Tensor operator*(const Operand& a, const Operand& b) { return tg::mul(a, b); }
  [[nodiscard]] friend Tensor operator/(const Operand& a, const Operand& b) { return tg::div(a, b); }
  [[nodiscard]] friend Tensor operator%(const Operand& a, const Operand& b) { return tg::mod(a, b); }
  [[nodiscard]] friend Tensor operator==(const Operand& a, const Operand& b) { return tg::eq(a, b); }
  [[nodiscard]] friend Tensor operator!=(const Operand& a, const Operand& b) { return tg::ne(a, b); }
  [[nodiscard]] friend Tensor operator<(const Operand& a, const Operand& b) { return tg::lt(a, b); }
  [[nodiscard]] friend Tensor operator<=(const Operand& a, const Operand& b) { return tg::le(a, b); }
  [[nodiscard]] friend Tensor operator>(const Operand& a, const Operand& b) { return tg::gt(a, b); }
  [[nodiscard]] friend Tensor operator>=(const Operand& a, const Operand& b) { return tg::ge(a, b); }
  [[nodiscard]] friend Tensor operator&(const Operand& a, const Operand& b) { return tg::bitwise_and(a, b); }
  [[nodiscard]] friend Tensor operator|(const Operand& a, const Operand& b) { return tg::bitwise_or(a, b); }
  [[nodiscard]] friend Tensor operator^(const Operand& a, const Operand& b) { return tg::bitwise_xor(a, b); }
  [[nodiscard]] friend Tensor operator<<(const Tensor& a, const Operand& b) { return tg::left_shift(a, b); }
  [[nodiscard]] friend Tensor operator>>(const Tensor& a, const Operand& b) { return tg::right_shift(a, b); }
  [[nodiscard]] friend Tensor operator-(const Tensor& a) { return a.neg(); }
  [[nodiscard]] friend Tensor operator~(const Tensor& a) { return a.bitwise_not(); }

 private:
  friend struct detail::TensorImpl;
  template <class First, class... Rest>
  Tensor& set_next(std::vector<Index>& indices, const First& first, const Rest&... rest) {
    if constexpr (sizeof...(rest) == 0) return set_at(indices, first);
    else {
      indices.emplace_back(first);
      return set_next(indices, rest...);
    }
  }
  Tensor& update(const Tensor& result, std::string_view operation);
  void backward_from(const Tensor& seed) const;
  [[nodiscard]] Tensor part_at(std::vector<Index> indices) const;
  std::ostream& print(std::ostream&) const;
  detail::Handle impl_;
};

class Tensor::Iterator {  // over the entries of axis 0
 public:
  Iterator(Tensor whole, int64_t at) : whole_(std::move(whole)), at_(at) {}
  [[nodiscard]] Tensor operator*() const { return whole_[at_]; }
  Iterator& operator++() { ++at_; return *this; }
  [[nodiscard]] bool operator==(const Iterator& other) const { return at_ == other.at_; }

 private:
  Tensor whole_;
  int64_t at_;
};

/// Values, and where along their axis each was found.
struct Found {
  Tensor values, indices;
};

struct BackwardOptions {  // of backward and gradient
  detail::ByName by_name_only = detail::by_name;
  Tensor seed = {};           // d(result)/d(this tensor), of its shape; not given: 1
  bool keep_graph = false;    // so that backward can run again
  bool create_graph = false;  // gradients record their own history: for second derivatives
};

/// d(y)/d(each of `wrt`) without touching any grad(); zeros where y does not depend on one. The tensors in `wrt` must require a gradient.
[[nodiscard]] std::vector<Tensor> gradient(const Tensor& y, const std::vector<Tensor>& wrt, const BackwardOptions& options = {});

/// Computes several values at once, so that they share kernels, and with them what this thread has assigned and not computed yet. Where it
/// throws, those assignments have not happened.
void realize(const std::vector<Tensor>& tensors);

}  // namespace tg
