"""The planted mistakes: a recipe, its files, and every problem that `check` must report, word for word.

A case starts from a recipe and 40 rows that have no fault, and changes one thing. Files are named relative to the
folder in which the check runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

GROUPS = (
    "recipe names",
    "recipe values",
    "files",
    "encodings",
    "columns",
    "labels",
    "splits",
    "trees",
    "spans",
    "answers",
    "pairs",
)
ADJECTIVES = ("good", "bad", "warm", "dull", "quick", "slow", "fresh", "stale")
NOUNS = ("film", "service", "parcel", "hotel", "lunch", "garden", "lecture", "phone", "ticket", "river")


def rows(count: int = 40) -> list[tuple[str, str]]:
    """(text, label) with two balanced classes, no duplicate and no near-duplicate."""
    made = []
    for index in range(count):
        adjective, noun = ADJECTIVES[index % 8], NOUNS[(index * 7 + index // 10) % 10]
        made.append(
            (f"{noun} {adjective} {chr(97 + index % 26) * 5} {index * index * 7919}", "POS" if index % 2 else "NEG")
        )
    return made


def csv(table: Sequence[tuple[str, ...]], header: str = "text,label") -> str:
    """Unquoted CSV: nothing in these rows needs quotes."""
    return "\n".join([header, *(",".join(row) for row in table)]) + "\n"


GOOD = csv(rows())
RECIPE = "task: classify\nmodel: ./m\ndata:\n  train: good.csv\n"


@dataclass(frozen=True)
class Case:
    """One planted mistake.

    Args:
        name: what is wrong.
        group: one of `GROUPS`.
        problems: every problem that is reported, in order, severity first: `error r.yaml:3: ...`.
        recipe: text of r.yaml.
        files: name -> contents, beside good.csv and the model folder m.
    """

    name: str
    group: str
    problems: Sequence[str]
    recipe: str = RECIPE
    files: Mapping[str, str | bytes] = field(default_factory=dict)


def planted(change: Callable[[list[tuple[str, ...]]], object]) -> str:
    """The good rows with a mistake in them."""
    table: list[tuple[str, ...]] = list(rows())
    change(table)
    return csv(table)


def with_text(text: bytes | str, recipe: str = RECIPE) -> dict[str, object]:
    """Arguments of a case whose good.csv is another."""
    return {"files": {"good.csv": text}, "recipe": recipe}


def data(*lines: str) -> str:
    """The recipe with another `data` block."""
    return "task: classify\nmodel: ./m\ndata:\n" + "".join(f"  {line}\n" for line in lines)
