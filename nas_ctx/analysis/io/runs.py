"""Runs: one search with one seed each, read from whatever holds them.

A run is its choices, and where a folder has them its history, its metrics and its settings. What could not be used
is named in the notes of the set; nothing is merged or left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.genotype import Choice

DIFFER = "settings differ"
"""The kind of a note that says that runs are not repetitions of one search; a report has it at its top."""
COPY = "the same run twice"
"""The kind of a note that says that runs are copies of one another, or may be; a report has it at its top."""
TRIALS = "trials"
"""The kind of a note that says that runs are trials of one sweep; a report has it at its top."""
# What the search found or could find, or has a note of its own: no facts about how it was run.
_RESULTS = {"decided_at", "probabilities", "candidates", "configuration"}


@dataclass(frozen=True)
class Run:
    """One search: ``genotype`` maps blocks to choices, ``source`` says where it was read, the rest is what came along.

    ``metrics`` are numbers by name; ``settings`` is what else is known, such as seed, versions, and of our own searches
    ``candidates`` (block -> choices), ``search_space`` (the same, from NNI), ``decided_at`` (block -> step),
    ``probabilities`` (block -> choice -> final probability) and ``inactive`` (blocks within a candidate not taken).
    """

    name: str
    genotype: Mapping[str, Choice]
    source: str = ""
    history: SearchHistory | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""  # of the run, where it was read from one
    inactive: Mapping[str, Choice] = field(default_factory=dict)  # choices without effect, left out of the genotype
    digest: str = ""  # of the file that holds its choices, where it has one of its own
    form: str = ""  # in which its choices were written, where they can be written so again
    free_names: bool = False  # whether any key or column of its file could be a block
    own_name: bool = False  # whether its file names it, and not the file's own name
    candidates_from: str = "the genotypes"  # what says so, where the settings have candidates

    def called(self, name: str) -> Run:
        """This run under the name that its file gives it."""
        return replace(self, name=name, own_name=True)

    def candidates(self, block: str) -> tuple[list[Any], str] | None:
        """What ``block`` could choose from, and in words what says so."""
        written = self.settings.get("candidates")
        values = written.get(block) if isinstance(written, Mapping) else None
        if isinstance(values, list | tuple) and values:
            return list(values), self.candidates_from
        choice = self.genotype.get(block)
        space = self.settings.get("search_space")
        if isinstance(space, Mapping) and block in space:
            return list(space[block]), "the search space of the experiment"
        words: Sequence[str] = () if self.history is None else self.history.choices.get(block, ())
        if words:  # a history has text only; the chosen value is known in its own form
            return [choice if str(choice) == word else word for word in words], "the histories"
        configuration = self.settings.get("configuration") or {}
        contexts, target_source = configuration.get("model.contexts"), block.split("/")
        if contexts and len(target_source) == 2 and configuration.get("model.space", "relational") == "relational":
            itself = target_source[0] == target_source[1]
            return [name for name in contexts if not (itself and name == "s-label")], "the configurations"
        return None

    def decided_at(self, block: str) -> int | None:
        """The step at which ``block`` was decided: as the search wrote it down, else as its history shows it."""
        written = self.settings.get("decided_at")
        if isinstance(written, Mapping):
            step = written.get(block)
            return step if isinstance(step, int) else None
        return None if self.history is None else self.history.decided_at(block)

    def final_probabilities(self, block: str) -> dict[str, float] | None:
        """Choice, as text -> its probability at the end of the search; None where the run carries none."""
        if self.history is not None and block in self.history.choices:
            return dict(zip(self.history.choices[block], self.history.probabilities[block][-1].tolist(), strict=True))
        written = self.settings.get("probabilities")
        shares = written.get(block) if isinstance(written, Mapping) else None
        if isinstance(shares, Mapping) and all(isinstance(share, int | float) for share in shares.values()):
            return {str(choice): float(share) for choice, share in shares.items()}
        return None

    def facts(self) -> dict[str, str | int | float | bool]:
        """The plain facts among the settings, inner ones by dotted key; what was found by the search is none.

        >>> Run("a", {}, settings={"seed": 1, "versions": {"torch": "2.4"}, "decided_at": {"x": 3}}).facts()
        {'seed': 1, 'versions.torch': '2.4'}
        """
        facts: dict[str, str | int | float | bool] = {}
        for key, value in self.settings.items():
            inner = value if isinstance(value, Mapping) and key not in _RESULTS else {}
            for name, fact in ((key, value), *((f"{key}.{name}", fact) for name, fact in inner.items())):
                if isinstance(fact, str | int | float | bool):
                    facts[name] = fact
        return facts


@dataclass(frozen=True)
class Note:
    """Something the reader of a report must know about its input: ``kind`` is a word or two, ``text`` a sentence."""

    kind: str
    text: str


@dataclass(frozen=True)
class RunSet(Sequence[Run]):
    """Runs in order, with notes on what was left out or looks doubtful."""

    runs: tuple[Run, ...]
    notes: tuple[Note, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | Sequence[Run]:
        return self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)
