// See demand.hpp: which values are stored with zeros around them, so that a reduction that reads past their border has no test in it.
//
//   a convolution of x, padded by 1      x is stored as (n + 2, n + 2) with zeros at its border; each term is one load
#include <algorithm>

#include "schedule/demand.hpp"

namespace tg {
namespace {

constexpr double kWidestHalo = 3;                           // times the elements of what it surrounds
constexpr double kWastedBorder = 1.2;                       // times the elements of a value: more are not computed to be thrown away
constexpr double kBorderTerms = 1.25;                       // times the terms of a sum: more are left out where they are zeros of a border
constexpr double kManyImages = 64, kSmallImage = 16 << 10;  // elements
constexpr double kManyTerms = 64;                           // for each element of an array that is copied for them

}  // namespace

// What is given is copied where many terms read past its border, so that none of them has to test where it is.
void Demands::surround(const UOp& u) {
  double terms = 0;
  for (const Demand& d : demands_[u]) terms += d.evaluations();
  if (Halo zeros; terms >= kManyTerms * elements(u.shape()) && wants_halo(u, zeros)) return store(u, "given without zeros around it");
  for (const Demand& d : std::vector<Demand>(std::move(demands_[u]))) inline_into(u, d);
}

// Some reduction reads past the border of u (a padded convolution, or a convolution's input gradient), and zeros there are cheap to keep.
bool Demands::wants_halo(const UOp& u, Halo& zeros) const {
  const Shape& shape = u.shape();
  const auto it = demands_.find(u);
  if (!shape.known() || shape.empty() || forced_.contains(u.node()) || it == demands_.end()) return false;
  zeros.before.assign(shape.rank(), 0);
  zeros.after.assign(shape.rank(), 0);
  bool wanted = false;
  for (const Demand& d : it->second)
    for (size_t a = 0; a < shape.rank(); ++a) {
      const Bounds b = d.idx[a].bounds();
      if (!d.reduces(d.idx[a].ranges())) continue;
      const int64_t low = std::max<int64_t>(0, -b.min), high = std::max<int64_t>(0, b.max - shape[a].value() + 1);
      if (std::max(low, high) > shape[a].value()) return false;
      zeros.before[a] = std::max(zeros.before[a], low);
      zeros.after[a] = std::max(zeros.after[a], high);
      wanted |= low + high > 0;
    }
  if (!wanted || elements(zeros.padded(shape)) > kWidestHalo * elements(shape)) return false;
  return std::none_of(it->second.begin(), it->second.end(), [&](const Demand& d) { return skips_border(shape, zeros, d); });
}

// Whether a reduction should rather leave out what lies past the border: much of what it would add is zeros, and there are so many small
// arrays side by side (images of a batch) that a register tile can take an element of each.
bool Demands::skips_border(const Shape& shape, const Halo& zeros, const Demand& d) {
  double terms = 1, images = 1;
  for (size_t a = 0; a < shape.rank(); ++a) {
    const auto n = static_cast<double>(shape[a].value());
    if (d.reduces(d.idx[a].ranges())) terms *= 1 + static_cast<double>(zeros.before[a] + zeros.after[a]) / (2 * n);
    else if (d.idx[a].op() == Op::Range) images = std::max(images, n);
  }
  return terms > kBorderTerms && images >= kManyImages && elements(shape) <= images * kSmallImage;
}

// Whether each element is made by a reduction of its own.
bool Demands::reduces_each(const UOp& u) const {
  std::vector<const UOp*> stack{&u};
  std::set<const detail::Node*> seen;
  while (!stack.empty()) {
    const UOp& n = *stack.back();
    stack.pop_back();
    if (loops(n) && 2 * elements(n.shape()) >= elements(u.shape())) return true;
    if (loops(n)) continue;
    for (const UOp& s : n.src()) if (!home.contains(s) && seen.insert(s.node()).second) stack.push_back(&s);
  }
  return false;
}

// A kernel runs over the border of what it stores too, and stores zeros there. Where that would compute much for nothing, zeros are
// stored first and it runs over the value alone.
void Demands::fill_wide_borders() {
  for (size_t g = 0, n = groups.size(); g < n; ++g) {
    const UOp u = groups[g].outputs[0];
    const auto zeros = halo.find(u);
    if (zeros == halo.end()) continue;
    const Shape padded = zeros->second.padded(u.shape());
    if (u.op() == Op::Detach || (elements(padded) <= kWastedBorder * elements(u.shape()) && !reduces_each(u))) continue;
    first_store[u] = open_group(padded);
    groups.back().outputs.push_back(u);
    groups[g].after.insert(first_store[u]);
    groups[g].open_loops(u.shape());
  }
}

}  // namespace tg
