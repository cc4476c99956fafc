"""CoNLL-U: ranges, empty nodes, comments, spaces, documents; faults by line; told apart from other columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weitiao.data.reading import Reading, choose_format, read_rows
from weitiao.data.reading.conllu import standing
from weitiao.data.reading.source import Source
from weitiao.errors import ProblemsFound
from weitiao.tasks.tag import Tag, TagOptions

BARE = "_\t_\t_\t_\t_\t_\t_"


def word(number: object, form: str, head: object = 0, deprel: str = "root", misc: str = "_", upos: str = "X") -> str:
    return f"{number}\t{form}\t_\t{upos}\t_\t_\t{head}\t{deprel}\t_\t{misc}"


def range_of(ids: str, form: str, misc: str = "_") -> str:
    return f"{ids}\t{form}\t{BARE}\t{misc}"


EMPTY = "2.1\tsaid\tsay\tVERB\t_\t_\t_\t_\t0:root\tCopyOf=1"
DONT = [
    "# newdoc id = d1",
    "# sent_id = s1",
    "# text = I don't im.",
    word(1, "I", 3, "nsubj"),
    range_of("2-3", "don't"),
    word(2, "do", 3, "aux"),
    EMPTY,
    word(3, "n't"),
    range_of("4-5", "im", "SpaceAfter=No"),
    word(4, "in", 5, "case"),
    word(5, "dem", 3, "obl:tmod"),
    word(6, ".", 3, "punct"),
]


def read(folder: Path, *sentences: list[str], ending: str = "\n", name: str = "f.conllu") -> Reading:
    path = folder / name
    text = "".join(ending.join([*lines, "", ""]) for lines in sentences)
    path.write_bytes(text.encode())
    return read_rows(str(path))


def fields(folder: Path, *lines: str) -> dict[str, Any]:
    (row,) = read(folder, list(lines)).rows
    assert not row.problem
    return dict(row.fields)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_everything_of_a_sentence(tmp_path: Path, ending: str) -> None:
    reading = read(tmp_path, DONT, [word(1, "Yes")], ending=ending)
    first, second = reading.rows
    assert reading.file.format == "conllu" and reading.problems == []
    assert first.fields == {
        "sent_id": "s1",
        "document": "d1",
        "text": "I don't im.",
        "tokens": ["I", "do", "n't", "im", "im", "."],
        "bounds": [[0, 1], [2, 4], [4, 7], [8, 10], [8, 10], [10, 11]],
        "form": ["I", "do", "n't", "in", "dem", "."],
        "lemma": ["_"] * 6,
        "upos": ["X"] * 6,
        "xpos": ["_"] * 6,
        "feats": ["_"] * 6,
        "heads": [3, 3, 0, 5, 3, 3],
        "deprels": ["nsubj", "aux", "root", "case", "obl:tmod", "punct"],
        "deps": ["_"] * 6,
        "misc": ["_"] * 6,
        "comments": DONT[:3],
        "others": [
            [1, range_of("2-3", "don't").split("\t")],
            [2, EMPTY.split("\t")],
            [3, range_of("4-5", "im", "SpaceAfter=No").split("\t")],
        ],
    }
    assert (first.line, second.line) == (1, 14)
    assert second.fields["document"] == "d1" and "sent_id" not in second.fields


def test_without_text_tokens_are_joined_as_their_spaces_say(tmp_path: Path) -> None:
    lines = [
        word(1, "So"),
        range_of("2-3", "can't", "SpaceAfter=No|Typo=No"),
        word(2, "ca", misc="SpaceAfter=No"),
        word(3, "n't", misc="SpaceAfter=No"),
        word(4, "!", misc="SpaceAfter=No"),
        word(5, "他", misc="NotSpaceAfter=No"),
        word(6, "\u3000"),
    ]
    found = fields(tmp_path, *lines)
    assert found["text"] == "So can't!他 \u3000"
    assert found["tokens"] == ["So", "ca", "n't", "!", "他", "\u3000"]


def test_a_text_of_other_words_is_not_taken_and_told(tmp_path: Path) -> None:
    sentence = ["# text = Ja ja", word(1, "Ja"), word(2, "nein", 1)]
    longer = ["# text = Ja nein doch", *sentence[1:]]
    spaced = ["# text =  Ja \u00a0 nein ", *sentence[1:]]
    reading = read(tmp_path, sentence, longer, spaced, ["# text_en = Yes no", *sentence[1:]])
    assert [row.fields["text"] for row in reading.rows] == ["Ja nein", "Ja nein", " Ja \u00a0 nein ", "Ja nein"]
    assert reading.rows[2].fields["bounds"] == [[1, 3], [6, 10]]
    (problem,) = reading.problems
    assert problem.severity == "warning" and [row.line for row in problem.rows] == [1, 5]
    assert problem.message == (
        "the `# text` of 2 sentences is not made of their tokens, which are put together instead"
    )


@pytest.mark.parametrize(
    ("text", "forms", "bounds"),
    [
        ("ab c", ["a", "b", "c"], [(0, 1), (1, 2), (3, 4)]),
        ("a\u3000b", ["a", "\u3000", "b"], [(0, 1), (1, 2), (2, 3)]),
        ("10 000 m", ["10 000", "m"], [(0, 6), (7, 8)]),
        ("abc", ["a", "c"], None),
        ("ab", ["a", "b", "c"], None),
        ("ab c", ["ab"], None),
    ],
)
def test_standing(text: str, forms: list[str], bounds: list[tuple[int, int]] | None) -> None:
    assert standing(text, forms) == bounds


def test_documents_have_their_names_or_numbers(tmp_path: Path) -> None:
    one = [word(1, "a")]
    reading = read(tmp_path, one, ["# newdoc", *one], one, ["# newdoc id = x y", *one], ["# newdocument", *one])
    assert [row.fields.get("document") for row in reading.rows] == [None, "1", "1", "x y", "x y"]
    assert "document" not in read(tmp_path, one).columns


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([word(1, "a") + "\t_"], "line 2 has 11 columns, parted by tabs; expected 10"),
        (["1 a _ X _ _ 0 root _ _"], "line 2 has 1 columns, parted by tabs; expected 10"),
        ([word("x", "a")], "line 2: 'x' is no id; expected a number, a range such as 1-2 or an empty node such as 1.1"),
        ([word(1, "a"), word(3, "b")], "line 3: the id 3 is out of order behind 1 words"),
        ([word(1, "a"), word(1, "b")], "line 3: the id 1 is out of order behind 1 words"),
        ([word(2, "a")], "line 2: the id 2 is out of order behind 0 words"),
        ([word(1, "a"), range_of("3-4", "bc")], "line 3: the id 3-4 is out of order behind 1 words"),
        ([range_of("1-3", "abc"), range_of("1-2", "ab")], "line 3: the id 1-2 is out of order behind 0 words"),
        (
            [range_of("1-1", "a"), word(1, "a"), range_of("2-1", "b")],
            "line 4: the id 2-1 is out of order behind 1 words",
        ),
        ([range_of("1-3", "abc"), word(1, "a"), word(2, "b")], "a range ends at word 3, behind the last one, 2"),
        ([word(1, "a"), EMPTY], "line 3: the id 2.1 is out of order behind 1 words"),
        ([word(1, "")], "line 2: an empty form"),
        ([], "a sentence without words"),
    ],
)
def test_faults_are_of_their_sentence_alone(tmp_path: Path, lines: list[str], problem: str) -> None:
    reading = read(tmp_path, ["# text = a", *lines], [word(1, "b")])
    assert [row.problem for row in reading.rows] == [problem, ""]
    assert reading.rows[0].line == 1


def test_a_blank_file(tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound, match="holds only blank lines; expected sentences"):
        read(tmp_path, [])


@pytest.mark.parametrize("name", ["f.conllu", "f.conll", "f.txt", "f.tsv", "f", "f.csv"])
def test_it_wins_by_content(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, DONT, [word(1, "a"), "broken"], DONT, name=name).file.format == "conllu"


@pytest.mark.parametrize(
    ("name", "text", "chosen"),
    [
        ("f.conll", "EU\tNNP\tI-NP\tB-ORG\n\n", "conll"),
        ("f.conll", "1\tEU\t_\tNNP\t_\t_\tx\tSUB\t_\tB-ORG\n\n", "conll"),
        ("f.conll", "\t".join("abcdefghij") + "\n\n", "conll"),
        ("f.tsv", "".join(f"{n}\tgood film\tpos\n" for n in range(1, 9)), "tsv"),
        ("f.tsv", "".join(f"{n}\t" + "\t".join(f"word{k}" for k in range(9)) + "\n" for n in range(1, 9)), "tsv"),
    ],
)
def test_it_leaves_others_alone(tmp_path: Path, name: str, text: str, chosen: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert choose_format(Source(tmp_path / name, name)) == chosen


def test_a_long_file_is_told_by_whole_lines(tmp_path: Path) -> None:
    lines = [word(number, "a" * 90, number - 1) for number in range(1, 1000)]
    assert read(tmp_path, lines, name="f.txt").file.format == "conllu"


def test_parts_of_speech_can_be_tagged_from_it(tmp_path: Path) -> None:
    (row,) = read(tmp_path, [word(1, "他", upos="PRON", misc="SpaceAfter=No"), word(2, "说", upos="VERB")]).rows
    task = Tag(TagOptions(learn="tokens", units="tokens"))
    record = task.read(
        {"text": row.fields["text"], "tokens": row.fields["tokens"], "tags": row.fields["upos"]}, file="", line=1
    )
    assert [(span.start, span.end, span.label) for span in record.spans or ()] == [(0, 1, "PRON"), (1, 2, "VERB")]
