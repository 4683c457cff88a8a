"""What each block could choose from, as the user says it, as the runs recorded it, or as their choices suggest it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas_ctx.analysis.cells import ABSENT, Edge
from nas_ctx.analysis.grid import grid_of
from nas_ctx.analysis.io.runs import Run
from nas_ctx.analysis.stats.labels import key_of, label_of
from nas_ctx.analysis.stats.ratings import Label
from nas_ctx.context_types import CONTEXT_NAMES, SAME_ON_DIAGONAL
from nas_ctx.errors import InputError, suggestion
from nas_ctx.files import read_json
from nas_ctx.genotype import Choice

Given = Mapping[str, Sequence[Choice]] | Sequence[Choice]
"""Candidates as a user gives them: of each block, or one list for all blocks."""

UNKNOWN = "nothing: they are not known"
ASSUMED = "the five relational contexts"
"""Where no run recorded its candidates, but all blocks form a grid and all choices are contexts."""


@dataclass(frozen=True)
class KnownCandidates:
    """The candidates of each block, and in words what says so; ``by_block`` is empty where they are not known."""

    by_block: Mapping[str, tuple[Label, ...]] = field(default_factory=dict)
    known_from: str = UNKNOWN

    def family(self, block: str) -> frozenset[Label]:
        """The keys of a block's candidates, those of a task with itself with the *s-label* that equals *t-label* there.

        A value of two blocks is one choice where their families are equal. So the diagonal of the paper's grid, which
        has no *s-label*, shares its choices with the other blocks.
        """
        keys = frozenset(map(key_of, self.by_block[block]))
        group = self.group(block)
        if group is not None:
            return keys | {("group", group)}
        target, slash, source = block.partition("/")
        return keys | {"s-label"} if slash and target == source and "t-label" in keys else keys

    def group(self, block: str) -> Hashable:
        """What keeps a block apart from others with the same candidates: for an edge that may be absent, its node.

        A node of DARTS takes two of its edges, so that one of five is absent more often than one of three: choices
        cannot be moved between them as if chance had made them so.
        """
        edge = Edge.of(block)
        return edge.node if edge is not None and ABSENT in self.by_block[block] else None


def candidates_of(runs: Sequence[Run], blocks: Sequence[str], given: Given | None = None) -> KnownCandidates:
    """As ``given``; else as the runs recorded them; else the paper's, where the choices are contexts of a grid.

    Raises:
        InputError: candidates that are given for other blocks, or a choice that is none of its block's candidates.
    """
    if given is not None:
        known = KnownCandidates(_as_given(given, blocks), "what was given")
    else:
        known = _recorded(runs, blocks) or _paper(runs, blocks) or KnownCandidates()
    keys = {block: frozenset(map(key_of, values)) for block, values in known.by_block.items()}
    for run in runs if known.by_block else ():
        for block, choice in run.genotype.items():
            if key_of(label_of(choice)) not in keys[block]:
                listed = ", ".join(map(repr, known.by_block[block]))
                raise InputError(
                    f"run {run.name}: block {block!r} holds {choice!r}, which is none of its candidates ({listed}), "
                    f"known from {known.known_from}"
                )
    return known


def read_candidates(path: Path) -> Given:
    """Candidates from a JSON file: a list for all blocks, ``{block: list}``, or NNI's search space.

    In the search space of an NNI experiment a block is ``{"_type": "choice", "_value": list}``.
    """
    content = read_json(path)
    if isinstance(content, list):
        return _listed(content, f"{path}")
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: expected a list of candidates, or an object of blocks and lists of candidates")
    by_block = {}
    for block, values in content.items():
        if isinstance(values, dict):
            if values.get("_type") != "choice":
                raise InputError(f"{path}: block {block!r}: expected the _type 'choice', got {values.get('_type')!r}")
            values = values.get("_value")
        by_block[block] = _listed(values, f"{path}: block {block!r}")
    return by_block


def _listed(values: object, where: str) -> list[Choice]:
    if not isinstance(values, list) or not values:
        raise InputError(f"{where}: expected a list of candidates, got {values!r}")
    for value in values:
        items = value if isinstance(value, list) else [value]
        if not all(item is None or isinstance(item, str | int | float) for item in items):
            raise InputError(f"{where}: a candidate is a word, a number or a list of them, got {value!r}")
    return [tuple(value) if isinstance(value, list) else value for value in values]


def _as_given(given: Given, blocks: Sequence[str]) -> dict[str, tuple[Label, ...]]:
    if not isinstance(given, Mapping):
        return dict.fromkeys(blocks, _labels(given))
    known = set(blocks)
    for block in given:
        if block not in known:
            raise InputError(f"candidates: no run has a block {block!r}{suggestion(block, blocks)}")
    for block in blocks:
        if block not in given:
            raise InputError(
                f"candidates: block {block!r} is missing; those of every block are needed. "
                "If it is no choice, name those that are with --choices"
            )
    return {block: _labels(given[block]) for block in blocks}


def _labels(values: Iterable[Choice]) -> tuple[Label, ...]:
    """Each value once, in order."""
    return tuple({key_of(label): label for label in map(label_of, values)}.values())


def _recorded(runs: Sequence[Run], blocks: Sequence[str]) -> KnownCandidates | None:
    """What the runs recorded: the candidates of a block are all that any run had. None unless every block has some."""
    by_block: dict[str, tuple[Label, ...]] = {}
    sources: dict[str, None] = {}
    for block in blocks:
        values: list[Any] = []
        for run in runs:
            own = run.candidates(block)
            if own is not None:
                values += own[0]
                sources[own[1]] = None
        if not values:
            return None
        by_block[block] = _labels(values)
    return KnownCandidates(by_block, " and ".join(sources))


def _paper(runs: Sequence[Run], blocks: Sequence[str]) -> KnownCandidates | None:
    """The five contexts, without *s-label* on the diagonal, if all choices are contexts and all blocks form a grid."""
    if grid_of(blocks) is None or not {v for run in runs for v in run.genotype.values()} <= set(CONTEXT_NAMES):
        return None
    return KnownCandidates({block: _contexts(block) for block in blocks}, ASSUMED)


def _contexts(block: str) -> tuple[str, ...]:
    target, _, source = block.partition("/")
    return tuple(name for name in CONTEXT_NAMES if name not in SAME_ON_DIAGONAL or target != source)
