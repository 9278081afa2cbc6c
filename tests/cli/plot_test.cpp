// The loss curve: ticks, what the lines pass through, and runs of every odd kind.
#include "cli/plot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>

namespace tg::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Every element closed in order, and no coordinate that is no number.
void check_svg(const std::string& svg) {
  std::vector<std::string> open;
  for (size_t at = svg.find('<'); at != std::string::npos; at = svg.find('<', at + 1)) {
    const std::string tag = svg.substr(at + 1, svg.find('>', at) - at - 1), name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] == '/') {
      ASSERT_TRUE(!open.empty() && "/" + open.back() == tag) << tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

/// The points of the n-th path.
std::vector<std::pair<double, double>> path(const std::string& svg, size_t n) {
  size_t at = 0;
  for (size_t i = 0; i <= n; ++i) at = svg.find("<path d=\"", at) + 9;
  const std::string d = svg.substr(at, svg.find('"', at) - at);
  std::vector<std::pair<double, double>> points;
  for (size_t i = d.find_first_of("ML"); i != std::string::npos; i = d.find_first_of("ML", i + 1)) {
    double x = 0, y = 0;
    EXPECT_EQ(std::sscanf(d.c_str() + i + 1, "%lf %lf", &x, &y), 2);
    points.emplace_back(x, y);
  }
  return points;
}

TEST(Ticks, Linear) {
  EXPECT_THAT(nice_ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(nice_ticks(-0.3, 0.3, 3), ElementsAre(-0.2, 0, 0.2));
  EXPECT_THAT(nice_ticks(1, 600, 6), ElementsAre(100, 200, 300, 400, 500, 600));
  EXPECT_THAT(nice_ticks(1, 1, 5), ElementsAre());
  EXPECT_THAT(nice_ticks(0, INFINITY, 5), ElementsAre());
  EXPECT_THAT(nice_ticks(NAN, 1, 5), ElementsAre());
}

TEST(Ticks, Logarithmic) {
  EXPECT_THAT(log_ticks(0.015, 2.5, 10), ElementsAre(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2));
  EXPECT_THAT(log_ticks(0.0001, 100, 8), ElementsAre(0.0001, 0.001, 0.01, 0.1, 1, 10, 100));
  EXPECT_LE(log_ticks(1e-40, 1e38, 10).size(), 10u);
}

TEST(Plot, LinearRunFollowsTheData) {
  const std::string svg = plot_svg({.title = "run", .loss = {1.0f, 0.75f, 0.5f}});
  check_svg(svg);
  const auto raw = path(svg, 0);
  ASSERT_EQ(raw.size(), 3u);
  EXPECT_DOUBLE_EQ(raw[0].first, 70);
  EXPECT_DOUBLE_EQ(raw[2].first, 790);
  EXPECT_NEAR(raw[1].first, 430, 0.1);
  EXPECT_NEAR(raw[1].second, (raw[0].second + raw[2].second) / 2, 0.1);
  EXPECT_LT(raw[0].second, raw[2].second);  // higher loss is higher up
  EXPECT_THAT(svg, Not(HasSubstr("log scale")));
  EXPECT_THAT(svg, Not(HasSubstr("accuracy")));
}

TEST(Plot, WideRangeIsLogarithmic) {
  const std::string svg = plot_svg({.title = "run", .loss = {1.0f, 0.1f, 0.01f}, .accuracy = {{2, 0.5f}, {3, 1.0f}}});
  check_svg(svg);
  EXPECT_THAT(svg, HasSubstr("training loss (log scale)"));
  EXPECT_THAT(svg, HasSubstr("validation accuracy"));
  EXPECT_THAT(svg, HasSubstr(">100%</text>"));
  const auto raw = path(svg, 0);
  EXPECT_NEAR(raw[1].second, (raw[0].second + raw[2].second) / 2, 0.1);
  EXPECT_EQ(path(svg, 2).size(), 2u);
}

TEST(Plot, SmoothLineIsTheLocalMean) {
  std::vector<float> loss;
  for (size_t i = 0; i < 600; ++i) loss.push_back(i % 2 ? 1.0f : 1.5f);
  const auto smooth = path(plot_svg({.title = "", .loss = loss}), 1);
  const auto raw = path(plot_svg({.title = "", .loss = loss}), 0);
  const double middle = (raw[0].second + raw[1].second) / 2, swing = std::abs(raw[0].second - raw[1].second);
  for (size_t i = 20; i + 20 < smooth.size(); ++i) EXPECT_LT(std::abs(smooth[i].second - middle), 0.06 * swing);
}

TEST(Plot, LongRunsStaySmallAndKeepTheirPeaks) {
  std::vector<float> loss(200'000, 1.0f);
  loss[123'456] = 3.0f;
  const std::string svg = plot_svg({.title = "long", .loss = loss});
  check_svg(svg);
  EXPECT_LT(svg.size(), 80'000u);
  const auto raw = path(svg, 0);
  const auto peak = std::ranges::min_element(raw, {}, [](const auto& p) { return p.second; });
  EXPECT_NEAR(peak->first, 70 + 720 * 123'456 / 200'000.0, 0.2);
}

TEST(Plot, GapsWhereTheLossIsNotFinite) {
  const std::string svg = plot_svg({.title = "gaps", .loss = {1, 2, NAN, 1, INFINITY, 2}});
  EXPECT_EQ(path(svg, 0).size(), 4u);
  const size_t at = svg.find("<path d=\"");
  const std::string d = svg.substr(at, svg.find('"', at + 9) - at);
  EXPECT_EQ(std::ranges::count(d, 'M'), 3);
}

TEST(Plot, OddRuns) {
  const float most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
  for (const std::vector<float>& loss : std::vector<std::vector<float>>{
           {}, {1}, {0, 0}, {NAN, NAN}, {-1, -2}, {most, -most}, {least, most}, {most, most}, {0, 1e-30f}, {5, 5, 5}}) {
    check_svg(plot_svg({.title = "odd", .loss = loss}));
    check_svg(plot_svg({.title = "odd", .loss = loss, .first_step = 100, .accuracy = {{1000, NAN}, {5, 0.0f}, {7, 1.5f}, {8, -INFINITY}}}));
  }
}

TEST(Plot, TextIsEscaped) {
  const std::string svg = plot_svg({.title = "a < b & \"c\" > d\x01", .x_label = "<step>", .loss = {1, 2}});
  check_svg(svg);
  EXPECT_THAT(svg, HasSubstr(">a &lt; b &amp; &quot;c&quot; &gt; d</text>"));
  EXPECT_THAT(svg, HasSubstr(">&lt;step&gt;</text>"));
}

}  // namespace
}  // namespace tg::cli
