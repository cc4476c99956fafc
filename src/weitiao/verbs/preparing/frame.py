"""The frame of every recipe: the options of tasks, methods and objectives, and how a recipe's sections fit together.

`recipe/` knows none of them; this room knows all and hands them over. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from weitiao.data.reading import FORMATS
from weitiao.messages import _, ngettext
from weitiao.methods.auto import AUTO, AutoOptions
from weitiao.methods.options import (
    METHOD_OPTIONS,
    OF_STEPS,
    SET_ASIDE,
    CacheOptions,
    HeadOptions,
    MethodOptions,
    said_of_steps,
)
from weitiao.recipe import Choice, DataSpec, Draft, Finding, Frame, Recipe, TrainingSpec, load_draft, recipe_tree
from weitiao.recipe.specs import share_of
from weitiao.tables import did_you_mean
from weitiao.tasks import TASKS, Task
from weitiao.training.options import OBJECTIVE_OPTIONS, ObjectiveOptions

PLAIN = "plain"  # the objective of a recipe without one
LOSS = "loss"  # of dev: lower is better
HEADLESS = frozenset({"embed", "entail", "cloze", "cloze_causal"})  # heads without a parameter of their own
NEED_DEV = ("patience", "stop_at", "metric", "evaluate_every")  # keys under training


def frame() -> Frame:
    """What `load_recipe` needs to know."""
    return Frame(
        options={
            "task": {name: TASKS[name].options_model for name in TASKS},
            "method": {AUTO: AutoOptions, **METHOD_OPTIONS},
            "training.objective": dict(OBJECTIVE_OPTIONS),
        },
        defaults={"method": "full", "training.objective": PLAIN},
        check=misfits,
    )


def read_draft(source: Path | str | Mapping[str, Any] | Recipe, overrides: Sequence[str] = ()) -> Draft:
    """The recipe as far as it can be understood, with its mistakes."""
    return load_draft(recipe_tree(source) if isinstance(source, Recipe) else source, frame(), overrides)


def task_of(recipe: Recipe) -> Task[Any, Any]:
    """The task that the recipe names, with its options."""
    task: Task[Any, Any] = TASKS[recipe.task.name](recipe.task.options)
    return task


def same_kind(recipe: Recipe, source: str) -> dict[str, Any]:
    """Format, encoding and the like as the recipe tells them, for files that end as the run's own do."""
    own = recipe.data.file or recipe.data.train
    first = own[0] if isinstance(own, list) else own or ""
    if Path(first).suffix.lower() != Path(source).suffix.lower():
        return {}
    names = ("format", "encoding", "delimiter", "header", "sheet")
    return {name: getattr(recipe.data, name) for name in names}


def method_of(recipe: Recipe) -> MethodOptions:
    """The options of the method that the recipe names, as they take effect in it."""
    return cast("MethodOptions", recipe.method.options).within(recipe)


def objective_of(recipe: Recipe) -> ObjectiveOptions:
    """The options of the objective that the recipe names, or of the plain one."""
    return cast("ObjectiveOptions", objective_choice(recipe).options)


def objective_choice(recipe: Recipe) -> Choice:
    """The objective that the recipe names, or the plain one."""
    return recipe.training.objective or Choice(name=PLAIN, options=OBJECTIVE_OPTIONS[PLAIN]())


def misfits(recipe: Recipe) -> Iterator[Finding]:
    """Sections that are right by themselves and wrong together."""
    yield from _metric(recipe)
    yield from _dev(recipe)
    yield from _one_column_a_field(recipe)
    yield from _baselines(recipe)
    yield from _frozen(recipe)
    yield from _without_effect(recipe.training)
    yield from _without_steps(recipe)
    yield from _nothing_to_learn_from(recipe)
    yield from _unread(recipe)
    yield from _head(recipe)
    yield from task_of(recipe).misfits(recipe.training)
    yield from objective_of(recipe).misfits(recipe, task_of(recipe))


def _head(recipe: Recipe) -> Iterator[Finding]:
    if recipe.model.head == "mean" and not task_of(recipe).pools:
        message = _("`model.head: mean` gives one answer a text, and the task '{task}' needs more; remove it").format(
            task=recipe.task.name
        )
        yield Finding("misfit", ("model", "head"), message)


def _metric(recipe: Recipe) -> Iterator[Finding]:
    name = recipe.training.metric
    known = [*metric_names(task_of(recipe)), LOSS]
    if name is not None and name not in known:
        message = _("unknown metric '{name}'; expected one of: {names}{hint}").format(
            name=name, names=", ".join(known), hint=did_you_mean(name, known)
        )
        yield Finding("unknown-metric", ("training", "metric"), message)


def metric_names(task: Task[Any, Any]) -> list[str]:
    """Names of the task's metrics, the headline first."""
    return [metric.name for metric in task.metrics(("a", "b"))]


