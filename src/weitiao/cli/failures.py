"""What the command line says when something is wrong, and the code it leaves with.

Errors go to stderr as plain sentences: one `error:` line, or every problem on its own line with a closing count.
The parser's own complaints (an unknown option, a missing argument) are said in our words too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from weitiao.cli.help import shown
from weitiao.errors import Interrupted, Problem, ProblemsFound, WeitiaoError
from weitiao.messages import _, ngettext
from weitiao.tables import did_you_mean

ORDER = {"error": 0, "warning": 1, "note": 2}


def say(text: str) -> None:
    """One line on stderr."""
    print(text, file=sys.stderr, flush=True)


def report_error(error: WeitiaoError) -> None:
    """Say what went wrong."""
    if isinstance(error, ProblemsFound):
        report_problems(error.problems)
        return
    say(str(error) if isinstance(error, Interrupted) else _("error: {message}").format(message=error))


def problems_as_json(error: WeitiaoError) -> list[dict[str, Any]]:
    """What went wrong, for `--json`; an error that is no list of problems is one, named after its kind."""
    if isinstance(error, ProblemsFound):
        return [asdict(problem) for problem in error.problems]
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    return [asdict(Problem(kind, str(error)))]


def report_problems(problems: Iterable[Problem], *, rows: bool = False) -> None:
    """Every problem on its own line, errors first, then a count."""
    for line in problem_lines(problems, rows=rows):
        say(line)


def problem_lines(problems: Iterable[Problem], *, rows: bool = False) -> list[str]:
    """What `report_problems` says; nothing where there are none. `rows` lists under each problem what it is about."""
    found = sorted(problems, key=lambda problem: ORDER[problem.severity])
    words = _("{severity}: {problem}")
    lines = []
    for each in found:
        lines.append(words.format(severity=severity_word(each.severity), problem=each))
        lines += [f"  {row}" for row in each.rows if rows]
    return [*lines, count_line(found)] if found else []


def severity_word(severity: str) -> str:
    """'error', 'warning' or 'note' in the user's language."""
    return {"error": _("error"), "warning": _("warning"), "note": _("note")}[severity]


def count_line(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`."""
    severities = [problem.severity for problem in problems]
    errors, warnings, notes = (severities.count(each) for each in ORDER)  # type: ignore[arg-type]
    parts = []
    if errors:
        parts.append(ngettext("{count} error", "{count} errors", errors).format(count=errors))
    if warnings:
        parts.append(ngettext("{count} warning", "{count} warnings", warnings).format(count=warnings))
    if notes:
        parts.append(ngettext("{count} note", "{count} notes", notes).format(count=notes))
    return _(", ").join(parts)


def usage_sentence(error: Any) -> str:
    """The command-line parser's complaint in our words, and where to look."""
    context = getattr(error, "ctx", None)
    sentence = _complaint(error, context)
    command = context.command_path if context is not None else "weitiao"
    return sentence + "\n" + _("see: {command} --help").format(command=command)


def _complaint(error: Any, context: Any) -> str:
    parameter = getattr(error, "param", None)
    match type(error).__name__:
        case "NoSuchOption":
            parameters = context.command.get_params(context) if context else []
            known = [flag for each in parameters for flag in [*each.opts, *each.secondary_opts]]
            hint = did_you_mean(error.option_name, known)
            return _("unknown option '{option}'{hint}").format(option=error.option_name, hint=hint)
        case "MissingParameter" if parameter is not None:
            name = parameter.metavar or parameter.name.upper()
            return _("{name} is missing: {about}").format(name=name, about=shown(parameter.help))
        case "BadParameter" if parameter is not None:
            name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar or parameter.name
            return _("the value of {name} is not valid; expected {kind}").format(name=name, kind=_kind(parameter))
        case "BadOptionUsage":
            if error.message.endswith("does not take a value."):
                return _("option {option} takes no value").format(option=error.option_name)
            return _("option {option} needs a value").format(option=error.option_name)
    return _unexpected_argument(error, context) or str(error.message)


def _unexpected_argument(error: Any, context: Any) -> str:
    message = str(error.message)
    if "unexpected extra argument" not in message or context is None:
        return ""
    extra = message.partition("argument(s) (")[2].rpartition(")")[0]
    return _("unexpected argument: {extra}").format(extra=extra)


def _kind(parameter: Any) -> str:
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", str)
    return {int: _("a whole number"), float: _("a number")}.get(annotation, _("text"))
