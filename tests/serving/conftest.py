"""What tests of the server share: a tiny run of each task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import kinds


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each task, named as the task; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    for task in kinds.ROWS:
        kinds.run_of(task, folder)
    return folder
