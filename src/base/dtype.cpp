// Printing of element types: std::cout << tg::float32 writes "float32".
#include "tg/dtype.hpp"

#include <ostream>

namespace tg {

std::ostream& operator<<(std::ostream& out, DType t) { return out << name_of(t); }

}  // namespace tg
