// The interner: one table of all live nodes, in shards so that threads rarely meet; release without recursion; small builders.
//
// A node is one allocation: its facts, then its sources. It sits in a bucket chained through `next`, so the table costs one pointer a node.
#include "tg/ir/uop.hpp"

#include <bit>
#include <cstdlib>
#include <deque>
#include <new>

#include <fmt/format.h>

#include "base/fork.hpp"
#include "ir/node_map.hpp"
#include "tg/error.hpp"
#include "tg/ir/chains.hpp"
#include "tg/ir/op_info.hpp"

namespace tg {

namespace {
std::atomic<uint64_t> next_serial{1};
uint64_t pack(int32_t a, int32_t b) { return static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b); }
template <class... F> struct Overloaded : F... { using F::operator()...; };
}  // namespace

Storage::Storage() : serial(next_serial.fetch_add(1, std::memory_order_relaxed)) {}

bool operator==(const Arg& a, const Arg& b) {
  if (a.index() != b.index()) return false;
  if (const double* x = std::get_if<double>(&a)) return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(std::get<double>(b));
  return static_cast<const ArgVariant&>(a) == b;
}

Hash128 hash_of(const std::vector<int64_t>& v) {
  Hash128 h = mix(kHashSeed, v.size());
  for (int64_t x : v) h = mix(h, static_cast<uint64_t>(x));
  return h;
}
Hash128 hash_of(const Dims& dims) {
  Hash128 h = mix(kHashSeed, dims.size());
  for (const Dim& d : dims) h = d.known() ? mix(h, static_cast<uint64_t>(d.value())) : mix(h, d.expr().hash());
  return h;
}
Hash128 hash_of(const Arg& arg) {
  const Hash128 h = mix(kHashSeed, arg.index());
  return std::visit(
      Overloaded{[&](std::monostate) { return h; },
                 [&](int64_t v) { return mix(h, static_cast<uint64_t>(v)); },
                 [&](double v) { return mix(h, std::bit_cast<uint64_t>(v)); },
                 [&](const Shape& s) { return mix(h, s.hash()); },
                 [&](const Ints& v) { return mix(h, v.hash()); },
                 [&](const Name& v) { return mix(h, v.hash()); },
                 [&](RangeArg r) { return mix(h, pack(r.id, static_cast<int>(r.kind))); },
                 [&](ReduceArg r) { return mix(h, pack(static_cast<int>(r.monoid), static_cast<int>(r.axes))); },
                 [&](ScanArg s) { return mix(mix(h, pack(static_cast<int>(s.monoid), s.axis)), s.inclusive); },
                 [&](SortArg s) { return mix(h, pack(s.axis, s.descending)); },
                 [&](ScatterArg s) { return mix(mix(h, pack(s.axis, static_cast<int>(s.mode))), static_cast<uint64_t>(s.apart)); },
                 [&](const WindowArg& w) {
                   return mix(mix(mix(h, pack(w.axis, w.size)), pack(w.stride, w.dilation)), static_cast<uint64_t>(w.length));
                 },
                 [&](const ParamArg& p) { return mix(mix(h, static_cast<uint64_t>(p.slot)), p.shape.hash()); },
                 [&](const VariableArg& v) {
                   return mix(mix(mix(h, v.name.hash()), static_cast<uint64_t>(v.min)), static_cast<uint64_t>(v.max));
                 },
                 [&](const BufferArg& b) { return mix(mix(h, b.storage->serial), b.shape.hash()); },
                 [&](const FunctionArg& f) { return mix(h, hash_of(f->name)); }},
      static_cast<const ArgVariant&>(arg));
}

namespace detail {
namespace {

struct Table {
  Mutex mutex;
  Chains<const Node> nodes;

