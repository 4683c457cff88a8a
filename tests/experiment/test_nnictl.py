"""``nas-ctx nnictl`` with the real nnictl, on an experiment that has ended."""

import json
import subprocess
import sys


def test_what_nnictl_only_says_is_an_exit_code(tmp_path):
    record = {
        "id": "abcd1234", "port": 8080, "startTime": 1, "endTime": 2, "status": "STOPPED", "platform": "local",
        "experimentName": "x", "tag": [], "pid": 2**22 + 1, "webuiUrl": [], "logDir": str(tmp_path), "prefixUrl": None,
    }  # fmt: skip
    (tmp_path / "nni-experiments").mkdir()
    (tmp_path / "nni-experiments" / ".experiment").write_text(json.dumps({"abcd1234": record}))
    command = [sys.executable, "-m", "nas_ctx.cli", "nnictl", "--home", str(tmp_path), "trial", "ls", "abcd1234"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert "Experiment is not running" in ended.stdout
    assert ended.returncode == 1
