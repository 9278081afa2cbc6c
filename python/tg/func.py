"""tg's transformations, where PyTorch has them: tg.func.grad is tg.grad."""
from tg.transform import *  # noqa: F403
