"""What stands behind a word of the recipe: a share such as '10%', a hub id, or the files of a path, glob or list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from itertools import takewhile
from pathlib import Path
from typing import Any

from weitiao.data.reading import takes_folder
from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.recipe import DataSpec
from weitiao.recipe.specs import share_of
from weitiao.tables import closest

HUB = "hf:"
WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Part:
    """One source to read.

    Args:
        name: file or hub id as the user wrote it, or 'memory:train'.
        split: the split that its rows belong to; empty where it holds several.
        data: rows in Python; None for files.
    """

    name: str
    split: str
    data: Any = None


def plan_parts(spec: DataSpec, memory: Mapping[str, Any]) -> tuple[list[Part], dict[str, float], list[Problem]]:
    """(sources to read, split -> share of the training rows, problems) of the recipe's `data` block."""
    told = {"file": spec.file, "train": spec.train, "dev": spec.dev, "test": spec.test, **memory}
    for origin, other in (("file", "train"), ("train", "file")):
        if origin in memory and other not in memory:
            told[other] = None
    parts: list[Part] = []
    shares: dict[str, float] = {}
    problems: list[Problem] = []
    for key in ("file", "train", "dev", "test"):
        if told[key] is None:
            continue
        share = share_of(told[key]) if key in ("dev", "test") else None
        if share is not None:
            shares[key] = share
            continue
        wrong = _bare_share(told[key], key)
        found, missing = _parts_of(told[key], key, spec.format) if not wrong else ([], [])
        parts += found
        problems += [*wrong, *missing]
    return parts, shares, problems + _shared_files(parts)


def _parts_of(source: Any, key: str, format: str | None) -> tuple[list[Part], list[Problem]]:  # noqa: A002
    split = "" if key == "file" else key
    if isinstance(source, str) or (
        isinstance(source, list) and source and all(isinstance(each, str) for each in source)
    ):
        names, problems = expand(source, format)
        return [Part(name, split) for name in names], problems
    return [Part(f"memory:{key}", split, source)], []


def _shared_files(parts: Sequence[Part]) -> list[Problem]:
    """A file that is named for two splits: its rows would be in both."""
    splits: dict[str, list[str]] = {}
    for part in parts:
        if part.data is None:
            key = part.name if part.name.startswith(HUB) else str(Path(part.name).expanduser().resolve())
            splits.setdefault(key, []).append(part.split or "file")
    problems = []
    for key, names in splits.items():
        if len(set(names)) > 1:
            message = _("the file is given for {splits}; each split needs rows of its own").format(
                splits=_(" and ").join(f"`data.{name}`" for name in names)
            )
            problems.append(Problem("shared-file", message, file=key))
    return problems


def _bare_share(source: Any, key: str) -> list[Problem]:
    """A share without its percent sign, such as 0.1: not the name of a file."""
    if key not in ("dev", "test") or not isinstance(source, str) or not _is_number(source) or Path(source).exists():
        return []
    percent = float(source) * (100 if float(source) < 1 else 1)
    message = _("`data.{split}` is '{got}'; a share is written as '{guess:g}%'").format(
        split=key, got=source, guess=percent
    )
    return [Problem("bad-share", message)]


def expand(source: str | Sequence[str], format: str | None = None) -> tuple[list[str], list[Problem]]:  # noqa: A002
    """The files, folders and hub ids of one source, in order (those of a glob sorted), and what is missing.

    Args:
        format: the format that the user names; it may be one of folders.
    """
    names: list[str] = []
    problems: list[Problem] = []
    for word in [source] if isinstance(source, str) else source:
        found, wrong = _expand_one(word, format)
        names += found
        problems += wrong
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [Problem("repeated-source", _("the file is listed twice; name it once"), file=name) for name in twice]
    return names, problems


def _expand_one(word: str, format: str | None) -> tuple[list[str], list[Problem]]:  # noqa: A002
    path = Path(word).expanduser()
    if word.startswith(HUB) or path.is_file():
        return [word], []
    if path.is_dir():
        return ([word], []) if takes_folder(path, format) else ([], [_folder(path, word)])
    if WILD.intersection(word):
        found = sorted(each for each in glob(str(path), recursive=True) if Path(each).is_file())  # noqa: PTH207
        return found, [] if found else [_unmatched(path, word)]
    return [], [_missing(path, word)]


def _folder(path: Path, word: str) -> Problem:
    suffixes = sorted({each.suffix for each in path.iterdir() if each.suffix and each.is_file()}) or [".csv"]
    message = _("is a folder; name its files with a pattern, such as {pattern}").format(
        pattern=path / f"*{suffixes[0]}"
    )
    return Problem("folder", message, file=word)


def _unmatched(path: Path, word: str) -> Problem:
    """Names the folder that was searched: what stands before the first wildcard."""
    folder = Path.cwd().joinpath(*takewhile(lambda part: not WILD.intersection(part), path.parts))
    if folder.is_dir():
        message = _("no file matches the pattern; it was looked for in the folder {folder}").format(folder=folder)
    else:
        message = _("no file matches the pattern: the folder {folder} does not exist").format(folder=folder)
    return Problem("missing-file", message, file=word)


def _missing(path: Path, word: str) -> Problem:
    if not path.parent.is_dir():
        message = _("no such file: the folder {folder} does not exist").format(folder=path.parent)
        return Problem("missing-file", message, file=word)
    neighbours = sorted(each.name for each in path.parent.iterdir() if each.is_file())
    guess = closest(path.name, neighbours)
    hint = _("; did you mean '{guess}'?").format(guess=path.parent / guess) if guess else ""
    message = _("no such file{hint}; paths start at the folder {folder}").format(hint=hint, folder=Path.cwd())
    return Problem("missing-file", message, file=word)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
