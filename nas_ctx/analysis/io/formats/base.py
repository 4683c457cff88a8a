"""What an importer is: it recognises the files of one tool, and reads runs from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.plugins import Registry, subclass_of

Runs = tuple[list[Run], list[Note]]


@dataclass(frozen=True)
class ReadOptions:
    """How files are read, where the user says so; None and empty are for what an importer finds by itself.

    ``choices`` and ``scores`` are patterns of column names, as of a shell and separated by commas. ``columns`` says
    which columns of a long table are ``run``, ``block`` and ``choice``. ``step`` names one of the genotypes of a log,
    ``best`` ("max" or "min") keeps of each sweep the trial of the best score.
    """

    transposed: bool = False
    format: str | None = None
    choices: str | None = None
    scores: str | None = None
    columns: str | None = None
    step: int | None = None
    best: str | None = None


class Importer(ABC):
    """One format. A subclass has no state, and is registered by ``@FORMATS.register(name)``.

    Attributes:
        title: what is read, in a few words.
        source: where the format is described.
        free_names: whether any key or column can be a block, so that what cannot be one must be looked for.
    """

    title: ClassVar[str]
    source: ClassVar[str]
    free_names: ClassVar[bool] = False

    @abstractmethod
    def recognise(self, document: Document, options: ReadOptions) -> bool:
        """Whether ``document`` is of this format. It must not raise; what is damaged within is for :meth:`read`."""

    @abstractmethod
    def read(self, document: Document, options: ReadOptions) -> Runs:
        """Runs with blocks and choices, and where they are known candidates, scores and seed; and notes.

        Raises:
            InputError: damaged; the message begins with the name of the document.
        """


FORMATS: Registry[type[Importer]] = Registry("format", group="nas_ctx.formats", validator=subclass_of(Importer))
register_format = FORMATS.register

_PACKAGE = "nas_ctx.analysis.io.formats"
BUILT_IN = {
    "darts": f"{_PACKAGE}.darts:DartsGenotypes",
    "nasbench201": f"{_PACKAGE}.nasbench201:NasBench201Strings",
    "nni": f"{_PACKAGE}.nni:NNIExports",
    "optuna": f"{_PACKAGE}.sweeps:OptunaTables",
    "ray": f"{_PACKAGE}.sweeps:RayTables",
    "neps": f"{_PACKAGE}.sweeps:NePSTables",
    "wandb": f"{_PACKAGE}.sweeps:WandbTables",
    "keras-tuner": f"{_PACKAGE}.keras_tuner:KerasTunerTrials",
    "long": f"{_PACKAGE}.long:LongTables",
    "columns": f"{_PACKAGE}.sweeps:ColumnTables",
    "genotype": f"{_PACKAGE}.genotype:GenotypeFiles",
    "wide": f"{_PACKAGE}.wide:WideTables",
}
"""Name -> where it is, in the order in which they are asked: the more special first."""
for _name, _path in BUILT_IN.items():
    FORMATS.offer(_name, _path)


def importers() -> Iterator[tuple[str, Importer]]:
    """All importers by name: those of users first, then those of this package."""
    for name in [*(known for known in FORMATS.known() if known not in BUILT_IN), *BUILT_IN]:
        yield name, FORMATS[name]()
