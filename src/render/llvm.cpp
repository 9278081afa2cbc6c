// Instruction lists to LLVM 19 IR, one function per phase, to be run with the CPU phase's signature.
//
//   %5 = load %0 [%4] x16      ->   %v5p = getelementptr inbounds float, ptr %b0, i64 %v4
//   %6 = alu Mul %5 %5 x16          %v5 = load <16 x float>, ptr %v5p, align 4, !noalias !2
//                                   %v6 = fmul <16 x float> %v5, %v5
//
// Loops become basic blocks with phis, tested at the end behind a guard, so that invariant loads can be hoisted. Buffer and scalar
// arguments are read once at entry. Registers hold bool as i1 (memory: a byte) and 16-bit floats as their bits in i16. Slots that
// are stored to are told apart by alias metadata. Floating point is never contracted or reordered.
#include <bit>

#include "render/llvm_arithmetic.hpp"
#include "render/llvm_matrix.hpp"
#include "render/renderers.hpp"
#include "tg/device.hpp"

namespace tg {
namespace render {
namespace {

constexpr size_t kMaxScopes = 32;  // more written slots than this share no metadata: its size is the square of their number

class LlvmFunction {
 public:
  LlvmFunction(std::string& out, const Phase& phase, const Target& target, int& metadata, std::string& metadata_text)
      : out_(out), phase_(phase), target_(target), insts_(phase.insts), values_(insts_.size()), next_metadata_(metadata),
        metadata_(metadata_text) {}

  void render() {
    put(out_, "define void @", phase_.entry, "(ptr %buffers, ptr %scalars, i64 %first, i64 %last, ptr %worker) nounwind");
    if (target_.vector_bytes > 0) put(out_, " \"prefer-vector-width\"=\"", 8 * target_.vector_bytes, "\"");
    put(out_, " {\nentry:\n");
    arguments();
    for (at_ = 0; at_ < insts_.size(); ++at_) one(insts_[at_]);
    // Stores that bypass the cache are not ordered by the pool's release of the chunk.
    if (streamed_) put(out_, "  fence seq_cst\n");
    put(out_, "  ret void\n}\n");
  }

 private:
  struct Loop {
    size_t at;           // the loop instruction
    size_t header;       // where in the text its phis go
    std::string before;  // block the loop is entered from
    bool guarded;
  };

  const Inst& source(const Inst& u, size_t n) const { return insts_[static_cast<size_t>(u.src[n])]; }
  const std::string& value(const Inst& u, size_t n) const { return values_[static_cast<size_t>(u.src[n])]; }
  static std::string id(size_t at, std::string_view temporary) {
    std::string out = "%v";
    put(out, at, temporary);
    return out;
  }
  std::string name(std::string_view temporary = "") const { return id(at_, temporary); }
  void check(bool ok, const char* why) const { if (!ok) fail("llvm", at_, why); }

