// NumPy's array printing: the fewest digits that tell a float from its neighbours (at most 8 after the point in arrays), one format for
// all elements, chosen from the largest and the smallest.
//
//   [1, 2.25]      "[1.   2.25]"         [1e-5, 1]      "[1.e-05 1.e+00]"
#include "tensor/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>

#include "base/env.hpp"
#include "tensor/impl.hpp"

namespace tg {

namespace {

constexpr int kPrecision = 8;
constexpr size_t kLineWidth = 75;
constexpr int64_t kThreshold = 1000, kEdge = 3;

template <class... Format>
std::string chars(auto v, Format... format) {
  char buffer[400];  // a float64 in full has at most 326 characters
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v, format...).ptr};
}

/// The shortest decimal that reads back as the same number of the dtype, in scientific notation.
std::string shortest(double v, DType t) {
  if (t == DType::float64) return chars(v, std::chars_format::scientific);
  if (t == DType::float32) return chars(static_cast<float>(v), std::chars_format::scientific);
  for (int digits = 0;; ++digits) {
    const std::string s = chars(v, std::chars_format::scientific, digits);
    double back;
    std::from_chars(s.data(), s.data() + s.size(), back);
    if (round_to(t, {0, back}).d == v) return s;
  }
}

/// A finite number as digits before and after its point, and its exponent of ten where it is written with one.
struct Digits {
  std::string whole, fraction;
  int exponent = 0;
};
void trim(std::string& fraction) {
  const size_t last = fraction.find_last_not_of('0');
  fraction.erase(last == std::string::npos ? 0 : last + 1);
}
Digits split(std::string_view text) {  // "-1.25e-05" or "-1.25"
  Digits d;
  const size_t e = text.find('e'), point = std::min(text.find('.'), std::min(e, text.size()));
  d.whole = text.substr(0, point);
  const size_t end = std::min(e, text.size());
  if (point < end) d.fraction = text.substr(point + 1, end - point - 1);
  trim(d.fraction);
  if (e != std::string_view::npos) std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(), d.exponent);
  return d;
}
Digits scientific(double v, DType t, int precision) {
  const Digits d = split(shortest(v, t));
  return static_cast<int>(d.fraction.size()) <= precision ? d : split(chars(v, std::chars_format::scientific, precision));
}
Digits positional(double v, DType t, int precision) {
  const Digits s = split(shortest(v, t));
  const int places = static_cast<int>(s.fraction.size()) - s.exponent;
  if (places > precision) return split(chars(v, std::chars_format::fixed, precision));
  Digits d;
  const bool negative = s.whole[0] == '-';
  std::string digits = s.whole.substr(negative) + s.fraction;
  const int point = 1 + s.exponent;  // digits before it
  if (point <= 0) digits.insert(0, static_cast<size_t>(1 - point), '0');
  const size_t before = point <= 0 ? 1 : static_cast<size_t>(point);
  if (digits.size() < before) digits.append(before - digits.size(), '0');
  d.whole = (negative ? "-" : "") + digits.substr(0, before);
  d.fraction = digits.substr(before);
  trim(d.fraction);
  return d;
}
std::string exponent_text(int exponent, size_t width) {
  return fmt::format("e{}{:0{}}", exponent < 0 ? '-' : '+', std::abs(exponent), width);
}
size_t exponent_width(int exponent) { return std::abs(exponent) >= 100 ? 3 : 2; }
std::string nonfinite(double v) { return std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf"; }

/// One format for all elements of an array.
class FloatFormat {
 public:
  FloatFormat(const std::vector<double>& values, DType t) : dtype_(t) {
    double largest = 0, smallest = HUGE_VAL;
    for (double v : values)
      if (std::isfinite(v) && v != 0) largest = std::max(largest, std::abs(v)), smallest = std::min(smallest, std::abs(v));
    with_exponent_ = largest >= 1e8 || (largest > 0 && (smallest < 1e-4 || largest / smallest > 1000));
    for (double v : values) {
      if (!std::isfinite(v)) continue;
      const Digits d = digits(v);
      left_ = std::max(left_, d.whole.size());
      right_ = std::max(right_, d.fraction.size());
      if (with_exponent_) exponent_ = std::max(exponent_, exponent_width(d.exponent));
    }
    for (double v : values) {
      if (std::isfinite(v)) continue;
      const size_t length = nonfinite(v).size(), rest = width() - left_;
      left_ = std::max(left_, length > rest ? length - rest : 0);
    }
  }
  std::string operator()(double v) const {
    if (!std::isfinite(v)) return fmt::format("{:>{}}", nonfinite(v), width());
    if (!with_exponent_) {
      Digits d = digits(v);
      if (d.fraction.empty()) d.whole = chars(v, std::chars_format::fixed, 0);  // all its digits: 16168 of float16, not 16170
      return fmt::format("{:>{}}.{:<{}}", d.whole, left_, d.fraction, right_);
    }
    const Digits d = split(chars(v, std::chars_format::scientific, static_cast<int>(right_)));  // all its digits, none made up
    return fmt::format("{:>{}}.{:0<{}}{}", d.whole, left_, d.fraction, right_, exponent_text(d.exponent, exponent_));
  }

 private:
  Digits digits(double v) const { return with_exponent_ ? scientific(v, dtype_, kPrecision) : positional(v, dtype_, kPrecision); }
  size_t width() const { return left_ + 1 + right_ + (with_exponent_ ? 2 + exponent_ : 0); }

  DType dtype_;
  bool with_exponent_ = false;
  size_t left_ = 0, right_ = 0, exponent_ = 0;
};

std::string integer(Number v, DType t) {
  if (t == DType::bool_) return v.i ? "True" : "False";
  return t == DType::uint64 ? std::to_string(static_cast<uint64_t>(v.i)) : std::to_string(v.i);
}

class ArrayText {
 public:
  ArrayText(const HostArray& a, std::string comma) : a_(a), comma_(std::move(comma)), shortened_(a.numel() > kThreshold) {
    std::vector<size_t> shown;
    collect(0, 0, shown);
    if (is_float(a.dtype)) {
      std::vector<double> values;
      for (size_t i : shown) values.push_back(a.at(i).d);
      const FloatFormat format(values, a.dtype);
      word_ = [this, format](size_t i) { return format(a_.at(i).d); };
    } else {
      size_t width = 0;
      for (size_t i : shown) width = std::max(width, integer(a.at(i), a.dtype).size());
      if (a.dtype == DType::bool_ && !a.shape.empty()) width = 5;
      word_ = [this, width](size_t i) { return fmt::format("{:>{}}", integer(a_.at(i), a_.dtype), width); };
    }
  }
  /// The part from element `at` on along `axis` and those after it, its lines hung by `indent`.
  std::string text(size_t axis, size_t at, const std::string& indent, size_t width) const {
    if (axis == a_.shape.size()) return word_(at);
    const bool last = axis + 1 == a_.shape.size();
    std::string out, line = indent;
    const auto add = [&](const std::string& word) {
      if (line.size() + word.size() > width - 1 && line.size() > indent.size()) {
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        line = indent;
      }
      line += word;
    };
    const std::vector<int64_t> entries = shown(axis);
    const std::string gap = comma_ + (last ? " " : std::string(a_.shape.size() - axis - 1, '\n') + indent);
    for (size_t k = 0; k < entries.size(); ++k) {
      if (k != 0) line += gap;
      if (entries[k] < 0) last ? add("...") : void(line += "...");
      else {
        const std::string word = text(axis + 1, at + static_cast<size_t>(entries[k] * stride(axis)), indent + " ", width - 1);
        last ? add(word) : void(line += word);
      }
    }
    return "[" + (out + line).substr(indent.size()) + "]";
  }

 private:
  int64_t stride(size_t axis) const {
    int64_t n = 1;
    for (size_t i = axis + 1; i < a_.shape.size(); ++i) n *= a_.shape[i];
    return n;
  }
  std::vector<int64_t> shown(size_t axis) const {  // -1: what is left out
    std::vector<int64_t> out;
    const int64_t n = a_.shape[axis];
    for (int64_t i = 0; i < n; ++i) {
      if (shortened_ && n > 2 * kEdge && i == kEdge) {
        out.push_back(-1);
        i = n - kEdge;
      }
      out.push_back(i);
    }
    return out;
  }
  void collect(size_t axis, size_t at, std::vector<size_t>& out) const {
    if (axis == a_.shape.size()) return out.push_back(at);
    for (int64_t i : shown(axis)) if (i >= 0) collect(axis + 1, at + static_cast<size_t>(i * stride(axis)), out);
  }

  const HostArray& a_;
  const std::string comma_;
  bool shortened_;
  std::function<std::string(size_t)> word_;
};

}  // namespace

