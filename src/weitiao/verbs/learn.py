"""`weitiao learn`: a served run and new labelled rows in; a run that goes on from it out, served where the gate holds.

    OUTPUT/  an ordinary run, and
      rows/          what it was trained and measured on, see learning/rows.py
      learnt.json    what was asked, the rows, the gate's figures, and whether the run was promoted

It goes on from `promotion.current(RUN)` by `weitiao train` itself: a recipe with `model.continues`, new rows mixed with
replayed old ones, and, where the task's head can be compared with its old answers, the objective `lwf`. Nothing is
overwritten: the new run is a folder of its own, and RUN/promoted.json says which one is served.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, open_run, read_json, replacing_folder, write_json, write_text
from weitiao.compression.base import form_of
from weitiao.data.fields import GROUP, SPLIT
from weitiao.data.reading import stream_rows
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods.peft_options import PeftOptions
from weitiao.recipe import Choice, Recipe, dump_recipe, load_recipe, recipe_tree
from weitiao.serving import promotion
from weitiao.serving.cards import TASK_FILE, TaskCard
from weitiao.serving.feedback.store import POSTGRES, SQLITE, FeedbackStore
from weitiao.training.options import OBJECTIVE_OPTIONS, without_distribution
from weitiao.verbs.evaluate import own_data
from weitiao.verbs.learning.rows import DEV, NEW_DEV, ROWS, Mixed, kept, mixed, note, units
from weitiao.verbs.preparing.frame import frame, method_of, same_kind, task_of
from weitiao.verbs.preparing.resolving import anchored
from weitiao.verbs.train import train

if TYPE_CHECKING:
    from weitiao.verbs.learning.gate import Gate

LEARNT = "learnt.json"
HOLD_OUT, MARGIN = 0.25, 0.01
AT_THE_END = 10**9  # steps between evaluations: none before the last, so that the held-out rows choose no checkpoint
SQLITE_FILES = {".db", ".sqlite", ".sqlite3"}
OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of it.

    Args:
        run: the run that was asked for.
        served: the one that was gone on from.
        output: the new run.
        rows: how many of each kind.
        new_labels: what the new run can answer and the served one cannot.
        gate: the figures.
        promoted: whether the new run is served now.
        notes: what is worth knowing, in sentences.
    """

    run: Path
    served: Path
    output: Path
    rows: dict[str, int]
    new_labels: Sequence[str]
    gate: Gate
    promoted: bool
    notes: Sequence[str] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "run": str(self.run),
            "served": str(self.served),
            "output": str(self.output),
            "rows": self.rows,
            "new_labels": list(self.new_labels),
            "gate": {**self.gate.model_dump(mode="json"), "holds": self.gate.holds},
            "promoted": self.promoted,
            "notes": list(self.notes),
        }


def learn(
    run: Any,
    new: Any = None,
    *,
    output: Path | str | None = None,
    replay: str | int | None = None,
    hold_out: float = HOLD_OUT,
    weight: float = 1.0,
    temperature: float = 2.0,
    margin: float = MARGIN,
    promote: bool = True,
    models: Sequence[str] = (),
    overrides: Sequence[str] = (),
    data: Any = None,
    resume: Path | str | None = None,
    on_event: OnEvent = lambda _event: None,
) -> Learnt:
    """Go on from the served model with new labelled rows, measure old and new ones, and promote where the gate holds.

    Args:
        run: the run that is served, or the one in whose place another is.
        new: a file with the columns of the run's own rows, the address of a feedback store, or rows in Python.
        output: folder of the new run; default: beside the run, `-learnt-1` and so on behind its name.
        replay: old training rows to mix in: a number, a share such as 20%, or None for as many as there are new ones
            and at least ten of each label.
        hold_out: share of the new rows that are not trained on but measured.
        weight, temperature: of the objective `lwf`; a weight of 0 leaves it out.
        margin: what the headline metric may lose on the old rows, below 1.
        promote: whether the new run is to be served where the gate holds.
        models: of a feedback store, the models whose corrections are learnt, such as an artifact of the run; default:
            the name under which the run is served.
        overrides: `key=value` changes to the recipe, such as training.epochs=2.
        data: the old rows, of a run that was trained on rows in Python.
        resume: folder of a new run that was interrupted; takes none of the above but `run`.
        on_event: told of phases, problems, steps and evaluations.

    Raises:
        Refused: the run cannot be gone on from, or the rows cannot be used; nothing was written.
        Interrupted: SIGINT or SIGTERM; what is there is kept.
    """
    base = Path(getattr(run, "path", run))
    if resume is not None:
        folder = RunFolder(Path(resume))
        asked = _asked(folder)
    else:
        if new is None:
            raise Refused(_("there is nothing to learn from; name a file of labelled rows or a feedback store"))
        how = _How(replay, hold_out, weight, temperature, margin, promote, models, overrides)
        folder, asked = _begin(base, new, output, how, data, on_event)
    _fit(folder, on_event, new=resume is None)
    return _judged(base, folder, asked, on_event)