  /// Everything that is read once at entry, and alias scopes for the slots that are stored to. Scratch counts as one slot more.
  void arguments() {
    std::vector<bool> buffers(phase_.buffers.size()), scalars(static_cast<size_t>(phase_.scalars)), stored(buffers.size() + 1);
    bool scratch = false, begun = false, status = false, guarded_loads = false;
    for (at_ = 0; at_ < insts_.size(); ++at_) {
      const Inst& u = insts_[at_];
      const auto slot = static_cast<size_t>(u.value);
      if (u.op == InstOp::buffer) {
        check(slot < buffers.size(), "no such buffer");
        values_[at_] = "%b" + std::to_string(slot);
        if (!buffers[slot])
          put(out_, "  %b", slot, "p = getelementptr ptr, ptr %buffers, i64 ", slot, "\n  %b", slot, " = load ptr, ptr %b", slot,
              "p, align 8, !align !0\n");
        buffers[slot] = true;
      } else if (u.op == InstOp::scalar) {
        check(slot < scalars.size(), "no such scalar");
        values_[at_] = (u.dtype == DType::float64 ? "%f" : "%s") + std::to_string(slot);
        if (!scalars[slot])
          put(out_, "  %s", slot, "p = getelementptr i64, ptr %scalars, i64 ", slot, "\n  %s", slot, " = load i64, ptr %s", slot,
              "p, align 8\n  %f", slot,
              " = bitcast i64 %s", slot, " to double\n");
        scalars[slot] = true;
      } else if (u.op == InstOp::scratch) {
        if (!scratch) put(out_, "  %scratch = load ptr, ptr %worker, align 8\n");
        scratch = true;
        values_[at_] = name();
        put(out_, "  ", name(), " = getelementptr i8, ptr %scratch, i64 ", u.value, "\n");
      } else if (u.op == InstOp::store || u.op == InstOp::scatter) {
        stored[slot_of(u)] = true;
      } else if (u.op == InstOp::load || u.op == InstOp::gather) {
        guarded_loads |= u.lanes == 1 && u.src.size() > 2;
      }
      status |= u.op == InstOp::report;
      begun |= u.op == InstOp::begun;
    }
    if (status) put(out_, "  %statusp = getelementptr ptr, ptr %worker, i64 1\n  %status = load ptr, ptr %statusp, align 8\n");
    if (begun) put(out_, "  %begunp = getelementptr ptr, ptr %worker, i64 2\n  %begun = load i64, ptr %begunp, align 8\n");
    // What a masked-off load of one element reads instead: zero.
    if (guarded_loads) put(out_, "  %zero = alloca i64, align 8\n  store i64 0, ptr %zero, align 8\n");
    scopes(stored);
  }

  /// Per slot the metadata that ends its accesses: its own scope if it is stored to, and that no other stored slot is touched.
  void scopes(const std::vector<bool>& stored) {
    std::vector<size_t> scoped;
    for (size_t s = 0; s < stored.size() && scoped.size() < kMaxScopes; ++s) if (stored[s]) scoped.push_back(s);
    access_.resize(stored.size());
    if (scoped.empty()) return;
    const int domain = next_metadata_++, first = next_metadata_;
    put(metadata_, "!", domain, " = distinct !{!", domain, "}\n");
    for (size_t i = 0; i < scoped.size(); ++i, ++next_metadata_)
      put(metadata_, "!", next_metadata_, " = distinct !{!", next_metadata_, ", !", domain, "}\n");
    const auto list = [&](auto&& keep) {
      put(metadata_, "!", next_metadata_, " = !{");
      bool any = false;
      for (size_t i = 0; i < scoped.size(); ++i)
        if (keep(scoped[i])) put(metadata_, any ? ", !" : "!", first + static_cast<int>(i)), any = true;
      put(metadata_, "}\n");
      return next_metadata_++;
    };
    const int all = list([](size_t) { return true; });
    for (size_t s = 0; s < stored.size(); ++s) put(access_[s], ", !noalias !", all);
    for (const size_t s : scoped) {
      access_[s].clear();
      put(access_[s], ", !alias.scope !", list([&](size_t o) { return o == s; }));
      if (scoped.size() > 1) put(access_[s], ", !noalias !", list([&](size_t o) { return o != s; }));
    }
  }

  size_t slot_of(const Inst& u) const {
    const Inst& pointer = source(u, 0);
    check(pointer.op == InstOp::buffer || pointer.op == InstOp::scratch, "its pointer is neither a buffer nor scratch");
    return pointer.op == InstOp::buffer ? static_cast<size_t>(pointer.value) : phase_.buffers.size();
  }

  void open_block(const std::string& label) {
    put(out_, label, ":\n");
    block_ = label;
  }
  static std::string label(std::string_view stem, size_t at) { return std::string(stem) + std::to_string(at); }

