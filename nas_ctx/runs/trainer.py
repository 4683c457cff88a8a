"""Lightning's trainer for a run, as its configuration asks for it, and the checkpoint that it resumes from."""

from __future__ import annotations

import sys
from typing import Any

import pytorch_lightning as pl
from nni.nas.evaluator.pytorch import Trainer

from nas_ctx.config import check_config, differences
from nas_ctx.config.safe_yaml import parse_yaml
from nas_ctx.errors import InputError
from nas_ctx.escaping import visible
from nas_ctx.runs.callbacks.events import Events
from nas_ctx.runs.callbacks.log import RunLog, log
from nas_ctx.runs.callbacks.losses import LossRows
from nas_ctx.runs.callbacks.progress import Progress, StepSeeds
from nas_ctx.runs.callbacks.saving import SaveCheckpoints
from nas_ctx.runs.callbacks.stepbar import StepBar
from nas_ctx.runs.checkpoints import WITHOUT_DIGEST, newest_whole, set_aside
from nas_ctx.runs.devices import devices_of, silence_lightning
from nas_ctx.runs.digest import DigestIO
from nas_ctx.runs.started import StartedRun, is_first_process


def make_trainer(run: StartedRun[Any], *, clip: bool) -> pl.Trainer:
    """The trainer of a run; ``clip`` says whether it clips gradients. (In a search the strategy does.)"""
    training = run.config.training
    silence_lightning()
    return Trainer(
        **devices_of(training),
        max_steps=training.steps,
        val_check_interval=min(training.validate_every or training.steps, training.steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=training.log_every,
        gradient_clip_val=training.gradient_clip if clip else None,
        use_distributed_sampler=False,  # our loaders part the data among the processes themselves
        callbacks=_callbacks(run),
        plugins=[DigestIO()],
        enable_checkpointing=False,  # ours is a callback
        logger=False,
        enable_progress_bar=False,  # ours is a callback
        enable_model_summary=False,
        default_root_dir=run.folder.path,
    )


def _callbacks(run: StartedRun[Any]) -> list[pl.Callback]:
    callbacks: list[pl.Callback] = [
        StepSeeds(run.config.seed),
        Progress(run.folder, run.report),
        SaveCheckpoints(run.config, run.folder, run.stop),
    ]
    if is_first_process():  # losses before checkpoints, which come with the rows of their steps
        callbacks = [*_loggers(run), *callbacks, RunLog()]
    return [*callbacks, *([StepBar()] if run.progress else [])]


def _loggers(run: StartedRun[Any]) -> list[pl.Callback]:
    """What records the losses, as ``training.logger`` says."""
    training = run.config.training
    losses = [LossRows(run.folder, training.log_every)] if training.logger != "none" else []
    return [*losses, *([Events(run.folder, training.log_every)] if training.logger == "tensorboard" else [])]


def resume_from(run: StartedRun[Any]) -> str | None:
    """The newest whole checkpoint of an unfinished run; others are reported and set aside. None: start from scratch."""

    threads: list[int | None] = []

    def differing(text: str) -> list[str]:
        config = check_config(parse_yaml(text), "its configuration")
        threads[:] = [config.training.threads, run.config.training.threads]
        return differences(config, run.config)

    path, refused = newest_whole(run.folder.checkpoints, differing)
    if path is None and WITHOUT_DIGEST in refused.values():
        raise InputError("; ".join(f"{bad}: {fault}" for bad, fault in refused.items()))
    for bad, fault in refused.items() if is_first_process() else ():
        line = f"{bad}: {fault}; now {set_aside(bad).name}; {'using ' + path.name if path else 'starting anew'}"
        print(visible(line), file=sys.stderr)
        log.info("%s", line)
    if path is not None:
        log.info("resumes from %s", path.name)
        if len(set(threads)) > 1:
            log.warning("training.threads: was %s, is %s: last digits of sums may differ", *threads)
    return None if path is None else str(path)
