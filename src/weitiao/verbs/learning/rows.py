"""The rows of a run that goes on: what is replayed of the old ones, what of the new ones is learnt, what is held out.

    OUTPUT/rows/  replayed.jsonl  new.jsonl        trained on
                  dev.jsonl  new-dev.jsonl         measured on: the old run's dev rows, and the held-out new ones,
                                                   which the recipe does not name, so that they set no threshold
                  test.jsonl  rest.jsonl           the old test rows; old training rows for later replays

A row is written as the task reads it, with where it came from, so that the new run needs no other file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder, write_text
from weitiao.data import Dataset
from weitiao.data.dedup import fold
from weitiao.data.fields import GROUP
from weitiao.data.items import Item
from weitiao.data.splitting import take_balanced, take_share
from weitiao.errors import Refused
from weitiao.messages import _, ngettext
from weitiao.recipe import DataSpec, Recipe
from weitiao.records import Record
from weitiao.tasks import Task
from weitiao.verbs.evaluate import new_data, own_data
from weitiao.verbs.preparing.frame import task_of

ROWS = "rows"
REPLAYED, NEW, DEV, NEW_DEV, TEST, REST = "replayed", "new", "dev", "new-dev", "test", "rest"
ORIGIN = "origin"  # the column that says where a row came from
EACH = 10  # old rows of each kind that are replayed at least, unless a number is given
SEED = 17


@dataclass(frozen=True, slots=True)
class Given:
    """A row as the task read it, the fields it was read from, what splitting looks at, and where it stood."""

    record: Any
    fields: Mapping[str, object]
    item: Item
    origin: str

    def line(self, *, grouped: bool) -> str:
        """As one line of a file; where some rows have a group, every row says its own."""
        group = {GROUP: self.item.group} if grouped else {}
        return json.dumps({**self.fields, **group, ORIGIN: self.origin}, ensure_ascii=False) + "\n"


@dataclass(slots=True)
class Reader:
    """A task's `read` that remembers from which fields each record was read."""

    task: Task[Any, Any]
    fields: dict[int, Mapping[str, object]] = field(default_factory=dict)

    def __call__(self, fields: Mapping[str, object], *, file: str, line: int, group: str = "") -> Record:
        record: Record = self.task.read(fields, file=file, line=line, group=group)
        self.fields[id(record)] = fields
        return record

    def given(self, dataset: Dataset, split: str) -> list[Given]:
        """The rows of a split."""
        pairs = zip(dataset.records.get(split, []), dataset.items.get(split, []), strict=True)
        return [Given(record, self.fields[id(record)], item, item.place) for record, item in pairs]


@dataclass(frozen=True, slots=True)
class Mixed:
    """Every row of the new run, by the file that it goes to, and what became of the others.

    Args:
        parts: name of the file -> rows.
        left_out: new rows that are dev or test rows of the old run already, or were held out when it was made.
        known: new rows that the old run was trained on as they are.
        corrected: old training rows in whose place a new row with the same text stands; that one is never held out.
        files: how the new rows were read.
        ledger: of the new rows as they were read.
    """

    parts: Mapping[str, Sequence[Given]]
    left_out: int
    known: int
    corrected: int
    files: Sequence[Mapping[str, Any]]
    ledger: Mapping[str, Any]

    def counts(self) -> dict[str, int]:
        """Rows of each part, and of those that are in none."""
        rows = {name: len(rows) for name, rows in self.parts.items()}
        return {**rows, "left_out": self.left_out, "known": self.known, "corrected": self.corrected}

    def write(self, folder: Path) -> None:
        """Each part as a file of its own; none for a part without rows."""
        for name, rows in self.parts.items():
            if rows:
                write_text(folder / f"{name}.jsonl", "".join(row.line(grouped=self._grouped) for row in rows))

    @property
    def _grouped(self) -> bool:
        return any(row.item.group for rows in self.parts.values() for row in rows)

    def spec(self, folder: Path, own: DataSpec) -> DataSpec:
        """The `data` block that reads what `write` wrote."""

        def files(*names: str) -> list[str]:
            return [str(folder / f"{name}.jsonl") for name in names if self.parts[name]]

        return DataSpec(
            train=files(REPLAYED, NEW), dev=files(DEV), test=files(TEST) or None, format="jsonl",
            fields={GROUP: GROUP} if self._grouped else {}, split_seed=own.split_seed,
        )  # fmt: skip


