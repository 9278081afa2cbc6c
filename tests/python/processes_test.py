"""What programs do with processes, threads, copies and consoles."""
import copy
import io
import multiprocessing
import pickle
import pydoc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import tg
from tg import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1))
        self.heads = nn.ModuleDict({"a": nn.Linear(8, 2), "b": nn.BatchNorm1d(8)})
        self.register_buffer("scale", tg.tensor(2.0))

    def forward(self, x):
        return self.heads.a(self.heads["b"](self.body(x))) * self.scale


class Doubles(tg.data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return tg.tensor([float(i)]), 2 * i


def square_sum(x):
    return (x * x).sum()


def trained(parts, steps=2):
    net, optimizer, schedule = parts
    tg.manual_seed(3)
    net.eval()
    x = tg.arange(12).view(3, 4).float() / 10
    for _ in range(steps):
        net(x).square().mean().backward()
        optimizer.step()
        schedule.step()
    return net(x).tolist()


def made():
    tg.manual_seed(1)
    net = Net()
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    return net, optimizer, optim.lr_scheduler.StepLR(optimizer, 1, 0.5)


PROGRAM = """
import multiprocessing, sys, tg
import processes_test as p

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        sums = pool.map(p.square_sum, [tg.ones(3) * i for i in range(4)])
        assert [s.item() for s in sums] == [0, 3, 12, 27], sums
        assert pool.apply(p.trained, (p.made(),)) == p.trained(p.made())
    print("done")
"""


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes(method, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program, method], capture_output=True, text=True, timeout=120,
                          env={**__import__("os").environ, "PYTHONPATH": ":".join(sys.path)})
    assert done.stdout == "done\n", done.stderr[-2000:]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda parts: pickle.loads(pickle.dumps(parts))], ids=["deepcopy", "pickle"])
def test_copies_of_all_that_trains(again):
    parts = made()
    before = trained(parts)
    twin = again(parts)
    assert trained(parts) == trained(twin) != before


def test_copies_of_data_sets_and_loaders():
    for loader in (tg.data.DataLoader(Doubles(), 4), tg.data.DataLoader(tg.data.TensorDataset(tg.arange(10)), 4)):
        for twin in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
            assert [str(batch) for batch in twin] == [str(batch) for batch in loader] and len(twin) == 3


def test_threads_of_pools():
    with ThreadPoolExecutor(4) as pool:
        assert [s.item() for s in pool.map(square_sum, [tg.ones(100) * i for i in range(20)])] == [100 * i * i for i in range(20)]
        with tg.no_grad():  # of this thread alone
            grads = list(pool.map(lambda i: tg.grad(square_sum)(tg.ones(2) * i).tolist(), range(8)))
        assert grads == [[2 * i, 2 * i] for i in range(8)]


def test_consoles():
    x = tg.ones(2, 2)
    assert repr(x).startswith("Tensor(") and "requires_grad" not in str(x) and not hasattr(x, "_repr_html_") and "sum" in dir(x)
    net = Net()
    assert repr(net).splitlines()[0] == "Net(" and "(0): Linear(" in repr(net) and {"body", "heads"} <= set(dir(net))
    out = io.StringIO()
    pydoc.Helper(output=out).help(tg.Tensor.sum)
    assert "dim: int | Sequence[int] | None = None, keepdim: bool = False" in out.getvalue() and "Over the axes" in out.getvalue()
    for thing in (tg, tg.Tensor, nn.Linear, optim.Adam, tg.data.DataLoader, tg.max):
        assert len(pydoc.plain(pydoc.render_doc(thing))) > 100
