"""Another Node.js for NNI's manager than the one in NNI's package, 18.15, which gets no repairs any more.

NNI starts the file ``node`` in the folder of its package ``nni_node``, whatever ``PATH`` says. So a package of that
name, found first, has links to all of the real one but this file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from nas_ctx.errors import InputError

VARIABLE = "NAS_CTX_NODE"
"""The environment variable that names the program."""


def package_with(node: Path, home: Path) -> Path:
    """A folder for ``PYTHONPATH``, in the state folder ``home``, with NNI's manager on the program ``node``.

    Raises:
        InputError: ``node`` is no program, or one that does not say the version of a Node.js.
    """
    if not node.is_file() or not os.access(node, os.X_OK):
        raise InputError(f"{VARIABLE}: {node}: is no program; expected the path of a Node.js")
    if not _is_node(node):
        raise InputError(f"{VARIABLE}: {node}: is no Node.js: `{node} --version` gives no version like v20.1.0")
    spec = find_spec("nni_node")
    assert spec is not None
    assert spec.origin is not None
    node = node.resolve()
    folder = home / "node" / hashlib.sha256(os.fsencode(node)).hexdigest()[:16]  # a manager may be at work in another
    package = folder / "nni_node"
    package.mkdir(parents=True, exist_ok=True)
    files = (file for file in Path(spec.origin).parent.iterdir() if file.name not in ("node", "__pycache__"))
    for link, target in [(package / "node", node), *((package / file.name, file) for file in files)]:
        with contextlib.suppress(FileExistsError):
            link.symlink_to(target)
    return folder


def _is_node(program: Path) -> bool:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.fullmatch(rb"v\d+\.\d+\.\d+\S*\s*", said) is not None
