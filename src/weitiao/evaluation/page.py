"""`report.html`: a Report as one self-contained page, in the language in force.

The template (report.html.j2) escapes everything; charts come as Markup from `charts`. The page asks for nothing over
the network and forbids it by its own content policy. Every figure carries its place in report.json in `data-key`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from weitiao.evaluation import charts
from weitiao.evaluation.intervals import Score
from weitiao.evaluation.schema import Report
from weitiao.evaluation.titles import baseline_title, metric_title, row_title, split_title, table_title
from weitiao.evaluation.verdict import explain, headline
from weitiao.messages import _, current_language, duration, ngettext

WHOLE_MATRIX = 30  # classes up to which the confusion matrix is drawn; above, its largest entries are listed
OPEN_TABLE = 30  # classes up to which the table of classes is open at once


def render_page(report: Report) -> str:
    """The whole page as HTML."""
    lang = current_language().replace("_", "-")
    return (
        environment("weitiao.evaluation")
        .get_template("report.html.j2")
        .render(
            report=report,
            lang=lang,
            charts=_charts(report),
            verdict=headline(report.verdict),
            reasons=[explain(finding) for finding in report.verdict.findings],
            metric=lambda name: metric_title(name, report.multi_label),
            split=split_title(report.split),
            note=note_of(report),
            standing=standing(report),
            spreads=spread_sentences(report),
            baseline=baseline_title,
            split_title=split_title,
            table_title=table_title,
            row_title=row_title,
            ledger=ledger_rows(report.data.ledger),
            how=how,
            open_table=len(report.per_class) <= OPEN_TABLE,
        )
    )


@lru_cache(maxsize=4)
def environment(package: str) -> Environment:
    """What renders the templates of a package; all pages share the style and the ways to write a figure."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader("weitiao.evaluation", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        {"_": _, "ngettext": ngettext, "figure": figure, "interval": interval, "no_shares": NO_SHARES, "plain": plain}
    )
    made.filters.update({"duration": duration, "thousands": thousands, "size": size, "pretty": pretty})
    return made


def figure(key: str, value: float, name: str = "", *, signed: bool = False) -> Markup:
    """A figure with its exact value and its place in report.json."""
    shown = plain(value, name, signed=signed)
    return Markup('<data data-key="{}" value="{!r}">{}</data>').format(key, float(value), shown)


def interval(key: str, score: Score, name: str = "", *, signed: bool = False) -> Markup:
    """The ends of an interval, each a `figure`."""
    low = figure(f"{key}.low", score.low, name, signed=signed)
    high = figure(f"{key}.high", score.high, name, signed=signed)
    return Markup('<span class="interval">{}</span>').format(Markup(_("{low} to {high}")).format(low=low, high=high))


def plain(value: float, name: str = "", *, signed: bool = False) -> str:
    """A share in percent, a signed difference of shares in points; what is no share with three decimals."""
    if name in NO_SHARES:
        text = f"{value:+.3f}" if signed else f"{value:.3f}"
    else:
        text = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}\u202f%"
    return text.replace("-", "\u2212")


CORRELATIONS = frozenset({"mcc", "pearson", "spearman"})
NO_SHARES = CORRELATIONS | {"loss", "ece", "brier", "negative_log_likelihood", "mae", "rmse", "mean_error"}


def how(settings: Mapping[str, object]) -> str:
    """How a baseline came to its answers."""
    words = {
        "word 1-2-grams": _("word 1-2-grams"),
        "char 1-3-grams": _("character 1-3-grams"),
        "dev": _("C chosen on dev"),
        "a tenth of train": _("C chosen on a tenth of train"),
    }
    shown = {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in settings.items()}
    parts = [words.get(value, f"{key} = {value}") for key, value in shown.items() if key != "converged"]
    return _(", ").join([*parts, *([] if settings.get("converged", True) else [_("not fully converged")])])


def note_of(report: Report) -> str:
    """The note of the report, in the language in force where it is one of ours."""
    from weitiao.evaluation.report import note_on

    return note_on(report.split) or report.note


@dataclass(frozen=True, slots=True)
class Standing:
    """How the model stands against its strongest baseline."""

    kind: Literal["better", "equal", "worse"]
    sentence: str


def standing(report: Report) -> Standing | None:
    """The answer to the reader's first question; None without baselines."""
    if not report.baselines:
        return None
    name, strongest = max(report.baselines.items(), key=lambda item: item[1].metrics[report.headline].value)
    gap = strongest.difference
    figures = {
        "baseline": baseline_title(name),
        "value": plain(gap.value, report.headline, signed=True),
        "low": plain(gap.low, report.headline, signed=True),
        "high": plain(gap.high, report.headline, signed=True),
    }
    kind: Literal["better", "equal", "worse"] = "better" if gap.low > 0 else "worse" if gap.high < 0 else "equal"
    return Standing(kind, _sentence(kind, points=report.headline not in NO_SHARES).format(**figures))


