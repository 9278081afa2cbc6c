// See neighbours.hpp.
#include "codegen/neighbours.hpp"

#include <algorithm>

#include "codegen/keep.hpp"
#include "codegen/pack.hpp"

namespace tg {
namespace {

class Editor {
 public:
  Editor(const Kernel& k, const Target& t, const Verbs& verbs) : kernel_(k), target_(t), verbs_(verbs) {
    for (const UOp& u : toposort(k.stores)) {
      reduces_ |= u.op() == Op::Reduce;
      if (u.op() == Op::Load || u.op() == Op::Store)
        widest_ = std::max(widest_, size_of(u.op() == Op::Load ? u.dtype() : u.src(2).dtype()));
    }
    lanes_ = std::max<int64_t>(1, static_cast<int64_t>(static_cast<size_t>(t.vector_bytes) / widest_));
  }

  std::vector<Verbs> run() {
    for (size_t i = 0; i < verbs_.size(); ++i) {
      resize(i);
      move_stage(i);
      edited(i, {});
    }
    reorder();
    if (verbs_.empty() || !verbs_[0].makes_phases()) append();
    split_reductions();
    copy_first();
    return std::move(out_);
  }

 private:
  void offer(Verbs v) {
    if (v == verbs_ || std::find(out_.begin(), out_.end(), v) != out_.end()) return;
    if (v.empty() || !v[0].rewrites()) {
      Nest nest(kernel_);
      for (const Verb& verb : v) {
        if (!nest.fits(verb)) return;
        nest.apply(verb);
      }
    }
    out_.push_back(std::move(v));
  }
  // With verb i replaced, or left out where there is nothing to replace it with.
  void edited(size_t i, const std::vector<Verb>& by) {
    Verbs v = verbs_;
    v.erase(v.begin() + static_cast<ptrdiff_t>(i));
    v.insert(v.begin() + static_cast<ptrdiff_t>(i), by.begin(), by.end());
    offer(std::move(v));
  }
  void appended(Verb verb) {
    Verbs v = verbs_;
    v.push_back(std::move(verb));
    offer(std::move(v));
  }

  void resize(size_t i) {
    const Verb& v = verbs_[i];
    if (v.kind != Verb::Kind::Tile && v.kind != Verb::Kind::Group) return;
    const bool lanes = v.kind == Verb::Kind::Tile && v.as == AxisKind::Vector,
               by_one = v.kind == Verb::Kind::Tile && v.as == AxisKind::Unroll;
    for (const int64_t n : {v.size * 2, v.size / 2, by_one ? v.size + 1 : 0, by_one ? v.size - 1 : 0}) {
      if (n < 2 || (lanes && n > 2 * lanes_)) continue;
      Verb other = v;
      other.size = n;
      edited(i, {other});
    }
  }
  void move_stage(size_t i) {
    if (verbs_[i].kind != Verb::Kind::Stage) return;
    Nest nest(kernel_);
    for (size_t n = 0; n < i; ++n) {
      if (!nest.fits(verbs_[n])) return;
      nest.apply(verbs_[n]);
    }
    std::vector<std::string> places = nest.loops();
    places.emplace_back("launch");
    for (const std::string& at : places) edited(i, {Verb::stage(verbs_[i].param, at)});
  }
  void reorder() {
    size_t at = 0;
    while (at < verbs_.size() && verbs_[at].kind != Verb::Kind::Order) ++at;
    const bool given = at < verbs_.size();
    Nest nest(kernel_);
    if (!given) for (const Verb& v : verbs_) if (nest.fits(v)) nest.apply(v);
    const std::vector<std::string> loops = given ? verbs_[at].axes : nest.loops();
    for (size_t i = 1; i < loops.size(); ++i) {
      Verb v = Verb::order(loops);
      std::swap(v.axes[i - 1], v.axes[i]);
      given ? edited(at, {v}) : appended(v);
    }
  }
  // Tiles of what is still a loop, and operands of reductions that are not staged yet.
  void append() {
    Nest nest(kernel_);
    for (const Verb& v : verbs_) {
      if (!nest.fits(v)) return;
      nest.apply(v);
    }
    for (const Axis& a : nest.axes) {
      if (a.kind != AxisKind::Loop || a.most < 2) continue;
      for (const int64_t n : {2, 4, 8}) if (n <= a.most) appended(Verb::tile(a.name, n, AxisKind::Unroll));
      for (const int64_t n : {16, 64, 512, 4096}) if (n < a.most) appended(Verb::tile(a.name, n, AxisKind::Loop));
      if (target_.grid) for (const int64_t n : {16, 64, 256}) if (n <= 2 * a.most) appended(Verb::tile(a.name, n, AxisKind::Thread));
      if (!target_.grid && lanes_ > 1) appended(Verb::tile(a.name, lanes_, AxisKind::Vector));
    }
    if (!target_.grid && !kernel_.ranges.empty() && !nest.pipelined) appended(Verb::pipeline(nest.axes[kernel_.ranges.size() - 1].name));
    if (!reduces_) return;
    for (const UOp& p : kernel_.params) {
      const int slot = p.as<ParamArg>().slot;
      if (std::any_of(nest.staged.begin(), nest.staged.end(), [&](const Nest::Staged& s) { return s.param == slot; })) continue;
      if (read_only(p)) for (const std::string& at : nest.loops()) appended(Verb::stage(slot, at));
    }
  }
  void split_reductions() {
    if (kernel_.sequential || (!verbs_.empty() && verbs_[0].makes_phases())) return;
    const Nest nest(kernel_);
    for (const Split& s : nest.splits) {
      const Axis& a = nest.axes[static_cast<size_t>(s.axes[0])];
      if (s.reduces()) for (const int64_t parts : {4, 16}) if (a.most >= 64 * parts) offer({Verb::group(a.name, parts)});
    }
  }

  // An operand copied by a phase of its own; the verbs of what is left are the compiler's, to begin with.
  void copy_first() {
    if (!reduces_ || (!verbs_.empty() && verbs_[0].makes_phases())) return;
    for (const UOp& p : kernel_.params) {
      Verb v = Verb::stage(p.as<ParamArg>().slot, "phase");
      if (read_only(p)) offer({std::move(v)});
    }
  }
  bool read_only(const UOp& param) const {
    return std::none_of(kernel_.stores.begin(), kernel_.stores.end(), [&](const UOp& s) { return s.src(0) == param; });
  }

  const Kernel& kernel_;
  const Target& target_;
  const Verbs& verbs_;
  std::vector<Verbs> out_;
  bool reduces_ = false;
  size_t widest_ = 1;
  int64_t lanes_ = 1;
};

}  // namespace

std::vector<Verbs> neighbours(const Kernel& k, const Target& t, const Verbs& verbs) {
  if (verbs.empty() || !verbs[0].rewrites() || verbs[0].makes_phases()) return Editor(k, t, verbs).run();
  std::vector<Verbs> out{{}};  // the verbs that follow are of the kernel that is left
  const Kernel left = verbs[0].before_all() ? pack(k, verbs[0]).main : keep(k, Nest(k), verbs[0]);
  for (Verbs& v : Editor(left, t, Verbs(verbs.begin() + 1, verbs.end())).run()) {
    if (v.empty() || v[0].rewrites()) continue;
    v.insert(v.begin(), verbs[0]);
    out.push_back(std::move(v));
  }
  return out;
}

}  // namespace tg
