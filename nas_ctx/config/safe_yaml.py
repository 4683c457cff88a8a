"""YAML as people read it: scalars of the core schema of YAML 1.2.2 (section 10.3.2), and nothing that costs or runs.

``010`` is ten and ``1e-4`` a number; ``yes``, ``on``, ``1:30``, ``1_000`` and dates are text, which YAML 1.1, PyYAML's,
takes for a boolean, a count of seconds, a number and days. Merge keys, ``<<``, work as in 1.1.

Aliases are counted as what they stand for: ten lines can expand to 10^10 values.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_CHARACTERS = 1_000_000
"""The longest text that is read."""
MAX_VALUES = 20_000
"""The most keys and values of a document, those that aliases repeat included."""
MAX_DEPTH = 100
"""How deep lists and mappings may be nested."""

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "null": (re.compile(r"null|Null|NULL|~|"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    "int": (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), list("-+0123456789")),
    "float": (
        re.compile(
            r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII
        ),
        list("-+.0123456789"),
    ),
    "merge": (re.compile("<<"), ["<"]),
}
"""Tag -> what its plain scalars look like, and their first characters. Where two agree, the first has it."""


class YAMLRefused(ValueError):
    """A text that is not YAML, or more than is read; the message is one line that says where."""


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the core schema, and a bound on what a document expands to."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._depth = 0
        self._sizes: dict[Node, tuple[int, int]] = {}  # how many values a node is, and how deep

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        event = self.peek_event()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} deep", event)
        before = self._values
        node: Any = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                self._refuse(f"the alias *{event.anchor} stands in what it names", event)
            size, depth = self._sizes[node]
            if self._depth - 1 + depth > MAX_DEPTH:
                self._refuse(f"nested more than {MAX_DEPTH} deep by the alias *{event.anchor}", event)
            self._values += size
        else:
            self._values += 1
            children = [child for pair in node.value for child in pair] if isinstance(node, MappingNode) else node.value
            inside = [self._sizes[child][1] for child in children] if not isinstance(node, ScalarNode) else []
            self._sizes[node] = (self._values - before, 1 + max(inside, default=0))
        if self._values > MAX_VALUES:
            self._refuse(f"more than {MAX_VALUES} keys and values, those that aliases repeat included", event)
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        own: dict[Any, tuple[Node, Node]] = {}
        below: dict[Any, tuple[Node, Node]] = {}  # what `<<` brings: the first of its mappings that has a key
        for pair in node.value:
            key, value = pair
            if not isinstance(key, ScalarNode):
                self._refuse("a list or a mapping as a key", key)
            name = self.construct_object(key)
            if name in own:
                self._refuse(f"duplicate key {name!r}", key)
            own[name] = pair
            for source in self._merged(value) if key.tag == f"{_TAG}merge" else ():
                for inner in source.value:
                    below.setdefault(self.construct_object(inner[0]), inner)
        node.value = [pair for name, pair in {**below, **own}.items() if pair[0].tag != f"{_TAG}merge"]
        return node

    def _merged(self, value: Any) -> list[Any]:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        if not all(isinstance(source, MappingNode) for source in sources):
            self._refuse("<< takes a mapping, or a list of mappings", value)
        return list(sources)

    def scalar(self, node: Node) -> Any:
        """What a scalar means, its tag being given or found by how it looks."""
        tag = node.tag.removeprefix(_TAG)
        if not isinstance(node, ScalarNode):
            self._refuse(f"a list or a mapping is not of the type !!{tag}", node)
        text: str = node.value
        if tag != "str" and not _SCALARS[tag][0].fullmatch(text):
            self._refuse(f"{text!r} is not of the type !!{tag}", node)
        if tag == "str":  # JSON writes what is beyond 16 bits as two halves
            try:
                return text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                self._refuse(f"{text!r} holds half of a character", node)
        if tag == "int":
            try:
                return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
            except ValueError:  # Python's own limit on digits
                self._refuse(f"an integer of {len(text)} digits", node)
        if tag == "float":
            return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        return {"null": None, "bool": text.lower() == "true"}.get(tag, text)

    def unknown(self, node: Node) -> NoReturn:
        self._refuse(f"the tag {node.tag.replace(_TAG, '!!')!r} is not read", node)

    def _refuse(self, problem: str, place: Any) -> NoReturn:
        raise yaml.constructor.ConstructorError(None, None, problem, place.start_mark)


_Loader.yaml_implicit_resolvers, _Loader.yaml_constructors = {}, {}
for _tag, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _tag, re.compile(f"(?:{_pattern.pattern})\\Z", re.ASCII), _first)
for _tag in ("str", *_SCALARS):
    _Loader.add_constructor(_TAG + _tag, _Loader.scalar)
for _tag in ("seq", "map"):
    _Loader.add_constructor(_TAG + _tag, getattr(yaml.SafeLoader, f"construct_yaml_{_tag}"))
_Loader.add_constructor(None, _Loader.unknown)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes text that would be something else in the core schema."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    first: list(pairs) for first, pairs in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
for _tag, (_pattern, _first) in _SCALARS.items():
    _Dumper.add_implicit_resolver(_TAG + _tag, re.compile(f"(?:{_pattern.pattern})\\Z", re.ASCII), _first)


def parse_yaml(text: str) -> Any:
    """The document in ``text``: mappings, lists, text, numbers, booleans and None.

    Raises:
        YAMLRefused: not YAML, another tag than those of the core schema, a duplicate key, or too large.

    >>> parse_yaml("{seed: 010, rate: 1e-4, at: 1:30, augment: yes, on: 2024-01-01}")
    {'seed': 10, 'rate': 0.0001, 'at': '1:30', 'augment': 'yes', 'on': '2024-01-01'}
    """
    if len(text) > MAX_CHARACTERS:
        raise YAMLRefused(f"{len(text)} characters, of which at most {MAX_CHARACTERS} are read")
    try:
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise YAMLRefused(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise YAMLRefused(" ".join(str(error).split())) from None


def dump_yaml(content: Any) -> str:
    """``content`` as YAML that :func:`parse_yaml`, and a reader of YAML 1.1, reads as what it was.

    >>> dump_yaml({"name": "1e-4", "seed": 10})
    "name: '1e-4'\\nseed: 10\\n"
    """
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=False)
