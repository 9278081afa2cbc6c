"""Trains a convolutional network to read handwriting, as `./do mnist` does:  PYTHONPATH=build/release/python python3 examples/mnist.py"""
import argparse
import itertools
import time

import tg
from tg import nn, optim
from tg.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 5), tg.relu, nn.Conv2d(32, 32, 5), tg.relu, nn.BatchNorm2d(32), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), tg.relu, nn.Conv2d(64, 64, 3), tg.relu, nn.BatchNorm2d(64), nn.MaxPool2d(2))
        self.out = nn.Linear(64 * 3 * 3, 10)

    def forward(self, x):
        return self.out(self.features(x).flatten(1))


def prepared(images, labels):
    return images.unsqueeze(1).float() / 255, labels.int()


def accuracy(net, data):
    net.eval()
    with tg.no_grad():
        batches = (prepared(*batch) for batch in DataLoader(data, 1000, num_workers=1))
        right = sum((net(x).argmax(dim=1) == y).sum().item() for x, y in batches)
    net.train()
    return right / len(data)


parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--test", type=int, default=10000, help="test images to read at the end")
options = parser.parse_args()

tg.manual_seed(0)
(images, labels), (test_images, test_labels) = tg.mnist()
digits = DataLoader(TensorDataset(images, labels), options.batch, shuffle=True, drop_last=True, num_workers=1)
net = Net()
optimizer = optim.Adam(net.parameters(), lr=options.lr)
start = time.perf_counter()
for step, batch in zip(range(options.steps), itertools.chain.from_iterable(itertools.repeat(digits))):
    x, y = prepared(*batch)
    loss = net(x).cross_entropy(y)
    loss.backward()
    optimizer.step(loss)
    if step % 20 == 0 or step == options.steps - 1:
        print(f"step {step:4}  loss {loss.item():.4f}  {time.perf_counter() - start:.1f} s", flush=True)
print(f"accuracy {accuracy(net, TensorDataset(test_images[:options.test], test_labels[:options.test])):.2%}")
