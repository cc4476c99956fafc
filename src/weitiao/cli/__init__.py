"""The command line: `weitiao VERB ...`; one thin file a verb: parse, call, print.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failed while running, 2 refused,
130 interrupted. Nothing heavy is imported before a verb runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from weitiao.cli.failures import problems_as_json, report_error, say, usage_sentence
from weitiao.errors import Interrupted, Refused, WeitiaoError
from weitiao.messages import _

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug, arguments = _take_debug(arguments)
    _tolerate_odd_characters()
    try:
        return _run(arguments)
    except BrokenPipeError:  # the reader, such as `head`, has left
        _silence_stdout()
        return 1
    except KeyboardInterrupt:
        if debug:
            raise
        return _left(Interrupted(_("interrupted")), arguments)
    except WeitiaoError as error:
        if debug:
            raise
        return _left(error, arguments)
    except Exception as error:
        if debug:
            raise
        fault = WeitiaoError(f"{type(error).__name__}: {error}")
        code = _left(fault, arguments)
        say(_("this is a fault of weitiao itself; run again with --debug and report what it prints"))
        return code


def _left(error: WeitiaoError, arguments: Sequence[str]) -> int:
    """Say why the verb ends here, on stderr and (with `--json`) as the one object on stdout; its exit code."""
    report_error(error)
    if "--json" in _own(arguments):
        from weitiao.cli.printing import print_json

        print_json({"ok": False, "exit": error.exit_code, "problems": problems_as_json(error)})
    return error.exit_code


def _run(arguments: Sequence[str]) -> int:
    from typer.exceptions import TyperException

    from weitiao.cli.app import command

    try:
        code = command().main(args=list(arguments), prog_name="weitiao", standalone_mode=False)
        if code == INTERRUPTED:  # what typer makes of Ctrl+C
            raise KeyboardInterrupt
        sys.stdout.flush()
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            say(str(error.message))
            return 2
        raise Refused(usage_sentence(error)) from error
    return code if isinstance(code, int) else 0


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """`--debug` may stand anywhere before a `--`."""
    own = _own(arguments)
    kept = [each for each in own if each != "--debug"]
    return len(kept) < len(own), kept + list(arguments[len(own) :])


def _own(arguments: Sequence[str]) -> Sequence[str]:
    """What stands before a `--`, behind which everything is text."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _tolerate_odd_characters() -> None:
    """Print what the terminal's encoding cannot show as an escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Keep the interpreter's last flush from complaining about the closed pipe."""
    try:
        target = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target)
    os.close(nowhere)
