"""YAML: what scalars mean, what is refused before it costs, and that what is written reads back."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nas_ctx.config import load_config
from nas_ctx.config.nested import parse_override, read_yaml
from nas_ctx.config.safe_yaml import MAX_DEPTH, MAX_VALUES, YAMLRefused, dump_yaml, parse_yaml
from nas_ctx.errors import InputError

MINIMAL = "data: {root: d}\ntasks: {depth: {}}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [  # examples 10.8 and 10.9 of YAML 1.2.2, and what 1.1 reads otherwise
        *[(text, None) for text in ("null", "Null", "~", "")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, int(text)) for text in ("0", "-19", "+12", "010", "09", "0001")],
        *[("0o7", 7), ("0o14", 12), ("0x3A", 58)],
        *[(text, float(text)) for text in ("0.", "-0.0", ".5", "+12e03", "-2E+05", "1e-4", "1.5E3")],
        *[(".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf)],
        *[(text, text) for text in ("yes", "No", "on", "off", "y", "1:30", "1:30:45.5", "2024-01-01", "1_000", "0b11")],
        *[(text, text) for text in ("tRUE", "0o8", "-0x1", "1e", ".", "-x", "+.", "=", "<<", "2001-12-14t21:59:43Z")],
        *[("!!str 010", "010"), ("!!float 1", 1.0), ("!!int '7'", 7), ("'1'", "1"), ('"\\u0661"', "\u0661")],
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: object) -> None:
    assert repr(parse_yaml(f"a: {text}")["a"]) == repr(value)


def test_a_number_padded_with_zeros_is_itself_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(MINIMAL + "seed: 010\ntraining: {steps: 0100}")
    assert (load_config(path).seed, load_config(path).training.steps) == (10, 100)
    assert load_config(path, [parse_override("seed=08")]).seed == 8


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("data.augment=yes", "data.augment: 'yes': input should be a valid boolean"),
        ("seed=1:30", "seed: '1:30': input should be a valid integer"),
        ("seed=2024-01-01", "seed: '2024-01-01': input should be a valid integer"),
        ("training.steps=40_000", "training.steps: '40_000': input should be a valid integer"),
    ],
)
def test_text_where_another_value_is_meant_is_named(tmp_path: Path, override: str, line: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(MINIMAL)
    with pytest.raises(InputError) as error:
        load_config(path, [parse_override(override)])
    assert str(error.value) == f"--set {line}"


def test_merge_keys_give_what_a_mapping_does_not_have_itself() -> None:
    content = parse_yaml("a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: [*b, {x: 3, z: 3}], y: 4}\nd: {<<: *b}")
    assert content["b"] == content["d"] == {"x": 2, "y": 1}
    assert content["c"] == {"x": 2, "y": 4, "z": 3}


def expanding(first: str, line: str, levels: int, times: int) -> str:
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} " + line.format(",".join([f"*a{level - 1}"] * times)))
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        expanding("[x, x, x, x, x, x, x, x, x, x]", "[{}]", 10, 10),
        expanding("{x: 1}", "{{<<: [{}]}}", 10, 10),
        expanding("[x]", "[{}]", 3 * MAX_DEPTH, 1),
        "[" * 50_000,
        "- " * 10_000 + "x",
        "\n".join(f"k{number}: 1" for number in range(MAX_VALUES)),
        "x" * 1_000_001,
    ],
    ids=["lists", "merged", "chain", "flow", "block", "keys", "long"],
)
def test_what_expands_is_refused_before_it_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"c\.yaml: not YAML: .*(more than 20000|nested more than 100|at most)"):
            read_yaml(tmp_path / "c.yaml")
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: duplicate key 'a'"),
        ("1: 1\n01: 2", "duplicate key 1"),
        ("{<<: {}, <<: {}}", "duplicate key '<<'"),
        ("<<: 3", "<< takes a mapping"),
        ("a: &a [*a]", "the alias *a stands in what it names"),
        ("a: &a {<<: *a}", "the alias *a stands in what it names"),
        ("a: *b", "undefined alias 'b'"),
        ("[a]: 1", "a list or a mapping as a key"),
        ("a: !!int ''", "'' is not of the type !!int"),
        ("a: !!bool yes", "'yes' is not of the type !!bool"),
        ("a: !!float [1]", "is not of the type !!float"),
        ("a: !!timestamp 2024-01-01", "the tag '!!timestamp' is not read"),
        ("a: !!python/name:os.system", "is not read"),
        ("a: " + "9" * 5_000, "an integer of 5000 digits"),
        ('a: "\\ud800"', "half of a character"),
        ("a: 1\n---\nb: 1", "another document"),
        ("a: %", "line 1, column 4: "),
        ("\x00", "special characters"),
    ],
)
def test_what_is_refused_is_told_in_one_line(text: str, words: str) -> None:
    with pytest.raises(YAMLRefused) as error:
        parse_yaml(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.from_regex(r"[-+]?[0-9.:_oxeE]{1,6}", fullmatch=True),
    st.sampled_from(["yes", "null", "~", "", "<<", "=", "1e-4", "0o7", "0x1", "010", "2024-01-01", ".nan", "true"]),
)
scalars = st.one_of(
    texts,
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
)


@given(st.dictionaries(texts, scalars | st.lists(scalars, max_size=3)))
def test_what_is_written_reads_back_here_and_in_yaml_1_1(content: dict[str, object]) -> None:
    text = dump_yaml(content)
    assert repr(parse_yaml(text)) == repr(content)
    assert repr(yaml.safe_load(text)) == repr(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_is_read_as_json_reads_it(value: object) -> None:
    """YAML 1.2 holds JSON."""
    assert parse_yaml(json.dumps(value)) == value
