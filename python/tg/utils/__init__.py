"""PyTorch's places of what tg has elsewhere: utils.data is tg.data, utils.checkpoint.checkpoint(f, x) is tg.checkpoint(f)(x)."""
from tg.utils import checkpoint as checkpoint, data as data
