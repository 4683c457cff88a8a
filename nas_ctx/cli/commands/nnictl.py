"""Run nnictl on the experiments of a state folder, with its manager on loopback and behind the folder's token.

Use it for experiments started by `nas-ctx launch`. Plain `nnictl view` or `nnictl resume` starts a manager that answers
everybody who can reach it, also from other machines. All words after `nnictl` are passed to it. What asks a manager,
such as `trial ls`, needs one that runs: after an experiment has ended, `view ID` starts it.

examples:
  nas-ctx nnictl view wq7yi3zo
  nas-ctx nnictl trial ls wq7yi3zo
  nas-ctx nnictl --home work/rooms/nni view wq7yi3zo --port 8081
  nas-ctx nnictl --home work/rooms/nni stop wq7yi3zo
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from nas_ctx.errors import InputError
from nas_ctx.files import umask_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home", metavar="DIR", type=Path, default=Path("work/nni"), help="NNI's state folder (default: work/nni)"
    )
    parser.add_argument("words", metavar="WORD", nargs=argparse.REMAINDER, help="arguments of nnictl: view ID, ...")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.experiment import launch

    if not options.home.is_dir():
        raise InputError(f"--home {options.home}: no such folder")
    known = (launch.config_of(word, options.home) for word in options.words)
    config = next((path for path in known if path is not None), None)
    environment = launch.environment_of(options.home, config)
    command = [str(Path(sys.executable).parent / "nnictl"), *options.words]
    mask = umask_of(config or os.devnull)
    if options.words[:1] not in (["create"], ["resume"], ["view"]):
        code = _run(command, environment, mask)
    elif (code := subprocess.run(command, env=environment, umask=mask, check=False).returncode) == 0:
        print(f"the page asks for a user name (any) and a password: the one in {environment['NETRC']}")
    if code:
        raise SystemExit(code)


_ERROR = b"ERROR: "


def _run(command: list[str], environment: Mapping[str, str], mask: int) -> int:
    """Run nnictl, pass on what it prints, and return its exit code; 1 where it printed an error and ended with 0.

    What starts a manager is not run so: the manager could keep the pipe open.
    """
    environment, failed, last = {**environment, "PYTHONUNBUFFERED": "1"}, False, b""
    with subprocess.Popen(command, env=environment, umask=mask, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for part in iter(partial(os.read, process.stdout.fileno(), 65536), b""):
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
            last = last[-len(_ERROR) :] + part  # the word may come in two parts
            failed = failed or _ERROR in last
    return process.returncode or int(failed)
