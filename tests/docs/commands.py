"""What the pages tell a reader to type: the fenced blocks of a page, and the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for kind, body in BLOCK.findall(page.read_text("utf-8")) if kind == language]


def commands(page: Path) -> list[list[str]]:
    """The words of every line of the page's shell blocks, comments left out."""
    lines = [line for body in blocks(page, "sh") for line in body.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]
