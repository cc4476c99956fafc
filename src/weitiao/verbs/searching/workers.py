"""A worker on a study: in this process, in one of several, or anywhere that sees the folder.

`work` is the whole of a worker: it asks the study for trials until the budget is used up. Whatever starts it (a process
here, a cluster) hands it no more than the folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weitiao.errors import Failed, Interrupted, Refused, StorageFull
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.recipe import Recipe, load_recipe
from weitiao.tuning.page import shown
from weitiao.tuning.search import open_optuna
from weitiao.tuning.study import Study, StudyFolder
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.preparing.preflight import Preflight
from weitiao.verbs.searching.sampled import looked_at

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

    from weitiao.tuning.space import Change
    from weitiao.verbs.searching.trials import Watch


def _never() -> bool:
    """For workers that nobody stops."""
    return False


def work(folder: Path | str, *, on_event: OnEvent = silent, stop: Callable[[], bool] = _never) -> int:
    """One worker on a study: trials, one after the other, until the budget is used up; how many it did.

    Args:
        folder: of the study, which `tune` began.
        on_event: told of each trial.
        stop: whether to leave; the trial in hand goes back into the queue.

    Raises:
        Interrupted: `stop` asked for it in the middle of a trial.
    """
    study = Study(StudyFolder(Path(folder)))
    recipe = load_recipe(study.folder.recipe, frame())
    done = 0
    with study.worker() as name:
        while not stop() and (asked := study.ask(name)) is not None:
            trial, changes = asked
            _one(study, recipe, trial, changes, stop)
            done += 1
            on_event({"kind": "note", "text": trial_line(study, study.trials()[trial.number])})
    return done


def _one(study: Study, recipe: Recipe, trial: Trial, changes: Sequence[Change], stop: Callable[[], bool]) -> None:
    """One trial, from its changes to its score, or to the reason why it has none."""
    from weitiao.verbs.searching.trials import run_trial, tidy

    if (before := study.same_as(trial)) is not None:
        trial.set_user_attr("reason", _("the same as trial {number}").format(number=before.number))
        trial.set_user_attr("parts", before.user_attrs["parts"])
        study.complete(trial, before.values)
        return
    found = trial_recipe(study, recipe, changes, f"trained/{trial.number}")
    reasons = [problem.message for problem in found.problems if problem.severity == "error"]
    if not reasons and measured_rows(found) != study.about.measured:
        reasons = [_("it is measured on other rows than the recipe, so that it cannot be compared")]
    if reasons:
        study.prune(trial, "impossible", " ".join(dict.fromkeys(reasons)))
        return
    own = study.folder.trial(trial.number)
    try:
        scored = run_trial(found, own, _watch(study, trial, found.recipe, stop), study.search.against)
    except open_optuna().TrialPruned as error:
        study.prune(trial, "pruned", str(error))
        tidy(own)
    except (Interrupted, StorageFull):
        study.leave(trial)
        raise
    except Refused as error:  # what only the opened model shows
        study.prune(trial, "impossible", str(error))
        tidy(own)
    except Failed as error:
        study.fail(trial, str(error))
        tidy(own)
    except Exception as error:  # such as memory that ran out: one combination does not end the search
        study.fail(trial, f"{type(error).__name__}: {error}")
        tidy(own)
    else:
        if not math.isfinite(scored.score):
            study.fail(trial, _("its score is no number"))
            return
        trial.set_user_attr("parts", scored.parts)
        study.complete(trial, [scored.score, *(scored.costs[name] for name in study.search.against)])


def trial_recipe(study: Study, recipe: Recipe, changes: Sequence[Change], output: str) -> Preflight:
    """A sampled recipe, whose runs go into the study's folder."""
    own = recipe.model_copy(update={"output": str(study.folder.path / output)})
    return looked_at(own, study.about.written, changes, full=True)


def measured_rows(found: Preflight) -> dict[str, str]:
    """Fingerprint of the rows by which trials are compared."""
    if found.dataset is None:
        return {}
    split = "train" if found.recipe.folds else "dev"
    return {split: found.dataset.fingerprints.get(split, "")}


def _watch(study: Study, trial: Trial, recipe: Recipe, stop: Callable[[], bool]) -> Watch:
    """Tells the pruner what it wants to know."""
    from weitiao.verbs.searching.trials import Watch

    seen = set(study.trials()[trial.number].intermediate_values)
    parts = recipe.folds or recipe.seeds

    def report(number: int, value: float, *, last: bool = False) -> None:
        if number not in seen:
            trial.report(value, number)
        if not last and trial.should_prune():  # behind the last part there is nothing left to save
            raise open_optuna().TrialPruned(_("worse than the others at {number}").format(number=number))

    if study.search.pruner == "wilcoxon":
        return Watch(part=lambda number, value: report(number, value, last=number + 1 == parts), stop=stop)
    return Watch(stop=stop) if study.search.against else Watch(evaluation=report, stop=stop)


def trial_line(study: Study, trial: FrozenTrial) -> str:
    """`trial 3: accuracy 0.9125 (training.learning_rate=3e-05)`, or what became of it."""
    changes = _(", ").join(f"{key}={shown(value)}" for key, value in trial.user_attrs.get("changes", {}).items())
    if trial.state.name == "COMPLETE":
        values = ", ".join(
            f"{name} {value:.4g}"
            for name, value in zip((study.about.metric, *study.search.against), trial.values, strict=True)
        )
        return _("trial {number}: {values} ({changes})").format(number=trial.number, values=values, changes=changes)
    words = {
        "impossible": _("trial {number} is impossible: {reason} ({changes})"),
        "pruned": _("trial {number} pruned: {reason} ({changes})"),
    }
    text = words.get(trial.user_attrs.get("kind", ""), _("trial {number} failed: {reason} ({changes})"))
    return text.format(number=trial.number, reason=trial.user_attrs.get("reason", ""), changes=changes)


def ended(study: Study) -> set[int]:
    """The numbers of the trials that have ended."""
    return {trial.number for trial in study.trials() if trial.state.is_finished()}


def tell_ended(study: Study, told: set[int], on_event: OnEvent) -> None:
    """Of trials that ended since."""
    for trial in study.trials():
        if trial.state.is_finished() and trial.number not in told:
            told.add(trial.number)
            on_event({"kind": "note", "text": trial_line(study, trial)})