  const Node* find(const Hash128& hash, Op op, DType dtype, std::span<const UOp> src, const Arg& arg) const {
    return nodes.find(hash, [&](const Node& n) {
      return n.op == op && n.dtype == dtype && n.arity == src.size() && n.arg == arg && std::equal(src.begin(), src.end(), n.src());
    });
  }
};

constexpr size_t kShards = 16;
struct Interner {
  std::array<Table, kShards> shards;
  std::atomic<size_t> made{0};
  Table& of(const Hash128& h) { return shards[h.low % kShards]; }
};
Interner& interner() { static auto& leaked = *new Interner; return leaked; }  // outlives every static

bool try_retain(const Node* n) {  // fails on a node already dying
  uint32_t r = n->refs.load(std::memory_order_relaxed);
  while (r != 0) if (n->refs.compare_exchange_weak(r, r + 1, std::memory_order_acq_rel)) return true;
  return false;
}

Hash128 hash_node(Op op, DType dtype, std::span<const UOp> src, const Arg& arg) {
  Hash128 h = mix(kHashSeed, static_cast<uint64_t>(op) << 16 | static_cast<uint64_t>(dtype) << 8 | arg.index());
  if (arg.index() != 0) h = mix(h, hash_of(arg));
  for (const UOp& s : src) h = absorb(h, s.hash());
  return h;
}

const Node* intern(Op op, DType dtype, std::span<const UOp> src, Arg&& arg) {
  const ForkWaits whole;  // once for all the locks
  const Hash128 hash = hash_node(op, dtype, src, arg);
  Table& table = interner().of(hash);
  {
    std::lock_guard lock(table.mutex);
    if (const Node* n = table.find(hash, op, dtype, src, arg); n && try_retain(n)) return n;
  }
  Facts facts = infer(op, src, arg, dtype);  // may throw; nothing is half-made then
  auto* n = new (std::malloc(sizeof(Node) + src.size() * sizeof(UOp))) Node;
  n->op = op;
  n->dtype = facts.dtype;
  n->arity = static_cast<uint16_t>(src.size());
  n->hash = hash;
  n->holds_buffer = op == Op::Buffer;
  for (const UOp& s : src) n->holds_buffer |= s.holds_buffer();
  n->ranges = facts.ranges;
  n->bounds = facts.bounds;
  n->shape = std::move(facts.shape);
  n->arg = std::move(arg);
  std::uninitialized_copy(src.begin(), src.end(), n->src());
  const Node* winner = n;
  {
    std::lock_guard lock(table.mutex);
    const Node* other = table.find(hash, op, n->dtype, src, n->arg);  // another thread may have been quicker
    if (other && try_retain(other)) winner = other;
    else {
      if (other) table.nodes.erase(other);  // dying on another thread; it will see that it is gone
      table.nodes.insert(n);
    }
  }
  if (winner != n) release(n);
  else interner().made.fetch_add(1, std::memory_order_relaxed);
  return winner;
}

}  // namespace

void destroy(const Node* n) noexcept {
  // A list threaded through the dead nodes themselves: no recursion, no allocation.
  const Node* dead = nullptr;
  const auto bury = [&](const Node* m) {
    Table& table = interner().of(m->hash);
    {
      std::lock_guard lock(table.mutex);
      table.nodes.erase(m);
    }
    m->next = dead;
    dead = m;
  };
  bury(n);
  while (dead) {
    const Node* m = std::exchange(dead, dead->next);
    for (int i = 0; i < m->arity; ++i) {
      const Node* s = Node::take(m->src()[i]);
      if (s && s->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) bury(s);
    }
    delete m->storage.load();
    auto* memory = const_cast<Node*>(m);
    memory->~Node();
    std::free(memory);
  }
}

size_t live_nodes() {
  size_t n = 0;
  for (Table& t : interner().shards) { std::lock_guard lock(t.mutex); n += t.nodes.count(); }
  return n;
}
size_t made_nodes() { return interner().made.load(); }
size_t uses(const UOp& u) { return u.node()->refs.load(); }

}  // namespace detail

