"""Writes the files beside it with the tools that users have them from: `python tests/analysis/formats/make_files.py`.

It needs `pip install optuna "ray[tune]" neural-pipeline-search keras keras-tuner six` beside what the tests need; made
with Optuna 5.0.0, Ray 2.60.0, NePS 0.17.0 and Keras Tuner 1.4.8. Nothing but choices, scores and columns is of
interest, so what a machine has of its own (host names, paths) is replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from unittest.mock import MagicMock

FILES = Path(__file__).parent / "files"


def optuna_files() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: optuna.Trial) -> float:
        operation = trial.suggest_categorical("op", ["conv3", "conv5", "skip"])
        width = trial.suggest_int("width", 16, 64, step=16)
        rate = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        trial.set_user_attr("user", "ada")
        trial.set_user_attr("seed", 3)
        if trial.number == 2:
            raise optuna.TrialPruned
        if trial.number == 3:
            raise RuntimeError("out of memory")
        return len(operation) * width * rate

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    study.optimize(objective, n_trials=6, catch=(RuntimeError,))
    study.trials_dataframe().to_csv(FILES / "optuna.csv")
    study.trials_dataframe(multi_index=True).to_csv(FILES / "optuna_multi_index.csv")


def ray_file() -> None:
    import ray
    from ray import tune

    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)

    def train(config: dict) -> None:
        tune.report({"loss": config["width"] * (1 if config["op"] == "conv" else 2)})

    space = {
        "op": tune.grid_search(["conv", "skip"]),
        "width": tune.grid_search([16, 32]),
        "seed": 1,
        "optimiser": {"lr": tune.uniform(0, 1)},
    }
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(train, param_space=space, run_config=tune.RunConfig(storage_path=folder, verbose=0)).fit()
        table = results.get_dataframe()
    ray.shutdown()
    table = table.assign(hostname="host", node_ip="192.0.2.1")
    table.to_csv(FILES / "ray.csv")


def neps_file() -> None:
    import neps

    class Space(neps.PipelineSpace):
        op = neps.Categorical(choices=("conv", "skip"))
        width = neps.Integer(lower=1, upper=4)
        lr = neps.Float(lower=1e-4, upper=1e-1, log=True)

    def evaluate(op: str, width: int, lr: float) -> dict:
        return {"objective_to_minimize": width * lr, "info_dict": {"accuracy": 0.5}}

    with tempfile.TemporaryDirectory() as parent:
        folder = f"{parent}/search"
        neps.run(evaluate, Space(), root_directory=folder, worker_evaluations_to_spend=4, optimizer="random_search")
        text = (Path(folder) / "summary" / "full.csv").read_text()
        (FILES / "neps" / "summary").mkdir(parents=True, exist_ok=True)
        (FILES / "neps" / "summary" / "full.csv").write_text(text.replace(folder, "neps"))


def keras_tuner_files() -> None:
    """The oracle needs no network; Keras Tuner imports TensorFlow, which a stand-in is enough for here."""
    os.environ["KERAS_BACKEND"] = "torch"
    for name in ("tensorflow", "tensorflow.keras"):
        sys.modules[name] = MagicMock(__path__=[], __spec__=MagicMock(), __version__="2.99")
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Choice("op", ["conv3", "conv5", "skip"])
    space.Int("units", 16, 64, step=16)
    space.Boolean("bn")
    objective = keras_tuner.Objective("val_accuracy", "max")
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=objective, max_trials=3, max_consecutive_failed_trials=9, hyperparameters=space, seed=3
    )
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "project")
        for number in range(3):
            trial = oracle.create_trial("tuner0")
            oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5 + 0.125 * number})
            trial = oracle.get_trial(trial.trial_id)
            trial.status, trial.message = ("FAILED", "out of memory") if number == 2 else ("COMPLETED", None)
            oracle.end_trial(trial)
        for path in Path(folder, "project").glob("trial_*/trial.json"):
            target = FILES / "keras_tuner" / path.parent.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    for make in (optuna_files, ray_file, neps_file, keras_tuner_files):
        if len(sys.argv) < 2 or re.match(sys.argv[1], make.__name__):
            make()