  void one(const Inst& u) {
    switch (u.op) {
      case InstOp::constant: values_[at_] = number(u.dtype, u.value, u.real); return;
      case InstOp::buffer: case InstOp::scratch: case InstOp::scalar: return;  // at entry
      case InstOp::first_chunk: values_[at_] = "%first"; return;
      case InstOp::begun: values_[at_] = "%begun"; return;
      case InstOp::last_chunk: values_[at_] = "%last"; return;
      case InstOp::ramp: return ramp(u);
      case InstOp::alu: return alu(u);
      case InstOp::cast: return cast(u);
      case InstOp::bitcast: return bitcast(u);
      case InstOp::broadcast: return broadcast(u);
      case InstOp::extract:
        if (source(u, 0).lanes == 1) { values_[at_] = value(u, 0); return; }
        define();
        put(out_, "extractelement "), operand(u, 0), put(out_, ", i64 ", u.value, "\n");
        return;
      case InstOp::shuffle: return shuffle(u);
      case InstOp::dot: case InstOp::tile_zero: case InstOp::tile_load: case InstOp::tile_dot: case InstOp::tile_store: return matrix(u);
      case InstOp::load: case InstOp::gather: return load(u);
      case InstOp::store: case InstOp::scatter: return store(u);
      case InstOp::prefetch:
        address(u, false);
        put(out_, "  call void @llvm.prefetch.p0(ptr ", name("p"), ", i32 0, i32 ", u.value ? 2 : 3, ", i32 1)\n");
        return;
      case InstOp::loop: return loop(u);
      case InstOp::phi: values_[at_] = name(); return;  // written when the loop ends
      case InstOp::end_loop: return end_loop(u);
      case InstOp::if_:
        ifs_.push_back(at_);
        return branch(value(u, 0), label("then", at_), label("endif", at_));
      case InstOp::end_if: {
        check(!ifs_.empty(), "end_if without if");
        const std::string end = label("endif", ifs_.back());
        ifs_.pop_back();
        put(out_, "  br label %", end, "\n");
        return open_block(end);
      }
      case InstOp::report: return report(u);
      case InstOp::block: case InstOp::thread: case InstOp::barrier: check(false, "a CPU has no grid of threads");
    }
  }

  void define() {
    values_[at_] = name();
    put(out_, "  ", values_[at_], " = ");
  }
  void operand(const Inst& u, size_t n) {
    put_type(out_, scalar_type(source(u, n).dtype), source(u, n).lanes);
    put(out_, " ", value(u, n));
  }
  void branch(const std::string& condition, const std::string& yes, const std::string& no) {
    put(out_, "  br i1 ", condition, ", label %", yes, ", label %", no, "\n");
    open_block(yes);
  }

  void alu(const Inst& u) {
    int64_t divisor = 0;
    if (u.alu == Op::IDiv || u.alu == Op::Mod) {
      const Inst* b = &source(u, 1);
      if (b->op == InstOp::broadcast) b = &source(*b, 0);
      if (b->op == InstOp::constant) divisor = b->value;
    }
    const std::string* operands[3] = {};
    for (size_t i = 0; i < u.src.size() && i < 3; ++i) operands[i] = &value(u, i);
    std::string apart[3];
    if (u.alu == Op::Where && u.lanes > 1 && u.dtype != DType::bool_ && target_.vector_bytes >= 64)
      for (const size_t i : {1, 2}) if (made_of(u, i, 3 - i)) operands[i] = &(apart[i] = with_nothing_added(u, i));
    values_[at_] = name();
    Lines{out_, at_}.alu(u, operand_type(insts_, u), divisor, values_[at_], operands);
    if (u.alu == Op::Max && u.dtype == DType::index && u.lanes == 1) hide();  // in an address more to try than a sum
  }
  const Inst& without_bitcasts(const Inst* u) const {
    while (u->op == InstOp::bitcast) u = &source(*u, 0);
    return *u;
  }
  /// Whether an operand is made bit by bit of, among others, another one, as far as one instruction may reach.
  bool made_of(const Inst& u, size_t operand, size_t other) const {
    const Inst& wanted = without_bitcasts(&source(u, other));
    std::vector<const Inst*> stack{&source(u, operand)};
    for (int looked_at = 0; looked_at < 32 && !stack.empty(); ++looked_at) {
      const Inst& i = without_bitcasts(stack.back());
      stack.pop_back();
      if (i.op != InstOp::alu || (i.alu != Op::And && i.alu != Op::Or && i.alu != Op::Xor)) continue;
      for (size_t n = 0; n < 2; ++n) {
        if (&without_bitcasts(&source(i, n)) == &wanted) return true;
        stack.push_back(&source(i, n));
      }
    }
    return false;
  }
  /// An operand plus a 0 that LLVM does not know: of a choice between bits and what they are made of LLVM 19 makes one masked vpternlog
  /// and swaps its operands.
  std::string with_nothing_added(const Inst& u, size_t operand) {
    const std::string stem = name(operand == 1 ? "a" : "b");
    const DType t = u.dtype, bits = size_of(t) == 8 ? DType::int64 : size_of(t) == 4 ? DType::int32 : t;
    const bool real = scalar_type(t) != scalar_type(bits);
    const auto vector = [&](DType d) { put_type(out_, scalar_type(d), u.lanes); };
    if (real) put(out_, "  ", stem, "i = bitcast "), vector(t), put(out_, " ", value(u, operand), " to "), vector(bits), put(out_, "\n");
    put(out_, "  ", stem, "o = call i32 asm \"\", \"=r,0\"(i32 0) nounwind memory(none)\n  ", stem, "v = insertelement <", u.lanes,
        " x i32> poison, i32 ", stem, "o, i64 0\n  ", stem, "s = shufflevector <", u.lanes, " x i32> ", stem, "v, <", u.lanes,
        " x i32> poison, <", u.lanes, " x i32> zeroinitializer\n");
    const char* const convert = size_of(bits) == 8 ? "sext" : size_of(bits) == 4 ? "bitcast" : "trunc";
    put(out_, "  ", stem, "z = ", convert, " <", u.lanes, " x i32> ", stem, "s to "), vector(bits), put(out_, "\n");
    put(out_, "  ", stem, " = add "), vector(bits), put(out_, " ", real ? stem + "i" : value(u, operand), ", ", stem, "z\n");
    if (!real) return stem;
    put(out_, "  ", stem, "r = bitcast "), vector(bits), put(out_, " ", stem, " to "), vector(t), put(out_, "\n");
    return stem + "r";
  }
  void cast(const Inst& u) { values_[at_] = Lines{out_, at_}.convert(value(u, 0), source(u, 0).dtype, u.dtype, u.lanes, name()); }

