"""Faults of knavtool itself: the traceback goes to a file that its user can read and send."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from knavtool import __version__
from knavtool.errors import primary_error

_SECRETS = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+")
_KEYS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def described(error: BaseException, environment: Mapping[str, str] = os.environ) -> str:
    """What happened, and where its traceback is, in one line; the file is written here, of a group with all in it."""
    primary = primary_error(error)
    text = " ".join(f"{type(primary).__name__}: {primary}".split())[:500]
    return f"internal error: {_without_secrets(text)}; please report it with {_kept(error, environment)}"


def _kept(error: BaseException, environment: Mapping[str, str]) -> str:
    """Write the traceback to a file of the user alone; returns where it is."""
    import platform
    import tempfile
    import traceback

    from knavtool.directories import xdg_directory

    text = "".join(traceback.format_exception(error))
    about = f"knavtool {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-"
    for directory in (xdg_directory(environment, "XDG_STATE_HOME", Path(".local/state")), Path(tempfile.gettempdir())):
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            number, path = tempfile.mkstemp(prefix=name, suffix=".txt", dir=directory)  # 0600
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(about + _without_secrets(text))
        except OSError:
            continue
        return f"the traceback in {path}"
    return f"this traceback, which no file could take:\n{_without_secrets(text)}"


def _without_secrets(text: str) -> str:
    return _KEYS.sub("(a private key)", _SECRETS.sub(r"\1 ***", text))
