"""A trained network for use elsewhere: a picture in, the finished prediction of every task out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from nas_ctx.data.base import Draw
from nas_ctx.data.transforms import MEAN, STD, EvalTransform
from nas_ctx.errors import InputError
from nas_ctx.runs.trained import Trained, load_trained


class Network(nn.Module):
    """A trained network with what it needs around it: standardised images, finished predictions.

    :meth:`predict` takes one picture of any size. Calling the network takes a batch, as files of ``nas-ctx export`` do:
    float32 RGB in 0..1, (B, 3, H, W), to ``{task: prediction}``, each (B, H, W) or (B, channels, H, W) in the units of
    the task: a class (int64), metres, unit vectors, a probability. It moves to a device as every module does
    (``network.cuda()``).

    Attributes:
        model: the network that was trained: standardised images to ``{"final": {task: logits}, "auxiliary": ...}``.
        tasks: task name -> task, with loss, metric and drawing.
        config: of its run.
        genotype: the context of every block; None without blocks.
        checkpoint: the file that the weights are from.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.model = trained.model
        self.tasks, self.config = trained.tasks, trained.config
        self.genotype, self.checkpoint = trained.genotype, trained.checkpoint
        self.register_buffer("mean", torch.from_numpy(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.from_numpy(STD).view(3, 1, 1), persistent=False)
        self._prepare = EvalTransform({}, self.config.data.eval_size or self.config.data.image_size)
        self.eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """RGB in 0..1, float32 (B, 3, H, W), to the prediction of every task at this size."""
        return self._predictions((image - self.mean) / self.deviation)

    @torch.no_grad()
    def predict(self, image: Image.Image | NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The prediction of every task for one picture, as its run was evaluated: what it scored holds here.

        Args:
            image: a picture of PIL's, or RGB as uint8 (H, W, 3), of any size.

        Returns:
            Per task an array (H, W) or (H, W, channels) of the picture's size: classes int64, all else float32.

        Raises:
            InputError: an array of another type or shape.
        """
        pixels = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise InputError(f"image: {pixels.dtype} {pixels.shape}, expected RGB as uint8 (H, W, 3)")
        height, width = pixels.shape[:2]
        padded = self._prepare({"image": pixels, "id": ""}, Draw(0, 0))["image"]
        top, left = (padded.shape[1] - height) // 2, (padded.shape[2] - width) // 2
        predictions = self._predictions(padded[None].to(self.mean.device))
        whole = {name: map_of(prediction) for name, prediction in predictions.items()}
        return {name: values[top : top + height, left : left + width] for name, values in whole.items()}

    def _predictions(self, standardised: Tensor) -> dict[str, Tensor]:
        final = self.model(standardised)["final"]
        return {name: task.predict(final[name]) for name, task in self.tasks.items()}


def load_network(run: str | os.PathLike[str], *, trust: bool = False) -> Network:
    """The network of a training run, ready to be used on pictures; from its newest checkpoint, on the processor.

    Args:
        run: the folder of the run. The data that it was trained on are not needed.
        trust: run the code that the folder's configuration names, a plugin or ``module:Name``. Weights run nothing.

    Raises:
        InputError: no run folder, one of a search, or without a checkpoint; code without ``trust``; a network that is
            shown the labels.

    Example::

        network = nas_ctx.load_network("work/train/seed-0")
        depth = network.predict(PIL.Image.open("photo.jpg"))["depth"]  # float32 (H, W), metres
    """
    trained = load_trained(run, trust=trust)
    if getattr(trained.model, "reads_labels", False):
        raise InputError(f"{run}: its network sees the labels (model.true_regions) and predicts nothing without them")
    return Network(trained)


def map_of(batch: Tensor) -> NDArray[Any]:
    """The first of (B, H, W), (B, 1, H, W) or (B, C, H, W) as (H, W) or (H, W, C)."""
    first = batch[0]
    if first.ndim == 3:
        first = first[0] if len(first) == 1 else first.movedim(0, -1)
    return first.cpu().numpy()
