"""Relations: the contract, how rows name two spans, marks and windows, findings, a model that learns by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import weitiao
from tests.model_folder import make_tokenizer
from tests.tasks.contract import MAX_LENGTH, TaskContract
from weitiao.data import Dataset, load_data
from weitiao.models.tiny import tiny
from weitiao.recipe import DataSpec
from weitiao.records import ClassifyPrediction, Feature, Outputs, RelateRecord
from weitiao.tasks import TASKS, RowFault
from weitiao.tasks.marked_pair import MarkedPair, read_pair
from weitiao.tasks.pair_window import MARKS, kept, marked, marks_of
from weitiao.tasks.relate import Relate, RelateOptions
from weitiao.tasks.units import UnitTokenizer, units_of
from weitiao.text import Tokenizer, load_tokenizer

LONG = "the <e1>service</e1> was not bad and the <e2>film</e2> was long, long, long"
TRAIN: Sequence[Mapping[str, object]] = (
    {"text": "a good film", "head": "good", "tail": [7, 11], "relation": "of(e1,e2)"},
    {"text": LONG, "relation": "of(e2,e1)"},
    {"text": "bad service", "head": {"start": 0, "end": 3}, "tail": "service", "relation": "Other"},
    {"text": "<e1> not </e1> a <e2> film </e2>", "relation": "Other"},
)


class TestRelate(TaskContract):
    task = Relate()
    train = TRAIN
    dev = (
        {"text": "a film", "head": "a", "tail": "film", "relation": "Other"},
        {"text": "a film", "head": "a", "tail": "film", "relation": "in(e1,e2)"},
    )
    target_dtypes: ClassVar = {"labels": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return {"logits": np.eye(len(labels))[int(feature.targets["labels"])] * 4}

    def answered(self, record: RelateRecord, prediction: ClassifyPrediction) -> RelateRecord:
        return record.model_copy(update={"labels": prediction.labels})

    def test_places_are_those_of_the_spans(self, tokenizer: Tokenizer) -> None:
        records, _labels, features = self.features(tokenizer)
        backend = tokenizer.backend
        for record, feature in zip(records, features, strict=True):
            for bounds, (start, end) in ((record.head, feature.places["head"]), (record.tail, feature.places["tail"])):
                words = [backend.id_to_token(token) for token in feature.input_ids[start:end]]
                assert words == [
                    backend.id_to_token(i)
                    for i in backend.encode(record.text[slice(*bounds)], add_special_tokens=False).ids
                ]
                assert feature.input_ids[start - 1] == feature.input_ids[end] in marks_of(tokenizer)


class TestBalanced(TestRelate):
    task = Relate(RelateOptions(class_weights="balanced"))


def test_it_is_in_the_table() -> None:
    assert TASKS["relate"] is Relate


@pytest.mark.parametrize(
    ("text", "clean", "head", "tail"),
    [
        ("The <e1>cat</e1> on a <e2>mat</e2>.", "The cat on a mat.", (4, 7), (13, 16)),
        ("The <e1> cat </e1> on a <e2> mat </e2>.", "The cat on a mat .", (4, 7), (13, 16)),
        ("<e2>A</e2> b <e1>c</e1>", "A b c", (4, 5), (0, 1)),
        ("<e1> A </e1> b <e2> c </e2>", "A b c ", (0, 1), (4, 5)),
        ("<e1>\u5e73\u5b89<e2>\u94f6\u884c</e2></e1>\u3002", "\u5e73\u5b89\u94f6\u884c\u3002", (0, 4), (2, 4)),
        ("<e1>x</e1><e2>y</e2>", "xy", (0, 1), (1, 2)),
    ],
)
def test_marks_are_read_away(text: str, clean: str, head: tuple[int, int], tail: tuple[int, int]) -> None:
    assert read_pair(text, None, "") == MarkedPair(clean, head, tail)


@given(st.lists(st.sampled_from(["a", "bc", " ", "\u5e73", "\U0001f642", "\u3000"]), min_size=1), st.data())
def test_marks_leave_the_text_as_it_is(pieces: list[str], data: st.DataObject) -> None:
    """Without spaces around the marks, the clean text is the text, and the offsets are where the marks stood."""
    text = "".join(pieces).strip()
    filled = [place for place, character in enumerate(text) if not character.isspace()]
    if not filled:
        return
    spans = [sorted(data.draw(st.tuples(st.sampled_from(filled), st.sampled_from(filled)))) for _each in range(2)]
    record = RelateRecord(
        file="",
        line=0,
        group="",
        text=text,
        labels=None,
        guessed=False,
        head=(spans[0][0], spans[0][1] + 1),
        tail=(spans[1][0], spans[1][1] + 1),
    )
    assert read_pair(record.surface, None, None) == MarkedPair(text, record.head, record.tail)


@pytest.mark.parametrize(
    ("head", "tail", "pair"),
    [
        ("bank", "rival", MarkedPair("a bank, a bank and its rival", (2, 6), (23, 28), guessed=True)),
        ([10, 14], "rival", MarkedPair("a bank, a bank and its rival", (10, 14), (23, 28))),
        (
            {"start": 10, "end": 14, "text": "bank"},
            {"word": "rival"},
            MarkedPair("a bank, a bank and its rival", (10, 14), (23, 28)),
        ),
        ('{"start": 10, "end": 14}', "[23, 28]", MarkedPair("a bank, a bank and its rival", (10, 14), (23, 28))),
        ("bank", "bank", MarkedPair("a bank, a bank and its rival", (2, 6), (10, 14), guessed=True)),
        ("bank", "a bank", MarkedPair("a bank, a bank and its rival", (2, 6), (8, 14), guessed=True)),
        ("art", "hall", MarkedPair("a party of art in the hall", (11, 14), (22, 26))),
        ("art", "hall", MarkedPair("a party in the hall", (3, 6), (15, 19), guessed=True)),
        (np.array([10, 14]), (23.0, 28), MarkedPair("a bank, a bank and its rival", (10, 14), (23, 28))),
    ],
)
def test_ways_to_name_a_span(head: object, tail: object, pair: MarkedPair) -> None:
    assert read_pair(pair.text, head, tail) == pair


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": "a b", "head": "c", "tail": "b"}, "the head 'c' does not stand in the text"),
        ({"text": "a b", "head": "a"}, "empty tail"),
        ({"text": "a b", "tail": "a"}, "empty head"),
        ({"text": "a b"}, "no head and tail: neither fields nor <e1>...</e1> and <e2>...</e2> in the text"),
        ({"text": "<e1>a</e1> b"}, "expected one <e2>...</e2> in the text"),
        ({"text": "<e1>a</e1> <e1>b</e1>"}, "the mark <e1> stands twice in the text"),
        (
            {"text": "</e1>a<e1> <e2>b</e2>"},
            "the span 1-0 (e1) holds nothing; `end` is the offset behind its last character",
        ),
        (
            {"text": "<e1> </e1>a <e2>b</e2>"},
            "the span 0-0 (e1) holds nothing; `end` is the offset behind its last character",
        ),
        ({"text": "a b", "head": [0, 9], "tail": "b"}, "the span 0-9 (head) lies outside the text of 3 characters"),
        ({"text": "a b", "head": [0], "tail": "b"}, "expected head as words, [start, end] or start and end"),
        ({"text": "a b", "head": {"start": 0}, "tail": "b"}, "expected head as words, [start, end] or start and end"),
        ({"text": "a b", "head": {}, "tail": "b"}, "empty head"),
        (
            {"text": "a b", "head": {"start": 0, "end": 1, "text": "b"}, "tail": "b"},
            "the span 0-1 (head) is 'a' in the text and 'b' in its own words",
        ),
        ({"text": "a b", "head": "a", "tail": "b", "relation": ["x", "y"]}, "2 relations where one is expected"),
        ({"text": "a b", "head": "a", "tail": "b", "relation": ""}, "no relation"),
        ({"text": " ", "head": "a", "tail": "b"}, "empty text"),
    ],
)
def test_faulty_rows(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        Relate().read({"relation": "x", **fields}, file="f", line=1)
    assert str(caught.value) == reason


TOKENS = st.integers(min_value=0, max_value=60)


@given(TOKENS, TOKENS, TOKENS, TOKENS, st.integers(min_value=2, max_value=40), st.integers(min_value=1, max_value=80))
def test_what_is_kept_fits_and_has_both_spans(a: int, b: int, c: int, d: int, room: int, total: int) -> None:
    spans = [(min(x, y, total - 1), min(max(x, y) + 1, total)) for x, y in ((a, b), (c, d))]
    parts = kept(total, *spans, room)
    places = [place for start, end in parts for place in range(start, end)]
    assert places == sorted(set(places)) and set(places) <= set(range(total))
    assert len(places) <= max(room, 2)
    assert len(places) == total or len(places) >= room - 1
    assert all(start in places for start, _end in spans)
    if max(spans[0][1], spans[1][1]) - min(spans[0][0], spans[1][0]) <= room:
        assert all(set(range(*span)) <= set(places) for span in spans)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


def test_of_a_long_text_what_stands_around_the_spans_is_read(tokenizer: Tokenizer) -> None:
    text = "the " * 40 + "good " + "was " * 60 + "bad " + "a " * 40
    record = Relate().read({"text": text, "head": "bad", "tail": "good", "relation": "x"}, file="f", line=1)
    (feature,) = Relate().encode([record], tokenizer, ["x", "y"], MAX_LENGTH)
    words = [tokenizer.backend.id_to_token(token) for token in feature.input_ids]
    assert words == ["[CLS]", "the", "?", "good", "?", "was", "was", "!", "bad", "!", "a", "[SEP]"]
    assert feature.cut == len(units_of(text)) - (MAX_LENGTH - 2 - MARKS)
    assert [feature.places[name].tolist() for name in ("head", "tail")] == [[8, 9], [3, 4]]


@pytest.mark.parametrize(("family", "signs"), [("bert", "$#"), ("albert", "$#"), ("roberta", "$#"), ("t5", "$#")])
def test_marks_are_rare_signs_of_the_vocabulary(tmp_path: Path, family: str, signs: str) -> None:
    tokenizer = load_tokenizer(tiny(family, tmp_path / "tiny", texts=["a $ b # c"] * 9, vocabulary=400))
    assert "".join(tokenizer.backend.decode([token]).strip() for token in marks_of(tokenizer)) == signs


def test_without_such_signs_the_next_ones_are_taken(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.backend.get_vocab()
    assert marks_of(tokenizer) == (vocabulary["!"], vocabulary["?"])


def test_nested_spans_have_nested_marks(tokenizer: Tokenizer) -> None:
    text, pieces = "a good film", UnitTokenizer.of(tokenizer)
    units = units_of(text)
    tokens = [ids for ids, _first in pieces.encode(text, units)]
    (a,), (good,), (film,) = tokens
    found = marked(tokens, units, (2, 11), (2, 6), marks=(98, 99), room=12)
    assert list(found.ids) == [a, 98, 99, good, 99, film, 98]
    assert (found.head, found.tail, found.cut) == ((2, 6), (3, 4), 0)


def rows_of(relations: Sequence[str]) -> list[RelateRecord]:
    return [
        Relate().read({"text": f"a b {row}", "head": "a", "tail": "b", "relation": relation}, file="f", line=row + 2)
        for row, relation in enumerate(relations)
    ]


def test_directions_are_no_slips_and_what_is_no_relation_is_told() -> None:
    task, train = Relate(), rows_of(["Entity-Origin(e1,e2)"] * 40 + ["Entity-Origin(e2,e1)"] + ["Other"] * 9)
    problems = task.audit({"train": train}, task.label_space(train))
    assert [(each.code, each.severity) for each in problems] == [("small-class", "warning"), ("no-relation", "note")]
    assert "'Other' is taken for 'no relation'" in problems[1].message
    assert task.nothing(["Other", "x"]) == "Other"
    assert task.nothing(["Other", "NA"]) is None  # which of the two?
    assert Relate(RelateOptions(no_relation=False)).nothing(["Other", "x"]) is None
    told = Relate(RelateOptions(no_relation="x"))
    assert told.nothing(["Other", "x"]) == "x"
    (_small, problem) = told.audit({"train": train}, task.label_space(train))
    assert problem.message == "`task.no_relation` is 'x', which no training row has"


def test_too_few_relations_and_slips_of_types() -> None:
    task = Relate()
    one = rows_of(["x"] * 9)
    assert [each.code for each in task.audit({"train": one}, ["x"])] == ["too-few-classes"]
    slip = rows_of(["Cause-Effect(e1,e2)"] * 40 + ["Cause-Efect(e1,e2)"] * 2 + ["Other"] * 9)
    codes = [each.code for each in task.audit({"train": slip}, task.label_space(slip))]
    assert codes == ["label-typo", "small-class", "no-relation"]


def test_words_that_stand_twice_are_warned_about() -> None:
    task = Relate()
    row = task.read({"text": "a b a", "head": "a", "tail": "b", "relation": "x"}, file="f", line=7)
    train = [*rows_of(["x", "y"] * 6), row]
    (problem,) = task.audit({"train": train}, ["x", "y"])
    assert (problem.code, problem.line, len(problem.rows)) == ("ambiguous-span", 7, 1)


EXAMPLES = (
    {"text": "<e1>fire</e1> caused by <e2>gas</e2>", "relation": "Cause(e2,e1)"},
    {"text": "<e1>gas</e1> causes <e2>fire</e2>", "relation": "Cause(e1,e2)"},
    {"text": "<e1>gas</e1> and <e2>fire</e2>", "relation": "Other"},
    {"text": "wine in a bottle", "head": "wine", "tail": "bottle", "relation": "In(e1,e2)"},
)


def train(folder: Path, task: dict[str, Any], rows: Sequence[Mapping[str, object]]) -> Any:
    recipe = {
        "task": task,
        "model": {"name": str(tiny("bert", folder / "tiny", texts=[str(row["text"]) for row in rows] * 3))},
        "training": {"epochs": 30, "batch_size": 8, "learning_rate": 5e-3},
        "evaluation": {"resamples": 200},
        "output": str(folder / "run"),
    }
    return weitiao.train(recipe, data={split: list(rows) for split in ("train", "dev", "test")})


def test_it_learns_sixteen_examples_by_heart(tmp_path: Path) -> None:
    run = train(tmp_path, {"name": "relate"}, [dict(row) for row in EXAMPLES * 4])
    report = run.report
    assert report.headline == "relation_macro_f1"
    assert {name: score.value for name, score in report.metrics.items()} == dict.fromkeys(report.metrics, 1.0)
    assert set(report.baselines) == {"majority", "tfidf_between"}
    assert [(row.label, row.count) for row in report.tables[0].rows] == [("right", 12), ("wrong_direction", 0)]
    answers = run.predict(["<e1>gas</e1> causes <e2>fire</e2>", ("gas and fire", "gas", "fire")])
    assert [each.labels for each in answers] == [("Cause(e1,e2)",), ("Other",)]
    assert weitiao.compare(tmp_path / "run", tmp_path / "run").verdict == "none"
    assert weitiao.load(tmp_path / "run").predict([dict(EXAMPLES[3])])[0].labels == ("In(e1,e2)",)


def load(fields: Mapping[str, int], **files: str) -> Dataset:
    task = Relate()
    spec = DataSpec(**files, dev=None, fields=dict(fields))  # type: ignore[arg-type]
    return load_data(spec, fields=task.fields, read=task.read, answer=task.answer, surface=task.surface)


def test_finre_loads_by_column_numbers(shared_data: Path) -> None:
    """Four columns, no header, a blank line behind each row."""
    files = {
        split: str(shared_data / "finre" / f"{name}.txt") for split, name in (("train", "valid"), ("test", "test"))
    }
    data = load({"head": 1, "tail": 2, "relation": 3, "text": 4}, **files)
    assert {split: len(rows) for split, rows in data.records.items()} == {"train": 1489, "test": 3727}
    for record in data.records["train"][:200]:
        head, tail, relation, text = (
            (shared_data / "finre" / "valid.txt").read_text("utf-8").split("\n")[record.line - 1].split("\t")
        )
        assert (record.text, record.label) == (text, relation)
        assert (text[slice(*record.head)], text[slice(*record.tail)]) == (head, tail)


def test_semeval_loads_with_its_marks(shared_data: Path) -> None:
    data = load({"relation": 1, "text": 2}, train=str(shared_data / "semeval2010_task8" / "test.tsv"))
    records: Sequence[Any] = data.records["train"]
    assert len(records) == 2717
    assert len({record.label for record in records}) == 19
    assert not any("<" in record.text or "  " in record.text for record in records)
    first = records[0]
    assert (first.text[slice(*first.head)], first.text[slice(*first.tail)]) == ("audits", "waste")
    assert first.label == "Message-Topic(e1,e2)"


DOCCANO = {
    "id": 1, "text": "Anna leads Acme",
    "entities": [
        {"id": 7, "label": "ORG", "start_offset": 11, "end_offset": 15},
        {"id": 8, "label": "PER", "start_offset": 0, "end_offset": 4},
    ],
    "relations": [{"id": 1, "from_id": 8, "to_id": 7, "type": "leads"}],
}  # fmt: skip
BARE = {**DOCCANO, "id": 2, "text": "Acme hires Anna", "relations": []}
BARE["entities"] = [
    {"id": 9, "label": "ORG", "start_offset": 0, "end_offset": 4},
    {"id": 10, "label": "PER", "start_offset": 11, "end_offset": 15},
]
EMPTY = {"id": 3, "text": "nobody sings", "entities": [], "relations": []}


def region(name: str, start: int, end: int, text: str, label: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {"id": name, "type": "labels", "from_name": "label", "to_name": "text", "value": value}


def exported(folder: Path, tool: str) -> str:
    """The three texts as a tool exports them."""
    if tool == "doccano":
        path = folder / "export.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in (DOCCANO, BARE, EMPTY)), "utf-8")
        return str(path)
    if tool == "label_studio":
        relation = {"type": "relation", "from_id": "b", "to_id": "a", "direction": "right", "labels": ["leads"]}
        results: list[tuple[str, list[dict[str, Any]]]] = [
            (
                "Anna leads Acme",
                [region("a", 11, 15, "Acme", "ORG"), region("b", 0, 4, "Anna", "PER"), relation],
            ),
            ("Acme hires Anna", [region("c", 0, 4, "Acme", "ORG"), region("d", 11, 15, "Anna", "PER")]),
            ("nobody sings", []),
        ]
        tasks = [
            {"id": number, "data": {"text": text}, "annotations": [{"id": number, "result": result}]}
            for number, (text, result) in enumerate(results, 1)
        ]
        (folder / "export.json").write_text(json.dumps(tasks), "utf-8")
        return str(folder / "export.json")
    for name, text, marks in (
        ("1", "Anna leads Acme", "T1\tORG 11 15\tAcme\nT2\tPER 0 4\tAnna\nR1\tleads Arg1:T2 Arg2:T1\n"),
        ("2", "Acme hires Anna", "T1\tORG 0 4\tAcme\nT2\tPER 11 15\tAnna\n"),
        ("3", "nobody sings", ""),
    ):
        (folder / f"{name}.txt").write_text(text, "utf-8")
        (folder / f"{name}.ann").write_text(marks, "utf-8")
    return str(folder)


def load_export(source: str, **options: Any) -> Dataset:
    task = Relate(RelateOptions(**options))
    return load_data(
        DataSpec(train=source, dev=None), fields=task.fields, read=task.read, answer=task.answer, surface=task.surface,
        expand=task.expand,
    )  # fmt: skip


@pytest.mark.parametrize("tool", ["doccano", "label_studio", "brat"])
def test_the_pairs_of_an_export_are_rows(tool: str, tmp_path: Path) -> None:
    """Both orders of each pair, the gold ones with their relation; a text without a pair is no fault."""
    found = load_export(exported(tmp_path, tool))
    assert [each for each in found.problems if each.severity == "error"] == []
    records: list[Any] = found.records["train"]
    assert [(each.text, each.head, each.tail, each.label) for each in records] == [
        ("Anna leads Acme", (0, 4), (11, 15), "leads"),
        ("Anna leads Acme", (11, 15), (0, 4), "no_relation"),
        ("Acme hires Anna", (0, 4), (11, 15), "no_relation"),
        ("Acme hires Anna", (11, 15), (0, 4), "no_relation"),
    ]
    places = [each.place for each in records]
    groups = [each.group for each in records]
    assert places[0] == places[1] != places[2] == places[3]
    assert groups[0] == groups[1] != groups[2] == groups[3]
    ledger = found.ledger
    assert (ledger.read.total(), ledger.kept.total(), ledger.faults) == (5, 4, [])
    assert [(each.code, each.reason) for each in ledger.dropped] == [("no-example", "no example in it")]


@pytest.mark.parametrize(
    ("options", "relations"),
    [
        ({"none_pairs": 0}, ["leads"]),
        ({"none_pairs": 1}, ["leads", "no_relation", "no_relation"]),
        ({"max_distance": 7}, ["leads", "no_relation", "no_relation", "no_relation"]),
        ({"max_distance": 6}, ["leads"]),
        ({"no_relation": "NA", "none_pairs": 1}, ["leads", "NA", "NA"]),
        ({"no_relation": False}, ["leads"]),
    ],
)
def test_pairs_without_a_relation_are_as_many_as_told(
    options: dict[str, Any], relations: list[str], tmp_path: Path
) -> None:
    found = load_export(exported(tmp_path, "doccano"), **options)
    assert [each.label for each in found.records["train"]] == relations  # type: ignore[attr-defined]


SPANS: Sequence[Any] = [[11, 15, "ORG"], {"id": "x", "start": 0, "end": 4, "label": "PER"}]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"relations": [["x", 5, "leads"]]}, "the relation leads joins a span that is not there"),
        ({"relations": [["x", "x", "leads"]]}, "the relation leads joins a span with itself"),
        ({"relations": [["x", 0]]}, 'expected a relation as an object with head, tail and label; got ["x", 0]'),
        ({"relations": "leads"}, "the relations are not valid JSON"),
        ({"spans": [{"id": 1, "start": 0, "end": 4, "label": "A"}, [11, 15, "B"]]},
         "two spans have the same id; relations cannot tell which of them is meant"),
        ({"spans": [[0, 99, "A"]]}, "the span 0-99 (A) lies outside the text of 15 characters"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_be_used(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(RowFault) as caught:
        Relate().expand({"text": "Anna leads Acme", "spans": SPANS, "relations": [], **fields})
    assert str(caught.value) == fault


def test_rows_of_one_pair_stay_as_they_are() -> None:
    """Spans beside a pair, as words, offsets or marks, say nothing."""
    for row in ({"text": "a b", "head": "a", "tail": "b", "spans": []}, {"text": LONG, "spans": SPANS}, {"text": "a"}):
        assert Relate().expand(row) == [row]
    (pair, other) = Relate().expand(
        {"text": "Anna leads Acme", "spans": json.dumps(SPANS), "relations": '[["x", 0, "r"]]'}
    )
    assert (pair["head"], pair["tail"], pair["relation"]) == ((0, 4), (11, 15), "r")
    assert other["relation"] == "no_relation"


def test_two_names_for_no_relation_are_told() -> None:
    problems = list(Relate()._left_out(["NA", "leads", "no_relation"]))
    assert [each.message for each in problems] == [
        "several labels say 'no relation' by their names ('no_relation' is that of pairs without one), so all of them "
        "count as relations; name the right one with task.no_relation"
    ]
