"""`weitiao evaluate`: measure a run again, on its own rows or on new ones.

The run's own data is read again and must have the fingerprints that the run left; a new file is read with the run's
mapping of columns. Nothing in the run folder is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, open_run, read_json
from weitiao.data import Dataset, audit, load_data
from weitiao.data.fields import GROUP, SPLIT
from weitiao.errors import Problem, Refused, refuse_if_errors
from weitiao.messages import _
from weitiao.recipe import DataSpec, Recipe, dump_recipe, load_recipe
from weitiao.records import Prediction, Record
from weitiao.verbs.preparing.frame import frame, same_kind, task_of
from weitiao.verbs.preparing.memory import MEMORY, named

if TYPE_CHECKING:
    from weitiao.evaluation.report import RunFacts
    from weitiao.evaluation.schema import Report
    from weitiao.serving.predictor import Predictor

AS_FOUND = dict.fromkeys(("format", "encoding", "delimiter", "header", "sheet"))
EMPTY, DROPPED = "empty-split", "dropped-rows"  # codes of `load_data`
Read = Callable[..., Record]  # as `task.read`
LEAKS = {"exact-leak", "near-duplicate-leak"}
ACROSS = {*LEAKS, "conflicting-labels-across"}  # what `audit` says of two sets of rows


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Args:
        report: the figures.
        what: the rows that were measured: 'test', 'dev' or a file.
        note: one sentence on what was measured and how far to trust it.
        problems: findings about the rows.
        records: the rows.
        predictions: the answers to them.
    """

    report: Report
    what: str
    note: str
    problems: Sequence[Problem] = ()
    records: Sequence[Record] = ()
    predictions: Sequence[Prediction] = ()

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "measured_on": self.what,
            "note": self.note,
            "problems": [asdict(problem) for problem in self.problems],
            "report": self.report.model_dump(mode="json"),
        }


def evaluate(run: Any, *, data: Any = None, predictor: Predictor | None = None, baselines: bool = True) -> Evaluation:
    """Measure a run.

    Args:
        run: a run folder, or a `Run`.
        data: a file, DataFrame or list of mappings to measure on; None for the run's own test rows (dev without them).
        predictor: the run's, where it is already loaded.
        baselines: whether the baselines of the run's recipe are fitted and measured too.

    Raises:
        Refused: the run is unfinished, its data changed, or the rows cannot be used.
    """
    folder = open_run(Path(getattr(run, "path", run)))
    recipe = load_recipe(folder.recipe, frame())
    if not baselines:
        recipe = recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"baselines": ()})})
    if data is None:
        own = own_data(folder, recipe)
        split = "test" if own.records.get("test") else "dev"
        rows, note, problems = own.records.get(split, []), _own_note(folder, split), own.problems
        if not rows:
            raise Refused(
                _("{path}: the run has neither test nor dev rows; name a file with --data").format(path=folder.path)
            )
        return _measured(folder, recipe, rows, split, own, note=note, problems=problems, predictor=predictor)
    fresh = new_data(recipe, data)
    rows, name = fresh.records["train"], _name_of(data)
    trained, remark = _trained_on(folder, recipe)
    leaks = _leaks(trained, fresh) if trained else []
    if any(each.code in LEAKS for each in leaks):
        remark += _("; some of them are also in the training rows (see the warnings), so the figures are optimistic")
    note = _("measured on {used} of {read} rows of {name}").format(
        used=f"{len(rows):,}", read=f"{fresh.ledger.read.total():,}", name=name
    )
    problems = [*fresh.problems, *leaks]
    return _measured(folder, recipe, rows, name, trained, note=note + remark, problems=problems, predictor=predictor)


def own_data(folder: RunFolder, recipe: Recipe, *, data: Any = None, read: Read | None = None) -> Dataset:
    """The run's rows, read again.

    Args:
        data: rows in Python, of a run that was trained on such.
        read: in place of the task's.

    Raises:
        Refused: they are not what the run was trained on.
    """
    saved = read_json(folder.data)
    if data is None and any(file.get("format") == MEMORY for file in saved.get("files", [])):
        raise Refused(
            _("{path}: the run was trained on rows in memory, which are not kept; hand rows over as `data`").format(
                path=folder.path
            )
        )
    found = _load(recipe, recipe.data, named(data), read)
    expected = {split: each["fingerprint"] for split, each in saved.get("splits", {}).items()}
    changed = sorted(
        split
        for split in expected.keys() | found.fingerprints.keys()
        if expected.get(split) != found.fingerprints.get(split)
    )
    if changed:
        raise Refused(
            _(
                "the data changed since the run was trained (splits: {splits}); name the file to measure on with --data"
            ).format(splits=", ".join(changed))
        )
    return found


