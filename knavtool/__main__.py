"""The console script: `knavtool` and `python -m knavtool`."""

from __future__ import annotations

import os
import sys

_WIDTH = 80
"""The columns that help.txt is written for; with more it would be the same."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] in (["--help"], ["-h"]) and _print_help():
        return
    try:
        from knavtool.cli import app
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the command line is not there yet
        sys.exit(130)
    app.main()


def _print_help() -> bool:
    """Print what the command line would print, without the 0.2 s that its import takes; whether that went."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        columns = _WIDTH
    if columns < _WIDTH:
        return False
    try:
        with open(os.path.join(os.path.dirname(__file__), "cli", "help.txt"), encoding="utf-8") as file:  # noqa: PTH118, PTH120, PTH123 - pathlib takes as long as all else here
            sys.stdout.write(file.read())
            sys.stdout.flush()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
