"""The ``nas-ctx`` command."""

from nas_ctx.cli.main import COMMANDS, main

__all__ = ["COMMANDS", "main"]
