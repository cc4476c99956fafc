"""The words that flow: Row -> Record -> Feature -> Outputs -> Prediction.

Record and Prediction types are pydantic models: they document the file formats and are the server's schema.
Everything here is free of torch.

Notation: T tokens of a feature, U units of a text (a character of Chinese, a word of English), C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from weitiao.messages import _

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]
NO_CONFIDENCE = "—"  # of answers that are numbers
Outputs = Mapping[str, FloatArray]  # named arrays of one feature, such as {"logits": [C]}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read from a source, before any meaning is given to its columns.

    Args:
        fields: column name -> value; headerless columns are named '1', '2', ...
        file: the source, as the user wrote it.
        line: line of the row's first character, from 1 (spreadsheets, parquet, json arrays: row number).
        problem: why the row cannot be used, when the reader already knows.
    """

    fields: Mapping[str, object]
    file: str
    line: int
    problem: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


class Record(BaseModel):
    """One typed example; tasks derive from it. `file`, `line` and `group` come from the data layer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field("", description="source file")
    line: int = Field(0, description="line in the source file, from 1", ge=0)
    group: str = Field("", description="rows of one group never sit in two splits")

    @property
    def place(self) -> str:
        """`FILE:LINE`, for messages."""
        return f"{self.file}:{self.line}"

    @property
    def beside(self) -> str:
        """What else tells two rows with one text and one answer apart, so that they are no duplicates."""
        return ""


class Prediction(BaseModel):
    """One typed answer; tasks derive from it.

    `surface` says which of its fields repeat the text, in pydantic's terms of `exclude`: files without texts lack them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    surface: ClassVar[Mapping[str, Any]] = {}

    def shown(self) -> tuple[str, str]:
        """(the answer in a line, how sure it is), for a table."""
        raise NotImplementedError


class ClassifyRecord(Record):
    """A text, or a pair of texts, and its label or labels."""

    text: str = Field(description="the text to classify")
    text_pair: str | None = Field(None, description="second text, for pair tasks")
    labels: tuple[str, ...] | None = Field(
        None, description="one label, or several for multi-label; None where unlabelled"
    )

    @property
    def surface(self) -> str:
        """The text; the texts of a pair, joined."""
        return self.text if self.text_pair is None else f"{self.text}\n{self.text_pair}"

    @property
    def label(self) -> str:
        """The only label of a single-label record."""
        return self.labels[0] if self.labels else ""


class ClassifyPrediction(Prediction):
    """The answer to a `ClassifyRecord`."""

    labels: tuple[str, ...] = Field(
        description="the answer; empty when the model abstains or no label passes its threshold"
    )
    confidence: float = Field(description="probability of the most likely label, 0 to 1")
    scores: dict[str, float] = Field(description="probability of each label")
    abstained: bool = Field(False, description="true when the confidence is below the run's threshold")

    def shown(self) -> tuple[str, str]:
        answer = _("(abstains)") if self.abstained else " | ".join(self.labels) or _("(none)")
        return answer, f"{self.confidence:.2f}"


