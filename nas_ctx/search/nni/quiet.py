"""One call that keeps NNI and Lightning from talking about themselves, and NNI's files out of the home folder."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import logging
import os
import shutil
import tempfile
import warnings
from typing import Any

import nni.nas.experiment.experiment as nas_experiment
from nni.experiment.config import ExperimentConfig
from nni.tools.nnictl.config_utils import Experiments

TALKATIVE = ("nni", "pytorch_lightning", "lightning.pytorch", "lightning.fabric")


def quiet(experiments: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Leave out the messages, progress bars and summaries of NNI and Lightning; errors stay.

    Applies to the whole process. What NNI keeps of experiments made from now on goes into the folder ``experiments``
    instead of ``~/nni-experiments``; by default into a temporary one, which is removed when the process ends.

    Returns:
        Arguments of Lightning's trainer, and so of NNI's evaluators: no logger, no progress bar, no summary of the
        model, no checkpoints.

    >>> quiet()["enable_progress_bar"]
    False
    """
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    for module in ("pytorch_lightning", "lightning"):
        warnings.filterwarnings("ignore", module=module)
    if experiments is None:
        experiments = tempfile.mkdtemp(prefix="nni-experiments-")
        atexit.register(shutil.rmtree, experiments, ignore_errors=True)
    folder = os.path.abspath(experiments)
    os.makedirs(folder, exist_ok=True)
    for field in dataclasses.fields(ExperimentConfig):  # the classes derived from it have the same one
        if field.name == "experiment_working_directory":
            field.default = folder
    nas_experiment.Experiments = functools.partial(Experiments, folder)
    return {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
