"""`weitiao doctor`: versions, device, threads, starters, folders."""

from __future__ import annotations

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.messages import _

ABOUT = N_("Show what this machine and installation offer: versions, device, memory, starters, cache folder.")


def doctor(json: Json = False) -> None:
    """Print what was found."""
    from weitiao.verbs.doctor import doctor as examine

    found = examine()
    if json:
        print_json(found)
        return
    print_table([(key, str(value)) for key, value in found["machine"].items()], head=[_("machine"), ""])
    print()
    rows = [(name, version or _("not installed")) for name, version in found["packages"].items()]
    print_table(rows, head=[_("package"), _("version")])
    print()
    starters = [(name, _starter_state(state)) for name, state in found["starters"].items()]
    print_table(starters, head=[_("starter"), _("state")])
    print()
    writable = _("writable") if found["cache"]["writable"] else _("not writable")
    print(_("cache folder: {path} ({state})").format(path=found["cache"]["path"], state=writable))


def _starter_state(state: str) -> str:
    return {
        "converted": _("installed and converted"),
        "installed": _("installed; converted on first use"),
        "absent": _("not installed; install it with: pip install 'weitiao[starters]'"),
    }[state]
