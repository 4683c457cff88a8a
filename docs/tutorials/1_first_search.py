"""
1. Your first search
====================

Three tasks look at one picture of a room: what is it, how far away is it, where does it
end? Each of them may look at each other one, in one of five ways. This page searches
which, in a minute on one core.

The data are rooms that the package renders itself, with exact labels, in the layout of
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
# A look at one of them. A data set reads a picture and one label for each task; a task
# knows how its label is drawn.
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
# A configuration says what to learn from, what to predict, with which network, and for
# how long. What it leaves out has the paper's value, 40 000 steps for instance. Here
# the search is to end in a minute, so the network is tiny, the steps are few, and the
# choices move quickly. The same mapping in a YAML file is what ``nas-ctx search``
# takes.
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
# Three tasks make nine blocks. A block is a pair of tasks; its label is
# ``target/source``, so in ``depth/semseg`` depth looks at semantics. The search trains
# one network that holds all candidates at once.
from nas_ctx import runs

genotype = runs.search(config, progress=False)
for block, context in genotype.items():
    print(f"{block:14} {context}")

# %%
# The run left a folder. ``history.csv`` in it says, for every step, how probable each
# candidate of each block was. All begin equal; a block is decided, and runs its one
# candidate from then on, once the first leads the second by 0.3.
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
# Is this what these tasks need from each other? One search cannot tell. Search again
# with another seed, and some blocks will come out otherwise. How many, and whether that
# is more than chance would give, is the question of the next step:
# :doc:`5_reading_a_report`.
