"""What a search found: tune.json. The field descriptions are its documentation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from weitiao.evaluation.compare import Comparison
from weitiao.evaluation.schema import Part
from weitiao.messages import _
from weitiao.tuning.search import open_optuna
from weitiao.tuning.study import Study, busy_seconds, is_lost

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ENOUGH = 6  # trials, below which nothing is said of importance
TOP = 5  # trials among which the importance is asked for at least, as Optuna advises

State = Literal["complete", "pruned", "impossible", "failed", "lost"]


class TrialResult(Part):
    """One trial."""

    number: int
    state: State = Field(description="lost: its worker died, and another trial took its place")
    score: float | None = Field(description="null where it was not measured to the end")
    costs: dict[str, float] = Field(description="what is weighed against the score")
    parameters: dict[str, Any] = Field(description="of the search; those of a choice only where it was taken")
    changes: dict[str, Any] = Field(description="keys of the recipe and their values")
    parts: dict[str, float] = Field(description="score of each seed or fold")
    curve: list[tuple[int, float]] = Field(description="(evaluation, seed or fold; value) that the pruner saw")
    seconds: float | None
    reason: str = Field(description="why it was pruned, impossible, or failed")


@dataclass(frozen=True, slots=True)
class Compared:
    """The winner beside the recipe as it is.

    Args:
        comparison: of their answers.
        seeds: side -> seed -> score.
        seconds: that their fits and answers took.
    """

    comparison: Comparison
    seeds: Mapping[str, Mapping[str, float]]
    seconds: float


class TuneResult(Part):
    """A whole search."""

    weitiao: str
    task: str
    metric: str = Field(description="score of a trial, measured on dev rows or folds, never on test")
    higher: bool = Field(description="whether more of it is better")
    sampler: str
    pruner: str | None
    against: list[str]
    counts: dict[State, int]
    seconds: float = Field(description="in which at least one trial ran, and those of the comparison after them")
    trials: list[TrialResult]
    best: int = Field(description="number of the best trial; with costs, the best score of the front")
    front: list[int] = Field(description="trials that no other beats in everything; one where nothing is weighed")
    importance: dict[str, float] = Field(description="share of each parameter by PED-ANOVA (Watanabe et al. 2023)")
    comparison: Comparison | None = Field(description="best against the recipe as it is, trained with new seeds")
    same: bool = Field(False, description="whether the best recipe is the recipe as it is, so nothing was compared")
    seeds: dict[str, dict[str, float]] = Field(description="of that: side -> seed -> score")
    recipe: str = Field(description="best.yaml")

    def trial(self, number: int) -> TrialResult:
        """The trial of that number."""
        return next(each for each in self.trials if each.number == number)

    def sentences(self) -> list[str]:
        """What was found, in the language in force."""
        best = self.trial(self.best)
        said = [
            _("trial {number} is the best of {count}: {metric} {score}").format(
                number=best.number, count=self.counts["complete"], metric=self.metric, score=f"{best.score:.4f}"
            )
        ]
        return [*said, *filter(None, [self.standing()])]

    def standing(self) -> str:
        """How the best recipe stands against the recipe as it is; empty where nobody asked."""
        if self.same:
            return _("The best recipe is the recipe as it is, so the two were not trained and compared.")
        return self.comparison.sentence() if self.comparison else ""


def complete(study: Study) -> list[FrozenTrial]:
    """The trials that have a score."""
    return [trial for trial in study.trials() if trial.state.name == "COMPLETE"]


def best_number(study: Study) -> int | None:
    """The trial with the best score, the first of equals; None where none has one."""
    better = 1 if study.about.higher else -1
    found = complete(study)
    return max(found, key=lambda trial: (better * trial.values[0], -trial.number)).number if found else None


def why_none(study: Study) -> str:
    """The reason of the first trial that has no score."""
    return next((reason for trial in study.trials() if (reason := trial.user_attrs.get("reason"))), _("no trial ran"))


def make_result(
    study: Study,
    *,
    task: str,
    recipe: str,
    compared: Compared | None = None,
    same: bool = False,
) -> TuneResult:
    """The result of a study that has a best trial."""
    from weitiao import __version__

    trials = [_trial(trial, study.search.against) for trial in study.trials() if trial.state.is_finished()]
    states: Sequence[State] = ("complete", "pruned", "impossible", "failed", "lost")
    best = best_number(study)
    if best is None:
        raise ValueError("a study without a measured trial has no result")
    front = [trial.number for trial in study.optuna_study.best_trials] if study.search.against else [best]
    return TuneResult(
        weitiao=__version__, task=task, metric=study.about.metric, higher=study.about.higher,
        sampler=study.search.sampler, pruner=study.search.pruner, against=list(study.search.against),
        counts={state: sum(each.state == state for each in trials) for state in states},
        seconds=busy_seconds(study.trials()) + (compared.seconds if compared else 0.0), trials=trials, best=best,
        front=front, importance=importance(study),
        comparison=compared.comparison if compared else None, same=same,
        seeds={side: dict(scores) for side, scores in compared.seeds.items()} if compared else {}, recipe=recipe,
    )  # fmt: skip


def importance(study: Study) -> dict[str, float]:
    """How much each parameter decides of the score, those of choices too; empty where trials are too few or alike.

    PED-ANOVA asks what sets the better trials apart, and knows parameters that not every trial has, which fANOVA does
    not; so conditional spaces have one answer.
    """
    found = complete(study)
    if len(found) < ENOUGH or len({trial.values[0] for trial in found}) < 2:
        return {}
    optuna = open_optuna()
    quantile = max(0.1, min(0.5, TOP / len(found)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of few trials, which the table shows
        sign = 1 if study.about.higher else -1
        shares = optuna.importance.get_param_importances(
            study.optuna_study, evaluator=evaluator, target=lambda trial: -sign * trial.values[0]
        )
    return {name: float(share) for name, share in shares.items()}


def _trial(trial: FrozenTrial, against: Sequence[str]) -> TrialResult:
    known = trial.user_attrs
    state: State = {"COMPLETE": "complete", "PRUNED": known.get("kind", "pruned")}.get(
        trial.state.name, "lost" if is_lost(trial) else "failed"
    )
    done = state == "complete"
    return TrialResult(
        number=trial.number,
        state=state,
        score=trial.values[0] if done else None,
        costs=dict(zip(against, trial.values[1:], strict=True)) if done else {},
        parameters=dict(trial.params),
        changes=known.get("changes", {}),
        parts=known.get("parts", {}),
        curve=sorted(trial.intermediate_values.items()),
        seconds=trial.duration.total_seconds() if trial.duration and state != "lost" else None,
        reason=known.get("reason", ""),
    )
