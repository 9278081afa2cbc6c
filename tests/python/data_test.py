"""Batches in Python: data sets of tensors and of Python's objects, threads that call Python, errors and ends before the end."""
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
import torch

import tg
from tg import data
from tg.data import (BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler, TensorDataset,
                     WeightedRandomSampler)

X, Y = np.arange(20, dtype="float32").reshape(10, 2), np.arange(10)


class Squares(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return {"x": X[i], "square": i * i, "pair": (tg.Tensor([i]), float(i))}


def lists(batch):
    return [t.tolist() for t in batch]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_pytorchs(workers):
    mine = DataLoader(TensorDataset(tg.Tensor(X), tg.Tensor(Y)), batch_size=4, num_workers=workers)
    theirs = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=4)
    assert [lists(b) for b in mine] == [lists(b) for b in theirs]
    assert len(mine) == len(theirs) == 3 and len(DataLoader(range(10), 4, drop_last=True)) == 2
    assert [b.tolist() for b in DataLoader(range(10), 4, drop_last=True, num_workers=workers)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    for a, b in zip(DataLoader(Squares(), 3, num_workers=workers), torch.utils.data.DataLoader(Squares(), 3, collate_fn=list)):
        assert a["x"].tolist() == [e["x"].tolist() for e in b] and a["square"].tolist() == [e["square"] for e in b]
        assert isinstance(a["pair"], tuple) and lists(a["pair"]) == [[e["pair"][0].tolist() for e in b], [e["pair"][1] for e in b]]


@pytest.mark.parametrize("data", [TensorDataset(tg.Tensor(Y)), list(zip(Y.tolist()))], ids=["tensors", "list"])
def test_shuffled_alike_for_any_number_of_workers(data):
    epochs = []
    for workers in (0, 1, 3):
        loader = DataLoader(data, 3, shuffle=True, num_workers=workers, generator=tg.Generator(4))
        epochs += [[b[0].tolist() for b in loader] for _ in range(2)]
    assert epochs[0] == epochs[2] == epochs[4] != epochs[1] == epochs[3] == epochs[5]
    assert sorted(sum(epochs[0], [])) == list(range(10)) != sum(epochs[0], [])


def test_examples_draw_alike_for_any_number_of_workers():
    class Noise:
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return tg.rand(2)

    drawn = [[b.tolist() for b in DataLoader(Noise(), 2, num_workers=n, generator=tg.Generator(1))] for n in (0, 1, 3)]
    assert drawn[0] == drawn[1] == drawn[2]


def test_a_function_is_a_data_set():
    data = tg.data.FunctionDataset(5, lambda i: (i, X[i]))
    assert [x.tolist() for x, _ in DataLoader(data, 2, num_workers=1)] == [[0, 1], [2, 3], [4]]
    assert [i for i, _ in data] == [0, 1, 2, 3, 4]
    with pytest.raises(IndexError, match="example 5 of 5"):
        data[5]


def test_collate():
    words = [[1], [2, 3], [4, 5, 6], [7]]

    def padded(examples):
        width = max(map(len, examples))
        return [e + [0] * (width - len(e)) for e in examples], len(examples)

    batches = [lists(b) for b in DataLoader(words, 2, num_workers=1, collate_fn=lambda e: tuple(map(tg.Tensor, padded(e))))]
    assert batches == [[[[1, 0], [2, 3]], 2], [[[4, 5, 6], [7, 0, 0]], 2]]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_an_example_raises_comes_out_of_the_loop(workers):
    class Broken(Squares):
        def __getitem__(self, i):
            if i == 5:
                raise KeyError("no example 5")
            return super().__getitem__(i)

    seen = []
    with pytest.raises(KeyError, match="no example 5"):
        for batch in DataLoader(Broken(), 2, num_workers=workers):
            seen.append(batch["square"].tolist())
    assert seen == [[0, 1], [4, 9]]
    with pytest.raises(ValueError, match="alike"):
        list(DataLoader([1, (2, 3)], 2, num_workers=workers))
    with pytest.raises(tg.ShapeError, match="example 1"):
        list(DataLoader([np.zeros(1), np.zeros(2)], 2, num_workers=workers))


def test_workers_are_ahead_and_end_with_the_loop():
    read = []

    class Slow:
        def __len__(self):
            return 1000

        def __getitem__(self, i):
            read.append(i)
            time.sleep(0.001)
            return i

    for batch in DataLoader(Slow(), num_workers=2, prefetch_factor=3):
        deadline = time.time() + 5
        while len(read) < 6 and time.time() < deadline:
            time.sleep(0.001)
        break
    before = len(read)
    assert 6 <= before <= 8
    time.sleep(0.02)
    assert len(read) == before


def test_nothing_is_left_behind():
    data = Squares()
    loader = DataLoader(data, 2, num_workers=2)
    epoch = iter(loader)
    next(epoch)
    gone = weakref.ref(data), weakref.ref(loader)
    del data, loader, epoch
    assert [r() for r in gone] == [None, None]


def test_the_process_may_end_in_an_epoch():
    program = """
import itertools, tg
class Endless:
    def __len__(self): return 10**6
    def __getitem__(self, i): return i
epoch = iter(tg.data.DataLoader(Endless(), 4, num_workers=2))
print(next(epoch).tolist())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "[0, 1, 2, 3]\n", "")


def test_parts_and_sums_of_data_sets():
    whole = TensorDataset(tg.Tensor(X), tg.Tensor(Y))
    theirs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    for indices in ([0, 2, 4], range(3, 9), []):
        mine, expected = data.Subset(whole, indices), torch.utils.data.Subset(theirs, indices)
        assert [lists(b) for b in DataLoader(mine, 2)] == [lists(b) for b in torch.utils.data.DataLoader(expected, 2)]
        assert len(mine) == len(expected) and [lists(mine[i]) for i in range(len(mine))] == [lists(expected[i]) for i in range(len(mine))]
    nested = data.Subset(data.Subset(whole, [1, 3, 5]), [2, 0])
    assert [b[1].tolist() for b in DataLoader(nested, 2, num_workers=1)] == [[5, 1]] and nested[-1][1].item() == 1
    with pytest.raises(IndexError):
        DataLoader(data.Subset(whole, [10]), 1)
    both = nested + whole
    assert isinstance(both, data.ConcatDataset) and len(both) == 12 and [both[i][1].item() for i in (0, 2, 11, -1)] == [5, 0, 9, 9]
    assert sum([b[1].tolist() for b in DataLoader(both, 5)], []) == [5, 1, *range(10)]
    with pytest.raises(IndexError):
        both[12]


@pytest.mark.parametrize("lengths", [[7, 3], [0.5, 0.25, 0.25], [0.99, 0.01], [10]])
def test_random_split(lengths):
    parts = data.random_split(range(10), lengths, generator=tg.Generator(1))
    theirs = torch.utils.data.random_split(range(10), lengths)
    assert [len(p) for p in parts] == [len(p) for p in theirs] and sorted(i for p in parts for i in p) == list(range(10))
    again = data.random_split(range(10), lengths, generator=tg.Generator(1))
    assert [list(p.indices) for p in again] == [list(p.indices) for p in parts]
    with pytest.raises(ValueError, match="random_split"):
        data.random_split(range(10), [3, 3])


def test_samplers_are_pytorchs():
    theirs = torch.utils.data
    data = TensorDataset(tg.arange(10) * 10)
    assert list(SequentialSampler(data)) == list(range(10)) and len(SequentialSampler(data)) == 10
    for make in (lambda t, g: t.RandomSampler(range(10), generator=g), lambda t, g: t.RandomSampler(range(10), num_samples=23, generator=g),
                 lambda t, g: t.RandomSampler(range(4), True, 9, generator=g), lambda t, g: t.SubsetRandomSampler([3, 5, 8], generator=g),
                 lambda t, g: t.WeightedRandomSampler([0.0, 1.0, 2.0], 9, generator=g),
                 lambda t, g: t.WeightedRandomSampler([1.0, 1.0, 2.0], 3, False, generator=g)):
        mine, other = make(tg.data, tg.Generator(1)), make(theirs, torch.Generator().manual_seed(1))
        first, second = list(mine), list(mine)
        assert len(first) == len(mine) == len(other) and set(first) <= set(range(10)) and first != second or len(first) == 3
        assert first == list(make(tg.data, tg.Generator(1))) and all(isinstance(i, int) for i in first)
        if "Weighted" not in type(mine).__name__ and not getattr(mine, "replacement", False) and len(first) <= 10:
            assert sorted(first) == sorted(other)
    assert 0 not in list(WeightedRandomSampler([0.0, 1.0, 2.0], 50)) and not list(RandomSampler([]))
    with pytest.raises(ValueError, match="without examples"):
        RandomSampler([], num_samples=1)
    for drop in (True, False):
        assert list(BatchSampler(range(10), 4, drop)) == list(theirs.BatchSampler(range(10), 4, drop))
        assert len(BatchSampler(range(10), 4, drop)) == len(theirs.BatchSampler(range(10), 4, drop))
    with pytest.raises(NotImplementedError):
        iter(Sampler(data))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_takes_a_sampler(workers):
    for data in (TensorDataset(tg.arange(10) * 10), Squares()):
        loader = DataLoader(data, batch_size=3, sampler=[5, 1, 1, 4, 0], num_workers=workers)
        got = [batch[0] if isinstance(batch, tuple) else batch["square"] for batch in loader]
        assert len(loader) == 2 and [int(v) for part in got for v in part.tolist()] == (
            [50, 10, 10, 40, 0] if isinstance(data, TensorDataset) else [25, 1, 1, 16, 0])
    loader = DataLoader(TensorDataset(tg.arange(10)), 4, sampler=RandomSampler(range(10), generator=tg.Generator(3)), drop_last=True)
    first, second = ([b[0].tolist() for b in loader] for _ in range(2))
    assert len(loader) == len(first) == 2 and first != second and len(set(sum(first, []))) == 8
    with pytest.raises(ValueError, match="sampler and shuffle"):
        DataLoader(TensorDataset(tg.arange(10)), 4, True, sampler=[1])
