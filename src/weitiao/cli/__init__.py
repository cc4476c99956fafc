"""The command line: `weitiao VERB ...`; one thin file a verb: parse, call, print.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failed while running, 2 refused,
130 interrupted. Nothing heavy is imported before a verb runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from weitiao.cli.failures import report_error, say, usage_sentence
from weitiao.errors import WeitiaoError
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
        say(_("interrupted"))
        return INTERRUPTED
    except WeitiaoError as error:
        if debug:
            raise
        report_error(error)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        say(_("error: {message}").format(message=f"{type(error).__name__}: {error}"))
        say(_("this is a fault of weitiao itself; run again with --debug and report what it prints"))
        return 1


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
        else:
            say(_("error: {message}").format(message=usage_sentence(error)))
        return 2
    return code if isinstance(code, int) else 0


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """`--debug` may stand anywhere before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [each for each in arguments[:end] if each != "--debug"]
    return len(kept) < end, kept + list(arguments[end:])


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
