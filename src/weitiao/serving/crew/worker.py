"""The program of a worker: `python -m weitiao.serving.crew.worker SOCKET`; the server starts it, nobody else.

It reads a `Loading`, loads, says "ready", then answers `(model, questions)` with Predictions until the line ends. What
goes wrong inside is said as a sentence, and the worker goes on.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection

from weitiao.errors import WeitiaoError
from weitiao.serving.crew.stations import Loading, answer, try_out
from weitiao.serving.predictor import Predictor


def main(socket: int) -> None:
    """Answer until the other end hangs up."""
    for each in (signal.SIGINT, signal.SIGTERM):  # the server ends its workers, so that what they answer is not lost
        signal.signal(each, signal.SIG_IGN)
    line = Connection(socket)
    try:
        predictors = _loaded(line)
        while predictors:
            model, questions = line.recv()
            try:
                line.send(answer(predictors[model], questions))
            except Exception as fault:
                line.send(described(fault))
    except (EOFError, OSError):
        pass  # the server is gone, or wants no more


def _loaded(line: Connection) -> Mapping[str, Predictor]:
    loading: Loading = line.recv()
    try:
        predictors = load_all(loading)
        for each in predictors.values():
            try_out(each)
    except WeitiaoError as error:
        line.send(str(error))
        return {}
    line.send(None)
    return predictors


def load_all(loading: Loading) -> dict[str, Predictor]:
    """The predictors by the names under which they are served; weights are read-only maps of their files."""
    from weitiao.serving.shelf import load_together

    return dict(zip(loading.runs, load_together(list(loading.runs.values()), base=loading.base), strict=True))


def described(fault: BaseException) -> str:
    """A fault without what it was about: its type, and the functions that it went through; texts stay out of logs."""
    places = []
    trace = fault.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(fault).__name__} in {' > '.join(places)}"


if __name__ == "__main__":
    main(int(sys.argv[1]))
