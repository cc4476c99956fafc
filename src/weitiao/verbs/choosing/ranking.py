"""Candidates in order, and why: what `weitiao choose` says once everything is measured.

Scores on the same rows are compared in pairs; a lead whose interval holds 0 is called none. Intervals are of rows drawn
anew; that the probes of five folds share rows they learnt from is not in them (Bengio and Grandvalet 2004).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from weitiao.evaluation.intervals import Resampling, Score, difference
from weitiao.evaluation.learning import ENOUGH, few_scored
from weitiao.evaluation.titles import metric_title, split_title
from weitiao.messages import _, duration, millions
from weitiao.metrics import AnyMetric, direction
from weitiao.records import Prediction, Record

STRANGE = 0.01  # share of unknown pieces from which it is said
CUT = 0.05  # share of cut texts from which it is said
CLOSE = 0.005  # of a score that is a share: half a point is five of the 1,000 rows that are scored at most
FEWEST = 6  # scored rows that can show a lead: of five, all for one model are no more than chance by a sign test


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pretrained model, as far as it is known; without a reason it can be used.

    Args:
        name: as a recipe names it.
        reason: why it cannot be used.
        family: transformers' name of its architecture.
        license: what the model says of it; empty where it says nothing.
        parameters: that are stored.
        max_length: tokens a text is cut to.
        cut: share of the texts that lose their end.
        unknown: share of the pieces of the texts that the vocabulary does not have.
        pieces_per_character, pieces_per_word: the latter None for Chinese.
        memory_bytes, seconds: of training by the recipe, estimated.
        ms_a_text: measured: the backbone, on a text.
        score: of the frozen probe.
    """

    name: str
    reason: str = ""
    family: str = ""
    license: str = ""
    parameters: int | None = None
    max_length: int | None = None
    cut: float | None = None
    unknown: float | None = None
    pieces_per_character: float | None = None
    pieces_per_word: float | None = None
    memory_bytes: int | None = None
    seconds: float | None = None
    ms_a_text: float | None = None
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates in order.

    Args:
        candidates: the best first; those that cannot be used last.
        metric: of the probe; empty where there was none.
        scored_on: what it was scored on: the split dev, or the folds of a cross-validation.
        train_rows, scored_rows: that each probe learnt from (of folds the fewest), and that were scored.
        lead: the first one's score less the second one's, on the same rows.
        sentences: why this order, and how sure it is.
    """

    candidates: Sequence[Candidate]
    metric: str = ""
    scored_on: str = ""
    train_rows: int = 0
    scored_rows: int = 0
    lead: Score | None = None
    sentences: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The ranking as `--json` prints it."""
        return asdict(self) | {
            "candidates": [_as_json(each) for each in self.candidates],
            "lead": None if self.lead is None else self.lead.model_dump(),
        }


