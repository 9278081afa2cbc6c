#pragma once
// The MNIST digits: 60,000 to train on and 10,000 to test with, from the four idx files.
//
//   Mnist mnist = load_mnist(find_mnist());
//   mnist.train.images   uint8 [60000, 28, 28], 0 paper ... 255 ink;   mnist.test.labels   uint8 [10000], 0 ... 9
#include <filesystem>

#include "base/env.hpp"
#include "io/array.hpp"

namespace tg::io {

struct MnistPart {
  Array images;  // uint8 [n, 28, 28]
  Array labels;  // uint8 [n]
};
struct Mnist {
  MnistPart train, test;
};

/// The folder with the four files: `given` if it is not empty, else data/mnist or data if `data` (TG_DATA) is not empty, else data/mnist in
/// a folder above the running program, else data/mnist of the sources it was built from. IoError with the places looked at where none has
/// them.
std::filesystem::path find_mnist(const std::filesystem::path& given = {}, const std::string& data = settings().data);

/// Loads the files (each gzipped, or raw without the .gz). IoError where one is missing or damaged, or where types, shapes, counts or
/// labels are not what MNIST has.
Mnist load_mnist(const std::filesystem::path& folder);

}  // namespace tg::io
