// Reads and writes safetensors: 8 bytes of header length, the header, then the data that its offsets divide without gap or overlap.
#include "io/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "tg/error.hpp"

namespace tg::io {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr int kMaxDepth = 3;                     // file, tensor, its shape
constexpr std::string_view kMetadata = "__metadata__";

constexpr std::array<std::pair<std::string_view, DType>, 13> kTypes{{
    {"F64", float64},
    {"F32", float32},
    {"F16", float16},
    {"BF16", bfloat16},
    {"I64", int64},
    {"I32", int32},
    {"I16", int16},
    {"I8", int8},
    {"U64", uint64},
    {"U32", uint32},
    {"U16", uint16},
    {"U8", uint8},
    {"BOOL", bool_},
}};

/// The start of a text from the file, so that no message grows with a hostile one.
std::string_view clipped(std::string_view text) { return text.substr(0, 160); }

DType dtype_of(const std::string& code, const std::string& where) {
  for (const auto& [name, dtype] : kTypes) {
    if (name == code) return dtype;
  }
  throw IoError(fmt::format("{}: dtype '{}' is unknown, expected F64, F32, F16, BF16, I64 to I8, U64 to U8 or BOOL", where, clipped(code)));
}

std::string_view code_of(const NamedView& tensor) {
  for (const auto& [name, dtype] : kTypes) {
    if (dtype == tensor.dtype) return name;
  }
  throw DTypeError(fmt::format("save_safetensors: tensor '{}' has dtype {}, which the format lacks", tensor.name, name_of(tensor.dtype)));
}

/// The header as JSON, with duplicate keys and depth refused while parsing, before they cost anything.
json parse_header(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys(kMaxDepth + 1);
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    if (depth > kMaxDepth || (depth == kMaxDepth && (event == Event::object_start || event == Event::array_start))) {
      throw IoError(fmt::format("{}: safetensors header is nested deeper than {} levels", where, kMaxDepth));
    }
    if (event == Event::object_start) keys[static_cast<size_t>(depth)].clear();
    if (event == Event::key && !keys[static_cast<size_t>(depth) - 1].insert(value.get<std::string>()).second) {
      throw IoError(fmt::format("{}: safetensors header has key '{}' twice", where, clipped(value.get<std::string>())));
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& e) {
    throw IoError(fmt::format("{}: safetensors header is not valid JSON: {}", where, clipped(e.what())));
  }
}

const json& field(const json& info, const char* key, json::value_t type, const std::string& where) {
  const auto found = info.find(key);
  if (found == info.end()) throw IoError(fmt::format("{}: field '{}' is missing", where, key));
  if (found->type() != type) {
    throw IoError(fmt::format("{}: field '{}' is of type {}, expected {}", where, key, found->type_name(), json(type).type_name()));
  }
  return *found;
}

/// The non-negative integers of an array field.
std::vector<int64_t> integers(const json& info, const char* key, const std::string& where) {
  std::vector<int64_t> values;
  for (const json& item : field(info, key, json::value_t::array, where)) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
      throw IoError(fmt::format("{}: field '{}' holds {}, expected non-negative integers below 2^63", where, key, clipped(item.dump())));
    }
    values.push_back(item.get<int64_t>());
  }
  return values;
}

NamedView parse_tensor(const std::string& name, const json& info, std::span<const std::byte> data, const std::string& file) {
  const std::string where = fmt::format("{}: tensor '{}'", file, clipped(name));
  if (!info.is_object()) throw IoError(fmt::format("{}: entry is of type {}, expected object", where, info.type_name()));
  const DType dtype = dtype_of(field(info, "dtype", json::value_t::string, where).get<std::string>(), where);
  const std::vector<int64_t> shape = integers(info, "shape", where), offsets = integers(info, "data_offsets", where);
  if (offsets.size() != 2) throw IoError(fmt::format("{}: field 'data_offsets' has {} numbers, expected 2", where, offsets.size()));
  const size_t begin = static_cast<size_t>(offsets[0]), end = static_cast<size_t>(offsets[1]);
  if (begin > end || end > data.size()) {
    throw IoError(fmt::format("{}: data_offsets [{}, {}] lie outside the {} bytes of data in the file; it is truncated or damaged", where,
                              begin, end, with_commas(data.size())));
  }
  const std::optional<size_t> bytes = byte_count(dtype, shape);
  if (bytes != end - begin) {
    throw IoError(fmt::format("{}: {} {} takes {} bytes, but data_offsets [{}, {}] hold {}", where, name_of(dtype), shape_text(shape),
                              bytes ? with_commas(*bytes) : "more than 2^63", begin, end, with_commas(end - begin)));
  }
  NamedView view{name, dtype, shape, data.subspan(begin, end - begin)};
  if (dtype == bool_) check_bools(view.data, where);
  return view;
}