  void bitcast(const Inst& u) {
    const DType from = source(u, 0).dtype;
    if (from == DType::bool_ || u.dtype == DType::bool_) return cast(u);  // i1 against a byte of 0 or 1
    if (scalar_type(from) == scalar_type(u.dtype)) { values_[at_] = value(u, 0); return; }
    define();
    put(out_, "bitcast "), operand(u, 0), put(out_, " to "), put_type(out_, scalar_type(u.dtype), u.lanes), put(out_, "\n");
  }

  void ramp(const Inst& u) {
    std::string& text = values_[at_];
    if (u.lanes > 1) text += '<';
    for (int i = 0; i < u.lanes; ++i) {
      if (u.lanes > 1) put(text, i ? ", " : "", scalar_type(u.dtype), " ");
      put(text, number(u.dtype, i, i));
    }
    if (u.lanes > 1) text += '>';
  }

  void broadcast(const Inst& u) {
    const std::string& v = value(u, 0);
    if (u.lanes == 1) { values_[at_] = v; return; }
    if (source(u, 0).op == InstOp::constant) return put_splat(values_[at_], u.dtype, u.lanes, v);
    put(out_, "  ", name("i"), " = insertelement "), put_type(out_, scalar_type(u.dtype), u.lanes);
    put(out_, " poison, "), operand(u, 0), put(out_, ", i64 0\n");
    define();
    put(out_, "shufflevector "), put_type(out_, scalar_type(u.dtype), u.lanes), put(out_, " ", name("i"), ", ");
    put_type(out_, scalar_type(u.dtype), u.lanes), put(out_, " poison, <", u.lanes, " x i32> zeroinitializer\n");
  }

