"""CoNLL-U written: what was read becomes the same bytes; other rows get what they have, and what is lost is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.reading.test_conllu import DONT, word
from tests.data.writing.contract import WriterContract
from weitiao.data.reading import read_rows
from weitiao.data.writing import WRITERS
from weitiao.verbs.convert import convert

WRITER = WRITERS["conllu"]()


def written(folder: Path, *rows: Mapping[str, Any]) -> tuple[str, list[str]]:
    path = folder / "out.conllu"
    lost = WRITER.write(rows, path)
    return path.read_bytes().decode(), lost


class TestConllu(WriterContract):
    name = format = "conllu"
    rows: ClassVar[list[dict[str, Any]]] = [
        {"text": "他说 OK.", "tokens": ["他", "说", "OK", "."], "heads": [2, 0, 2, 2], "document": "d"},
        {"text": "OK", "tokens": ["OK"], "deprels": ["root"], "document": "d", "sent_id": "7"},
    ]


@pytest.mark.parametrize("name", ["ud_english_ewt/en_ewt-ud-*.conllu", "ud_chinese_gsdsimp/zh_gsdsimp-ud-*.conllu"])
def test_treebanks_come_back_byte_for_byte(tmp_path: Path, shared_data: Path, name: str) -> None:
    paths = sorted(shared_data.glob(name))
    assert [path.stem[-4:].strip("-") for path in paths] == ["dev", "test"]
    for path in paths:
        reading = read_rows(str(path))
        assert not any(row.problem for row in reading.rows) and not reading.problems
        text, lost = written(tmp_path, *(row.fields for row in reading.rows))
        assert text.encode() == path.read_bytes()
        assert lost == []


def test_what_was_read_comes_back(tmp_path: Path) -> None:
    twice = [word(1, "a", "01", misc=" x "), "1.1\tb" + "\t_" * 8, "1.2\tc" + "\t_" * 8, word(2, "d\u2028e", "_", "_")]
    text = "".join("\n".join([*lines, "", ""]) for lines in (DONT, ["# a\tb", *twice], [word(1, "他")]))
    (tmp_path / "in.conllu").write_bytes(text.encode())
    assert written(tmp_path, *(row.fields for row in read_rows(str(tmp_path / "in.conllu")).rows)) == (text, [])


def test_rows_of_other_sources(tmp_path: Path) -> None:
    rows = [
        {"text": "他说 OK.", "tokens": ["他", "说", "OK", "."], "upos": "PRON VERB INTJ PUNCT", "document": "d"},
        {"text": "OK", "tokens": ["OK"], "heads": [0], "deprels": ["root"], "document": "d", "sent_id": 7},
        {"tokens": ["A", "B"], "misc": [None, "x"]},
        {"text": "ab", "tokens": ["a", "c"]},
    ]
    text, lost = written(tmp_path, *rows)
    assert lost == []
    assert text.splitlines() == [
        "# newdoc id = d",
        "# text = 他说 OK.",
        "1\t他\t_\tPRON\t_\t_\t_\t_\t_\tSpaceAfter=No",
        "2\t说\t_\tVERB\t_\t_\t_\t_\t_\t_",
        "3\tOK\t_\tINTJ\t_\t_\t_\t_\t_\tSpaceAfter=No",
        "4\t.\t_\tPUNCT\t_\t_\t_\t_\t_\t_",
        "",
        "# sent_id = 7",
        "# text = OK",
        "1\tOK\t_\t_\t_\t_\t0\troot\t_\t_",
        "",
        "1\tA\t_\t_\t_\t_\t_\t_\t_\t_",
        "2\tB\t_\t_\t_\t_\t_\t_\t_\tx",
        "",
        "# text = ab",
        "1\ta\t_\t_\t_\t_\t_\t_\t_\t_",
        "2\tc\t_\t_\t_\t_\t_\t_\t_\t_",
        "",
    ]


def test_what_is_lost_is_told(tmp_path: Path) -> None:
    rows = [
        {"text": "a b", "tokens": ["a", "b"], "spans": [[0, 1, "X"]], "label": "", "upos": ["X"]},
        {"text": "a\nb", "tokens": ["a", "b"], "spans": [[0, 1, "X"]], "lemma": ["a\tb", "\r"]},
        {"text": "no tokens", "label": "x"},
    ]
    text, lost = written(tmp_path, *rows)
    assert lost == [
        "the column spans is left out (2 rows)",
        "the column upos of 1 row does not have one value a token, and is left out",
        "1 row without tokens is left out",
        "tabs or line breaks inside 3 cells or texts became spaces",
    ]
    assert text.splitlines()[4:7] == ["# text = a b", "1\ta\ta b" + "\t_" * 7, "2\tb\t " + "\t_" * 7]


def test_a_row_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    written(tmp_path, {"tokens": ["a"]})
    before = (tmp_path / "out.conllu").read_bytes()

    class Unwritable:
        def __str__(self) -> str:
            raise ValueError("no text")

    with pytest.raises(ValueError, match="no text"):
        written(tmp_path, {"tokens": ["b"]}, {"tokens": [Unwritable()]})
    assert [path.name for path in tmp_path.iterdir()] == ["out.conllu"]
    assert (tmp_path / "out.conllu").read_bytes() == before


CELL = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=("Cs",)), min_size=1, max_size=4).filter(
    lambda text: not text.isspace() and text == text.strip()
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(CELL, CELL, st.booleans()), min_size=1, max_size=6), min_size=1, max_size=4))
def test_made_rows_read_back(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str, bool]]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = []
    for words in sentences:
        parts = [form + " " * (spaced or form[0] == "#") for form, _upos, spaced in words]
        forms = [form for form, _upos, _spaced in words]
        rows.append(
            {"text": "".join(parts).rstrip(), "tokens": forms, "upos": [upos for _form, upos, _spaced in words]}
        )
    assert written(folder, *rows)[1] == []
    reading = read_rows(str(folder / "out.conllu"), encoding="utf-8")
    assert [{name: row.fields[name] for name in rows[0]} for row in reading.rows] == rows


def test_converting_changes_nothing(tmp_path: Path) -> None:
    text = "\n".join([*DONT[:5], *DONT[5:6], *DONT[7:8], word(4, ".", 3, "punct"), "", ""]).replace(" im.", ".")
    (tmp_path / "a.conllu").write_text(text, "utf-8")
    done = convert(tmp_path / "a.conllu", tmp_path / "b.conllu")
    assert (done.read_as, done.written_as, done.lost) == ("conllu", "conllu", [])
    assert (tmp_path / "b.conllu").read_text("utf-8") == text
