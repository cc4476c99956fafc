"""Findings about the labels of a data set: too few, unknown, mistyped, look-alike, hardly any rows.

Label counts a split go in, `Problem`s come out, one a label (or one a kind where labels are many), each at the first
row that shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from weitiao.errors import Problem, Severity
from weitiao.messages import _, ngettext
from weitiao.tasks.labels import listed, look_alikes, suggestion, suspected_typos

FEW_ROWS = 5  # below it a class is hardly seen by training and not measured by evaluation
MANY_CLASSES = 10  # from here on, more labels than half the rows are no labels
MOST_SHOWN = 10  # findings of one kind that are named one by one


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """How often each label stands in one split, where first, and over how many rows."""

    counts: Mapping[str, int]
    first: Mapping[str, tuple[str, int]]
    rows: int
    most_in_a_row: int
    file: str

    @classmethod
    def of(cls, rows: Iterable[tuple[Sequence[str], str, int]]) -> LabelCounts:
        """Count (labels, file, line) rows."""
        counts: dict[str, int] = {}
        first: dict[str, tuple[str, int]] = {}
        total, most, any_file = 0, 0, ""
        for labels, file, line in rows:
            total, most, any_file = total + 1, max(most, len(labels)), any_file or file
            for label in labels:
                counts[label] = counts.get(label, 0) + 1
                first.setdefault(label, (file, line))
        return cls(counts, first, total, most, any_file)

    def problem(self, code: str, label: str, message: str, severity: Severity) -> Problem:
        """A problem at the first row with `label`."""
        file, line = self.first[label]
        return Problem(code, message, file=file, line=line, severity=severity)


def audit_labels(
    splits: Mapping[str, LabelCounts],
    labels: Sequence[str],
    *,
    fixed: bool,
    multi_label: bool,
    weighted: Sequence[str] = (),
) -> list[Problem]:
    """Everything suspicious about the labels.

    Args:
        splits: the label counts of each split; without rows in `train` only unknown labels can be told.
        labels: the label space.
        fixed: whether the recipe lists the labels (then an unknown one is an error), or the training rows do.
        multi_label: whether rows may carry several labels.
        weighted: labels that `class_weights` names.
    """
    train = splits.get("train", LabelCounts.of([]))
    if not train.rows:  # data/ says so; about labels nothing can be known
        return list(_unknown(splits, labels)) if fixed else []
    too_many = list(_too_many_classes(train))
    if too_many:  # the wrong column: what its values look like is no news
        return too_many
    return [
        *_unknown(splits, labels, fixed=fixed),
        *_unknown_weights(weighted, labels),
        *_too_few_classes(train, labels, multi_label=multi_label),
        *_mistyped(train),
        *_small(train, labels),
        *_never_several(train, multi_label=multi_label),
    ]


def _unknown(splits: Mapping[str, LabelCounts], labels: Sequence[str], *, fixed: bool = True) -> Iterable[Problem]:
    known = set(labels)
    for split, counts in splits.items():
        unknown = [label for label in counts.counts if label not in known]
        for label in unknown[:MOST_SHOWN]:
            hint = suggestion(label, labels)
            rows = _rows(counts.counts[label])
            if fixed:
                message = _("label '{label}' is not one of {labels}{hint}").format(
                    label=label, labels=listed(labels), hint=hint
                )
            else:
                message = _("label '{label}' ({rows} in {split}) is not among the training labels{hint}").format(
                    label=label, rows=rows, split=split, hint=hint
                )
            yield counts.problem("unknown-label", label, message, "error" if fixed else "warning")
        if len(unknown) > MOST_SHOWN:
            rest = unknown[MOST_SHOWN:]
            message = _("{count} more labels of {split} are unknown: {labels}").format(
                count=len(rest), split=split, labels=listed(rest)
            )
            yield counts.problem("unknown-label", rest[0], message, "error" if fixed else "warning")


def _unknown_weights(weighted: Sequence[str], labels: Sequence[str]) -> Iterable[Problem]:
    for label in weighted:
        if label not in labels:
            message = _("`task.class_weights` names the label '{label}', which is not one of {labels}{hint}").format(
                label=label, labels=listed(labels), hint=suggestion(label, labels)
            )
            yield Problem("unknown-label", message)


def _too_few_classes(train: LabelCounts, labels: Sequence[str], *, multi_label: bool) -> Iterable[Problem]:
    seen = [label for label in labels if label in train.counts]
    if len(seen) >= (1 if multi_label else 2):
        return
    named = f"'{seen[0]}'" if seen else _("none")
    message = _(
        "classification needs at least two classes, and the training rows have {count}: {named}; "
        "check `data.fields.label` and the file"
    ).format(count=len(seen), named=named)
    yield Problem("too-few-classes", message, file=train.file)


def _too_many_classes(train: LabelCounts) -> Iterable[Problem]:
    """A free-text or number column taken for the label."""
    if len(train.counts) >= MANY_CLASSES and len(train.counts) > train.rows / 2:
        message = _(
            "{classes} different labels in {rows} training rows; is `data.fields.label` the right column?"
        ).format(classes=len(train.counts), rows=train.rows)
        yield Problem("too-many-classes", message, file=train.file, severity="warning")


def _mistyped(train: LabelCounts) -> Iterable[Problem]:
    twins = look_alikes(train.counts)
    for group in twins:
        rare = min(group, key=lambda label: (train.counts[label], label))
        others = [label for label in group if label != rare]
        message = _(
            "label '{label}' ({rows}) differs from '{other}' ({more}) only by case, space or full-width form"
        ).format(label=rare, rows=_rows(train.counts[rare]), other=others[0], more=_rows(train.counts[others[0]]))
        yield train.problem("look-alike-labels", rare, message, "warning")
    told = {label for group in twins for label in group}
    for rare, frequent in suspected_typos(train.counts)[:MOST_SHOWN]:
        if rare in told:
            continue
        message = _("label '{label}' ({rows}) looks like a slip of '{other}' ({more})").format(
            label=rare, rows=_rows(train.counts[rare]), other=frequent, more=_rows(train.counts[frequent])
        )
        yield train.problem("label-typo", rare, message, "warning")


def _small(train: LabelCounts, labels: Sequence[str]) -> Iterable[Problem]:
    few = [label for label in labels if train.counts.get(label, 0) < FEW_ROWS]
    if few:
        named = [f"{label} ({train.counts.get(label, 0)})" for label in few]
        message = ngettext(
            "{count} class has fewer than {few} training rows: {labels}; collect more or merge it",
            "{count} classes have fewer than {few} training rows: {labels}; collect more or merge them",
            len(few),
        ).format(count=len(few), few=FEW_ROWS, labels=listed(named))
        yield Problem("small-class", message, file=train.file, severity="warning")


def _never_several(train: LabelCounts, *, multi_label: bool) -> Iterable[Problem]:
    if multi_label and train.most_in_a_row == 1:
        message = _("`multi_label: true`, but no training row has more than one label; check `task.separator`")
        yield Problem("never-several-labels", message, file=train.file, severity="warning")


def _rows(count: int) -> str:
    return ngettext("{count} row", "{count} rows", count).format(count=count)
