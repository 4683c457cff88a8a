"""The grammars: for each reader, how to write a file of its format into a folder, and how to read it again."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
import yaml
from PIL import Image

from nas_ctx.analysis import load_runs
from nas_ctx.analysis.candidates import read_candidates
from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.config import load_config
from nas_ctx.data.reading import read_array, read_grey, read_image, read_lines, read_mat
from nas_ctx.data.rooms.layouts import LAYOUTS
from nas_ctx.data.rooms.writing import VERSION, write_rooms
from nas_ctx.errors import InputError
from nas_ctx.evaluation.contrasts import read_contrasts
from nas_ctx.evaluation.quoted import read_quoted
from nas_ctx.evaluation.scores import read_scores
from nas_ctx.genotype import Genotype
from nas_ctx.models.weights import read_weights
from nas_ctx.runs.checkpoints import newest_whole
from nas_ctx.runs.digest import KEY, digest
from nas_ctx.runs.folder import RunFolder
from nas_ctx.search import Choice, Choices, HistoryWriter
from nas_ctx.tasks.coding import load_codebook
from tests.fuzz.maker import Maker
from tests.rooms import tiny

Format = tuple[Callable[[Maker, Path], Path], Callable[[Path], object]]
BLOCKS = ("a/a", "a/b", "b/a", "b/b")
CHOICES = ("none", "global", "local", "t-label", "s-label")


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def configuration(make: Maker, folder: Path) -> Path:
    content: Any = {}
    for key, value in tiny(folder, folder / "out").items():
        content[make.word(key)] = make.object(**value) if isinstance(value, dict) else make.value(value)
    text = yaml.safe_dump(content, allow_unicode=True, default_flow_style=make.choice([None, False, True]))
    if make.odd():
        text += make.choice(
            ["seed: 010\n", "seed: &a [*a]\n", "<<: {seed: 1}\n", "extends: c.yaml\n", "seed: !!int ''\n"]
        )
    if make.odd():
        text = text.replace(": ", f": {make.choice(['', '!!str ', '!!float ', '&x ', '*x ', '| ', '? '])}", 3)
    return put(folder / "c.yaml", make.damaged(text.encode()))


def genotype_content(make: Maker) -> Any:
    choices = {make.word(block): make.value(make.choice(CHOICES)) for block in BLOCKS}
    meta = make.object(
        seed=1, steps=10, decided_at=make.object(**{"a/a": 3}), candidates=make.object(**{"a/a": list(CHOICES)})
    )
    return make.choice([choices, make.object(format="nas_ctx.genotype/1", choices=choices, meta=meta)])


def genotype(make: Maker, folder: Path) -> Path:
    return put(folder / "g.json", make.json(genotype_content(make)))


def genotypes(make: Maker, folder: Path) -> Path:
    return put(folder / "runs.json", make.json([genotype_content(make) for _ in range(make.randrange(1, 4))]))


def history(make: Maker, folder: Path) -> Path:
    names = [f"{make.word(block)}={make.word(choice)}" for block in ("a/a", "b") for choice in ("x", "y")]
    rows = [[make.word(name) for name in ("step", "temperature", "entropy_weight", "mean_entropy")] + names]
    for step in range(make.randrange(6)):
        rows.append([make.choice([str(step + 1)] * 9 + [make.whole()]), *(make.number() for _ in rows[0][1:])])
    return put(folder / "history.csv", make.table(rows))


def resumed_history(path: Path) -> None:
    writer = HistoryWriter(path, Choices({label: Choice(label, ["x", "y"]) for label in ("a/a", "b")}, seed=1))
    writer.open(4)
    writer.close()


def run_table(make: Maker, folder: Path) -> Path:
    head = [make.word("block"), *(make.word(f"run {run}") for run in range(make.randrange(1, 5)))]
    rows = [[make.word(block), *(make.word(*CHOICES) for _ in head[1:])] for block in BLOCKS]
    if make.random() < 0.3:  # a row per choice
        head = [make.word(name) for name in ("run", "block", "choice")]
        rows = [[make.word("r1", "r2"), make.word(*BLOCKS), make.word(*CHOICES)] for _ in range(9)]
    return put(folder / "t.csv", make.table([head, *rows], make.choice([",", ",", ";", "\t"])))


def candidates(make: Maker, folder: Path) -> Path:
    whole = [make.value(choice) for choice in CHOICES]
    each = {make.word(block): make.value(make.object(_type="choice", _value=whole)) for block in BLOCKS}
    return put(folder / "space.json", make.json(make.choice([whole, each, dict.fromkeys(BLOCKS, whole)])))


def experiment(make: Maker, folder: Path) -> Path:
    """NNI's record, whose columns take values of any kind."""
    path = folder / "abcd1234" / "db" / "nni.sqlite"
    path.parent.mkdir(parents=True)
    odd = [None, b"\xff\x00", 5, float("inf"), "", "[" * 5000, "\x00", "../..", "x" * 5000]

    def cell(usual: Any) -> Any:
        return make.choice(odd) if make.odd() else usual

    connection = sqlite3.connect(path)
    events = "timestamp integer, trialJobId text, event text, data text, logPath text, sequenceId integer, message text"
    connection.execute(f"create table TrialJobEvent ({events if not make.odd() else 'timestamp, trialJobId'})")
    connection.execute(
        "create table MetricData (timestamp integer, trialJobId text, parameterId text, type text, sequence integer, "
        "data text)"
    )
    for number in range(make.randrange(4)):
        identity = cell(f"tr1a{number}")
        result = make.object(default=0.5, genotype={block: make.choice(CHOICES) for block in BLOCKS}, folder="x")
        given = make.object(parameter_id=number, parameters=make.object(seed=number, lr=0.1))
        with_events = (
            number,
            identity,
            cell("SUCCEEDED"),
            cell(make.json(given).decode("latin-1")),
            cell("/x"),
            number,
            "",
        )
        final = (
            number,
            identity,
            cell(str(number)),
            cell("FINAL"),
            0,
            cell(json.dumps(make.json(result).decode("latin-1"))),
        )
        with contextlib.suppress(sqlite3.Error):  # fewer columns
            connection.execute("insert into TrialJobEvent values (?,?,?,?,?,?,?)", with_events)
        connection.execute("insert into MetricData values (?,?,?,?,?,?)", final)
    connection.commit()
    connection.close()
    put(path, make.damaged(path.read_bytes()))
    return folder / "abcd1234"