  void shuffle(const Inst& u) {
    const int from = source(u, 0).lanes;
    check(u.list.size() == u.lanes && u.src.size() == 2 && source(u, 1).lanes == from,
          "a shuffle takes two values of equal lanes and one number per lane");
    for (const int32_t i : u.list) check(i >= 0 && i < 2 * from, "a shuffle's lane is outside its operands");
    if (from == 1 || u.lanes == 1) return gather_lanes(u);
    define();
    put(out_, "shufflevector "), operand(u, 0), put(out_, ", "), operand(u, 1), put(out_, ", <", u.lanes, " x i32> <");
    for (size_t i = 0; i < u.list.size(); ++i) put(out_, i ? ", i32 " : "i32 ", u.list[i]);
    put(out_, ">\n");
  }
  void matrix(const Inst& u) {
    if (u.op == InstOp::tile_load || u.op == InstOp::tile_store) address(u, true);
    std::vector<Operand> src;
    for (size_t n = 0; n < u.src.size(); ++n) src.push_back({&source(u, n), &value(u, n)});
    values_[at_] = name();
    check(put_matrix(out_, u, src, name()), "no such matrix instruction");
  }
  bool is_tile(const Inst& u) const {
    return u.op == InstOp::phi ? is_tile(source(u, 0)) : u.op >= InstOp::tile_zero && u.op <= InstOp::tile_dot;
  }
  /// A shuffle of scalars, or to one: lane by lane.
  void gather_lanes(const Inst& u) {
    const int from = source(u, 0).lanes;
    if (u.lanes == 1 && from == 1) { values_[at_] = value(u, static_cast<size_t>(u.list[0])); return; }
    if (u.lanes == 1) {
      define();
      put(out_, "extractelement "), operand(u, static_cast<size_t>(u.list[0] / from)), put(out_, ", i64 ", u.list[0] % from, "\n");
      return;
    }
    std::string last = "poison";
    for (int i = 0; i < u.lanes; ++i) {
      const std::string next = i + 1 == u.lanes ? name() : name("i" + std::to_string(i));
      put(out_, "  ", next, " = insertelement "), put_type(out_, scalar_type(u.dtype), u.lanes);
      put(out_, " ", last, ", "), operand(u, static_cast<size_t>(u.list[static_cast<size_t>(i)])), put(out_, ", i64 ", i, "\n");
      last = next;
    }
    values_[at_] = last;
  }

  /// Defines %v..p: the address of the access, in bounds of its buffer unless masked or a hint.
  void address(const Inst& u, bool inside) {
    put(out_, "  ", name("p"), " = getelementptr ", inside ? "inbounds " : "", memory_type(source(u, 0).dtype), ", ptr ", value(u, 0),
        ", ");
    operand(u, 1);
    out_ += '\n';
  }
  void load(const Inst& u) {
    const bool masked = u.src.size() > 2, many = u.op == InstOp::gather && u.lanes > 1, is_bool = u.dtype == DType::bool_;
    const std::string_view type = memory_type(u.dtype);
    const std::string& metadata = access_[slot_of(u)];
    const std::string result = name(is_bool ? "m" : "");
    address(u, !masked);
    if (many || (masked && u.lanes > 1)) {
      put(out_, "  ", result, " = call "), put_type(out_, type, u.lanes);
      put(out_, many ? " @llvm.masked.gather." : " @llvm.masked.load."), put_suffix(out_, u.dtype, u.lanes);
      if (many) put(out_, ".v", u.lanes, "p0(<", u.lanes, " x ptr> "); else put(out_, ".p0(ptr ");
      put(out_, name("p"), ", i32 ", size_of(u.dtype), ", ");
      if (masked) operand(u, 2); else put(out_, "<", u.lanes, " x i1> splat (i1 true)");
      put(out_, ", "), put_type(out_, type, u.lanes), put(out_, " zeroinitializer)");
    } else {
      if (masked) put(out_, "  ", name("a"), " = select i1 ", value(u, 2), ", ptr ", name("p"), ", ptr %zero\n");
      put(out_, "  ", result, " = load "), put_type(out_, type, u.lanes);
      put(out_, ", ptr ", name(masked ? "a" : "p"), ", align ", size_of(u.dtype));
    }
    put(out_, metadata, "\n");
    values_[at_] = name();
    if (!is_bool) return;
    put(out_, "  ", name(), " = icmp ne "), put_type(out_, "i8", u.lanes), put(out_, " ", result, ", zeroinitializer\n");
  }

