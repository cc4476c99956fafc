"""User-facing text: English in the source, translated by gettext catalogues in `locale/`.

`_("...")` translates when called, so the language can follow the environment (`LANGUAGE`, `LC_ALL`, `LC_MESSAGES`,
`LANG`) or be set for one block with `language("zh_CN")`, which reports and tests use.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
_chosen: ContextVar[str | None] = ContextVar("language", default=None)


@lru_cache(maxsize=8)
def _catalogue(name: str | None) -> gettext.NullTranslations:
    return gettext.translation("weitiao", LOCALE, languages=[name] if name else None, fallback=True)


def _(message: str) -> str:
    """Translate `message` into the language in force; the message itself where there is no translation."""
    return _catalogue(_chosen.get()).gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """Translate a message that depends on a count."""
    return _catalogue(_chosen.get()).ngettext(one, many, count)


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=f"{whole % 60:02d}")
    return _("{hours} h {minutes} min").format(hours=whole // 3600, minutes=f"{whole % 3600 // 60:02d}")


@contextmanager
def language(name: str) -> Iterator[None]:
    """Speak `name` ('en', 'zh_CN') inside the block."""
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def current_language() -> str:
    """'zh_CN' or 'en': what `_` speaks now."""
    return _catalogue(_chosen.get()).info().get("language", "en") or "en"
