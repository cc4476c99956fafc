"""A report in a dozen lines: what the command line prints and a notebook shows at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weitiao.evaluation.intervals import Score
from weitiao.evaluation.page import note_of, standing
from weitiao.evaluation.schema import BaselineScore, Report
from weitiao.evaluation.titles import split_title
from weitiao.evaluation.verdict import explain, headline
from weitiao.messages import _

# beside the headline; metrics that tasks do not have are left out
# fmt: off
SHOWN = (
    "accuracy", "macro_f1", "mcc",
    "span_precision", "span_recall", "exact_match",
    "trigger_f1", "event_f1",
    "intent_accuracy", "slot_f1",
    "uas", "upos_accuracy",
    "pearson", "mae",
    "recall@1", "ndcg@10", "map",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a report, worded.

    Args:
        figures: (name, value) of the metrics and baselines.
        training: what the training curves say, in a word or two; empty where other rows were measured.
        sentences: what a reader must know beside the figures: how the model stands against the baselines first.
    """

    figures: Sequence[tuple[str, str]]
    training: str
    sentences: Sequence[str]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Every line of the table."""
        yield from self.figures
        if self.training:
            yield _("training"), self.training


def summary(report: Report) -> Summary:
    """Summarise a report."""
    rows = _("{rows} ({split})").format(rows=f"{report.rows:,}", split=split_title(report.split))
    figures = [(_("rows"), rows)]
    figures += [(name, interval_words(report.metrics[name], report.confidence)) for name in _shown(report)]
    figures += _spreads(report)
    figures += [
        (_("baseline {name}").format(name=name), _baseline(each, report)) for name, each in report.baselines.items()
    ]
    return Summary(figures, headline(report.verdict) if report.verdict.findings else "", list(_sentences(report)))


def _shown(report: Report) -> list[str]:
    return list(dict.fromkeys([report.headline, *(name for name in SHOWN if name in report.metrics)]))


def _spreads(report: Report) -> Iterator[tuple[str, str]]:
    """How far the headline moves over the seeds and folds that were fitted."""
    for name, spread in ((_("{metric}, {count} seeds"), report.seeds), (_("{metric}, {count} folds"), report.folds)):
        if spread is not None:
            figures = {each: f"{getattr(spread, each):.4f}" for each in ("mean", "sd", "low", "high")}
            words = _("{mean} ± {sd}  (mean, sd; {low} to {high})").format(**figures)
            yield name.format(metric=report.headline, count=len(spread.values)), words


def _sentences(report: Report) -> Iterator[str]:
    stands = standing(report)
    if stands:
        yield stands.sentence
    if note := note_of(report):
        yield note
    yield from (explain(finding) for finding in report.verdict.findings)
    changes = ", ".join(f"{change.key}={change.value}" for change in report.verdict.changes)
    if changes:
        yield _("To try: {changes}").format(changes=changes)


def interval_words(score: Score, confidence: float) -> str:
    """`0.8732  (95 % interval 0.8561 to 0.8897)`."""
    return _("{value}  ({share} % interval {low} to {high})").format(
        value=f"{score.value:.4f}", share=f"{100 * confidence:g}", low=f"{score.low:.4f}", high=f"{score.high:.4f}"
    )


def _baseline(baseline: BaselineScore, report: Report) -> str:
    """The baseline's score and how far the model is above it, on the same rows."""
    difference = baseline.difference
    return _("{value}  (difference {difference}, {low} to {high})").format(
        value=f"{baseline.metrics[report.headline].value:.4f}",
        difference=f"{difference.value:+.4f}",
        low=f"{difference.low:+.4f}",
        high=f"{difference.high:+.4f}",
    )
