"""
4. A custom space
=================

The paper asks which *type* of context each pair of tasks needs. This page asks another
question: how *large* a window does each pair need? That is another space, in a dozen
lines; everything else stays the same.
"""

# %%
# A space is an NNI ``ModelSpace``. This one uses the network of the package, with a
# function that makes the block of each pair: a ``LayerChoice`` between windows of three
# sizes and *none*. ``label_scope`` gives the choice its label, ``target/source``.
from nas_ctx.contexts import CONTEXTS
from nas_ctx.models import MultiTaskNetwork, register_space

from nni.mutable import label_scope
from nni.nas.nn.pytorch import LayerChoice, ModelSpace


@register_space("my-windows")
class Windows(ModelSpace):
    def __init__(self, backbone, tasks, *, affine=False, dropout=0.0):
        super().__init__()

        def block(target, source, *channels):
            candidates = {"none": CONTEXTS["none"](*channels, affine=affine)}
            for width in (3, 7, 13):
                name = f"{width} x {width}"
                candidates[name] = CONTEXTS["local"](
                    *channels, affine=affine, window=width
                )
            with label_scope(target):
                return LayerChoice(candidates, label=source)

        self.network = MultiTaskNetwork(backbone, tasks, block, dropout)

    def forward(self, image):
        return self.network(image)


# %%
# Can it be searched, does every choice matter, and can a genotype be trained?
from nas_ctx.testing import check_space

check_space(Windows)

# %%
# ``simplify`` lists the choices of the space.
from nas_ctx.models import Backbone
from nas_ctx.tasks import make_tasks

tasks = make_tasks({"semseg": {"classes": 14}, "depth": {}, "edge": {}})
space = Windows(Backbone("test_efficientnet"), tasks)
for label, choice in sorted(space.simplify().items()):
    print(label, choice.values)

# %%
# A configuration names the space. The strategy, its settings and the report are the same
# as for the paper's space.
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
        "output": str(work / "search-{seed}"),
        "data": {
            "root": str(work / "data"),
            "image_size": [48, 64],
            "batch_size": 4,
            "workers": 0,
        },
        "tasks": {"semseg": {"classes": 14}, "depth": {}, "edge": {}},
        "model": {
            "backbone": "test_efficientnet",
            "pretrained": False,
            "space": "my-windows",
        },
        "training": {"steps": STEPS, "lr": 0.03, "threads": 1},
        "search": {"arch_lr": 0.05},
    },
    "my configuration",
)
genotype = runs.search(config, progress=False)

# %%
# The result as a table: rows are targets, columns are sources.
import matplotlib.pyplot as plt

sizes = ["none", "3 x 3", "7 x 7", "13 x 13"]
grid = [[sizes.index(genotype[f"{t}/{s}"]) for s in tasks] for t in tasks]
figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
axis.imshow(grid, cmap="Blues", vmin=0, vmax=4, aspect="auto")
for row, target in enumerate(tasks):
    for column, source in enumerate(tasks):
        axis.text(column, row, genotype[f"{target}/{source}"], ha="center", va="center")
axis.set_xticks(range(3), tasks)
axis.set_yticks(range(3), tasks)
axis.xaxis.tick_top()
axis.tick_params(length=0)
axis.spines[:].set_visible(False)

# %%
# Training builds the space again, with scale and shift in every norm, and freezes it to
# the genotype.
config.output = str(work / "trained")
config.model.blocks = str(work / "search-0" / "genotype.json")
scores = runs.train(config, progress=False)
print(
    f"mean IoU {scores['semseg/miou']:.3f}, depth off by {scores['depth/rmse']:.2f} m"
)

# %%
# A space does not need tasks at all: :doc:`7_nni_and_lightning` passes the strategy to
# NNI's own experiment, and :doc:`/spaces` lists what ``GumbelSearch`` can search.
