"""Reports are passed around: no path in them names a home folder; what the rows say is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation import synthetic
from weitiao.evaluation.sharing import shareable, short


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and a project in it that one works in."""
    (tmp_path / "ann/project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "ann"))
    monkeypatch.chdir(tmp_path / "ann/project")
    return tmp_path / "ann"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("{home}/project/data/reviews.csv", "data/reviews.csv"),
        ("{home}/models/bert", "~/models/bert"),
        ("  train: {home}/project/a.csv\n  test: '{home}/b c.csv'\n", "  train: a.csv\n  test: '~/b c.csv'\n"),
        ("[{home}/a.csv, {home}/project/b.csv]", "[~/a.csv, b.csv]"),
        ("与{home}/a.csv:3 重复（{home}/b.csv）", "与~/a.csv:3 重复（~/b.csv）"),
        ("{home}ette/a.csv", "{home}ette/a.csv"),
        ("/srv{home}/a.csv", "/srv{home}/a.csv"),
        ("starter:zh-en", "starter:zh-en"),
        ("/srv/reviews.csv", "/srv/reviews.csv"),
    ],
)
def test_paths_as_they_are_shown(written: str, shown: str, home: Path) -> None:
    assert short(written.format(home=home)) == shown.format(home=home)


def test_a_home_behind_a_link_is_shortened_under_both_names(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(home)
    monkeypatch.setenv("HOME", str(link))
    monkeypatch.setenv("PWD", str(link / "project"))
    assert short(f"{home}/a.csv {link}/a.csv {home}/project/b {link}/project/b") == "~/a.csv ~/a.csv b b"


def test_a_root_is_no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.chdir("/")
    assert short(f"{home}/a.csv") == f"{home}/a.csv"


def test_only_paths_are_shortened(home: Path) -> None:
    made = synthetic.report()
    text = f"see {home}/notes"
    mistake = made.mistakes[0].model_copy(update={"text": text, "place": f"{home}/reviews.csv:2"})
    changes = {"mistakes": [mistake], "model": f"{home}/project/bert", "split": f"{home}/new.csv"}
    shown = shareable(made.model_copy(update=changes))
    assert shown.split == "~/new.csv"
    assert (shown.mistakes[0].place, shown.mistakes[0].text, shown.model) == ("~/reviews.csv:2", text, "bert")
    assert shareable(made) == made
