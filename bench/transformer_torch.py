#!/usr/bin/python3
"""The peer of bench/transformer.cpp: the same network, optimizer and sizes in PyTorch.

in:  transformer_torch.py THREADS BATCH; then on standard input a number of steps a line
out: "ready VERSION CAPABILITY", then for each such line "SECONDS FAULTS LOSS": of one step on average, and the last step's loss
"""
import sys

import torch
from torch import nn

import torch_peer

threads, batch = int(sys.argv[1]), int(sys.argv[2])
LAYERS, WIDTH, HEADS, LENGTH, VOCABULARY = 6, 384, 6, 256, 65
torch.set_num_threads(threads)
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(LAYERS))
        self.norm, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens):
        x = self.token(tokens) + self.position.weight[:tokens.shape[1]]
        hidden = torch.triu(torch.full((tokens.shape[1],) * 2, float("-inf")), 1)
        for layer in self.layers:
            x = layer(x, hidden)
        return self.out(self.norm(x))


net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
text = torch.randint(VOCABULARY, (batch, LENGTH + 1))


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = nn.functional.cross_entropy(net(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


torch_peer.train(step)
