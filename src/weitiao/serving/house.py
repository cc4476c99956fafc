"""What a server serves, followed while it serves: each run's `promoted.json` is looked at every second.

Another version is made ready beside the one that answers: its models are read, a crew is started on them and answers a
text by each. Then the desk gets the new staff in one step, and the old crew answers what it has before it ends. Of a
version that cannot be made ready the journal says why, and the old one stays until the file changes again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from weitiao.errors import Refused, WeitiaoError
from weitiao.messages import _
from weitiao.serving.cards import TASK_FILE, AdapterCard, TaskCard, model_folder
from weitiao.serving.desk import Desk
from weitiao.serving.meters import Meters
from weitiao.serving.promotion import PROMOTED, standing
from weitiao.serving.staff import Hiring, Staff

LOOK = 1.0  # seconds
LAST = 5.0  # seconds in which a worker answers what it has, once nobody asks any more


class House:
    """The runs of a server, and the staff on their promoted versions.

    Args:
        runs: run folders, or their `model/` or `adapter/` folders.
        hiring: how a crew is made.
        meters: told of swaps and of what goes wrong.

    Raises:
        Refused: one cannot be served, or two have one name.
    """

    def __init__(self, runs: Sequence[Path], hiring: Hiring, meters: Meters) -> None:
        self._hiring, self._meters = hiring, meters
        self._runs = _by_name(runs)
        self._unreadable: dict[Path, str] = {}  # runs -> what is wrong with their promotion
        self._wanted = self._look()
        self._staff = hiring.hire(self._wanted, meters)
        self._leaving: list[Staff] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="house", daemon=True)

    @property
    def staff(self) -> Staff:
        """Who answers now."""
        return self._staff

    def open(self, desk: Desk) -> None:
        """Follow the promotions from now on, for a desk that has this house's staff."""
        self._desk = desk
        self._thread.start()

    def close(self) -> None:
        """Have everything answered that was taken, and end all workers; one that hangs is ended after `LAST`."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        for staff in (self._staff, *self._leaving):
            staff.crew.retire()
        for staff in (self._staff, *self._leaving):
            staff.crew.join(LAST)
            staff.crew.abandon()

    def abandon(self) -> None:
        """End all workers at once."""
        self._over.set()
        for staff in (self._staff, *self._leaving):
            staff.crew.abandon()

    def _follow(self) -> None:
        told = ""
        while not self._over.wait(LOOK):
            fault = self._followed()
            if fault and fault != told:  # once, not each time that it is looked at
                self._meters.fault("swap", fault)
            told = fault

    def _followed(self) -> str:
        """Serve what is promoted now; why that cannot be, or an empty text."""
        try:
            wanted = self._look()
            if wanted != self._wanted:
                self._wanted = wanted
                self._replace(wanted)
        except WeitiaoError as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _replace(self, wanted: Mapping[str, Path]) -> None:
        staff = self._hiring.hire(wanted, self._meters)
        before, self._staff = self._staff, staff
        self._desk.staff = staff
        self._leaving = [*(each for each in self._leaving if each.crew.up), before]
        before.crew.retire()
        for name, model in staff.models.items():
            if model.version != before.models[name].version:
                self._meters.swapped(name, model.version, str(wanted[name]))

    def _look(self) -> dict[str, Path]:
        """The folder to serve under each name."""
        return {name: self._standing(run) for name, run in self._runs.items()}

    def _standing(self, run: Path) -> Path:
        if not (run / PROMOTED).is_file():
            return run
        found = standing(run)
        if found.fault and found.fault != self._unreadable.get(run):
            self._meters.fault("promotion", found.fault)
        self._unreadable[run] = found.fault
        return found.path


def _by_name(runs: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for run in runs:
        adapter = AdapterCard.of(run)
        name = (adapter.task if adapter else TaskCard.read(model_folder(run) / TASK_FILE)).name
        if name in found:
            raise Refused(_("two runs are named '{name}'; serve one of them elsewhere").format(name=name))
        found[name] = run
    return found
