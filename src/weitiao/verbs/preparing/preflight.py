"""Everything that can be known before weights are opened: recipe, files, columns, labels, model, lengths, plan.

A recipe goes in, or a draft with mistakes; a `Preflight` comes out with every problem found on the way. Each part is
looked at as far as the others allow, so that one run tells all. Nothing here imports torch.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from weitiao import machine
from weitiao.data import Dataset, audit, load_data
from weitiao.errors import Problem, ProblemsFound, Refused, RowPlace, Severity, refuse_if_errors
from weitiao.events import OnEvent
from weitiao.messages import _, ngettext
from weitiao.models.reference import ModelFolder, describable, resolve
from weitiao.models.shape import width_of
from weitiao.recipe import Draft, Finding, Recipe
from weitiao.recipe.source import Places
from weitiao.records import Feature
from weitiao.tasks import Task
from weitiao.tasks.labels import extended
from weitiao.text import Tokenizer, load_tokenizer
from weitiao.verbs.planning.plan import Plan, make_plan, shape_for
from weitiao.verbs.preparing.continuing import continued
from weitiao.verbs.preparing.encoding import Encoded, encode_splits, length_limit
from weitiao.verbs.preparing.frame import LOSS, NEED_DEV, method_of, metric_names, reads_tokens, remarks, task_of
from weitiao.verbs.preparing.method_choice import is_open, settle
from weitiao.verbs.preparing.model_checks import (
    absent_trackers,
    model_misfits,
    precision_misfits,
    uncached,
    untrained_pooler,
)

T = TypeVar("T")
SLOW = 4  # times below what a method takes by itself, from which a rate is noted
READING = ("fields", "format", "encoding", "delimiter", "header", "sheet", "splits")  # how `data` is to be read


@dataclass(slots=True)
class Preflight:
    """What is known before weights are opened; what could not be known is None or empty.

    Args:
        recipe: the recipe, mended where the draft was wrong.
        task: the recipe's task.
        problems: everything that is wrong or odd.
        dataset: the rows.
        labels: the label space, from the training rows.
        folder: the model.
        tokenizer: its tokenizer.
        max_length: tokens a text is cut to.
        features: split -> Features; empty unless every row was to be encoded.
        plan: what training comes to.
    """

    recipe: Recipe
    task: Task[Any, Any]
    problems: list[Problem] = field(default_factory=list)
    dataset: Dataset | None = None
    labels: Sequence[str] = ()
    folder: ModelFolder | None = None
    tokenizer: Tokenizer | None = None
    max_length: int = 0
    features: Mapping[str, Sequence[Feature]] = field(default_factory=dict)
    plan: Plan | None = None

    @property
    def metric(self) -> str:
        """The dev metric that chooses the best checkpoint: the recipe's, else the task's first."""
        return self.recipe.training.metric or metric_names(self.task)[0]

    @property
    def warnings(self) -> list[Problem]:
        """Problems that do not stop a run."""
        return [problem for problem in self.problems if problem.severity != "error"]

    def refuse(self, *, strict: bool = False) -> None:
        """Raise `ProblemsFound` with every error (and, under `strict`, warning)."""
        refuse_if_errors(self.problems, strict=strict)


def own_rate(found: Preflight) -> float:
    """The peak learning rate that the method takes by itself, on this model and under this kind of head."""
    width = width_of(found.folder.config) if found.folder else 0
    return method_of(found.recipe).rate(width, tokens=reads_tokens(found.task))


def own_head_rate(found: Preflight) -> float | None:
    """The peak learning rate that a new head takes by itself; None where it goes by that of the rest."""
    model = found.recipe.model
    one_layer = found.task.pools and model.head == "mean" and not model.hidden_layers
    if not one_layer or model.continues or found.folder is None or found.recipe.training.optimizer == "sgd":
        return None
    return method_of(found.recipe).head_rate(width_of(found.folder.config))


def judge(found: Preflight, on_event: OnEvent, *, strict: bool = False) -> None:
    """Tell what is odd, before any weights are opened; refuse what is at fault."""
    odd = [problem for problem in found.warnings if problem.severity == "note" or not strict]
    if odd:
        on_event({"kind": "problems", "problems": odd})
    found.refuse(strict=strict)


def inspect(
    recipe: Recipe | Draft,
    *,
    memory: Mapping[str, Any] | None = None,
    full: bool,
    recipe_file: str = "",
    download: bool = True,
) -> Preflight:
    """Look at everything that a run would need.

    Args:
        recipe: a recipe, or a draft whose mistakes are to be reported with the rest.
        memory: split -> rows in Python that stand in for the recipe's files.
        full: encode every row (training needs the Features), instead of a sample where texts are many.
        recipe_file: file to name in messages about a recipe that is no draft.
        download: whether a hub may be asked for the model.
    """
    draft = recipe if isinstance(recipe, Draft) else Draft(recipe, [], Places(recipe_file, {}))
    with _nothing_collected():
        return _Inspection(draft, memory, full, download).run()


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Without garbage collection inside the block: rows live on, and to walk them again and again finds nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def beside(action: Callable[[], T]) -> Future[T]:
    """Run `action` in a thread of the same language, for which nobody waits who leaves by Ctrl+C."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(action())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return future


