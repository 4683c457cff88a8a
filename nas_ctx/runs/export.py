"""A trained network as a file for other programs, which is run and compared with the network before it is kept."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from nas_ctx.compat.loggers import errors_only
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.files import atomic_write
from nas_ctx.runs.network import Network

TOLERANCE = 1e-4
"""A prediction differs in a pixel if its class does, or a number by more than this part of the largest, or of 1."""

DIFFERING = 1e-3
"""Largest share of pixels that may differ: where two classes are as probable, rounding decides."""

EXPORTERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
"""Loggers of what writes the files."""

Predictions = Mapping[str, Tensor]


@torch.no_grad()
def export_network(
    network: Network, path: str | os.PathLike[str], format: str, size: tuple[int, int] | None = None
) -> float:
    """Write ``network`` as a file of ``format``, read it back, and compare it with the network on a random picture.

    A file of ``onnx`` or ``torch-export`` takes ``image``, float32 RGB in 0..1, (1, 3, H, W), of exactly ``size``, and
    gives the finished prediction of each task in the order of ``network.tasks``. One of ``safetensors`` holds the
    weights of ``network.model`` by name, and as metadata the JSON of ``model``, ``tasks`` and ``genotype``.

    Args:
        size: height and width; ``data.image_size`` of the run by default.

    Returns:
        The share of pixels where the file's prediction differs from the network's, of the task with most: at most
        :data:`DIFFERING`.

    Raises:
        InputError: an unknown format, packages that are missing, or a network that cannot be exported: no file is left.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    write, run = FORMATS[format]
    image = torch.rand(1, 3, *(size or network.config.data.image_size), generator=torch.Generator().manual_seed(0))
    expected = network(image)
    with atomic_write(path) as temporary:
        try:
            with errors_only(*EXPORTERS), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                write(network, image, temporary)
                got = run(network, image, temporary)
        except (InputError, OSError):
            raise
        except Exception as error:  # of torch's exporters, about code of whatever kind
            reason = (str(error).splitlines() or [""])[0]
            raise InputError(f"{path}: cannot be written: {type(error).__name__}: {reason}") from None
        wrong = [_difference(name, expected[name], got[name]) for name in expected]
        share, told = max(wrong)
        if share > DIFFERING:
            raise InputError(
                f"{path}: is not written: on a random image {told}; at most {DIFFERING:.1%} of the pixels may differ. "
                "Parts of your own must calculate with tensors alone and keep none between calls; without any, this is "
                "a fault of nas_ctx: please report it. `--format safetensors` writes the weights by themselves"
            )
    return share


def _write_onnx(network: Network, image: Tensor, path: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise InputError(f'format: onnx: needs {", ".join(missing)}: pip install "nas_ctx[export]"')
    torch.onnx.export(
        network, (image,), path, dynamo=True, external_data=False, verbose=False,
        input_names=["image"], output_names=list(network.tasks),
    )  # fmt: skip


def _run_onnx(network: Network, image: Tensor, path: Path) -> Predictions:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip(network.tasks, map(torch.from_numpy, session.run(None, {"image": image.numpy()})), strict=True))


def _write_program(network: Network, image: Tensor, path: Path) -> None:
    with path.open("wb") as file:
        torch.export.save(torch.export.export(network, (image,)), file)


def _run_program(network: Network, image: Tensor, path: Path) -> Predictions:
    with path.open("rb") as file:
        return torch.export.load(file).module()(image)


def _write_weights(network: Network, image: Tensor, path: Path) -> None:
    from safetensors.torch import save_file

    config, choices = network.config, network.genotype
    facts = {
        "model": config.model.model_dump(mode="json"),
        "tasks": config.tasks,
        "genotype": None if choices is None else choices.to_json()["choices"],
    }
    weights = {name: value.contiguous().clone() for name, value in network.model.state_dict().items()}
    save_file(weights, path, {name: json.dumps(fact) for name, fact in facts.items()})


def _run_weights(network: Network, image: Tensor, path: Path) -> Predictions:
    from safetensors.torch import load_file

    weights = {f"model.{name}": value for name, value in load_file(path).items()}
    return torch.func.functional_call(network, weights, (image,), strict=False)


FORMATS: dict[str, tuple[Callable[[Network, Tensor, Path], None], Callable[[Network, Tensor, Path], Predictions]]] = {
    "onnx": (_write_onnx, _run_onnx),
    "torch-export": (_write_program, _run_program),
    "safetensors": (_write_weights, _run_weights),
}
"""Format -> how its file is written, and how it is run."""


def _difference(task: str, expected: Tensor, got: Tensor) -> tuple[float, str]:
    """The share of pixels where two predictions of a task differ, and how, in words."""
    if expected.shape != got.shape:
        return 1.0, f"{task}: is {tuple(got.shape)}, expected {tuple(expected.shape)}"
    if not expected.is_floating_point():
        apart, by = expected != got, "are of another class"
    else:
        distance, limit = (expected - got).abs(), TOLERANCE * float(expected.abs().max().clamp(min=1))
        apart = ~(distance <= limit)
        by = f"differ by more than {limit:.1g}, by up to {distance.max():.2g}, in the unit of its prediction"
    pixels = apart if apart.ndim == 3 else apart.any(1)
    return float(pixels.float().mean()), f"{task}: {int(pixels.sum())} of {pixels.numel()} pixels {by}"
