"""The Lightning data module of trainings and searches, for every registered data set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytorch_lightning as pl

from nas_ctx.data.base import DATASETS, DenseDataset
from nas_ctx.data.judging import LOOKED_AT, judge
from nas_ctx.data.loading import Loader, TrainLoader, batches_of, check_one_size
from nas_ctx.data.show import spread
from nas_ctx.data.transforms import EvalTransform, TrainTransform
from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from typing import Self

    from nas_ctx.config import DataConfig
    from nas_ctx.tasks import Task


@dataclass(eq=False, repr=False)
class DataModule(pl.LightningDataModule):
    """Training and validation batches of one data set.

    Args:
        name: a key of :data:`nas_ctx.data.DATASETS`.
        root: folder of the data set.
        tasks: task name -> task; decides which labels are read.
        image_size: height and width of training crops.
        batch_size, eval_batch_size: images per batch, of each process where there are several.
        workers: processes that read ahead, for training and for validation each; 0 reads in the main process.
        seed: of order and augmentation, which depend on nothing else, such as the number of workers.
        augment: False trains on whole images, prepared as for validation.
        limit_train, limit_val: how many ids to use, the first ones.
        holdout: share of the training images that are validated on instead of the validation split; the same ones
            whatever the seed.
        eval_size: height and width that smaller validation images are padded to; None for ``image_size``.

    Raises:
        InputError: on the first use of the data, see :class:`nas_ctx.data.base.DenseDataset`.
    """

    name: str = field()  # without the None that Lightning has as default
    root: str | os.PathLike[str]
    tasks: Mapping[str, Task]
    image_size: tuple[int, int]
    batch_size: int = 8
    eval_batch_size: int = 8
    workers: int = 0
    seed: int = 0
    augment: bool = True
    limit_train: int | None = None
    limit_val: int | None = None
    holdout: float = 0.0
    eval_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self.dataset_type = DATASETS.resolve(self.name, "data.name")

    @classmethod
    def from_config(cls, config: DataConfig, tasks: Mapping[str, Task], seed: int = 0) -> Self:
        """The data that the section ``data`` of a configuration describes."""
        return cls(tasks=tasks, seed=seed, **dict(config))

    def train_set(self) -> DenseDataset:
        """The training split with its augmentation."""
        dataset = self._read("train", self.image_size, held_out=False)
        dataset.ids = dataset.ids[: self.limit_train]
        if self.augment:
            dataset.transform = TrainTransform(self.tasks, self.image_size, self.seed, dataset.crop_classes)
        _, ranks = self._place()
        if len(dataset) < self.batch_size * ranks:
            times = f" times {ranks} processes" if ranks > 1 else ""
            raise InputError(
                f"{self.root}: {len(dataset)} training images are fewer than batch_size {self.batch_size}{times}"
            )
        return dataset

    def val_set(self) -> DenseDataset:
        """The validation split, or the training images that are held out."""
        size = self.eval_size or self.image_size
        dataset = self._read("train", size, held_out=True) if self.holdout else self._read("val", size)
        dataset.ids = dataset.ids[: self.limit_val]
        return dataset

    def judge(self) -> list[str]:
        """Look at some images and labels before a run: what is odd about them, one line each.

        Raises:
            InputError: labels that no run can learn from, by the rules of ``nas-ctx data check``; or training images of
                several sizes, where a batch needs one.
        """
        train = self.train_set()
        odd = [line for dataset in (train, self.val_set()) for line in judge(dataset)]
        samples = [train[index] for index in spread(LOOKED_AT, len(train))]
        if self.batch_size > 1:
            check_one_size(samples)
        return odd

    def eval_sizes(self) -> set[tuple[int, int]]:
        """Heights and widths of validation images as the network sees them, of some that stand for all.

        Raises:
            InputError: one of them, or a label of another size than its image.
        """
        dataset, least = self.val_set(), self.eval_size or self.image_size
        shapes = {dataset.read(index)["image"].shape for index in spread(LOOKED_AT, len(dataset))}
        return {(max(height, least[0]), max(width, least[1])) for height, width, _ in shapes}

    def _read(self, split: str, size: tuple[int, int], *, held_out: bool | None = None) -> DenseDataset:
        """A split; of the training images, those that are held out, or the others."""
        dataset = self.dataset_type(self.root, split, self.tasks, EvalTransform(self.tasks, size))
        if held_out is not None and self.holdout:
            count = max(1, round(self.holdout * len(dataset.ids)))
            chosen = set(np.random.default_rng(0).permutation(len(dataset.ids))[:count])
            dataset.ids = [name for index, name in enumerate(dataset.ids) if (index in chosen) == held_out]
        return dataset

    def train_dataloader(self) -> TrainLoader:
        """Shuffled, augmented batches, without an incomplete last one."""
        return TrainLoader(self.train_set(), self.batch_size, self.workers, self.seed, *self._place())

    def val_dataloader(self) -> Loader:
        """All validation images, in the order of the data set."""
        dataset, (rank, ranks) = self.val_set(), self._place()
        if ranks == 1:
            return Loader(dataset, self.workers, self.eval_batch_size)
        return Loader(dataset, self.workers, stream=batches_of(len(dataset), self.eval_batch_size, rank, ranks))

    def _place(self) -> tuple[int, int]:
        """The index of this process, and the number of processes."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