def mixed(
    folder: RunFolder,
    recipe: Recipe,
    new: Any,
    *,
    replay: str | int | None,
    hold_out: float,
    read_by: Recipe | None = None,
    data: Any = None,
) -> Mixed:
    """The rows of the run that goes on from the one in `folder`.

    Args:
        folder: the served run.
        recipe: its recipe.
        new: a file, rows in Python, or anything else that `new_data` takes.
        replay: old training rows to mix in: a number, a share such as 20%, or None for as many as there are new ones
            and at least `EACH` of each kind.
        hold_out: share of the new rows that are only measured on.
        read_by: the recipe by which the columns of the new rows are told; by default the run's own.
        data: the old rows, of a run that was trained on rows in Python.

    Raises:
        Refused: the old rows are gone or changed, there are no dev rows, or too few new ones.
    """
    task = task_of(recipe)
    reader = Reader(task)
    old = own_data(folder, recipe, data=data, read=reader)
    if not old.records.get("dev"):
        message = _("{path}: the run has no dev rows, on which it could be seen what is forgotten; train it with some")
        raise Refused(message.format(path=folder.path))
    found = new_data(read_by or recipe, new, read=reader)
    train, dev, test = (reader.given(old, split) for split in ("train", "dev", "test"))
    dev += _apart(kept(folder, NEW_DEV, reader), dev)[0]  # measured on by an earlier learn, and never trained on
    trained = [*train, *kept(folder, REST, reader)]
    fresh, left_out = _apart(reader.given(found, "train"), [*dev, *test])
    fresh, known = _unlearnt(fresh, trained)
    pool, corrected = _apart(trained, fresh)
    unseen, _count = _apart(fresh, trained)
    held = _held_out(unseen, hold_out, recipe.data.split_seed)
    learnt = [each for each in fresh if id(each) not in {id(one) for one in held}]
    chosen = set(_replayed(pool, wanted(replay, len(learnt), pool, task), task))
    parts = {
        REPLAYED: [each for row, each in enumerate(pool) if row in chosen],
        NEW: learnt,
        DEV: dev,
        NEW_DEV: held,
        TEST: test,
        REST: [each for row, each in enumerate(pool) if row not in chosen],
    }
    files = [file.to_json() for file in found.files]
    return Mixed(parts, left_out, known, corrected, files, found.ledger.to_json())


def wanted(replay: str | int | None, new: int, pool: Sequence[Given], task: Task[Any, Any]) -> int:
    """How many old rows are replayed.

    Raises:
        Refused: it is neither a number nor a share.
    """
    if replay is None:
        return max(new, EACH * len(set(kinds(pool, task))))
    told = str(replay).strip()
    number = told.removesuffix("%").strip()
    try:
        value = float(number) / 100 * len(pool) if told.endswith("%") else int(number)
    except ValueError:
        value = -1
    if value < 0:
        raise Refused(_("replay is '{got}'; expected a number of rows, or a share such as 20%").format(got=replay))
    return min(round(value), len(pool))


def units(rows: Sequence[Given]) -> int:
    """Rows that are drawn apart: those of a group count once."""
    return len({row.item.group or str(place) for place, row in enumerate(rows)})


def kinds(rows: Sequence[Given], task: Task[Any, Any]) -> list[str]:
    """What each row is an example of: its answer, or the labels that it marks; nothing of tasks without labels."""
    if task.labels_are != "classes":
        return [""] * len(rows)
    if all(getattr(row.record, "spans", None) is None for row in rows):
        return [row.item.answer for row in rows]
    return [" ".join(sorted({span.label for span in row.record.spans or ()})) for row in rows]