UOp UOp::make(Op op, std::span<const UOp> src, Arg arg, DType dtype) {
  switch (info(op).result) {  // the dtype that identifies the node, before it is looked up
    case Result::Arg: break;
    case Result::Same: dtype = src.empty() ? dtype : src[0].dtype(); break;
    case Result::Second: dtype = src.size() > 1 ? src[1].dtype() : dtype; break;
    case Result::Bool: dtype = DType::bool_; break;
    case Result::Void: dtype = DType::void_; break;
  }
  return detail::Node::adopt(detail::intern(op, dtype, src, std::move(arg)));
}
UOp UOp::make(Op op, std::initializer_list<UOp> src, Arg arg, DType dtype) {
  return make(op, std::span(src.begin(), src.size()), std::move(arg), dtype);
}
UOp UOp::make(Op op, std::initializer_list<UOp> src) { return make(op, std::span(src.begin(), src.size()), Arg{}); }
UOp UOp::with(std::span<const UOp> src) const { return make(op(), src, arg(), dtype()); }

std::shared_ptr<Storage> UOp::storage() const {
  if (op() == Op::Buffer) return as<BufferArg>().storage;
  const auto* p = node_->storage.load(std::memory_order_acquire);
  return p ? *p : nullptr;
}
void UOp::attach(std::shared_ptr<Storage> storage) const {
  auto* fresh = new std::shared_ptr<Storage>(std::move(storage));
  std::shared_ptr<Storage>* none = nullptr;
  if (!node_->storage.compare_exchange_strong(none, fresh, std::memory_order_acq_rel)) delete fresh;
}
void UOp::drop_storage() const { delete node_->storage.exchange(nullptr, std::memory_order_acq_rel); }

// ---- building ----

UOp constant(DType dtype, int64_t v) {
  if (is_float(dtype)) return constant(dtype, static_cast<double>(v));
  return UOp::make(Op::Const, {}, round_to(dtype, {v, 0}).i, dtype);
}
UOp constant(DType dtype, double v) {
  if (!is_float(dtype)) return UOp::make(Op::Const, {}, convert({0, v}, DType::float64, dtype).i, dtype);
  return UOp::make(Op::Const, {}, round_to(dtype, {0, v}).d, dtype);
}
UOp index(int64_t v) { return UOp::make(Op::Const, {}, v, DType::index); }
UOp range(const Dim& extent, int id, RangeKind kind) { return UOp::make(Op::Range, {extent.expr()}, RangeArg{id, kind}, DType::index); }
UOp variable(std::string name, int64_t min, int64_t max) {
  return UOp::make(Op::Variable, {}, VariableArg{Name(std::move(name)), min, max}, DType::index);
}
UOp scalar_variable(std::string name, DType dtype) {
  return UOp::make(Op::Variable, {}, VariableArg{Name(std::move(name)), INT64_MIN, INT64_MAX}, dtype);
}
UOp param(int slot, DType dtype, Shape shape) { return UOp::make(Op::Param, {}, ParamArg{slot, std::move(shape)}, dtype); }
UOp buffer(std::shared_ptr<Storage> storage, DType dtype, Shape shape) {
  return UOp::make(Op::Buffer, {}, BufferArg{std::move(storage), std::move(shape)}, dtype);
}

