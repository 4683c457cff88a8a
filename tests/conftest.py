"""Shared by all tests.

One torch thread per process, since the suite runs as many processes as there are cores; and a home folder of the
tests' own, since NNI keeps a registry of experiments in the home folder.
"""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
_home = tempfile.mkdtemp(prefix="nas-ctx-tests-")
os.environ["HOME"] = _home
atexit.register(shutil.rmtree, _home, ignore_errors=True)

collect_ignore = ["typed"]  # programs for the type checker, not to be run
pytest_plugins = ["tests.rooms"]
