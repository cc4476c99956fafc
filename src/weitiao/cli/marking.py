"""Marks text for the catalogue without translating it yet: help texts are translated when they are shown."""

from __future__ import annotations


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for this
    """`message` itself; the extraction of messages looks for this name."""
    return message
