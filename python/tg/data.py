"""Data in batches: examples in order or shuffled, joined, and made ahead of time by threads.

    batches = DataLoader(TensorDataset(images, labels), batch_size=128, shuffle=True, num_workers=1)
    for x, y in batches:                    # an epoch; the next loop is another, in another order
        ...

A data set is anything with len() and [i]; an example is a tensor, an array, a number, or a tuple, list or dict of them. Batches come in
the same order and with the same values for any number of workers, which are threads of this process.
"""
from __future__ import annotations

import functools
import atexit
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Optional

from tg import _tg
from tg._tg import Generator, Tensor
from tg.transform import _map

__all__ = ["ConcatDataset", "DataLoader", "Dataset", "FunctionDataset", "Subset", "TensorDataset", "random_split"]

_open: weakref.WeakSet[Any] = weakref.WeakSet()  # epochs, whose threads must end before Python does


@atexit.register
def _close() -> None:
    for epoch in list(_open):
        epoch.close()


class Dataset:
    """What data sets may derive from; all that a DataLoader asks for are these two methods."""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__()")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__()")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset):
    """Example i is entry i of each tensor. Its batches are taken from the tensors at once, without Python."""

    def __init__(self, *tensors: Tensor):
        self.tensors = tensors
        self._examples = _tg._Dataset(list(tensors))

    def __reduce__(self) -> Any:
        return type(self), self.tensors

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)


class FunctionDataset(Dataset):
    """So many examples, of which number i is example(i)."""

    def __init__(self, size: int, example: Callable[[int], Any]):
        self.size, self.example = size, example

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < self.size:
            raise _tg.IndexError(f"FunctionDataset: example {index} of {self.size}")
        return self.example(index)


class Subset(Dataset):
    """The examples at some places of a data set."""

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]


class ConcatDataset(Dataset):
    """Data sets one after another."""

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)

    def __getitem__(self, index: int) -> Any:
        places = range(len(self))
        index = places[index]
        for part in self.datasets:
            here, places = places[:len(part)], places[len(part):]
            if index in here:
                return part[here.index(index)]


def random_split(dataset: Any, lengths: Sequence[float], generator: Optional[Generator] = None) -> list[Subset]:
    """Parts of these lengths, or of these shares, which sum to 1, of examples in random order. ValueError where lengths do not sum to
    all."""
    return [Subset(dataset, places) for places in _tg._random_places(len(dataset), list(lengths), generator)]


class _Reader:
    """What C++ calls: examples as lists of tensors, whose places in an example are the same in all."""

    def __init__(self, dataset: Any, collate: Optional[Callable[[list[Any]], Any]]):
        self.dataset, self.collate = dataset, collate
        self.structure: Any = None

    def example(self, index: int) -> list[Tensor]:
        return self.leaves(self.dataset[index])

    def batch(self, places: Sequence[int]) -> list[Tensor]:
        assert self.collate is not None
        return self.leaves(self.collate([self.dataset[i] for i in places]))

    def leaves(self, value: Any) -> list[Tensor]:
        leaves: list[Tensor] = []

        def leaf(part: Any) -> int:
            leaves.append(part if isinstance(part, Tensor) else Tensor(part))
            return len(leaves) - 1

        structure = _map(value, leaf)
        if self.structure is None:
            self.structure = structure
        if structure != self.structure:
            raise _tg.ValueError("DataLoader: examples must be alike, tuples of as many parts or dicts with the same keys")
        return leaves


def _taken_at_once(dataset: Any) -> Optional[tuple[_tg._Dataset, tuple[int, ...]]]:
    """Of tensors, or of a subset of those: the C++ data set, whose batches are taken without Python, and the form of an example."""
    if type(dataset) is TensorDataset:
        return dataset._examples, tuple(range(len(dataset.tensors)))
    if type(dataset) is not Subset or (whole := _taken_at_once(dataset.dataset)) is None:
        return None
    places = range(len(dataset.dataset))
    return whole[0].subset([places[i] for i in dataset.indices]), whole[1]


class DataLoader:
    """Batches of a data set, an epoch a loop.

    batch_size examples each, the last perhaps fewer unless drop_last; in another order each epoch with shuffle; made ahead by num_workers
    threads, each up to prefetch_factor batches; orders, and what examples draw at random, follow from the generator. collate_fn makes a
    batch of a list of examples; without it tensors of one place are stacked. What reading an example raises is raised by the loop.
    pin_memory and persistent_workers change nothing: batches are in the host's memory, and threads are begun quickly.
    """

    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, *, num_workers: int = 0, drop_last: bool = False,
                 generator: Optional[Generator] = None, prefetch_factor: Optional[int] = 2,
                 collate_fn: Optional[Callable[[list[Any]], Any]] = None, pin_memory: bool = False, persistent_workers: bool = False):
        self.dataset = dataset
        self._given = {"batch_size": batch_size, "shuffle": shuffle, "num_workers": num_workers, "drop_last": drop_last,
                       "generator": generator, "prefetch_factor": prefetch_factor, "collate_fn": collate_fn}
        self._reader = reader = _Reader(dataset, collate_fn)
        if collate_fn is not None:
            examples = _tg._Dataset.in_batches(len(dataset), reader.batch)
        elif (taken := _taken_at_once(dataset)) is not None:
            examples, reader.structure = taken
        else:
            examples = _tg._Dataset(len(dataset), reader.example)
        self._loader = _tg._DataLoader(examples, batch_size, shuffle, drop_last, num_workers,
                                      2 if prefetch_factor is None else prefetch_factor, generator)

    def __reduce__(self) -> Any:
        return functools.partial(DataLoader, **self._given), (self.dataset,)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        epoch = self._loader.epoch()
        _open.add(epoch)
        try:
            for leaves in epoch:
                yield _map(self._reader.structure, lambda leaf: leaves[leaf])
        finally:
            epoch.close()