def _sentence(kind: str, *, points: bool) -> str:
    """Better, equal or worse; differences of shares are in points."""
    sentences = {
        ("better", True): _("Better than the strongest baseline, {baseline}: {value} points ({low} to {high})."),
        ("worse", True): _("Worse than the cheap baseline {baseline}: {value} points ({low} to {high})."),
        ("equal", True): _(
            "Not shown to be better than the cheap baseline {baseline}: {value} points ({low} to {high})."
        ),
        ("better", False): _("Better than the strongest baseline, {baseline}: {value} ({low} to {high})."),
        ("worse", False): _("Worse than the cheap baseline {baseline}: {value} ({low} to {high})."),
        ("equal", False): _("Not shown to be better than the cheap baseline {baseline}: {value} ({low} to {high})."),
    }
    return sentences[kind, points]


def spread_sentences(report: Report) -> list[str]:
    """How far the headline moves over the seeds and folds that were fitted; a sentence each."""
    fitted = ((_("Over {count} seeds"), report.seeds), (_("Over {count} folds"), report.folds))
    return [
        _("{over}: {metric} {mean} on average, standard deviation {sd}, from {low} to {high}.").format(
            over=over.format(count=len(spread.values)),
            metric=metric_title(report.headline, report.multi_label),
            **{name: plain(getattr(spread, name), report.headline) for name in ("mean", "sd", "low", "high")},
        )
        for over, spread in fitted
        if spread is not None
    ]


def ledger_rows(ledger: Mapping[str, int]) -> list[tuple[str, str]]:
    """Where the rows that were read went: cut rows are used like the others."""
    if not ledger:
        return []
    cut = ledger.get("truncated", 0)
    used = thousands(ledger.get("kept", 0) + cut)
    if cut:
        used = _("{used}, {cut} of them cut at the model's length").format(used=used, cut=thousands(cut))
    return [
        (_("rows read"), thousands(ledger.get("read", 0))),
        (_("rows used"), used),
        (_("rows left out"), thousands(ledger.get("dropped", 0))),
    ]


def _charts(report: Report) -> dict[str, Markup | None]:
    """The charts by name; None where there are no figures for one."""
    return {
        "intervals": _intervals(report) if report.baselines else None,
        "loss": charts.line_chart(losses, _("Loss by epoch")) if (losses := _losses(report)) else None,
        "dev": _dev_curve(report),
        "reliability": _reliability(report),
        "confusion": _confusion(report),
    }


def _intervals(report: Report) -> Markup:
    rows: list[tuple[str, Score]] = [(_("this model"), report.metrics[report.headline])]
    rows += [(baseline_title(name), each.metrics[report.headline]) for name, each in report.baselines.items()]
    percent = report.headline not in NO_SHARES
    return charts.interval_bars(rows, _("The score and the baselines, with intervals"), percent=percent)


def _losses(report: Report) -> Sequence[tuple[str, str, charts.Points]]:
    dev = report.curves.dev
    train = [(point.epoch, point.loss) for point in report.curves.train]
    train = train or [(point.epoch, point.train_loss) for point in dev if point.train_loss is not None]
    measured = [(point.epoch, point.metrics["loss"]) for point in dev if "loss" in point.metrics]
    lines = [(_("training loss"), "a", train), (_("dev loss"), "b", measured)]
    return [line for line in lines if line[2]]


def _dev_curve(report: Report) -> Markup | None:
    points = [(p.epoch, p.metrics[report.headline]) for p in report.curves.dev if report.headline in p.metrics]
    name = metric_title(report.headline, report.multi_label)
    return charts.line_chart([(name, "b", points)], name, percent=report.headline not in NO_SHARES) if points else None


def _reliability(report: Report) -> Markup | None:
    if not report.calibration or not report.calibration.bins:
        return None
    return charts.reliability(report.calibration.bins, _("Reliability curve"), _("confidence, %"), _("right, %"))


def _confusion(report: Report) -> Markup | None:
    """The heat map, up to WHOLE_MATRIX classes."""
    if not report.confusion or not report.confusion.counts or len(report.labels) > WHOLE_MATRIX:
        return None
    return charts.heat_map(report.confusion, _("Confusion matrix"), _("(unseen)"), _("(abstained)"))


def thousands(value: float) -> str:
    """`12,345`."""
    return f"{value:,.0f}"


def size(count: int) -> str:
    """`512 MB`, `1.4 GB` (powers of ten)."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def pretty(value: Mapping[str, object]) -> str:
    """JSON for reading."""
    return json.dumps(value, ensure_ascii=False, indent=2)
