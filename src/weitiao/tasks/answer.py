"""Answer: the piece of a text that answers a question, or that there is none.

Fields `question`, `text` and `answers` become an `AnswerRecord`; question and text become one `Feature` or several
windows, whose `start` and `end` [T] give a score to every piece that begins and ends with units (Chinese characters,
words, signs). Offsets are half-open and count characters of the untouched text. Notation: U units, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.metrics import Metric
from weitiao.metrics.qa import Language, answer_metrics, best, exact_match, f1, gold_texts, language_of, told_language
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import AnswerPrediction, AnswerRecord, Feature, FloatArray, FoundAnswer, Outputs
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.candidates import Candidates
from weitiao.tasks.gold_answers import answer_problems, read_answers, shared_texts
from weitiao.tasks.passages import NOWHERE, Reading, Texts, covering
from weitiao.tasks.units import Bounds, units_of
from weitiao.tasks.values import is_blank, text_of
from weitiao.text import Tokenizer

ANSWER, NO_ANSWER = "answer", "no_answer"  # the label space: what the training rows have
THRESHOLD = "no_answer"  # key of the settings

# fmt: off
QUESTION = FieldSpec("question", required=True, aliases=(
    "question", "query", "question_text", "query_text", "问题", "提问",
))
TEXT = FieldSpec("text", required=True, aliases=(
    "text", "context", "passage", "paragraph", "context_text", "content", "段落", "文章",
    "上下文", "正文", "文本", "原文",
))
ANSWERS = FieldSpec("answers", required=True, only_labelled=True, aliases=("answers", "answer", "答案", "回答"))
IMPOSSIBLE = FieldSpec("is_impossible", required=False, only_labelled=True, aliases=(
    "is_impossible", "impossible", "unanswerable",
))
ID = FieldSpec("id", required=False, asked=False, aliases=("id", "qid", "question_id", "query_id"))
# fmt: on


class AnswerOptions(Options):
    """What a recipe may say under `task: {name: answer, ...}`."""

    overlap: int = Field(
        default=128, ge=0, description="tokens that neighbouring windows of a long text share, at most half of the room"
    )  # Devlin et al. 2019, run_squad.py: doc_stride 128
    max_question: int = Field(
        default=64, ge=1, description="tokens of a question that are read, at most half of the room"
    )  # run_squad.py: max_query_length 64
    max_answer: int = Field(
        default=50, ge=1, description="longest answer, in units: words, numbers and signs, or Chinese characters"
    )  # CMRC 2018's baseline: max_answer_length 50
    n_best: int = Field(default=5, ge=1, description="pieces with different words that an answer lists")
    metric_language: Literal["auto", "en", "zh"] = Field(
        default="auto",
        description="whose rules compare answers: en as SQuAD (bag of words), zh as CMRC 2018 (longest common piece of "
        "characters); auto: by the text of each row",
    )


class Answer(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "answer"
    options_model: ClassVar[type[AnswerOptions]] = AnswerOptions
    record: ClassVar[type[AnswerRecord]] = AnswerRecord
    prediction: ClassVar[type[AnswerPrediction]] = AnswerPrediction
    head: ClassVar[str] = "answer"
    stock: ClassVar[str] = "AutoModelForQuestionAnswering"
    hub: ClassVar[str] = "question-answering"
    decisive: ClassVar[Sequence[str]] = ("metric_language",)
    fields: ClassVar[Sequence[FieldSpec]] = (QUESTION, TEXT, ANSWERS, IMPOSSIBLE, ID)
    baselines: ClassVar[Sequence[str]] = ("lexical_overlap",)

    def __init__(self, options: AnswerOptions | None = None) -> None:
        self.options = options or AnswerOptions()
        chosen = self.options.metric_language
        self.language: Language | None = None if chosen == "auto" else chosen  # None: that of each row

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> AnswerRecord:
        question, text = _filled(fields.get("question"), "question"), _filled(fields.get("text"), "text")
        answers, guessed = read_answers(text, fields.get("answers"), fields.get("is_impossible"))
        if labelled and answers is None:
            raise RowFault(_("no answer; where the text holds none, write []"))
        return AnswerRecord(
            file=file, line=line, group=group, question=question, text=text, answers=answers,
            id=text_of(fields.get("id")) or "", language=told_language(text), guessed=guessed,
        )  # fmt: skip

    def surface(self, record: AnswerRecord) -> str:
        return f"{record.question}\n{record.text}"

    def answer(self, record: AnswerRecord) -> str:
        return " | ".join(dict.fromkeys(gold_texts(record)))

    def label_space(self, records: Sequence[AnswerRecord]) -> Sequence[str]:
        """Whether texts hold an answer, and whether some hold none; a model that never saw that always answers."""
        known = {_label(record) for record in records}
        return [label for label in (ANSWER, NO_ANSWER) if label in known]

    def classes(self, labels: Sequence[str]) -> Sequence[str]:  # noqa: ARG002  (both ends are always looked for)
        return ["start", "end"]

    def audit(self, splits: Mapping[str, Sequence[AnswerRecord]], labels: Sequence[str]) -> list[Problem]:
        found = [*answer_problems(splits, self.units, self.options.max_answer), *shared_texts(splits)]
        train = splits.get("train", ())
        if train and ANSWER not in labels:
            message = _("no training row has an answer; check `data.fields.answers` and the file")
            found.append(Problem("too-few-classes", message, file=train[0].file))
        for split, records in splits.items():
            found += self.unanswerable(records, labels) if train and split != "train" else []
        return found

    def unanswerable(self, records: Sequence[AnswerRecord], labels: Sequence[str]) -> list[Problem]:
        rows = [RowPlace(each.file, each.line) for each in records if _label(each) not in (*labels, "")]
        if not rows:
            return []
        message = ngettext(
            "the text of {count} of {rows} rows holds no answer, which no training row taught; it counts as wrong",
            "the texts of {count} of {rows} rows hold no answer, which no training row taught; they count as wrong",
            len(rows),
        ).format(count=len(rows), rows=len(records))
        return [Problem("unknown-label", message, rows[0].file, rows[0].line, "warning", tuple(rows))]

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        if training.label_smoothing:
            message = _("`training.label_smoothing` does not work with the places of answers; remove it")
            yield Finding("misfit", ("training", "label_smoothing"), message)

    def units(self, record: AnswerRecord) -> Sequence[Bounds]:
        """(start, end) of what an answer may begin and end with, in order."""
        return units_of(record.text)

    def encode(
        self, records: Sequence[AnswerRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        texts = Texts((text for record in records for text in (record.question, record.text)), tokenizer)
        reading = Reading(
            tokenizer.wrapping(pair=True), tokenizer.segments, max_length, self.options.max_question,
            self.options.overlap,
        )  # fmt: skip
        features: list[Feature] = []
        for group, record in enumerate(records):
            answer = _units_of_answer(record, texts.units[record.text]) if _label(record) in labels else None
            question, passage = texts.tokens[record.question], texts.tokens[record.text]
            features += reading.features(question, passage, answer, group)
        return features

    def decode(
        self,
        record: AnswerRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> AnswerPrediction:
        found = Candidates.of(features, outputs, self.options.max_answer)
        total = found.total(with_none=NO_ANSWER in labels)
        pieces = self._pieces(record, found, total)
        above = found.null - found.best
        if NO_ANSWER in labels and above > settings.get(THRESHOLD, 0.0):
            sure = float(np.exp(found.null - total))
            return AnswerPrediction(text="", confidence=sure, no_answer=True, no_answer_score=above, n_best=pieces)
        first = pieces[0]
        return AnswerPrediction(
            text=first.text, start=first.start, end=first.end, confidence=first.confidence, no_answer_score=above,
            n_best=pieces,
        )  # fmt: skip

    def _pieces(self, record: AnswerRecord, found: Candidates, total: float) -> tuple[FoundAnswer, ...]:
        """The best pieces with different words."""
        units = self.units(record)
        pieces: dict[str, FoundAnswer] = {}
        for first, last, score in found.ranked(self.options.n_best):
            start, end = units[first][0], units[last - 1][1]
            text = record.text[start:end]
            if text not in pieces:
                sure = float(np.exp(score - total))
                pieces[text] = FoundAnswer.model_construct(text=text, start=start, end=end, confidence=sure)
            if len(pieces) == self.options.n_best:
                break
        return tuple(pieces.values())

    def calibrate(
        self,
        records: Sequence[AnswerRecord],
        features: Sequence[Sequence[Feature]],
        outputs: Sequence[Sequence[Outputs]],
        labels: Sequence[str],
    ) -> Settings:
        """The threshold for there being no answer with the best F1 on dev; nothing where training had no such rows."""
        known = [index for index, record in enumerate(records) if record.answers is not None]
        if NO_ANSWER not in labels or not known:
            return {}
        always = [label for label in labels if label != NO_ANSWER]
        rows = [
            (records[index], self.decode(records[index], features[index], outputs[index], always, {}))
            for index in known
        ]
        scores = np.array([said.no_answer_score for _record, said in rows])  # [N]
        gained = np.array([self._score(f1, said.text, record) for record, said in rows])  # [N], by answering
        silent = np.array([self._score(f1, "", record) for record, _said in rows])  # [N], by not
        return {THRESHOLD: best_threshold(scores, gained, silent)}

    def _score(self, score: Any, text: str, record: AnswerRecord) -> float:
        return best(score, text, gold_texts(record), self.language or language_of(record))

    def right(self, prediction: AnswerPrediction, record: AnswerRecord) -> bool:
        return self._score(exact_match, prediction.text, record) == 1.0

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:  # noqa: ARG002  (the same with and without answers)
        return answer_metrics(self.language)


def best_threshold(scores: FloatArray, gained: FloatArray, silent: FloatArray) -> float:
    """The cut above which there is no answer, with the best sum; of equals the one nearest to 0.

    It lies half-way between two scores, so that dev itself is not on the edge.

    Args:
        scores: of there being no answer, against the best piece, [N].
        gained: what answering scores, [N].
        silent: what not answering scores, [N].
    """
    order = np.argsort(scores, kind="stable")  # [N]
    ranked = scores[order]
    answered = np.concatenate([[0.0], np.cumsum(gained[order])])  # [N + 1], by answering the first 0, 1, ... N
    kept_silent = np.concatenate([[0.0], np.cumsum(silent[order][::-1])])[::-1]  # [N + 1], by leaving the others
    cuts = np.concatenate([[ranked[0] - 1.0], (ranked[:-1] + ranked[1:]) / 2, [ranked[-1] + 1.0]])  # [N + 1]
    cuts[0], cuts[-1] = min(cuts[0], 0.0), max(cuts[-1], 0.0)
    possible = np.concatenate([[True], ranked[:-1] < ranked[1:], [True]])  # equal scores cannot be parted
    sums = np.where(possible, answered + kept_silent, -1.0)
    ties = np.flatnonzero(sums >= sums.max() - 1e-9)
    return float(cuts[ties[np.abs(cuts[ties]).argmin()]])


def _label(record: AnswerRecord) -> str:
    """Which of the labels a record has; empty where it is unlabelled."""
    if record.answers is None:
        return ""
    return ANSWER if record.answers else NO_ANSWER


def _units_of_answer(record: AnswerRecord, units: Sequence[Bounds]) -> Bounds | None:
    """The units of the first answer that stands in the text; `NOWHERE` where there is none."""
    if not record.answers:
        return NOWHERE
    return covering(units, *record.placed[0]) if record.placed else None


def _filled(value: object, name: str) -> str:
    text = text_of(value)
    if text is None or is_blank(text):
        raise RowFault(_("empty {field}").format(field=name))
    return text
