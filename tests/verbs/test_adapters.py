"""`weitiao adapters`: one folder or several, sizes that can be read, and a run that learnt nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.cli import main
from weitiao.cli.adapters import _size
from weitiao.errors import Refused


@pytest.mark.parametrize("kind", [str, Path, lambda folder: [folder], lambda folder: iter([str(folder)])])
def test_one_folder_needs_no_list(tmp_path: Path, kind: object) -> None:
    assert callable(kind)
    with pytest.raises(Refused, match=f"^{tmp_path}: no adapter in it"):
        weitiao.list_adapters(kind(tmp_path))


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0.00 kB"), (5740, "5.74 kB"), (99_999, "100.00 kB"), (100_000, "0.10 MB")]
)
def test_small_sizes_are_told_in_kilobytes(count: int, shown: str) -> None:
    assert _size(count) == shown


def test_a_run_that_learnt_nothing_has_no_adapter_and_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe(tmp_path, method="zero_shot", training={})
    made["model"]["head"] = "mean"
    run = weitiao.train(made).path
    words = f"{run}: the run has no adapter, for `method: zero_shot` learns nothing; its whole model is {run / 'model'}"
    with pytest.raises(Refused, match=f"^{words}$"):
        weitiao.merge_adapter(run, tmp_path / "merged")
    capsys.readouterr()
    assert main(["adapters", "merge", str(run), str(tmp_path / "merged")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "merged").exists()
