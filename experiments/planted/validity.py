"""Are the verdicts of `nas-ctx validity` right? In planted worlds, where the effect of every block is known.

    python experiments/planted/validity.py simulate
    python experiments/planted/validity.py search --worlds 20
    python experiments/planted/validity.py tables

`simulate` draws scores of five searches directly: thousands of blocks, for the rates of wrong verdicts and the power.
`search` searches worlds and exchanges their candidates, each world kept in a file below --work, so that a further call
goes on; `tables` reads these files. True effects in searched worlds come from the documentation's table of soundness.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from nas_ctx.analysis.validity import RunExchange, Scores, exchange_effects
from nas_ctx.analysis.validity.verdicts import BlockVerdict, Verdict, does_matter, verdicts

NEGLIGIBLE = 1.0
UNEXPLAINED = {
    "none": {"none": 0.0, "global": 0.0, "local": 0.0, "t-label": 0.0, "s-label": 0.0},
    "global": {"none": 1.0, "global": 0.005, "local": 0.725, "t-label": 0.420, "s-label": 0.413},
    "local": {"none": 1.0, "global": 0.719, "local": 0.001, "t-label": 0.821, "s-label": 0.824},
    "t-label": {"none": 1.0, "global": 0.138, "local": 0.712, "t-label": 0.005, "s-label": 0.840},
    "s-label": {"none": 1.0, "global": 0.364, "local": 0.762, "t-label": 0.866, "s-label": 0.018},
}
"""Planted type -> candidate -> the share of the block's contribution that it leaves (docs/planted-worlds.md)."""


def simulated(
    rng: np.random.Generator, effect: float, runs: int, images: int, spread: tuple[float, float]
) -> bool | None:
    """The answer to "does it matter?" of a block whose four other candidates cost ``effect`` percent each.

    Runs differ by a deviation of ``spread[0]`` percent and a fifth of the effect; an image, by ``spread[1]`` percent.
    """
    of_runs = effect * (1 + 0.2 * rng.normal(size=(runs, 4))) + spread[0] * rng.normal(size=(runs, 4))
    of_images = spread[1] * (rng.normal(size=(images, 4)) + 0.5 * rng.normal(size=(runs, images, 4)))
    exchanged = []
    for run in range(runs):
        names = {"voted": Scores.of_mean(np.ones(images))}
        costs = 1 + (of_runs[run] + of_images[run]) / 100
        names |= {f"other {number}": Scores.of_mean(costs[:, number]) for number in range(4)}
        exchanged.append(RunExchange(str(run), {"a/b": "voted"}, {"a/b": False}, {"a/b": names}))
    return does_matter(exchange_effects(exchanged)["a/b"], NEGLIGIBLE)


def simulate(blocks: int) -> None:
    """The table of rates over effects."""
    print("| searches | effect | matters | does not matter | cannot tell |\n" + "| --- " * 5 + "|")
    for runs in (3, 5, 10):
        for effect in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0):
            rng = np.random.default_rng(0)
            told = Counter(simulated(rng, effect, runs, 40, (0.2, 1.0)) for _ in range(blocks))
            cells = " | ".join(f"{100 * told[answer] / blocks:.1f} %" for answer in (True, False, None))
            print(f"| {runs} | {effect:g} % | {cells} |", flush=True)


