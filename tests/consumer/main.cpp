// A user's program, built against tg from outside of its tree: differentiates x*x + sin(x) at 2 and checks the result, 4 + cos 2.
#include <tg/tg.hpp>

#include <cmath>
#include <iostream>

int main() {
  tg::Tensor x({2.0f}, {.requires_grad = true});
  tg::Tensor y = x * x + sin(x);
  y.backward();
  const float slope = x.grad().item<float>();
  std::cout << "slope " << slope << '\n';
  return std::abs(slope - (4.0f + std::cos(2.0f))) < 1e-5f ? 0 : 1;
}
