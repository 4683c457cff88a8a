"""Which families of timm work as backbones: a small model of each, on images of two sizes, as a table.

python experiments/benchmarks/backbones.py                # all, as a dry run does: maps have sizes only
python experiments/benchmarks/backbones.py --step         # a forward and a backward pass of each as well
python experiments/benchmarks/backbones.py resnet hrnet   # two of them
"""

from __future__ import annotations

import argparse
import re
import warnings

import torch

from nas_ctx.errors import InputError
from nas_ctx.models import Backbone
from nas_ctx.runs.preview.measure import nothing_computed, parameters, without_content

import timm  # isort: skip  # behind torchvision, which nas_ctx makes loadable

SIZES = ((425, 560), (75, 107))
SMALL = re.compile(
    r"atto|zepto|femto|pico|nano|tiny|xx_?small|xxs|_s0|_b0|_m0|_t0|_t8|xs|small|_s1?2?(_|$)|18|_035|_050|11"
)


def small_member(family: str) -> str:
    """A model of a family that is likely to be small, by its name."""
    names = timm.list_models(module=family)
    return next((name for name in names if SMALL.search(name)), names[0])


def verdict(name: str) -> tuple[str, str]:
    """The name of a group, and what is said of the model in it."""
    try:
        backbone = without_content(lambda: Backbone(name).train())
    except InputError as error:
        return "no feature maps", str(error).rpartition("timm says: ")[2].splitlines()[0]
    facts = f"stride {backbone.stride}, {backbone.channels} channels, {parameters(backbone) / 1e6:.1f} M"
    for size in SIZES:
        try:
            with nothing_computed():
                found = backbone(torch.empty(2, 3, *size)).shape[2:]
        except InputError as error:
            return ("one size" if "img_size" in str(error) else "refused"), facts
        except (RuntimeError, NotImplementedError):
            return "needs values", facts
        if tuple(found) != tuple(-(-side // backbone.stride) for side in size):
            return "FAULT", f"{facts}: a map of {tuple(found)} of {size}"
    return "any size", facts


def step(name: str) -> str:
    """What a pass of random weights over two images of either size says: the maps' shapes and gradients hold."""
    try:
        backbone = Backbone(name).train()
        for size in SIZES:
            maps = backbone(torch.rand(2, 3, *size))
            if tuple(maps.shape[2:]) != tuple(-(-side // backbone.stride) for side in size):
                return f"FAULT: a map of {tuple(maps.shape[2:])} of {size}"
            backbone.zero_grad()
            maps.square().mean().backward()
            learning = [p.grad for p in backbone.parameters() if p.grad is not None]
            if not learning or not all(gradient.isfinite().all() for gradient in learning):
                return f"FAULT: gradients of {size}"
    except InputError as error:
        return f"refused: {str(error)[:100]}"
    except Exception as error:
        return f"FAULT: {type(error).__name__}: {(str(error) or ' ').splitlines()[0][:100]}"
    return "steps"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="store_true", help="compute a step of each as well")
    parser.add_argument("families", nargs="*", help="families (default: all)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| family | tried | verdict | |\n| --- | --- | --- | --- |")
    for family in options.families or timm.list_modules():
        name = small_member(family)
        try:
            group, said = verdict(name)
        except Exception as error:
            group, said = "FAULT", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        stepped = f" {step(name)} |" if options.step and group not in ("no feature maps", "refused") else ""
        print(f"| {family} | `{name}` | {group} | {said} |{stepped}", flush=True)


if __name__ == "__main__":
    main()
