"""Embed: texts as vectors, so that what belongs together lies close: search, paraphrase, clustering, FAQ.

Learnt by comparing the texts of a step with each other. A record gives one `Feature` a text (its place `role` says
which: text, second text, hard negatives), all of one group and so of one step; the head `embed` pools each into a
`vector` [H] of length 1. Measured by the cosine of pairs against a gold score, or by whether a text finds its own
second text among those of all measured rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from weitiao.errors import Problem
from weitiao.messages import _, ngettext
from weitiao.metrics import AnyMetric
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import EmbedPrediction, EmbedRecord, Feature, FloatArray, Outputs
from weitiao.tasks import FieldSpec, LabelKind, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.classify import TEXT as ONE_TEXT
from weitiao.tasks.classify import TEXT_PAIR as OTHER_TEXT
from weitiao.tasks.pairs import CHUNK
from weitiao.tasks.regress import SCORE as NUMBER
from weitiao.tasks.regress import constant_scores
from weitiao.tasks.steps import no_smoothing, whole_steps
from weitiao.tasks.values import filled, is_blank, number_of, text_of, texts_of
from weitiao.text import Tokenizer

ANCHOR, PAIR, NEGATIVE = 0, 1, 2  # roles of a record's texts
DIGITS = 7  # of a vector's numbers: what fp32 tells apart at length 1

# fmt: off
TEXT = FieldSpec("text", required=True, aliases=("anchor", *ONE_TEXT.aliases))
TEXT_PAIR = FieldSpec("text_pair", required=False, asked=False, aliases=(
    "positive", "pos", *OTHER_TEXT.aliases, "passage", "answer", "\u6b63\u4f8b", "\u7b54\u6848", "\u56de\u7b54",
))
NEGATIVES = FieldSpec("negative", required=False, asked=False, aliases=(
    "negative", "negatives", "neg", "hard_negative", "hard_negatives", "\u8d1f\u4f8b", "\u53cd\u4f8b",
))
SCORE = FieldSpec("score", required=False, only_labelled=True, aliases=NUMBER.aliases)
# fmt: on


class EmbedOptions(Options):
    """What a recipe may say under `task: {name: embed, ...}`."""

    loss: Literal["in_batch", "cosent", "simcse"] = Field(
        default="in_batch",
        description="in_batch: the second text is the right one among all of the step (Henderson et al. 2017), hard "
        "negatives included; cosent: pairs with a higher score lie closer (Su 2022); simcse: single texts, each its "
        "own second text under other dropout (Gao et al. 2021)",
    )
    pooling: Literal["mean", "cls"] = Field(
        default="mean", description="mean over all tokens, or the first token's state"
    )
    scale: float = Field(
        default=20.0, gt=0, description="what cosines are multiplied by in the loss: 1 / temperature"
    )  # Reimers & Gurevych's library; Gao et al. 2021, section 3: temperature 0.05
    dimensions: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        default=(),
        strict=False,
        description="lengths of the vector's beginning that are to serve alone too (Kusupati et al. 2022)",
    )
    measure: Literal["retrieval", "similarity"] | None = Field(
        default=None,
        description="retrieval: whether a text finds its own second text among all; similarity: cosines against the "
        "scores; default: retrieval with in_batch, else similarity",
    )

    @field_validator("dimensions")
    @classmethod
    def _longest_first(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value), reverse=True))


class Embed(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "embed"
    options_model: ClassVar[type[EmbedOptions]] = EmbedOptions
    record: ClassVar[type[EmbedRecord]] = EmbedRecord
    prediction: ClassVar[type[EmbedPrediction]] = EmbedPrediction
    head: ClassVar[str] = "embed"
    hub: ClassVar[str] = "sentence-similarity"
    labels_are: ClassVar[LabelKind] = "nothing"
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, TEXT_PAIR, NEGATIVES, SCORE)
    baselines: ClassVar[Sequence[str]] = ("tfidf_similarity",)

    def __init__(self, options: EmbedOptions | None = None) -> None:
        self.options = options or EmbedOptions()

    @property
    def measure(self) -> str:
        """`retrieval` or `similarity`."""
        return self.options.measure or ("retrieval" if self.options.loss == "in_batch" else "similarity")

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> EmbedRecord:
        text, loss = filled(fields.get("text"), "text"), self.options.loss
        pair = text_of(fields.get("text_pair"))
        pair = None if pair is None or is_blank(pair) else pair
        negatives = texts_of(fields.get("negative"), "\0")  # a JSON list, or the cell as one text
        score = number_of(fields.get("score"), "score")
        if labelled and pair is None and loss != "simcse":
            raise RowFault(_("empty {field}").format(field="text_pair"))
        if labelled and score is None and loss == "cosent":
            raise RowFault(_("no score"))
        return EmbedRecord(
            file=file, line=line, group=group, text=text, text_pair=pair,
            negative=tuple(negatives) if negatives else None, score=score,
        )  # fmt: skip

    def surface(self, record: EmbedRecord) -> str:
        return record.text if record.text_pair is None else f"{record.text}\n{record.text_pair}"

    def answer(self, record: EmbedRecord) -> str:
        return "" if record.score is None else f"{record.score:.6g}"

    def label_space(self, records: Sequence[EmbedRecord]) -> Sequence[str]:  # noqa: ARG002 - no text is a label
        return ["similarity"]

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

    def head_options(self) -> Mapping[str, Any]:
        return self.options.model_dump(mode="json", include={"loss", "pooling", "scale", "dimensions"})

    def audit(
        self,
        splits: Mapping[str, Sequence[EmbedRecord]],
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[Problem]:
        train = splits.get("train", ())
        found = list(constant_scores([(each.score, each.file, each.line) for each in train]))
        measured = [split for split in ("dev", "test") if splits.get(split)] or ["train"]
        found = found if self.options.loss == "cosent" else []
        return [
            *found,
            *(problem for split in measured for problem in self._unmeasurable(split, splits.get(split, ()))),
        ]

    def _unmeasurable(self, split: str, records: Sequence[EmbedRecord]) -> Iterator[Problem]:
        """An error where rows lack what the metrics compare."""
        scored = self.measure == "similarity"
        lacking = [each for each in records if each.text_pair is None or (scored and each.score is None)]
        if not lacking:
            return
        needed = _("a second text and a score") if scored else _("a second text")
        message = ngettext(
            "{count} row of {split} lacks {needed}, by which embeddings are measured here; give dev or test rows that "
            "have them, or set task.measure",
            "{count} rows of {split} lack {needed}, by which embeddings are measured here; give dev or test rows that "
            "have them, or set task.measure",
            len(lacking),
        ).format(count=len(lacking), split=split, needed=needed)
        yield Problem("not-measurable", message, file=lacking[0].file, line=lacking[0].line)

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        yield from no_smoothing(training, self.name)
        yield from whole_steps(training, self.options.loss)

    def encode(
        self,
        records: Sequence[EmbedRecord],
        tokenizer: Tokenizer,
        labels: Sequence[str],  # noqa: ARG002
        max_length: int,
    ) -> list[Feature]:
        parts = [(group, role, text) for group, record in enumerate(records) for role, text in _texts(record)]
        features = []
        for start in range(0, len(parts), CHUNK):
            chunk = parts[start : start + CHUNK]
            encoded = tokenizer.encode([text for _group, _role, text in chunk], max_length=max_length)
            for (group, role, _text), each in zip(chunk, encoded, strict=True):
                places = {"role": np.array([role], dtype=np.int64)}
                target = self._targets(records[group], role)
                features.append(Feature(each.ids, each.types, target, group, each.cut, places))
        return features

    def _targets(self, record: EmbedRecord, role: int) -> dict[str, npt.NDArray[np.generic]]:
        """{"score": []} where the loss reads this text; 1 where it reads no score."""
        loss = self.options.loss
        if loss == "cosent":
            known = record.score is not None and record.text_pair is not None and role != NEGATIVE
            return {"score": np.asarray(record.score, dtype=np.float32)} if known else {}
        learns = role == ANCHOR if loss == "simcse" else record.text_pair is not None
        return {"score": np.asarray(1.0, dtype=np.float32)} if learns else {}

    def decode(
        self,
        record: EmbedRecord,  # noqa: ARG002
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],  # noqa: ARG002
        settings: Settings,  # noqa: ARG002
    ) -> EmbedPrediction:
        found: dict[int, FloatArray] = {}
        for feature, output in zip(features, outputs, strict=True):
            found.setdefault(int(feature.places["role"][0]), np.asarray(output["vector"], dtype=np.float64))  # [H]
        own, other = found[ANCHOR], found.get(PAIR)
        return EmbedPrediction.model_construct(
            vector=tuple(np.round(own, DIGITS).tolist()),
            pair=None if other is None else tuple(np.round(other, DIGITS).tolist()),
            similarity=None if other is None else float(own @ other),
        )

    def right(self, prediction: EmbedPrediction, record: EmbedRecord) -> None:
        """A vector is near or far, not right or wrong."""

    def metrics(self, labels: Sequence[str]) -> Sequence[AnyMetric]:  # noqa: ARG002
        from weitiao.metrics.correlation import Pearson, Spearman
        from weitiao.metrics.retrieval import retrieval_metrics

        if self.measure == "retrieval":
            return retrieval_metrics()
        return [Spearman(cosine_and_gold), Pearson(cosine_and_gold)]


def _texts(record: EmbedRecord) -> Iterator[tuple[int, str]]:
    """(role, text) of a record's texts, the anchor first."""
    yield ANCHOR, record.text
    if record.text_pair is not None:
        yield PAIR, record.text_pair
        yield from ((NEGATIVE, text) for text in record.negative or ())


def cosine_and_gold(prediction: EmbedPrediction, record: EmbedRecord) -> tuple[float, float] | None:
    """(cosine, gold); None where there is no pair or no gold score."""
    if prediction.similarity is None or record.score is None:
        return None
    return prediction.similarity, record.score
