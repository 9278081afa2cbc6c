#pragma once
// An integer expression seen as a flat sum, and the folders that work on it. This is where index algebra happens.
//
//   Sum s(i * 4 + j - i * 3 + 2);   s: terms {i: 1, j: 1}, constant 2;   s.expr() is the one canonical way to write it
//
// A sum is written with the largest coefficients first, equal ones by structural hash, the constant last: i * 64 + j * 8 + k + 3.
#include <array>
#include <span>
#include <vector>

#include "tg/ir/uop.hpp"

namespace tg {

/// Terms coefficient * atom, and a constant. An atom is anything that is no sum: a range, a quotient, a load, a product of those.
class Sum {
 public:
  struct Term {
    UOp atom;
    int64_t coef = 0;
  };
  /// Exact: the sum's value as a mathematical integer (an operation that may wrap is an atom). Ring: modulo 2^bits of the dtype.
  enum class Reading { Exact, Ring };
  static constexpr size_t kMaxTerms = 32;

  explicit Sum(DType dtype, Reading r = Reading::Exact) : dtype_(dtype), exact_(r == Reading::Exact || dtype == DType::index) {}
  explicit Sum(const UOp& u, Reading r = Reading::Exact) : Sum(u.dtype(), r) { add(u); }

  void add(const UOp& u, int64_t times = 1);
  void add(const Sum& s, int64_t times = 1);
  void add_constant(int64_t v, int64_t times = 1);

  DType dtype() const { return dtype_; }
  std::span<const Term> terms() const& { return {terms_.data(), size_}; }
  std::span<const Term> terms() && = delete;  // they live in the sum
  int64_t constant() const { return constant_; }
  bool ok() const { return ok_; }          // false: too many terms or a coefficient beyond 64 bits; the sum then means nothing
  bool merged() const { return merged_; }  // two terms or constants met
  bool is_constant() const { return size_ == 0; }
  Bounds bounds() const;                   // of the exact value
  bool representable() const;              // bounds() lie in the dtype
  const Term* leading() const;             // the first when written; null if there is none
  /// In canonical writing.
  UOp expr() const;

 private:
  void add_term(const UOp& atom, int64_t coef);
  int64_t plus(int64_t a, int64_t b);
  int64_t times(int64_t a, int64_t b);

  DType dtype_;
  bool exact_, ok_ = true, merged_ = false, has_constant_ = false;
  size_t size_ = 0;
  int64_t constant_ = 0;
  std::array<Term, kMaxTerms> terms_;
};

/// Saturating interval arithmetic.
Bounds add(Bounds a, Bounds b);
Bounds scale(Bounds a, int64_t k);

/// The product of two index sums, distributed; and the factors of a product.
Sum product(const Sum& a, const Sum& b);
std::vector<UOp> factors(const UOp&);

/// a < b for every value of ranges and variables, where interval arithmetic alone cannot see it: ranges up to symbolic extents.
bool provably_less(const Sum& a, const Sum& b);

// Folders: the canonical form of a node whose sources are canonical, or empty where there is nothing better. Integers only.
UOp fold_sum(const UOp&);        // Add, and Mul by a constant
UOp fold_product(const UOp&);    // Mul
UOp fold_idiv(const UOp&);
UOp fold_mod(const UOp&);
UOp fold_less(const UOp&);
UOp fold_not_equal(const UOp&);
UOp fold_max(const UOp&);
UOp fold_logic(const UOp&);      // And, Or of bools
UOp fold_not(const UOp& inner);  // of a bool

}  // namespace tg
