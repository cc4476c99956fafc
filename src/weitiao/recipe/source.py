"""A recipe's source as plain values, with the line of every key: YAML 1.2, a mapping, and `key=value` overrides.

YAML's own surprises end here: dates stay text, tags are ignored, merged keys have the line of their anchor's use, and a
syntax error becomes one sentence with its line.
"""

from __future__ import annotations

import datetime
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from weitiao.errors import Problem, ProblemsFound, Severity
from weitiao.messages import _, system_reason

Keys = tuple[str, ...]
DEEPEST = 20  # levels; a recipe has five, and an alias of itself has no end
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
SHORT_FORMS = {"task": "name", "method": "name", "model": "name", "data": "file"}  # `data: FILE` = `data: {file: FILE}`


@dataclass(frozen=True, slots=True)
class Places:
    """Where each key was written: a line of `file`, or the command line."""

    file: str
    lines: Mapping[Keys, int | str]

    def problem(self, code: str, keys: Sequence[str | int], message: str, severity: Severity = "error") -> Problem:
        """A problem at the innermost of `keys` whose place is known, or at what stands under them."""
        path = tuple(str(key) for key in keys)
        under = next((known for known in self.lines if path and known[: len(path)] == path), path)
        for length in range(len(under), -1, -1):
            place = self.lines.get(under[:length])
            if isinstance(place, str):
                return Problem(code, message, file=place, severity=severity)
            if place:
                return Problem(code, message, file=self.file, line=place, severity=severity)
        return Problem(code, message, file=self.file, severity=severity)


def read_source(source: Path | str | Mapping[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], Places]:
    """The recipe as plain values, and where its keys were written.

    Raises:
        ProblemsFound: the file cannot be read as a YAML mapping, or an override is none.
    """
    raw: dict[str, Any]
    lines: dict[Keys, int | str] = {}
    if isinstance(source, Mapping):
        raw, file = plain(source), "recipe"
    else:
        file = str(source)
        tree = _yaml(Path(source), file)
        raw, lines = plain(tree), dict(lines_of(tree))
    problems = [problem for text in overrides if (problem := _override(raw, lines, text))]
    if problems:
        raise ProblemsFound(problems)
    return raw, Places(file, lines)


def command_line() -> str:
    """What stands for the file of keys that were given as `key=value`."""
    return _("command line")


def quoted(text: str) -> str:
    """`text` as a YAML scalar that reads back as text, for the value of an override."""
    return "'" + text.replace("'", "''") + "'"


def plain(node: Any, depth: int = 0) -> Any:
    """Containers and scalars of ruamel (or of Python) as plain values.

    Raises:
        ProblemsFound: nested without end.
    """
    if depth > DEEPEST:
        raise ProblemsFound(
            [Problem("recipe-yaml", _("the recipe is nested more than {n} levels deep").format(n=DEEPEST))]
        )
    if isinstance(node, Mapping):
        return {_key(key): plain(value, depth + 1) for key, value in node.items()}
    if isinstance(node, list | tuple | set):
        return [plain(value, depth + 1) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, TaggedScalar):
        return str(node.value)
    if isinstance(node, os.PathLike):
        return os.fspath(node)
    if isinstance(node, datetime.date | datetime.time):
        return str(node)
    if hasattr(node, "item"):  # a numpy number
        return node.item()
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _key(key: object) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[key] if isinstance(key, bool) or key is None else str(key)


def _yaml(path: Path, file: str) -> CommentedMap:
    if path.suffix.lower() in TABLES and path.is_file():
        raise ProblemsFound([_data_problem(file)])
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = _("the recipe cannot be read ({reason}); expected a YAML file").format(reason=system_reason(error))
        raise ProblemsFound([Problem("missing-recipe", message, file=file)]) from error
    except UnicodeDecodeError as error:
        message = _("the recipe is not UTF-8 (byte {byte}); save it as UTF-8").format(byte=error.start + 1)
        raise ProblemsFound([Problem("recipe-encoding", message, file=file)]) from error
    tree = parsed(text, file)
    if not isinstance(tree, CommentedMap):
        if path.suffix.lower() == ".json":
            raise ProblemsFound([_data_problem(file)])
        got = _("nothing") if tree is None else _("a list") if isinstance(tree, list) else _("text")
        message = _("a recipe is a mapping of keys such as `task:` and `data:`; got {got}").format(got=got)
        raise ProblemsFound([Problem("recipe-yaml", message, file=file, line=1)])
    return tree


