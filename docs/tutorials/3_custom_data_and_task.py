"""
3. A custom data set and task
=============================

A data set knows how to read a label. A task knows what its values mean: the loss, the
regions of label contexts, the metric, the drawing. This page adds one of each and
searches with them.

The data are coins on a table, drawn below: images, class maps (table, copper, silver),
and a label that the package does not know, the *rim distance*: for every pixel of a
coin, its distance in pixels from the coin's rim.
"""

# %%
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

STEPS = 80

root = Path(tempfile.mkdtemp()) / "coins"
for folder in ("lists", "pictures", "classes", "rim"):
    (root / folder).mkdir(parents=True)
random = np.random.default_rng(0)
rows, columns = np.mgrid[:48, :64]
for split, count in (("train", 40), ("val", 8)):
    names = [f"{split}{number:02}" for number in range(count)]
    (root / "lists" / f"{split}.txt").write_text("\n".join(names))
    for name in names:
        picture = random.normal((120, 90, 60), 12, (48, 64, 3))
        classes, rim = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.float32)
        for _ in range(5):
            y, x, radius = (
                random.integers(6, 42),
                random.integers(6, 58),
                random.integers(4, 12),
            )
            inside = radius - np.hypot(rows - y, columns - x)
            metal = random.integers(2)
            colour = ((200, 110, 60), (190, 190, 200))[metal]
            coin = inside > 0
            picture[coin] = np.array(colour) * (0.7 + 0.3 * inside[coin, None] / radius)
            classes[coin], rim[coin] = metal + 1, inside[coin]
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
            root / "pictures" / f"{name}.jpg"
        )
        Image.fromarray(classes).save(root / "classes" / f"{name}.png")
        np.save(root / "rim" / f"{name}.npy", rim)

# %%
# **The data set.** It locates the images and the lists of ids, and has a reader for each
# label. A reader returns the array as stored, (H, W) or (H, W, 3); the task does the
# rest.
from nas_ctx.data import DenseDataset, register_dataset


@register_dataset("coins")
class Coins(DenseDataset):
    name = "coins"
    image_folder = "pictures"
    split_folder = "lists"
    task_options = {"semseg": {"classes": 3}}

    def readers(self):
        return {
            "semseg": lambda name: np.array(
                Image.open(self.root / "classes" / f"{name}.png")
            ),
            "rim": lambda name: np.load(self.root / "rim" / f"{name}.npy"),
        }

    def label_folders(self, task):
        return [({"semseg": "classes", "rim": "rim"}[task],)]


# %%
# **The task.** A distance in pixels is a regression target. Its loss is the mean absolute
# error; 255 marks ignored pixels, here those of the table. For label contexts it is
# partitioned into eight regions, by distance. Magnification increases the distance, so
# the task overrides ``scale``.
from nas_ctx.metrics import IGNORE, SummedMetric
from nas_ctx.tasks import Task, register_task

import torch


class MeanError(SummedMetric):
    """Mean absolute error in pixels over all batches."""

    higher_is_better = False

    def __init__(self):
        super().__init__()
        self.add_sum("sums", torch.zeros(2, dtype=torch.float64))

    def update(self, prediction, label):
        valid = label != IGNORE
        error = (prediction - label)[valid].abs().double().sum()
        self.sums += torch.stack([error, valid.sum().double()])

    def compute(self):
        return {"error": self.sums[0] / self.sums[1]}


@register_task("rim")
class Rim(Task):
    name = "rim"
    metric_name = "error"
    higher_is_better = False
    weight = 0.2
    channels = 1
    regions = 8

    def loss(self, logits, label):
        valid = label != IGNORE
        return ((logits - label).abs() * valid).sum() / valid.sum().clamp(min=1)

    def partition(self, label):
        label = label[:, 0]
        region = (label / 1.5).floor().clamp(0, self.regions - 1)
        return torch.where(label == IGNORE, label, region).long()

    def predict(self, logits):
        return logits.float().clamp(min=0)  # float: it may be half precision

    def metric(self):
        return MeanError()

    def scale(self, label, factor):
        return label * factor

    def mark_ignore(self, label):
        return np.where(label > 0, label, np.float32(IGNORE))

    def render(self, values):
        shade = np.where(values == IGNORE, 0, values / 12).clip(0, 1)
        return (shade[..., None] * (255, 215, 120)).astype(np.uint8)


# %%
# Check both before a long run. The task is tested with generated labels, and with logits
# that predict them perfectly.
from nas_ctx.testing import check_dataset, check_task


def draw(task, generator, size):
    batch, height, width = size
    return torch.rand(batch, 1, height, width, generator=generator) * 12 + 0.1


check_task(Rim(), draw, perfect=lambda task, label: label)
check_dataset(Coins, root, {"semseg": {"classes": 3}, "rim": {}})

# %%
# The labels, as read by the data set and drawn by the tasks:
from nas_ctx.tasks import make_tasks

import matplotlib.pyplot as plt

tasks = make_tasks({"semseg": {"classes": 3}, "rim": {}})
coins = Coins(root, "train", tasks)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained")
sample = coins[1]
axes[0].imshow(sample["image"])
for axis, (name, task) in zip(axes[1:], tasks.items()):
    axis.imshow(task.render(sample[name]))
    axis.set_title(name)
axes[0].set_title("image")
for axis in axes:
    axis.axis("off")

# %%
# Both are registered, so a configuration can use them, and everything else works as for
# the data of the paper.
from nas_ctx import runs
from nas_ctx.config import check_config

config = check_config(
    {
        "output": str(root.parent / "search"),
        "data": {
            "name": "coins",
            "root": str(root),
            "image_size": [48, 64],
            "batch_size": 4,
            "workers": 0,
        },
        "tasks": {"semseg": {"classes": 3}, "rim": {}},
        "model": {
            "backbone": "test_efficientnet",
            "backbone_options": {"out_indices": [1, 2, 3]},
            "pretrained": False,
        },
        "training": {"steps": STEPS, "lr": 0.03, "threads": 1},
        "search": {"arch_lr": 0.05},
    },
    "my configuration",
)
for block, context in runs.search(config, progress=False).items():
    print(f"{block:14} {context}")

# %%
# Train the network of the genotype, and draw its predictions for the validation images.
# ``nas-ctx predict`` draws the same sheet.
from nas_ctx.evaluation import prediction_sheet
from nas_ctx.runs import load_trained

config.output = str(root.parent / "trained")
config.model.blocks = str(root.parent / "search" / "genotype.json")
scores = runs.train(config, progress=False)
print(
    f"mean IoU {scores['semseg/miou']:.2f}, rim distance off by {scores['rim/error']:.1f} pixels"
)

sheet = prediction_sheet(load_trained(config.output), 2)
figure = plt.figure(figsize=(9, 9 * sheet.shape[0] / sheet.shape[1]), dpi=150)
figure.add_axes((0, 0, 1, 1)).imshow(sheet)
figure.axes[0].axis("off")

# %%
# Before a long run, read all data once: ``nas-ctx data check my.yaml`` does so with the data
# set and the tasks of a configuration, ``nas-ctx data show my.yaml`` draws some of its images
# and labels. Both take the folder of a data set in the paper's layouts too. :doc:`/tasks`
# describes the tasks of the package and their design decisions.
