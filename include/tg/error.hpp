#pragma once
// What the library throws. A user's mistake is a subclass of Error named after what was wrong; our own bug is InternalError.
#include <stdexcept>
#include <string>

namespace tg {

/// Base of everything the library throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ShapeError : Error { using Error::Error; };         // sizes that do not fit together
struct DTypeError : Error { using Error::Error; };         // an element type the operation has no meaning for
struct IndexError : Error { using Error::Error; };         // an index outside its axis
struct DeviceError : Error { using Error::Error; };        // unknown device, failed allocation, compile or launch
struct ValueError : Error { using Error::Error; };         // an argument outside its domain, an unknown option
struct IoError : Error { using Error::Error; };            // a file that cannot be read, written or trusted
struct GradientError : Error { using Error::Error; };      // backward where it has no meaning
/// A bug of ours: says which node and which rule (file:line).
struct InternalError : Error { using Error::Error; };

}  // namespace tg