def parsed(text: str, file: str) -> Any:
    """YAML (or JSON) as ruamel's containers, which know their lines.

    Raises:
        ProblemsFound: it is no YAML.
    """
    try:
        return YAML().load(text)
    except YAMLError as error:
        raise ProblemsFound([_syntax_problem(error, text, file)]) from error


def _data_problem(file: str) -> Problem:
    command = shlex.join(["weitiao", "new", "classify", "--data", file])
    message = _("looks like data, where a recipe is expected; write one for it with: {command}").format(command=command)
    return Problem("data-as-recipe", message, file=file)


def _syntax_problem(error: YAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    reason = (error.problem if isinstance(error, MarkedYAMLError) else None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else 0
    written = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    return Problem("recipe-yaml", _syntax_sentence(reason, written), file=file, line=line)


def _syntax_sentence(reason: str, written: str) -> str:
    """The parser's reason in our words where it is one of the usual ones."""
    twice = re.match(r'found duplicate key "(.*?)"', reason)
    if twice:
        return _("the key '{key}' is given twice; keep one of them").format(key=twice[1])
    alias = re.match(r"found undefined alias '(.*)'", reason)
    if alias:
        return _("'*{alias}' refers to nothing; put text that starts with * in quotes").format(alias=alias[1])
    if "'\\t'" in reason or "\t" in written.split("#")[0][: len(written) - len(written.lstrip())]:
        return _("not valid YAML: a tab where spaces are expected; indent with spaces")
    if "mapping values are not allowed" in reason:
        return _("not valid YAML: a second `: ` on the line, or wrong indentation; put text that holds `: ` in quotes")
    if "another document" in reason:
        return _("not valid YAML: a second document (`---`); a recipe is one")
    if "cannot start any token" in reason:
        return _("not valid YAML: text cannot begin with this character; put it in quotes")
    if "stream end" in reason or "end of stream" in reason:
        return _("not valid YAML: the file ends inside a quote or bracket that is still open")
    return _("not valid YAML: {reason}").format(reason=reason)


def lines_of(node: object, path: Keys = ()) -> Iterator[tuple[Keys, int]]:
    """(path, line from 1) of every key and list item."""
    if len(path) > DEEPEST:
        return
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            inner = (*path, _key(key))
            if key in node.lc.data:  # merged keys (`<<: *base`) have no line of their own
                yield inner, node.lc.key(key)[0] + 1
            yield from lines_of(value, inner)
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            yield (*path, str(index)), node.lc.item(index)[0] + 1
            yield from lines_of(value, (*path, str(index)))


def _value(text: str) -> Any:
    """The value of an override.

    Raises:
        YAMLError: it is no YAML, or one of the signs that YAML reads as nothing.
    """
    if text.strip() in ("|", ">", "#"):
        raise YAMLError(text)
    return plain(YAML().load(text)) if text.strip() else text


def _override(raw: dict[str, Any], lines: dict[Keys, int | str], text: str) -> Problem | None:
    """Put `key=value` into `raw`; a problem where it is no override."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key):
        message = _("'{text}' is not an override; expected key=value such as training.epochs=5").format(text=text)
        return Problem("bad-override", message, file=command_line())
    try:
        parsed = _value(value)
    except YAMLError:
        message = _("the value of '{text}' is not valid YAML; put it in quotes, in a shell as {example}").format(
            text=text, example=f'{key}="{quoted(value)}"'
        )
        return Problem("bad-override", message, file=command_line())
    *parents, last = key.split(".")
    node = raw
    for parent in parents:
        inner = node.get(parent)
        if not isinstance(inner, dict):
            inner = {} if inner is None else {SHORT_FORMS.get(parent, "name"): inner}
            node[parent] = inner
        node = inner
    node[last] = parsed
    for known in [each for each in lines if each[: len(parents) + 1] == (*parents, last)]:
        del lines[known]  # what stood there is gone
    lines[(*parents, last)] = command_line()
    return None
