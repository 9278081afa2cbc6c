"""`from tg.tensor import Tensor` works as well."""
from tg._tg import Tensor

__all__ = ["Tensor"]