@dataclass(frozen=True, slots=True)
class _How:
    """How a run goes on; as in `learn`."""

    replay: str | int | None
    hold_out: float
    weight: float
    temperature: float
    margin: float
    promote: bool
    models: Sequence[str]
    overrides: Sequence[str]

    def check(self) -> None:
        if not 0 < self.hold_out < 1:
            raise Refused(_("hold_out is {got}; expected a share between 0 and 1").format(got=self.hold_out))
        if self.weight < 0:
            raise Refused(_("weight is {got}; expected 0 or more").format(got=self.weight))
        if not 0 <= self.margin < 1:
            raise Refused(_("margin is {got}; expected a share of at least 0 and below 1").format(got=self.margin))


def _begin(
    base: Path, new: Any, output: Path | str | None, how: _How, data: Any, on_event: OnEvent
) -> tuple[RunFolder, dict[str, Any]]:
    """The folder of the new run with its rows and its recipe in it, and what was asked."""
    how.check()
    served = open_run(promotion.current(base))
    own = load_recipe(served.recipe, frame())
    _refuse_if_closed(served, own)
    folder = RunFolder(Path(output) if output else _free(base))
    _refuse_if_taken(folder, base)
    on_event({"kind": "phase", "text": _("reading old and new rows")})
    read_by, source = _source(own, new, how.models or [_name(base)])
    rows = mixed(
        served, own, source, read_by=read_by, replay=how.replay, hold_out=how.hold_out, data=data
    )  # fmt: skip
    _foretell(rows, how.margin, on_event)
    recipe, notes = _recipe(own, served, rows, folder, how)
    asked = {
        "run": str(base.absolute()), "served": str(served.path.absolute()),
        "margin": how.margin, "promote": how.promote,
        "rows": rows.counts(), "notes": [*notes, *note(rows)], "files": list(rows.files), "ledger": dict(rows.ledger),
    }  # fmt: skip
    with replacing_folder(folder.path) as beside:
        rows.write(beside / ROWS)
        write_text(RunFolder(beside).recipe, dump_recipe(recipe))
        write_json(beside / LEARNT, {"asked": asked})
    return folder, asked


def _foretell(rows: Mixed, margin: float, on_event: OnEvent) -> None:
    """Say before the training what the gate will object to whatever is learnt."""
    from weitiao.verbs.learning.gate import few_new, few_old

    for reason in (few_new(len(rows.parts[NEW_DEV])), few_old(units(rows.parts[DEV]), margin)):
        if reason:
            on_event({"kind": "note", "text": _("expect no promotion: {reason}").format(reason=reason)})


def _refuse_if_taken(folder: RunFolder, base: Path) -> None:
    try:
        folder.refuse_if_taken()
    except Refused as error:
        message = _("{path}: something is there already and is never overwritten; name another folder with --output")
        if _interrupted(folder):
            message = _(
                "{path}: something is there already and is never overwritten; name another folder with --output, or go "
                "on with what was interrupted by: weitiao learn {run} --resume {path}"
            )
        raise Refused(message.format(path=folder.path, run=base)) from error


