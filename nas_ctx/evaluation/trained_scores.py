"""Trainings of one set-up with different genotypes, as the analysis of retraining takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nas_ctx.analysis.validity import TrainedScore
from nas_ctx.errors import InputError
from nas_ctx.evaluation.measures import measures
from nas_ctx.evaluation.results import Result, read_results
from nas_ctx.genotype import Genotype
from nas_ctx.runs.folder import RunFolder


def read_trained(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[TrainedScore], list[str]]:
    """The finished trainings with blocks in run folders, or below other folders; and notes on what was left out.

    ``model.blocks: random`` marks a genotype as drawn at random.

    Raises:
        InputError: no finished training with blocks, or two that differ in more than seed and genotype.
    """
    results, notes = read_results(paths)
    with_blocks = [result for result in results if RunFolder(result.folder).genotype.exists()]
    notes += [f"{result.folder}: has no blocks, left out" for result in results if result not in with_blocks]
    if not with_blocks:
        raise InputError(f"{results[0].folder}: has no blocks, expected trainings of genotypes")
    first, settings = with_blocks[0], _settings(with_blocks[0])
    for result in with_blocks[1:]:
        other = _settings(result)
        different = sorted(key for key in {*settings, *other} if settings.get(key) != other.get(key))
        if different:
            raise InputError(
                f"{result.folder} and {first.folder}: differ in {', '.join(different)}; expected trainings that "
                "differ in seed and genotype only"
            )
    return [_score(result) for result in with_blocks], notes


def _settings(result: Result) -> dict[str, object]:
    return {key: value for key, value in result.identity().items() if key != "model.blocks"}


def _score(result: Result) -> TrainedScore:
    by_task = measures(result.config, result.folder)
    choices = Genotype.load(RunFolder(result.folder).genotype)
    return TrainedScore(
        str(result.folder),
        {block: str(choice) for block, choice in choices.items()},
        {task: result.scores[f"{task}/{measure.metric_name}"] for task, measure in by_task.items()},
        {task: 1.0 if measure.higher_is_better else -1.0 for task, measure in by_task.items()},
        random=result.config.model.blocks == "random",
    )