def _as_json(candidate: Candidate) -> dict[str, Any]:
    return asdict(candidate) | {"score": None if candidate.score is None else candidate.score.model_dump()}


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows to probe with.

    Args:
        records: all of them.
        parts: places in `records` of what a probe learns from and of what it answers; one probe a part, and each row is
            answered at most once.
        more: what would give more rows to score.
    """

    records: Sequence[Record]
    parts: Sequence[tuple[Sequence[int], Sequence[int]]]
    more: Sequence[str] = ()

    @property
    def answered(self) -> list[int]:
        """Places of the rows that are scored, part after part."""
        return [place for _learnt, answered in self.parts for place in answered]

    @property
    def scored(self) -> list[Record]:
        """The rows that are scored, part after part."""
        return [self.records[place] for place in self.answered]

    @property
    def train_rows(self) -> int:
        """Rows that the probe of the smallest part learns from."""
        return min(len(learnt) for learnt, _answered in self.parts)

    @property
    def scored_on(self) -> str:
        """`dev`, or `folds` where each row is answered by a probe that learnt from others of the same rows."""
        return "dev" if len(self.parts) == 1 else "folds"


def by_coverage(candidates: Sequence[Candidate], *, unanswerable: str = "") -> Ranking:
    """Without a probe: fewest unknown pieces, then fewest cut texts, then fewest pieces, then the smallest model.

    Args:
        candidates: in any order.
        unanswerable: the task, where that is why there was no probe.
    """

    def key(each: Candidate) -> tuple[Any, ...]:
        unknown, cut = round(each.unknown or 0.0, 3), round(each.cut or 0.0, 2)
        return bool(each.reason), unknown, cut, each.pieces_per_character or 0.0, each.parameters or 0

    ordered = sorted(candidates, key=key)
    if all(each.reason for each in ordered):
        return Ranking(ordered, sentences=[_("none of these models can be used")])
    sentences = []
    if unanswerable:
        words = _("no linear model on frozen vectors can answer the task '{task}', so nothing was probed")
        sentences.append(words.format(task=unanswerable))
    words = _(
        "ordered by coverage alone (unknown pieces, texts cut, pieces a character), which says how a model reads these "
        "texts, not how well it answers"
    )
    return Ranking(ordered, sentences=[*sentences, words, *_remarks(ordered)])


def by_score(
    candidates: Sequence[Candidate],
    answers: Mapping[str, Sequence[Prediction]],
    samples: Samples,
    metric: AnyMetric,
    resampling: Resampling,
) -> Ranking:
    """The best score first, but for a smaller model that is as good; behind them those that cannot be used.

    A model is as good as the best where its share lies less than `CLOSE` behind and the difference is not shown.
    """

    def key(each: Candidate) -> tuple[Any, ...]:
        value = direction(metric.name) * each.score.value if each.score else 0.0
        return each.score is None, -value, each.parameters or 0

    def as_good(each: Candidate) -> bool:
        behind = best.score.value - each.score.value if best.score and each.score else CLOSE
        near = direction(metric.name) > 0 and behind < CLOSE
        return near and not _shown(
            difference(metric, answers[best.name], answers[each.name], samples.scored, resampling)
        )

    ordered = sorted(candidates, key=key)
    scored = [each for each in ordered if each.score is not None]
    if scored:
        best = scored[0]
        first = min((each for each in scored if each is best or as_good(each)), key=lambda each: each.parameters or 0)
        ordered.sort(key=lambda each: each is not first)
        scored.sort(key=lambda each: each is not first)
    lead = None
    if len(scored) > 1:
        one, other = (answers[each.name] for each in scored[:2])
        lead = difference(metric, one, other, samples.scored, resampling)
    facts = (metric.name, samples.scored_on, samples.train_rows, len(samples.answered))
    sentences = [*_of_scores(scored, lead, metric.name, samples), *_remarks(ordered)]
    return Ranking(ordered, *facts, lead, sentences)


def _of_scores(scored: Sequence[Candidate], lead: Score | None, metric: str, samples: Samples) -> Iterator[str]:
    if not scored:
        yield _("none of these models can be used")
        return
    first, scored_rows = scored[0], len(samples.answered)
    yield _best(first, metric, samples)
    if scored_rows < ENOUGH:
        yield _("; ").join([few_scored(scored_rows), *samples.more])
    if lead is not None:
        yield _lead(first, scored[1], lead, shown=scored_rows >= FEWEST and _shown(lead))
    yield _("training may change the order of models whose scores lie close together; train those to be sure")


def _best(first: Candidate, metric: str, samples: Samples) -> str:
    if min(samples.train_rows, len(samples.answered)) < FEWEST:
        words = _(
            "{model} stands first, which says nothing of so few rows: {metric} {score} (rows scored: {rows}; rows "
            "learnt from: {train})"
        )
    elif samples.scored_on == "dev":
        words = _(
            "{model} stands first: {metric} {score} on {rows} rows of {split}, by a linear model on its frozen vectors "
            "that learnt from {train} rows of train"
        )
    else:
        words = _(
            "{model} stands first: {metric} {score} on {rows} rows, each by a linear model on its frozen vectors that "
            "learnt from the other folds, {train} rows or more"
        )
    return words.format(
        model=first.name,
        metric=metric_title(metric),
        score=first.score.shown() if first.score else "",
        rows=f"{len(samples.answered):,}",
        split=split_title("dev"),
        train=f"{samples.train_rows:,}",
    )


def _lead(first: Candidate, second: Candidate, lead: Score, *, shown: bool) -> str:
    values = {"model": second.name, "gap": lead.shown("+")}
    if lead.value < 0:
        words = _("{first} is smaller and as good as {model}, as far as a probe can tell: {gap}")
        return words.format(first=first.name, **values)
    if not shown:
        cheaper = min(first, second, key=lambda each: each.seconds or 0.0)
        words = _("no difference from {model} is shown: {gap}; {cheaper} trains faster, in about {time}")
        return words.format(cheaper=cheaper.name, time=duration(cheaper.seconds or 0.0), **values)
    return _("its lead over {model} is more than chance: {gap}").format(**values)


def _shown(gap: Score) -> bool:
    """Whether a difference is more than chance."""
    return not gap.low <= 0 <= gap.high


def _remarks(candidates: Sequence[Candidate]) -> Iterator[str]:
    """What a reader of the order should know of one model."""
    for each in candidates:
        if each.reason:
            continue
        values = {"model": each.name, "parameters": millions(each.parameters or 0)}
        if (each.unknown or 0.0) >= STRANGE:
            words = _("{model}: {share} of the pieces of these texts are not in its vocabulary")
            yield words.format(share=f"{each.unknown:.1%}", **values)
        if (each.cut or 0.0) >= CUT:
            words = _("{model}: {share} of the texts are longer than its {limit} tokens and lose their end")
            yield words.format(share=f"{each.cut:.0%}", limit=each.max_length, **values)
        if not each.license:
            yield _("{model}: its folder does not say under which licence it is; look that up first").format(**values)
