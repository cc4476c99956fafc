"""Files in, answers out: order, faulty rows, formats, and what is never overwritten."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from weitiao import Run, predict, train
from weitiao.cli import main
from weitiao.data.fields import FieldMap
from weitiao.data.reading import long, read_rows
from weitiao.data.writing.sheet import cell
from weitiao.errors import ProblemsFound, Refused
from weitiao.models.tiny import tiny
from weitiao.records import FoundSpan, Row
from weitiao.serving.desk import Desk, Limits
from weitiao.serving.predictor import Predictor
from weitiao.verbs.evaluate import evaluate
from weitiao.verbs.predict import predict_file
from weitiao.verbs.predicting.asked import Asked, _chunks

ROWS = [
    {"id": 7, "text": "很好", "extra": [1, 2]},
    {"id": 8, "text": "  "},
    {"id": 9, "text": 'dull, "overlong"\nand loud'},
    {"id": 10, "text": None},
    {"id": 11, "text": "half \ud83d"},
    {"id": 12, "text": "fine", "label": "neg"},
]


@pytest.fixture
def source(run_with_data: Path) -> Path:
    path = run_with_data.parent / "new.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return path


def expected(run: Path) -> dict[int, object]:
    predictor = Predictor.load(run)
    good = {row["id"]: row["text"] for row in ROWS if row["id"] in (7, 9, 12)}
    answers = predictor.predict(predictor.records(good.values()))  # type: ignore[arg-type]
    return dict(zip(good, answers, strict=True))  # type: ignore[arg-type]


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


@pytest.mark.parametrize("chunk", [1, 2, 1024])
def test_jsonl_keeps_rows_order_and_reasons(
    run_with_data: Path, source: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.verbs.predicting.asked.CHUNK", chunk)
    output = source.with_name("out.jsonl")
    answered = predict_file(run_with_data, source, output)
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == [7, 8, 9, 10, 11, 12]
    assert lines[0]["extra"] == [1, 2]
    assert [line["error"] is None for line in lines] == [True, False, True, False, False, True]
    for line in lines:
        assert (line["prediction"] is None) == (line["error"] is not None)
    for number, answer in expected(run_with_data).items():
        line = next(each for each in lines if each["id"] == number)
        assert line["prediction"]["scores"] == pytest.approx(answer.scores, abs=1e-6)  # type: ignore[attr-defined]
    assert (answered.rows, answered.faulty) == (6, 3)
    assert answered.faults[0] == f"{source}:2: empty text"


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_tables_have_a_column_for_each_part_of_the_answer(
    run_with_data: Path, source: Path, suffix: str, delimiter: str
) -> None:
    output = source.with_name("out" + suffix)
    predict_file(run_with_data, source, output)
    found = table(output, delimiter)
    assert [row["id"] for row in found] == ["7", "8", "9", "10", "11", "12"]
    assert found[2]["text"] == 'dull, "overlong"\nand loud'
    assert list(found[0]) == [
        "id", "text", "extra", "label",
        "predicted_labels", "predicted_confidence", "predicted_scores", "predicted_abstained", "error",
    ]  # fmt: skip
    assert found[1]["predicted_labels"] == ""
    assert found[1]["error"] == "empty text"
    for number, answer in expected(run_with_data).items():
        row = next(each for each in found if each["id"] == str(number))
        assert row["predicted_labels"] == answer.labels[0]  # type: ignore[attr-defined]
        assert json.loads(row["predicted_scores"]) == pytest.approx(answer.scores, abs=1e-5)  # type: ignore[attr-defined]


def test_the_order_of_many_rows_of_a_long_file(run_with_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = run_with_data.parent / "many.csv", run_with_data.parent / "out.csv"
    source.write_text("text\n" + "".join(f"row {number}\n" for number in range(2500)), "utf-8")
    monkeypatch.setattr(long, "HEAD", 1000)
    told: list[int] = []
    predict_file(run_with_data, source, output, on_rows=told.append)
    assert [row["text"] for row in table(output)] == [f"row {number}" for number in range(2500)]
    assert told == [1024, 2048, 2500]


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".csv", "\ufeffid,text,"), (".tsv", "id\ttext\t"), (".jsonl", '{"id"')]
)
def test_only_csv_begins_with_the_mark_that_spreadsheets_look_for(
    run_with_data: Path, source: Path, suffix: str, begins: str
) -> None:
    output = source.with_name("答案" + suffix)
    predict_file(run_with_data, source, output)
    assert output.read_bytes().startswith(begins.encode())
    reading = read_rows(str(output))
    assert reading.columns[:2] == ["id", "text"]
    assert reading.rows[0].fields["text"] == "很好"


BROKEN = 'text,note\ngood, but slow,a,b\nfine,c\nonly\n"open,d\nnice,e\n'


@pytest.mark.parametrize("head", [long.HEAD, 30])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_no_cell_of_a_faulty_row_is_lost(
    run_with_data: Path, suffix: str, head: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that are too many stay in the last column, and a line that cannot be parted in the first."""
    monkeypatch.setattr(long, "HEAD", head)
    source, output = run_with_data.parent / "new.csv", run_with_data.parent / f"out{suffix}"
    source.write_text(BROKEN, "utf-8")
    answered = predict_file(run_with_data, source, output)
    if suffix == ".jsonl":
        found = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    else:
        found = table(output, "," if suffix == ".csv" else "\t")
    assert [(row["text"], row.get("note") or "") for row in found] == [
        ("good", " but slow,a,b"), ("fine", "c"), ("only", ""), ('"open,d', ""), ("nice", "e"),
    ]  # fmt: skip
    assert [bool(row["error"]) for row in found] == [True, False, True, True, False]
    assert (answered.rows, answered.faulty) == (5, 3)


