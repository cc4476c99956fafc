"""Brings the message catalogues up to date with the source: `python tools/catalogue.py`.

Messages are what babel finds behind `_`, `N_` and `ngettext`, and the texts that are translated where they are shown:
descriptions of recipe keys, and what `weitiao list` says of each entry. New ones are added without a translation, those
that are gone are removed; nothing is guessed. Compile afterwards with `make messages`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from pydantic import BaseModel

SOURCE = Path(__file__).resolve().parent.parent / "src" / "weitiao"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python"), ("**.j2", "jinja2")]
WIDTH = 120


def collect() -> Catalog:
    """A template with every message of the package."""
    template = Catalog(project="weitiao", version=None, charset="utf-8")
    for file, _line, message, _comments, _context in extract_from_dir(SOURCE, METHODS, keywords=KEYWORDS):
        template.add(message, locations=[(f"src/weitiao/{Path(file).as_posix()}", None)])
    for place, message in shown():
        template.add(message, locations=[(place, None)])
    return template


def shown() -> Iterator[tuple[str, str]]:
    """(where it is from, message) of texts that no `_` surrounds."""
    from weitiao.messages import language
    from weitiao.models.starters import STARTERS
    from weitiao.recipe import Recipe
    from weitiao.verbs.listing import entries
    from weitiao.verbs.preparing.frame import frame

    for model in (Recipe, *(options for table in frame().options.values() for options in table.values())):
        for message in descriptions(model):
            yield "recipe", message
    with language("en"):
        for kind in ("tasks", "methods", "objectives", "steps", "formats", "recipes"):
            for entry in entries(kind):
                yield kind, entry.about
    for starter in STARTERS.values():
        yield "models", starter.summary


def descriptions(model: type[BaseModel]) -> Iterator[str]:
    """The descriptions of a model's fields, and of the models in it."""
    for field in model.model_fields.values():
        if field.description:
            yield field.description
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from descriptions(field.annotation)


def update(path: Path) -> tuple[int, int]:
    """Bring one catalogue up to date; return (messages, of them without a translation)."""
    with path.open("rb") as stream:
        catalogue = read_po(stream, locale=path.parent.parent.name, domain="weitiao")
    template = collect()
    template.creation_date = catalogue.creation_date
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with path.open("wb") as stream:
        write_po(stream, catalogue, width=WIDTH, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return len(catalogue), sum(not translated(message.string) for message in catalogue if message.id)


def translated(string: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether every form of a message has a translation."""
    return bool(string) and all([string] if isinstance(string, str) else string or ())


if __name__ == "__main__":
    for found in sorted(SOURCE.glob("locale/*/LC_MESSAGES/weitiao.po")):
        total, missing = update(found)
        print(f"{found}: {total} messages, {missing} without a translation")  # noqa: T201
