"""`command-help` directive: the output of `nas-ctx COMMAND --help`, so that the page is always up to date."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from nas_ctx.cli import COMMANDS, main


def help_of(words: list[str]) -> str:
    output = io.StringIO()
    os.environ["COLUMNS"] = "96"
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return output.getvalue().rstrip()


class CommandHelp(Directive):
    """One section for every command."""

    def run(self) -> list[nodes.Node]:
        sections: list[nodes.Node] = []
        for name in COMMANDS:
            section = nodes.section(ids=[name])
            section += nodes.title("", f"nas-ctx {name}")
            section += nodes.literal_block("", help_of([name]), language="text")
            sections.append(section)
        return sections


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
