"""tg.data, where PyTorch has it."""
from tg.data import *  # noqa: F403
