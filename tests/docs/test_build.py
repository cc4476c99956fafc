"""Pages that are made from the code say what the code says; links between pages lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from weitiao.methods.options import METHOD_OPTIONS
from weitiao.recipe import Recipe
from weitiao.tasks import TASKS

CODE = re.compile(r"```.*?```|`[^`\n]*`|^    .*?$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


@pytest.fixture(scope="module")
def build(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_docs", repository / "docs" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_made_pages_are_up_to_date(build: ModuleType, repository: Path) -> None:
    for name, text in build.pages().items():
        assert (repository / "docs" / name).read_text("utf-8") == text, f"docs/{name}: run make docs"


def test_every_key_of_the_recipe_has_its_line(build: ModuleType) -> None:
    lines = build.recipe_page().splitlines()
    models = [*METHOD_OPTIONS.values(), *(TASKS[name].options_model for name in TASKS)]
    models += [field.annotation for field in Recipe.model_fields.values() if hasattr(field.annotation, "model_fields")]
    for model in models:
        for key, field in model.model_fields.items() if model.__name__ != "Choice" else ():
            found = [line for line in lines if line.startswith(f"| `{key}` |")]
            assert any(line.endswith(f"| {(field.description or '').replace('|', chr(92) + '|')} |") for line in found)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "exclusiveMinimum": 0}, "whole number (above 0)"),
        ({"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}, "number (at least 0) or null"),
        ({"enum": ["a", "b"]}, "`a` or `b`"),
        ({"type": "array", "items": {"type": "string"}}, "list of text"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "mapping to true or false"),
    ],
)
def test_kinds_in_words(build: ModuleType, schema: dict[str, object], words: str) -> None:
    assert build.kind(schema) == words


def pages(repository: Path) -> list[Path]:
    return [*sorted((repository / "docs").glob("*.md")), *sorted(repository.glob("*.md"))]


def test_links_lead_somewhere(repository: Path) -> None:
    for page in pages(repository):
        for target, anchor in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                titles = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
                assert anchor[1:] in slugs, f"{page.name}: {target}{anchor}"
