"""
6. Several machines
===================

Searches with different seeds are independent, so they can run anywhere. NNI distributes
them: a manager hands out seeds, a trial is one command, and the experiment's record
receives everything that a report needs. This page runs three searches this way on one
machine, deletes their folders, and still makes the report. Then it shows the few lines
that run the same searches on other machines.
"""

# %%
# First the data, and the configuration of the search. Without an ``output``, the run
# folder of a trial is in the trial's own folder.
import tempfile
from pathlib import Path

from nas_ctx.data.rooms import write_rooms

import yaml

STEPS = 20

work = Path(tempfile.mkdtemp())
write_rooms(work / "data", train=16, val=4, size=(32, 48), seed=0)

code = work / "code"  # this folder is copied to where a trial runs; the data are not
code.mkdir()
search = {
    "data": {
        "root": str(work / "data"),
        "image_size": [32, 48],
        "batch_size": 4,
        "workers": 0,
    },
    "tasks": {"semseg": {"classes": 14}, "depth": {}},
    "model": {"backbone": "test_efficientnet", "pretrained": False},
    "training": {"steps": STEPS, "lr": 0.03, "threads": 1},
    "search": {"arch_lr": 0.1},
}
(code / "search.yaml").write_text(yaml.safe_dump(search))

# %%
# The experiment: a grid over seeds. The values of ``searchSpace`` override the
# configuration of the search, so a grid over ``training.lr`` is written the same way.
experiment_file = code / "experiment.yaml"
experiment_file.write_text("""
experimentName: three seeds
trialCodeDirectory: .
trialCommand: python -m nas_ctx.trial search search.yaml
searchSpace:
  seed: {_type: choice, _value: [0, 1, 2]}
tuner:
  name: GridSearch
  classArgs: {optimize_mode: minimize}
maxTrialNumber: 3
trialConcurrency: 2
trainingService:
  platform: local
""")

# %%
# ``nas-ctx launch experiment.yaml --home nni`` runs it; here we do so from Python. The
# manager listens on this machine only, and stops when the trials are done.
from nas_ctx.experiment.launch import run

experiment, trials = run(experiment_file, work / "nni")
trials.sort(key=lambda trial: trial.parameters["seed"])
for trial in trials:
    seed, loss = trial.parameters["seed"], trial.latest["default"]
    print(f"seed {seed}: {trial.status.lower()}, loss {loss:.3f}")

# %%
# Now delete the folders of the trials, as if they had been on machines that no longer
# exist. The record remains on the machine that launched the experiment: every trial has
# reported its choices as its result.
import shutil

for trial in trials:
    shutil.rmtree(trial.folder)

from nas_ctx.analysis import load_runs, reliability, verdict

record = reliability(load_runs([experiment.folder]), ties="order")
print("\n".join(verdict(record)))

# %%
# Searches this short hardly agree, and the report says so. Their choices:
import matplotlib.pyplot as plt

colours = {
    "none": "#d9dde2",
    "global": "#004f96",
    "local": "#f0a500",
    "t-label": "#008f6b",
    "s-label": "#cf78ab",
}
figure, axis = plt.subplots(figsize=(7, 1.9), layout="constrained")
for row, one in enumerate(record.runs):
    for column, block in enumerate(record.blocks):
        choice = one.genotype[block]
        axis.barh(row, 0.96, left=column, height=0.9, color=colours[choice])
        ink = "white" if choice in ("global", "t-label") else "black"
        axis.text(column + 0.48, row, choice, ha="center", va="center", color=ink)
axis.set_xticks([column + 0.48 for column in range(len(record.blocks))], record.blocks)
axis.set_yticks(
    range(len(record.runs)), [f"search {row + 1}" for row in range(len(record.runs))]
)
axis.invert_yaxis()
axis.tick_params(length=0)
axis.spines[:].set_visible(False)

# %%
# **Other machines.** Only the training service changes. NNI copies the code folder over
# SSH and starts the same command; the package must be installed there, and the data must
# be at the same path::
#
#     trainingService:
#       platform: remote
#       machineList:
#         - {host: one, user: me, sshKeyFile: ~/.ssh/id, pythonPath: /opt/nas_ctx/bin}
#         - {host: two, user: me, sshKeyFile: ~/.ssh/id, pythonPath: /opt/nas_ctx/bin}
#
# **A cluster with a queue** needs no manager: an array job is a grid over seeds, and
# folders on a shared file system replace the record::
#
#     sbatch experiments/cluster/search.sbatch search.yaml /shared/study
#
# The same command resumes a search that was stopped or killed, on any machine that sees
# its folder. :doc:`/cluster` describes requirements and access control, and
# :doc:`/fault-tolerance` what was tested.