class _Inspection:
    """One call of `inspect`, part by part."""

    def __init__(self, draft: Draft, memory: Mapping[str, Any] | None, full: bool, download: bool) -> None:
        self.draft, self.memory, self.full, self.download = draft, memory, full, download
        self.recipe = draft.recipe
        self.found = Preflight(draft.recipe, task_of(draft.recipe), list(draft.problems))

    def run(self) -> Preflight:
        self._add(precision_misfits(self.recipe))
        self._add(absent_trackers(self.recipe))
        self._add(remarks(self.recipe), "note")
        if self.recipe.data.file != "" and not self._in_doubt("task", *(f"data.{key}" for key in READING)):
            self._data()
        if self.recipe.model.name and not self._in_doubt("model.revision", "model.trust_remote_code"):
            self._model()
        dataset, tokenizer, encoded = self.found.dataset, self.found.tokenizer, None
        audited = None if dataset is None else beside(lambda: audit(dataset.items))  # tokenizing is no Python
        if dataset is not None and tokenizer is not None and not self._broken() and self._sayable(tokenizer):
            encoded = self._encode(dataset, tokenizer)
        if audited is not None:
            self.found.problems += audited.result()  # before the plan, which measures the machine's speed
        if encoded is not None and dataset is not None:
            self._method(dataset, encoded)
            self._plan(encoded)
        return self.found

    def _in_doubt(self, *keys: str) -> bool:
        """Whether the meaning of one of these keys, or of something under it, was lost."""
        lost = {".".join(path[:length]) for path in self.draft.doubtful for length in (1, 2)}
        return bool(lost & set(keys))

    def _add(self, findings: Iterable[Finding], severity: Severity = "error") -> None:
        """Findings about the recipe, placed at the keys that they name."""
        for each in findings:
            self.found.problems.append(self.draft.places.problem(each.code, each.keys, each.message, severity))

    def _try(self, code: str, keys: tuple[str, ...], action: Callable[[], T]) -> T | None:
        """The result of `action`; where it refuses, None and the problem."""
        try:
            return action()
        except ProblemsFound as error:
            self.found.problems.extend(error.problems)
        except Refused as error:
            self._add([Finding(code, keys, str(error))])
        return None

    def _broken(self) -> bool:
        """Whether the rows themselves are in doubt; then lengths and plan would mislead."""
        dataset, needed = self.found.dataset, method_of(self.recipe).needs_rows
        return dataset is None or (needed and not dataset.records.get("train")) or not self.found.labels

    def _data(self) -> None:
        task = self.found.task
        dataset = self._try(
            "data",
            ("data",),
            lambda: load_data(
                self.recipe.data,
                fields=task.fields,
                read=task.read,
                answer=task.answer,
                surface=task.surface,
                memory=self.memory,
                expand=task.expand,
            ),
        )
        if dataset is None:
            return
        self.found.dataset = dataset
        self._place(dataset.problems, "data")
        train = dataset.records.get("train", [])
        self.found.labels = self._labels(task.label_space(train) or list(method_of(self.recipe).labels))
        self._place(task.audit(dataset.records, self.found.labels), "task")
        if train and "dev" not in dataset.records:
            self._add(self._needs_dev())
        self._add(method_of(self.recipe).unfit(dataset.records))
        self._add(method_of(self.recipe).doubts(self.found.labels), "warning")
        if train:
            self._add(self._metric_of_these_rows())
        folds = self.recipe.folds
        if folds is not None and 0 < len(train) < folds:
            message = _("`folds` is {folds}, but there are only {rows} training rows").format(
                folds=folds, rows=len(train)
            )
            self._add([Finding("misfit", ("folds",), message)])

    def _labels(self, found: Sequence[str]) -> Sequence[str]:
        """The labels of the rows, behind those of the model that is gone on with; of numbers, that model's scale."""
        if not self.recipe.model.continues:
            return found
        known = self._try("continues", ("model", "continues"), lambda: continued(self.recipe))
        if known is None:
            return found
        return known if self.found.task.labels_are == "scale" else extended(known, found)

    def _place(self, problems: Sequence[Problem], section: str) -> None:
        """Problems of a room that knows no recipe; those without a file are about this section of it."""
        for each in problems:
            placed = self.draft.places.problem(each.code, (section,), each.message, each.severity)
            self.found.problems.append(each if each.file else placed)

    def _needs_dev(self) -> list[Finding]:
        """Options that wait for a dev split that the data turned out not to have."""
        message = _("`training.{name}` needs a dev split, and the data have none; set `data.dev`, such as 10%")
        return [
            Finding("misfit", ("training", name), message.format(name=name))
            for name in NEED_DEV
            if getattr(self.recipe.training, name) is not None and ("training", name) not in self.draft.doubtful
        ]

    def _metric_of_these_rows(self) -> Iterator[Finding]:
        """A metric that the task has and these rows do not, such as one of slots where no row has any."""
        wanted = self.recipe.training.metric
        known = [metric.name for metric in self.found.task.metrics(self.found.labels)]
        if wanted in metric_names(self.found.task) and wanted not in known:
            message = _("`training.metric` is {name}, which these rows do not have; expected one of: {names}").format(
                name=wanted, names=", ".join([*known, LOSS])
            )
            yield Finding("unknown-metric", ("training", "metric"), message)

    def _model(self) -> None:
        spec = self.recipe.model
        if not self.full and not describable(spec.name):
            message = _(
                "{name} has not been converted yet, which would read its weights; texts are not measured and there is "
                "no plan before its first training"
            ).format(name=spec.name)
            self._add([Finding("not-converted", ("model", "name"), message)], "note")
            return
        folder = self._try(
            "model",
            ("model", "name"),
            lambda: resolve(
                spec.name,
                revision=spec.revision,
                download=self.download,
                code=spec.trust_remote_code,
                convert=self.full,
            ),
        )
        if folder is None:
            return
        self.found.folder = folder
        path: Path = folder.path
        self.found.tokenizer = self._try("tokenizer", ("model", "name"), lambda: load_tokenizer(path))
        self._add(model_misfits(self.recipe, self.found.task, folder, self.found.tokenizer))
        self._add(uncached(self.recipe, folder.family), "note")
        self._add(untrained_pooler(self.recipe, self.found.task, folder), "note")

    def _sayable(self, tokenizer: Tokenizer) -> bool:
        """Whether the tokenizer has what the task's own words need; `wording` tells what it lacks."""
        wording = getattr(self.found.task, "wording", None)
        limit = length_limit(self.recipe.training.max_length, tokenizer)
        lacking = [] if wording is None else list(wording(tokenizer, self.found.labels, limit))
        self._add(lacking)
        return not lacking

    def _encode(self, dataset: Dataset, tokenizer: Tokenizer) -> Encoded:
        found = self.found
        found.max_length = length_limit(self.recipe.training.max_length, tokenizer, method_of(self.recipe).positions)
        encoded = encode_splits(
            found.task, dataset.records, tokenizer, found.labels, max_length=found.max_length, full=self.full
        )
        found.features = encoded.features
        for split, rows in encoded.cut.items():
            dataset.ledger.truncate(split, [dataset.records[split][row].file for row in rows])
        for split, (records, seen) in encoded.lost.items():
            self._lost(split, [RowPlace(each.file, each.line) for each in records], seen)
        return encoded

    def _lost(self, split: str, rows: Sequence[RowPlace], seen: int) -> None:
        """A warning where windows read every token, and yet none of them holds a whole answer, span or event."""
        if not rows:
            return
        message = ngettext(
            "{count} of {seen} measured rows of {split} has gold answers that no window of {limit} tokens holds whole "
            "or together, and that cannot be found; raise training.max_length (of questions also task.overlap), or "
            "part the text",
            "{count} of {seen} measured rows of {split} have gold answers that no window of {limit} tokens holds whole "
            "or together, and that cannot be found; raise training.max_length (of questions also task.overlap), or "
            "part the texts",
            len(rows),
        )
        text = message.format(count=len(rows), seen=seen, split=split, limit=self.found.max_length)
        self.found.problems.append(Problem("outside-windows", text, rows[0].file, rows[0].line, "warning", tuple(rows)))

    def _method(self, dataset: Dataset, encoded: Encoded) -> None:
        """Put the method that `auto` stands for in its place."""
        found, folder = self.found, self.found.folder
        if folder is None or not is_open(self.recipe):
            return
        settled = settle(self.recipe, found.task, dataset, found.labels, folder, encoded.measured)
        self.recipe = found.recipe = settled.recipe
        self._add([Finding("auto-method", ("method",), settled.note), *remarks(self.recipe)], "note")
        self._add(uncached(self.recipe, folder.family), "note")

    def _plan(self, encoded: Encoded) -> None:
        found = self.found
        if found.folder is not None:
            shape = shape_for(self.recipe, found.task, found.folder)
            found.plan = make_plan(self.recipe, shape, found.folder.family, encoded.measured, len(found.labels))
            self._rate()
            self._too_large(found.plan)
            self._truncation(encoded, found.plan)
            self._warmup(found.plan)
            self._average(found.plan)

    def _rate(self) -> None:
        """A rate that was meant for another method: so low that this one would hardly learn."""
        given, own = self.recipe.training.learning_rate, own_rate(self.found)
        if given is None or not method_of(self.recipe).stepwise or SLOW * given >= own:
            return
        message = _(
            "`training.learning_rate` is {given:g}, and `method: {name}` takes {own:g} by itself; without the key it "
            "learns faster"
        ).format(given=given, name=self.recipe.method.name, own=own)
        self._add([Finding("low-rate", ("training", "learning_rate"), message)], "note")

    def _too_large(self, plan: Plan) -> None:
        """More memory than there is: the system ends such a process without a word."""
        there = machine.memory()
        if there is None or plan.memory_bytes <= there:
            return
        message = _(
            "training needs about {need:.1f} GB of memory, and there are {there:.1f} GB; let fewer weights learn "
            "(`method=lora`, `method=freeze`), lower training.token_budget, set training.gradient_checkpointing, or "
            "take a smaller model"
        ).format(need=plan.memory_bytes / 1e9, there=there / 1e9)
        self._add([Finding("too-large", ("model", "name"), message)], "warning")

    def _truncation(self, encoded: Encoded, plan: Plan) -> None:
        cut = sum(plan.truncated.values())
        if not cut:
            return
        values = {
            "cut": cut,
            "rows": encoded.rows,
            "limit": plan.max_length,
            "share": f"{plan.cut:.1%}",
            "seen": encoded.seen,
        }
        if plan.sampled:
            message = _(
                "about {cut} of {rows} texts are longer than {limit} tokens and lose their end, {share} of all tokens "
                "(estimated from {seen} rows); raise training.max_length if the model allows, or shorten them"
            )
        else:
            message = ngettext(
                "{cut} of {rows} texts is longer than {limit} tokens and loses its end, {share} of all tokens; "
                "raise training.max_length if the model allows, or shorten it",
                "{cut} of {rows} texts are longer than {limit} tokens and lose their end, {share} of all tokens; "
                "raise training.max_length if the model allows, or shorten them",
                cut,
            )
        problem = self.draft.places.problem(
            "truncation", ("training", "max_length"), message.format(**values), severity="warning"
        )
        self.found.problems.append(problem)

    def _warmup(self, plan: Plan) -> None:
        warmup = self.recipe.training.warmup
        if 1 <= plan.steps <= warmup:
            message = _("`training.warmup` takes {warmup} steps, but the whole of training has {steps}").format(
                warmup=int(warmup), steps=plan.steps
            )
            self._add([Finding("misfit", ("training", "warmup"), message)])

    def _average(self, plan: Plan) -> None:
        """A running average that would need more steps than there are to forget where the weights began."""
        ema = self.recipe.training.ema
        horizon = 0 if ema is None else round(1 / (1 - ema))
        if not 0 < plan.steps < horizon:
            return
        message = _(
            "`training.ema` {ema:g} averages over about {horizon:,} steps, but the whole of training has {steps}; "
            "give at most {most:g}, or remove it"
        ).format(ema=ema, horizon=horizon, steps=plan.steps, most=int(1000 * (1 - 1 / plan.steps)) / 1000)
        self._add([Finding("long-average", ("training", "ema"), message)], "warning")
