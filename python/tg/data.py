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

__all__ = ["BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "FunctionDataset", "RandomSampler", "Sampler", "SequentialSampler",
           "Subset", "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler", "random_split"]

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


class Sampler:
    """The places of an epoch's examples, in their order: what DataLoader(sampler=...) takes is anything with iter() and len()."""

    def __init__(self, data_source: Any = None):
        self.data_source = data_source

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__()")

    def __len__(self) -> int:
        return len(self.data_source)


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


class RandomSampler(Sampler):
    """All places in random order; or so many, each drawn from all with replacement, and in further orders beyond their number without."""

    def __init__(self, data_source: Any, replacement: bool = False, num_samples: Optional[int] = None,
                 generator: Optional[Generator] = None):
        super().__init__(data_source)
        self.replacement, self.generator = replacement, generator
        self.num_samples = len(data_source) if num_samples is None else num_samples
        if self.num_samples and not len(data_source):
            raise _tg.ValueError(f"RandomSampler: {self.num_samples} places of a data set without examples")

    def __iter__(self) -> Iterator[int]:
        size, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from _tg.randint(0, size, (left,), generator=self.generator).tolist()
            return
        while left > 0:
            order = _tg._random_places(size, [size], self.generator)[0][:left]
            yield from order
            left -= len(order)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given places in random order."""

    def __init__(self, indices: Sequence[int], generator: Optional[Generator] = None):
        super().__init__(indices)
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        size = len(self.indices)
        return (self.indices[i] for i in _tg._random_places(size, [size], self.generator)[0])


class WeightedRandomSampler(Sampler):
    """So many places drawn by their weights, with replacement or without: tg.multinomial."""

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Optional[Generator] = None):
        super().__init__(weights)
        self.weights = Tensor(weights, dtype="float32")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        yield from _tg.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Another sampler's places in lists of batch_size, the last perhaps shorter unless drop_last."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool):
        super().__init__(sampler)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for place in self.sampler:
            batch.append(place)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        return len(range(self.batch_size - 1 if self.drop_last else 0, len(self.sampler), self.batch_size))


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

    batch_size examples each, the last perhaps fewer unless drop_last; in another order each epoch with shuffle, or at the places that a
    sampler gives; made ahead by num_workers threads, each up to prefetch_factor batches; orders, and what examples draw at random, follow
    from the generator. collate_fn makes a batch of a list of examples; without it tensors of one place are stacked. What reading an example
    raises is raised by the loop. pin_memory and persistent_workers change nothing: batches are in the host's memory, and threads are begun
    quickly.
    """

    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, *, num_workers: int = 0, drop_last: bool = False,
                 generator: Optional[Generator] = None, prefetch_factor: Optional[int] = 2,
                 collate_fn: Optional[Callable[[list[Any]], Any]] = None, sampler: Any = None, pin_memory: bool = False,
                 persistent_workers: bool = False):
        if sampler is not None and shuffle:
            raise _tg.ValueError("DataLoader: sampler and shuffle both say in which order; give one")
        self.dataset, self.sampler = dataset, sampler
        self._given = {"batch_size": batch_size, "shuffle": shuffle, "num_workers": num_workers, "drop_last": drop_last,
                       "generator": generator, "prefetch_factor": prefetch_factor, "collate_fn": collate_fn, "sampler": sampler}
        self._reader = reader = _Reader(dataset, collate_fn)
        if collate_fn is not None:
            examples = _tg._Dataset.in_batches(len(dataset), reader.batch)
        elif (taken := _taken_at_once(dataset)) is not None:
            examples, reader.structure = taken
        else:
            examples = _tg._Dataset(len(dataset), reader.example)
        prefetch = 2 if prefetch_factor is None else prefetch_factor
        self._examples, self._options = examples, (batch_size, shuffle, drop_last, num_workers, prefetch, generator)
        self._whole = self._over(examples)

    def _over(self, examples: _tg._Dataset) -> _tg._DataLoader:
        return _tg._DataLoader(examples, *self._options)

    def __reduce__(self) -> Any:
        return functools.partial(DataLoader, **self._given), (self.dataset,)

    def __len__(self) -> int:
        batch_size, _, drop_last, *_ = self._options
        return len(self._whole) if self.sampler is None else len(BatchSampler(self.sampler, batch_size, drop_last))

    def __iter__(self) -> Iterator[Any]:
        sampled = self.sampler is not None
        epoch = (self._over(self._examples.subset([int(i) for i in self.sampler])) if sampled else self._whole).epoch()
        _open.add(epoch)
        try:
            for leaves in epoch:
                yield _map(self._reader.structure, lambda leaf: leaves[leaf])
        finally:
            epoch.close()
