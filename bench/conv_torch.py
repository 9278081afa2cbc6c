#!/usr/bin/python3
"""The peer of bench/conv.cpp: the same convolutions in PyTorch.

in:  conv_torch.py THREADS; then a line "BATCH IN HEIGHT WIDTH OUT KERNEL STRIDE PADDING DILATION GROUPS REPEATS" a question
out: "ready VERSION CAPABILITY"; then "FORWARD BOTH Y DX DW" a question: seconds of a forward pass, seconds of one with both gradients, and
     the sums of squares of the result and of the gradients
"""
import sys

import torch

import torch_peer
from torch_peer import numbers, seconds

clock = torch_peer.begin(int(sys.argv[1]))


torch_peer.ready()
for line in sys.stdin:
    batch, channels, height, width, out, kernel, stride, padding, dilation, groups, repeats = map(int, line.split())
    x = numbers((batch, channels, height, width), 7)
    w = numbers((out, channels // groups, kernel, kernel), 5)

    def convolve():
        return torch.nn.functional.conv2d(x, w, None, stride, padding, dilation, groups)

    def both():
        y = convolve()
        return (y, *torch.autograd.grad(y, [x, w], seed))

    with torch.no_grad():
        forward = seconds(convolve, repeats, clock)
        seed = numbers(convolve().shape, 3)
    x.requires_grad_()
    w.requires_grad_()
    times = forward, seconds(both, repeats, clock)
    print(*times, *(r.detach().double().square().sum().item() for r in both()), flush=True)
