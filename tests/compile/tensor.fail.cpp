// What must not compile, because it would mean something else than it says.
#include <tg/tg.hpp>

void mistakes(const tg::Tensor& x, tg::Tensor y) {
  x.max({0, 1});                          // error: not `axis 0, keepdim`
  x.max({{}, 0});                         // error: nor by an empty first place
  x.sum(true);                            // error: not `keepdim`, nor axis 1
  x.conv2d(y, {2, 1});                    // error: not `stride 2, padding 1`
  tg::Tensor t(3);                        // error: a number is neither data nor a shape
  tg::Tensor s(2, 3);                     // error: shapes go to factories
  tg::Tensor z = tg::Tensor::zeros(3);    // error: a shape is written in braces
  bool truth = x > 0;                     // error: a tensor of bools is no bool
  int n = x.item();                       // error: which conversion? item<int>()
  float sum = x.sum();                    // error: item<float>()
  x.at("first");                          // error: not an index
  y.set(0);                               // error: no value
  auto both = x + "1";                    // error: not a number
  tg::Tensor text({"a"});                 // error: data are numbers
}
