"""What commands that serve write to stderr: a line per message, or an object with `--log-format json`."""

from __future__ import annotations

import logging
import sys

from knavtool.cli import options


def log_to_stderr(target: options.Target, name: str) -> None:
    """Log what the package `name` says, and with `--verbose` each request."""
    as_json = target.settings.log_format is options.LogFormat.JSON
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").setLevel(logging.INFO if target.settings.verbose else logging.WARNING)


class _JsonFormatter(logging.Formatter):
    """One object per line, as `--log-format json` gives for events."""

    def format(self, record: logging.LogRecord) -> str:
        import json
        from datetime import UTC, datetime

        at = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"time": at, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)
