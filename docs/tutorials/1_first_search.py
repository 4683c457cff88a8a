"""
1. Your first search
====================

Three tasks are predicted from one image of a room: semantic classes, depth and
boundaries. Each task can gather context from each other task in one of five ways. This
page searches for the best ways, in a minute on one core.

The data are synthetic rooms with exact labels, rendered by the package in the layout of
NYUD-v2:
"""

# %%
import tempfile
from pathlib import Path

from nas_ctx.data.rooms import write_rooms

STEPS = 120

work = Path(tempfile.mkdtemp())  # name a folder of your own to keep what follows
rooms = work / "data"
write_rooms(rooms, train=48, val=8, size=(48, 64), seed=0)

# %%
# One of the images. A data set reads an image and one label per task; a task knows how
# to draw its label.
from nas_ctx.data import NYUD
from nas_ctx.tasks import make_tasks

import matplotlib.pyplot as plt

tasks = make_tasks({"semseg": {"classes": 14}, "depth": {}, "edge": {}})
sample = NYUD(rooms, "train", tasks)[3]

figure, axes = plt.subplots(1, 4, figsize=(9, 2), layout="constrained")
axes[0].imshow(sample["image"])
axes[0].set_title("image")
for axis, (name, task) in zip(axes[1:], tasks.items()):
    axis.imshow(task.render(sample[name]))
    axis.set_title(name)
for axis in axes:
    axis.axis("off")

# %%
# A configuration names the data, the tasks, the network and the number of steps. Keys
# that are left out have the paper's values, such as 40 000 steps, but for a few that
# save time. This search should end in a minute, so the network is tiny, the steps are
# few, and the architecture rate is high. ``nas-ctx search`` reads the same mapping from
# a YAML file.
from nas_ctx.config import check_config

config = check_config(
    {
        "output": str(work / "search"),
        "seed": 0,
        "data": {
            "root": str(rooms),
            "image_size": [48, 64],
            "batch_size": 4,
            "workers": 0,
        },
        "tasks": {"semseg": {"classes": 14}, "depth": {}, "edge": {}},
        "model": {"backbone": "test_efficientnet", "pretrained": False},
        "training": {"steps": STEPS, "lr": 0.03, "threads": 1, "log_every": 10},
        "search": {"arch_lr": 0.05},
    },
    "my configuration",
)

# %%
# Three tasks make nine blocks. A block is a pair of tasks, labelled ``target/source``:
# in ``depth/semseg``, depth gathers context from semantics. The search trains one
# network, the supernet, which contains all candidates.
from nas_ctx import runs

genotype = runs.search(config, progress=False)
for block, context in genotype.items():
    print(f"{block:14} {context}")

# %%
# The run leaves a folder. Its ``history.csv`` has the probability of each candidate of
# each block at every step. They start equal; once the first leads the second by 0.3,
# the block is decided, and runs only this candidate from then on.
from nas_ctx.analysis import SearchHistory

history = SearchHistory.load(work / "search" / "history.csv")
colours = {
    "none": "#aab2bb",
    "global": "#004f96",
    "local": "#f0a500",
    "t-label": "#008f6b",
    "s-label": "#cf78ab",
}
figure, axes = plt.subplots(
    3, 3, figsize=(9, 5.4), sharex=True, sharey=True, layout="constrained"
)
for axis, (block, probabilities) in zip(axes.flat, history.probabilities.items()):
    for context, line in zip(history.choices[block], probabilities.T):
        axis.plot(history.steps, line, color=colours[context], label=context)
    axis.set_title(block, fontsize=10)
axes[2, 1].set_xlabel("step")
axes[1, 0].set_ylabel("probability")
figure.legend(
    *axes[0, 1].get_legend_handles_labels(), loc="outside upper center", ncols=5
)

# %%
# Is this what these tasks need from each other? One search cannot tell. With another
# seed, some blocks get other choices. How many blocks agree, and whether that is more
# than chance, is the subject of :doc:`5_reading_a_report`.
