#pragma once
// Ops that are made of simpler ones, before anything is decided about them. What is made depends on shapes and dtypes alone.
//
//   scan of 16M elements   ->  chunks, each combined; a scan over what came of them; a scan within each chunk, from what came before it
//   sort of 16M elements   ->  a permutation for each byte of their keys, least significant first
//   the first k of a sort  ->  the least of each piece, and a sort of the k pieces that have the least of all
//
// The number of kernels does not depend on the size.
#include "tg/ir/uop.hpp"

namespace tg {

/// Component `component` of a Scan, made of others; empty if it is best made as it is, in one go along each line.
UOp expand_scan(const UOp& scan, size_t component);

/// The graph without Sort.
std::vector<UOp> expand_sorts(std::span<const UOp> roots);

/// The graph in which what is given is a value, for which a Detach stands, if windows of it overlap on what an OverlapAdd makes: zeros may
/// be kept around it.
std::vector<UOp> surround(std::span<const UOp> roots);

}  // namespace tg
