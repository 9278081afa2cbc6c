// What the machinery costs where the arithmetic costs nothing: 4 elements, from expression to value.
//
//   {"name": "a*b+c on 4 elements: built, found, launched", "value": 12, "unit": "us", "peer": "limit", "peer_value": 30, "ratio": 0.4}
#include "bench.hpp"
#include "tg/tg.hpp"

int main() {
  using tg::bench::median_of, tg::bench::report, tg::bench::seconds;
  const tg::Tensor a({1.f, 2.f, 3.f, 4.f}), b({5.f, 6.f, 7.f, 8.f}), c({9.f, 8.f, 7.f, 6.f});
  const auto run = [&] { (a * b + c).realize(); };
  run();  // scheduled and compiled
  report({"a*b+c on 4 elements: built, found, launched", median_of(10'001, [&] { return seconds(run); }) * 1e6, "us", "limit", 30});
  report({"the same with its value read back",
          median_of(10'001, [&] { return seconds([&] { static_cast<void>((a * b + c).to_vector<float>()); }); }) * 1e6, "us"});
  report(
      {"the same expression, only built", median_of(10'001, [&] { return seconds([&] { static_cast<void>(a * b + c); }); }) * 1e6, "us"});
  tg::Tensor x({1.f, 2.f, 3.f, 4.f}, {.requires_grad = true});
  const auto differentiate = [&] {
    (x * b + c).sum().backward();
    x.grad().realize();
    x.zero_grad();
  };
  differentiate();
  report({"its gradient: built, differentiated, found, launched", median_of(2'001, [&] { return seconds(differentiate); }) * 1e6, "us"});
}
