"""Mistakes in rows of marks and pairs: spans, events and relations; answers to questions; pairs, numbers, queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.mistakes.cases import Case, rows

SPANS, ANSWERS, PAIRS = "spans", "answers", "pairs"
PLANTED = 5  # row, from 0, with the mistake
LINE = PLANTED + 1
TEXTS = [text for text, _label in rows()]
LABELS = [label for _text, label in rows()]
Row = dict[str, Any]


def first_word(text: str) -> list[Any]:
    return [0, len(text.split()[0]), "NOUN"]


def second_word(text: str) -> list[Any]:
    start = len(text.split()[0]) + 1
    return [start, start + len(text.split()[1]), "ADJ"]


def event(text: str, kind: str) -> Row:
    return {"type": kind, "trigger": first_word(text)[:2], "arguments": [[*second_word(text)[:2], "how"]]}


GOOD: Mapping[str, Sequence[Row]] = {
    "tag": [{"text": text, "spans": [first_word(text), second_word(text)]} for text in TEXTS],
    "span": [{"text": text, "spans": [first_word(text), second_word(text)]} for text in TEXTS],
    "relate": [
        {"text": text, "head": text.split()[0], "tail": text.split()[1], "relation": label}
        for text, label in zip(TEXTS, LABELS, strict=True)
    ],
    "event": [{"text": text, "events": [event(text, kind)]} for text, kind in zip(TEXTS, LABELS, strict=True)],
    "intent_slot": [
        {"text": text, "intent": label, "spans": [first_word(text)]} for text, label in zip(TEXTS, LABELS, strict=True)
    ],
    "answer": [
        {"question": f"What is it of {text.split()[2]}?", "text": text, "answers": [
            {"text": text.split()[1], "start": second_word(text)[0]}
        ]}
        for text in TEXTS
    ],
    "regress": [
        {"text": text, "text_pair": text.split()[2], "score": float(index % 7)} for index, text in enumerate(TEXTS)
    ],
    "embed": [{"text": " ".join(text.split()[2:]), "text_pair": text} for text in TEXTS],
    "rank": [
        {"query": f"who {text.split()[2]}", "text": each, "label": int(each == text)}
        for index, text in enumerate(TEXTS[::4])
        for each in TEXTS[4 * index : 4 * index + 4]
    ],
    "classify": [
        {"text": text, "text_pair": " ".join(text.split()[::-1]), "label": label}
        for text, label in zip(TEXTS, LABELS, strict=True)
    ],
}  # fmt: skip


def lines(table: Sequence[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in table)


def recipe(task: str, data: str = "{train: t.jsonl}", *others: str) -> str:
    return "\n".join([f"task: {task}", "model: ./m", f"data: {data}", *others, ""])


def name_of(task: str) -> str:
    """`tag` of `{name: tag, crf: true}`."""
    return task.removeprefix("{name: ").partition(",")[0]


def row(name: str, group: str, task: str, reason: str, without: str = "", **changed: Any) -> Case:
    """A row that cannot be used: other values, or a field less."""
    table = [dict(each) for each in GOOD[task]]
    table[PLANTED].update(changed)
    table[PLANTED].pop(without, None)
    problem = (
        f"error t.jsonl:{LINE}: 1 of 40 rows cannot be used, more than data.max_dropped = 1.00% allows "
        f"(line {LINE}: {reason}); repair them, or let them go with data.max_dropped=0.025"
    )
    return Case(name, group, [problem], recipe(task), {"t.jsonl": lines(table)})


def told(name: str, group: str, task: str, problems: Sequence[str], *more: Row, **changed: Any) -> Case:
    """Rows with other values in one of them, or with `more` behind them."""
    table = [dict(each) for each in GOOD[name_of(task)]]
    table[PLANTED].update(changed)
    return Case(name, group, problems, recipe(task), {"t.jsonl": lines([*table, *more])})


def all_rows(name: str, group: str, task: str, problems: Sequence[str], **changed: Any) -> Case:
    """The same value in every row."""
    table = [{**each, **changed} for each in GOOD[name_of(task)]]
    return Case(name, group, problems, recipe(task), {"t.jsonl": lines(table)})


def said(name: str, group: str, task: str, problem: str, *others: str) -> Case:
    """A recipe that asks for what does not go; the rows are good."""
    text = recipe(task, "{train: t.jsonl}", *others)
    return Case(name, group, [f"error r.yaml:{problem}"], text, {"t.jsonl": lines(GOOD[name_of(task)])})


def apart(name: str, group: str, task: str, problems: Sequence[str], dev: Sequence[Row]) -> Case:
    """The first thirty good rows to train on, and other rows in dev."""
    files = {"t.jsonl": lines(GOOD[task][:30]), "d.jsonl": lines(dev)}
    return Case(name, group, problems, recipe(task, "{train: t.jsonl, dev: d.jsonl}"), files)


def columns(name: str, change: tuple[str, str], reason: str, word: int = 1) -> Case:
    """A word a line with its tag; the sixth sentence is changed, and the fault stands at its `word`-th line."""
    sentences = ["".join(f"{word}\t{tag}\n" for word, tag in zip(text.split(), TAGS, strict=True)) for text in TEXTS]
    sentences[PLANTED] = sentences[PLANTED].replace(*change, 1)
    assert change[1] in sentences[PLANTED]
    first = 5 * PLANTED + word
    problem = (
        f"error t.conll:{first}: 1 of 40 rows cannot be used, more than data.max_dropped = 1.00% allows "
        f"(line {first}: {reason}); repair them, or let them go with data.max_dropped=0.025"
    )
    return Case(name, SPANS, [problem], recipe("tag", "{train: t.conll}"), {"t.conll": "\n".join(sentences)})


TAGS = ("B-NOUN", "B-ADJ", "O", "O")
PARALLEL = {
    "p/seq.in": "".join(f"{text}\n" for text in TEXTS),
    "p/seq.out": f"{' '.join(TAGS)}\n" * len(TEXTS),
    "p/label": "".join(f"{label}\n" for label in LABELS),
}
LONG = len(TEXTS[PLANTED])

SPAN_CASES = [
    row(
        "beyond the text", SPANS, "tag", f"the span 0-999 (NOUN) lies outside the text of {LONG} characters",
        spans=[[0, 999, "NOUN"]],
    ),
    row(
        "before the text", SPANS, "tag", f"the span -3-3 (NOUN) lies outside the text of {LONG} characters",
        spans=[[-3, 3, "NOUN"]],
    ),
    row(
        "end before start", SPANS, "tag",
        "the span 7-3 (NOUN) holds nothing; `end` is the offset behind its last character", spans=[[7, 3, "NOUN"]],
    ),
    row(
        "end is start", SPANS, "span",
        "the span 3-3 (NOUN) holds nothing; `end` is the offset behind its last character", spans=[[3, 3, "NOUN"]],
    ),
    row("a space marked", SPANS, "tag", "the span 6-7 (NOUN) is blank", spans=[[6, 7, "NOUN"]]),
    row("a word as offset", SPANS, "tag", "'a' is no offset", spans=[["a", 3, "NOUN"]]),
    row("half an offset", SPANS, "tag", "'0.5' is no offset", spans=[[0.5, 3, "NOUN"]]),
    row("no label", SPANS, "tag", "expected a span as [start, end, label]; got [0, 3]", spans=[[0, 3]]),
    row("no end", SPANS, "tag", "a span (NOUN) without both `start` and `end`", spans=[{"start": 0, "label": "NOUN"}]),
    row("spans in words", SPANS, "tag", "the spans are not valid JSON", spans="NOUN"),
    row(
        "other words than the text has", SPANS, "tag",
        "the span 0-3 (NOUN) is 'gar' in the text and 'zzz' in its own words",
        spans=[{"start": 0, "end": 3, "label": "NOUN", "text": "zzz"}],
    ),
    row(
        "half a character", SPANS, "tag", "a text with half of a surrogate pair, which is not a character",
        text="garden \ud800 fffff",
    ),
    row("spans without a text", SPANS, "tag", "empty text", without="text"),
    row(
        "a tag too few", SPANS, "tag", "tokens: 4, tags: 3; expected a tag for each token",
        tokens=TEXTS[PLANTED].split(), tags=["B-NOUN", "O", "O"], without="spans",
    ),
    told(
        "one inside the other", SPANS, "tag",
        [
            f"warning t.jsonl:{LINE}: 1 span of train overlaps one that is kept (the longer, of equals the first by "
            "label), and flat tags cannot give it, but the task `span` can: ADJ 7-11"
        ],
        spans=[[0, 11, "NOUN"], [7, 11, "ADJ"]],
    ),
    told(
        "inside a word", SPANS, "span",
        [
            f"warning t.jsonl:{LINE}: 1 span of train begins or ends inside a word, and cannot be found exactly: "
            "NOUN 1-6"
        ],
        spans=[[1, 6, "NOUN"]],
    ),
    told(
        "a label mistyped", SPANS, "tag",
        [
            f"warning t.jsonl:{LINE}: label 'NUON' (1 row) looks like a slip of 'NOUN' (35 rows)",
            f"warning t.jsonl:{LINE}: 1 class has fewer than 5 training rows: NUON (1, line {LINE}); collect more or "
            "merge it",
        ],
        spans=[[0, 6, "NUON"], [7, 11, "ADJ"]],
    ),
    told(
        "marked once and once not", SPANS, "tag",
        [
            "warning t.jsonl:41: 1 text of train occurs with different labels: nothing here, "
            f"'NOUN 0-6 | ADJ 7-11' at t.jsonl:{LINE}"
        ],
        {"text": TEXTS[PLANTED], "spans": []},
    ),
    all_rows(
        "nothing marked", SPANS, "tag",
        ["error t.jsonl: no training row has a span; check `data.fields` and the file"], spans=[],
    ),
    apart(
        "a label that only dev has", SPANS, "tag",
        ["warning d.jsonl:1: label 'PLACE' (1 row in dev) is not among the training labels"],
        [{"text": TEXTS[30], "spans": [[*first_word(TEXTS[30])[:2], "PLACE"]]}, *GOOD["tag"][31:]],
    ),
    columns(
        "a word without its tag", ("slow\tB-ADJ", "slow"), "columns: 1; in the other lines: 2", 2,
    ),
    columns(
        "a tag of another scheme", ("slow\tB-ADJ", "slow\tX-ADJ"),
        "tag 'X-ADJ' does not say where a span begins (B-, I-, O, ...); for plain tags, set task.learn=tokens",
    ),
    Case(
        "a line of tags too few", SPANS,
        ["error p/seq.out: has 39 lines, p/seq.in has 40; each line must stand beside its sentence"],
        recipe("intent_slot", "{train: p}"),
        {**PARALLEL, "p/seq.out": f"{' '.join(TAGS)}\n" * (len(TEXTS) - 1)},
    ),
    Case(
        "a tag of a line too few", SPANS,
        [
            "error p/seq.in:1: 1 of 40 rows cannot be used, more than data.max_dropped = 1.00% allows "
            "(p/seq.in:1: tokens: 4, tags: 3; expected a tag for each token); "
            "repair them, or let them go with data.max_dropped=0.025"
        ],
        recipe("intent_slot", "{train: p}"), {**PARALLEL, "p/seq.out": PARALLEL["p/seq.out"].replace(" O", "", 1)},
    ),
    row("no intent", SPANS, "intent_slot", "no intent", intent=""),
    said(
        "smoothing of a chain", SPANS, "{name: tag, crf: true}",
        "4: `training.label_smoothing` works only without `task.crf`; remove one of the two",
        "training: {label_smoothing: 0.1}",
    ),
    said(
        "a scheme mistyped", SPANS, "{name: tag, scheme: bilouu}",
        "1: `task.scheme`: got 'bilouu'; expected one of: bio, bioes; did you mean 'bio'?",
    ),
    row("a head that is not there", SPANS, "relate", "the head 'zebra' does not stand in the text", head="zebra"),
    row("no tail", SPANS, "relate", "empty tail", tail=""),
    told(
        "a head that is there twice", SPANS, "relate",
        [
            f"warning t.jsonl:{LINE}: 1 row of train names a span by words that its text has more than once or only "
            "inside other words, and the first is taken; [start, end] would tell"
        ],
        text=f"slow {TEXTS[PLANTED]}", head="slow", tail="garden",
    ),
    row(
        "an event without its trigger", SPANS, "event", "an event 'POS' with 0 triggers; expected one",
        events=[{"type": "POS", "arguments": []}],
    ),
    row(
        "an event of no type", SPANS, "event", "an event without a type", events=[{"trigger": [0, 6], "arguments": []}],
    ),
    row(
        "an argument without its role", SPANS, "event", "expected an argument as [start, end, role]; got [7, 11]",
        events=[{"type": "POS", "trigger": [0, 6], "arguments": [[7, 11]]}],
    ),
]  # fmt: skip

ANSWER_CASES = [
    row(
        "an answer of other words", ANSWERS, "answer", "the answer 'zebra' does not stand in the text",
        answers=["zebra"],
    ),
    row(
        "nothing said of the answer", ANSWERS, "answer", "no answer; where the text holds none, write []",
        without="answers",
    ),
    row("an empty question", ANSWERS, "answer", "empty question", question=" "),
    row("an empty passage", ANSWERS, "answer", "empty text", text=""),
    row(
        "impossible and yet answered", ANSWERS, "answer", "is_impossible, and yet the answer 'slow'", is_impossible=True
    ),
    row(
        "a word as its place", ANSWERS, "answer", "'x' is no offset", answers=[{"text": "slow", "start": "x"}],
    ),
    all_rows(
        "no answer anywhere", ANSWERS, "answer",
        ["error t.jsonl: no training row has an answer; check `data.fields.answers` and the file"], answers=[],
    ),
    apart(
        "none in dev alone", ANSWERS, "answer",
        [
            "warning d.jsonl:1: the text of 1 of 10 rows holds no answer, which no training row taught; it counts as "
            "wrong"
        ],
        [{**GOOD["answer"][30], "answers": []}, *GOOD["answer"][31:]],
    ),
    apart(
        "a passage of both splits", ANSWERS, "answer",
        [
            "warning d.jsonl:1: 1 of 11 rows of dev asks about a text that train asks about too; keep them together "
            "with data.fields.group, such as the column of the document"
        ],
        [{**GOOD["answer"][PLANTED], "question": "Is there a quite different thing to know?"}, *GOOD["answer"][30:]],
    ),
    told(
        "a longer answer than is looked for", ANSWERS, "{name: answer, max_answer: 2}",
        [
            f"warning t.jsonl:{LINE}: the answer of 1 row of train is longer than the 2 words or characters of "
            f"`task.max_answer`, and cannot be found whole; raise it: '{TEXTS[PLANTED]}'"
        ],
        answers=[TEXTS[PLANTED]],
    ),
    told(
        "two answers to one question", ANSWERS, "answer",
        [
            "warning t.jsonl:41: 1 text of train occurs with different labels: 'garden' here, 'slow' at "
            f"t.jsonl:{LINE}"
        ],
        {**GOOD["answer"][PLANTED], "answers": ["garden"]},
    ),
    said(
        "smoothing of places", ANSWERS, "answer",
        "4: `training.label_smoothing` does not work with the places of answers; remove it",
        "training: {label_smoothing: 0.1}",
    ),
    said(
        "no language", ANSWERS, "{name: answer, metric_language: cn}",
        "1: `task.metric_language`: got 'cn'; expected one of: auto, en, zh",
    ),
    said("no best answer", ANSWERS, "{name: answer, n_best: 0}", "1: `task.n_best`: got 0; expected a number >= 1"),
]  # fmt: skip

PAIR_CASES = [
    row("a word as number", PAIRS, "regress", "score 'high' is not a number", score="high"),
    row(
        "a decimal comma", PAIRS, "regress",
        "score '3,5' is not a number; write the decimal comma as a point: 3.5", score="3,5",
    ),
    row("without end", PAIRS, "regress", "score 'inf' is not a finite number", score="inf"),
    row("no number", PAIRS, "regress", "no score", without="score"),
    row("half a pair", PAIRS, "regress", "empty text_pair", text_pair=" "),
    all_rows(
        "one number for all", PAIRS, "regress",
        ["error t.jsonl:1: every training row has the score 1, so there is nothing to learn; check `data.fields`"],
        score=1.0,
    ),
    told(
        "two numbers for one pair", PAIRS, "regress",
        [
            "warning t.jsonl:41: 1 text of train occurs with different labels: '99' here, '5' at "
            f"t.jsonl:{LINE}"
        ],
        {**GOOD["regress"][PLANTED], "score": 99.0},
    ),
    row("a text that is like nothing", PAIRS, "embed", "empty text_pair", text_pair=""),
    told(
        "a pair twice", PAIRS, "embed",
        [f"warning t.jsonl:41: 1 row of train repeats an earlier row: t.jsonl:{LINE}"], GOOD["embed"][PLANTED],
    ),
    said(
        "a loss that is none", PAIRS, "{name: embed, loss: infonce}",
        "1: `task.loss`: got 'infonce'; expected one of: in_batch, cosent, simcse",
    ),
    said(
        "longer than the model's vectors", PAIRS, "{name: embed, dimensions: [8, 4096]}",
        "1: `task.dimensions` asks for 4096 numbers, but the vectors of this model have 8",
    ),
    row(
        "worse than irrelevant", PAIRS, "rank",
        "label '-1.0' is below 0, which stands for a text that does not answer", label=-1,
    ),
    row("a word as relevance", PAIRS, "rank", "label 'yes' is not a number", label="yes"),
    row("no query", PAIRS, "rank", "empty query", query=""),
    apart(
        "a query of both splits", PAIRS, "rank",
        [
            "warning d.jsonl:1: the queries of 3 of 11 rows of dev are asked in train too; keep the rows of a query in "
            "one split"
        ],
        [{**GOOD["rank"][0], "text": "a text that nobody saw before", "label": 0}, *GOOD["rank"][30:]],
    ),
    row("half a pair to classify", PAIRS, "classify", "empty text_pair", text_pair=""),
    apart(
        "pairs and single texts", PAIRS, "classify",
        [
            "error d.jsonl:1: 10 rows have no second text while the others have one; give all files the column, or "
            "leave it out of all"
        ],
        [{"text": each["text"], "label": each["label"]} for each in GOOD["classify"][30:]],
    ),
]  # fmt: skip
MARK_CASES = [*SPAN_CASES, *ANSWER_CASES, *PAIR_CASES]
