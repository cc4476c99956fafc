"""`weitiao predict --cluster ray`: the bytes of a plain run, whatever becomes of a worker, and nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.verbs.clusters.workers import RAY, kill_one

from weitiao import predict_file
from weitiao.verbs.clusters.session import Cluster
from weitiao.verbs.predicting.asked import CHUNK

pytestmark = [pytest.mark.slow, *RAY]
ROWS = 6 * CHUNK + 7


@pytest.fixture
def source(run_with_data: Path) -> Path:
    """Rows of several parts, some of them faulty."""
    path = run_with_data.parent / "many.jsonl"
    texts = ["" if number % 1000 == 7 else f"row {number} is fine" for number in range(ROWS)]
    rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_the_rows_are_those_of_a_plain_run(
    run_with_data: Path, source: Path, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first time through undisturbed, the second with a worker killed in the middle."""
    plain, first, second = (source.with_name(name) for name in ("plain.jsonl", "first.jsonl", "second.jsonl"))
    told: list[int] = []

    def kill(rows: int) -> None:
        told.append(rows)
        if len(told) == 1:
            kill_one("MapWorker")

    alone = predict_file(run_with_data, source.name, plain)
    answered = predict_file(run_with_data, source.name, first, cluster=cluster)
    predict_file(run_with_data, source.name, second, cluster=cluster, on_rows=kill)
    assert first.read_bytes() == plain.read_bytes()
    assert second.read_bytes() == plain.read_bytes()
    assert told == [*range(CHUNK, ROWS, CHUNK), ROWS]
    assert {**answered.as_json(), "output": ""} == {**alone.as_json(), "output": ""}
    assert answered.faults[0] == "many.jsonl:8: empty text"
    assert capfd.readouterr().out == ""


def test_left_in_the_middle_nothing_is_half_written(run_with_data: Path, source: Path, cluster: Cluster) -> None:
    def interrupt(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file(run_with_data, source, source.with_name("out.csv"), cluster=cluster, on_rows=interrupt)
    assert [path.name for path in source.parent.iterdir() if "out" in path.name] == []
