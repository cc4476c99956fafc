"""The task `event`: several events a text, shared arguments and shared triggers, from rows to answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weitiao
from tests.model_folder import make_tokenizer
from tests.tasks.contract import TaskContract
from weitiao.evaluation.baselines import Splits
from weitiao.evaluation.events import analyse, event_gazetteer
from weitiao.models.tiny import tiny
from weitiao.records import Event, EventPrediction, EventRecord, Feature, Outputs, Span
from weitiao.tasks import RowFault, by_record, decode_all
from weitiao.tasks.cliques import MOST, maximal_cliques
from weitiao.tasks.event import EventOptions, EventTask
from weitiao.tasks.events import read_events
from weitiao.text import Tokenizer

BUY, TRANSFER = "买入", "转让"
ROWS: list[dict[str, Any]] = [
    {
        "text": "张三昨天收购甲公司",
        "events": [
            {"type": BUY, "trigger": [4, 6], "arguments": [[0, 2, "主体"], [6, 9, "标的"], [2, 4, "时间"]]},
            {"type": TRANSFER, "trigger": [4, 6], "arguments": [[0, 2, "接收方"], [6, 9, "标的"]]},
        ],
    },
    {
        "text": "李四王五分别收购甲公司乙公司",
        "events": [
            {"type": BUY, "trigger": [6, 8], "arguments": [[0, 2, "主体"], [8, 11, "标的"]]},
            {"type": BUY, "trigger": [6, 8], "arguments": [[2, 4, "主体"], [11, 14, "标的"]]},
        ],
    },
    {"text": "今天下雨", "events": []},
    {
        "text": "张三买下甲公司，李四买下乙公司，张三又宣布",
        "events": [
            {"type": BUY, "trigger": [2, 4], "arguments": [[0, 2, "主体"], [4, 7, "标的"]]},
            {"type": BUY, "trigger": [10, 12], "arguments": [[8, 10, "主体"], [12, 15, "标的"]]},
            {"type": "宣布", "trigger": [19, 21], "arguments": []},
        ],
    },
]


def right(feature: Feature) -> Outputs:
    """Outputs of a head that is right about a feature."""
    filling = [[-1.0] * 4]
    return {
        name: np.array([[*each, 6.0] for each in feature.targets[name]] + filling, dtype=np.float32)
        for name in ("spans", "links")
    }


def record_of(row: dict[str, Any], task: EventTask | None = None) -> EventRecord:
    return (task or EventTask()).read(row, file="a", line=1)


def tokenizer() -> Tokenizer:
    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


class TestEvent(TaskContract):
    task = EventTask()
    train: ClassVar[Any] = [
        {"text": "bad film", "events": [{"type": "x", "trigger": [0, 3], "arguments": [[4, 8, "r"]]}]},
        {"text": "good the film", "events": [{"type": "x", "trigger": [0, 4], "arguments": []}]},
        {"text": "a film", "events": []},
        {
            "text": "张三李四买甲乙",
            "events": [
                {"type": BUY, "trigger": [4, 5], "arguments": [[0, 2, "主体"], [5, 6, "标的"]]},
                {"type": BUY, "trigger": [4, 5], "arguments": [[2, 4, "主体"], [6, 7, "标的"]]},
            ],
        },
        {
            "text": "张三收购甲乙",
            "events": [{"type": TRANSFER, "trigger": [2, 4], "arguments": [[0, 2, "主体"], [4, 6, "标的"]]}],
        },
    ]
    dev: ClassVar[Any] = [
        {"text": "bad film", "events": [{"type": "x", "trigger": [0, 3], "arguments": [[4, 8, "other"]]}]}
    ]
    target_dtypes: ClassVar[Any] = {"spans": np.int64, "links": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return right(feature)

    def answered(self, record: EventRecord, prediction: EventPrediction) -> EventRecord:
        return record.model_copy(update={"events": tuple(bare(event) for event in prediction.events)})


def bare(event: Event) -> Event:
    """A found event as if it were marked."""
    arguments = (Span(start=each.start, end=each.end, label=each.label) for each in event.arguments)
    return Event(type=event.type, start=event.start, end=event.end, arguments=tuple(arguments))


@pytest.mark.parametrize("roles", ["own", "shared"])
def test_shared_arguments_and_shared_triggers_come_back(roles: Any) -> None:
    """One argument in two events with two roles; two events of one type and one trigger; a trigger alone."""
    task = EventTask(EventOptions(roles=roles))
    records = [record_of(row, task) for row in ROWS[1:]]
    labels = task.label_space(records)
    assert (f"{BUY} / 主体" in labels, "* / 主体" in labels) == (roles == "own", roles == "shared")
    features = task.encode(records, tokenizer(), labels, 64)
    answers = decode_all(task, records, features, [right(each) for each in features], labels, {})
    for answer, record in zip(answers, records, strict=True):
        assert tuple(map(bare, answer.events)) == record.events
        assert task.right(answer, record)


def test_thresholds_of_triggers_arguments_and_links_are_found_on_dev() -> None:
    """All right scores lie below one half, and every wrong one below them; without thresholds nothing is answered."""
    task = EventTask()
    records = [record_of(row, task) for row in ROWS[1:]]
    labels = task.label_space(records)
    features = task.encode(records, tokenizer(), labels, 64)
    outputs = [doubtful(right(each), labels) for each in features]
    grouped = by_record(len(records), features, outputs)
    settings = task.calibrate(records, *grouped, labels)
    assert 0.2 < settings["argument_threshold"] < 0.27 < settings["trigger_threshold"] < 0.4
    assert settings["link_threshold"] == 0.3
    assert all(task.right(*pair) for pair in zip(
        decode_all(task, records, features, outputs, labels, settings), records, strict=True
    ))  # fmt: skip
    assert not any(answer.events for answer in decode_all(task, records, features, outputs, labels, {}))
    assert task.calibrate([each.model_copy(update={"events": None}) for each in records], *grouped, labels) == {}


def doubtful(outputs: Outputs, labels: Sequence[str]) -> Outputs:
    """Triggers at 0.4, arguments at 0.27, links at 0.35; beside each row one that is wrong, at 0.2."""
    spans, links = (outputs[name][outputs[name][:, 2] >= 0] for name in ("spans", "links"))
    likely = [0.27 if " / " in labels[int(label)] else 0.4 for label in spans[:, 2]]
    spans[:, 3] = logit(likely)
    links[:, 3] = logit([0.35] * len(links))
    wrong = spans.copy()
    wrong[:, 2] = (wrong[:, 2] + 1) % len(labels)
    known = {tuple(each[:3]) for each in spans}
    wrong = wrong[[tuple(each[:3]) not in known for each in wrong]]
    wrong[:, 3] = logit([0.2] * len(wrong))
    return {"spans": np.concatenate([spans, wrong]), "links": links}


def logit(likely: Sequence[float]) -> Any:
    share = np.array(likely)
    return np.log(share / (1 - share))


def test_types_with_roles_of_their_own_part_what_one_trigger_links() -> None:
    """The date belongs to the first event alone, though both have the same trigger."""
    task, record = EventTask(), record_of(ROWS[0])
    labels = task.label_space([record])
    (feature,) = task.encode([record], tokenizer(), labels, 64)
    answer = task.decode(record, [feature], [right(feature)], labels, {})
    assert tuple(map(bare, answer.events)) == record.events


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_events_come_back_from_any_number_of_windows(data: st.DataObject) -> None:
    """Of one event a trigger, as far apart as a window holds; those of different triggers share no units."""
    count = data.draw(st.integers(1, 5))
    pieces = []
    for place in range(count):
        start = 8 * place + data.draw(st.integers(0, 1))
        arguments = [[start + 1 + place % 2, start + 3, "r"], [start + 3, start + 4, "s"]]
        pieces.append({"type": "AB"[place % 2], "trigger": [start, start + 1], "arguments": arguments})
    task = EventTask()
    record = record_of({"text": "字" * (8 * count), "events": pieces})
    labels = task.label_space([record])
    features = task.encode([record], tokenizer(), labels, data.draw(st.integers(50, 64)))
    (answer,) = decode_all(task, [record], features, [right(each) for each in features], labels, {})
    assert tuple(map(bare, answer.events)) == record.events


def test_links_are_those_of_any_two_pieces_of_one_event() -> None:
    record, task = record_of(ROWS[1]), EventTask()
    (feature,) = task.encode([record], tokenizer(), task.label_space([record]), 64)
    firsts = {(0, 6), (6, 8), (0, 8), (2, 6), (6, 11), (2, 11)}
    lasts = {(1, 7), (7, 10), (1, 10), (3, 7), (7, 13), (3, 13)}
    assert {tuple(each) for each in feature.targets["links"].tolist()} == {
        *((a, b, 0) for a, b in firsts),
        *((a, b, 1) for a, b in lasts),
    }


def test_pieces_that_no_window_reads_together_are_counted() -> None:
    """The trigger is found, its argument too, and nothing says that they belong together."""
    task = EventTask()
    event = {"type": "A", "trigger": [0, 1], "arguments": [[2, 3, "r"], [39, 40, "s"]]}
    record = record_of({"text": "字" * 40, "events": [event]})
    features = task.encode([record], tokenizer(), task.label_space([record]), 22)
    assert [feature.lost for feature in features] == [2, *[0] * (len(features) - 1)]
    assert not any(feature.cut for feature in features)  # every token is read
    assert sum(len(feature.targets["links"]) for feature in features) == 2
    assert sum(len(feature.targets["spans"]) for feature in features) == 3


def test_every_way_of_writing_events_is_read_alike() -> None:
    text = "张三收购甲公司"
    expected = (
        Event(
            type=BUY, start=2, end=4,
            arguments=(Span(start=0, end=2, label="主体"), Span(start=4, end=7, label="标的")),
        ),
    )  # fmt: skip
    fewfc = {
        "type": BUY,
        "mentions": [
            {"word": "甲公司", "span": [4, 7], "role": "标的"},
            {"word": "收购", "span": [2, 4], "role": "trigger"},
            {"word": "张三", "span": [0, 2], "role": "主体"},
        ],
    }
    duee = {
        "event_type": BUY,
        "trigger": "收购",
        "trigger_start_index": 2,
        "arguments": [
            {"argument": "张三", "argument_start_index": 0, "role": "主体", "alias": []},
            {"argument": "甲公司", "argument_start_index": 4, "role": "标的", "alias": []},
        ],
    }
    plain = {"type": BUY, "trigger": [2, 4], "arguments": [[0, 2, "主体"], [4, 7, "标的"]]}
    own = json.loads(expected[0].model_dump_json())
    for each in (fewfc, duee, plain, own):
        assert read_events(text, [each]) == expected
        assert read_events(text, json.dumps([each, each])) == expected
    assert read_events(text, []) == ()
    assert read_events(text, None) is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("buy", "expected an event as an object; got 'buy'"),
        ({"trigger": [0, 1]}, "an event without a type"),
        ({"type": "x", "arguments": []}, "an event 'x' with 0 triggers; expected one"),
        ({"type": "x / y", "trigger": [0, 1]}, "'x / y' holds ' / ', which parts a type from its roles"),
        (
            {"type": "x", "trigger": [0, 1], "arguments": [[0, 1]]},
            "expected an argument as [start, end, role]; got [0, 1]",
        ),
        ({"type": "x", "trigger": [0, 1], "arguments": [{"start": 0, "end": 1}]}, "an argument without a role"),
        ({"type": "x", "trigger": [0, 1], "arguments": 3}, "expected a list of arguments; got int"),
        ({"type": "x", "trigger": [5, 9]}, "the span 5-9 (x) lies outside the text of 7 characters"),
        (
            {"type": "x", "trigger": "甲", "trigger_start_index": 0},
            "the span 0-1 (x) is '张' in the text and '甲' in its own words",
        ),
        ({"type": "x", "trigger": 4}, "expected a trigger as [start, end]; got 4"),
        ({"type": "x", "trigger": {"word": "收购"}}, "'None' is no offset"),
    ],
)
def test_what_is_no_event_is_a_fault(event: Any, reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        record_of({"text": "张三收购甲公司", "events": [event]})
    assert str(caught.value) == reason


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 7), st.randoms(use_true_random=False))
def test_cliques_are_those_of_a_search_through_all_subsets(count: int, rng: Any) -> None:
    linked = np.zeros((count, count), dtype=np.bool_)
    for a, b in combinations(range(count), 2):
        linked[a, b] = linked[b, a] = rng.random() < 0.6
    subsets = [set(each) for size in range(count + 1) for each in combinations(range(count), size)]
    whole = [each for each in subsets if all(linked[a, b] for a, b in combinations(sorted(each), 2))]
    largest = sorted(sorted(each) for each in whole if not any(each < other for other in whole))
    assert maximal_cliques(linked) == largest


def test_too_many_members_are_one_group() -> None:
    assert maximal_cliques(np.zeros((MOST + 1, MOST + 1), dtype=np.bool_)) == [list(range(MOST + 1))]
    assert len(maximal_cliques(np.zeros((MOST, MOST), dtype=np.bool_))) == MOST


def test_the_baseline_takes_the_nearest_known_form_of_each_role() -> None:
    task = EventTask()
    train = [record_of(row) for row in ROWS[1:]]
    text = "李四又说，李四买下甲公司"
    (answer,) = event_gazetteer(task, Splits(train, [], [record_of({"text": text, "events": []})], [])).predictions
    assert tuple(map(bare, answer.events)) == (
        Event(
            type=BUY, start=7, end=9,
            arguments=(Span(start=5, end=7, label="主体"), Span(start=9, end=12, label="标的")),
        ),
    )  # fmt: skip


def test_the_report_has_scores_by_label_and_by_number_of_events() -> None:
    task = EventTask()
    records = [record_of(row) for row in ROWS]
    labels = task.label_space(records)
    features = task.encode(records, tokenizer(), labels, 64)
    answers = decode_all(task, records, features, [right(each) for each in features], labels, {})
    found = analyse(task, labels, [*answers[:3], answers[2]], records, train=[], texts=True)
    scores = {each.label: (each.support, each.recall) for each in found.per_class}
    assert scores[BUY] == (4, 0.5)
    assert scores[f"{BUY} / 时间"] == (1, 1.0)
    tables = {table.name: {row.label: row.count for row in table.rows} for table in found.tables}
    assert tables["trigger_errors"]["missed"] == 3
    assert tables["argument_errors"] == {
        "right": 9, "wrong_border": 0, "wrong_label": 0, "wrong_both": 0, "spurious": 0, "missed": 4,
    }  # fmt: skip
    assert tables["by_events"] == {"several_events": 3, "shared_trigger": 1}
    assert tables["unit_alignment"] == {"fits": 19, "border_in_unit": 0}


ARGUMENTS = {"x": [2, 3, "x"], "y": [4, 5, "y"], "same": [2, 3, "y"]}


@pytest.mark.parametrize(
    ("events", "mixed"),
    [
        ([("A", 0, "x y")], False),
        ([("A", 0, "x"), ("A", 0, "y")], False),  # two events of one trigger
        ([("A", 0, "x y"), ("A", 6, "x")], False),
        ([("A", 0, "x"), ("B", 6, "same")], False),  # roles belong to their type
        ([("A", 0, "x"), ("A", 6, "same")], True),  # a span with one role here and another there
        ([("A", 0, "x y"), ("A", 0, "x")], True),  # a part of the other
    ],
)
def test_events_that_perfect_answers_mix_are_told(events: list[tuple[str, int, str]], mixed: bool) -> None:
    written = [
        {"type": kind, "trigger": [at, at + 1], "arguments": [ARGUMENTS[each] for each in own.split()]}
        for kind, at, own in events
    ]
    task, record = EventTask(), record_of({"text": "字" * 8, "events": written})
    assert task.mixes(record) == mixed
    (feature,) = task.encode([record], tokenizer(), task.label_space([record]), 64)
    (answer,) = decode_all(task, [record], [feature], [right(feature)], task.label_space([record]), {})
    assert task.right(answer, record) == (not mixed)
    problems = [
        each for each in task.audit({"train": [record]}, task.label_space([record])) if each.code == "mixed-events"
    ]
    assert [each.message for each in problems] == mixed * [
        "the events of 1 of 1 rows of train share spans so that links cannot tell them apart; even perfect answers mix "
        "them, which costs event_f1"
    ]
    found = analyse(task, task.label_space([record]), [answer], [record], train=[], texts=True)
    (table,) = (each for each in found.tables if each.name == "event_alignment")
    assert {row.label: row.count for row in table.rows} == {"fits": int(not mixed), "mixed_events": int(mixed)}


def test_sixteen_texts_with_several_events_are_learnt_by_heart(tmp_path: Path) -> None:
    tiny("bert", tmp_path / "model", texts=[row["text"] for row in ROWS])
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS * 4), "utf-8")
    run = weitiao.train(
        {
            "task": "event",
            "model": {"name": str(tmp_path / "model"), "dropout": 0.0},
            "data": {"train": str(tmp_path / "train.jsonl"), "dev": None, "test": str(tmp_path / "test.jsonl")},
            "training": {"epochs": 40, "learning_rate": 1e-2, "batch_size": 8},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / "run"),
        }
    )
    assert {name: score.value for name, score in run.report.metrics.items()} == pytest.approx(
        dict.fromkeys(run.report.metrics, 1.0)
    )
    (answer,) = run.predict([ROWS[0]["text"]])
    assert len(answer.events) == 2
    assert "收购" not in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8")
    assert weitiao.compare(tmp_path / "run", tmp_path / "run").verdict == "none"
