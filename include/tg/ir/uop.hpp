#pragma once
// UOp: a handle to an immutable, hash-consed node. Equal expressions are the same node.
//
//   in:  op, sources, argument                     UOp a = UOp::make(Op::Iota, {}, Shape{4}, int32);
//   out: the one node that means it                (a + a) == (a + a); (a + a).shape() == Shape{4}
//
// Everything a node knows of itself (dtype, shape, open ranges, bounds, hash) is computed from its sources' own facts when it is made,
// so nothing recurses and a node is deeply const. The one thing that is attached later is the memory of a realized value.
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tg/dtype.hpp"
#include "tg/ir/hash.hpp"
#include "tg/ir/interned.hpp"
#include "tg/op.hpp"

namespace tg {

namespace detail {
struct Node;
void retain(const Node*) noexcept;
void release(const Node*) noexcept;
void destroy(const Node*) noexcept;  // of a node that nobody holds any more; never recurses
}  // namespace detail

struct Arg;
class Shape;
enum class RangeKind : uint8_t { Output, Reduce, Tile };  // what opened a loop
enum class Monoid : uint8_t {
#define MONOID(name, ...) name,
#include "tg/ir/monoids.def"
#undef MONOID
};
enum class ScatterMode : uint8_t { Set, Add };

/// Smallest and largest value of an integer expression, both possible bounds and neither promised to be reached.
struct Bounds {
  int64_t min = 0, max = 0;
  friend bool operator==(const Bounds&, const Bounds&) = default;
};

/// Memory of a realized value. The runtime derives its buffers from this; the graph only knows who it is.
struct Storage {
  const uint64_t serial;  // unique in the process; part of a Buffer node's identity, never of a cache key
  Storage();
  virtual ~Storage() = default;
};

/// A counted handle to a node, or to none. Everything it says of the node takes no time.
class UOp {
 public:
  UOp() = default;
  UOp(const UOp& o) noexcept : node_(o.node_) { detail::retain(node_); }
  UOp(UOp&& o) noexcept : node_(std::exchange(o.node_, nullptr)) {}
  UOp& operator=(UOp o) noexcept { std::swap(node_, o.node_); return *this; }
  ~UOp() { detail::release(node_); }

  /// Makes or finds the node. `dtype` matters only for ops whose row says Arg. Throws InternalError when the sources do not fit the op.
  static UOp make(Op op, std::span<const UOp> src, Arg arg, DType dtype = DType::void_);
  static UOp make(Op op, std::initializer_list<UOp> src, Arg arg, DType dtype = DType::void_);
  static UOp make(Op op, std::initializer_list<UOp> src);

  /// What the node is: an op over sources, with an argument where the op has one; and what follows from that.
  Op op() const;
  DType dtype() const;
  std::span<const UOp> src() const;
  const UOp& src(size_t i) const { return src()[i]; }
  const Arg& arg() const;
  template <class T> const T& as() const;  // the argument, of the type its op carries
  const Shape& shape() const;
  uint64_t ranges() const;                 // bit i: range i is open in this expression
  Bounds bounds() const;                   // of integers; a bool's are within 0 and 1
  Hash128 hash() const;                    // from structure, the same in every run (Buffer: from its serial)
  bool holds_buffer() const;               // a Buffer is in this expression: its hash is of this run only

  /// The node with other sources (same op, argument, dtype).
  UOp with(std::span<const UOp> src) const;

  /// Memory that holds this node's value, once it was realized. Set once; safe to race.
  std::shared_ptr<Storage> storage() const;
  void attach(std::shared_ptr<Storage>) const;
  void drop_storage() const;

  /// Who it is, for hashing and for the interner.
  const detail::Node* node() const { return node_; }
  explicit operator bool() const { return node_ != nullptr; }
  friend bool operator==(const UOp& a, const UOp& b) { return a.node_ == b.node_; }

 private:
  friend struct detail::Node;
  const detail::Node* node_ = nullptr;
};
static_assert(sizeof(UOp) == sizeof(void*));

/// A size: an integer, or an index expression over Variables with bounds.
class Dim {
 public:
  Dim() = default;
  Dim(int64_t v) : value_(v) {}
  Dim(int v) : value_(v) {}
  Dim(size_t v) : value_(static_cast<int64_t>(v)) {}
  explicit Dim(const UOp& expr);  // a constant expression becomes an integer
  bool known() const { return !expr_; }
  int64_t value() const;  // throws InternalError when not known
  int64_t max() const { return known() ? value_ : expr_.bounds().max; }
  int64_t min() const { return known() ? value_ : expr_.bounds().min; }
  UOp expr() const;       // as an index expression
  friend bool operator==(const Dim&, const Dim&) = default;
  friend Dim operator+(const Dim&, const Dim&);
  friend Dim operator-(const Dim&, const Dim&);
  friend Dim operator*(const Dim&, const Dim&);
  friend Dim floor_div(const Dim&, const Dim&);