def _interrupted(folder: RunFolder) -> bool:
    """Whether a folder was begun by `learn` and not judged."""
    return (folder.path / LEARNT).is_file() and "gate" not in read_json(folder.path / LEARNT)


def _source(recipe: Recipe, new: Any, models: Sequence[str]) -> tuple[Recipe, Any]:
    """The new rows, and the recipe by which their columns are read.

    A store's rows have the task's own fields. So may a file, such as an annotator's export: where it has none of the
    columns that the recipe names, they are told as those of a recipe that names none.

    Args:
        models: names under which the corrections in a store were made.
    """
    unnamed = recipe.model_copy(update={"data": recipe.data.model_copy(update={"fields": {}})})
    if not isinstance(new, str | Path):
        return recipe, new
    if is_store(str(new)):
        return unnamed, _corrections(FeedbackStore.open(str(new), make=False), models, recipe.task.name)
    named = {str(column).partition(".")[0] for name, column in recipe.data.fields.items() if name not in (GROUP, SPLIT)}
    if not named or not Path(new).is_file():
        return recipe, new
    columns = stream_rows(str(new), **same_kind(recipe, str(new))).columns
    return (recipe if named & {*columns, *map(str, range(1, len(columns) + 1))} else unnamed), new


def _name(run: Path) -> str:
    """Under which a run is served, whichever stands in its place."""
    return TaskCard.read(open_run(run).model / TASK_FILE).name


def _corrections(store: FeedbackStore, models: Sequence[str], task: str) -> list[dict[str, Any]]:
    """What was said of these models' answers; one store may hold the corrections of others too."""
    rows = [row for name in models for row in store.training_rows(model=name, task=task)]
    if not rows:
        others = sorted({each.model for each in store.counts()} - set(models))
        message = _(
            "{url}: there is no feedback yet on the model '{model}' (task {task}); models with feedback: {names}; "
            "--model NAME takes that of another, such as an artifact of this run"
        )
        names = {"model": ", ".join(models), "names": ", ".join(others) or _("none")}
        raise Refused(message.format(url=store.shown, task=task, **names))
    return rows


def is_store(source: str) -> bool:
    """Whether a source is a feedback store and not a file of rows."""
    return source.startswith((SQLITE, *POSTGRES)) or Path(source).suffix.lower() in SQLITE_FILES


def _refuse_if_closed(served: RunFolder, recipe: Recipe) -> None:
    """Runs that cannot be gone on from, and why."""
    if method_of(recipe).going_on is None:
        message = _(
            "{path}: the method '{method}' settles in one go and cannot go on; train again on old and new rows together"
        )
        raise Refused(message.format(path=served.path, method=recipe.method.name))
    if read_json(served.model / TASK_FILE).get("network", {}).get("additions"):
        message = _(
            "{path}: the method '{method}' put parts of its own into the model, which cannot be gone on with; train "
            "again on old and new rows together"
        )
        raise Refused(message.format(path=served.path, method=recipe.method.name))
    if form_of(served.model) != "torch":
        message = _("{path}: holds no weights that can be trained; go on from the run that it was made from")
        raise Refused(message.format(path=served.path))


