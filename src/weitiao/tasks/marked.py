"""What the tasks over marked texts share: rows of a text, or of tokens, with the spans in it.

Fields `text` and `spans`, or `tokens` and `tags` in any scheme, become a `TagRecord`; answers are scored as strict
spans. `Tag` (spans that do not overlap) and `SpanTask` (those that may) add how a text becomes Features and outputs
become spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.metrics import Metric
from weitiao.metrics.spans import span_metrics, spans_of_tags
from weitiao.recipe import Options
from weitiao.records import Span, TagPrediction, TagRecord
from weitiao.tasks import FieldSpec, RowFault
from weitiao.tasks.base import BaseTask
from weitiao.tasks.label_audit import unanswerable
from weitiao.tasks.labels import in_natural_order
from weitiao.tasks.spans import read_spans, read_tokens, span_label_counts
from weitiao.tasks.units import Bounds, units_of
from weitiao.tasks.values import is_blank, list_of, text_of

WORD = "word"  # label of a token that has none of its own

# fmt: off
TEXT = FieldSpec("text", required=False, aliases=(
    "text", "sentence", "content", "data", "文本", "句子", "正文", "内容",
))
TOKENS = FieldSpec("tokens", required=False, asked=False, aliases=("tokens", "words", "词"))
SPANS = FieldSpec("spans", required=False, only_labelled=True, aliases=(
    "spans", "entities", "label", "labels", "ner", "实体", "标注",
))
TAGS = FieldSpec("tags", required=False, only_labelled=True, aliases=("tags", "ner_tags", "标签"))
# fmt: on


class UnitOptions(Options):
    """What every task over the units of a text may be told."""

    units: Literal["text", "tokens"] = Field(
        default="text",
        description="what gets a tag. text: characters of Chinese, words, numbers and signs of the text; tokens: the "
        "tokens of the source, which a text alone does not have",
    )

    def of(self, text: str, tokens: Sequence[Bounds] | None) -> Sequence[Bounds]:
        """(start, end) of the units of a text, in order."""
        return tokens if self.units == "tokens" and tokens else units_of(text)


class MarkedOptions(UnitOptions):
    """What every task over marked texts may be told."""

    labels: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        min_length=1,
        description="labels of the spans, in order; default: those of the training rows",
    )


class Marked(BaseTask):
    """The part of `weitiao.tasks.Task` that is the same for all of them."""

    record: ClassVar[type[TagRecord]] = TagRecord
    prediction: ClassVar[type[TagPrediction]] = TagPrediction
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, TOKENS, SPANS, TAGS)
    baselines: ClassVar[Sequence[str]] = ("gazetteer",)
    overlaps: ClassVar[bool] = False
    """Whether spans may be nested or overlap."""
    options: MarkedOptions

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> TagRecord:
        text, tokens = read_text(fields)
        spans = self._spans(text, tokens, fields)
        if labelled and spans is None:
            raise RowFault(_("no spans and no tags"))
        return TagRecord(file=file, line=line, group=group, text=text, spans=spans, tokens=tokens)

    def _spans(
        self, text: str, tokens: tuple[Bounds, ...] | None, fields: Mapping[str, object]
    ) -> tuple[Span, ...] | None:
        """The gold spans of a row, which a list says better than tags; None where it has none to tell."""
        if fields.get("tags") is None or isinstance(fields.get("spans"), list):
            return read_spans(text, fields.get("spans"))
        bounds, names = tokens or (), read_tags(fields["tags"], tokens)
        try:
            found = spans_of_tags(names)
        except ValueError as wrong:
            raise RowFault(self.not_a_border(str(wrong))) from wrong
        return tuple(Span(start=bounds[a][0], end=bounds[b - 1][1], label=label or WORD) for a, b, label in found)

    def not_a_border(self, tag: str) -> str:
        """What is wrong with a tag that marks no span."""
        return _("tag '{tag}' does not say where a span begins (B-, I-, O, ...)").format(tag=tag)

    def surface(self, record: TagRecord) -> str:
        return record.text

    def answer(self, record: TagRecord) -> str:
        return " | ".join(f"{span.label} {span.start}-{span.end}" for span in record.spans or ())

    def label_space(self, records: Sequence[TagRecord]) -> Sequence[str]:
        if self.options.labels is not None:
            return list(self.options.labels)
        return in_natural_order(span.label for record in records for span in record.spans or ())

    def unanswerable(self, records: Sequence[TagRecord], labels: Sequence[str]) -> list[Problem]:
        return unanswerable(span_label_counts(records), labels)

    def units(self, record: TagRecord) -> Sequence[Bounds]:
        """(start, end) of what gets a tag, in order."""
        return self.options.of(record.text, record.tokens)

    def right(self, prediction: TagPrediction, record: TagRecord) -> bool:
        return [(*each.bounds, each.label) for each in prediction.spans] == sorted(
            (*each.bounds, each.label) for each in record.spans or ()
        )

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:
        return span_metrics(labels)


def read_text(fields: Mapping[str, object]) -> tuple[str, tuple[Bounds, ...] | None]:
    """The text of a row, and the bounds of its tokens where it has them.

    Raises:
        RowFault: there is no text, or the tokens are not those of the text.
    """
    text, tokens = read_tokens(text_of(fields.get("text")), fields.get("tokens"))
    if text is None or is_blank(text):
        raise RowFault(_("empty {field}").format(field="text"))
    return text, tokens


def read_tags(value: object, tokens: Sequence[Bounds] | None) -> list[str]:
    """The tags of a row, one a token.

    Raises:
        RowFault: they are no list, or not as many as tokens.
    """
    names = [text_of(tag) or "" for tag in list_of(value, "tags") or ()]
    if tokens is None or len(names) != len(tokens):
        message = _("tokens: {tokens}, tags: {tags}; expected a tag for each token")
        raise RowFault(message.format(tags=len(names), tokens=len(tokens or ())))
    return names