class Span(BaseModel):
    """A labelled piece of a text: half-open character offsets into the untouched text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(description="first character, from 0", ge=0)
    end: int = Field(description="behind the last character", ge=1)
    label: str = Field(description="what the piece is")

    @property
    def bounds(self) -> tuple[int, int]:
        """(start, end)."""
        return self.start, self.end


class FoundSpan(Span):
    """A span that a model found."""

    text: str = Field("", description="the piece itself, text[start:end]")
    confidence: float = Field(description="its probability, or the mean of that of the tags that make it, 0 to 1")


class TagRecord(Record):
    """A text and the spans in it: entities (of the task `span`, nested ones too), words, or tokens with their tags."""

    text: str = Field(description="the text to tag")
    spans: tuple[Span, ...] | None = Field(None, description="in order; None where unlabelled")
    tokens: tuple[tuple[int, int], ...] | None = Field(
        None, description="(start, end) of each token, where the source has tokens"
    )


class TagPrediction(Prediction):
    """The answer to a `TagRecord`."""

    surface: ClassVar[Mapping[str, Any]] = {"spans": {"__all__": {"text"}}}

    spans: tuple[FoundSpan, ...] = Field(description="what was found, in order; of the task `tag` without overlaps")

    def shown(self) -> tuple[str, str]:
        answer = " | ".join(f"{span.label}: {span.text}" for span in self.spans) or _("(none)")
        return answer, f"{min((span.confidence for span in self.spans), default=1.0):.2f}"


SECOND = "second"  # `Feature.places` of a pair's second text, [2]: its first token, and behind its last


@dataclass(frozen=True, slots=True)
class Feature:
    """What the model reads for one record, or for one window of it.

    Args:
        input_ids: token ids, [T], special tokens included.
        token_type_ids: segment ids, [T], for families that take them.
        targets: what the head learns from, such as {"labels": [], [C] or [T]}; empty where unlabelled.
        group: index of the record; features of one record are never split over steps.
        cut: tokens that no window of the record reads.
        places: where in the tokens the record's parts stand, such as {"tokens": [U]}; the head and `decode` read them.
        lost: gold answers, spans and pairs of the record that no window holds whole.
    """

    input_ids: IntArray
    token_type_ids: IntArray | None = None
    targets: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    group: int = 0
    cut: int = 0
    places: Mapping[str, IntArray] = field(default_factory=dict)
    lost: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)


class ParseRecord(Record):
    """A sentence and its dependency tree; the tree is over words, which stand in the text in order."""

    text: str = Field(description="the sentence to parse")
    tokens: tuple[tuple[int, int], ...] | None = Field(
        None,
        description="(start, end) of each word; words that share a form have the same; None where they are not told",
    )
    upos: tuple[str, ...] | None = Field(None, description="part of speech of each word; None where unlabelled")
    heads: tuple[int, ...] | None = Field(
        None, description="number of each word's head, from 1; 0 for the root; None where unlabelled"
    )
    deprels: tuple[str, ...] | None = Field(
        None, description="relation of each word to its head; None where unlabelled"
    )


class ParsedToken(BaseModel):
    """A word in a tree that a model found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str = Field("", description="the word itself, text[start:end]")
    start: int = Field(description="first character, from 0", ge=0)
    end: int = Field(description="behind the last character", ge=1)
    upos: str = Field(description="part of speech")
    head: int = Field(description="number of the head, from 1; 0 for the root", ge=0)
    deprel: str = Field(description="relation to the head")
    confidence: float = Field(description="probability of the head, 0 to 1; 0 for words that the model did not read")


class ParsePrediction(Prediction):
    """The answer to a `ParseRecord`: a tree with one root."""

    surface: ClassVar[Mapping[str, Any]] = {"tokens": {"__all__": {"form"}}}

    tokens: tuple[ParsedToken, ...] = Field(description="the words, in order")

    def shown(self) -> tuple[str, str]:
        answer = " | ".join(
            f"{number} {each.form} {each.upos} {each.deprel} {each.head}" for number, each in enumerate(self.tokens, 1)
        )
        return answer, f"{sum(each.confidence for each in self.tokens) / max(len(self.tokens), 1):.2f}"


class IntentSlotRecord(TagRecord):
    """What someone says, what is meant by it (one intent or several), and the spans that fill its slots."""

    intents: tuple[str, ...] | None = Field(None, description="at least one; None where unlabelled")


class IntentSlotPrediction(TagPrediction):
    """The answer to an `IntentSlotRecord`."""

    intents: tuple[str, ...] = Field(description="the answer; at least one")
    confidence: float = Field(description="probability of the most likely intent, 0 to 1")
    scores: dict[str, float] = Field(description="probability of each intent")

    def shown(self) -> tuple[str, str]:
        slots = " | ".join(f"{span.label}: {span.text}" for span in self.spans)
        answer = " | ".join(self.intents)
        return f"{answer} [{slots}]" if slots else answer, f"{self.confidence:.2f}"


