// Reads and writes .npy: a magic string, a version, and a Python dictionary that gives type, order and shape of the bytes that follow.
#include "io/npy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "io/file.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlign = 64;

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the one Python literal that a header is: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyHeader parse() {
    NpyHeader h;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) descr = true, h.descr = string();
      else if (key == "fortran_order" && !order) order = true, h.fortran_order = boolean();
      else if (key == "shape" && !shape) shape = true, h.shape = tuple();
      else fail(fmt::format("key '{}' is unknown or there twice", key.substr(0, 80)));
      if (!accept(',') && peek() != '}') fail("expected ',' or '}'");
    }
    if (!descr || !order || !shape) fail("expected keys 'descr', 'fortran_order' and 'shape'");
    if (peek() != '\0') fail("expected nothing after '}'");
    return h;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw IoError(fmt::format("{}: npy header: {} at byte {} of \"{}\"", where_, what, at_, text_.substr(0, 200)));
  }
  char peek() {  // '\0' at the end
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected '{}'", c));
  }
  std::string string() {
    const char quote = peek();
    if (quote == '[') fail("structured types are not supported; expected one number type");
    if (quote != '\'' && quote != '"') fail("expected a string");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("string has no end");
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    peek();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>("True", true), {"False", false}}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    fail("expected True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> values;
    expect('(');
    while (!accept(')')) {
      peek();
      int64_t n = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
      if (error != std::errc() || n < 0) fail("expected a size from 0 to 2^63-1");
      at_ = static_cast<size_t>(end - text_.data());
      values.push_back(n);
      if (!accept(',') && (peek() != ')' || values.size() == 1)) fail("expected ','");  // (3) is a number in Python, (3,) a tuple
    }
    return values;
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

/// "<f4" without its byte order: the type, or nothing.
std::optional<DType> dtype_of(std::string_view code) {
  for (DType t : {bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64}) {
    const char kind = t == bool_ ? 'b' : is_float(t) ? 'f' : is_unsigned(t) ? 'u' : 'i';
    if (code == fmt::format("{}{}", kind, size_of(t))) return t;
  }
  return std::nullopt;
}

std::string descr_of(DType t) {
  const char kind = t == bool_ ? 'b' : is_float(t) ? 'f' : is_unsigned(t) ? 'u' : 'i';
  return fmt::format("{}{}{}", size_of(t) == 1 ? '|' : '<', kind, size_of(t));
}

/// Elements in Fortran order (first axis fastest) brought to C order (last axis fastest).
std::vector<std::byte> to_c_order(std::span<const std::byte> data, std::span<const int64_t> shape, size_t size) {
  struct Axis { size_t extent, stride, at = 0; };
  std::vector<Axis> axes;
  size_t stride = size;
  for (const int64_t n : shape) {
    axes.push_back({static_cast<size_t>(n), stride});
    stride *= static_cast<size_t>(n);
  }
  std::vector<std::byte> out(data.size());
  size_t from = 0;
  for (size_t to = 0; to < out.size(); to += size) {
    std::memcpy(out.data() + to, data.data() + from, size);
    for (auto a = axes.rbegin(); a != axes.rend(); ++a) {  // the next index in C order
      from += a->stride;
      if (++a->at < a->extent) break;
      from -= a->stride * a->at;
      a->at = 0;
    }
  }
  return out;
}

}  // namespace

NpyView view_npy(std::span<const std::byte> file, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic)) throw IoError(fmt::format("{}: not an npy file: it does not begin with \\x93NUMPY", where));
  const size_t version = text.size() > 6 ? static_cast<uint8_t>(text[6]) : 0;
  if (version < 1 || version > 3) throw IoError(fmt::format("{}: npy version {} is unknown, expected 1, 2 or 3", where, version));
  const size_t start = version == 1 ? 10 : 12;
  if (text.size() < start) throw IoError(fmt::format("{}: npy file is truncated inside its header", where));
  uint32_t length = 0;
  std::memcpy(&length, file.data() + 8, start - 8);
  if (length > text.size() - start) {
    throw IoError(fmt::format("{}: npy header claims {} bytes, found {}", where, with_commas(length), with_commas(text.size() - start)));
  }
  const NpyHeader h = HeaderParser(text.substr(start, length), where).parse();

  const char order = h.descr.empty() ? '\0' : h.descr[0];
  const std::optional<DType> dtype = dtype_of(std::string_view(h.descr).substr(std::min(h.descr.size(), size_t{1})));
  if (!dtype || std::string_view("<>|=").find(order) == std::string_view::npos) {
    throw IoError(fmt::format("{}: npy type '{}' is not supported, expected b1, i1 to i8, u1 to u8 or f2 to f8 after <, >, | or =", where,
                              h.descr.substr(0, 80)));
  }
  const std::span<const std::byte> data = file.subspan(start + length);
  const std::optional<size_t> bytes = byte_count(*dtype, h.shape);
  if (bytes != data.size()) {
    throw IoError(fmt::format("{}: npy header says {} {} = {} bytes of data, found {}", where, name_of(*dtype), shape_text(h.shape),
                              bytes ? with_commas(*bytes) : "more than 2^63", with_commas(data.size())));
  }
  if (*dtype == bool_) check_bools(data, where);
  return {*dtype, h.shape, data, h.fortran_order, order == '>'};
}

Array NpyView::array() const {
  const size_t size = size_of(dtype);
  Array out{dtype, shape, fortran_order ? to_c_order(data, shape, size) : std::vector(data.begin(), data.end())};
  if (big_endian) swap_bytes(out.data, size);
  return out;
}

Array parse_npy(std::span<const std::byte> file, const std::string& where) { return view_npy(file, where).array(); }

Array load_npy(const std::filesystem::path& path) { return parse_npy(MappedFile(path).bytes(), path.string()); }

void save_npy(const std::filesystem::path& path, DType dtype, std::span<const int64_t> shape, std::span<const std::byte> data) {
  if (!dtype_of(descr_of(dtype).substr(1)) || dtype == bfloat16 || dtype == DType::index) {
    throw DTypeError(fmt::format("save_npy: NumPy has no {}; cast to float32 first or save as safetensors", name_of(dtype)));
  }
  if (byte_count(dtype, shape) != data.size()) {
    throw ValueError(fmt::format("save_npy: {} {} does not take {} bytes", name_of(dtype), shape_text(shape), with_commas(data.size())));
  }
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr_of(dtype), fmt::join(shape, ", "),
                                   shape.size() == 1 ? "," : "");
  const bool long_header = header.size() + kAlign > 0xffff;
  const size_t start = long_header ? 12 : 10;
  header.resize((start + header.size() + 1 + kAlign - 1) / kAlign * kAlign - start, ' ');
  header.back() = '\n';
  const uint32_t length = static_cast<uint32_t>(header.size());
  AtomicFile file(path);
  file.write(kMagic);
  file.write(long_header ? std::string_view("\x02\x00", 2) : std::string_view("\x01\x00", 2));
  file.write(std::as_bytes(std::span(&length, 1)).first(start - 8));
  file.write(header);
  file.write(data);
  file.commit();
}

}  // namespace tg::io