def scores(make: Maker, folder: Path) -> Path:
    head = [make.word(name) for name in ("run", "row", "metric", "value")]
    rows = [
        [make.word(run), make.word(row), make.word(metric), make.number()]
        for run in ("0", "1")
        for row in ("single", "multi")
        for metric in ("depth/rmse", "semseg/mIoU")
    ]
    return put(folder / "scores.csv", make.table([head, *rows]))


def quoted(make: Maker, folder: Path) -> Path:
    rows = [[make.word("net"), make.number(), make.number(), make.word("-", "1.0", "")] for _ in range(3)]
    return put(folder / "q.csv", make.table([[make.word(n) for n in ("network", "depth", "semseg", "delta_m")], *rows]))


def contrasts(make: Maker, folder: Path) -> Path:
    entries = [make.object(row="a", against=make.choice(["b", None]), metric="depth/rmse") for _ in range(3)]
    content = make.object(contrasts=make.value(entries))
    return put(folder / "x.yaml", make.damaged(yaml.safe_dump(content, allow_unicode=True).encode()))


def results(make: Maker, folder: Path) -> Path:
    put(folder / "metrics.json", make.json(make.value(make.object(**{"loss": 0.5, "depth/rmse": 0.1, "x": None}))))
    columns = [make.word("step"), make.word("loss")]
    put(folder / "validation.csv", make.table([columns, *([make.whole(), make.number()] for _ in range(4))]))
    return folder


def read_results(folder: Path) -> None:
    run = RunFolder(folder)
    run.rows("validation.csv")
    run.put_row("validation.csv", {"step": 5, "loss": 0.5})
    run.read_metrics()


def array(make: Maker, folder: Path) -> Path:
    """An .npy file, or one of other kinds under its name."""
    dtype = (
        make.choice(["<f4", "<f8", "|u1", "<i4"])
        if not make.odd()
        else make.choice(["|O", "<U9", "<c16", "x", "", "<f99"])
    )
    shape = (
        (3, 4)
        if not make.odd()
        else make.choice([(0, 0), (), (3,), (3, 4, 1), (3, 4, 2), (10**12, 1), (-3, 4), (2**70,)])
    )
    said = make.value(f"{{'descr': '{dtype}', 'fortran_order': {make.choice(['False', 'True'])}, 'shape': {shape}, }}")
    header = str(said).encode() + (b"" if make.odd() else b" " * 20 + b"\n")
    size = {"<f4": 4, "<f8": 8, "|u1": 1, "<i4": 4}.get(dtype, 8) * 12
    magic = b"\x93NUMPY" + (bytes([1, 0]) if not make.odd() else make.choice([b"\x02\x00", b"\x03\x00", b"\x09\x09"]))
    return put(folder / "x.npy", make.damaged(magic + struct.pack("<H", len(header)) + header + bytes(size)))


def codebook(make: Maker, folder: Path) -> Path:
    words = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]], make.choice([np.float32, np.float64]))
    if make.odd():
        words = make.choice([words * 2, words[:3], words.astype(np.int32), words * np.nan, words[None], words * 1j])
    file = io.BytesIO()
    np.save(file, words)
    return put(folder / "k.npy", make.damaged(file.getvalue()))


