"""A report in a dozen lines: what the command line prints and a notebook shows at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weitiao.evaluation.intervals import Score
from weitiao.evaluation.schema import BaselineScore, Report
from weitiao.evaluation.verdict import explain, headline
from weitiao.messages import _

SHOWN = ("accuracy", "macro_f1", "mcc")


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a report, worded.

    Args:
        figures: (name, value) of the metrics and baselines.
        verdict: what the training curves say, in a word or two.
        sentences: what a reader must know beside the figures.
    """

    figures: Sequence[tuple[str, str]]
    verdict: str
    sentences: Sequence[str]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Every line of the table."""
        yield from self.figures
        yield _("verdict"), self.verdict


def summary(report: Report) -> Summary:
    """Summarise a report."""
    figures = [(_("rows"), f"{report.rows:,} ({report.split})")]
    figures += [(name, interval_words(report.metrics[name], report.confidence)) for name in _shown(report)]
    figures += [
        (_("baseline {name}").format(name=name), _baseline(each, report)) for name, each in report.baselines.items()
    ]
    sentences = [report.note] if report.note else []
    sentences += [explain(finding) for finding in report.verdict.findings]
    changes = ", ".join(f"{change.key}={change.value}" for change in report.verdict.changes)
    if changes:
        sentences.append(_("To try: {changes}").format(changes=changes))
    return Summary(figures, headline(report.verdict), sentences)


def _shown(report: Report) -> list[str]:
    return list(dict.fromkeys([report.headline, *(name for name in SHOWN if name in report.metrics)]))


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
