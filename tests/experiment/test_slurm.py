"""The array job for SLURM, run by bash with stand-ins for srun and scontrol."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from nas_ctx import runs
from nas_ctx.config import check_config
from tests.rooms import tiny

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "experiments" / "cluster" / "search.sbatch"
STAND_INS = {
    # As srun does: a process beside the task, which hands signals on and returns the task's exit code.
    "srun": '#!/bin/bash\n"$@" &\ntrap "kill -TERM $!" TERM\nwait $!; code=$?\n'
    "while kill -0 $! 2>/dev/null; do wait $!; code=$?; done\nexit $code\n",
    "scontrol": '#!/bin/bash\necho "$@" >> "$QUEUED"\n',
    "nas-ctx": f'#!/bin/bash\nexec {sys.executable} -m nas_ctx.cli "$@"\n',
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    for name, text in STAND_INS.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "QUEUED": str(tmp_path / "queued"),
        "SLURM_ARRAY_JOB_ID": "71",
        "SLURM_ARRAY_TASK_ID": "3",
    }


def test_a_job_is_queued_again_before_its_limit_and_ends_with_the_same_result(
    rooms: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    content = tiny(rooms, None, training__steps=30, training__validate_every=30, training__checkpoint_every=30)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    run = tmp_path / "study" / "seed-3"
    words = ["bash", str(SCRIPT), str(tmp_path / "c.yaml"), str(tmp_path / "study")]
    with subprocess.Popen(words, env=environment, start_new_session=True) as job:
        try:
            while not (run / "losses.csv").exists():  # its first step is done
                assert job.poll() is None
                time.sleep(0.01)
            os.kill(job.pid, signal.SIGUSR1)  # to the script alone, as `--signal=B:USR1` has it
            job.wait(120)
        finally:
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
    assert (tmp_path / "queued").read_text() == "requeue 71_3\n"
    assert not (run / "metrics.json").exists()
    assert list((run / "checkpoints").glob("*.ckpt"))

    assert subprocess.run(words, env=environment, check=False).returncode == 0
    assert (tmp_path / "queued").read_text() == "requeue 71_3\n"
    runs.search(check_config({**content, "seed": 3, "output": str(tmp_path / "whole")}, "c.yaml"), progress=False)
    for name in ("genotype.json", "history.csv", "losses.csv", "metrics.json"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_search_that_fails_fails_its_job(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", str(SCRIPT), "missing.yaml", str(tmp_path)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert not (tmp_path / "queued").exists()
