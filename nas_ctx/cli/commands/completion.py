"""Print the shell code that completes nas-ctx commands: options, files, and the keys of --set.

SHELL is bash, zsh or fish. Add the line to the file that the shell reads when it starts.

examples:
  echo 'eval "$(nas-ctx completion bash)"' >> ~/.bashrc
  echo 'eval "$(nas-ctx completion zsh)"' >> ~/.zshrc
  nas-ctx completion fish > ~/.config/fish/completions/nas-ctx.fish
"""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def run(options: argparse.Namespace) -> None:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["nas-ctx"], shell=options.shell))
