"""Local attention: ours against `unfold`, and on a GPU against FlexAttention and NATTEN where they are installed.

    python experiments/benchmarks/local_attention.py
    python experiments/benchmarks/local_attention.py --device cuda --size 107 140 --batch 8 --dtype bfloat16

Forward and backward pass; the error is the largest difference from `unfold` in float64, of the output and of the
gradients, relative to their largest value. NATTEN's window moves inwards at the border, so its error is only given for
the interior of the output.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the reference formulation is part of the test suite, which is not installed

import measure  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from nas_ctx.contexts.kernels.local_attention import local_attention  # noqa: E402
from tests.reference import straightforward  # noqa: E402

Attention = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def flex_attention(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    """PyTorch's FlexAttention over the zero-padded image; the mask is part of what is compiled."""
    from torch.nn.attention.flex_attention import create_block_mask

    halo = window // 2
    height, width = query.shape[2:]
    keys, values = (torch.nn.functional.pad(x, (halo,) * 4).flatten(2).mT.unsqueeze(1) for x in (key, value))
    wide = width + 2 * halo

    def inside(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        down, right = k // wide - q // width, k % wide - q % width
        return (down >= 0) & (down < window) & (right >= 0) & (right < window)

    mask = create_block_mask(inside, None, None, height * width, keys.shape[2], device=str(query.device))
    output = _compiled_flex()(query.flatten(2).mT.unsqueeze(1), keys, values, block_mask=mask)
    return output.squeeze(1).mT.unflatten(2, (height, width))


_compiled: list[Any] = []


def _compiled_flex() -> Any:
    from torch.nn.attention import flex_attention as module

    if not _compiled:
        _compiled.append(torch.compile(module.flex_attention))
    return _compiled[0]


def natten(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    """NATTEN's neighbourhood attention, (B, h, w, heads, d)."""
    import natten as package

    arguments = (x.permute(0, 2, 3, 1).unsqueeze(3).contiguous() for x in (query, key, value))
    return package.na2d(*arguments, kernel_size=window).squeeze(3).permute(0, 3, 1, 2)


def forms(device: str) -> dict[str, Attention]:
    """What there is to compare on this device."""
    found: dict[str, Attention] = {"unfold": straightforward.local_attention, "ours": local_attention}
    if device != "cpu":
        found["flex_attention"] = flex_attention
        if importlib.util.find_spec("natten"):
            found["natten"] = natten
    return found


def make_arguments(size: tuple[int, int], batch: int, channels: int, dtype: torch.dtype, device: str) -> list[Tensor]:
    """Query, key and value, the same numbers in every dtype."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, channels, *size)
    return [torch.randn(shape, generator=generator).to(device, dtype).requires_grad_() for _ in range(3)]


def make_step(
    name: str, size: tuple[int, int], batch: int, channels: int, window: int, dtype: torch.dtype, device: str
) -> Callable[[], list[Tensor]]:
    """A forward and backward pass, giving output and gradients."""
    attend = forms(device)[name]
    leaves = make_arguments(size, batch, channels, dtype, device)

    def step() -> list[Tensor]:
        output = attend(*leaves, window)
        return [output.detach(), *torch.autograd.grad(output, leaves, torch.ones_like(output) / output.numel())]

    return step


def error(name: str, window: int, dtype: torch.dtype, device: str) -> float:
    """The largest relative difference from `unfold` in float64, on a small image."""
    size = (23, 37)
    exact = make_step("unfold", size, 2, 33, window, torch.float64, "cpu")()
    found = make_step(name, size, 2, 33, window, dtype, device)()
    if name == "natten":
        halo = window // 2
        exact, found = ([x[0][..., halo:-halo, halo:-halo]] for x in (exact, found))
    pairs = zip(found, exact, strict=True)
    return max(float((ours.cpu().double() - true).abs().max() / true.abs().max()) for ours, true in pairs)


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(54, 70), help="height and width of the features")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--channels", type=int, default=33)
    parser.add_argument("--window", type=int, default=9)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype, device = getattr(torch, options.dtype), options.device
    make = partial(make_step, batch=options.batch, channels=options.channels, window=options.window, dtype=dtype)
    steps = {name: make(name, tuple(options.size), device=device) for name in forms(device)}
    seconds = measure.in_turn(steps, device, options.repeats)
    tail = (options.batch, options.channels, options.window, dtype, device)
    megabytes = {
        name: measure.peak_megabytes(make_step, device, (name, (5, 5), *tail), (name, tuple(options.size), *tail))
        for name in steps
    }
    result = {
        "time_ratio": seconds["ours"] / seconds["unfold"],
        "memory_ratio": megabytes["ours"] / megabytes["unfold"],
        "seconds": seconds,
        "megabytes": megabytes,
        "error": {name: error(name, options.window, dtype, device) for name in steps},
        "size": list(options.size),
        "batch": options.batch,
        "channels": options.channels,
        "window": options.window,
        "dtype": options.dtype,
        "measured_on": measure.device_name(device),
    }
    measure.show(result, options.json)


if __name__ == "__main__":
    main()