def _dev(recipe: Recipe) -> Iterator[Finding]:
    """Options that need a dev split, which `data.file` may hold: then the rows are looked at."""
    if recipe.data.dev is None and recipe.data.file is None:
        for name in NEED_DEV:
            if getattr(recipe.training, name) is not None:
                message = _("`training.{name}` needs a dev split; set `data.dev`, such as 10%").format(name=name)
                yield Finding("misfit", ("training", name), message)


def _one_column_a_field(recipe: Recipe) -> Iterator[Finding]:
    """A column that is named for two of the task's fields; groups may be told by any of them."""
    fields = {field.name for field in task_of(recipe).fields}
    taken: dict[str | int, str] = {}
    for name, column in recipe.data.fields.items():
        if name in fields and column in taken:
            message = _("`data.fields` takes the column '{column}' for both `{one}` and `{other}`").format(
                column=column, one=taken[column], other=name
            )
            yield Finding("misfit", ("data", "fields", name), message)
        elif name in fields:
            taken[column] = name


def _baselines(recipe: Recipe) -> Iterator[Finding]:
    known = list(task_of(recipe).baselines)
    for index, name in enumerate(recipe.evaluation.baselines or ()):
        if name not in known:
            message = _("unknown baseline '{name}'; expected one of: {names}{hint}").format(
                name=name, names=", ".join(known), hint=did_you_mean(name, known)
            )
            yield Finding("unknown-baseline", ("evaluation", "baselines", str(index)), message)


def _frozen(recipe: Recipe) -> Iterator[Finding]:
    """Options about layers that do not learn."""
    if recipe.method.name not in ("head", "zero_shot"):
        return
    if recipe.method.name == "head" and task_of(recipe).head in HEADLESS:
        message = _(
            "`method: head` trains new layers above the model, and the task '{task}' has none; take full or freeze"
        )
        yield Finding("misfit", ("method",), message.format(task=recipe.task.name))
    if recipe.model.reinit_layers:
        message = _("`model.reinit_layers` starts layers anew, but `method: {name}` keeps them from learning")
        yield Finding("misfit", ("model", "reinit_layers"), message.format(name=recipe.method.name))
    if recipe.method.name == "head" and recipe.training.layer_decay != 1.0:
        message = _("`training.layer_decay` needs layers that learn; `method: head` freezes them all")
        yield Finding("misfit", ("training", "layer_decay"), message)


def _without_effect(training: TrainingSpec) -> Iterator[Finding]:
    """Options that only another choice makes use of, set away from their defaults."""
    fields = TrainingSpec.model_fields
    uses = {
        "momentum": ("optimizer", training.optimizer == "sgd", "sgd"),
        "betas": ("optimizer", training.optimizer != "sgd", "adamw"),
        "epsilon": ("optimizer", training.optimizer != "sgd", "adamw"),
        "schedule_power": ("schedule", training.schedule == "polynomial", "polynomial"),
    }
    for name, (other, used, wanted) in uses.items():
        if not used and getattr(training, name) != fields[name].default:
            message = _("`training.{name}` has no effect without `{other}: {wanted}`; remove it").format(
                name=name, other=other, wanted=wanted
            )
            yield Finding("misfit", ("training", name), message)


OF_THE_FIT = (  # which a stage before it lacks
    "head_learning_rate", "evaluate_every", "patience", "stop_at", "objective", "label_smoothing",
)  # fmt: skip


def reads_tokens(task: Task[Any, Any]) -> bool:
    """Whether the task's head looks at every token, and tells classes of them."""
    return not task.pools and task.labels_are == "classes"


def takes_steps(recipe: Recipe) -> bool:
    """Whether anything in a run learns by steps: the fit itself, or a stage before it."""
    return method_of(recipe).stepwise or method_of(recipe).body_first


def of_no_use(method: MethodOptions) -> tuple[str, ...]:
    """Keys under training that a fit without steps sets aside; a stage before it has batches."""
    if method.stepwise:
        return ()
    return tuple(name for name in SET_ASIDE if not (method.body_first and name == "batch_size"))


def remarks(recipe: Recipe) -> Iterator[Finding]:
    """What is to be known of the method beside the rest of the recipe, and stops nothing."""
    yield from set_aside(recipe)
    yield from gone_by_steps(recipe)
    yield from seeds_alike(recipe)


def set_aside(recipe: Recipe) -> Iterator[Finding]:
    """What is said of a fit by steps where there is none; `weitiao new` writes a length, for any method."""
    method = method_of(recipe)
    for name in said_of_steps(recipe.training, of_no_use(method)):
        if method.body_first:
            message = _(
                "`training.{name}` is set aside: the first stage of `method: {method}` goes by `{own}`, {value:g}"
            )
        else:
            message = _("`training.{name}` is set aside: `method: {method}` takes no steps")
        own = f"body_{name}"
        values = {"own": f"method.{own}", "value": getattr(method, own, 0.0)}
        yield Finding("set-aside", ("training", name), message.format(name=name, method=recipe.method.name, **values))


