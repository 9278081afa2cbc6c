#!/usr/bin/python3
"""The peer of bench/attention.cpp: causal attention in PyTorch, composed of its operations, and its own where it has one.

in:  attention_torch.py THREADS; then a line "BATCH HEADS LENGTH HEAD REPEATS" a question
out: "ready VERSION CAPABILITY"; then "FORWARD BOTH FUSED FUSED_BOTH Y DQ DK DV" a question: seconds of a forward pass, seconds of one with
     gradients, the same of scaled_dot_product_attention (0 where there is none), and the sums of squares of the result and the gradients
"""
import math
import sys

import torch

import torch_peer
from torch_peer import numbers, seconds

clock = torch_peer.begin(int(sys.argv[1]))
fused = getattr(torch.nn.functional, "scaled_dot_product_attention", None)


torch_peer.ready()
for line in sys.stdin:
    batch, heads, length, head, repeats = map(int, line.split())
    q, k, v, seed = (numbers((batch, heads, length, head), period) * 0.125 for period in (7, 11, 5, 3))
    later = torch.ones(length, length, dtype=torch.bool).triu(1)

    def composed():
        scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(head))
        return torch.softmax(scores.masked_fill(later, -math.inf), -1) @ v

    def own():
        return fused(q, k, v, is_causal=True)

    def both(forward):
        y = forward()
        return (y, *torch.autograd.grad(y, [q, k, v], seed))

    times = []
    for forward in (composed, own):
        if forward is own and not fused:
            times += [0, 0]
            continue
        with torch.no_grad():
            times.append(seconds(forward, repeats, clock))
        for t in (q, k, v):
            t.requires_grad_()
        times.append(seconds(lambda: both(forward), repeats, clock))
        for t in (q, k, v):
            t.requires_grad_(False)
    for t in (q, k, v):
        t.requires_grad_()
    print(*times, *(r.detach().double().square().sum().item() for r in both(composed)), flush=True)
