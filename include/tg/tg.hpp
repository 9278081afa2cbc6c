#pragma once
// Everything a user of tensors needs: #include <tg/tg.hpp>
#include "tg/arrange.hpp"
#include "tg/attention.hpp"
#include "tg/contract.hpp"
#include "tg/explain.hpp"
#include "tg/functions.hpp"
#include "tg/limits.hpp"
#include "tg/loss.hpp"
#include "tg/norm.hpp"
#include "tg/random.hpp"
#include "tg/scatter.hpp"
#include "tg/tensor.hpp"
#include "tg/windows.hpp"