std::string format_scalar(Number v, DType t) {
  if (!is_float(t)) return integer(v, t);
  if (!std::isfinite(v.d)) return nonfinite(v.d);
  const double magnitude = std::abs(v.d);
  if (magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16)) {
    const Digits d = positional(v.d, t, 1000);
    return d.whole + "." + (d.fraction.empty() ? "0" : d.fraction);
  }
  const Digits d = scientific(v.d, t, 1000);
  return d.whole + (d.fraction.empty() ? "" : "." + d.fraction) + exponent_text(d.exponent, exponent_width(d.exponent));
}

std::string format_array(const HostArray& a) {
  if (a.shape.empty()) return format_scalar(a.at(0), a.dtype);
  if (a.numel() == 0) return "[]";
  return ArrayText(a, "").text(0, 0, " ", kLineWidth);
}

std::string format_repr(const HostArray& a, std::string_view name, const std::string& more) {
  const std::string open = fmt::format("{}(", name);
  std::string out = open + (a.numel() == 0 ? "[]" : ArrayText(a, ",").text(0, 0, std::string(open.size() + 1, ' '), kLineWidth - 1));
  if (a.numel() == 0 && a.shape != Sizes{0}) out += ", shape=" + to_string(a.shape);
  const bool plain = a.dtype == DType::float32 || a.dtype == DType::int32 || a.dtype == DType::bool_;
  if (!plain) out += fmt::format(", dtype={}", name_of(a.dtype));
  return out + more + ")";
}

std::string Tensor::str() const {
  realize();
  HostArray a(dtype(), shape());
  copy_out(a.bytes.data(), a.dtype);
  return format_array(a);
}
std::string Tensor::repr() const {
  if (!defined()) return "Tensor()";
  realize();
  HostArray a(dtype(), shape());
  copy_out(a.bytes.data(), a.dtype);
  const std::string where = device() == settings().device ? "" : fmt::format(", device='{}'", device());
  return format_repr(a, "Tensor", where + (requires_grad() ? ", requires_grad=True" : ""));
}
std::ostream& Tensor::print(std::ostream& out) const { return defined() ? out << str() : out << "undefined"; }

}  // namespace tg
