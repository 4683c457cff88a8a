"""The names of the paper's contexts, and what is known of them, have one home, which loads nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import nas_ctx
from nas_ctx.config import ModelConfig
from nas_ctx.context_types import CONTEXT_COLOURS, CONTEXT_NAMES, LABEL_CONTEXTS, SAME_ON_DIAGONAL
from nas_ctx.contexts import CONTEXTS, candidates
from nas_ctx.genotype import Genotype

ROOT = Path(nas_ctx.__file__).parents[1]


def test_the_names_are_those_of_the_papers_files_and_of_the_registry() -> None:
    """The authors' integers: none 0, global 1, local 2, t-label 3, s-label 4."""
    assert CONTEXT_NAMES == ("none", "global", "local", "t-label", "s-label")
    assert tuple(CONTEXTS)[:5] == CONTEXT_NAMES
    assert tuple(ModelConfig().contexts) == CONTEXT_NAMES
    assert set(LABEL_CONTEXTS) == {name for name in CONTEXT_NAMES if CONTEXTS[name].reads_regions}
    assert len(set(CONTEXT_COLOURS.values())) == 5
    for number, name in enumerate(CONTEXT_NAMES):
        assert (
            Genotype({"a/b": name, "a/a": "none", "b/a": "none", "b/b": "none"}).to_atrc()["data"]["a"]["b"] == number
        )


def test_the_rule_of_the_diagonal_is_the_same_everywhere() -> None:
    assert SAME_ON_DIAGONAL == {"s-label": "t-label"}
    assert candidates("a", "a", CONTEXT_NAMES) == ["none", "global", "local", "t-label"]
    assert candidates("a", "b", CONTEXT_NAMES) == list(CONTEXT_NAMES)


def test_no_other_module_lists_them() -> None:
    for folder in ("nas_ctx", "search_spaces"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
                    parts = node.keys if isinstance(node, ast.Dict) else node.elts
                    named = {part.value for part in parts if isinstance(part, ast.Constant)} & set(CONTEXT_NAMES)
                    assert len(named) < 3 or file.name == "context_types.py", f"{file}:{node.lineno}: {sorted(named)}"


def test_they_are_known_without_torch() -> None:
    code = "import nas_ctx.context_types, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "nni", "pydantic"} & set(done.stdout.split())
