"""Delimited text as tools really write it: quoting, line ends, headers, faults with their line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.data.reading import Reading, read_rows
from weitiao.errors import ProblemsFound

NAMES = frozenset({"text", "label"})


def write(folder: Path, data: str | bytes, name: str = "f.csv") -> str:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def lines(reading: Reading) -> list[int]:
    return [row.line for row in reading.rows]


def cells(reading: Reading) -> list[list[object]]:
    return [list(row.fields.values()) for row in reading.rows]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("final", [True, False])
def test_line_ends_and_multi_line_fields(tmp_path: Path, end: str, final: bool) -> None:
    text = end.join(["text,label", '"two' + end + 'lines",a', "", '"say ""hi"", ok",b', "last,c"]) + (
        end if final else ""
    )
    reading = read_rows(write(tmp_path, "\ufeff" + text))
    assert lines(reading) == [2, 5, 6]
    assert cells(reading) == [[f"two{end}lines", "a"], ['say "hi", ok', "b"], ["last", "c"]]
    assert reading.columns == ["text", "label"]


@pytest.mark.parametrize(
    ("delimiter", "name"), [(",", "f.csv"), (";", "f.csv"), ("|", "f.txt"), ("\t", "f.tsv"), ("\t", "f.csv")]
)
def test_delimiter_is_sniffed(tmp_path: Path, delimiter: str, name: str) -> None:
    text = f"text{delimiter}label\nyes, it is{delimiter}a\nno; never{delimiter}b\n".replace(
        "yes, it", '"yes, it' if delimiter == "," else "yes, it"
    ).replace("is,a", 'is",a')
    text = text.replace("no; never", '"no; never"') if delimiter == ";" else text
    reading = read_rows(write(tmp_path, text, name), names=NAMES)
    assert reading.file.delimiter == delimiter
    assert cells(reading) == [["yes, it is", "a"], ["no; never", "b"]]


def test_delimiter_can_be_told(tmp_path: Path) -> None:
    path = write(tmp_path, "text;label\na,b;c,d\n")
    assert read_rows(path, delimiter=";").columns == ["text", "label"]
    assert read_rows(write(tmp_path, "x\ty\n1\t2\n"), delimiter="tab").columns == ["x", "y"]
    with pytest.raises(ProblemsFound, match="`delimiter` is '::'; expected one character"):
        read_rows(path, delimiter="::")


def test_ragged_rows_are_faulty_with_their_line(tmp_path: Path) -> None:
    reading = read_rows(write(tmp_path, 'text,label\n"x\ny",a\nonly\nb,c,d\ne,f\n'))
    assert [(row.line, row.problem) for row in reading.rows] == [
        (2, ""),
        (4, "got 1 columns, expected 2"),
        (5, "got 3 columns, expected 2"),
        (6, ""),
    ]
    assert [reading.rows[row].fields for row in (1, 2)] == [{"text": "only"}, {"text": "b", "label": "c,d"}]


def test_unclosed_quote_costs_one_row(tmp_path: Path) -> None:
    body = "".join(f"text {number},x{number % 3}\n" for number in range(20))
    reading = read_rows(write(tmp_path, f'text,label\n{body}"open,a\n{body}'))
    faults = [(row.line, row.problem, row.fields) for row in reading.rows if row.problem]
    assert faults == [(22, "a quote opened on this line is never closed", {"text": '"open,a'})]
    assert len(reading.rows) == 41


def test_text_after_a_closing_quote_is_a_fault(tmp_path: Path) -> None:
    reading = read_rows(write(tmp_path, 'text,label\n"a" b,c,\nd,e\n'))
    assert [row.line for row in reading.rows if "goes on after its closing quote" in row.problem] == [2]
    assert reading.rows[-1].fields == {"text": "d", "label": "e"}


def test_quotes_in_a_tsv_that_quotes_nothing(tmp_path: Path) -> None:
    reading = read_rows(write(tmp_path, '"Great film\ta\nplain\tb\nhe said"\tc\n5" screen\ta\n', "f.tsv"))
    assert cells(reading) == [['"Great film', "a"], ["plain", "b"], ['he said"', "c"], ['5" screen', "a"]]
    assert "quotes are ordinary characters" in reading.file.how


@pytest.mark.parametrize(
    ("text", "present", "why"),
    [
        ("text,label\na,b\n", True, "names columns ('text')"),
        ("good,1\nbad,0\n", False, "'1' is no column name"),
        ("remark,stars\nfine,5\npoor,1\n", True, "numbers stand under 'stars'"),
        ("remark,mood\n" + "a,x\nb,y\nc,x\nd,y\n", True, "the values under 'mood' repeat"),
        ("nice,pos\nbad,neg\nok,pos\n", False, "'pos' occurs again"),
        ("好吃。,正\n难吃,负\n", False, "no column name"),
    ],
)
def test_header_is_sniffed_and_said(tmp_path: Path, text: str, present: bool, why: str) -> None:
    reading = read_rows(write(tmp_path, text), names=NAMES)
    assert reading.file.header is present
    assert why in reading.file.how
    assert (reading.columns == ["1", "2"]) is not present


def test_header_can_be_told(tmp_path: Path) -> None:
    path = write(tmp_path, "text,label\na,b\n")
    assert len(read_rows(path, header=False, names=NAMES).rows) == 2
    assert len(read_rows(path, header=True).rows) == 1


def test_repeated_and_empty_column_names(tmp_path: Path) -> None:
    reading = read_rows(write(tmp_path, "text,,text\na,b,c\n"), names=NAMES)
    assert reading.columns == ["text", "2", "text#2"]
    assert [problem.code for problem in reading.problems] == ["repeated-column"]


def test_lost_characters_are_counted(tmp_path: Path) -> None:
    reading = read_rows(write(tmp_path, "text,label\nok,a\nlo\ufffdst\ufffd,b\n"))
    (problem,) = reading.problems
    assert (problem.line, problem.severity) == (3, "warning")
    assert problem.message.startswith("2 characters are U+FFFD")


@pytest.mark.parametrize(
    ("data", "what"), [("", "the file is empty"), ("\n\n", "blank lines"), ("text,label\n", "a header and no rows")]
)
def test_empty_files_are_refused(tmp_path: Path, data: str, what: str) -> None:
    with pytest.raises(ProblemsFound, match=what):
        read_rows(write(tmp_path, data), names=NAMES)


TABLES = st.lists(
    st.tuples(*[st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufffd"), max_size=12)] * 3),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(TABLES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([",", "\t", ";", "|"]))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]], end: str, delimiter: str
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [("a", "b", "c"), *table]
    )
    written = stream.getvalue()
    path = write(tmp_path_factory.mktemp("csv"), written)
    reading = read_rows(path, header=True, delimiter=delimiter, encoding="utf-8")
    assert cells(reading) == [list(row) for row in table]
    physical = io.StringIO(written, newline="").readlines()
    rest = ["".join(physical[line - 1 :]) for line in lines(reading)]
    for row, text in zip(table, rest, strict=True):  # the row starts where its line starts
        assert text.startswith('"' + row[0].replace('"', '""') + '"')


def test_a_field_longer_than_the_csv_module_takes_by_itself(tmp_path: Path) -> None:
    long = "word " * 40_000
    reading = read_rows(write(tmp_path, f'text,label\n"{long}",a\nshort,b\n'))
    assert [len(str(row.fields["text"])) for row in reading.rows] == [len(long), 5]
