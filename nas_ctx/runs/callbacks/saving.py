"""Writes checkpoints during a run, and stops the run, saved, on request."""

from __future__ import annotations

import os
import secrets
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx.config import Config, to_yaml
from nas_ctx.errors import InputError, show_warnings
from nas_ctx.files import present_umask, sync
from nas_ctx.runs import checkpoints
from nas_ctx.runs.checkpoints import checkpoints_in, step_of
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.stopping import StopRequest, StopRun


class SaveCheckpoints(Callback):
    """Writes ``step=<n>.ckpt`` and removes older ones once it is whole; stops the run, saved, when asked to.

    A checkpoint is due every ``training.checkpoint_every`` steps, before every validation (which may take long, and be
    interrupted), and after the last step. Each holds the configuration, so that one of another run is known as such.

    Args:
        config: of the run.
        folder: of the run.
        stop: looked at after every step and every validation batch.
    """

    def __init__(self, config: Config, folder: RunFolder, stop: StopRequest) -> None:
        self.every = min(config.training.checkpoint_every or config.training.steps, config.training.steps)
        self.config, self.folder, self.stop = to_yaml(config), folder, stop

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["run"] = self.config

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stop.install()  # once more: Lightning has put its own handler in front
        self.stop.learning = True
        show_warnings()
        self.stop.saved = trainer.global_step or None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        step = trainer.global_step
        stopping = self._asked_to_stop(trainer)
        if stopping or step % self.every == 0 or validates_at(trainer, step) or ends_at(trainer, step):
            self._save(trainer)
        if stopping:
            raise StopRun

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self._asked_to_stop(trainer):
            raise StopRun  # the weights under validation are saved

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        asked = self.stop.number is not None
        # All processes stop at the same step, or those that continue would wait for the others forever.
        return bool(trainer.strategy.reduce_boolean_decision(asked, all=False)) if trainer.world_size > 1 else asked

    def _save(self, trainer: Trainer) -> None:
        self.folder.check_there()
        folder = self.folder.checkpoints
        path = folder / f"step={trainer.global_step}.ckpt"
        part = path.with_name(f"{path.stem}-{secrets.token_hex(4)}.part")  # a name that cannot be a link already
        try:
            trainer.save_checkpoint(part, weights_only=False)  # all processes take part, the first one writes
            if trainer.is_global_zero:
                part.chmod(0o666 & ~present_umask())  # fsspec asks for the umask once per process
                sync(part)  # a power cut after the renaming must not leave an empty file under the good name
                os.replace(part, path)
                sync(folder)
                before = [kept for kept in checkpoints_in(folder) if step_of(kept) < trainer.global_step]
                for older in before[checkpoints.KEPT - 1 :]:
                    older.unlink()
        except OSError as error:
            part.unlink(missing_ok=True)
            kept = checkpoints_in(folder)
            earlier = f"{kept[0].name} is whole" if kept else "there is no earlier one"
            raise InputError(
                f"{path}: cannot be written: {error.strerror or error}; {earlier}, and the same command resumes from it"
            ) from None
        self.stop.saved = trainer.global_step


def validates_at(trainer: Trainer, step: int) -> bool:
    """Whether a run validates after ``step`` steps, its last step aside."""
    return step > 0 and step % int(trainer.val_check_interval or 1) == 0


def ends_at(trainer: Trainer, step: int) -> bool:
    """Whether ``step`` is the last one."""
    return step >= trainer.max_steps or trainer.should_stop