def test_texts_that_the_model_reads_in_part_are_counted(run_with_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.verbs.predicting.asked.CHUNK", 2)
    long_text = "a much longer text " * 40
    source = run_with_data.parent / "new.csv"
    source.write_text(f"text\nfine\n{long_text}\n\n  \n{long_text}\n{long_text}\n", "utf-8")
    answered = predict_file(run_with_data, source, source.with_name("out.csv"))
    assert (answered.truncated, answered.faulty, answered.max_length) == (3, 1, 64)


def test_nothing_is_overwritten_unless_told(run_with_data: Path, source: Path) -> None:
    output = source.with_name("out.csv")
    output.write_text("mine", "utf-8")
    with pytest.raises(Refused) as refused:
        predict_file(run_with_data, source, output)
    assert str(refused.value) == f"{output}: already there; name another file, or overwrite it with --force"
    assert output.read_text("utf-8") == "mine"
    predict_file(run_with_data, source, output, force=True)
    assert output.read_text("utf-8-sig").startswith("id,text")


def test_a_failure_in_the_middle_leaves_the_old_file(
    run_with_data: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = source.with_name("out.csv")
    output.write_text("mine", "utf-8")

    def broken(self: Predictor, records: object) -> list[object]:
        raise RuntimeError("broken")

    monkeypatch.setattr(Predictor, "answer", broken)
    with pytest.raises(RuntimeError):
        predict_file(run_with_data, source, output, force=True)
    assert output.read_text("utf-8") == "mine"
    assert not list(source.parent.glob(".out.csv*"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_call_that_was_killed_is_gone_on_with_to_the_byte(run_with_data: Path, suffix: str) -> None:
    """SIGKILL after two of four parts, with half a row written behind them; the same call again answers two more."""
    source = run_with_data.parent / "long.csv"
    source.write_text("text,note\n" + "".join(f"row {n} is fine,{'é' * (n % 3)}\n" for n in range(40)), "utf-8")
    whole, output = source.with_name("whole" + suffix), source.with_name("out" + suffix)
    killed = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from weitiao.verbs import predict as verb\n"
        "from weitiao.verbs.predicting import asked\n"
        "asked.CHUNK = 10\n"
        "def stop(rows):\n"
        "    if rows == 20:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "verb.predict_file(sys.argv[1], sys.argv[2], sys.argv[3], on_rows=stop)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weitiao.verbs.predicting.asked.CHUNK", 10)
        alone = predict_file(run_with_data, source, whole)
        command = [sys.executable, "-c", killed, str(run_with_data), str(source), str(output)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        assert not output.exists()
        part = source.with_name(f".out{suffix}.part")
        with part.open("a", encoding="utf-8") as stream:
            stream.write("row 2")
        told: list[int] = []
        answered = predict_file(run_with_data, source, output, on_rows=told.append)
    assert told == [30, 40]
    assert output.read_bytes() == whole.read_bytes()
    assert answered.resumed == 20
    assert {**answered.as_json(), "output": "", "resumed": 0} == {**alone.as_json(), "output": ""}
    assert not list(source.parent.glob(".out*"))


def test_another_source_begins_anew(run_with_data: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.verbs.predicting.asked.CHUNK", 2)
    output = source.with_name("out.jsonl")

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file(run_with_data, source, output, on_rows=stop)
    assert len(source.with_name(".out.jsonl.part").read_text("utf-8").splitlines()) == 2
    source.write_text('{"text": "another"}\n', "utf-8")
    assert predict_file(run_with_data, source, output).resumed == 0
    assert len(output.read_text("utf-8").splitlines()) == 1


def test_a_folder_or_a_pattern_is_another_source_once_a_file_in_it_changes(run_with_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "one"}\n', "utf-8")
    for source in (str(folder), str(folder / "*.jsonl")):
        before = Asked(run_with_data, source, None).identity()
        assert Asked(run_with_data, source, None).identity() == before
        with (folder / "a.jsonl").open("a", encoding="utf-8") as stream:
            stream.write('{"text": "two"}\n')
        assert Asked(run_with_data, source, None).identity() != before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xlsx", "the ending '.xlsx' is no format to write; expected .csv, .tsv or .jsonl"),
        ("out", "the ending '' is no format to write; expected .csv, .tsv or .jsonl"),
    ],
)
def test_unknown_endings_are_refused(run_with_data: Path, source: Path, name: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        predict_file(run_with_data, source, source.with_name(name))
    assert str(refused.value) == f"{source.with_name(name)}: {message}"


def test_a_file_without_the_text_column_is_refused(run_with_data: Path) -> None:
    source = run_with_data.parent / "new.csv"
    source.write_text("number,colour\n1,red\n2,blue\n", "utf-8")
    with pytest.raises(ProblemsFound, match="no column for the field `text`"):
        predict_file(run_with_data, source, source.with_name("out.csv"))
    assert not source.with_name("out.csv").exists()


def test_a_column_of_ours_in_the_input_is_refused(run_with_data: Path) -> None:
    source = run_with_data.parent / "new.csv"
    source.write_text("text,error\nfine,none\ngood,none\n", "utf-8")
    with pytest.raises(Refused) as refused:
        predict_file(run_with_data, source, source.with_name("out.csv"))
    assert str(refused.value) == "the input already has a column 'error', which the answers need; rename it"


def test_texts_are_answered_as_by_the_run_object(run_with_data: Path) -> None:
    assert predict(run_with_data, ["fine", "很好"]) == Run(run_with_data).predict(["fine", "很好"])


def test_spans_in_a_cell_are_json() -> None:
    span = FoundSpan(start=0, end=2, label="LOC", text="北京", confidence=0.5)
    assert json.loads(cell((span,))) == [span.model_dump()]


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `tag` that reads the neighbours of a text, beside the rows that it was measured on, test.jsonl."""
    base = tmp_path_factory.mktemp("context")
    for split, documents in (("train", 12), ("test", 4)):
        rows = [
            {"page": f"{split}{page}", "text": text, "spans": [[4, 8, "CITY" if page % 2 else "NAME"]]}
            for page in range(documents)
            for text in (f"the film was {'long' if page % 2 else 'short'} {split} {page}", "the dogs", "the lazy fox")
        ]
        (base / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    train(
        {
            "task": {"name": "tag", "context": 8},
            "model": str(tiny("bert", base / "tiny")),
            "data": {
                "train": str(base / "train.jsonl"), "test": str(base / "test.jsonl"), "dev": None,
                "fields": {"group": "page"},
            },
            "training": {"epochs": 3, "learning_rate": 5e-3, "batch_size": 8},
            "evaluation": {"resamples": 100, "baselines": []},
            "output": str(base / "run"),
        }
    )  # fmt: skip
    return base / "run"


def said(prediction: Any) -> list[Any]:
    """The spans of an answer as JSON, without their text, and sure to four digits."""
    return [
        (*(each[k] for k in ("start", "end", "label")), round(each["confidence"], 4)) for each in prediction["spans"]
    ]


def test_what_is_measured_is_what_is_answered_where_neighbours_are_read(
    tagger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the run's own figures, a file on the command line, rows in Python and a request: the same answers."""
    monkeypatch.setattr("weitiao.verbs.predicting.asked.CHUNK", 2)
    source, output = tagger.parent / "test.jsonl", tagger.parent / "out.jsonl"
    measured = [said(line["prediction"]) for line in lines(tagger / "predictions.jsonl")]
    assert main(["predict", str(tagger), "--input", str(source), "--output", str(output)]) == 0
    assert [said(line["prediction"]) for line in lines(output)] == measured
    rows = lines(source)
    asked = [{"text": row["text"], "group": row["page"]} for row in rows]
    predictor = Predictor.load(tagger)
    assert [said(each.model_dump()) for each in predictor.predict(asked)] == measured
    answer = Desk([predictor], Limits()).answer("run", json.dumps(asked).encode())
    assert [said(each) for each in answer["predictions"]] == measured
    alone = predictor.predict([row["text"] for row in rows])
    assert [said(each.model_dump()) for each in alone] != measured
    again = evaluate(tagger, data=str(source)).report
    assert again.metrics == Run(tagger).report.metrics


def test_rows_without_a_document_stand_alone(tagger: Path) -> None:
    source = tagger.parent / "bare.csv"
    source.write_text("text\nthe dogs\nthe dogs\n", "utf-8")
    predict_file(tagger, source, source.with_name("bare.jsonl"))
    first, second = lines(source.with_name("bare.jsonl"))
    assert said(first["prediction"]) == said(second["prediction"])
    with pytest.raises(Refused, match="unknown field 'page'; expected: text, tokens, group"):
        predict(tagger, [{"text": "the dogs", "page": "a"}])


@pytest.mark.parametrize(
    ("documents", "together", "sizes"),
    [
        ("aaaaaaa", False, [2, 2, 2, 1]),
        ("aaaaaaa", True, [5, 2]),  # as long as may be
        ("abbbca", True, [4, 2]),
        ("ab    ", True, [2, 2, 2]),  # rows of no document
        ("abb!bc", True, [5, 1]),  # a faulty row has no document of its own
    ],
)
def test_a_document_is_answered_in_one_piece(
    documents: str, together: bool, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.verbs.predicting.asked.CHUNK", 2)
    monkeypatch.setattr("weitiao.verbs.predicting.asked.LONGEST", 5)
    rows = [Row({"page": each}, "f", line, "bad" if each == "!" else "") for line, each in enumerate(documents)]
    chunks = list(_chunks(rows, FieldMap({"group": ("page",)}), together=together))
    assert [len(each) for each in chunks] == sizes
    assert [row for each in chunks for row in each] == rows


def test_a_cluster_that_is_none_is_refused_in_words(run_with_data: Path, source: Path) -> None:
    with pytest.raises(Refused, match=r"`cluster` is 3; expected a weitiao.Cluster or its name"):
        predict_file(run_with_data, source, source.parent / "out.jsonl", cluster=3)  # type: ignore[arg-type]
    assert not (source.parent / "out.jsonl").exists()
