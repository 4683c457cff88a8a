"""A genotype in words: what a terminal prints and a figure draws."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nas_ctx.analysis.choice_table import natural
from nas_ctx.analysis.report.palette import colours
from nas_ctx.analysis.stats.labels import word_of
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.escaping import visible
from nas_ctx.genotype import Genotype


@dataclass(frozen=True)
class GenotypeWords:
    """A genotype in words and colours, which are those of the reports.

    Attributes:
        texts: block -> its choice.
        notes: block -> the final probability of its choice, where the genotype records it.
        fills: choice -> its colour, like "#004f96".
    """

    texts: dict[str, str]
    notes: dict[str, str]
    fills: dict[str, str]

    @classmethod
    def of(cls, genotype: Genotype) -> GenotypeWords:
        """The words of a genotype.

        >>> GenotypeWords.of(Genotype({"a/a": "local", "a/b": "none"})).fills
        {'none': '#d9dde2', 'local': '#f0a500'}
        """
        written = {block: word_of(choice) for block, choice in genotype.items()}
        texts = {visible(block): visible(text) for block, text in written.items()}
        known = [name for name in CONTEXT_NAMES if name in texts.values()]
        names = known + sorted(set(texts.values()) - set(known), key=natural)
        probabilities = genotype.meta.get("probabilities")
        notes = {}
        for block, text in written.items():
            share = probabilities.get(block, {}).get(text) if isinstance(probabilities, dict) else None
            if isinstance(share, (int, float)):
                notes[visible(block)] = f"{100 * share:.0f} %"
        return cls(texts, notes, dict(zip(names, colours(names), strict=True)))

    @property
    def summary(self) -> str:
        """How often each choice was made, the most frequent first."""
        return ", ".join(f"{text}: {count}" for text, count in Counter(self.texts.values()).most_common())
