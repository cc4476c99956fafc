"""`weitiao check`: what is wrong with a recipe and its data, and what training would take."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weitiao.cli.failures import count_line, report_problems, say
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.cli.recipes import ModelName, Overrides, RecipeFile, Strict, overrides_of
from weitiao.evaluation.titles import split_title
from weitiao.messages import _, duration, millions

if TYPE_CHECKING:
    from weitiao.verbs.planning.plan import Plan
    from weitiao.verbs.preparing.preflight import Preflight

ABOUT = N_("Check a recipe and its data without training: every problem at once, then the plan.")
REFUSED = 2


def check(
    recipe: RecipeFile,
    changes: Overrides = None,
    model: ModelName = "",
    strict: Strict = False,
    rows: Annotated[bool, typer.Option("--rows", help=N_("List every row that a problem is about."))] = False,
    json: Json = False,
) -> int:
    """Print the plan on stdout and the problems on stderr; exit 2 when there are errors."""
    from weitiao.verbs.check import check as check_recipe

    found = check_recipe(recipe, overrides=overrides_of(changes, model=model))
    fatal = {"error", "warning"} if strict else {"error"}
    code = REFUSED if any(problem.severity in fatal for problem in found.problems) else 0
    if json:
        print_json(_as_json(found, code))
        return code
    _print_files(found)
    if found.plan is not None:
        print_table(_plan_rows(found, found.plan), title=_("Plan"))
    report_problems(found.problems, rows=rows)
    if not rows and any(len(problem.rows) > 1 for problem in found.problems):
        say(_("some of these are about several rows; list them all with --rows"))
    if code == 0 and not found.problems:
        words = shlex.join([str(recipe), *overrides_of(changes, model=model)])
        print(_("nothing to complain about; train it with: weitiao train {recipe}").format(recipe=words))
    return code


def _as_json(found: Preflight, code: int) -> dict[str, Any]:
    return {
        "ok": code == 0,
        "exit": code,
        "summary": count_line(found.problems),
        "problems": [asdict(each) for each in found.problems],
        "files": [file.to_json() for file in found.dataset.files] if found.dataset else [],
        "labels": list(found.labels),
        "plan": found.plan.to_json() if found.plan else None,
    }


def _print_files(found: Preflight) -> None:
    if found.dataset is None or not found.dataset.files:
        return
    rows = []
    for file in found.dataset.files:
        columns = ", ".join(f"{field} = {column}" for field, column in file.fields.items())
        rows.append((file.path, " ".join(filter(None, (file.format, file.encoding))), f"{file.rows:,}", columns))
    print_table(rows, head=[_("file"), _("read as"), _("rows"), _("columns")], right=[2])
    for file in found.dataset.files:
        if file.how:
            print(f"{file.path}: {file.how}")
    print()


def _plan_rows(found: Preflight, plan: Plan) -> Iterator[tuple[str, str]]:
    yield _("rows"), _(", ").join(f"{split_title(split)} {count:,}" for split, count in plan.rows.items())
    if len(found.task.classes(found.labels)) > 1:
        yield _("classes"), _classes(found, plan)
    elif found.task.labels_are == "scale":
        yield _("scores"), ", ".join(found.labels)
    for split, lengths in plan.lengths.items():
        shown = _("half up to {p50}, 95 % up to {p95}, longest {max}").format(
            p50=lengths["p50"], p95=lengths["p95"], max=lengths["max"]
        )
        yield _("tokens ({split})").format(split=split_title(split)), shown
    yield _("cut at"), _cut(plan)
    model = found.folder.name if found.folder else found.recipe.model.name
    yield (
        _("model"),
        _("{name}: {trained} of {parameters} parameters learn").format(
            name=model, trained=millions(plan.trained), parameters=millions(plan.parameters)
        ),
    )
    yield _("method"), found.recipe.method.name
    yield (
        _("steps"),
        _("{steps} ({epochs} epochs, {evaluations} evaluations)").format(
            steps=f"{plan.steps:,}", epochs=f"{plan.epochs:g}", evaluations=plan.evaluations
        ),
    )
    if plan.runs > 1:
        yield _("runs"), str(plan.runs)
    yield _("memory"), _("about {size} GB").format(size=f"{plan.memory_bytes / 1e9:.1f}")
    certainty = (
        _("from an earlier run on this machine") if plan.speed_measured else _("not yet measured on this machine")
    )
    yield _("time"), _("about {time} ({certainty})").format(time=duration(plan.seconds), certainty=certainty)


def _classes(found: Preflight, plan: Plan) -> str:
    shown = ", ".join(found.labels[:6]) + (", ..." if len(found.labels) > 6 else "")
    return f"{plan.classes} ({shown})" if shown else str(plan.classes)


def _cut(plan: Plan) -> str:
    words = _("{limit} tokens; texts that lose their end: {rows}, with {share} of all tokens").format(
        limit=plan.max_length, rows=f"{sum(plan.truncated.values()):,}", share=f"{plan.cut:.1%}"
    )
    return words + (_(" (estimated from a sample)") if plan.sampled else "")
