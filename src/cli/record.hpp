#pragma once
// How far a training run has come and by which settings, as text in a checkpoint's metadata.
//
//   nn::save(path, state, to_metadata(record));
//   TrainRecord record = from_metadata(nn::load(path, state), path);     record.step == 117
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tg/nn.hpp"

namespace tg::cli {

struct TrainRecord {
  std::string optimizer = "adam";  // adam, adamw or sgd
  int64_t batch = 512;
  int64_t epochs = 3;              // what the run is to last, unless `steps` is more than 0
  int64_t steps = 0;
  double lr = 0;                   // at its highest; 0: the optimizer's usual one
  int64_t seed = 0;
  int64_t step = 0;                // taken so far
  std::vector<float> loss{};       // one a step
  std::vector<std::pair<size_t, float>> accuracy{};  // (step, 0 to 1) on the test set
};

nn::Metadata to_metadata(const TrainRecord& record);
/// Throws IoError naming the file where something is missing or is not what it should be.
TrainRecord from_metadata(const nn::Metadata& metadata, const std::string& file);
/// The metadata of a checkpoint, without its tensors.
nn::Metadata read_metadata(const std::string& file);

}  // namespace tg::cli
