"""Networks in PyTorch's manner: a Module finds the tensors that it holds by itself, the layers are the C++ ones.

    class Net(nn.Module):
        def __init__(self):
            self.hidden, self.out = nn.Linear(784, 128), nn.Linear(128, 10)

        def forward(self, x):
            return self.out(self.hidden(x).relu())
"""
from tg.nn.layers import *  # noqa: F403
from tg.nn.module import *  # noqa: F403
from tg.nn.recurrent import *  # noqa: F403

from tg.nn import functional as functional, init as init, utils as utils  # noqa: E402
