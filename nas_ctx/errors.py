"""What users get told when their input is wrong: one line, and exit code 2 from every command."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """Wrong input from a user. Its message is one line that names the file, the key and the value.

    Commands print the message on standard error and exit with code 2; nothing else of the package does so.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def unknown_name(kind: str, name: object, known: Iterable[object]) -> InputError:
    """The error for a name that nothing is registered under: it lists the known ones.

    >>> print(unknown_name("task", "sem", ["depth", "semseg"]))
    unknown task 'sem'; known: depth, semseg
    """
    return InputError(f"unknown {kind} {name!r}; known: {', '.join(sorted(map(str, known)))}")
