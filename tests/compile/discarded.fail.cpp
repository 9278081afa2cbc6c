// Values nobody takes: an operation changes nothing, so a call whose result is dropped is a mistake.
#include <tg/tg.hpp>

void discarded(const tg::Tensor& x, const tg::Tensor& i) {
  x + 1;              // error: the operators
  -x;                 // error
  x == i;             // error: a comparison gives a tensor
  sin(x);             // error: functions
  x.reshape({2, 3});  // error: methods, which never change their tensor
  x.at(0, i);         // error
  x.sum();            // error
  x.detach();         // error
  x.item<float>();    // error: a value read for nothing
  tg::Tensor::zeros({3});  // error: factories
  tg::gradient(x, {i});    // error
  tg::where(x, 1, 0);      // error
}