def _recipe(own: Recipe, served: RunFolder, rows: Mixed, folder: RunFolder, how: _How) -> tuple[Recipe, list[str]]:
    """The recipe of the new run, and what is to be said about it."""
    notes = []
    teacher = served.model.absolute()
    objective = None
    if how.weight and (reason := without_distribution(own, task_of(own), crf=False)):
        message = _("without a distance from the old answers, for {reason}; old rows are replayed")
        notes.append(message.format(reason=reason))
    elif how.weight:
        options = OBJECTIVE_OPTIONS["lwf"].model_validate(
            {"teacher": str(teacher), "weight": float(how.weight), "temperature": float(how.temperature)}
        )
        objective = Choice(name="lwf", options=options)
    if served.adapter.is_dir() and isinstance(method_of(own), PeftOptions):
        notes.append(
            _("the adapter of {path} is merged into its base, and the new one is trained on that").format(
                path=served.path
            )
        )
    changed = {
        "model": own.model.model_copy(
            update={"name": str(teacher), "continues": True, "reinit_layers": 0, "revision": None}
        ),
        "data": rows.spec(folder.path.absolute() / ROWS, own.data),
        "method": own.method.model_copy(update={"options": method_of(own).going_on}),
        "training": own.training.model_copy(
            update={
                "objective": objective, "evaluate_every": AT_THE_END, "patience": None, "stop_at": None,
                "head_learning_rate": None,  # the head is not new
            }
        ),
        "seeds": 1, "folds": None, "output": str(folder.path),
    }  # fmt: skip
    made = own.model_copy(update=changed)
    return anchored(load_recipe(recipe_tree(made), frame(), how.overrides)), notes


def _free(run: Path) -> Path:
    """The first folder beside the run that is not there yet."""
    number = 1
    while (path := run.absolute().with_name(f"{run.absolute().name}-learnt-{number}")).exists():
        number += 1
    return path


def _asked(folder: RunFolder) -> dict[str, Any]:
    """What an interrupted run was begun with."""
    if not (folder.path / LEARNT).is_file():
        raise Refused(_("{path}: not begun by weitiao learn (no {file} in it)").format(path=folder.path, file=LEARNT))
    asked: dict[str, Any] = read_json(folder.path / LEARNT)["asked"]
    return asked


def _fit(folder: RunFolder, on_event: OnEvent, *, new: bool) -> None:
    """Train; a new folder that is refused before the first step goes again."""
    try:
        train(resume=folder.path, on_event=on_event)
    except Refused:
        if new and not folder.data.is_file():
            shutil.rmtree(folder.path)
        raise


def _judged(base: Path, folder: RunFolder, asked: dict[str, Any], on_event: OnEvent) -> Learnt:
    """Measure both models, write the gate's figures down, and promote where it holds."""
    on_event({"kind": "phase", "text": _("measuring the served and the new model on old and new rows")})
    from weitiao.verbs.learning.gate import unguarded

    served = Path(asked["served"])
    gate, new_labels = _gate(served, folder, float(asked["margin"]))
    promoted = gate.holds and bool(asked["promote"])
    if promoted:
        figures = gate.model_dump(mode="json", exclude={"reasons"})
        why = _("better on new rows, and worse by less than {margin:g} on old ones").format(margin=gate.margin)
        promotion.promote(base, folder.path, why=why, gate=figures, instead_of=served)
    notes = (*asked["notes"], *([unguarded()] if gate.association is None else []))
    made = Learnt(base, served, folder.path, asked["rows"], new_labels, gate, promoted, notes)
    write_json(folder.path / LEARNT, {"asked": asked, **made.as_json()})
    return made


def _gate(served: Path, folder: RunFolder, margin: float) -> tuple[Gate, list[str]]:
    """The gate's figures, and the labels that only the new run has."""
    from weitiao.serving.predictor import Predictor
    from weitiao.verbs.learning.gate import Answered, judge

    recipe = load_recipe(folder.recipe, frame())
    before, after = Predictor.load(served), Predictor.load(folder.path)
    parts = (own_data(folder, recipe).records["dev"], [each.record for each in kept(folder, NEW_DEV, task_of(recipe))])
    old, new = (Answered(records=rows, served=before.predict(rows), learnt=after.predict(rows)) for rows in parts)
    gate = judge(after.task, after.labels, old=old, new=new, spec=recipe.evaluation, margin=margin)
    known = set(before.labels)
    added = [label for label in after.labels if label not in known] if after.task.labels_are == "classes" else []
    return gate, added


def roll_back(run: Any, *, why: str = "") -> Path:
    """Let what was served before the promoted run be served again, and give its folder; see `promotion.roll_back`."""
    return promotion.roll_back(Path(getattr(run, "path", run)), why=why)
