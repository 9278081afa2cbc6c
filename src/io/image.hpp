#pragma once
// Pictures: PNG and PGM files to 8-bit gray, and any drawn digit to the form MNIST has.
//
//   Image scan = load_image("seven.png");                    // 0 black ... 255 white, rows from the top
//   std::array<uint8_t, 784> digit = to_mnist(scan);         // 28 x 28, white ink on black
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tg::io {

inline constexpr size_t kMnistSide = 28;
inline constexpr size_t kMaxImageSide = 1 << 15, kMaxImagePixels = 1 << 25;

struct Image {
  size_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // width * height
};

/// A PNG (any kind: colours become luma 0.299 R + 0.587 G + 0.114 B, transparency lies on white, 16 bits become 8) or a PGM (P2, P5;
/// the first picture of the file). IoError where the file cannot be read, is damaged, or exceeds kMaxImageSide or kMaxImagePixels.
Image load_image(const std::filesystem::path& path);

/// The same from the bytes of a file; `where` opens the messages.
Image parse_image(std::span<const std::byte> file, const std::string& where);

/// Writes 8-bit gray PNG, atomically.
void save_png(const std::filesystem::path& path, const Image& image);

/// The picture as MNIST's authors prepared theirs (http://yann.lecun.com/exdb/mnist): ink light on dark, scaled with its proportions
/// kept to fit 20 x 20, gray from averaging areas, and placed in 28 x 28 with its centre of mass in the middle. Whether ink is dark or
/// light is read from the picture's border. ValueError where the picture has no contrast to speak of.
std::array<uint8_t, kMnistSide * kMnistSide> to_mnist(const Image& image);

}  // namespace tg::io
