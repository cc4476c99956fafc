"""Chinese for a test: a small catalogue of its own words, or the real one compiled on the spot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from weitiao import messages

REAL = messages.LOCALE / "zh_CN" / "LC_MESSAGES" / "weitiao.po"


@contextmanager
def chinese(folder: Path, monkeypatch: pytest.MonkeyPatch, words: Mapping[str, str] | None = None) -> Iterator[None]:
    """Inside the block, zh_CN knows exactly `words`; without them, what the real catalogue's source says now."""
    catalogue = Catalog(locale="zh_CN")
    if words is None:
        with REAL.open("rb") as stream:
            catalogue = read_po(stream, locale="zh_CN", domain="weitiao")
    for source, translation in (words or {}).items():
        catalogue.add(source, translation)
    path = folder / "zh_CN" / "LC_MESSAGES" / "weitiao.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        write_mo(stream, catalogue)
    monkeypatch.setattr(messages, "LOCALE", folder)
    messages._catalogue.cache_clear()
    try:
        yield
    finally:
        messages._catalogue.cache_clear()
