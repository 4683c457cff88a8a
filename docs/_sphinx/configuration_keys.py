"""`configuration-keys` directive: the table of configuration keys, made from the schema."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from nas_ctx.config import Config, keys_of


def table() -> list[str]:
    """The lines of a Markdown table."""
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for key in keys_of(Config):
        default = "required" if key.default is None else f"`{key.default}`"
        lines.append(f"| `{key.name}` | {key.values} | {default} | {key.meaning} |")
    return lines


class ConfigurationKeys(Directive):
    """The table of all keys."""

    def run(self) -> list[nodes.Node]:
        place = nodes.container(classes=["configuration-keys"])
        self.state.nested_parse(StringList(table(), source="nas_ctx/config/schema.py"), self.content_offset, place)
        return place.children


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("configuration-keys", ConfigurationKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