  void store(const Inst& u) {
    const Inst& stored = source(u, 2);
    const int lanes = stored.lanes;
    const bool masked = u.src.size() > 3, many = u.op == InstOp::scatter && lanes > 1;
    const std::string& metadata = access_[slot_of(u)];
    const std::string end = label("stored", at_);
    if (masked && lanes == 1) branch(value(u, 3), label("store", at_), end);
    address(u, !masked || lanes == 1);
    std::string v = value(u, 2);
    if (stored.dtype == DType::bool_) {
      put(out_, "  ", name("m"), " = zext "), operand(u, 2), put(out_, " to "), put_type(out_, "i8", lanes), put(out_, "\n");
      v = name("m");
    }
    if (many || (masked && lanes > 1)) {
      put(out_, many ? "  call void @llvm.masked.scatter." : "  call void @llvm.masked.store."), put_suffix(out_, stored.dtype, lanes);
      if (many) put(out_, ".v", lanes);
      put(out_, many ? "p0(" : ".p0("), put_type(out_, memory_type(stored.dtype), lanes);
      if (many) put(out_, " ", v, ", <", lanes, " x ptr> "); else put(out_, " ", v, ", ptr ");
      put(out_, name("p"), ", i32 ", size_of(stored.dtype), ", ");
      if (masked) operand(u, 3); else put(out_, "<", lanes, " x i1> splat (i1 true)");
      put(out_, ")", metadata, "\n");
    } else {
      const size_t bytes = static_cast<size_t>(lanes) * size_of(stored.dtype);
      const bool streams = u.hint == Hint::non_temporal && !masked && bytes >= 16 && std::has_single_bit(bytes);
      put(out_, "  store "), put_type(out_, memory_type(stored.dtype), lanes);
      put(out_, " ", v, ", ptr ", name("p"), ", align ", streams ? bytes : size_of(stored.dtype), metadata,
          streams ? ", !nontemporal !1\n" : "\n");
      streamed_ |= streams;
    }
    if (masked && lanes == 1) {
      put(out_, "  br label %", end, "\n");
      open_block(end);
    }
  }

  void loop(const Inst& u) {
    const Inst &begin = source(u, 0), &end = source(u, 1);
    const bool runs = begin.op == InstOp::constant && end.op == InstOp::constant && begin.value < end.value;
    check(u.value > 0, "a loop's step is positive");
    const std::string body = label("loop", at_);
    if (!runs)
      put(out_, "  ", name("g"), " = icmp slt i64 ", value(u, 0), ", ", value(u, 1), "\n  br i1 ", name("g"), ", label %", body,
          ", label %done", at_, "\n");
    else put(out_, "  br label %", body, "\n");
    loops_.push_back({at_, 0, block_, !runs});
    open_block(body);
    loops_.back().header = out_.size();
    values_[at_] = name();
    if (!has_loops(at_)) return;
    // LLVM looks for the best way to step through each innermost loop; that addresses are also sums of counters further out only makes it
    // try more of them, which takes half the time of compiling.
    hide();
  }
  /// Makes an index a number of which LLVM knows nothing.
  void hide() {
    put(out_, "  ", name("o"), " = call i64 asm \"\", \"=r,0\"(i64 ", name(), ") nounwind memory(none)\n");
    values_[at_] = name("o");
  }
  bool has_loops(size_t loop) const {
    for (size_t i = loop + 1; insts_[i].op != InstOp::end_loop; ++i) if (insts_[i].op == InstOp::loop) return true;
    return false;
  }

