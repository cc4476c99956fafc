"""`ladder.html`: a ladder as one self-contained page, made as the report of a run is."""

from __future__ import annotations

from markupsafe import Markup

from weitiao.artifact import RunFolder, write_text
from weitiao.compression.ladder import LADDER_FILE, PAGE_FILE, Ladder
from weitiao.evaluation import charts
from weitiao.evaluation.page import NO_SHARES, environment
from weitiao.evaluation.titles import metric_title, split_title
from weitiao.messages import _, current_language

MEGABYTE = 1_000_000


def write_ladder(ladder: Ladder, folder: RunFolder) -> None:
    """ladder.json and ladder.html, in the language in force."""
    write_text(folder.path / LADDER_FILE, ladder.model_dump_json(indent=2) + "\n")
    write_text(folder.path / PAGE_FILE, render_ladder(ladder))


def render_ladder(ladder: Ladder) -> str:
    """The page."""
    title = metric_title(ladder.metric)
    sizes = {each.name: each.bytes / MEGABYTE for each in ladder.rungs}
    times = {each.name: each.times for each in ladder.rungs}
    template = environment("weitiao.compression").get_template("ladder.html.j2")
    return template.render(
        ladder=ladder,
        lang=current_language().replace("_", "-"),
        metric=title,
        split=split_title(ladder.split),
        megabyte=MEGABYTE,
        plots=[
            _plot(ladder, title, _("MB of the model"), sizes),
            _plot(ladder, title, _("texts a second, times the run's"), times),
        ],
    )


def _plot(ladder: Ladder, title: str, axis: str, costs: dict[str, float]) -> Markup:
    choices = [charts.Choice(each.name, costs[each.name], each.score, each.best) for each in ladder.rungs]
    return charts.trade_off(choices, f"{title}, {axis}", axis, percent=ladder.metric not in NO_SHARES)
