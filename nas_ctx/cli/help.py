"""The parser of our commands, and the layout of its help: paragraphs as wide as the terminal, examples as written."""

from __future__ import annotations

import argparse
import textwrap
from typing import NoReturn

from nas_ctx.escaping import visible


class Parser(argparse.ArgumentParser):
    """Shows what was typed with its control characters escaped, as every other message does."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


class Page(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs, except those with an indented line: they are examples or tables."""

    def add_argument(self, action: argparse.Action) -> None:
        """Count the indentation of commands, which argparse forgets, so that the longest name keeps its line."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            textwrap.indent(paragraph, indent)
            if "\n  " in f"\n{paragraph}"
            else textwrap.fill(" ".join(paragraph.split()), width, initial_indent=indent, subsequent_indent=indent)
            for paragraph in text.strip().split("\n\n")
        )
