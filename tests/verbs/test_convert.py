"""`convert`: round trips without loss between formats, on planted, random and real rows, and what is said of losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import weitiao
from weitiao.cli import main
from weitiao.errors import ProblemsFound, Refused
from weitiao.verbs.convert import Conversion

ENDINGS = {
    "conll": "x.conll",
    "conllu": "x.conllu",
    "doccano": "x.doccano.jsonl",
    "jsonl": "x.jsonl",
    "label_studio": "x.json",
}
CHAINS = [
    ("doccano", "label_studio", "conll", "jsonl"),
    ("label_studio", "doccano", "jsonl", "conll", "doccano", "jsonl"),
    ("conll", "label_studio", "doccano", "conll", "jsonl"),
]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def through(source: Path, formats: tuple[str, ...]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of the last of these formats (jsonl), each written from the one before, and every loss on the way."""
    lost: list[str] = []
    before = None
    for number, name in enumerate(formats):
        target = source.parent / f"{number}-{ENDINGS[name]}"
        done = weitiao.convert(source, target, read_as=before, write_as=name, force=True)
        assert not [problem for problem in done.problems if problem.severity != "note"]
        lost += done.lost
        source, before = target, name
    return [json.loads(line) for line in source.read_bytes().splitlines()], lost


def essence(rows: list[dict[str, Any]]) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Texts and spans, each span proven by its own text."""
    for row in rows:
        assert all(row["text"][span["start"] : span["end"]] == span["text"] for span in row["spans"])
    return [(row["text"], [(each["start"], each["end"], each["label"]) for each in row["spans"]]) for row in rows]


PLANTED = [
    ("Peter met Ann", [(0, 5, "PER"), (10, 13, "PER")]),
    ("👨🏻\u200d🚒 在北京。Bob's 😀dog", [(6, 8, "LOC"), (9, 12, "PER"), (15, 16, "X Y")]),
    ("第一行\r\n第二行\u3000e\u0301té \t", [(0, 3, "行"), (5, 8, "行"), (9, 13, "FR")]),
    ('"quoted" # text = no', [(1, 7, "Q")]),
    ("-LRB- a\u2028b", []),
]


def inner(rows: list[tuple[str, list[tuple[int, int, str]]]]) -> list[dict[str, Any]]:
    return [{"text": text, "spans": [{"start": a, "end": b, "label": c} for a, b, c in spans]} for text, spans in rows]


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_round_trips_of_planted_rows(tmp_path: Path, chain: tuple[str, ...]) -> None:
    rows, lost = through(lines(tmp_path / "in.jsonl", inner(PLANTED)), chain)
    assert essence(rows) == PLANTED
    assert lost == []


@st.composite
def marked(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    """A hostile text and spans of it that do not overlap, without white space at their borders."""
    text = draw(
        st.text(st.sampled_from('ab1中文。 \u3000\r\n\t\u0301\u200d😀👨🏻🇨🇳#"\\-'), min_size=1, max_size=30).filter(
            str.strip
        )
    )
    borders = draw(st.lists(st.integers(0, len(text)), unique=True, max_size=6).map(sorted))
    spans = [
        (a, b, draw(st.sampled_from(["X", "Y-Z", "标签", "two words"])))
        for a, b in zip(borders[::2], borders[1::2], strict=False)
        if text[a:b].strip() and text[a:b] == text[a:b].strip() and text[a:b].strip("\u200d")
    ]
    return text, spans


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(marked(), min_size=1, max_size=4), st.sampled_from(CHAINS))
def test_round_trips_of_random_rows(tmp_path: Path, rows: list[Any], chain: tuple[str, ...]) -> None:
    found, lost = through(lines(tmp_path / "in.jsonl", inner(rows)), chain)
    assert essence(found) == rows
    assert lost == []


@pytest.mark.parametrize(
    ("name", "source", "rows", "spans"),
    [
        ("conll2003", "eng.testb", 3453, 5648),
        ("resume_ner", "test.char.bmes", 477, 1630),
        ("wnut17", "emerging.test.annotated", 1287, 1079),
    ],
)
def test_round_trips_of_real_rows(
    shared_data: Path, tmp_path: Path, name: str, source: str, rows: int, spans: int
) -> None:
    first = tmp_path / "first.jsonl"
    weitiao.convert(shared_data / name / source, first)
    expected = [json.loads(line) for line in first.read_bytes().splitlines()]
    assert (len(expected), sum(len(row["spans"]) for row in expected)) == (rows, spans)
    found, lost = through(first, CHAINS[-1])
    assert essence(found) == essence(expected)
    assert lost == []
    others = [key for key in expected[0] if key not in ("text", "spans")]
    assert "tokens" in others
    assert [[row[key] for key in others] for row in found] == [[row[key] for key in others] for row in expected]


def test_a_real_file_with_overlaps_says_what_conll_loses(shared_data: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.jsonl"
    done = weitiao.convert(shared_data / "cluener2020" / "train.json", tmp_path / "all.conll")
    assert (done.read_as, done.rows) == ("cluener", 10748)
    assert done.lost == ["2 spans overlap longer ones and are left out"]
    done = weitiao.convert(shared_data / "cluener2020" / "dev.json", first)
    assert (done.rows, done.lost) == (1343, [])
    expected = [json.loads(line) for line in first.read_bytes().splitlines()]
    found, lost = through(first, ("doccano", "label_studio", "jsonl"))
    assert essence(found) == essence(expected)
    assert lost == []


def test_intents_and_slots(shared_data: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.jsonl"
    weitiao.convert(shared_data / "atis" / "test", first)
    expected = [json.loads(line) for line in first.read_bytes().splitlines()]
    assert len(expected) == 893
    found, lost = through(first, ("doccano", "label_studio", "doccano", "jsonl"))
    assert essence(found) == essence(expected) and lost == []
    for key in ("label", "tokens"):
        assert [row[key] for row in found] == [row[key] for row in expected]
    done = weitiao.convert(first, tmp_path / "out.conll")
    assert done.lost == ["the column label is left out (893 rows)"]


def test_relations_keep_what_they_join(tmp_path: Path) -> None:
    row = {
        "text": "a b a",
        "spans": [{"id": "x", "start": 0, "end": 1, "label": "A"}, {"id": "y", "start": 4, "end": 5, "label": "A"}],
        "relations": [{"head": "y", "tail": "x", "label": "same"}],
        "page": 7,
    }
    (found,), lost = through(lines(tmp_path / "in.jsonl", [row]), ("doccano", "label_studio", "doccano", "jsonl"))
    starts = {span["id"]: span["start"] for span in found["spans"]}
    assert [(starts[each["head"]], starts[each["tail"]], each["label"]) for each in found["relations"]] == [
        (4, 0, "same")
    ]
    assert (found["page"], lost) == (7, [])
    assert weitiao.convert(tmp_path / "in.jsonl", tmp_path / "out.conll").lost == [
        "1 relation is left out",
        "the column page is left out (1 row)",
    ]


def test_tags_that_are_no_spans_stay_tags(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    path.write_text("迈向/v  新/a  世纪/n\n[中国/ns  政府/n]nt  好/a\n", "utf-8")
    weitiao.convert(path, tmp_path / "out.conll")
    assert (tmp_path / "out.conll").read_text(
        "utf-8"
    ) == "迈向\tv\tO\n新\ta\tO\n世纪\tn\tO\n\n中国\tns\tB-nt\n政府\tn\tI-nt\n好\ta\tO\n\n"


def test_rows_that_cannot_be_used_are_left_out_and_named(tmp_path: Path) -> None:
    rows = [*inner(PLANTED[:1]), {"text": "short", "spans": [[0, 99, "X"]]}, {"text": " "}]
    done = weitiao.convert(lines(tmp_path / "in.jsonl", rows), tmp_path / "out.json", write_as="doccano")
    (problem,) = done.problems
    assert (done.rows, problem.severity, [row.line for row in problem.rows]) == (1, "warning", [2, 3])
    assert "the span 0-99 (X) lies outside the text of 5 characters" in problem.message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.jsonl", "b.conll"], "nowhere.jsonl: no such file"),
        (
            ["in.jsonl", "b.xyz"],
            "the ending '.xyz' does not tell the format to write; give --to, one of: conll, conllu, csv, ",
        ),
        (["in.jsonl", "b.conll", "--to", "docano"], "unknown writer 'docano'; expected one of: "),
        (["in.jsonl", "b.conll", "--from", "docano"], "unknown format 'docano'; expected one of: "),
        (["in.jsonl", "taken.conll"], "taken.conll: already there; name another file, or overwrite it with --force"),
        (
            ["table.csv", "b.conll"],
            "table.csv: no column is known to hold texts; name it `text`; the columns are: x, y",
        ),
        (["empty.jsonl", "b.conll"], "empty.jsonl: no row can be used; the first: empty.jsonl:1: empty text"),
        (["in.jsonl", "."], "give --to, one of"),
        (["in.jsonl", ".", "--to", "conll"], "is a folder; name a file in it"),
        (["folder", "b.conll"], "folder: is a folder; name its files with a pattern"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "in.jsonl", inner(PLANTED))
    lines(tmp_path / "empty.jsonl", [{"text": "", "spans": []}])
    (tmp_path / "table.csv").write_text("x,y\n1,2\n", "utf-8")
    (tmp_path / "taken.conll").write_text("mine", "utf-8")
    (tmp_path / "folder").mkdir()
    assert main(["convert", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "b.conll").exists()
    assert (tmp_path / "taken.conll").read_text("utf-8") == "mine"


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "in.jsonl", [{**row, "page": 1} for row in inner(PLANTED)])
    (tmp_path / "out.conll").write_text("before", "utf-8")
    assert main(["convert", "in.jsonl", "out.conll", "--force"]) == 0
    assert capsys.readouterr().out == (
        "wrote out.conll; jsonl as conll; rows: 5\nWhat conll cannot hold:\n  the column page is left out (5 rows)\n"
    )
    assert main(["convert", "out.conll", "back.json", "--to", "label_studio", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["read_as"], answer["written_as"], answer["rows"], answer["lost"]) == ("conll", "label_studio", 5, [])


def test_the_call(tmp_path: Path) -> None:
    done = weitiao.convert(lines(tmp_path / "in.jsonl", inner(PLANTED)), tmp_path / "out.conll")
    assert isinstance(done, Conversion)
    with pytest.raises(Refused, match="already there"):
        weitiao.convert(tmp_path / "in.jsonl", tmp_path / "out.conll")


WORDS = ("Er", "ist", "in", "dem", "Haus")
CONTRACTION = "# text = Er ist im Haus\n" + "".join(
    ("3-4\tim" + "\t_" * 8 + "\n" if number == 3 else "") + f"{number}\t{word}" + "\t_" * 4 + "\t0\troot\t_\t_\n"
    for number, word in enumerate(WORDS, start=1)
)


def test_words_of_a_contraction_stand_where_their_row_says(tmp_path: Path) -> None:
    source = tmp_path / "in.conllu"
    source.write_text(CONTRACTION + "\n", "utf-8")
    (row,), lost = through(source, ("conllu", "jsonl"))
    assert (row["tokens"], lost) == (["Er", "ist", "im", "im", "Haus"], [])
    done = weitiao.convert(source, tmp_path / "out.conll")
    assert (tmp_path / "out.conll").read_text("utf-8") == "Er\tO\nist\tO\nim\tO\nHaus\tO\n\n"
    assert "1 word of a contraction is left out, for its line is that of the word before it" in done.lost


def test_a_source_decides_whether_its_tags_mark_spans(tmp_path: Path) -> None:
    (tmp_path / "in.bmes").write_text("我 B\n们 E\n是 S\n\n好 O\n", "utf-8")
    rows, _lost = through(tmp_path / "in.bmes", ("jsonl", "conll", "jsonl"))
    assert essence(rows) == [("我们是", [(0, 2, "word"), (2, 3, "word")]), ("好", [])]
    parts = [{"tokens": ["a", "b"], "tags": ["B", "M"]}, {"tokens": ["c", "d"], "tags": ["NN", "O"]}]
    rows, _lost = through(lines(tmp_path / "parts.jsonl", parts), ("jsonl",))
    assert [row.get("tags") for row in rows] == [["B", "M"], ["NN", "O"]]
    slip = [{"tokens": ["a"], "tags": ["B-X"]}] * 99 + [{"tokens": ["b"], "tags": ["BX"]}]
    done = weitiao.convert(lines(tmp_path / "slip.jsonl", slip), tmp_path / "out.conll")
    assert done.rows == 99 and "tag 'BX' does not say where a span begins" in done.problems[0].message


def test_tokens_make_the_text_of_a_document(tmp_path: Path) -> None:
    row = {"tokens": ["a", "b"], "document": "news 1"}
    (found,), _lost = through(lines(tmp_path / "in.jsonl", [row]), ("jsonl",))
    assert found == {"text": "a b", **row}


@pytest.mark.parametrize("format_name", ["conll", "conllu", "doccano", "jsonl", "label_studio"])
def test_half_a_surrogate_pair_is_no_fault_of_weitiao(tmp_path: Path, format_name: str) -> None:
    row = {"text": "a", "document": "x \ud83d", "sent_id": "\ud83d", "2": ["\ud83d"], "spans": [[0, 1, "A"]]}
    source = lines(tmp_path / "in.jsonl", [row])
    done = weitiao.convert(source, tmp_path / "out", write_as=format_name)
    told = {
        "conll": "the column 2 is left out (1 row)",
        "conllu": "halves of surrogate pairs inside 2 cells or texts are written as escapes such as \\ud83d",
    }
    assert done.rows == 1 and (format_name not in told or told[format_name] in done.lost)


def test_a_column_that_counts_is_not_written_and_others_come_back(tmp_path: Path) -> None:
    """A single token that is its own part of speech is no column of tokens."""
    source = tmp_path / "in.conll"
    source.write_text("1\tEU\tNN\tB-ORG\n2\twon\tVB\tO\n\n1\t.\t.\tO\n", "utf-8")
    _rows, lost = through(source, ("conll", "jsonl", "conll", "jsonl"))
    assert lost == []
    assert (tmp_path / "2-x.conll").read_text("utf-8") == "EU\tNN\tB-ORG\nwon\tVB\tO\n\n.\t.\tO\n\n"


def test_the_encoding_of_the_source_can_be_named(tmp_path: Path) -> None:
    source, target = tmp_path / "a.conll", tmp_path / "b.jsonl"
    source.write_bytes("коза\tB-X\nи\tO\n".encode("koi8-r"))
    with pytest.raises(ProblemsFound, match="the encoding cannot be told"):
        weitiao.convert(source, target)
    assert main(["convert", str(source), str(target), "--encoding", "koi8-r"]) == 0
    assert json.loads(target.read_text("utf-8"))["tokens"] == ["коза", "и"]


def test_doccano_says_how_its_offsets_count(tmp_path: Path) -> None:
    rows = [{"text": text, "spans": [{"start": 2, "end": 5, "label": "PER"}]} for text in ("😀 Ann", "a Ann")]
    done = weitiao.convert(lines(tmp_path / "a.jsonl", rows), tmp_path / "b.jsonl", write_as="doccano")
    assert [(problem.severity, problem.message) for problem in done.problems] == [
        (
            "note",
            "in 1 row with characters such as emoji the offsets count UTF-16 units, as doccano does, and its column "
            "`offsets` says so",
        )
    ]
    first, second = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text("utf-8").splitlines()]
    assert (first["label"], first["offsets"], "offsets" in second) == ([[3, 6, "PER"]], "utf-16", False)
