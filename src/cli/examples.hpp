#pragma once
// The programs that tg tune and tg bench know by name.
//
//   const Program p = example("matmul", "cpu");   p();      one product of 1024 x 1024, computed
#include <functional>
#include <string>
#include <vector>

namespace tg::cli {

using Program = std::function<void()>;

std::vector<std::string> example_names();
/// With its data made, on a device (empty: TG_DEVICE, else cpu). Throws ValueError for a name that is none.
Program example(const std::string& name, const std::string& device);

}  // namespace tg::cli
