"""Token columns: what is told as them, documents, comments, spaces and tabs, characters, and faulty lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weitiao.data.reading import Reading, choose_format, read_rows
from weitiao.data.reading.conll import columns_of
from weitiao.data.reading.source import Source
from weitiao.errors import ProblemsFound

CONLL2003 = (
    "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n\n"
    "-DOCSTART- -X- -X- O\n\nHe PRP B-NP O\n"
)


def read(folder: Path, text: str, name: str = "f.conll") -> Reading:
    path = folder / name
    path.write_bytes(text.encode())
    return read_rows(str(path))


def fields(folder: Path, text: str, name: str = "f.conll") -> list[dict[str, Any]]:
    return [dict(row.fields) for row in read(folder, text, name).rows]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["f.conll", "f.txt", "f.bio", "f"])
def test_sentences_and_documents(tmp_path: Path, ending: str, name: str) -> None:
    reading = read(tmp_path, CONLL2003.replace("\n", ending), name)
    assert reading.file.format == "conll"
    first, second, third = reading.rows
    assert first.fields == {
        "1": ["EU", "rejects"], "2": ["NNP", "VBZ"], "3": ["B-NP", "B-VP"], "4": ["B-ORG", "O"],
        "text": "EU rejects", "tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"], "document": "1",
    }  # fmt: skip
    assert (first.line, second.line, third.line) == (3, 6, 10)
    assert [row.fields["document"] for row in reading.rows] == ["1", "1", "2"]


@pytest.mark.parametrize(
    "text",
    [
        "EU\tB-ORG\nsaid\tO\n\n",
        "EU B-ORG\nsaid O",
        "EU  B-ORG  \nsaid   O\n\n\n\n",
        "\ufeffEU B-ORG\nsaid O\n\u200b\n",
        "# id = 1\nEU B-ORG\n# an odd one\nsaid O\n",
    ],
)
def test_blanks_and_comments_are_no_obstacle(tmp_path: Path, text: str) -> None:
    (row,) = fields(tmp_path, text)
    assert (row["tokens"], row["tags"], row["text"]) == (["EU", "said"], ["B-ORG", "O"], "EU said")
    assert "document" not in row


def test_a_hash_is_a_token_where_it_has_a_tag(tmp_path: Path) -> None:
    (row,) = fields(tmp_path, "# B-X\n1 I-X\n\n")
    assert row["tokens"] == ["#", "1"]


def test_chinese_characters_stand_together_and_words_of_both_apart(tmp_path: Path) -> None:
    characters = fields(tmp_path, "在 O\nA B-X\n股 I-X\n\n北 B-L\n京 I-L\n" + "好 O\n" * 20)
    assert [row["text"] for row in characters] == ["在A股", "北京" + "好" * 20]
    words = fields(tmp_path, "I O\nam O\n在 O\n北京 B-LOC\nnow O\n\n")
    assert words[0]["text"] == "I am在北京now"


def test_an_ideographic_space_is_a_token(tmp_path: Path) -> None:
    (row,) = fields(tmp_path, "北 B-L\n\u3000 O\n京 O\n")
    assert row["tokens"] == ["北", "\u3000", "京"]
    assert columns_of("\u3000 O") == ["\u3000", "O"]
    assert columns_of("a b\tO ") == ["a b", "O"]


def test_a_line_of_another_width_costs_its_sentence(tmp_path: Path) -> None:
    reading = read(
        tmp_path, "EU B-ORG\nsaid O\n\nthe\nend O\n\nso O x\n\nit O\n\n# only some\n# comments, more or less\n"
    )
    assert [(row.line, row.problem) for row in reading.rows] == [
        (1, ""),
        (4, "columns: 1; in the other lines: 2"),
        (7, "columns: 3; in the other lines: 2"),
        (9, ""),
        (11, "a sentence of comments"),
    ]
    assert reading.columns == ["1", "2", "text", "tokens", "tags"]


def test_one_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound, match="no line has two columns; expected a token and its tag a line"):
        read(tmp_path, "a\nb\n\nc\n")


@pytest.mark.parametrize(
    ("name", "text", "chosen"),
    [
        ("f.conll", "the\tDT\nend\tNN\n\n", "conll"),  # parts of speech look like a table but for the ending
        ("f.iob2", "a b\n", "conll"),
        ("f.txt", "EU\tB-ORG\nsaid\tO\n\n", "conll"),
        ("f.tsv", "EU\tB-ORG\nsaid\tO\n\n", "conll"),
        ("f.tsv", "good film\tO\nbad film\tO\n\n", "tsv"),
        ("f.tsv", "text\tlabel\na\tB-X\n", "tsv"),
        ("f.csv", "text,label\na,B-X\n\n", "csv"),
    ],
)
def test_what_is_told_as_columns_of_tokens(tmp_path: Path, name: str, text: str, chosen: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert choose_format(Source(tmp_path / name, name)) == chosen


def test_real_ones(shared_data: Path) -> None:
    reading = read_rows(str(shared_data / "wnut17" / "wnut17train.conll"))
    assert reading.file.format == "conll" and len(reading.rows) == 3394
    assert not any(row.problem for row in reading.rows)


@pytest.mark.parametrize("start", [0, 1])
def test_a_column_that_counts_the_tokens_is_none_of_them(tmp_path: Path, start: int) -> None:
    text = "# sent_id = 7\n" + "".join(
        f"{number}\t{token}\t{tag}\t{inner}\n"
        for number, (token, tag, inner) in enumerate([("Uni", "B-ORG", "O"), ("Bonn", "I-ORG", "B-LOC")], start)
    )
    reading = read(tmp_path, f"{text}\n{start}\tJa\tO\tO\n")
    assert [row.fields["tokens"] for row in reading.rows] == [["Uni", "Bonn"], ["Ja"]]
    (note,) = reading.problems
    assert (note.code, note.severity) == ("several-tag-columns", "note")
    assert note.message == (
        "the columns 3 hold tags of spans, too; 4, the last, is read; for another set data.fields.tags=3"
    )


def test_numbers_that_do_not_count_are_tokens(tmp_path: Path) -> None:
    (row,) = fields(tmp_path, "1 CD O\n3 CD O\n")
    assert row["tokens"] == ["1", "3"]


def test_comments_as_wide_as_tokens_are_comments(tmp_path: Path) -> None:
    first, second = fields(tmp_path, "# sent_id = 1\nEU NNP X B-ORG\n\n# NN = O\nEU = X O\n# N = O\n")
    assert (first["tokens"], second["tokens"]) == (["EU"], ["EU", "#"])


def test_a_fault_is_one_of_its_own_line(tmp_path: Path) -> None:
    reading = read(tmp_path, "EU B-ORG\nsaid O\n\nthe O\nlast O\nend\n.\tO\n\n")
    assert [(row.line, row.problem) for row in reading.rows if row.problem] == [
        (6, "columns: 1; in the other lines: 2")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "EU B-ORG\nsaid O\nBonn I-LOC\n\nIt I-ORG\nAnn B-PER\nLee I-ORG\nX I-ORG\n\n",
            "3 tags continue a span of another type or none, and begin a new one; the first: {path}:3",
        ),
        (
            "北 B-LOC\n京 E-LOC\n市 E-LOC\n\n",
            "1 tag continues a span of another type or none, and begins a new one: {path}:3",
        ),
        ("EU I-ORG\nsaid O\nAnn I-PER\nBob B-PER\nLee I-PER\n\n", ""),  # IOB1
        ("EU I-ORG\nsaid O\n\n", ""),
        ("上 B-LOC\n海 M-LOC\n市 E-LOC\n人 S-PER\n\n", ""),
    ],
)
def test_tags_that_continue_no_span_are_counted(tmp_path: Path, text: str, message: str) -> None:
    found = {problem.code: problem for problem in read(tmp_path, text).problems}
    assert found.keys() == ({"loose-tags"} if message else set())
    if message:
        note = found["loose-tags"]
        assert (note.severity, note.message) == ("note", message.format(path=tmp_path / "f.conll"))
