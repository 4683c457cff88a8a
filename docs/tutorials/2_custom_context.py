"""
2. A custom context type
========================

A context type defines what a task gathers from another task. The package has five. This
page adds a sixth, checks its receptive field, and lets a search choose between it and
two others.

The idea: rooms have floors and walls, and much of an image repeats from left to right.
So a pixel attends to its own *row* of the source, and to nothing else.
"""

# %%
# A context type is a module with the constructor ``(in_channels, channels, *,
# affine=True)`` whose ``forward`` takes one :class:`~nas_ctx.contexts.ContextInput` and
# returns features (B, channels, h, w). The base class
# :class:`~nas_ctx.contexts.AttentionContext` provides the projections of the paper:
# a query from the target, keys and values from a memory that the type defines. The type
# adds the attention itself.
from nas_ctx.contexts import (
    CONTEXTS,
    AttentionContext,
    ContextInput,
    register_context,
)

import torch


@register_context("row")
class Row(AttentionContext):
    """softmax(q.k / sqrt(c)) over the pixels of the target pixel's row."""

    def memory(self, inputs: ContextInput) -> torch.Tensor:
        return inputs.source

    def attend(self, query, key, value):
        scale = query.shape[1] ** -0.5
        similarity = torch.einsum("bchi,bchj->bhij", query, key) * scale
        return torch.einsum("bhij,bchj->bchi", similarity.softmax(-1), value)


# %%
# ``check_context`` verifies what the package relies on: shapes, half precision,
# gradients, and a last norm without scale in a search. It is silent if everything is
# right, and otherwise says what is wrong and how to fix it. Put it into your tests.
from nas_ctx.testing import check_context

check_context(Row)

# %%
# Does it attend to the right pixels? The gradient of one output pixel with respect to the
# source shows every pixel that influences it. Three types of the package and the new one,
# for the marked pixel (a label context gathers regions, which contain all pixels):
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 4, figsize=(9, 1.9), layout="constrained")
for axis, name in zip(axes, ["global", "local", "t-label", "row"]):
    torch.manual_seed(0)
    context = CONTEXTS[name](8, 8).eval()
    source = torch.rand(1, 8, 24, 32, requires_grad=True)
    target, regions = torch.rand(1, 8, 24, 32), torch.rand(1, 3, 24, 32)
    regions = regions / regions.sum((2, 3), keepdim=True)
    seen = context(ContextInput(target, source, regions, regions))
    seen[0, :, 8, 20].sum().backward()
    reach = source.grad.abs().sum((0, 1))
    axis.imshow(reach > 0, cmap="Blues", vmin=0, vmax=1.6)
    axis.plot(20, 8, "x", color="black")
    axis.set_title(name)
    axis.set_xticks([])
    axis.set_yticks([])

# %%
# The type is registered under a name, so a configuration can list it among the
# candidates.
import tempfile
from pathlib import Path

from nas_ctx import runs
from nas_ctx.config import check_config
from nas_ctx.data.rooms import write_rooms

STEPS = 60

work = Path(tempfile.mkdtemp())
write_rooms(work / "data", train=32, val=8, size=(48, 64), seed=0)
config = check_config(
    {
        "output": str(work / "search"),
        "data": {
            "root": str(work / "data"),
            "image_size": [48, 64],
            "batch_size": 4,
            "workers": 0,
        },
        "tasks": {"semseg": {"classes": 14}, "depth": {}},
        "model": {
            "backbone": "test_efficientnet",
            "pretrained": False,
            "contexts": ["none", "local", "row"],
        },
        "training": {"steps": STEPS, "lr": 0.03, "threads": 1},
        "search": {"arch_lr": 0.05},
    },
    "my configuration",
)
genotype = runs.search(config, progress=False)
for block, context in genotype.items():
    print(f"{block:14} {context}")

# %%
# Train the network of the genotype:
config.output = str(work / "trained")
config.model.blocks = str(work / "search" / "genotype.json")
for name, score in runs.train(config, progress=False).items():
    if name in ("semseg/miou", "depth/rmse"):
        print(f"{name:14} {score:.3f}")

# %%
# A name is known in the process that registers it. For ``nas-ctx search``, and for trials
# on other machines, put the class into its own file and name it in the configuration:
# see :doc:`/custom-components`.