def gone_by_steps(recipe: Recipe) -> Iterator[Finding]:
    """A head that would be solved in one go, were it not for a key under `training`."""
    own, said = recipe.method.options, said_of_steps(recipe.training)
    if isinstance(own, HeadOptions) and own.solvable(recipe) and said:
        message = ngettext(
            "`method: head` learns by steps, for {names} speaks of them; without it the head is solved in one go, "
            "which leaves nothing undone",
            "`method: head` learns by steps, for {names} speak of them; without them the head is solved in one go, "
            "which leaves nothing undone",
            len(said),
        )
        names = ", ".join(f"`training.{name}`" for name in said)
        yield Finding("by-steps", ("training", said[0]), message.format(names=names))


def seeds_alike(recipe: Recipe) -> Iterator[Finding]:
    """Seeds of a method that draws nothing."""
    method = method_of(recipe)
    if recipe.seeds > 1 and not (method.stepwise or method.body_first):
        message = _(
            "`seeds: {seeds}` makes {seeds} models that are alike: `method: {method}` settles in one go and draws "
            "nothing; `folds` shows how much the rows matter"
        )
        yield Finding("seeds-alike", ("seeds",), message.format(seeds=recipe.seeds, method=recipe.method.name))


def _without_steps(recipe: Recipe) -> Iterator[Finding]:
    """Options of steps, where the method settles in one go."""
    if method_of(recipe).stepwise:
        return
    without = OF_THE_FIT if takes_steps(recipe) else OF_STEPS
    for name in said_of_steps(recipe.training, without):
        message = _("`training.{name}` has no effect with `method: {method}`, which {why}; remove it").format(
            name=name,
            method=recipe.method.name,
            why=_("is not evaluated while its body learns") if takes_steps(recipe) else _("takes no steps"),
        )
        yield Finding("misfit", ("training", name), message)


def _nothing_to_learn_from(recipe: Recipe) -> Iterator[Finding]:
    """Rows to be measured alone do for a method that needs none to learn from."""
    data, method = recipe.data, method_of(recipe)
    if data.train is not None or data.file is not None:
        return
    if method.needs_rows:
        message = _("no training rows; give `train`, or `file` with every split in it")
        yield Finding("bad-value", ("data",), message)
    elif not (method.labels or task_of(recipe).label_space(())):
        message = _("without training rows the labels must be named: give `task.labels`, or `method.descriptions`")
        yield Finding("no-labels", ("task",), message)
    if not method.needs_rows and recipe.folds is not None:
        yield Finding("misfit", ("folds",), _("`folds` parts the training rows, and there are none; remove it"))


READ_BY = {"delimiter": ("csv", "tsv"), "header": ("csv", "tsv", "xlsx"), "sheet": ("xlsx",)}
FORMAT_OF = {".ndjson": "jsonl", ".tab": "tsv", ".xls": "xlsx", ".xlsm": "xlsx", ".xlsb": "xlsx", ".ods": "xlsx"}


def _unread(recipe: Recipe) -> Iterator[Finding]:
    """Options of the model, the method and the files that nothing reads."""
    name, options = recipe.model.name, method_of(recipe)
    if recipe.model.revision is not None and name and not name.startswith(("hf:", "ms:")):
        message = _("`model.revision` has no effect without a hub model (hf:owner/name, ms:owner/name); remove it")
        yield Finding("misfit", ("model", "revision"), message)
    precision = CacheOptions.model_fields["cache_precision"].default
    if isinstance(options, CacheOptions) and not options.cache and options.cache_precision != precision:
        message = _("`method.cache_precision` has no effect without `cache: true`; remove it")
        yield Finding("misfit", ("method", "cache_precision"), message)
    formats = formats_of(recipe.data)
    for option, used in READ_BY.items():
        if getattr(recipe.data, option) is not None and formats and not formats & {*used, ""}:
            message = _("`data.{option}` has no effect on {formats}; remove it").format(
                option=option, formats=_(" and ").join(sorted(formats))
            )
            yield Finding("misfit", ("data", option), message)


def formats_of(data: DataSpec) -> set[str]:
    """The formats that the recipe says or its file names tell; '' for those that their content will tell."""
    if data.format is not None:
        return {data.format}
    told = (data.file, data.train, data.dev, data.test)
    names = [name for each in told for name in ([each] if isinstance(each, str) else each or ()) if not share_of(name)]
    return {_format_of(name) for name in names}


def _format_of(name: str) -> str:
    if name.startswith("hf:"):
        return "hub"
    suffix = Path(name).suffix.lower()
    found = FORMAT_OF.get(suffix, suffix.removeprefix("."))
    return found if found in FORMATS else ""
