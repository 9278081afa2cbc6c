#pragma once
// What x.at(...) and x.set(...) take, one for each axis from the first.
//
//   x.at(0, slice(1, 5), none, ids)      axis 0 at 0, axis 1 from 1 to 4, a new axis, axis 2 at the integers in the tensor `ids`
//   x.at(ellipsis, -1)                   the last of the last axis
//   x.at(x > 0)                          the elements where a mask (bool, of the sizes of the axes it stands for) is true, in a row
#include <cstdint>

namespace tg {

class Tensor;

struct None {};  // the type of none
inline constexpr None none;          // a new axis of size 1; a missing bound of a slice
struct Ellipsis {};  // the type of ellipsis
inline constexpr Ellipsis ellipsis;  // as many whole axes as are left

/// An end of a slice, or none.
struct SliceBound {
  SliceBound() = default;
  SliceBound(None) {}
  SliceBound(int64_t v) : position(v), given(true) {}
  SliceBound(int v) : SliceBound(static_cast<int64_t>(v)) {}
  int64_t position = 0;
  bool given = false;
};

/// Positions begin, begin + step, ... before end. Missing bounds are the ends of the axis; negative ones count from its end; those
/// outside are clipped, as in Python.
struct Slice {
  SliceBound begin, end;
  int64_t step = 1;
};

/// The whole axis; the part [begin, end); every step-th of it (a negative step walks backward).
[[nodiscard]] inline Slice slice(SliceBound begin = {}, SliceBound end = {}, int64_t step = 1) { return {begin, end, step}; }

/// One index, only as an argument: a tensor is referred to, not kept.
class Index {
 public:
  enum class Kind : uint8_t { Integer, Slice, NewAxis, Ellipsis, Tensor };
  Index(int64_t i) : kind(Kind::Integer), integer(i) {}
  Index(int i) : Index(static_cast<int64_t>(i)) {}
  Index(Slice s) : kind(Kind::Slice), slice(s) {}
  Index(None) : kind(Kind::NewAxis) {}
  Index(Ellipsis) : kind(Kind::Ellipsis) {}
  Index(const Tensor& t) : kind(Kind::Tensor), tensor(&t) {}

  Kind kind;                       // which of the members below counts
  int64_t integer = 0;             // Kind::Integer
  Slice slice = {};                // Kind::Slice
  const Tensor* tensor = nullptr;  // Kind::Tensor
};

}  // namespace tg
