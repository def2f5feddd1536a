"""The console script: `knavtool` and `python -m knavtool`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from knavtool.cli import app
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the command line is not there yet
        sys.exit(130)
    app.main()


if __name__ == "__main__":
    main()