def note(rows: Mixed) -> list[str]:
    """What was done with rows that are not simply learnt, in sentences."""
    said = []
    if rows.left_out:
        said.append(
            ngettext(
                "{count} new row is a dev or test row of the run already, or was held out before; it is left out",
                "{count} new rows are dev or test rows of the run already, or were held out before; they are left out",
                rows.left_out,
            ).format(count=f"{rows.left_out:,}")
        )
    if rows.known:
        said.append(
            ngettext(
                "{count} new row is one that the run was trained on already; it counts as an old one",
                "{count} new rows are some that the run was trained on already; they count as old ones",
                rows.known,
            ).format(count=f"{rows.known:,}")
        )
    if rows.corrected:
        said.append(
            ngettext(
                "{count} old training row has the text of a new one, which stands in its place",
                "{count} old training rows have the texts of new ones, which stand in their place",
                rows.corrected,
            ).format(count=f"{rows.corrected:,}")
        )
    return said


def _replayed(pool: Sequence[Given], count: int, task: Task[Any, Any]) -> list[int]:
    if count >= len(pool):
        return list(range(len(pool)))
    return take_balanced([each.item for each in pool], kinds(pool, task), count, SEED)


def _held_out(rows: Sequence[Given], share: float, seed: int) -> list[Given]:
    """The rows that are measured on; of texts alone that the served run has not seen.

    Raises:
        Refused: there are too few to choose from.
    """
    held = take_share([each.item for each in rows], share, seed) if len(rows) > 1 else []
    if not held:
        message = _(
            "{count} new rows can be measured on; at least two different ones with texts new to the run are needed"
        )
        raise Refused(message.format(count=len(rows)))
    return [rows[row] for row in held]


def kept(folder: RunFolder, name: str, read: Reader | Task[Any, Any]) -> list[Given]:
    """The rows of a part that the recipe of a run that went on does not name; none of a run that did not.

    Args:
        name: `rest`, old training rows that were not replayed, or `new-dev`, new ones that were held out.
        read: a task, or the reader that remembers.
    """
    reader = Reader(read) if not isinstance(read, Reader) else read
    path = folder.path / ROWS / f"{name}.jsonl"
    if not path.is_file():
        return []
    rows = []
    for number, text in enumerate(path.read_text("utf-8").split("\n"), start=1):
        if text:
            fields = json.loads(text)
            group, origin = str(fields.pop(GROUP, "")), str(fields.pop(ORIGIN, ""))
            record, task = reader(fields, file=str(path), line=number, group=group), reader.task
            item = Item(str(path), number, task.surface(record), task.answer(record), record.group, record.beside)
            rows.append(Given(record, fields, item, origin))
    return rows


def _unlearnt(rows: Sequence[Given], trained: Sequence[Given]) -> tuple[list[Given], int]:
    """The rows that the others have not, answer and all, and how many they have."""
    seen = set(_whole(trained))
    found = [row for row, key in zip(rows, _whole(rows), strict=True) if key not in seen]
    return found, len(rows) - len(found)


def _whole(rows: Sequence[Given]) -> list[tuple[str, str, str]]:
    """By what a row with its answer is told from others."""
    texts = fold([each.item.surface for each in rows])
    return [(text, each.item.answer, each.item.beside) for text, each in zip(texts, rows, strict=True)]


def _apart(rows: Sequence[Given], others: Sequence[Given]) -> tuple[list[Given], int]:
    """The rows whose text none of the others has, and how many have one."""
    theirs = set(fold([each.item.surface for each in others]))
    folded = fold([each.item.surface for each in rows])
    kept = [row for row, text in zip(rows, folded, strict=True) if text not in theirs]
    return kept, len(rows) - len(kept)
