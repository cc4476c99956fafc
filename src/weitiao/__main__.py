"""`weitiao` and `python -m weitiao`: the command line as a process of its own."""

import gc
import sys

from weitiao.cli import main


def run() -> None:
    """Run one command and leave with its exit code."""
    code = main()
    gc.freeze()  # the process ends here: to look for garbage among all rows once more takes a tenth of a second
    sys.exit(code)


if __name__ == "__main__":
    run()
