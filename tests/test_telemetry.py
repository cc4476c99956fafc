"""Promise 6: the telemetry of every optional dependency is off, whichever way weitiao reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ASK = "from huggingface_hub import constants; import json, os; print(json.dumps(constants.HF_HUB_DISABLE_TELEMETRY))"
WAYS = {
    "command line": "from weitiao.cli import main\nmain(['list', 'tasks'])",
    "Python": "import weitiao",
    "hub model": "from weitiao.models.reference import resolve\nresolve('hf:nobody/nothing', download=False)",
    "hub data": "import sys\nsys.modules['datasets'] = 0\nimport weitiao.data as data\ndata.read_rows('hf:no/thing')",
    "hub client first": "import huggingface_hub.constants\nfrom weitiao.telemetry import silence\nsilence()",
}


def asked(way: str) -> object:
    """What the hub's client thinks of telemetry after a use of weitiao."""
    program = f"import contextlib\nwith contextlib.suppress(Exception):\n    exec({way!r})\n{ASK}"
    clean = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name and name != "DO_NOT_TRACK"}
    done = subprocess.run([sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_other_names_that_libraries_ask_for() -> None:
    """MLflow takes DO_NOT_TRACK only where it is `true`."""
    names = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "WANDB_ERROR_REPORTING")
    program = f"import weitiao, os; print([os.environ[name] for name in {names}])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['1', 'true', 'false']"


def test_without_weitiao_it_would_be_on() -> None:
    assert asked("pass") is False


@pytest.mark.parametrize("way", WAYS)
def test_it_is_off(way: str) -> None:
    assert asked(WAYS[way]) is True
