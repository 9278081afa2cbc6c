#!/usr/bin/python3
"""The peer of bench/mnist.cpp: the same network, optimizer and batches in PyTorch.

in:  mnist_torch.py FOLDER THREADS BATCH; then on standard input a number of steps a line
out: "ready VERSION CAPABILITY", then for each such line "SECONDS FAULTS LOSS": of one step on average, and the last step's loss
"""
import gzip
import sys

import torch
from torch import nn

import torch_peer

folder, threads, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)


def idx(name, header):
    with gzip.open(f"{folder}/{name}.gz") as file:
        return torch.frombuffer(bytearray(file.read())[header:], dtype=torch.uint8)


images = idx("train-images-idx3-ubyte", 16).view(-1, 1, 28, 28)
labels = idx("train-labels-idx1-ubyte", 8).long()
net = nn.Sequential(
    nn.Conv2d(1, 32, 5), nn.ReLU(), nn.Conv2d(32, 32, 5), nn.ReLU(), nn.BatchNorm2d(32), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.BatchNorm2d(64), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(576, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)


def step():
    which = torch.randint(len(images), (batch,))
    x, y = images[which].float() / 255, labels[which]
    optimizer.zero_grad(set_to_none=True)
    logits = net(x)
    loss = nn.functional.cross_entropy(logits, y)
    right = (logits.detach().argmax(1) == y).sum()
    loss.backward()
    optimizer.step()
    return loss.item(), right.item()


torch_peer.train(lambda: step()[0])
