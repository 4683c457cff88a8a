"""
8. Your own NNI space, from space to report
===========================================

You have a model space and an evaluator written for NNI, and have searched with its
DARTS. This page puts ``GumbelSearch`` in its place, repeats both searches with three
seeds, and reports how far the repetitions agree. It also shows what the strategy tells
besides its best network.
"""

# %%
# A space and its data: pictures of bars that stand, lie, or lean to one of two sides,
# under noise, and a small network with two choices of layers and one of depth.
import logging
import tempfile
import warnings
from pathlib import Path

from nas_ctx.analysis import load_runs, reliability, verdict, write_report
from nas_ctx.search import GumbelSearch

import pytorch_lightning as pl
import torch
from nni.nas.evaluator.pytorch import Classification, DataLoader
from nni.nas.experiment import NasExperiment
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, Repeat
from nni.nas.strategy import DARTS
from torch import nn

logging.getLogger("nni").setLevel(logging.ERROR)
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
EPOCHS = 12
work = Path(tempfile.mkdtemp())


def pictures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    bars = torch.stack(
        [torch.eye(12), torch.eye(12).flip(0), torch.zeros(12, 12), torch.zeros(12, 12)]
    )
    bars[2, 6], bars[3, :, 6] = 1.0, 1.0
    labels = torch.randint(4, (count,), generator=generator)
    noise = torch.randn(count, 12, 12, generator=generator)
    return [(x[None], int(y)) for x, y in zip(bars[labels] + 0.8 * noise, labels)]


def convolution(size):
    layer = nn.Conv2d(8, 8, size, padding=size // 2)
    return nn.Sequential(layer, nn.BatchNorm2d(8), nn.ReLU())


class Bars(ModelSpace):
    def __init__(self):
        super().__init__()

        def candidates():
            return {
                "none": nn.Identity(),
                "3 x 3": convolution(3),
                "7 x 7": convolution(7),
                "pool": nn.AvgPool2d(3, 1, 1),
            }

        self.stem = nn.Conv2d(1, 8, 1)
        self.first = LayerChoice(candidates(), label="first")
        self.second = LayerChoice(candidates(), label="second")
        self.tail = Repeat(lambda _: convolution(3), (0, 2), label="depth")
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        features = self.tail(self.second(self.first(self.stem(x))))
        return self.head(features.amax((2, 3)))


def evaluator(**trainer):
    return Classification(
        num_classes=4,
        learning_rate=0.01,
        train_dataloaders=DataLoader(pictures(256, seed=1), batch_size=32),
        val_dataloaders=DataLoader(pictures(128, seed=2), batch_size=64),
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, **trainer},
    )


# %%
# Three seeds of each strategy
# ----------------------------
# Every search gets a new space, evaluator and strategy. ``history`` and ``genotype``
# write the files that a report reads; NNI's DARTS gives a dictionary, which a report takes
# as it is.
def search(strategy, seed, **trainer):
    pl.seed_everything(seed, verbose=False)
    experiment = NasExperiment(Bars(), evaluator(**trainer), strategy)
    experiment.run()
    [best] = experiment.export_top_models(formatter="dict")
    return experiment, best


from_darts = []
for seed in range(3):
    experiment, best = search(DARTS(arc_learning_rate=0.02), seed)
    from_darts.append(best)
    experiment.stop()

for seed in range(3):
    folder = work / f"seed-{seed}"
    strategy = GumbelSearch(arch_lr=0.1, seed=seed, history=folder / "history.csv")
    experiment, best = search(strategy, seed)
    strategy.genotype(seed=seed).save(folder / "genotype.json")
    if seed < 2:
        experiment.stop()

# %%
# Side by side
# ------------
# A report of each, and how often its runs made the same choice. Three runs over three
# blocks are few, so that the intervals are wide; the report says so.
from_gumbel = load_runs([work / f"seed-{seed}" for seed in range(3)])
candidates = {choice.label: choice.values for choice in strategy.choices}
for name, runs in {"NNI's DARTS": from_darts, "GumbelSearch": from_gumbel}.items():
    record = reliability(runs, candidates=candidates, title=name)
    write_report(record, work / "reports" / name)
    print(f"{name}: {dict(record.consensus)}", *verdict(record), sep="\n  ")

# %%
# What the last search tells
# --------------------------
# The probability of every candidate, and after how many steps it was decided. The same
# call answers while the search runs, for example in a callback.
for row in strategy.table():
    decided = f"decided after {row.decided_at} steps" if row.decided_at else ""
    print(f"{row.label:>7} {row.value!s:>6} {row.probability:5.2f} {decided}")

# %%
# The next best networks
# ----------------------
# A choice that is almost even says little; then train the most probable networks, each from
# new weights, and let the validation decide.
from nni.nas.space import model_context

for sample in experiment.export_top_models(top_k=3, formatter="dict"):
    pl.seed_everything(0, verbose=False)
    with model_context(sample):
        network = Bars()
    training = evaluator()
    training.evaluate(network)
    print(sample, f"accuracy {training.trainer.callback_metrics['val_acc']:.2f}")
experiment.stop()


# %%
# Export while it runs, and resume
# --------------------------------
# A callback saves the result so far after each epoch, and Lightning a checkpoint.
# ``resume`` continues from one, with the seed of that search, and ends as the uninterrupted
# one did where the data come in the same order: this loader does not shuffle. One that does
# needs a sampler whose order depends on the epoch alone.
class SaveResult(pl.Callback):
    def on_train_epoch_end(self, trainer, module):
        path = work / "so-far.json"
        strategy.genotype(epoch=trainer.current_epoch).save(path)


saver = pl.callbacks.ModelCheckpoint(work, "{epoch}", save_top_k=-1)
strategy = GumbelSearch(arch_lr=0.1, seed=2)
options = {"enable_checkpointing": True, "callbacks": [saver, SaveResult()]}
experiment, whole = search(strategy, 2, **options)
experiment.stop()

strategy = GumbelSearch(arch_lr=0.1, seed=2, resume=work / "epoch=0.ckpt")
experiment, resumed = search(strategy, 2)
experiment.stop()
assert resumed == whole == best

# %%
# Retrain the vote
# ----------------
# What the three searches of ``GumbelSearch`` voted for, from new weights. ``to_nni`` spells the
# choices as NNI's samples do, also those of a file: ``Genotype.load("report/consensus.json")``.
record = reliability(from_gumbel, candidates=candidates, ties="order")
with model_context(record.consensus.to_nni()):
    network = Bars()
training = evaluator()
training.evaluate(network)
print(
    dict(record.consensus),
    f"accuracy {training.trainer.callback_metrics['val_acc']:.2f}",
)
