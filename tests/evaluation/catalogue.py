"""A small Chinese catalogue for a test, beside the real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from weitiao import messages


@contextmanager
def chinese(folder: Path, monkeypatch: pytest.MonkeyPatch, words: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, zh_CN knows exactly `words`."""
    catalogue = Catalog(locale="zh_CN")
    for source, translation in words.items():
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
