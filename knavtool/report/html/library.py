"""The charting library as one script without dependencies, made once and kept."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from knavtool.atomic import FOR_PEOPLE, atomic_write

if TYPE_CHECKING:
    from pathlib import Path

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_BUNDLE = f"import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle({_SNIPPET!r}).encode())"
_LEAST = 500_000  # bytes; what is shorter is no library


class Library:
    """vega-embed with Vega, Vega-Lite and the interpreter that needs no `eval`.

    Bundling takes seconds of processor time, so it happens in a process of its own while charts are drawn, and the
    script is kept in `cache`; without one it is made each time.
    """

    def __init__(self, cache: Path | None) -> None:
        self._file = None if cache is None else cache / "report" / f"vega-{version('vl-convert-python')}.js"
        self._text = self._kept()
        self._process: subprocess.Popen[bytes] | None = None
        if not self._text:
            self._process = subprocess.Popen([sys.executable, "-I", "-c", _BUNDLE], stdout=subprocess.PIPE)

    def script(self) -> str:
        """The script. Raises RuntimeError if it cannot be made."""
        if self._process is not None:
            made, _ = self._process.communicate()
            if self._process.returncode or len(made) < _LEAST:
                raise RuntimeError("vl-convert did not make the script of the charts")
            self._process = None
            self._text = made.decode()
            if self._file is not None:
                # A cache that cannot be written costs time, not the report.
                with suppress(OSError):
                    self._file.parent.mkdir(parents=True, exist_ok=True)
                    atomic_write(self._file, self._text, mode=FOR_PEOPLE)
        return self._text

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _kept(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            if self._file is not None and len(text := self._file.read_text(encoding="utf-8")) >= _LEAST:
                return text
        return ""
