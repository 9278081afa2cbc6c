// Printing, against what NumPy 1.24 printed for the same arrays.
#include <sstream>

#include "tensor/print.hpp"
#include "tensor_testing.hpp"

namespace tg {
namespace {

constexpr double nan_ = NAN, inf = INFINITY;
struct Golden {
  DType dtype;
  std::vector<int64_t> shape;
  std::vector<double> values;
  const char* text;
};
const std::vector<Golden>& goldens() {
  static const std::vector<Golden> all{
      {float32, {3}, {1, 2.25, -3},
       "[ 1.    2.25 -3.  ]"},
      {float32, {2, 2}, {1, 2.25, 3, 4},
       "[[1.   2.25]\n"
       " [3.   4.  ]]"},
      {float32, {3}, {1e-05, 1, 2},
       "[1.e-05 1.e+00 2.e+00]"},
      {float32, {2}, {100000000.0, 1},
       "[1.e+08 1.e+00]"},
      {float32, {2}, {123456.789, 0.001},
       "[1.2345679e+05 1.0000000e-03]"},
      {float32, {3}, {nan_, 1.5, 2},
       "[nan 1.5 2. ]"},
      {float32, {3}, {inf, 1.5, -2},
       "[ inf  1.5 -2. ]"},
      {float32, {2}, {-inf, nan_},
       "[-inf  nan]"},
      {float32, {3}, {nan_, 10000000, 0.5},
       "[   nan 1.e+07 5.e-01]"},
      {float64, {3}, {0.1, 0.3333333333333333, 2.5},
       "[0.1        0.33333333 2.5       ]"},
      {float64, {2}, {1e-300, 1},
       "[1.e-300 1.e+000]"},
      {float64, {2}, {0.1234567891234, 1000},
       "[1.23456789e-01 1.00000000e+03]"},
      {float16, {3}, {0.1, 0.3333333333333333, 65504},
       "[9.998e-02 3.333e-01 6.550e+04]"},
      {float16, {2}, {6e-08, 1},
       "[6.e-08 1.e+00]"},
      {float16, {3}, {16168, 65504, inf},
       "[16168. 65504.    inf]"},
      {float16, {}, {16168},
       "16170.0"},
      {float32, {2}, {67108872, -99999992},
       "[ 67108872. -99999992.]"},
      {float32, {}, {3},
       "3.0"},
      {float32, {}, {1e-05},
       "1e-05"},
      {float32, {}, {0.1},
       "0.1"},
      {float64, {}, {1e+16},
       "1e+16"},
      {float64, {}, {123456789.125},
       "123456789.125"},
      {float32, {}, {1e+20},
       "1e+20"},
      {int32, {3}, {1, -20, 300},
       "[  1 -20 300]"},
      {tg::bool_, {3}, {1, 0, 1},
       "[ True False  True]"},
      {tg::bool_, {}, {1},
       "True"},
      {int64, {}, {7},
       "7"},
      {uint8, {2, 2}, {1, 20, 255, 0},
       "[[  1  20]\n"
       " [255   0]]"},
      {float32, {0}, {},
       "[]"},
      {float32, {2, 0}, {},
       "[]"},
      {float32, {1, 1, 2}, {0, -0.0},
       "[[[ 0. -0.]]]"},
      {float32, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8},
       "[[[1. 2.]\n"
       "  [3. 4.]]\n"
       "\n"
       " [[5. 6.]\n"
       "  [7. 8.]]]"},
      {float32, {2}, {0, 0},
       "[0. 0.]"},
      {int32,
       {30},
       {100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114,
        115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129},
       "[100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117\n"
       " 118 119 120 121 122 123 124 125 126 127 128 129]"},
      {float32,
       {20},
       {0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 1.3333333333333333, 1.6666666666666667,
        2.0, 2.3333333333333335, 2.6666666666666665, 3.0, 3.3333333333333335, 3.6666666666666665,
        4.0, 4.333333333333333,  4.666666666666667,  5.0, 5.333333333333333,  5.666666666666667,
        6.0, 6.333333333333333},
       "[0.         0.33333334 0.6666667  1.         1.3333334  1.6666666\n"
       " 2.         2.3333333  2.6666667  3.         3.3333333  3.6666667\n"
       " 4.         4.3333335  4.6666665  5.         5.3333335  5.6666665\n"
       " 6.         6.3333335 ]"},
      {int32, {2, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
       "[[[[ 0  1]\n"
       "   [ 2  3]]\n"
       "\n"
       "  [[ 4  5]\n"
       "   [ 6  7]]]\n"
       "\n"
       "\n"
       " [[[ 8  9]\n"
       "   [10 11]]\n"
       "\n"
       "  [[12 13]\n"
       "   [14 15]]]]"},
      {float32, {2}, {99999999, 1},
       "[1.e+08 1.e+00]"},
      {float32, {3}, {0.00012, 0.1, 0.05},
       "[0.00012 0.1     0.05   ]"},
      {float64, {3}, {10000000000.0, 100000000000.0, -25000000000.0},
       "[ 1.0e+10  1.0e+11 -2.5e+10]"},
      {float64, {2}, {1e+100, 1e-100},
       "[1.e+100 1.e-100]"},
  };
  return all;
}

TEST(Print, AsNumPy) {
  for (const Golden& g : goldens()) EXPECT_EQ(format_array(HostArray::of(g.dtype, g.shape, g.values)), g.text);
}

TEST(Print, LongVectorsAreShortened) {
  EXPECT_EQ(Tensor::arange(1001).str(),
            "[   0    1    2 ...  998  999 1000]");
}

TEST(Print, LargeMatricesAreShortened) {
  EXPECT_EQ(Tensor::arange(1600).reshape({40, 40}).str(),
            "[[   0    1    2 ...   37   38   39]\n"
            " [  40   41   42 ...   77   78   79]\n"
            " [  80   81   82 ...  117  118  119]\n"
            " ...\n"
            " [1480 1481 1482 ... 1517 1518 1519]\n"
            " [1520 1521 1522 ... 1557 1558 1559]\n"
            " [1560 1561 1562 ... 1597 1598 1599]]");
}

TEST(Print, ShortenedFloatsAreFormattedByWhatIsShown) {
  EXPECT_EQ((Tensor::arange(1200) / 8).reshape({3, 400}).str(),
            "[[0.00000e+00 1.25000e-01 2.50000e-01 ... 4.96250e+01 4.97500e+01\n"
            "  4.98750e+01]\n"
            " [5.00000e+01 5.01250e+01 5.02500e+01 ... 9.96250e+01 9.97500e+01\n"
            "  9.98750e+01]\n"
            " [1.00000e+02 1.00125e+02 1.00250e+02 ... 1.49625e+02 1.49750e+02\n"
            "  1.49875e+02]]");
}

TEST(Print, ReprIsNumPysWithItsOwnName) {
  EXPECT_EQ(Tensor({{1.f, 2.5f}, {3.f, 4.f}}).repr(), "Tensor([[1. , 2.5],\n        [3. , 4. ]])");
  EXPECT_EQ(Tensor({1, 2}, {.dtype = int8}).repr(), "Tensor([1, 2], dtype=int8)");
  EXPECT_EQ(Tensor({1.f}, {.requires_grad = true}).repr(), "Tensor([1.], requires_grad=True)");
  EXPECT_EQ(Tensor::zeros({0, 3}, {.dtype = float64}).repr(), "Tensor([], shape=(0, 3), dtype=float64)");
  EXPECT_EQ(Tensor::full({}, 2.5).repr(), "Tensor(2.5)");
  EXPECT_EQ(Tensor::full({}, true).repr(), "Tensor(True)");
  EXPECT_EQ(Tensor().repr(), "Tensor()");
}

TEST(Print, Streams) {
  std::ostringstream out;
  out << Tensor({1.f, 2.5f}) << Tensor({1.f, 2.5f}).at(1).item() << Tensor() << Tensor({true}).item() << Scalar(uint64_t{1} << 63);
  EXPECT_EQ(out.str(), "[1.  2.5]2.5undefinedTrue9223372036854775808");
}

}  // namespace
}  // namespace tg