/// Every byte of the data belongs to one tensor: the format forbids gaps and overlaps.
void check_cover(const std::vector<NamedView>& tensors, std::span<const std::byte> data, const std::string& where) {
  const std::byte* at = data.data();
  for (const NamedView& t : tensors) {
    const std::ptrdiff_t gap = t.data.data() - at;
    if (gap < 0) throw IoError(fmt::format("{}: tensor '{}' overlaps the one before it by {} bytes", where, clipped(t.name), -gap));
    if (gap > 0) throw IoError(fmt::format("{}: {} bytes before tensor '{}' belong to none", where, gap, clipped(t.name)));
    at = t.data.data() + t.data.size();
  }
  const std::ptrdiff_t rest = data.data() + data.size() - at;
  if (rest > 0) throw IoError(fmt::format("{}: {} bytes at the end of the file belong to no tensor", where, rest));
}

}  // namespace

std::vector<NamedView> parse_safetensors(std::span<const std::byte> file, Metadata& metadata, const std::string& where) {
  if (file.size() < kLengthBytes) throw IoError(fmt::format("{}: a safetensors file has at least 8 bytes, found {}", where, file.size()));
  uint64_t length;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > file.size() - kLengthBytes || length > kMaxHeaderBytes) {
    throw IoError(fmt::format("{}: safetensors header claims {} bytes, expected at most {} in a file of {}", where, with_commas(length),
                              with_commas(std::min(kMaxHeaderBytes, file.size() - kLengthBytes)), with_commas(file.size())));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (!text.starts_with('{')) throw IoError(fmt::format("{}: a safetensors header begins with '{{'", where));
  const std::span<const std::byte> data = file.subspan(kLengthBytes + length);
  const json header = parse_header(text, where);
  std::vector<NamedView> tensors;
  for (const auto& [name, info] : header.items()) {
    if (name != kMetadata) {
      tensors.push_back(parse_tensor(name, info, data, where));
      continue;
    }
    if (!info.is_object()) throw IoError(fmt::format("{}: __metadata__ is of type {}, expected object", where, info.type_name()));
    for (const auto& [key, value] : info.items()) {
      if (!value.is_string())
        throw IoError(fmt::format("{}: __metadata__ '{}' is of type {}, expected string", where, clipped(key), value.type_name()));
      metadata[key] = value.get<std::string>();
    }
  }
  std::ranges::sort(tensors, {}, [](const NamedView& t) { return std::tuple(t.data.data(), t.data.size(), std::string_view(t.name)); });
  check_cover(tensors, data, where);
  return tensors;
}

SafeTensors::SafeTensors(const std::filesystem::path& path)
    : file_(path), tensors_(parse_safetensors(file_.bytes(), metadata_, path.string())) {}

const NamedView* SafeTensors::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &NamedView::name);
  return found == tensors_.end() ? nullptr : &*found;
}

void save_safetensors(const std::filesystem::path& path, const std::vector<NamedView>& tensors, const Metadata& metadata) {
  std::optional<AtomicFile> file;  // once what is written is known to be right
  const auto write = [&](std::span<const std::byte> part) {
    if (!file) file.emplace(path);
    file->write(part);
  };
  write_safetensors(write, tensors, metadata);
  file->commit();
}

void write_safetensors(const std::function<void(std::span<const std::byte>)>& write, const std::vector<NamedView>& tensors,
                       const Metadata& metadata) {
  std::vector<const NamedView*> order;
  for (const NamedView& t : tensors) order.push_back(&t);
  std::ranges::sort(order, {}, [](const NamedView* t) { return std::pair(-static_cast<int>(size_of(t->dtype)), t); });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  std::set<std::string_view> names{kMetadata};
  size_t offset = 0;
  for (const NamedView* t : order) {
    const std::string_view code = code_of(*t);
    if (!names.insert(t->name).second) throw ValueError(fmt::format("save_safetensors: name '{}' is taken twice or reserved", t->name));
    if (byte_count(t->dtype, t->shape) != t->data.size()) {
      throw ValueError(fmt::format("save_safetensors: tensor '{}': {} {} does not take {} bytes", t->name, name_of(t->dtype),
                                   shape_text(t->shape), with_commas(t->data.size())));
    }
    header[t->name] = {{"dtype", code}, {"shape", t->shape}, {"data_offsets", {offset, offset + t->data.size()}}};
    offset += t->data.size();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception& e) {
    throw ValueError(fmt::format("save_safetensors: a name or a metadata string is not valid UTF-8: {}", e.what()));
  }
  constexpr size_t aligned = 16;  // where the data starts: what a tensor can be of the mapped file (tg/mapped.hpp)
  text.resize((kLengthBytes + text.size() + aligned - 1) / aligned * aligned - kLengthBytes, ' ');
  const uint64_t length = text.size();
  write(std::as_bytes(std::span(&length, 1)));
  write(std::as_bytes(std::span(text)));
  for (const NamedView* t : order) write(t->data);
}

}  // namespace tg::io
