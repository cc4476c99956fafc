"""Each writer's contract, and what is its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from tests.data.writing.contract import EMOJI, PETER, WriterContract
from weitiao.data.reading import read_rows
from weitiao.data.writing import InnerRow
from weitiao.data.writing.conll import Conll
from weitiao.data.writing.doccano import Doccano
from weitiao.data.writing.label_studio import LabelStudio
from weitiao.verbs.inner import with_tokens

JOINED: dict[str, Any] = {
    "text": "Peter met Ann",
    "spans": [
        {"id": "0", "start": 0, "end": 5, "label": "PER", "text": "Peter"},
        {"id": "1", "start": 10, "end": 13, "label": "PER", "text": "Ann"},
    ],
    "relations": [{"head": "0", "tail": "1", "label": "met"}],
}


class TestJsonLines(WriterContract):
    name = "jsonl"
    format = "jsonl"
    rows: ClassVar = [{**JOINED, "odd": {"x": [1, None]}, "label": ["a", "b"]}, EMOJI, {"text": "half \ud83d"}]


class TestDoccano(WriterContract):
    name = "doccano"
    format = "doccano"
    rows: ClassVar = [{**PETER, "page": 3}, EMOJI]

    def test_relations(self, tmp_path: Path) -> None:
        assert Doccano().write([JOINED], tmp_path / "out") == []
        (row,) = self.read(tmp_path / "out")
        assert {key: row[key] for key in JOINED} == JOINED

    def test_labels_alone_and_beside_spans(self, tmp_path: Path) -> None:
        Doccano().write([{"text": "a", "label": "x"}, {"text": "b", "label": ["x", "y"]}], tmp_path / "out")
        written = [json.loads(line) for line in (tmp_path / "out").read_text("utf-8").splitlines()]
        assert written == [{"text": "a", "label": ["x"]}, {"text": "b", "label": ["x", "y"]}]
        Doccano().write([{**PETER, "label": "x"}], tmp_path / "out")
        (row,) = self.read(tmp_path / "out")
        assert (row["label"], row["spans"]) == ("x", PETER["spans"])

    def test_offsets_are_those_of_its_pages(self, tmp_path: Path) -> None:
        Doccano().write([EMOJI], tmp_path / "out")
        written = json.loads((tmp_path / "out").read_text("utf-8"))
        assert (written["label"], written["offsets"]) == ([[5, 8, "PER"]], "utf-16")

    def test_what_it_cannot_hold(self, tmp_path: Path) -> None:
        spans = [{**PETER["spans"][0], "role": "from"}]  # type: ignore[dict-item]
        rows: list[InnerRow] = [{**PETER, "spans": spans}, {"text": "x", "cats": ["y"]}]
        assert Doccano().write(rows, tmp_path / "out") == [
            "1 row without annotation reads back as one with no spans",
            "what 1 span has beside its label is left out",
            "the column cats is left out (1 row)",
        ]


class TestLabelStudio(WriterContract):
    name = "label_studio"
    format = "label_studio"
    rows: ClassVar = [{**JOINED, "label": "x", "page": {"n": 3}}, {**EMOJI, "relations": [], "label": "y"}]

    def read(self, path: Path) -> list[Any]:
        return [
            {**row, "spans": [{key: value for key, value in span.items() if key != "id"} for span in row["spans"]]}
            if not row["relations"]
            else row
            for row in super().read(path)
        ]

    def test_regions_are_characters_and_repeat_their_text(self, tmp_path: Path) -> None:
        LabelStudio().write([EMOJI], tmp_path / "out")
        (task,) = json.loads((tmp_path / "out").read_text("utf-8"))
        (region,) = task["annotations"][0]["result"]
        assert region["value"] == {"start": 3, "end": 6, "text": "Ann", "labels": ["PER"]}
        assert (region["from_name"], region["to_name"], region["type"]) == ("label", "text", "labels")

    def test_predictions_become_pre_annotations_with_scores(self, tmp_path: Path) -> None:
        spans = [{"start": 0, "end": 5, "label": "PER", "text": "Peter", "confidence": 0.75}]
        rows: list[InnerRow] = [
            {"text": "Peter met Ann", "prediction": {"spans": spans}},
            {"text": "so good", "prediction": {"labels": ["pos"], "confidence": 0.9, "scores": {"pos": 0.9}}},
        ]
        LabelStudio().write(rows, tmp_path / "out")
        first, second = json.loads((tmp_path / "out").read_text("utf-8"))
        assert "annotations" not in first
        (prediction,) = first["predictions"]
        assert (prediction["score"], prediction["result"][0]["score"]) == (0.75, 0.75)
        assert prediction["result"][0]["value"]["text"] == "Peter"
        assert second["predictions"][0]["score"] == 0.9
        assert second["predictions"][0]["result"][0]["value"] == {"choices": ["pos"]}

    def test_no_rows_are_an_empty_array(self, tmp_path: Path) -> None:
        LabelStudio().write([], tmp_path / "out")
        assert json.loads((tmp_path / "out").read_text("utf-8")) == []


class TestConll(WriterContract):
    name = "conll"
    format = "conll"
    rows: ClassVar = [
        {"text": "Peter met Ann"},
        {"text": "👨🏻  Ann\r\n\u3000e\u0301"},
        {"text": '"a"'},
        {"text": "don't"},
    ]
    spans: ClassVar = [[(0, 5, "PER")], [(4, 7, "PER")], [], [(3, 5, "NEG")]]

    def given(self) -> list[InnerRow]:
        return [
            with_tokens({**row, "spans": [{"start": a, "end": b, "label": label} for a, b, label in own]})
            for row, own in zip(self.rows, self.spans, strict=True)
        ]

    def test_columns(self, tmp_path: Path) -> None:
        Conll().write(self.given()[:1], tmp_path / "out")
        assert (tmp_path / "out").read_text("utf-8") == "Peter\tB-PER\nmet\tO\nAnn\tO\n\n"

    def test_further_columns_and_documents_come_back(self, tmp_path: Path) -> None:
        source = tmp_path / "in.conll"
        text = "-DOCSTART-\tO\n\nEU\tNNP\tB-ORG\nwon\tVB\tO\n\n-DOCSTART-\tO\n\n我们\tPN\tO\n北京\tNR\tB-LOC\n\n"
        source.write_text(text, "utf-8")
        rows: list[InnerRow] = []
        for row in read_rows(str(source)).rows:
            fields = {key: value for key, value in row.fields.items() if key not in ("1", "3")}
            rows.append(fields)
        assert Conll().write(rows, tmp_path / "out") == []
        assert (tmp_path / "out").read_text("utf-8") == text

    def test_what_it_cannot_hold(self, tmp_path: Path) -> None:
        spans = [
            {"start": 0, "end": 9, "label": "A"},
            {"start": 0, "end": 5, "label": "B"},
            {"start": 11, "end": 13, "label": "C"},
        ]
        row = {**JOINED, "tokens": ["Peter", "met", "Ann"], "spans": spans, "page": 3, "empty": None}
        assert Conll().write([row], tmp_path / "out") == [
            "1 span overlaps a longer one and is left out",
            "1 span begins or ends inside a token and now covers all of it",
            "1 relation is left out",
            "the column page is left out (1 row)",
        ]
        assert (tmp_path / "out").read_text("utf-8") == "Peter\tB-A\nmet\tI-A\nAnn\tB-C\n\n"

    def test_tabs_and_breaks_inside_tokens_and_labels(self, tmp_path: Path) -> None:
        row = {
            "text": "a\tb c",
            "tokens": ["a\tb", "c"],
            "2": ["X", "Y"],
            "spans": [{"start": 0, "end": 3, "label": "A\nB"}],
        }
        assert Conll().write([row], tmp_path / "out") == [
            "1 token with a tab or line break inside is written as the tokens around it",
            "a tab or line break inside 1 label became a space",
        ]
        (back,) = read_rows(str(tmp_path / "out"), format="conll").rows
        assert (back.fields["text"], back.fields["tags"]) == ("a\tb c", ["B-A B", "I-A B", "O"])
        assert back.fields["2"] == ["X", "X", "Y"]


class TestCsv(WriterContract):
    name = "csv"
    format = "csv"
    rows: ClassVar[list[dict[str, Any]]] = [
        {"text": "多退了 5 元，\n请核对", "label": "退款"}, {"text": 'a "quoted" one', "label": "b, c"},
    ]  # fmt: skip

    def test_spreadsheets_know_the_encoding_and_every_column_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        rows = [{"text": "发票"}, {"text": "b", "label": ("x", "y"), "spans": [{"start": 0}], "share": 0.5}]
        assert self.writer.write(rows, path) == []
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        head, first, second = path.read_text("utf-8-sig").splitlines()
        assert (head, first, second) == ("text,label,spans,share", "发票,,,", 'b,x | y,"[{""start"": 0}]",0.5')

    def test_what_utf8_cannot_hold_is_told(self, tmp_path: Path) -> None:
        (told,) = self.writer.write([{"text": "\ud83d"}], tmp_path / "out.csv")
        assert told.startswith("half of a surrogate pair")