def picture(make: Maker, folder: Path) -> Path:
    kind = make.choice(["PNG", "JPEG"]) if not make.odd() else make.choice(["GIF", "BMP", "TIFF", "PPM"])
    mode = make.choice(["L", "RGB"]) if kind in ("JPEG", "PPM") else make.choice(["L", "RGB", "P", "1"])
    file = io.BytesIO()
    Image.new(mode, (make.randrange(1, 9), make.randrange(1, 9))).save(file, kind)
    content = file.getvalue()
    if kind == "PNG" and make.odd():  # another size than the data have
        content = content[:16] + struct.pack(">II", *make.choices([0, 1, 2, 70_000, 2**31 - 1], k=2)) + content[24:]
    return put(folder / "x.png", make.damaged(content))


def matlab(make: Maker, folder: Path) -> Path:
    values = (
        np.zeros((3, 4)) if not make.odd() else make.choice([np.zeros((0, 0)), np.array("x"), np.zeros(3), {"a": 1}])
    )
    file = io.BytesIO()
    scipy.io.savemat(file, {"LabelMap" if not make.odd() else "x": values}, do_compression=make.random() < 0.5)
    return put(folder / "x.mat", make.damaged(file.getvalue()))


def ids(make: Maker, folder: Path) -> Path:
    return put(folder / "ids.txt", make.damaged("\n".join(make.word("1", "2") for _ in range(5)).encode()))


def tensors(make: Maker) -> Any:
    odd = [
        torch.empty(0),
        torch.tensor(float("nan")),
        torch.zeros(2, dtype=torch.int8),
        torch.zeros(3).to_sparse(),
        None,
        "x",
        1j,
    ]
    return {make.word("a.weight", "b.bias"): make.choice(odd) if make.odd() else torch.zeros(2, 2) for _ in range(2)}


def checkpoint(make: Maker, folder: Path) -> Path:
    content: Any = make.object(
        state_dict=tensors(make),
        optimizer_states=[{}],
        lr_schedulers=[],
        loops={},
        epoch=0,
        global_step=3,
        run="seed: 1",
    )
    content = make.value(content)
    if isinstance(content, dict) and not make.odd():
        try:
            content[KEY] = digest(content)
        except Exception:  # what it cannot take has none
            content.pop(KEY, None)
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not make.odd())
    return put(folder / "step=3.ckpt", make.damaged(file.getvalue())).parent


def read_checkpoint(folder: Path) -> None:
    path, refused = newest_whole(folder)
    if path is None:
        raise InputError(str(refused))


def weights(make: Maker, folder: Path) -> Path:
    file = io.BytesIO()
    torch.save(make.value(make.object(state_dict=tensors(make))), file)
    return put(folder / "w.pth", make.damaged(file.getvalue()))


def manifest(make: Maker, folder: Path) -> Path:
    """What an earlier making of the data left: it is held against what is asked for now."""
    classes = list(LAYOUTS["nyud"].classes)
    content: dict[str, Any] = {"format": f"nas_ctx.rooms/{VERSION}", "layout": "nyud", "train": 1, "val": 1}
    content |= {"size": [16, 16], "seed": 0, "classes": classes}
    if make.random() < 0.7:
        content = make.value(make.object(**content))
    return put(folder / "rooms" / "rooms.json", make.json(content)).parent


def read_manifest(folder: Path) -> None:
    write_rooms(folder, train=1, val=1, size=(16, 16), seed=0, progress=False)


FORMATS: dict[str, Format] = {
    "configuration": (configuration, load_config),
    "genotype": (genotype, Genotype.load),
    "genotypes": (genotypes, load_runs),
    "history": (history, SearchHistory.load),
    "history on resume": (history, resumed_history),
    "table of runs": (run_table, load_runs),
    "candidates": (candidates, read_candidates),
    "NNI's record": (experiment, load_runs),
    "scores": (scores, read_scores),
    "quoted": (quoted, lambda path: read_quoted(path, ["depth", "semseg"])),
    "contrasts": (contrasts, read_contrasts),
    "results": (results, read_results),
    "array": (array, read_array),
    "codebook": (codebook, lambda path: load_codebook(path, 4)),
    "picture": (picture, lambda path: (read_image(path), read_grey(path))),
    "MATLAB file": (matlab, lambda path: read_mat(path, "LabelMap", lambda values: values.astype(np.int32))),
    "ids": (ids, read_lines),
    "checkpoint": (checkpoint, read_checkpoint),
    "weights": (weights, lambda path: read_weights(str(path))),
    "manifest of rooms": (manifest, read_manifest),
}
