"""`weitiao list`: what the tables hold, with one line on each; also the source of the tables in the docs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe.ready import RECIPES, ready_recipes
from weitiao.tables import did_you_mean


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and what it is, in the user's language."""

    name: str
    about: str


def entries(kind: str) -> list[Entry]:
    """The entries of one table.

    Raises:
        Refused: there is no such table.
    """
    if kind not in KINDS:
        hint = did_you_mean(kind, list(KINDS))
        raise Refused(
            _("nothing to list under '{kind}'; expected one of: {names}{hint}").format(
                kind=kind, names=", ".join(KINDS), hint=hint
            )
        )
    return list(KINDS[kind]())


def use_of(kind: str) -> str:
    """How an entry is taken, where that does not go without saying; else empty."""
    return _("Write one to a file of your own with: weitiao new NAME FILE --data ROWS") if kind == "recipes" else ""


def _tasks() -> Iterator[Entry]:
    from weitiao.tasks import TASKS

    for name in TASKS:
        yield Entry(name, _(first_line(inspect.getmodule(TASKS[name]))))


def _methods() -> Iterator[Entry]:
    from weitiao.verbs.preparing.frame import frame

    for name, options in frame().options["method"].items():
        yield Entry(name, _(first_line(options)))


def _objectives() -> Iterator[Entry]:
    from weitiao.training.options import OBJECTIVE_OPTIONS

    for name, options in OBJECTIVE_OPTIONS.items():
        yield Entry(name, _(first_line(options)))


def _steps() -> Iterator[Entry]:
    from weitiao.compression import STEP_OPTIONS

    for name, options in STEP_OPTIONS.items():
        yield Entry(name, _(first_line(options)))


def _formats() -> Iterator[Entry]:
    from weitiao.data.reading import FORMATS

    for name in FORMATS:
        yield Entry(name, _(first_line(FORMATS[name])))


def _metrics() -> Iterator[Entry]:
    """Of every task; classification has two kinds of labels with metrics of their own."""
    from weitiao.metrics.classification import multi_label_metrics, single_label_metrics
    from weitiao.tasks import TASKS

    labels = ["a", "b"]
    kinds: dict[str, list[str]] = {}
    groups = {name: TASKS[name]().metrics(labels) for name in TASKS if name != "classify"}
    groups |= {
        _("classify, one label"): single_label_metrics(labels),
        _("classify, several labels"): multi_label_metrics(labels),
    }
    for about, metrics in sorted(groups.items()):
        for metric in metrics:
            kinds.setdefault(metric.name, []).append(about)
    for name, abouts in kinds.items():
        yield Entry(name, _("; ").join(abouts))


def _models() -> Iterator[Entry]:
    from weitiao.models.starters import STARTERS

    for name, starter in STARTERS.items():
        yield Entry(f"starter:{name}", f"{_(starter.summary)} ({starter.model}, {starter.license})")
    yield Entry("./folder", _("a transformers folder on this machine"))
    yield Entry("hf:owner/name", _("a model of the Hugging Face hub"))
    yield Entry("ms:owner/name", _("a model of ModelScope"))


def _recipes() -> Iterator[Entry]:
    for name in ready_recipes():
        opening = (RECIPES / f"{name}.yaml").read_text("utf-8").partition("\n")[0]
        yield Entry(name, _(opening.lstrip("# ")))


KINDS: Mapping[str, Callable[[], Iterator[Entry]]] = {
    "tasks": _tasks,
    "methods": _methods,
    "objectives": _objectives,
    "steps": _steps,
    "formats": _formats,
    "metrics": _metrics,
    "models": _models,
    "recipes": _recipes,
}


def first_line(documented: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(documented) or "").partition("\n")[0]
