"""Worker processes on a study, which `weitiao tune --workers N` starts here and waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from weitiao.errors import Interrupted, WeitiaoError
from weitiao.events import OnEvent
from weitiao.machine import cores
from weitiao.messages import _
from weitiao.training.signals import StopSignal
from weitiao.tuning.study import Study, StudyFolder, trials_left
from weitiao.verbs.searching.workers import ended, tell_ended, work

POLL = 0.5  # seconds between looks at worker processes


def no_more_than_needed(study: Study, workers: int, on_event: OnEvent) -> int:
    """So many workers that each has a trial to do; it is said where they have to share cores."""
    left = trials_left(study.search, study.space, study.trials())
    needed = workers if left is None else min(workers, left)
    if needed > cores():
        text = _("{workers} workers share {cores} cores, each with a memory of its own")
        on_event({"kind": "note", "text": text.format(workers=needed, cores=cores())})
    return needed


def worker_processes(study: Study, workers: int, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Several worker processes, until all have ended; a signal is handed on to them once."""
    started = [_start(study.folder, f"{number}", workers) for number in range(workers)]
    told = ended(study)
    asked = False
    try:
        while any(process.poll() is None for process in started):
            if stop() and not asked:
                asked = True
                for process in started:
                    process.terminate()
            tell_ended(study, told, on_event)
            time.sleep(POLL)
    finally:
        for process in started:
            if process.poll() is None and not asked:
                process.terminate()
    tell_ended(study, told, on_event)
    for number, process in enumerate(started):
        if process.returncode not in (0, Interrupted.exit_code):
            message = _("worker {number} ended with {code}; what it said is in {log}")
            log = study.folder.log(str(number))
            on_event({"kind": "note", "text": message.format(number=number, code=process.returncode, log=log)})


def _start(folder: StudyFolder, name: str, workers: int) -> subprocess.Popen[bytes]:
    """A worker process in a session of its own, so that Ctrl+C reaches it once, through the one that waits for it."""
    threads = str(max(1, cores() // workers))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}
    log = folder.log(name)
    log.parent.mkdir(exist_ok=True)
    program = "from weitiao.verbs.searching.processes import worker_process; worker_process()"
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", program, str(folder.path), str(os.getpid())],
            env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip


def worker_process() -> None:
    """What a worker process runs; it leaves when the process that started it is gone."""
    folder, parent = sys.argv[1], int(sys.argv[2])
    with StopSignal() as signal:
        try:
            work(folder, stop=lambda: signal() or os.getppid() != parent)
        except WeitiaoError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(error.exit_code)
