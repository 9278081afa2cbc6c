// PNG and PGM: every kind of pixel, damaged files, and drawn digits brought to MNIST's form.
#include "io/image.hpp"

#include <png.h>

#include "io/file.hpp"
#include "io_testing.hpp"

namespace tg::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A PNG of any colour type and depth through libpng's full interface; `rows` as the format packs them.
std::vector<std::byte> png(uint32_t width, uint32_t height, int depth, int colour, std::vector<uint8_t> rows, bool interlaced = false) {
  std::vector<std::byte> file;
  png_structp p = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(p);
  const auto append = [](png_structp out, png_bytep data, size_t n) {
    auto& to = *static_cast<std::vector<std::byte>*>(png_get_io_ptr(out));
    to.insert(to.end(), reinterpret_cast<std::byte*>(data), reinterpret_cast<std::byte*>(data) + n);
  };
  png_set_write_fn(p, &file, append, [](png_structp) {});
  png_set_IHDR(p, info, width, height, depth, colour, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  const std::vector<png_color> palette{{0, 0, 0}, {255, 255, 255}, {255, 0, 0}};
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(p, info, palette.data(), static_cast<int>(palette.size()));
  png_write_info(p, info);
  std::vector<png_bytep> pointers;
  for (uint32_t y = 0; y < height; ++y) pointers.push_back(rows.data() + rows.size() / height * y);
  png_write_image(p, pointers.data());
  png_write_end(p, info);
  png_destroy_write_struct(&p, &info);
  return file;
}

std::vector<uint8_t> pixels(const std::vector<std::byte>& file) { return parse_image(file, "x").pixels; }
std::vector<uint8_t> pixels(std::string_view file) { return pixels(bytes_of(file)); }
std::string message(std::string_view file) {
  return error_of([&] { parse_image(bytes_of(file), "x.pgm"); });
}

TEST(Png, EveryKindOfPixel) {
  EXPECT_THAT(pixels(png(3, 1, 8, PNG_COLOR_TYPE_GRAY, {0, 100, 255})), ElementsAre(0, 100, 255));
  EXPECT_THAT(pixels(png(3, 1, 1, PNG_COLOR_TYPE_GRAY, {0b01000000})), ElementsAre(0, 255, 0));
  EXPECT_THAT(pixels(png(2, 1, 4, PNG_COLOR_TYPE_GRAY, {0x0f})), ElementsAre(0, 255));
  EXPECT_THAT(pixels(png(3, 1, 16, PNG_COLOR_TYPE_GRAY, {0, 0, 0x80, 0x80, 0xff, 0xff})), ElementsAre(0, 128, 255));
  EXPECT_THAT(pixels(png(3, 1, 8, PNG_COLOR_TYPE_RGB, {255, 0, 0, 0, 255, 0, 0, 0, 255})), ElementsAre(76, 150, 29));
  EXPECT_THAT(pixels(png(3, 1, 8, PNG_COLOR_TYPE_PALETTE, {0, 1, 2})), ElementsAre(0, 255, 76));
  EXPECT_THAT(pixels(png(3, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {0, 255, 0, 128, 0, 0})), ElementsAre(0, 127, 255));
  EXPECT_THAT(pixels(png(2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {255, 0, 0, 255, 9, 9, 9, 0})), ElementsAre(76, 255));
  std::vector<uint8_t> square(64);
  for (size_t i = 0; i < 64; ++i) square[i] = static_cast<uint8_t>(4 * i);
  EXPECT_EQ(pixels(png(8, 8, 8, PNG_COLOR_TYPE_GRAY, square, true)), square);
}

TEST(Png, RoundTrip) {
  TempDir dir;
  Image image{5, 3, {}};
  for (size_t i = 0; i < 15; ++i) image.pixels.push_back(static_cast<uint8_t>(17 * i));
  save_png(dir / "x.png", image);
  const Image again = load_image(dir / "x.png");
  EXPECT_EQ(again.width, 5u);
  EXPECT_EQ(again.height, 3u);
  EXPECT_EQ(again.pixels, image.pixels);
  EXPECT_EQ(error_of<ValueError>([&] { save_png(dir / "y.png", {5, 3, {}}); }), "save_png: 5 x 3 pixels do not take 0 bytes");
  EXPECT_EQ(error_of([] { load_image("/nowhere/x.png"); }), "/nowhere/x.png: cannot open: No such file or directory");
}

TEST(Png, SurvivesDamage) {
  std::vector<uint8_t> rows(64 * 20);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint8_t>(i * i / 7);
  for (int colour : {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB_ALPHA, PNG_COLOR_TYPE_PALETTE}) {
    std::vector<uint8_t> packed = rows;
    if (colour == PNG_COLOR_TYPE_PALETTE)
      std::ranges::transform(packed, packed.begin(), [](uint8_t v) { return static_cast<uint8_t>(v % 3); });
    const std::vector<std::byte> good = png(colour == PNG_COLOR_TYPE_RGB_ALPHA ? 16 : 64, 20, 8, colour, packed);
    attack(good, good.size(), [](std::span<const std::byte> in) { parse_image(in, "x"); }, good.size() - 20);  // checksum, end mark
  }
}

TEST(Png, SaysWhatIsWrong) {
  const std::vector<std::byte> good = png(3, 1, 8, PNG_COLOR_TYPE_GRAY, {0, 100, 255});
  EXPECT_THAT(error_of([&] { parse_image(std::span(good).first(40), "x.png"); }), HasSubstr("x.png: PNG is damaged: "));
  EXPECT_EQ(error_of([] { parse_image(png(40'000, 1, 1, PNG_COLOR_TYPE_GRAY, std::vector<uint8_t>(5000)), "x.png"); }),
            "x.png: image of 40000 x 1 pixels, expected 1 to 32,768 a side and at most 33,554,432 in all");
}

TEST(Pgm, TextAndBinary) {
  EXPECT_THAT(pixels("P2\n# a comment\n3 1 # another\n100\n0 50 100\n"), ElementsAre(0, 128, 255));
  EXPECT_THAT(pixels("P2 1 1 1 1"), ElementsAre(255));
  EXPECT_THAT(pixels(std::string_view("P5 3 1 255\n\x00\x0a\xff", 14)), ElementsAre(0, 10, 255));
  EXPECT_THAT(pixels(std::string_view("P5\n2 1\n65535\n\x80\x80\xff\xff", 17)), ElementsAre(128, 255));
}

TEST(Pgm, SaysWhatIsWrong) {
  EXPECT_EQ(message("GIF89a"), "x.pgm: neither PNG nor PGM (P2, P5): the file begins with neither's mark");
  EXPECT_EQ(message("P5 2 2"), "x.pgm: PGM is truncated: expected the value of white, found the end of the file");
  EXPECT_EQ(message("P5 x 2 255\n"), "x.pgm: PGM is damaged: expected the width (0 to 32,768) at byte 3");
  EXPECT_EQ(message("P5 99999999999999999999 2 255\n"), "x.pgm: PGM is damaged: expected the width (0 to 32,768) at byte 3");
  EXPECT_EQ(message("P5 0 2 255\n"), "x.pgm: image of 0 x 2 pixels, expected 1 to 32,768 a side and at most 33,554,432 in all");
  EXPECT_EQ(message("P5 2 2 0\n1234"), "x.pgm: PGM is damaged: its value of white is 0, expected 1 to 65,535");
  EXPECT_EQ(message("P5 30000 1000 255\nabc"), "x.pgm: PGM is truncated: 30000 x 1000 pixels of 1 bytes, found 3 bytes");
  EXPECT_EQ(message("P2 30000 1000 255\n1 2"), "x.pgm: PGM is truncated: 30000 x 1000 pixels of 2 bytes, found 3 bytes");
  EXPECT_EQ(message("P2 1 1 9\n10"), "x.pgm: PGM is damaged: expected a pixel (0 to 9) at byte 9");
  EXPECT_EQ(message("P5 2 1 100\n1\xf0"), "x.pgm: PGM is damaged: pixel 1 is 240, expected at most 100");
}

TEST(Pgm, SurvivesDamage) {
  const auto read = [](std::span<const std::byte> in) { parse_image(in, "x"); };
  attack(bytes_of("P2\n# c\n3 2\n100\n0 50 100 1 2 33"), 100, read, 29);  // "3" for "33" is whole
  attack(bytes_of("P5 3 2 255\n123456"), 100, read);
}

// A bar of ink, `dark` on light or the reverse, somewhere in a large picture.
Image bar(size_t side, size_t left, size_t top, size_t width, size_t height, bool dark) {
  const uint8_t paper = dark ? 230 : 20, ink = dark ? 30 : 240;
  Image image{side, side, std::vector<uint8_t>(side * side, paper)};
  for (size_t y = top; y < top + height; ++y) {
    for (size_t x = left; x < left + width; ++x) image.pixels[y * side + x] = ink;
  }
  return image;
}

TEST(ToMnist, FitsAndCentres) {
  for (bool dark : {true, false}) {
    for (size_t at : {5u, 60u}) {
      const auto digit = to_mnist(bar(200, at, at + 3, 20, 100, dark));  // becomes 4 x 20
      for (size_t y = 0; y < 28; ++y) {
        for (size_t x = 0; x < 28; ++x) {
          const bool inside = x >= 13 && x < 17 && y >= 5 && y < 25;  // the middle is the centre of pixel 14, rounded outwards
          ASSERT_EQ(digit[y * 28 + x], inside ? 255 : 0) << x << ", " << y;
        }
      }
    }
  }
}

TEST(ToMnist, EnlargesSmallPictures) {
  const auto digit = to_mnist(bar(8, 2, 1, 3, 5, true));  // becomes 12 x 20
  EXPECT_EQ(std::ranges::count(digit, 255), 240);
}

TEST(ToMnist, AveragesAreas) {
  Image image{42, 42, std::vector<uint8_t>(42 * 42, 0)};
  for (size_t y = 1; y < 41; ++y) {
    for (size_t x = 1; x < 41; ++x) image.pixels[y * 42 + x] = (x + y) % 2 ? 200 : 0;  // every 2 x 2 pixels are half ink
  }
  const auto digit = to_mnist(image);
  EXPECT_EQ(std::ranges::count(digit, 128), 400);
}

TEST(ToMnist, IgnoresFaintPaper) {
  Image image = bar(100, 40, 20, 10, 60, true);
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    if (image.pixels[i] == 230) image.pixels[i] = 218;  // texture, 6% of the ink's strength
  }
  EXPECT_EQ(to_mnist(image), to_mnist(bar(100, 40, 20, 10, 60, true)));
}

TEST(ToMnist, SpeckAndBlank) {
  EXPECT_EQ(std::ranges::count(to_mnist(bar(50, 49, 49, 1, 1, true)), 255), 400);
  EXPECT_EQ(error_of<ValueError>([] { to_mnist({3, 2, std::vector<uint8_t>(6, 250)}); }),
            "no digit found: the image of 3 x 2 pixels has grays 250 to 250 only; expected ink that stands out by 24");
  EXPECT_EQ(error_of<ValueError>([] { to_mnist({0, 0, {}}); }), "to_mnist: an image of 0 x 0 pixels cannot hold 0");
}

}  // namespace
}  // namespace tg::io
