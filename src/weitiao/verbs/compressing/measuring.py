"""What is said about a compressed model in its folder: report, page, answers and card, as of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from weitiao.artifact import RunFolder, write_text
from weitiao.compression.comparison import Comparison
from weitiao.compression.history import History, bytes_of
from weitiao.errors import Refused
from weitiao.evaluation.card import render_steps
from weitiao.evaluation.titles import metric_title
from weitiao.evaluation.writing import write_report
from weitiao.messages import _, language
from weitiao.models.reference import resolve
from weitiao.recipe import Recipe
from weitiao.verbs.evaluate import Evaluation, evaluate
from weitiao.verbs.fitting.reporting import languages, loading_head, write_predictions

if TYPE_CHECKING:
    from weitiao.evaluation.schema import Report

MEGABYTE = 1_000_000


def describe(folder: RunFolder, recipe: Recipe, history: History) -> Report | None:
    """Measure the model on the rows that its run was measured on, and write what a run has; None without its rows.

    Args:
        folder: the artifact; report.json in it is that of its source, of which seed, data and timing are taken.
    """
    from weitiao.serving.predictor import Predictor

    with language(recipe.report.language) if recipe.report.language else nullcontext():
        steps = list(told(history, bytes_of(folder.model)))
    predictor = Predictor.load(folder.path)
    try:
        measured: Evaluation = evaluate(folder.path, predictor=predictor, baselines=False)
    except Refused:  # the run's rows are gone, or it has none beside those it was trained on
        folder.report.unlink(missing_ok=True)
        write_text(folder.card, render_steps(predictor.name, steps))
        return None
    write_predictions(predictor.task, folder, measured.records, measured.predictions)
    write_report(
        measured.report, folder, head=loading_head(recipe, predictor.task, folder),
        languages=languages(predictor.task, measured.records), base_license=_license(recipe),
        speak=recipe.report.language, steps=steps,
    )  # fmt: skip
    return measured.report


def _license(recipe: Recipe) -> str:
    """Of the pretrained model, where it is still there to be asked."""
    try:
        return resolve(recipe.model.name, revision=recipe.model.revision, download=False, convert=False).license
    except Refused:
        return ""


def told(history: History, size: int) -> Iterator[str]:
    """Every step and what it changed, in sentences."""
    yield _("Compressed from {source}: {before} MB, now {after} MB.").format(
        source=history.source, before=f"{history.bytes / MEGABYTE:,.2f}", after=f"{size / MEGABYTE:,.2f}"
    )
    for done in history.steps:
        options = ", ".join(f"{key}={value}" for key, value in done.options.items())
        beside = "" if done.comparison is None else _beside(done.comparison)
        yield " ".join(filter(None, [f"`{done.name}`" + (f" ({options})." if options else "."), *done.told(), beside]))
    if history.accepted:
        yield _("It is outside the tolerance, or was compared with nothing, and was kept by --accept.")


def _beside(found: Comparison) -> str:
    sentence = _("Beside its source on {rows} rows of {split}: {metric} {before} before, {after} after, {gap}.")
    return sentence.format(
        rows=f"{found.rows:,}", split=found.split, metric=metric_title(found.metric),
        before=f"{found.before:.3f}", after=f"{found.after:.3f}", gap=found.difference.shown("+"),
    )  # fmt: skip
