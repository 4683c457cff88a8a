"""
7. The same search from NNI, from Lightning, from a notebook
============================================================

A configuration is one way to search. In a program that uses NNI or Lightning, or in a
notebook, you can use the same components: a space, a strategy, a module with the
losses, and data. This page runs one search in three ways, with the same result to the
last digit.
"""

# %%
# The components. Each search gets new ones, from the same seed.
import tempfile
from pathlib import Path

from nas_ctx.config import TrainingConfig
from nas_ctx.data import DataModule
from nas_ctx.data.rooms import write_rooms
from nas_ctx.models import Backbone
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import make_tasks
from nas_ctx.training import MultiTaskModule
from search_spaces.relational import RelationalSpace

import pytorch_lightning as pl

STEPS = 30

rooms = Path(tempfile.mkdtemp()) / "rooms"
write_rooms(rooms, train=32, val=8, size=(48, 64), seed=0)


def parts():
    pl.seed_everything(0, verbose=False)
    tasks = make_tasks({"semseg": {"classes": 14}, "depth": {}})
    space = RelationalSpace(Backbone("test_efficientnet"), tasks)
    strategy = GumbelSearch(arch_lr=0.05, seed=0)
    module = MultiTaskModule(tasks, TrainingConfig(steps=STEPS, lr=0.03))
    data = DataModule("nyud", rooms, tasks, (48, 64), batch_size=4, seed=0)
    return space, strategy, module, data


quiet = {
    "max_steps": STEPS,
    "limit_val_batches": 0,
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}

# %%
# From NNI
# --------
# NNI's experiment takes a space, an evaluator and a strategy. The evaluator is NNI's
# Lightning evaluator around our module.
import logging

from nni.nas.evaluator.pytorch import Lightning, Trainer
from nni.nas.experiment import NasExperiment

logging.getLogger("nni").setLevel(logging.ERROR)
space, strategy, module, data = parts()
evaluator = Lightning(module, Trainer(**quiet), datamodule=data)
experiment = NasExperiment(space, evaluator, strategy)
experiment.run()
[from_nni] = experiment.export_top_models(formatter="dict")
probabilities = strategy.genotype().meta["probabilities"]
print(from_nni)

# %%
# From Lightning
# --------------
# Without NNI's experiment: the strategy turns the space into the supernet and wraps the
# module, and Lightning's trainer does the rest. Callbacks, loggers, precision and
# several GPUs work as in any Lightning program.
space, strategy, module, data = parts()
supernet = strategy.mutate_model(space)
search = strategy.configure_oneshot_module(module)
search.set_model(supernet)
pl.Trainer(**quiet).fit(search, datamodule=data)
from_lightning = dict(strategy.genotype())
print(from_lightning)

# %%
# Not only the choices are equal, but every probability, since the seed determines every
# random number.
assert from_lightning == from_nni
assert strategy.genotype().meta["probabilities"] == probabilities

# %%
# From a notebook
# ---------------
# This page *is* a notebook: it can be downloaded below, and the tests run it under
# Jupyter. In a notebook a plot of the progress is more useful than a log, and a callback
# can make one. This callback records the mean entropy of the choices in nats, which
# starts at that of the uniform distribution and falls as blocks are decided.
import matplotlib.pyplot as plt


class Watch(pl.Callback):
    def __init__(self):
        self.entropy = []

    def on_train_batch_end(self, trainer, module, *_):
        self.entropy.append(strategy.choices.mean_entropy().item())


space, strategy, module, data = parts()
supernet = strategy.mutate_model(space)
search = strategy.configure_oneshot_module(module)
search.set_model(supernet)
watch = Watch()
pl.Trainer(**quiet, callbacks=[watch]).fit(search, datamodule=data)
assert dict(strategy.genotype()) == from_nni

figure, axis = plt.subplots(figsize=(6, 2.4), layout="constrained")
axis.plot(range(1, STEPS + 1), watch.entropy)
axis.set_xlabel("step")
axis.set_ylabel("mean entropy (nats)")

# %%
# The commands also provide run folders, checkpoints, resuming after an interruption, and
# protection of folders that hold another run. ``nas_ctx.runs.search(config)`` provides
# all of this in Python: see :doc:`1_first_search`.
