"""`method: auto`: which method is taken for these rows, this model and this much time.

The rules come from `benchmarks/few_shot.py` and `benchmarks/methods.py`; `benchmarks/choosing.py` sets what they take
beside seven methods.

A `Situation` goes in, told from rows, model and plan; `Proposal`s come out, the best first, each with its reason. The
rules stand in `RULES` and nowhere else: the first that fits is taken, and docs/choosing.md shows them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from weitiao.messages import _, duration
from weitiao.methods.options import MethodOptions

AUTO = "auto"
PATIENCE = 3600.0  # seconds that training may take where the recipe does not say how long


class AutoOptions(MethodOptions):
    """The method that suits these rows, this model and this much time; `check` says which, and why."""

    learning_rate: ClassVar[float] = 5e-5  # never used: what is taken brings its own


@dataclass(frozen=True, slots=True)
class Situation:
    """What the choice rests on.

    Args:
        task: the recipe's task.
        rows: training rows.
        labels_a_class: training rows of a class, of the median class; all rows where answers are no classes.
        embedding: whether the model was trained to give texts vectors that can be compared.
        seconds: what training every parameter would take, by the plan.
        allowed: what `training.max_minutes` leaves for it; None where it is not set.
        times: method -> seconds that it would take itself, by its own plan; of the rules that ask for it.
    """

    task: str
    rows: int
    labels_a_class: float
    embedding: bool
    seconds: float
    allowed: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)

    @property
    def limit(self) -> float:
        """Seconds that there are."""
        return PATIENCE if self.allowed is None else self.allowed

    @property
    def slow(self) -> bool:
        """Whether to train every parameter takes longer than there is time."""
        return self.seconds > self.limit


@dataclass(frozen=True, slots=True)
class Rule:
    """A method, and when it is taken; every condition that is given must hold.

    Args:
        method: its name; passed over where there is none of that name.
        labels: labels a class up to which.
        tasks: on which; empty for all.
        embedding: only with an embedding model.
        slow: only where training every parameter takes longer than there is time.
        within: only where its own plan takes no longer: its stage on pairs may take longer than full fine-tuning.
    """

    method: str
    labels: int | None = None
    tasks: frozenset[str] = frozenset()
    embedding: bool = False
    slow: bool = False
    within: bool = False

    def fits(self, situation: Situation) -> bool:
        """Whether all conditions hold."""
        return (
            (self.labels is None or situation.labels_a_class <= self.labels)
            and (not self.tasks or situation.task in self.tasks)
            and (situation.embedding or not self.embedding)
            and (situation.slow or not self.slow)
            and (not self.within or situation.times.get(self.method, 0.0) <= situation.limit)
        )


RULES = (
    Rule("contrastive", labels=16, tasks=frozenset({"classify"}), embedding=True, within=True),
    Rule("freeze", slow=True),
    Rule("full"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A method, and why it is proposed."""

    method: str
    reason: str


def propose(situation: Situation, known: Collection[str]) -> Iterator[Proposal]:
    """The methods whose rules fit, best first.

    Args:
        situation: what the choice rests on.
        known: names of the methods that there are.
    """
    for rule in RULES:
        if rule.method in known and rule.fits(situation):
            yield Proposal(rule.method, reason(rule, situation))


def reason(rule: Rule, situation: Situation) -> str:
    """Why the rule fits, in a sentence's words."""
    values = {
        "labels": f"{situation.labels_a_class:,.0f}",
        "limit": rule.labels,
        "time": duration(situation.seconds),
        "allowed": duration(situation.limit),
    }
    if rule.slow:
        words = _("to train every parameter would take about {time}, and there are {allowed}")
    elif rule.embedding:
        words = _("{labels} labels a class are at most {limit}, and the model is an embedding model")
    else:
        words = _("to train every parameter takes about {time}, and there are {allowed}")
    return words.format(**values)
