"""The console script: `knavtool` and `python -m knavtool`."""

from __future__ import annotations


def main() -> None:
    """Run the command line and leave with its exit code."""
    from knavtool.cli import app

    app.main()


if __name__ == "__main__":
    main()
