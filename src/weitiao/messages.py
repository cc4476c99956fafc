"""User-facing text: English in the source, translated by gettext catalogues in `locale/`.

`_("...")` translates when called, so the language can follow the environment (`LANGUAGE`, `LC_ALL`, `LC_MESSAGES`,
`LANG`) or be set for one block with `language("zh_CN")`, which reports and tests use.
"""

from __future__ import annotations

import errno
import gettext
import os
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


def millions(count: int) -> str:
    """`37.0 million`; in Chinese, which counts in ten thousands, `3,700 万`; few as they are."""
    if count < 100_000:
        return f"{count:,}"
    shown = f"{count / 1e4:,.0f}" if current_language().startswith("zh") else f"{count / 1e6:.1f}"
    return _("{count} million").format(count=shown)


def system_reason(error: OSError) -> str:
    """What the operating system says is wrong; the usual reasons in the language in force."""
    usual = {
        errno.EACCES: _("Permission denied"),
        errno.EADDRINUSE: _("Address already in use"),
        errno.EADDRNOTAVAIL: _("Cannot assign requested address"),
        errno.EIO: _("Input/output error"),
        errno.EISDIR: _("Is a directory"),
        errno.EMFILE: _("Too many open files"),
        errno.ENAMETOOLONG: _("File name too long"),
        errno.ENOENT: _("No such file or directory"),
        errno.ENOTDIR: _("Not a directory"),
        errno.EPERM: _("Operation not permitted"),
        errno.EROFS: _("Read-only file system"),
    }
    number = error.errno or 0
    if number in usual:
        return usual[number]
    return os.strerror(number) if number > 0 else error.strerror or str(error)


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
