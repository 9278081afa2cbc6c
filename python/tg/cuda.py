"""What programs that may run on a graphics card ask first: there is none of CUDA's. tg's devices are "cpu" and "opencl"."""
from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0
