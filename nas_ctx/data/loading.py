"""Batches in an order that depends on seed and epoch only, and one clear line about a damaged file."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from nas_ctx.data.base import DenseDataset, Draw
from nas_ctx.errors import InputError


@dataclass(eq=False)
class BatchStream(Sampler[list[Draw]]):
    """An endless sequence of batches, of which batch k depends on ``seed`` and k only.

    Every epoch is a permutation of all samples without an incomplete last batch. An iteration starts at ``position``
    and has as many batches as an epoch, wherever in an epoch it starts.

    Several processes share every batch: ``ranks`` of them with batches of ``batch_size`` see in a step what one process
    with batches of ``ranks * batch_size`` sees.

    >>> stream = BatchStream(count=5, batch_size=2, seed=0)
    >>> batches = list(stream.at(0, 6))
    >>> batches[2:4] == list(stream.at(2, 2)), len({draw.index for batch in stream for draw in batch})
    (True, 4)
    """

    count: int
    batch_size: int
    seed: int
    rank: int = 0
    ranks: int = 1
    position: int = 0

    def __len__(self) -> int:
        return self.count // (self.batch_size * self.ranks)

    def at(self, position: int, count: int) -> Iterator[list[Draw]]:
        """Batches ``position`` to ``position + count - 1``."""
        shuffled, order = -1, np.arange(0)
        for k in range(position, position + count):
            epoch, number = divmod(k, len(self))
            if epoch != shuffled:
                shuffled, order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.count)
            part = number * self.ranks + self.rank
            chosen = order[part * self.batch_size : (part + 1) * self.batch_size]
            yield [Draw(epoch, int(index)) for index in chosen]

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.at(self.position, len(self))


def batches_of(count: int, batch_size: int, rank: int = 0, ranks: int = 1) -> list[list[int | None]]:
    """All samples in order, in batches, of which process ``rank`` of ``ranks`` takes every ``ranks``-th.

    All processes get the same number, since they have to call the network equally often. None is a sample without an
    id, which is not counted.

    >>> batches_of(5, 2), batches_of(5, 2, rank=1, ranks=2)
    ([[0, 1], [2, 3], [4]], [[2, 3], [None]])
    """
    batches: list[list[int | None]] = [list(range(i, min(i + batch_size, count))) for i in range(0, count, batch_size)]
    batches += [[None]] * (-len(batches) % ranks)
    return batches[rank::ranks]


@dataclass(frozen=True)
class _Damaged:
    """Replaces a sample that could not be read: an exception in a worker would bring the worker's traceback."""

    message: str


@dataclass(frozen=True)
class _Carrying(Dataset[Any]):
    """A data set that returns InputErrors instead of raising them."""

    dataset: DenseDataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, which: Any) -> Any:
        try:
            return self.dataset[which] if which is not None else {**self.dataset[0], "id": ""}
        except InputError as error:
            return _Damaged(str(error))


def collate(samples: list[Any]) -> Any:
    """Samples to one batch: tensors stacked, ids in a list. A sample that could not be read replaces the batch.

    Images of several sizes make a batch of each size: :func:`parts` takes them apart.
    """
    if damaged := next((sample for sample in samples if isinstance(sample, _Damaged)), None):
        return damaged
    by_size: dict[Any, list[Any]] = {}
    for sample in samples:
        by_size.setdefault(sample["image"].shape[1:], []).append(sample)
    batches = [_stacked(group) for group in by_size.values()]
    return batches[0] if len(batches) == 1 else {"parts": batches}


def _stacked(samples: list[Any]) -> dict[str, Any]:
    """Samples of one size as a batch, with the tasks that none of them has a label for."""
    unlabelled = set.intersection(*(set(sample.pop("unlabelled", ())) for sample in samples))
    return {**default_collate(samples), "unlabelled": sorted(unlabelled)}


def parts(batch: Mapping[str, Any]) -> list[Any]:
    """The batches, each of images of one size, that a batch consists of."""
    return batch.get("parts", [batch])


def one_size(samples: list[Any]) -> Any:
    """As :func:`collate`; samples of several sizes, which cannot be trained on together, are refused."""
    batch = collate(samples)
    if isinstance(batch, _Damaged) or len(parts(batch)) == 1:
        return batch
    sizes = ", ".join("{!r} {} x {}".format(part["id"][0], *part["image"].shape[2:]) for part in parts(batch))
    return _Damaged(
        f"images of one batch differ in size ({sizes}): raise data.image_size to the largest, or set data.batch_size "
        "to 1 or data.augment to true"
    )


def check_one_size(samples: list[Any]) -> None:
    """InputError where samples, as training sees them, are of several sizes."""
    if isinstance(batch := one_size(samples), _Damaged):
        raise InputError(batch.message)


def _apart(worker: int) -> None:
    """In a worker: ignore signals that a terminal or a scheduler sends to the process group; the run ends its workers.

    A worker that died of the signal would abort the step that the run is to finish and save.
    """
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # replace the run's own handlers
        signal.signal(number, signal.SIG_DFL)


class Loader(DataLoader[Any]):
    """A DataLoader of all samples in order, which raises InputErrors of its workers unchanged.

    Args:
        dataset: what to load from.
        workers: processes that read ahead; 0 reads in this process.
        batch_size: samples a batch; the last one may be smaller.
        stream: batches to load instead, each a list of indices.
    """

    collate: ClassVar = staticmethod(collate)

    def __init__(
        self,
        dataset: DenseDataset,
        workers: int,
        batch_size: int = 1,
        stream: Iterable[list[Any]] | None = None,
    ) -> None:
        super().__init__(
            _Carrying(dataset),
            batch_size=batch_size,
            batch_sampler=stream,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),  # copies to the device run beside its work
            collate_fn=self.collate,
            worker_init_fn=_apart,
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        for batch in batches:
            if isinstance(batch, _Damaged):
                self._end_workers(batches)
                raise InputError(batch.message)
            yield batch

    def _end_workers(self, batches: Any) -> None:
        """End the worker processes now: garbage collection after the error would wait seconds for them."""
        self._iterator = None
        if self.num_workers:
            batches._shutdown_workers()


class TrainLoader(Loader):
    """Batches of a :class:`BatchStream`. An iteration continues where the previous one stopped, finished or not.

    Lightning keeps ``state_dict`` in its checkpoints, so that a resumed run continues with the next batch.

    Args:
        dataset: what to load from.
        batch_size: samples a batch.
        workers: processes that read ahead; 0 reads in this process.
        seed: of the order.
        rank, ranks: index of this process, and how many there are; each loads its share.
    """

    collate: ClassVar = staticmethod(one_size)

    def __init__(
        self, dataset: DenseDataset, batch_size: int, workers: int, seed: int, rank: int = 0, ranks: int = 1
    ) -> None:
        self.stream = BatchStream(len(dataset), batch_size, seed, rank, ranks)
        super().__init__(dataset, workers, stream=self.stream)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            self.stream.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The number of batches used since the beginning of the training."""
        return {"position": self.stream.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after that many batches."""
        self.stream.position = state["position"]
