#!/usr/bin/python3
"""The peer of bench/conv.cpp: the same convolutions in PyTorch.

in:  conv_torch.py THREADS; then a line "BATCH IN HEIGHT WIDTH OUT KERNEL STRIDE PADDING DILATION GROUPS REPEATS" a question
out: "ready VERSION CAPABILITY"; then "FORWARD BOTH Y DX DW" a question: seconds of a forward pass, seconds of one with both gradients, and
     the sums of squares of the result and of the gradients
"""
import sys
import time

import torch

threads = int(sys.argv[1])
torch.set_num_threads(threads)
clock = time.thread_time if threads == 1 else time.perf_counter  # one thread's time is its own, whatever else runs


def numbers(shape, period):
    n = torch.Size(shape).numel()
    return (torch.arange(n) % period - period // 2).float().reshape(shape)


def seconds(f, repeats):
    f()
    begin = clock()
    for _ in range(repeats):
        f()
    return (clock() - begin) / repeats


capability = [line.split()[-1] for line in torch.__config__.show().splitlines() if "CPU capability" in line]
print("ready", torch.__version__, capability[0] if capability else "?", flush=True)
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
        forward = seconds(convolve, repeats)
        seed = numbers(convolve().shape, 3)
    x.requires_grad_()
    w.requires_grad_()
    times = forward, seconds(both, repeats)
    print(*times, *(r.detach().double().square().sum().item() for r in both()), flush=True)