class RelateRecord(ClassifyRecord):
    """A text with two marked spans, and the relation of the first to the second as its label."""

    text_pair: None = Field(default=None, exclude=True, description="never there")
    head: tuple[int, int] = Field(description="(start, end) of the first span, half-open, in characters of the text")
    tail: tuple[int, int] = Field(description="(start, end) of the second span")
    guessed: bool = Field(
        False, description="a span was named by words that stand in the text more than once; the first place is taken"
    )

    @property
    def surface(self) -> str:
        """The text with its spans marked: the same text with another pair is another question."""
        marks = [(self.head[0], True, "<e1>"), (self.head[1], False, "</e1>")]
        marks += [(self.tail[0], True, "<e2>"), (self.tail[1], False, "</e2>")]
        text = self.text
        for place, _opens, mark in sorted(marks, reverse=True):
            text = text[:place] + mark + text[place:]
        return text


class Relation(BaseModel):
    """A directed relation between two of a text's spans."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: int = Field(description="which of the spans, from 0", ge=0)
    tail: int = Field(description="which of the spans it is related to", ge=0)
    label: str = Field(description="the relation of the first to the second")


class FoundRelation(Relation):
    """A relation that a model found."""

    confidence: float = Field(description="probability of the relation, 0 to 1")


class GraphRecord(TagRecord):
    """A text, the spans in it, and the relations among them: what a pipeline of two models is scored on."""

    relations: tuple[Relation, ...] = Field(default=(), description="among `spans`, by their places")


class GraphPrediction(TagPrediction):
    """The answer of a pipeline: spans, and the relations among them."""

    relations: tuple[FoundRelation, ...] = Field(description="among `spans`, by their places")

    def shown(self) -> tuple[str, str]:
        told = [
            f"{self.spans[each.head].text} > {each.label} > {self.spans[each.tail].text}" for each in self.relations
        ]
        sure = min((each.confidence for each in self.relations), default=1.0)
        return " | ".join(told) or _("(none)"), f"{sure:.2f}"


class Event(BaseModel):
    """An event: the piece of text that tells of it (its trigger), and who or what takes part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(description="what kind of event")
    start: int = Field(description="first character of the trigger, from 0", ge=0)
    end: int = Field(description="behind the last character of the trigger", ge=1)
    arguments: tuple[Span, ...] = Field(description="who or what takes part, in order; `label` is the role")


class FoundEvent(Event):
    """An event that a model found."""

    text: str = Field("", description="the trigger itself, text[start:end]")
    confidence: float = Field(description="probability of the trigger, 0 to 1")
    arguments: tuple[FoundSpan, ...] = Field(description="who or what takes part, in order; `label` is the role")


class EventRecord(Record):
    """A text and the events in it."""

    text: str = Field(description="the text to read")
    events: tuple[Event, ...] | None = Field(None, description="by place of their triggers; None where unlabelled")
    tokens: tuple[tuple[int, int], ...] | None = Field(
        None, description="(start, end) of each token, where the source has tokens"
    )


class EventPrediction(Prediction):
    """The answer to an `EventRecord`."""

    surface: ClassVar[Mapping[str, Any]] = {
        "events": {"__all__": {"text": True, "arguments": {"__all__": {"text"}}}},
    }

    events: tuple[FoundEvent, ...] = Field(description="what was found, by place of the triggers")

    def shown(self) -> tuple[str, str]:
        answer = " | ".join(
            f"{event.type}: {event.text} ({', '.join(f'{each.label}: {each.text}' for each in event.arguments)})"
            for event in self.events
        )
        return answer or _("(none)"), f"{min((event.confidence for event in self.events), default=1.0):.2f}"


class RegressRecord(Record):
    """A text, or a pair of texts, and a number about it."""

    text: str = Field(description="the text")
    text_pair: str | None = Field(None, description="second text, for pairs")
    score: float | None = Field(None, description="the number; None where unlabelled")

    @property
    def surface(self) -> str:
        """The text; the texts of a pair, joined."""
        return self.text if self.text_pair is None else f"{self.text}\n{self.text_pair}"


class RegressPrediction(Prediction):
    """The answer to a `RegressRecord`."""

    score: float = Field(description="the number, in the units of the training rows")

    def shown(self) -> tuple[str, str]:
        return f"{self.score:.4g}", NO_CONFIDENCE


