"""Compiles the message catalogues (`locale/*/LC_MESSAGES/*.po`) to `.mo`, for wheels and for editable installs.

Run as a script it does the same for the working tree, after a catalogue was edited.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALE = Path(__file__).parent / "src" / "weitiao" / "locale"


class CatalogueHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it collects files; `artifacts` in pyproject.toml lets the results in."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile all catalogues."""
        compile_catalogues()


def compile_catalogues(folder: Path = LOCALE) -> list[Path]:
    """Write a `.mo` beside each `.po`; return what was written."""
    return [_compile(source) for source in sorted(folder.glob("*/LC_MESSAGES/*.po"))]


def _compile(source: Path) -> Path:
    with source.open("rb") as stream:
        catalogue = read_po(stream, locale=source.parent.parent.name, domain=source.stem)
    target = source.with_suffix(".mo")
    with target.open("wb") as stream:
        write_mo(stream, catalogue)
    return target


if __name__ == "__main__":
    compile_catalogues()
