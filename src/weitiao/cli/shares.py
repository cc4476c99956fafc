"""Shares on the command line: 0.5%, or 0.005."""

from __future__ import annotations

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe.specs import share_of


def share_given(option: str, text: str) -> float:
    """The share that an option was given.

    Raises:
        Refused: it is no share, or none below one.
    """
    try:
        share = share_of(text)
        share = float(text) if share is None else share
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        message = _("{option}: got '{got}'; expected a share such as 0.5%, or 0.005")
        raise Refused(message.format(option=option, got=text))
    return share