class EmbedRecord(Record):
    """A text, and by task one that belongs to it, ones that do not, or a score of how alike the two are."""

    text: str = Field(description="the text")
    text_pair: str | None = Field(None, description="a text that belongs to it, or that is compared with it")
    negative: tuple[str, ...] | None = Field(None, description="texts that look as if they belonged to it and do not")
    score: float | None = Field(None, description="how alike the two texts are, on any scale")

    @property
    def beside(self) -> str:
        return "\n".join(sorted(self.negative or ()))


class EmbedPrediction(Prediction):
    """The answer to an `EmbedRecord`: vectors of length 1, whose product is the cosine of their angle."""

    vector: tuple[float, ...] = Field(description="of the text")
    pair: tuple[float, ...] | None = Field(None, description="of the second text, where there is one")
    similarity: float | None = Field(None, description="cosine of the two, -1 to 1")

    def shown(self) -> tuple[str, str]:
        if self.similarity is not None:
            return f"{self.similarity:.3f}", NO_CONFIDENCE
        return ", ".join(f"{each:.3f}" for each in self.vector[:4]) + ", ...", NO_CONFIDENCE


class RankRecord(Record):
    """A query, a text that may answer it, and how well it does."""

    query: str = Field(description="what is asked")
    text: str = Field(description="a text that may answer it")
    label: float | None = Field(None, description="0 for a text that does not; higher for better ones", ge=0)
    query_id: str = Field("", description="the same for all rows of one query; a digest of it")


class RankPrediction(Prediction):
    """The answer to a `RankRecord`; the texts of a query are ranked by it."""

    score: float = Field(description="how well the text answers the query, 0 to 1")

    def shown(self) -> tuple[str, str]:
        return f"{self.score:.4f}", NO_CONFIDENCE


class GoldAnswer(BaseModel):
    """An answer to a question, and where it stands in the text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(description="its words")
    start: int | None = Field(
        default=None, description="first character, from 0; null where these words do not stand in the text", ge=0
    )

    @property
    def end(self) -> int | None:
        """Behind its last character."""
        return None if self.start is None else self.start + len(self.text)


class AnswerRecord(Record):
    """A question and the text in which its answer stands, if it does."""

    question: str = Field(description="what is asked")
    text: str = Field(description="where the answer is looked for")
    answers: tuple[GoldAnswer, ...] | None = Field(
        default=None,
        description="what is right, all of them; empty where the text holds no answer, null where unlabelled",
    )
    id: str = Field(default="", description="the source's own name of the question")
    language: Literal["", "en", "zh"] = Field(
        default="",
        description="whose rules compare answers, told by the text when a row is read; empty: by the answers",
    )
    guessed: int = Field(
        default=0, description="answers whose place the source tells wrongly, or not although it has several", ge=0
    )

    @property
    def placed(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of the answers that stand in the text."""
        return tuple((each.start, each.start + len(each.text)) for each in self.answers or () if each.start is not None)


class FoundAnswer(BaseModel):
    """A piece of the text that may be the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(description="the piece itself, text[start:end]")
    start: int = Field(description="first character, from 0", ge=0)
    end: int = Field(description="behind the last character", ge=1)
    confidence: float = Field(description="probability among all pieces that are allowed, 0 to 1")


class AnswerPrediction(Prediction):
    """The answer to an `AnswerRecord`."""

    surface: ClassVar[Mapping[str, Any]] = {"n_best": True}  # the answer itself is what is scored

    text: str = Field(description="the answer, text[start:end]; empty where the text holds none")
    start: int | None = Field(default=None, description="its first character, from 0; null without an answer")
    end: int | None = Field(default=None, description="behind its last character; null without an answer")
    confidence: float = Field(description="probability of this answer, or of there being none, 0 to 1")
    no_answer: bool = Field(default=False, description="true when the text holds no answer")
    no_answer_score: float = Field(
        default=0.0,
        description="score of there being no answer minus that of the best piece; above the run's threshold: none",
    )
    n_best: tuple[FoundAnswer, ...] = Field(
        default=(), description="the likeliest pieces with different words, best first"
    )

    def shown(self) -> tuple[str, str]:
        return _("(no answer)") if self.no_answer else self.text, f"{self.confidence:.2f}"