  void end_loop(const Inst& u) {
    check(!loops_.empty() && static_cast<size_t>(u.src[0]) == loops_.back().at, "end_loop does not match the innermost loop");
    const Loop loop = loops_.back();
    loops_.pop_back();
    const Inst& head = insts_[loop.at];
    const std::string counter = id(loop.at, ""), next = id(loop.at, "n"), more = id(loop.at, "m"), latch = block_;
    put(out_, "  ", next, " = add nsw i64 ", counter, ", ", head.value, "\n  ", more, " = icmp slt i64 ", next, ", ", value(head, 1),
        "\n  br i1 ", more,
        ", label %loop", loop.at, ", label %done", loop.at, "\n");
    open_block(label("done", loop.at));
    std::string phis;
    std::vector<std::string> finals;
    const auto phi = [&](std::string& out, const std::string& result, std::string_view scalar, int lanes, const std::string& initial,
                         const std::string& carried) {
      put(out, "  ", result, " = phi "), put_type(out, scalar, lanes);
      put(out, " [ ", initial, ", %", loop.before, " ], [ ", carried, ", %", latch, " ]\n");
    };
    phi(phis, counter, scalar_type(DType::index), 1, value(head, 0), next);
    for (size_t k = 1; k < u.src.size(); ++k) {
      check(loop.at + k < insts_.size() && insts_[loop.at + k].op == InstOp::phi, "end_loop has more values than its loop has phis");
      const Inst& p = insts_[loop.at + k];
      const bool tile = is_tile(p);
      const std::string_view scalar = tile ? kTileType : scalar_type(p.dtype);
      const int lanes = tile ? 1 : p.lanes;
      phi(phis, id(loop.at + k, ""), scalar, lanes, value(p, 0), value(u, k));
      finals.push_back(loop.guarded ? id(loop.at + k, "x") : value(u, k));
      if (loop.guarded) phi(out_, finals.back(), scalar, lanes, value(p, 0), value(u, k));
    }
    check(insts_[loop.at + u.src.size()].op != InstOp::phi, "end_loop has fewer values than its loop has phis");
    for (size_t k = 0; k < finals.size(); ++k) values_[loop.at + 1 + k] = finals[k];
    out_.insert(loop.header, phis);
  }

  /// One branch for all lanes; the first that is out is looked for where it is taken.
  void report(const Inst& u) {
    const std::string out = label("out", at_), won = label("report", at_), end = label("reported", at_);
    const std::string mask = "i" + std::to_string(source(u, 0).lanes), m = name("m");
    put(out_, "  ", m, " = bitcast "), operand(u, 0), put(out_, " to ", mask, "\n  ", name("y"), " = icmp ne ", mask, " ", m, ", 0\n");
    branch(name("y"), out, end);
    put(out_, "  ", name("l"), " = call ", mask, " @llvm.cttz.", mask, "(", mask, " ", m, ", i1 true)\n  ", name("x"),
        " = cmpxchg ptr %status, i64 0, i64 1 acq_rel monotonic\n  ", name("w"), " = extractvalue { i64, i1 } ", name("x"), ", 1\n");
    branch(name("w"), won, end);
    std::string words[] = {std::to_string(u.value), value(u, 1), value(u, 2)};
    for (size_t i = 0; i < 3; ++i) {
      const std::string letter(1, "abc"[i]);
      if (i > 0 && source(u, i).lanes > 1) {
        words[i] = name(letter + "v");
        put(out_, "  ", words[i], " = extractelement "), operand(u, i), put(out_, ", ", mask, " ", name("l"), "\n");
      }
      put(out_, "  ", name(letter), " = getelementptr i64, ptr %status, i64 ", i + 1, "\n  store i64 ", words[i], ", ptr ", name(letter),
          ", align 8\n");
    }
    put(out_, "  br label %", end, "\n");
    open_block(end);
  }

  std::string& out_;
  const Phase& phase_;
  const Target& target_;
  const std::vector<Inst>& insts_;
  std::vector<std::string> values_;  // how each instruction's result is written as an operand
  std::vector<std::string> access_;  // per slot, the metadata of its accesses
  std::vector<Loop> loops_;
  std::vector<size_t> ifs_;
  std::string block_ = "entry";      // label of the block being written
  int& next_metadata_;
  std::string& metadata_;
  size_t at_ = 0;
  bool streamed_ = false;
};

}  // namespace
}  // namespace render

std::string render_llvm(std::span<const Phase> phases, const Target& target) {
  std::string out, metadata;
  render::put(metadata, "!0 = !{i64 ", kHostAlignment, "}\n!1 = !{i32 1}\n");  // buffers' alignment; the mark of a non-temporal store
  int next_metadata = 2;
  size_t insts = 0;
  for (const Phase& phase : phases) insts += phase.insts.size();
  out.reserve(1024 + 192 * insts);
  for (const Phase& phase : phases) render::LlvmFunction(out, phase, target, next_metadata, metadata).render();
  out += metadata;
  return out;
}

}  // namespace tg
