// Decodes PNG through libpng's simplified interface (which turns its own jumps into a message) and PGM by hand; writes PNG.
#include "io/image.hpp"

#include <fmt/format.h>
#include <png.h>

#include "io/array.hpp"
#include "io/file.hpp"
#include "tg/error.hpp"

namespace tg::io {
namespace {

constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n";

void check_size(size_t width, size_t height, const std::string& where) {
  if (width == 0 || height == 0 || width > kMaxImageSide || height > kMaxImageSide || width * height > kMaxImagePixels) {
    throw IoError(fmt::format("{}: image of {} x {} pixels, expected 1 to {} a side and at most {} in all", where, width, height,
                              with_commas(kMaxImageSide), with_commas(kMaxImagePixels)));
  }
}

/// libpng's state, freed on every path.
struct Png : png_image {
  Png() : png_image{} { version = PNG_IMAGE_VERSION; }
  ~Png() { png_image_free(this); }
};

Image parse_png(std::span<const std::byte> file, const std::string& where) {
  Png png;
  const auto failed = [&] { return IoError(fmt::format("{}: PNG is damaged: {}", where, png.message)); };
  if (!png_image_begin_read_from_memory(&png, file.data(), file.size())) throw failed();
  check_size(png.width, png.height, where);
  png.format = PNG_FORMAT_RGBA;
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16-bit files are as bright as their 8-bit twins
  std::vector<uint8_t> rgba(PNG_IMAGE_SIZE(png));
  if (!png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr)) throw failed();
  Image image{png.width, png.height, std::vector<uint8_t>(size_t{png.width} * png.height)};
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const uint8_t* const p = &rgba[4 * i];
    const uint32_t luma = 299u * p[0] + 587u * p[1] + 114u * p[2];  // of 255,000
    image.pixels[i] = static_cast<uint8_t>((luma * p[3] + 255'000u * (255u - p[3]) + 127'500u) / 255'000u);
  }
  return image;
}

/// The numbers of a PGM's header and of a P2's body: decimal, apart by white space, '#' comments out a line.
class PgmText {
 public:
  PgmText(std::span<const std::byte> file, const std::string& where) : file_(file), where_(where) {}

  size_t number(std::string_view what, size_t most) {
    for (bool comment = false; at_ < file_.size(); ++at_) {
      if (byte() == '#') comment = true;
      if (byte() == '\n') comment = false;
      if (!comment && !space()) break;
    }
    if (at_ == file_.size()) throw IoError(fmt::format("{}: PGM is truncated: expected {}, found the end of the file", where_, what));
    size_t value = 0;
    const size_t start = at_;
    for (; at_ < file_.size() && byte() >= '0' && byte() <= '9' && value <= most; ++at_) value = 10 * value + (byte() - '0');
    if (at_ == start || value > most || (at_ < file_.size() && !space() && byte() != '#')) {
      throw IoError(fmt::format("{}: PGM is damaged: expected {} (0 to {}) at byte {}", where_, what, with_commas(most), start));
    }
    return value;
  }
  std::span<const std::byte> rest() const { return file_.subspan(std::min(at_ + 1, file_.size())); }  // past the one white space

 private:
  unsigned byte() const { return std::to_integer<unsigned>(file_[at_]); }
  bool space() const { return byte() == ' ' || (byte() >= '\t' && byte() <= '\r'); }
  std::span<const std::byte> file_;
  const std::string& where_;
  size_t at_ = 2;  // past "P2"
};

Image parse_pgm(std::span<const std::byte> file, bool text, const std::string& where) {
  PgmText in(file, where);
  Image image;
  image.width = in.number("the width", kMaxImageSide);
  image.height = in.number("the height", kMaxImageSide);
  const size_t white = in.number("the value of white", 65535), count = image.width * image.height;
  check_size(image.width, image.height, where);
  if (white == 0) throw IoError(fmt::format("{}: PGM is damaged: its value of white is 0, expected 1 to 65,535", where));
  const size_t size = white > 255 ? 2 : 1;  // big-endian if 2
  const std::span<const std::byte> raw = in.rest();
  if (text ? raw.size() / 2 + 1 < count : raw.size() < count * size) {  // a P2 pixel is a digit and a space at least
    throw IoError(fmt::format("{}: PGM is truncated: {} x {} pixels of {} bytes, found {} bytes", where, image.width, image.height,
                              text ? 2 : size, with_commas(raw.size())));
  }
  image.pixels.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    size_t value = 0;
    if (text) value = in.number("a pixel", white);
    else
      for (size_t k = 0; k < size; ++k) value = value << 8 | std::to_integer<size_t>(raw[i * size + k]);
    if (value > white) throw IoError(fmt::format("{}: PGM is damaged: pixel {} is {}, expected at most {}", where, i, value, white));
    image.pixels.push_back(static_cast<uint8_t>((value * 255 + white / 2) / white));
  }
  return image;
}

}  // namespace

Image parse_image(std::span<const std::byte> file, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.starts_with(kPngMagic)) return parse_png(file, where);
  if (text.starts_with("P2") || text.starts_with("P5")) return parse_pgm(file, text[1] == '2', where);
  throw IoError(fmt::format("{}: neither PNG nor PGM (P2, P5): the file begins with neither's mark", where));
}

Image load_image(const std::filesystem::path& path) { return parse_image(read_file(path, size_t{1} << 28), path.string()); }

void save_png(const std::filesystem::path& path, const Image& image) {
  if (image.pixels.size() != image.width * image.height) {
    throw ValueError(fmt::format("save_png: {} x {} pixels do not take {} bytes", image.width, image.height, image.pixels.size()));
  }
  check_size(image.width, image.height, path.string());
  Png png;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<std::byte> file(size);
  if (!png_image_write_to_memory(&png, file.data(), &size, 0, image.pixels.data(), 0, nullptr)) {
    throw IoError(fmt::format("{}: cannot write PNG: {}", path.string(), png.message));
  }
  write_file(path, std::span(file).first(size));
}

}  // namespace tg::io
