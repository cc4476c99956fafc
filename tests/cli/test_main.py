"""The program as its users meet it: exit codes, streams, sentences, and how little it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weitiao
from weitiao.cli import main
from weitiao.cli.app import VERBS
from weitiao.cli.layout import columns, table, wrap
from weitiao.errors import Problem, ProblemsFound
from weitiao.tasks import TASKS

HEAVY = ("torch", "transformers", "numpy", "pandas", "sklearn", "pyarrow", "fastapi", "rich")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weitiao", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "LANGUAGE": "en", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["nonsense"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    program = (
        f"import sys; from weitiao.cli import main; main({arguments!r});"
        f"sys.exit(', '.join(sorted(set({HEAVY!r}) & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1:] in ([], [""]) or "error" in done.stderr
    assert not any(name in done.stderr for name in HEAVY)


def test_help_imports_nothing_heavy() -> None:
    """So that it is there at once."""
    program = (
        "import sys; from weitiao.cli import main; code = main(['--help']);"
        "heavy = {'torch', 'transformers', 'numpy', 'sklearn', 'pyarrow'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr); sys.exit(code or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_importing_the_package_is_instant() -> None:
    program = "import sys; import weitiao; sys.exit(bool({'pydantic', 'numpy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_public_names_are_what_they_say() -> None:
    assert weitiao.__all__ == sorted(weitiao.__all__)
    for name in weitiao.__all__:
        assert getattr(weitiao, name) is not None
    public = {
        name for name in vars(weitiao) if not name.startswith("_") and name not in ("annotations", "import_module")
    }
    modules = {name for name in public if type(getattr(weitiao, name)).__name__ == "module"}
    assert public - modules - {"TYPE_CHECKING", "Any"} <= set(weitiao.__all__)
    assert set(weitiao.__all__) <= set(dir(weitiao))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        weitiao.trian  # noqa: B018


def test_every_verb_is_one_call_in_python() -> None:
    names = {"list": "list_entries"}
    for _function, verb, _about in VERBS:
        assert names.get(verb, verb) in weitiao.__all__
        assert callable(getattr(weitiao, names.get(verb, verb)))
    assert callable(weitiao.convert_model)  # weitiao models convert
    assert callable(weitiao.list_adapters)
    assert callable(weitiao.merge_adapter)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prdict"], "error: unknown command 'prdict'; did you mean 'predict'?"),
        (["models", "covert"], "error: unknown command 'covert'; did you mean 'convert'?"),
        (["adapters", "lst"], "error: unknown command 'lst'; did you mean 'list'?"),
        (["adapters", "list", "nowhere"], "error: nowhere: no adapter in it; expected an adapter, a run, or a folder"),
        (["xyz"], "error: unknown command 'xyz'; expected one of: new, check, choose,"),
        (["predict", "r", "--inptu", "x"], "error: unknown option '--inptu'; did you mean '--input'?"),
        (["predict"], "error: RUN is missing: A run folder, or its adapter/."),
        (["serve", "r", "--port", "abc"], "error: the value of --port is not valid; expected a whole number"),
        (["serve", "r", "--port"], "error: option --port needs a value"),
        (["compare", "a", "--json=3"], "error: option --json takes no value"),
        (["compare", "a", "b", "c"], "error: unexpected argument: c"),
        (["train"], "error: RECIPE is missing;"),
        (["train", "r.yaml", "--resume", "x"], "error: --resume goes on with the run's own recipe;"),
        (["predict", "r"], "error: give either texts, or --input FILE with --output FILE"),
        (["predict", "r", "--input", "x"], "error: --output is missing;"),
        (["list", "taks"], "error: nothing to list under 'taks'; expected one of: tasks,"),
        (["evaluate", "nowhere"], "error: nowhere: no such run folder;"),
        (
            ["new", "clasify"],
            f"error: 'clasify' is neither a task nor a ready recipe; expected one of: {', '.join(TASKS)}, ",
        ),
        (["check", "nowhere.yaml"], "error: nowhere.yaml: the recipe cannot be read (No such file or directory);"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["evaluate", "nowhere"], "refused"),
        (["check", "r.yaml"], "unknown-key"),
        (["train", "r.yaml"], "unknown-key"),
        (["check", "nowhere.yaml"], "missing-recipe"),
        (["predict", "nowhere", "text"], "refused"),
        (["compare", "a", "b", "c"], "refused"),
        (["list", "taks"], "refused"),
    ],
)
def test_what_is_refused_is_json_where_json_is_asked_for(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text("task: classify\nmodell: ./m\nmodel: ./m\ndata: none.csv\n")
    assert main([arguments[0], "--json", *arguments[1:]]) == 2
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["ok"] is False
    assert told["exit"] == 2
    assert code in {each["code"] for each in told["problems"]}
    for each in told["problems"]:
        assert set(each) == {"code", "file", "line", "message", "rows", "severity"}
        assert each["message"] in captured.err or arguments == ["check", "r.yaml"]  # whose report is the JSON


def test_json_behind_a_double_dash_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "nowhere", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_no_arguments_show_the_help_and_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_version_and_module() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"weitiao {weitiao.__version__}\n")


def test_problems_come_sorted_and_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    problems = [
        Problem("a", "odd", "f.csv", 3, "warning"),
        Problem("b", "bad", "f.csv", 2),
        Problem("c", "worse"),
        Problem("d", "by the way", severity="note"),
    ]

    def refuse(*_arguments: object, **_named: object) -> None:
        raise ProblemsFound(problems)

    monkeypatch.setattr("weitiao.verbs.check.check", refuse)
    assert main(["check", "r.yaml"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: f.csv:2: bad",
        "error: worse",
        "warning: f.csv:3: odd",
        "note: by the way",
        "2 errors, 1 warning, 1 note",
    ]


def test_a_fault_of_ours_is_exit_1_with_a_traceback_only_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise ValueError("oh")

    monkeypatch.setattr("weitiao.verbs.check.check", broken)
    assert main(["check", "r.yaml"]) == 1
    assert "error: ValueError: oh" in capsys.readouterr().err
    with pytest.raises(ValueError, match="oh"):
        main(["check", "r.yaml", "--debug"])


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("weitiao.verbs.check.check", interrupted)
    assert main(["check", "r.yaml"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "weitiao", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 1


@pytest.mark.parametrize("verb", [["schema"], ["list"], ["list", "models"], ["doctor"]])
def test_json_is_one_object(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_tables_carry_no_colour_into_a_pipe() -> None:
    done = run("list", "models", COLUMNS="80")
    assert "\x1b" not in done.stdout
    assert max(columns(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize("width", [10, 20, 33])
@pytest.mark.parametrize(
    "text",
    ["in plain words that are short", "微调预训练模型，得到可信的结果。再来一句。", "mixed 中英 text 混排，well"],
)
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns(line) <= width + 2 for line in lines)  # a closing mark may hang over
    assert not any(line.startswith(("，", "。")) for line in lines)


def test_check_prints_the_plan_then_the_problems(
    made_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"row number {n},{'neg' if n % 3 else 'pos'}\n" for n in range(60))
    Path("reviews.csv").write_text("text,label\n" + rows, "utf-8")
    assert main(["new", "classify", "--data", "reviews.csv"]) == 0
    capsys.readouterr()
    override = f"model.name={made_run / 'model'}"
    began = time.monotonic()
    assert main(["check", "recipe.yaml", override, "--json"]) == 0
    assert time.monotonic() - began < 10
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["labels"] == ["neg", "pos"]
    assert found["plan"]["rows"] == {"train": 43, "dev": 5, "test": 12}
    assert found["files"][0]["fields"] == {"text": "text", "label": "label"}
    assert main(["check", "recipe.yaml", override]) == 0
    assert "train 43, dev 5, test 12" in capsys.readouterr().out
    assert main(["check", "recipe.yaml", override, "training.epochs=0"]) == 2
    assert "1 error" in capsys.readouterr().err


def test_doctor_says_that_an_accelerator_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert weitiao.doctor()["machine"]["device"] == "cpu (cuda present, not used: weitiao trains on the CPU)"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert weitiao.doctor()["machine"]["device"] == "cpu"


CELLS = st.text("ab 长句子，\n", max_size=60)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5), st.integers(40, 100))
def test_a_table_fits_its_width_and_loses_no_character(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = list(table(rows, width, right=[2]))
    assert all(columns(line) <= width for line in lines)
    wanted = Counter("".join("".join(row) for row in rows))
    got = Counter("".join(lines))
    for blank in (" ", "\n"):
        wanted.pop(blank, None)
        got.pop(blank, None)
    assert got == wanted


def test_equally_wide_columns_share_what_there_is() -> None:
    line = next(iter(table([("a " * 75, "b " * 75, "x")], 80)))
    assert abs(2 * line.index("b") - line.index("x")) <= 1


def test_columns_of_a_table_stand_under_each_other() -> None:
    rows = [("文本", "rows", ""), ("a", "12", "x"), ("/a/very/long/path/" * 3, "3", "y")]
    assert list(table(rows, 40, right=[1])) == [
        "文本                             rows",
        "a                                  12  x",
        "/a/very/long/path//a/very/long/     3  y",
        "path//a/very/long/path/",
    ]
