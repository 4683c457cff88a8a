"""One search of your own space: a trial of `nas-ctx launch experiment.yaml`, or of nnictl."""

from nas_ctx.search import GumbelSearch, quiet

import nni
import pytorch_lightning as pl
import torch
from nni.nas.evaluator.pytorch import Classification, DataLoader
from nni.nas.experiment import NasExperiment
from nni.nas.nn.pytorch import InputChoice, LayerChoice, ModelSpace


class Space(ModelSpace):  # yours
    def __init__(self):
        super().__init__()
        layers = {"wide": torch.nn.Linear(8, 8), "skip": torch.nn.Identity()}
        self.layer = LayerChoice(layers, label="layer")
        self.pick = InputChoice(2, n_chosen=1, label="pick")
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.pick([x, self.layer(x).relu()]))


parameters = nni.get_next_parameter()
pl.seed_everything(parameters["seed"])
# The same data for every seed.
x = torch.randn(128, 8, generator=torch.Generator().manual_seed(0))
pairs = torch.utils.data.TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long())
data = DataLoader(pairs, batch_size=32)
evaluator = Classification(
    train_dataloaders=data,
    val_dataloaders=data,
    num_classes=2,
    max_epochs=2,
    accelerator="cpu",
    **quiet(),
)
strategy = GumbelSearch(arch_lr=0.05, seed=parameters["seed"])
experiment = NasExperiment(Space(), evaluator, strategy)
experiment.run()
experiment.stop()

genotype = strategy.genotype()
accuracy = float(evaluator.trainer.callback_metrics["val_acc"])
nni.report_final_result(
    {
        "default": accuracy,  # what NNI ranks trials by
        "genotype": genotype.to_nni(),
        "candidates": genotype.candidates,  # so that the report knows what could have been chosen
        "parameters": parameters,
    }
)
