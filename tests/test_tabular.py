"""The table of trained networks: its space, its trainings at toy size, and how choices are judged."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import f

from experiments.tabular.compare import Judged, additive_effects, judge, random_search, variances, voted
from nas_ctx.analysis import Run
from search_spaces.tabular import BLOCKS, METRICS, Table, genotypes

PROJECT = Path(__file__).resolve().parents[1]


def written(path: Path, effect: dict[str, float], noise: float, seeds: int) -> Table:
    """A table in which a context adds its effect, in percent of every metric, wherever it stands."""
    generator = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*BLOCKS, "seed", *METRICS.values()])
        for genotype in genotypes():
            for seed in range(seeds):
                gain = sum(effect[name] for name in genotype) + noise * generator.standard_normal()
                writer.writerow([*genotype, seed, 0.7 * (1 - gain / 100), 22.0 * (1 - gain / 100)])
    return Table(path)


EFFECT = {"none": 0.0, "global": 1.0, "local": 2.0, "t-label": -1.0, "s-label": 0.5}


def test_a_score_is_delta_m_against_the_network_without_context(tmp_path: Path) -> None:
    table = written(tmp_path / "table.csv", EFFECT, noise=0.0, seeds=2)
    assert table.score(("none",) * 4) == pytest.approx(0.0, abs=1e-9)
    assert table.score({**dict.fromkeys(BLOCKS, "none"), "depth/normals": "s-label"}) == pytest.approx(0.5)
    assert table.score(("local",) * 4) == pytest.approx(8.0)


def test_choices_are_judged_by_the_trainings_of_other_networks(tmp_path: Path) -> None:
    judged = judge(written(tmp_path / "table.csv", EFFECT, noise=0.3, seeds=1))
    assert not judged.pairs
    assert judged.error == pytest.approx(0.3, rel=0.15)
    truth = {genotype: sum(EFFECT[name] for name in genotype) for genotype in genotypes()}
    reference = judged.true[("none",) * 4]
    errors = [judged.true[genotype] - reference - value for genotype, value in truth.items()]
    assert np.sqrt(np.mean(np.square(errors))) < 0.15  # a single training is off by 0.3
    assert judged.place(("local",) * 4) < 0.02
    assert judged.regret(("t-label",) * 4) == pytest.approx(12.0, abs=0.6)
    assert additive_effects(judged)["depth/depth"]["local"] == pytest.approx(2.0 - 0.5, abs=0.1)
    regrets = [
        np.mean([judged.regret(random_search(judged, trained, np.random.default_rng(s))) for s in range(50)])
        for trained in (2, 200)
    ]
    assert regrets[1] < regrets[0] / 2


def test_a_network_is_not_judged_by_its_own_training(tmp_path: Path) -> None:
    table = written(tmp_path / "table.csv", EFFECT, noise=0.3, seeds=1)
    before = judge(table).true
    lucky = ("global", "none", "t-label", "t-label")
    table.scores[lucky][0] = {task: value / 2 for task, value in table.scores[lucky][0].items()}
    after = Judged(table, pairs=False)
    assert after.seen[lucky] > 40
    assert after.true[lucky] == pytest.approx(before[lucky], abs=1e-9)


def test_pairs_of_blocks_count_where_they_predict_better(tmp_path: Path) -> None:
    table = written(tmp_path / "table.csv", EFFECT, noise=0.1, seeds=1)
    assert not judge(table).pairs
    for genotype, seeds in table.scores.items():
        if genotype[:2] == ("local", "local"):
            seeds[0] = {task: 1.02 * value for task, value in seeds[0].items()}
    assert judge(table).pairs


def test_deviations_of_networks_and_of_retrainings_are_told_apart(tmp_path: Path) -> None:
    between, within = variances(written(tmp_path / "table.csv", EFFECT, noise=0.5, seeds=4))
    own, other = ([EFFECT[name] for name in EFFECT if name in names] for names in ({*EFFECT} - {"s-label"}, {*EFFECT}))
    assert between == pytest.approx(np.sqrt(2 * np.var(own) + 2 * np.var(other)), rel=0.05)
    assert within == pytest.approx(0.5, rel=0.1)


def test_the_kept_table_has_all_networks_and_the_noise_of_some() -> None:
    table = Table(PROJECT / "experiments" / "tabular" / "table.csv.gz")
    assert set(table.scores) == set(genotypes())
    assert all(0 in seeds for seeds in table.scores.values())
    assert sum(len(seeds) > 1 for seeds in table.scores.values()) >= 20
    assert table.score(("none",) * len(BLOCKS)) == pytest.approx(0.0, abs=1e-9)
    spread = np.var([table.delta(genotype, 0) for genotype in genotypes()], ddof=1)
    freedom = sum(len(seeds) - 1 for seeds in table.scores.values())
    assert f.sf(spread / variances(table)[1] ** 2, 399, freedom) < 0.05, (
        "networks differ beyond the noise of a training"
    )


def test_a_vote_takes_the_most_of_each_block_and_breaks_ties_by_probability() -> None:
    found = [
        ("local", "s-label", "none", "none"),
        ("local", "none", "global", "none"),
        ("none", "none", "none", "local"),
    ]
    shares = {block: {"none": 0.3, "local": 0.4, "global": 0.2, "s-label": 0.1} for block in BLOCKS}
    runs = [
        Run(str(n), dict(zip(BLOCKS, g, strict=True)), settings={"probabilities": shares}) for n, g in enumerate(found)
    ]
    assert voted(runs) == ("local", "none", "none", "none")
    assert voted(runs[:2]) == ("local", "none", "none", "none")
    assert voted(runs[1:]) == ("local", "none", "none", "local")


def test_trainings_are_added_to_the_file_and_not_repeated(tmp_path: Path) -> None:
    data = [Path(sys.executable).parent / "nas-ctx", "data", "rooms", tmp_path / "data", "--size", "32", "48"]
    subprocess.run([*data, "--train", "4", "--val", "2"], check=True, capture_output=True)
    changes = [
        f"data.root={tmp_path / 'data'}",
        "training.steps=1",
        "model.weights=null",
        "model.pretrained=false",
        "data.image_size=[32,48]",
    ]
    command = [
        sys.executable, "experiments/tabular/train.py", "--out", tmp_path / "table.csv", "--every", "200",
        *(word for change in changes for word in ("--set", change)),
    ]  # fmt: skip
    first = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    rows = list(csv.DictReader((tmp_path / "table.csv").open(newline="")))
    assert len(rows) == 2
    assert all(float(row[metric]) > 0 for row in rows for metric in METRICS.values())
    more = subprocess.run([*command, "--seeds", "0", "1"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert more.stdout.count(", seed 1:") == 2
    assert ", seed 0:" not in more.stdout
    refused = subprocess.run(
        [*command, "--network", "s-label", "none", "none", "none"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "depth/depth: none, global, local, t-label" in refused.stderr
