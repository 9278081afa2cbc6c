#pragma once
// Value: one element of the braces that a tensor is made from, a number or a list of values.
//
//   in:  Tensor({{1.f, 2.f}, {3.f, 4.f}})      out: float32, shape (2, 2)
//
// The data's dtype is the widest of its literals': any float or double gives float32 (as PyTorch reads 1.0), integers up to the width
// of int give int32, wider or unsigned ones their own type, only bools give bool. TensorOptions::dtype overrides it.
#include <initializer_list>
#include <vector>

#include "tg/scalar.hpp"

namespace tg {

class Value {  // a number or a list, of Tensor's literals
 public:
  template <detail::Arithmetic T>
  Value(T v) : number_(v) {}
  Value(Scalar v) : number_(v) {}
  Value(std::initializer_list<Value> values) : number_(0), list_(values), is_list_(true) {}

  [[nodiscard]] bool is_list() const { return is_list_; }                 // else a number
  [[nodiscard]] const std::vector<Value>& list() const { return list_; }  // empty of a number
  [[nodiscard]] const Scalar& number() const { return number_; }          // 0 of a list

 private:
  Scalar number_;
  std::vector<Value> list_;
  bool is_list_ = false;
};

}  // namespace tg