 private:
  int64_t value_ = 0;
  UOp expr_;
};
/// "3", or the expression.
std::string to_string(const Dim&);

/// Sizes, and hashes of what nodes are made of.
using Dims = std::vector<Dim>;
Hash128 hash_of(const Dims&);
inline Hash128 hash_of(const std::string& s) { return hash_of(std::string_view(s)); }

/// Sizes of a value, outermost axis first; interned, so a copy is a pointer and equality a compare. Also holds (before, after) pairs.
class Shape {
 public:
  Shape() = default;
  Shape(Dims d) : dims_(d.empty() ? Interned<Dims>() : Interned<Dims>(std::move(d))) {}
  Shape(std::initializer_list<Dim> d) : Shape(Dims(d)) {}
  size_t rank() const { return dims_ ? dims_->size() : 0; }
  bool empty() const { return rank() == 0; }
  const Dim& operator[](size_t i) const { return (*dims_)[i]; }
  const Dim* begin() const { return dims_ ? dims_->data() : nullptr; }
  const Dim* end() const { return begin() + rank(); }
  Dims dims() const { return dims_ ? *dims_ : Dims{}; }
  bool known() const;
  Dim numel() const;
  Hash128 hash() const { return dims_.hash(); }
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  Interned<Dims> dims_;
};
std::string to_string(const Shape&);  // "(2, 3)"

/// Arguments that are lists or names, each kept once.
using Ints = Interned<std::vector<int64_t>>;
using Name = Interned<std::string>;

// Arguments, one struct a kind of op. Order matters to Arg::hash only through the variant's index.
struct RangeArg { int32_t id; RangeKind kind; friend bool operator==(const RangeArg&, const RangeArg&) = default; };
struct ReduceArg { Monoid monoid; uint32_t axes; friend bool operator==(const ReduceArg&, const ReduceArg&) = default; };  // bit per axis
struct ScanArg { Monoid monoid; int32_t axis; bool inclusive = true; friend bool operator==(const ScanArg&, const ScanArg&) = default; };
struct SortArg { int32_t axis; bool descending; friend bool operator==(const SortArg&, const SortArg&) = default; };
struct ScatterArg {  // apart: how many of the index's first axes lead to places of their own, which may be written in any order
  int32_t axis;
  ScatterMode mode;
  int32_t apart = 0;
  friend bool operator==(const ScatterArg&, const ScatterArg&) = default;
};
struct WindowArg {  // length: of the source axis (OverlapAdd needs it; -1 in a Window)
  int32_t axis, size, stride = 1, dilation = 1;
  int64_t length = -1;
  friend bool operator==(const WindowArg&, const WindowArg&) = default;
};
struct ParamArg { int32_t slot; Shape shape; friend bool operator==(const ParamArg&, const ParamArg&) = default; };
struct VariableArg { Name name; int64_t min, max; friend bool operator==(const VariableArg&, const VariableArg&) = default; };
struct BufferArg {
  std::shared_ptr<Storage> storage;
  Shape shape;
  friend bool operator==(const BufferArg& a, const BufferArg& b) { return a.storage == b.storage && a.shape == b.shape; }
};

/// A function with a gradient of its own: of node u = Function(value, inputs...), what g, that of u, adds to the gradient of source i.
struct Function {
  std::string name;
  std::function<UOp(const UOp& u, const UOp& g, size_t i)> gradient;
};
/// Told apart by its address.
struct FunctionArg : std::shared_ptr<const Function> {
  FunctionArg(const Function* forever) : shared_ptr(shared_ptr(), forever) {}
  FunctionArg(std::shared_ptr<const Function> f) : shared_ptr(std::move(f)) {}
};

/// int64_t: integer constants, Get's component, Check's site. double: float constants. Shape: Reshape, Expand, Pad, Shrink, Iota.
/// Ints: Permute's and Flip's axes. Name: Copy's device.
using ArgVariant = std::variant<std::monostate, int64_t, double, Shape, Ints, Name, RangeArg, ReduceArg, ScanArg, SortArg, ScatterArg,
                                WindowArg, ParamArg, VariableArg, BufferArg, FunctionArg>;
struct Arg : ArgVariant {
  using ArgVariant::ArgVariant;
  friend bool operator==(const Arg&, const Arg&);  // floats by their bits
};
Hash128 hash_of(const Arg&);

namespace detail {

struct Node {
  mutable std::atomic<uint32_t> refs{1};
  Op op;
  DType dtype;
  uint16_t arity;
  Hash128 hash;
  mutable std::atomic<uint32_t> settled{0};  // marks of rule sets that have nothing to do here or below
  bool holds_buffer = false;
  mutable const Node* next = nullptr;  // in its bucket; among the dead, while being released
  mutable std::atomic<std::shared_ptr<Storage>*> storage{nullptr};
  uint64_t ranges = 0;
  Bounds bounds;
  Shape shape;
  Arg arg;
  UOp* src() const { return reinterpret_cast<UOp*>(const_cast<Node*>(this) + 1); }  // they follow the node in memory
  static const Node* take(UOp& u) { return std::exchange(u.node_, nullptr); }
  static UOp adopt(const Node* n) { UOp u; u.node_ = n; return u; }
};
static_assert(alignof(Node) >= alignof(UOp) && sizeof(Node) % alignof(UOp) == 0);

struct Facts {
  DType dtype = DType::void_;
  uint64_t ranges = 0;
  Bounds bounds;
  Shape shape;
};
Facts infer(Op op, std::span<const UOp> src, const Arg& arg, DType dtype);  // infer.cpp
Bounds all_of(DType);  // what an integer dtype can hold, as int64

size_t live_nodes();
size_t made_nodes();  // ever, in this process: tests bound the work of a pass with it
size_t uses(const UOp&);  // handles that point at the node, this one included

inline void retain(const Node* n) noexcept { if (n) n->refs.fetch_add(1, std::memory_order_relaxed); }
inline void release(const Node* n) noexcept { if (n && n->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(n); }

}  // namespace detail

inline Op UOp::op() const { return node_->op; }
inline DType UOp::dtype() const { return node_->dtype; }
inline std::span<const UOp> UOp::src() const { return {node_->src(), node_->arity}; }
inline const Arg& UOp::arg() const { return node_->arg; }
template <class T> const T& UOp::as() const { return std::get<T>(node_->arg); }
inline const Shape& UOp::shape() const { return node_->shape; }
inline uint64_t UOp::ranges() const { return node_->ranges; }
inline Bounds UOp::bounds() const { return node_->bounds; }
inline Hash128 UOp::hash() const { return node_->hash; }
inline bool UOp::holds_buffer() const { return node_->holds_buffer; }

// ---- building ----

/// A constant of `dtype`, wrapped or rounded to it; shape ().
UOp constant(DType dtype, int64_t v);
UOp constant(DType dtype, double v);
inline UOp constant(DType dtype, int v) { return constant(dtype, static_cast<int64_t>(v)); }
UOp index(int64_t v);
UOp range(const Dim& extent, int id, RangeKind kind = RangeKind::Output);
UOp variable(std::string name, int64_t min, int64_t max);       // index
UOp scalar_variable(std::string name, DType dtype);             // a number that changes from run to run, such as a learning rate
UOp param(int slot, DType dtype, Shape shape = {});
UOp buffer(std::shared_ptr<Storage>, DType dtype, Shape shape);

/// Elementwise ops of equal shapes and dtypes; a number takes the dtype of what it is beside.
UOp operator+(const UOp& a, const UOp& b);
UOp operator-(const UOp& a, const UOp& b);  // a + b * -1
UOp operator*(const UOp& a, const UOp& b);
UOp operator+(const UOp& a, int64_t b);
UOp operator-(const UOp& a, int64_t b);
UOp operator*(const UOp& a, int64_t b);
UOp operator&(const UOp& a, const UOp& b);
UOp operator|(const UOp& a, const UOp& b);
UOp floor_div(const UOp& a, const UOp& b);
UOp floor_mod(const UOp& a, const UOp& b);
UOp floor_div(const UOp& a, int64_t b);
UOp floor_mod(const UOp& a, int64_t b);
UOp less(const UOp& a, const UOp& b);
UOp less(const UOp& a, int64_t b);
UOp not_equal(const UOp& a, const UOp& b);
UOp logical_not(const UOp& a);              // of a bool
UOp where(const UOp& c, const UOp& a, const UOp& b);
UOp cast(const UOp& a, DType to);
UOp reshape(const UOp& a, const Shape& shape);  // itself where nothing changes, as with cast
UOp load(const UOp& buffer, const UOp& index, const UOp& gate = {});
UOp store(const UOp& buffer, const UOp& index, const UOp& value, const UOp& gate = {});

/// Of constants.
bool is_const(const UOp& u);
bool is_const(const UOp& u, double v);      // of any dtype
double number(const UOp& constant);         // its value as a double

/// Sources before users; each node once.
std::vector<UOp> toposort(const UOp& root);
std::vector<UOp> toposort(std::span<const UOp> roots);
/// One expression as text; shared parts are repeated, so for small expressions.
std::string to_string(const UOp&);
/// The whole graph, a line a node, numbered: "%3 = Add float32 (2, 3) %1 %2".
std::string dump(const UOp& root);

}  // namespace tg
/// For the standard library's containers.
template <> struct std::hash<tg::UOp> { size_t operator()(const tg::UOp& u) const { return u ? u.hash().low : 0; } };
