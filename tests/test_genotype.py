"""Genotypes: the three kinds of file, round trips, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_ctx import genotype as genotype_module
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

TASKS = ["semseg", "depth", "normals", "edge", "saliency", "human_parts"]


def written(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


# The authors' own layout, typed by hand: none 0, global 1, local 2, t-label 3, s-label 4; saliency is "sal".
ATRC = {"data": {"sal": {"sal": 3, "edge": 4}, "edge": {"sal": 0, "edge": 2}}, "step": 40000}
OURS = {
    "saliency/saliency": "t-label",
    "saliency/edge": "s-label",
    "edge/saliency": "none",
    "edge/edge": "local",
}


def test_reads_the_authors_file(tmp_path):
    genotype = Genotype.load(written(tmp_path / "atrc_genotype.json", ATRC))
    assert dict(genotype) == OURS
    assert genotype.meta["step"] == 40000
    assert genotype.to_atrc() == ATRC


def test_reads_what_nni_exports(tmp_path):
    exported = {"layer1": "conv3x3", "skip": [0, 2], "width": 0.5, "depth": 3, "se": True, "norm": None}
    genotype = Genotype.load(written(tmp_path / "exported.json", exported))
    assert genotype["skip"] == (0, 2)
    assert genotype["se"] is True
    assert genotype["norm"] is None
    hash(genotype)


@given(
    st.lists(st.sampled_from(TASKS), min_size=1, unique=True).flatmap(
        lambda tasks: st.fixed_dictionaries(
            {
                f"{target}/{source}": st.sampled_from(CONTEXT_NAMES[: 4 if target == source else 5])
                for target in tasks
                for source in tasks
            }
        )
    ),
    st.integers(0, 10**6),
)
def test_atrc_round_trip(choices, step):
    genotype = Genotype(choices, {"step": step})
    back = Genotype.from_atrc(json.loads(json.dumps(genotype.to_atrc())))
    assert back == genotype
    assert back.meta == {"step": step}


CHOICES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(),
    st.lists(st.integers() | st.text()),
)  # fmt: skip
LABELS = st.text(min_size=1).filter(lambda text: text.strip() and "/" not in text)


@given(st.dictionaries(LABELS, CHOICES, min_size=1), st.dictionaries(st.text(), st.integers()))
def test_own_file_round_trip(tmp_path_factory, choices, meta):
    path = tmp_path_factory.mktemp("genotypes") / "g.json"
    genotype = Genotype(choices, meta)
    genotype.save(path)
    back = Genotype.load(path)
    assert dict(back) == dict(genotype)
    assert back.meta == meta
    assert hash(back) == hash(genotype)


def test_equality_ignores_meta_and_order():
    a = Genotype({"x": "1", "y": "2"}, {"seed": 0})
    b = Genotype({"y": "2", "x": "1"}, {"seed": 1})
    assert a == b
    assert len({a, b}) == 1
    assert a != Genotype({"x": "1", "y": "3"})


def test_is_immutable():
    genotype = Genotype({"x": "1"}, {"seed": 0})
    with pytest.raises(TypeError):
        genotype["x"] = "2"  # type: ignore[index]
    with pytest.raises(TypeError):
        genotype.meta["seed"] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not JSON at line 1"),
        ("[1, 2]", "JSON object, got list"),
        ('{"a": "x", "a": "y"}', "'a' appears twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": {"b": "c"}}', "block 'a'"),
        ('{"a": [[1]]}', "block 'a'"),
        ("{}", "at least one block"),
        ('{" ": "x"}', "block label"),
        ('{"format": "nas_ctx.genotype/2", "choices": {"a": "b"}}', "a newer nas_ctx has written it"),
        ('{"format": ["nas_ctx.genotype/1"], "choices": {"a": "b"}}', "expected 'nas_ctx.genotype/1'"),
        ('{"format": "nas_ctx.genotype/0", "choices": {"a": "b"}}', "expected 'nas_ctx.genotype/1'"),
        ('{"format": "nas_ctx.genotype/1", "choice": {"a": "b"}}', "unknown key 'choice'"),
        ('{"format": "nas_ctx.genotype/1"}', "'choices'"),
        ('{"format": "nas_ctx.genotype/1", "choices": {"a": "b"}, "meta": 3}', "'meta'"),
        ('{"format": "nas_ctx.genotype/1", "choices": {"edge/edge": "s-label"}}', "no s-label context with itself"),
        ('{"data": {"edge": {"edge": 4}}, "step": 1}', "no s-label context with itself"),
        ('{"data": {"edge": {"edge": 5}}, "step": 1}', "0..4"),
        ('{"data": {"edge": {"edge": true}}, "step": 1}', "0..4"),
        ('{"data": {"edge": {"edge": 1.0}}, "step": 1}', "0..4"),
        ('{"data": {"edge": {"edge": 1}}, "step": -1}', "'step'"),
        ('{"data": {"edge": {"edge": 1}}, "steps": 1}', "unknown key 'steps'"),
        ('{"data": {"edge": {"edge": 1, "depth": 1}}, "step": 1}', "sources"),
        ("[" * 100_000, "nested more than 100 deep"),
    ],
)
def test_refuses_with_the_file_and_the_fault(tmp_path, content, told):
    path = written(tmp_path / "wrong.json", content)
    with pytest.raises(InputError) as caught:
        Genotype.load(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_older_formats_are_brought_up_to_date_step_by_step(tmp_path, monkeypatch):
    """With a next and a next but one version, a file of the first is still read, and what is written is the newest."""
    monkeypatch.setitem(
        genotype_module.UPGRADES, "nas_ctx.genotype/1", lambda old: old | {"format": "nas_ctx.genotype/2", "meta": {}}
    )
    monkeypatch.setitem(
        genotype_module.UPGRADES,
        "nas_ctx.genotype/2",
        lambda old: {"format": "nas_ctx.genotype/3", "choices": {k.upper(): v for k, v in old["choices"].items()}},
    )
    monkeypatch.setattr(genotype_module, "FORMAT", "nas_ctx.genotype/3")
    old = {"format": "nas_ctx.genotype/1", "choices": {"a": "b"}, "meta": {"seed": 1}}
    genotype = Genotype.load(written(tmp_path / "old.json", old))
    assert dict(genotype) == {"A": "b"}
    assert genotype.meta == {}
    assert genotype.to_json()["format"] == "nas_ctx.genotype/3"


def test_missing_file_and_binary(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Genotype.load(tmp_path / "nowhere.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        Genotype.load(tmp_path / "binary.json")


@pytest.mark.parametrize(
    "choices",
    [{"a": "none"}, {"a/b/c": "none"}, {"a/a": "conv"}, {"a/a": "none", "a/b": "none"}],
)
def test_only_a_full_grid_of_contexts_is_written_for_the_authors(choices):
    with pytest.raises(InputError):
        Genotype(choices).to_atrc()


def test_meta_that_is_not_json_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(InputError, match="meta"):
        Genotype({"a": "b"}, {"x": {1, 2}}).save(tmp_path / "g.json")
    assert list(tmp_path.iterdir()) == []


def test_differences():
    a, b = Genotype({"x": "1", "y": "2"}), Genotype({"x": "1", "y": "3"})
    assert a.differences(b) == {"y": ("2", "3")}
    with pytest.raises(InputError, match="different blocks"):
        a.differences(Genotype({"x": "1"}))


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("nas_ctx.genotype", ["numpy", "torch", "nni"]),
        ("nas_ctx.analysis", ["torch", "nni", "matplotlib", "pytorch_lightning", "scipy.special", "scipy.stats"]),
        ("nas_ctx.cli.commands.report", ["torch", "nni", "numpy"]),
    ],
)
def test_imports_stay_light(module, forbidden):
    code = f"import {module}, sys; print([m for m in {forbidden!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
