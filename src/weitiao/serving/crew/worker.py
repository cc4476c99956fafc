"""The program of a worker: `python -m weitiao.serving.crew.worker SOCKET`; the server starts it, nobody else.

It reads a `Loading`, loads, says why which engine answers, then answers `(model, questions)` with Predictions until the
line ends. What goes wrong inside is said as a sentence, and the worker goes on.
"""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from weitiao.errors import WeitiaoError
from weitiao.serving.cards import AdapterCard
from weitiao.serving.crew.stations import Here, Loading


def main(socket: int) -> None:
    """Answer until the other end hangs up."""
    for each in (signal.SIGINT, signal.SIGTERM):  # the server ends its workers, so that what they answer is not lost
        signal.signal(each, signal.SIG_IGN)
    line = Connection(socket)
    try:
        here = _loaded(line)
        while here is not None:
            model, questions = line.recv()
            try:
                line.send(here.answer(model, questions))
            except Exception as fault:
                line.send(described(fault))
    except (EOFError, OSError):
        pass  # the server is gone, or wants no more


def _loaded(line: Connection) -> Here | None:
    loading: Loading = line.recv()
    try:
        here = load_all(loading)
        reasons = here.start()
    except WeitiaoError as error:
        line.send(str(error))
        return None
    line.send(reasons)
    return here


def load_all(loading: Loading) -> Here:
    """What is to be answered, by the names under which it is served; weights are read-only maps of their files."""
    from weitiao.serving.engines.choosing import predictor_for
    from weitiao.serving.shelf import load_together

    adapters = [name for name, folder in loading.runs.items() if AdapterCard.of(Path(folder))]
    shared = load_together([loading.runs[name] for name in adapters], base=loading.base)
    predictors, reasons = dict(zip(adapters, shared, strict=True)), {}
    for name in loading.runs.keys() - predictors.keys():
        predictors[name], reasons[name] = predictor_for(Path(loading.runs[name]), loading.engine)
    return Here(predictors, reasons)


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
