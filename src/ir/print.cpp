// Nodes as text: one expression inline, or a whole graph a line a node.
//
//   to_string(a + b * 2)  "(p0+(p1*2))"           dump(y)  "%2 = Mul float32 (3) %0 %1"
#include <unordered_map>

#include <fmt/format.h>

#include "tg/ir/op_info.hpp"
#include "tg/ir/pattern.hpp"
#include "tg/ir/uop.hpp"

namespace tg {
namespace {

constexpr std::string_view kMonoids[] = {
#define MONOID(name, ...) #name,
#include "tg/ir/monoids.def"
#undef MONOID
};
std::string join(const std::vector<int64_t>& v) { return fmt::format("[{}]", fmt::join(v, ", ")); }

std::string arg_text(const UOp& u) {
  const Arg& arg = u.arg();
  if (const auto* v = std::get_if<int64_t>(&arg)) return fmt::format("{}", *v);
  if (const auto* v = std::get_if<double>(&arg)) return fmt::format("{}", *v);
  if (const auto* v = std::get_if<Shape>(&arg)) return to_string(*v);
  if (const auto* v = std::get_if<Ints>(&arg)) return join(**v);
  if (const auto* v = std::get_if<Name>(&arg)) return **v;
  if (const auto* v = std::get_if<RangeArg>(&arg))
    return fmt::format("{}{}", v->kind == RangeKind::Output ? "i" : v->kind == RangeKind::Reduce ? "r" : "t", v->id);
  if (const auto* v = std::get_if<ReduceArg>(&arg)) {
    std::vector<int64_t> axes;
    for (int i = 0; i < 32; ++i)
      if (v->axes >> i & 1) axes.push_back(i);
    return fmt::format("{} {}", kMonoids[static_cast<size_t>(v->monoid)], join(axes));
  }
  if (const auto* v = std::get_if<ScanArg>(&arg)) return fmt::format("{} axis {}", kMonoids[static_cast<size_t>(v->monoid)], v->axis);
  if (const auto* v = std::get_if<SortArg>(&arg)) return fmt::format("axis {}{}", v->axis, v->descending ? " descending" : "");
  if (const auto* v = std::get_if<ScatterArg>(&arg))
    return fmt::format("axis {} {}{}", v->axis, v->mode == ScatterMode::Add ? "add" : "set",
                       v->apart ? fmt::format(" apart {}", v->apart) : "");
  if (const auto* v = std::get_if<WindowArg>(&arg))
    return fmt::format("axis {} size {} stride {} dilation {}", v->axis, v->size, v->stride, v->dilation);
  if (const auto* v = std::get_if<ParamArg>(&arg)) return fmt::format("slot {}", v->slot);
  if (const auto* v = std::get_if<VariableArg>(&arg)) return *v->name;
  if (const auto* v = std::get_if<BufferArg>(&arg)) return fmt::format("serial {}", v->storage->serial);
  if (const auto* v = std::get_if<FunctionArg>(&arg)) return (*v)->name;
  return "";
}

/// The op's spelling, each {i} left to write_source.
void spell(std::string& out, Op op, const auto& write_source) {
  for (std::string_view f = info(op).c; !f.empty();) {
    if (f[0] == '{') { write_source(static_cast<size_t>(f[1] - '0')); f.remove_prefix(3); }
    else { out += f[0]; f.remove_prefix(1); }
  }
}
// Shared parts are repeated, so the text of a graph can be exponentially longer than the graph: past the limit only "..." is written.
constexpr size_t kLongestText = 4000;
void append(std::string& out, const UOp& u) {
  if (out.size() > kLongestText) {
    if (!out.ends_with("...")) out += "...";
    return;
  }
  switch (u.op()) {
    case Op::Const: case Op::Range: case Op::Variable: out += arg_text(u); return;
    case Op::Param: out += fmt::format("p{}", u.as<ParamArg>().slot); return;
    case Op::Load:
      if (u.src().size() > 2) out += "(";
      append(out, u.src(0)), out += "[", append(out, u.src(1)), out += "]";
      if (u.src().size() > 2) out += " if ", append(out, u.src(2)), out += ")";
      return;
    default: break;
  }
  if (!info(u.op()).c.empty()) return spell(out, u.op(), [&](size_t i) { append(out, u.src(i)); });
  out += name_of(u.op());
  if (u.op() == Op::Cast || u.op() == Op::Bitcast) out += fmt::format("<{}>", name_of(u.dtype()));
  else if (const std::string a = arg_text(u); !a.empty()) out += fmt::format("<{}>", a);
  out += "(";
  for (size_t i = 0; i < u.src().size(); ++i) { if (i) out += ", "; append(out, u.src(i)); }
  out += ")";
}

}  // namespace

std::string to_string(const Dim& d) { return d.known() ? fmt::format("{}", d.value()) : to_string(d.expr()); }
std::string to_string(const Shape& s) {
  std::string out = "(";
  for (size_t i = 0; i < s.rank(); ++i) out += (i ? ", " : "") + to_string(s[i]);
  return out + (s.rank() == 1 ? ",)" : ")");
}
std::string to_string(const UOp& u) {
  std::string out;
  append(out, u);
  return out;
}

std::string to_string(const Pat& p, const std::function<std::string(Var)>& name) {
  if (p.var) return name(*p.var);
  if (p.value) return fmt::format("{:.6g}", *p.value);
  std::string out;
  spell(out, p.op, [&](size_t i) { out += to_string(p.src.at(i), name); });
  return out;
}

std::string dump(const UOp& root) {
  std::string out;
  std::unordered_map<UOp, size_t> names;
  for (const UOp& u : toposort(root)) {
    const size_t name = names.size();
    names.emplace(u, name);
    out += fmt::format("%{} = {} {} {}", name, name_of(u.op()), name_of(u.dtype()), to_string(u.shape()));
    if (const std::string a = arg_text(u); !a.empty()) out += fmt::format(" {{{}}}", a);
    for (const UOp& s : u.src()) out += fmt::format(" %{}", names.at(s));
    out += "\n";
  }
  return out;
}

}  // namespace tg