UOp operator+(const UOp& a, const UOp& b) { return UOp::make(Op::Add, {a, b}); }
UOp operator*(const UOp& a, const UOp& b) { return UOp::make(Op::Mul, {a, b}); }
UOp operator-(const UOp& a, const UOp& b) { return a + b * -1; }
UOp operator+(const UOp& a, int64_t b) { return a + constant(a.dtype(), b); }
UOp operator-(const UOp& a, int64_t b) { return a + constant(a.dtype(), -b); }
UOp operator*(const UOp& a, int64_t b) { return a * constant(a.dtype(), b); }
UOp operator&(const UOp& a, const UOp& b) { return UOp::make(Op::And, {a, b}); }
UOp operator|(const UOp& a, const UOp& b) { return UOp::make(Op::Or, {a, b}); }
UOp floor_div(const UOp& a, const UOp& b) { return UOp::make(Op::IDiv, {a, b}); }
UOp floor_mod(const UOp& a, const UOp& b) { return UOp::make(Op::Mod, {a, b}); }
UOp floor_div(const UOp& a, int64_t b) { return floor_div(a, constant(a.dtype(), b)); }
UOp floor_mod(const UOp& a, int64_t b) { return floor_mod(a, constant(a.dtype(), b)); }
UOp less(const UOp& a, const UOp& b) { return UOp::make(Op::Less, {a, b}); }
UOp less(const UOp& a, int64_t b) { return less(a, constant(a.dtype(), b)); }
UOp not_equal(const UOp& a, const UOp& b) { return UOp::make(Op::NotEqual, {a, b}); }
UOp logical_not(const UOp& a) { return UOp::make(Op::NotEqual, {a, constant(DType::bool_, 1)}); }
UOp where(const UOp& c, const UOp& a, const UOp& b) { return UOp::make(Op::Where, {c, a, b}); }
UOp cast(const UOp& a, DType to) { return a.dtype() == to ? a : UOp::make(Op::Cast, {a}, Arg{}, to); }
UOp reshape(const UOp& a, const Shape& shape) { return a.shape() == shape ? a : UOp::make(Op::Reshape, {a}, shape); }
UOp load(const UOp& from, const UOp& at, const UOp& gate) {
  return gate ? UOp::make(Op::Load, {from, at, gate}, Arg{}, from.dtype()) : UOp::make(Op::Load, {from, at}, Arg{}, from.dtype());
}
UOp store(const UOp& to, const UOp& at, const UOp& value, const UOp& gate) {
  return gate ? UOp::make(Op::Store, {to, at, value, gate}) : UOp::make(Op::Store, {to, at, value});
}

bool is_const(const UOp& u) { return u.op() == Op::Const; }
bool is_const(const UOp& u, double v) { return u.op() == Op::Const && number(u) == v; }
double number(const UOp& c) { return is_float(c.dtype()) ? c.as<double>() : static_cast<double>(c.as<int64_t>()); }

// ---- sizes ----

Dim::Dim(const UOp& e) {
  if (is_const(e)) value_ = e.as<int64_t>();
  else expr_ = e;
}
int64_t Dim::value() const {
  if (expr_) throw InternalError(fmt::format("size {} is not known yet", to_string(expr_)));
  return value_;
}
UOp Dim::expr() const { return expr_ ? expr_ : index(value_); }
bool Shape::known() const { return std::all_of(begin(), end(), [](const Dim& d) { return d.known(); }); }
Dim Shape::numel() const {
  int64_t known = 1;
  if (std::all_of(begin(), end(), [&](const Dim& d) { return d.known() && !__builtin_mul_overflow(known, d.value(), &known); }))
    return known;
  Dim n = 1;
  for (const Dim& d : *this) n = n * d;
  return n;
}

// ---- walking ----

std::vector<UOp> toposort(const UOp& root) { return toposort(std::span(&root, 1)); }
std::vector<UOp> toposort(std::span<const UOp> roots) {
  std::vector<UOp> order;
  detail::NodeMap<char> seen;
  std::deque<std::pair<const UOp*, bool>> stack;
  for (const UOp& root : roots) {
    stack.emplace_back(&root, false);
    while (!stack.empty()) {
      auto [u, ready] = stack.back();
      stack.pop_back();
      if (ready) { order.push_back(*u); continue; }
      if (!seen.add(u->node()).second) continue;
      stack.emplace_back(u, true);
      const auto src = u->src();
      for (size_t i = src.size(); i-- > 0;) if (!seen.contains(src[i].node())) stack.emplace_back(&src[i], false);
    }
  }
  return order;
}

}  // namespace tg