def read(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """("null" or "mixed", world) of every file."""
    for path in sorted(folder.glob("*-*.json")):
        yield path.stem.split("-")[0], json.loads(path.read_text(encoding="utf-8"))


def judged(world: Mapping[str, Any], steps: str) -> Iterator[dict[str, Any]]:
    """Each block of a world: its verdict, its truth, and what vote and perturbation chose."""
    voted = world["voted"]
    exchanged = [
        RunExchange(str(number), voted, dict.fromkeys(voted, False), {
            block: {name: Scores.of_mean(np.array(errors)) for name, errors in of.items()}
            for block, of in run.items()
        })
        for number, run in enumerate(world["errors"][steps])
    ]  # fmt: skip
    counts = {
        block: (sum(run[block] == name for run in world["genotypes"]), len(exchanged)) for block, name in voted.items()
    }
    for verdict in verdicts(exchanged, counts, {}, NEGLIGIBLE):
        block, planted = verdict.block, world["planted"][verdict.block]
        strength = world["strengths"].get(block, 0.0 if planted == "none" else 1.0)
        yield {
            "verdict": verdict, "strength": strength, "planted": planted,
            "true": _true(world, block), "worst": _true_costs(world, block),
        }  # fmt: skip


def _true(world: Mapping[str, Any], block: str) -> bool:
    """Whether some exchange truly changes the squared error by more than is negligible."""
    return any(abs(cost) > NEGLIGIBLE for cost in _true_costs(world, block).values())


def _true_costs(world: Mapping[str, Any], block: str) -> dict[str, float]:
    """Candidate -> true cost in percent of the target's error at the vote, whose noise has variance 1."""

    def left(of: str, candidate: str) -> float:
        return float(world["strengths"].get(of, 0.0) ** 2 * UNEXPLAINED[world["planted"][of]][candidate])

    target = block.split("/")[0]
    error = 1.0 + sum(left(of, name) for of, name in world["voted"].items() if of.startswith(f"{target}/"))
    before = left(block, world["voted"][block])
    offered = world["errors"]["0"][0][block]
    return {name: 100 * (left(block, name) - before) / error for name in offered if name != world["voted"][block]}


def tables(folder: Path) -> None:
    """What the searched worlds say: rates of "matters", shares of right verdicts, the vote against perturbation."""
    worlds = list(read(folder))
    steps = [str(number) for number in sorted(map(int, worlds[0][1]["errors"]))]
    print(
        "| worlds | steps of adaptation | true cost of the worst exchange | blocks | matters | does not | cannot tell |"
    )
    print("| --- " * 7 + "|")
    for kind in ("null", "mixed"):
        for number in steps:
            blocks = [block for name, world in worlds if name == kind for block in judged(world, number)]
            for words, low, high in (("0", -1, 1e-9), ("to 1 %", 1e-9, 1), ("1 to 5 %", 1, 5), ("over 5 %", 5, 1e9)):
                chosen = [of for of in blocks if low < max(map(abs, of["worst"].values())) <= high]
                if chosen:
                    cells = " | ".join(
                        _rate([of["verdict"].matters is answer for of in chosen]) for answer in (True, False, None)
                    )
                    print(f"| {kind} | {number} | {words} | {len(chosen)} | {cells} |")
    blocks = [block for _, world in worlds for block in judged(world, steps[-1])]
    told = [of for of in blocks if of["verdict"].verdict is not Verdict.CANNOT_TELL]
    print("\nright, of the verdicts that say something:", _rate([of["verdict"].matters == of["true"] for of in told]))
    print("verdicts:", dict(Counter(of["verdict"].verdict.value for of in blocks)))
    print("\n| planted | blocks | the vote finds it | perturbation | best score |\n" + "| --- " * 5 + "|")
    for strength in sorted({of["strength"] for of in blocks}):
        chosen = [of for of in blocks if of["strength"] == strength]
        found = [(of["verdict"].voted, of["verdict"].best, _best_score(of["verdict"])) for of in chosen]
        right = [[name == of["planted"] for name in names] for names, of in zip(found, chosen, strict=True)]
        cells = " | ".join(_rate(answers) for answers in zip(*right, strict=True))
        print(f"| {strength:g} | {len(chosen)} | {cells} |")


def _best_score(verdict: BlockVerdict) -> str:
    """The candidate with the best score, whether or not that can be told from the voted one's."""
    nearest = min(verdict.effects, key=lambda name: verdict.effects[name].mean)
    return nearest if verdict.effects[nearest].mean < 0 else verdict.voted


def _rate(answers: Sequence[bool]) -> str:
    """A share with Wilson's interval."""
    if not answers:
        return "–"
    interval = binomtest(sum(answers), len(answers)).proportion_ci(method="wilson")
    return f"{sum(answers)} of {len(answers)} ({interval.low:.2f} to {interval.high:.2f})"


def search(folder: Path, worlds: int, runs: int) -> None:
    """Search and measure worlds that have no file yet, null and mixed ones in turn."""
    import torch
    from exchanging import measured

    torch.set_num_threads(1)
    for seed in range(100, 100 + worlds):
        for null in (False, True):
            measured(seed, null, runs, folder)
            print(f"{'null' if null else 'mixed'} world {seed}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["simulate", "search", "tables"])
    parser.add_argument("--work", type=Path, default=Path("work/planted/validity"))
    parser.add_argument("--worlds", type=int, default=20, help="of each kind")
    parser.add_argument("--runs", type=int, default=5, help="searches of a world")
    parser.add_argument("--blocks", type=int, default=1000, help="simulated blocks of each row")
    options = parser.parse_args()
    if options.what == "simulate":
        simulate(options.blocks)
    elif options.what == "search":
        search(options.work, options.worlds, options.runs)
    else:
        tables(options.work)


if __name__ == "__main__":
    main()
