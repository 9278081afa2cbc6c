#!/usr/bin/python3
"""The peer of bench/memory.cpp: the same kernels in PyTorch, without gradients.

in:  memory_torch.py THREADS; then a line "NAME SIDE" a question: NAME gelu, softmax, layer_norm or five, of SIDE x SIDE numbers
out: "ready VERSION CAPABILITY"; then "SECONDS FAULTS" a question: the median call's seconds, and page faults a call
"""
import resource
import statistics
import sys
import time

import torch
from torch.nn import functional

import torch_peer

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)
made = {}


def arrays(side):
    if side not in made:
        made.clear()
        made[side] = [torch.randn(side, side) for _ in range(3)] + [torch.randn(side) for _ in range(2)]
    return made[side]


def gelu(x, y, z, w, b):
    return functional.gelu(x, approximate="tanh")


def softmax(x, y, z, w, b):
    return torch.softmax(x, -1)


def layer_norm(x, y, z, w, b):
    return functional.layer_norm(x, w.shape, w, b)


def five(x, y, z, w, b):
    return torch.relu((x * y + z) * x - y)


torch_peer.ready()
for line in sys.stdin:
    name, side = line.split()
    compute, given, times = globals()[name], arrays(int(side)), []
    compute(*given)
    kept = compute(*given)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        begin = time.perf_counter()
        kept = compute(*given)
        times.append(time.perf_counter() - begin)
    print(statistics.median(times), (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / 3, flush=True)
