// See llvm_matrix.hpp.
#include "render/llvm_matrix.hpp"

#include "render/llvm_arithmetic.hpp"

namespace tg::render {
namespace {

constexpr size_t kTileBytes = 1024;
constexpr std::string_view kShape = "i16 16, i16 64";  // rows, and bytes of one

// By the instruction's operands.
struct Products {
  DType a, b, accumulator;
  int64_t depth;
  std::string_view vector, tile;  // which there need not be
};
constexpr Products kProducts[] = {
    {DType::bfloat16, DType::bfloat16, DType::float32, 2, "avx512bf16.dpbf16ps.512", "tdpbf16ps.internal"},
    {DType::uint8, DType::int8, DType::int32, 4, "avx512.vpdpbusd.512", "tdpbusd.internal"},
    {DType::int8, DType::uint8, DType::int32, 4, "", "tdpbsud.internal"},
    {DType::int8, DType::int8, DType::int32, 4, "", "tdpbssd.internal"},
};

const Products* products(const Inst& u, const std::vector<Operand>& src) {
  for (const Products& p : kProducts)
    if (p.a == src[1].inst->dtype && p.b == src[2].inst->dtype && p.accumulator == u.dtype && p.depth == u.value) return &p;
  return nullptr;
}

// To each lane products of neighbours.
bool dot(std::string& out, const Inst& u, const std::vector<Operand>& src, const std::string& name) {
  const Products* const p = products(u, src);
  if (!p || p->vector.empty() || u.lanes != 16) return false;
  const bool real = is_float(u.dtype);
  const std::string_view operands = real ? "<32 x bfloat>" : "<16 x i32>", sums = real ? "<16 x float>" : "<16 x i32>";
  for (size_t n : {1, 2}) {
    put(out, "  ", name, n, " = bitcast "), put_type(out, scalar_type(src[n].inst->dtype), src[n].inst->lanes);
    put(out, " ", *src[n].value, " to ", operands, "\n");
  }
  put(out, "  ", name, " = call ", sums, " @llvm.x86.", p->vector, "(", sums, " ", *src[0].value);
  for (size_t n : {1, 2}) put(out, ", ", operands, " ", name, n);
  put(out, ")\n");
  return true;
}

}  // namespace

bool put_matrix(std::string& out, const Inst& u, const std::vector<Operand>& src, const std::string& name) {
  if (u.op == InstOp::dot) return dot(out, u, src, name);
  const Inst& tile = u.op == InstOp::tile_store ? *src[2].inst : u;
  if (tile.lanes * size_of(tile.dtype) != kTileBytes) return false;
  const auto call = [&](std::string_view what) {
    put(out, "  ", name, " = call ", kTileType, " @llvm.x86.", what, "(", kShape);
  };
  const auto stride = [&](size_t n) { put(out, "  ", name, "s = mul i64 ", *src[n].value, ", ", size_of(tile.dtype), "\n"); };
  switch (u.op) {
    case InstOp::tile_zero: call("tilezero.internal"), put(out, ")\n"); return true;
    case InstOp::tile_load:
      stride(2), call("tileloadd64.internal"), put(out, ", ptr ", name, "p, i64 ", name, "s)\n");
      return true;
    case InstOp::tile_store:
      stride(3);
      put(out, "  call void @llvm.x86.tilestored64.internal(", kShape, ", ptr ", name, "p, i64 ", name, "s, ", kTileType, " ",
          *src[2].value, ")\n");
      return true;
    default: break;
  }
  const Products* const p = products(u, src);
  if (!p) return false;
  call(p->tile), put(out, ", i16 64");
  for (const Operand& o : src) put(out, ", ", kTileType, " ", *o.value);
  put(out, ")\n");
  return true;
}

}  // namespace tg::render
