"""A LearningCurve into its three files: curve.json, curve.html and curve.png."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from weitiao.artifact import replacing, write_text
from weitiao.errors import MissingExtra
from weitiao.evaluation import charts
from weitiao.evaluation.learning import LearningCurve
from weitiao.evaluation.page import NO_SHARES, environment
from weitiao.evaluation.titles import metric_title, split_title
from weitiao.messages import _, current_language

INCHES = (7.0, 4.2)
DOTS = 150  # an inch


def write_curve(curve: LearningCurve, folder: Path) -> None:
    """Write the three files, each whole or not at all.

    Raises:
        MissingExtra: matplotlib, which draws the picture, is not installed.
    """
    need_matplotlib()
    write_text(folder / "curve.json", curve.model_dump_json(indent=2) + "\n")
    write_text(folder / "curve.html", render_curve(curve))
    with replacing(folder / "curve.png") as beside:
        draw_curve(curve, beside)


def need_matplotlib() -> None:
    """Refuse before anything is trained for a picture that cannot be drawn.

    Raises:
        MissingExtra: it is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtra("matplotlib", "tune")


def render_curve(curve: LearningCurve) -> str:
    """The page, in the language in force."""
    title = metric_title(curve.metric)
    percent = curve.metric not in NO_SHARES
    chart = charts.size_chart(
        [(each.rows, each.score) for each in curve.points], curve.line(), title, _("training rows"), percent=percent
    )
    page = environment("weitiao.evaluation").get_template("curve.html.j2")
    return page.render(
        curve=curve,
        lang=current_language().replace("_", "-"),
        chart=chart,
        metric=title,
        split=split_title(curve.split),
        caption=_caption(curve, title + (", %" if percent else "")),
    )


def _caption(curve: LearningCurve, title: str) -> str:
    if curve.law is None:
        return title
    return _("{metric}; the line is the fitted power law, dashed where nothing was measured").format(metric=title)


def draw_curve(curve: LearningCurve, path: Path) -> None:
    """The picture, with English words: the fonts that come with matplotlib have no Chinese ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    rows = [each.rows for each in curve.points]
    values = [each.score.value for each in curve.points]
    around = [
        [each.score.value - each.score.low for each in curve.points],
        [each.score.high - each.score.value for each in curve.points],
    ]
    axes.errorbar(rows, values, yerr=around, fmt="o", capsize=3, label="measured")
    line = curve.line()
    inside = [point for point in line if point[0] <= rows[-1]]
    beyond = [*inside[-1:], *(point for point in line if point[0] > rows[-1])]
    for points, style, label in ((inside, "-", "power law"), (beyond, "--", "extrapolated")):
        if points:
            axes.plot(*zip(*points, strict=True), style, color="tab:orange", label=label)
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{each:,}" for each in rows])
    axes.minorticks_off()
    axes.set_xlabel("training rows")
    axes.set_ylabel(f"{curve.metric} on {curve.split}")
    axes.legend()
    figure.savefig(path, dpi=DOTS, format="png")
