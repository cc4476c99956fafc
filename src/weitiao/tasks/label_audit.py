"""Findings about the labels of a data set: too few, unknown, mistyped, look-alike, hardly any rows.

Label counts a split go in, `Problem`s come out, one a label (or one a kind where labels are many), each at the first
row that shows it and with the places of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from weitiao.errors import Problem, RowPlace, Severity
from weitiao.messages import _, ngettext
from weitiao.tasks.labels import (
    SEPARATOR,
    in_natural_order,
    joined_labels,
    listed,
    look_alikes,
    parts_of,
    suggestion,
    suspected_typos,
)

FEW_ROWS = 5  # below it a class is hardly seen by training and not measured by evaluation
MANY_CLASSES = 10  # from here on, more labels than half the rows are no labels
MOST_SHOWN = 10  # findings of one kind that are named one by one
YAML_SIGNS = ",|"  # separators that YAML does not read as text unless they are in quotes

Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """How often each label stands in one split, where, and over how many rows."""

    places: Mapping[str, Sequence[Place]]
    counts: Mapping[str, int]
    rows: int
    most_in_a_row: int
    file: str

    @classmethod
    def of(cls, rows: Iterable[tuple[Sequence[str], str, int]]) -> LabelCounts:
        """Count (labels, file, line) rows."""
        places: dict[str, list[Place]] = defaultdict(list)
        total, most, any_file = 0, 0, ""
        for labels, file, line in rows:
            total, most, any_file = total + 1, max(most, len(labels)), any_file or file
            for label in labels:
                places[label].append((file, line))
        return cls(dict(places), {label: len(each) for label, each in places.items()}, total, most, any_file)

    def parted(self, separator: str) -> LabelCounts:
        """The counts as they would be if the labels were parted at `separator`."""
        rows: dict[Place, list[str]] = defaultdict(list)
        for label, places in self.places.items():
            for place in places:
                rows[place] += parts_of(label, separator)
        return LabelCounts.of((list(dict.fromkeys(parts)), *place) for place, parts in sorted(rows.items()))

    def start(self, labels: Iterable[str]) -> Place:
        """The first row with the first of `labels` that has any."""
        return next((self.places[label][0] for label in labels if label in self.places), (self.file, 0))

    def problem(self, code: str, labels: Sequence[str], message: str, severity: Severity) -> Problem:
        """A problem at the first row with one of `labels`, about all rows with them."""
        file, line = self.start(labels)
        rows = [
            RowPlace(*place, note=label if len(labels) > 1 else "")
            for label in labels
            for place in self.places.get(label, ())
        ]
        return Problem(code, message, file=file, line=line, severity=severity, rows=tuple(rows))


def audit_labels(
    splits: Mapping[str, LabelCounts],
    labels: Sequence[str],
    *,
    fixed: bool,
    separator: str = "",
    weighted: Sequence[str] = (),
) -> list[Problem]:
    """Everything suspicious about the labels.

    Args:
        splits: the label counts of each split; without rows in `train` only unknown labels can be told.
        labels: the label space.
        fixed: whether the recipe lists the labels (then an unknown one is an error), or the training rows do.
        separator: what parts the labels of one cell; empty where a row has one label.
        weighted: labels that `class_weights` names.
    """
    train = splits.get("train", LabelCounts.of([]))
    if not train.rows:  # data/ says so; about labels nothing can be known
        return list(_unknown(splits, labels)) if fixed else []
    doubtful = [label for label in train.counts if not fixed or label not in labels]
    another, joined = joined_labels(doubtful, {*train.counts, *labels}, parted_by=separator)
    if joined:  # what follows from reading them as one is no news: the rest is told of their parts
        parts = {split: counts.parted(another) for split, counts in splits.items()}
        space = labels if fixed else in_natural_order(parts["train"].counts)
        first = _several_in_a_cell(train, joined, another, fixed=fixed, multi_label=bool(separator))
        return [first, *_of_each_label(parts, space, fixed=fixed, multi_label=True, weighted=weighted)]
    too_many = list(_too_many_classes(train))
    if too_many:  # the wrong column: what its values look like is no news
        return too_many
    return [
        *_of_each_label(splits, labels, fixed=fixed, multi_label=bool(separator), weighted=weighted),
        *_never_several(train, multi_label=bool(separator)),
    ]


def audit_spans(splits: Mapping[str, LabelCounts], labels: Sequence[str], *, fixed: bool) -> list[Problem]:
    """Everything suspicious about the labels of spans: unknown, mistyped, hardly any; one label is enough.

    Args:
        splits: how often each label marks a span, of each split.
        labels: the label space.
        fixed: whether the recipe lists the labels, or the training rows do.
    """
    train = splits.get("train", LabelCounts.of([]))
    if not train.rows:
        return list(_unknown(splits, labels)) if fixed else []
    if not train.counts:
        message = _("no training row has a span; check `data.fields` and the file")
        return [Problem("too-few-classes", message, file=train.file)]
    return [*_unknown(splits, labels, fixed=fixed), *_mistyped(train), *_small(train, labels)]


def audit_inventory(splits: Mapping[str, LabelCounts], labels: Sequence[str]) -> list[Problem]:
    """What is suspicious about labels that annotation guidelines list, where rare ones and like spellings are no slips.

    Args:
        splits: how often each label stands in each split.
        labels: the label space, of the training rows.
    """
    return list(_unknown(splits, labels, fixed=False)) if "train" in splits else []


def audit_relations(
    splits: Mapping[str, LabelCounts], labels: Sequence[str], type_of: Callable[[str], str]
) -> list[Problem]:
    """Everything suspicious about the labels of relations.

    Args:
        splits: the label counts of each split.
        labels: the label space, from the training rows.
        type_of: a label without its direction: labels that differ only by that are no slips of each other.
    """
    train = splits.get("train", LabelCounts.of([]))
    if not train.rows:
        return []
    if len(train.counts) < 2:
        named = "".join(f"'{label}'" for label in train.counts) or _("none")
        message = _(
            "at least two relations are needed, and the training rows have: {named}; check `data.fields.relation`"
        )
        return [Problem("too-few-classes", message.format(named=named), file=train.file)]
    types = LabelCounts.of(([type_of(label)], *place) for label, places in train.places.items() for place in places)
    return [*_unknown(splits, labels, fixed=False), *_mistyped(types), *_small(train, labels)]


def _of_each_label(
    splits: Mapping[str, LabelCounts],
    labels: Sequence[str],
    *,
    fixed: bool,
    multi_label: bool,
    weighted: Sequence[str],
) -> Iterator[Problem]:
    train = splits["train"]
    yield from _unknown(splits, labels, fixed=fixed)
    yield from _unknown_weights(weighted, labels)
    yield from _too_few_classes(train, labels, multi_label=multi_label)
    yield from _mistyped(train)
    yield from _small(train, labels)


def _several_in_a_cell(
    train: LabelCounts, joined: Sequence[str], separator: str, *, fixed: bool, multi_label: bool
) -> Problem:
    """Several labels in a cell that are read as one; an error where the recipe lists the labels."""
    settings = [] if multi_label else ["task.multi_label=true"]
    if multi_label or separator != SEPARATOR:
        quoted = f"'{separator}'"
        settings.append(f'task.separator="{quoted}"' if separator in YAML_SIGNS else f"task.separator={quoted}")
    message = _(
        "'{label}' and {count} other labels look like several labels in one cell, parted by '{separator}'; "
        "set {settings}"
    ).format(label=joined[0], count=len(joined) - 1, separator=separator, settings=_(" and ").join(settings))
    return train.problem("several-labels", joined, message, "error" if fixed else "warning")


def unanswerable(counts: LabelCounts, labels: Sequence[str]) -> list[Problem]:
    """One warning about the labels of rows to be measured that a model with `labels` does not know."""
    known = set(labels)
    unknown = [label for label in counts.counts if label not in known]
    if not unknown:
        return []
    count = len({place for label in unknown for place in counts.places[label]})
    named = [f"'{label}' ({counts.counts[label]}{suggestion(label, labels)})" for label in unknown[:MOST_SHOWN]]
    message = ngettext(
        "{count} of {rows} rows has a label that the model does not know, and counts as wrong: {labels}",
        "{count} of {rows} rows have a label that the model does not know, and count as wrong: {labels}",
        count,
    ).format(count=count, rows=counts.rows, labels=listed([*named, *unknown[MOST_SHOWN:]], MOST_SHOWN))
    return [counts.problem("unknown-label", unknown, message, "warning")]


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
            yield counts.problem("unknown-label", [label], message, "error" if fixed else "warning")
        if len(unknown) > MOST_SHOWN:
            rest = unknown[MOST_SHOWN:]
            message = _("{count} more labels of {split} are unknown: {labels}").format(
                count=len(rest), split=split, labels=listed(rest)
            )
            yield counts.problem("unknown-label", rest, message, "error" if fixed else "warning")


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
        yield train.problem("look-alike-labels", [rare], message, "warning")
    told = {label for group in twins for label in group}
    for rare, frequent in suspected_typos(train.counts)[:MOST_SHOWN]:
        if rare in told:
            continue
        message = _("label '{label}' ({rows}) looks like a slip of '{other}' ({more})").format(
            label=rare, rows=_rows(train.counts[rare]), other=frequent, more=_rows(train.counts[frequent])
        )
        yield train.problem("label-typo", [rare], message, "warning")


def _small(train: LabelCounts, labels: Sequence[str]) -> Iterable[Problem]:
    few = [label for label in labels if train.counts.get(label, 0) < FEW_ROWS]
    if few:
        file, _line = train.start(few)
        shown = [_with_lines(label, train.places.get(label, ()), file) for label in few]
        message = ngettext(
            "{count} class has fewer than {few} training rows: {labels}; collect more or merge it",
            "{count} classes have fewer than {few} training rows: {labels}; collect more or merge them",
            len(few),
        ).format(count=len(few), few=FEW_ROWS, labels=listed(shown))
        yield train.problem("small-class", few, message, "warning")


def _with_lines(label: str, places: Sequence[Place], file: str) -> str:
    """`MEH (2, lines 5, 6)`; rows that are not of `file` with the name of theirs."""
    if not places:
        return f"{label} (0)"
    lines = ", ".join(str(line) if name == file else f"{name}:{line}" for name, line in places)
    return ngettext("{label} ({count}, line {lines})", "{label} ({count}, lines {lines})", len(places)).format(
        label=label, count=len(places), lines=lines
    )


def _never_several(train: LabelCounts, *, multi_label: bool) -> Iterable[Problem]:
    if multi_label and train.most_in_a_row == 1:
        message = _("`multi_label: true`, but no training row has more than one label; check `task.separator`")
        yield Problem("never-several-labels", message, file=train.file, severity="warning")


def _rows(count: int) -> str:
    return ngettext("{count} row", "{count} rows", count).format(count=count)
