// Settings: defaults, every variable, and the refusals with their lists.
#include "base/env.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <thread>

#include "base/log.hpp"
#include "tg/dtype.hpp"
#include "tg/error.hpp"
#include "tg/settings.hpp"

namespace tg {
namespace {

Settings read(const std::map<std::string, std::string>& variables) {
  return read_settings([&](const char* name) {
    const auto it = variables.find(name);
    return it == variables.end() ? nullptr : it->second.c_str();
  });
}

std::string refusal(const std::map<std::string, std::string>& variables) {
  try {
    read(variables);
  } catch (const ValueError& e) { return e.what(); }
  return "accepted";
}

TEST(Settings, OfAPartOfAProgram) {
  const Settings before = settings();
  {
    const WithSettings outer({.device = "interpreter", .debug = 1});
    EXPECT_EQ(settings().device, "interpreter");
    EXPECT_TRUE(logging(1) && !logging(2));
    {
      const WithSettings inner({.eager = !before.eager});
      EXPECT_EQ(settings().device, "interpreter");
      EXPECT_EQ(settings().eager, !before.eager);
      std::thread([&] { EXPECT_EQ(settings().device, before.device); }).join();
      EXPECT_THROW(WithSettings({.debug = 6}), ValueError);
    }
    EXPECT_EQ(settings().eager, before.eager);
    EXPECT_EQ(settings().threads, before.threads);
  }
  EXPECT_EQ(settings().device, before.device);
  EXPECT_EQ(settings().debug, before.debug);
}

TEST(Settings, Defaults) {
  const Settings s = read({{"HOME", "/home/ada"}});
  EXPECT_EQ(s.debug, 0);
  EXPECT_GE(s.threads, 1);
  EXPECT_FALSE(s.eager);
  EXPECT_TRUE(s.cache);
  EXPECT_EQ(s.cache_dir, "/home/ada/.cache/tg");
  EXPECT_EQ(s.device, "cpu");
  EXPECT_FALSE(s.cpu_vector.has_value());
  EXPECT_EQ(s.beam, 0);
  EXPECT_EQ(s.beam_seconds, 30);
  EXPECT_EQ(read({}).cache_dir, "");
  EXPECT_EQ(read({{"TG_DEBUG", ""}}).debug, 0);
}

TEST(Settings, EveryVariable) {
  const Settings s = read({{"TG_DEBUG", "3"},
                           {"TG_THREADS", "7"},
                           {"TG_EAGER", "1"},
                           {"TG_CACHE", "0"},
                           {"TG_CACHE_DIR", "/x"},
                           {"TG_DEVICE", "null"},
                           {"TG_DATA", "/sets"},
                           {"TG_CPU_VECTOR", "16"},
                           {"TG_KERNELS", "12"},
                           {"TG_BEAM", "2"},
                           {"TG_BEAM_SECONDS", "7"},
                           {"TG_TUNED", "/t"},
                           {"HOME", "/home/ada"}});
  EXPECT_EQ(s.debug, 3);
  EXPECT_EQ(s.threads, 7);
  EXPECT_TRUE(s.eager);
  EXPECT_FALSE(s.cache);
  EXPECT_EQ(s.cache_dir, "/x");
  EXPECT_EQ(s.device, "null");
  EXPECT_EQ(s.data, "/sets");
  EXPECT_EQ(s.cpu_vector, 16);
  EXPECT_EQ(s.kernels, 12);
  EXPECT_EQ(s.beam, 2);
  EXPECT_EQ(s.beam_seconds, 7);
  EXPECT_EQ(s.tuned, "/t");
  EXPECT_EQ(read({{"BEAM", "3"}}).beam, 3) << "the short name";
  EXPECT_EQ(read({{"BEAM", "3"}, {"TG_BEAM", "4"}}).beam, 4);
  EXPECT_EQ(read({{"XDG_CACHE_HOME", "/c"}, {"HOME", "/home/ada"}}).cache_dir, "/c/tg");
}

TEST(Settings, RefusesWithTheList) {
  EXPECT_EQ(refusal({{"TG_DEBUG", "loud"}}), "TG_DEBUG is \"loud\"; it takes one of 0, 1, 2, 3, 4, 5");
  EXPECT_EQ(refusal({{"TG_DEBUG", "6"}}), "TG_DEBUG is \"6\"; it takes one of 0, 1, 2, 3, 4, 5");
  EXPECT_EQ(refusal({{"TG_THREADS", "0"}}), "TG_THREADS is \"0\"; it takes a whole number from 1 to 1024");
  EXPECT_EQ(refusal({{"TG_THREADS", "99999999999"}}), "TG_THREADS is \"99999999999\"; it takes a whole number from 1 to 1024");
  EXPECT_EQ(refusal({{"TG_EAGER", "yes"}}), "TG_EAGER is \"yes\"; it takes one of 0, 1");
  EXPECT_EQ(refusal({{"TG_BEAM", "65"}}), "TG_BEAM is \"65\"; it takes a whole number from 0 to 64");
  EXPECT_EQ(refusal({{"TG_CPU_VECTOR", "8"}}), "TG_CPU_VECTOR is \"8\"; it takes one of 0, 16, 32, 64");
}

TEST(Log, CapturesThisThreadsLinesUpToItsLevel) {
  LogCapture outer(1);
  {
    LogCapture inner(3);
    EXPECT_TRUE(logging(3));
    EXPECT_FALSE(logging(4));
    log(3, "three");
    log(4, "four");
    log_warning("odd");
    EXPECT_EQ(inner.text(), "three\nwarning: odd\n");
  }
  log(2, "two");
  log(1, "one\n");
  EXPECT_EQ(outer.text(), "one\n");
}

TEST(DType, Prints) {
  std::ostringstream out;
  out << float32 << ' ' << DType::bool_ << ' ' << DType::index;
  EXPECT_EQ(out.str(), "float32 bool index");
}

}  // namespace
}  // namespace tg
