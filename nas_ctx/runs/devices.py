"""Where a run is computed, and how exactly: what a configuration asks Lightning for, and what of that is refused."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from nni.nas.evaluator.pytorch import Trainer
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from nas_ctx.config import TrainingConfig
from nas_ctx.errors import InputError

CROWD = 4
"""Most processes of a run per processor core."""


def devices_of(training: TrainingConfig) -> dict[str, Any]:
    """Lightning's arguments for a run."""
    strategy = training.strategy
    if strategy == "auto" and training.devices > 1:
        strategy = "ddp_find_unused_parameters_true"  # blocks that are decided stop using parameters
    return {
        "precision": training.precision,
        "accelerator": training.accelerator,
        "devices": training.devices,
        "strategy": strategy,
        "sync_batchnorm": training.sync_batchnorm,
    }


def check_devices(training: TrainingConfig) -> None:
    """Refuse what this machine does not have, or what Lightning cannot do or a run not be; nothing is written.

    Raises:
        InputError: the value, and what Lightning says of it.
    """
    silence_lightning()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run's own trainer warns
            trainer = Trainer(
                **devices_of(training),
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
    except (ValueError, RuntimeError, ImportError, MisconfigurationException) as error:
        raise InputError(f"training: {error}") from None
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise InputError(
            f"training.strategy: {training.strategy!r}: its processes are not those of the command, which would "
            "learn nothing of their results; expected one such as 'ddp'"
        )
    if isinstance(trainer.accelerator, CPUAccelerator):
        cores = os.cpu_count() or 1
        if training.devices > CROWD * cores:
            raise InputError(
                f"training.devices: {training.devices}: expected at most {CROWD * cores} processes on {cores} cores"
            )
        if training.sync_batchnorm and trainer.world_size > 1:
            raise InputError("training.sync_batchnorm: True: PyTorch synchronises batch norms on GPUs only")


def silence_lightning() -> None:
    """Leave out what Lightning and NNI print about themselves; Lightning's warnings about the run stay."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("nni").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")  # what `model.freeze` names
    warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")
