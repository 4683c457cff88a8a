"""Every reader of files either returns or says in one line what is wrong: nothing else, whatever the file is.

Each case is drawn by a grammar of the format (:mod:`tests.fuzz.formats`) from its own seed, so that one that fails can
be run alone. The seed is 0; of the long runs it is ``NAS_CTX_SEED``, or else the clock, and printed.
"""

from __future__ import annotations

import os
import shutil
import time
import traceback
from pathlib import Path

import pytest

from nas_ctx.errors import InputError
from tests.fuzz.formats import FORMATS
from tests.fuzz.maker import Maker
from tests.runs.test_fuzz import within

LONG_SEED = int(os.environ.get("NAS_CTX_SEED") or time.time())


@pytest.mark.parametrize(
    ("cases", "seed"), [(20, 0), pytest.param(550, LONG_SEED, marks=pytest.mark.long)], ids=["few", "many"]
)
@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_returns_or_refuses(name: str, cases: int, seed: int, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    taken, refused, fell = 0, 0, list[str]()
    for number in range(cases):
        folder = tmp_path / "case"
        folder.mkdir()
        path = write(Maker(f"{name} {seed} {number}"), folder)
        try:
            with within(20):
                read(path)
            taken += 1
        except InputError:
            refused += 1
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            fell.append(f"case {number}: {type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})")
        shutil.rmtree(folder)
    print(f"{name}: seed {seed}, {cases} cases, {taken} taken, {refused} refused, {len(fell)} fell")
    assert not fell, "\n".join(fell[:20])
    assert taken
    assert refused or cases < 100