def new_data(recipe: Recipe, data: Any, *, read: Read | None = None) -> Dataset:
    """New labelled rows, under the split `train`, read with the run's mapping of columns; they may lack the group's.

    Args:
        read: in place of the task's.

    Raises:
        Refused: they cannot be used.
    """
    in_memory = not isinstance(data, str | Path)
    fields = {name: column for name, column in recipe.data.fields.items() if name != SPLIT}
    spec = recipe.data.model_copy(
        update={
            "file": None, "train": _name_of(data), "dev": None, "test": None, "splits": {}, "limit": {},
            "fields": fields, "max_dropped": 1.0, **AS_FOUND, **same_kind(recipe, _name_of(data)),
        }
    )  # fmt: skip
    found = _read(recipe, spec, {"train": data} if in_memory else None, read)
    errors = {each.code for each in found.problems if each.severity == "error"}
    if errors == {EMPTY}:
        reasons = {each.code: each.message for each in found.problems}
        message = _("{name}: no row that can be used: {reason}; give rows with the run's own columns, and labels")
        raise Refused(message.format(name=_name_of(data), reason=reasons.get(DROPPED, reasons[EMPTY])))
    refuse_if_errors(found.problems)
    return found


def _leaks(trained: Dataset, fresh: Dataset) -> list[Problem]:
    """What the new rows share with those that the model was trained on."""
    found = audit({"train": trained.items["train"], "new": fresh.items["train"]})
    return [each for each in found if each.code in ACROSS]


def _load(recipe: Recipe, spec: DataSpec, memory: Mapping[str, Any] | None = None, read: Read | None = None) -> Dataset:
    found = _read(recipe, spec, memory, read)
    refuse_if_errors(found.problems)
    return found


def _read(recipe: Recipe, spec: DataSpec, memory: Mapping[str, Any] | None, read: Read | None) -> Dataset:
    """The rows with whatever is wrong with them."""
    task = task_of(recipe)
    return load_data(
        spec,
        fields=task.fields,
        read=read or task.read,
        answer=task.answer,
        surface=task.surface,
        memory=memory,
        spare=() if spec is recipe.data else (GROUP,),
        expand=task.expand,
    )


def _own_note(folder: RunFolder, split: str) -> str:
    if split == "test":
        return _("measured on the run's own test rows")
    return _("{path}: there is no test split; measured on dev, which is optimistic").format(path=folder.path)


def _trained_on(folder: RunFolder, recipe: Recipe) -> tuple[Dataset | None, str]:
    """The rows that baselines learn from, and a remark where there are none."""
    try:
        return own_data(folder, recipe), ""
    except Refused:
        return None, _("; without baselines or a search for leaks, because the run's own data is gone or changed")


def _measured(
    folder: RunFolder,
    recipe: Recipe,
    rows: Sequence[Record],
    split: str,
    trained: Dataset | None,
    *,
    note: str,
    problems: Sequence[Problem],
    predictor: Predictor | None,
) -> Evaluation:
    from weitiao.evaluation.report import measure
    from weitiao.serving.predictor import Predictor

    predictor = predictor or Predictor.load(folder.path)
    problems = [*problems, *predictor.task.unanswerable(rows, predictor.labels)]
    answers = predictor.answer(rows)
    report = measure(
        predictor.task,
        predictor.labels,
        predictions=answers.predictions,
        records=rows,
        split=split,
        train=trained.records.get("train", []) if trained else [],
        dev=trained.records.get("dev", []) if trained else [],
        spec=recipe.evaluation if trained else recipe.evaluation.model_copy(update={"baselines": ()}),
        show=recipe.report,
        facts=_facts(folder, recipe, predictor),
        lost=answers.lost,
    )
    return Evaluation(report, split, note, problems, rows, answers.predictions)


def _facts(folder: RunFolder, recipe: Recipe, predictor: Predictor) -> RunFacts:
    """What the new report says of the run: as the run's own report does."""
    from weitiao.evaluation.report import RunFacts, read_curves
    from weitiao.evaluation.schema import DataSummary, Report, Timing

    before = Report.model_validate(read_json(folder.report)) if folder.report.is_file() else None
    return RunFacts(
        name=predictor.name,
        model=recipe.model.name,
        method=recipe.method.name,
        seed=before.seed if before else recipe.seed,
        recipe=dump_recipe(recipe),
        settings=predictor.settings,
        curves=read_curves(folder.log),
        data=before.data if before else DataSummary(),
        timing=before.timing if before else Timing(),
        training=recipe.training,
        head=recipe.model.head if predictor.task.pools else "",
    )


def _name_of(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else MEMORY
