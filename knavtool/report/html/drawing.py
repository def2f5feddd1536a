"""Specifications drawn as SVG, without a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.report.html import theme

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.report.html.charts.chart import Chart

_WORKERS = 2
_VEGA_LITE = "6.4"

# The first drawing takes as long as ten more, so it is made before the specifications are there.
_WORKER = f"""
import json, sys, vl_convert
def draw(spec):
    return vl_convert.vegalite_to_svg(spec, vl_version={_VEGA_LITE!r}, allowed_base_urls=[])
draw({{"data": {{"values": [{{"a": 1}}]}}, "mark": "bar", "encoding": {{"x": {{"field": "a", "type": "nominal"}}}}}})
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(json.dumps([draw(spec) for spec in json.loads(line)]).encode() + b"\\n")
    sys.stdout.buffer.flush()
"""

# What Vega writes for programs that read its groups, and decimals that no screen shows: a third of the text.
_NOISE = re.compile(
    r' (?:font-family|aria-hidden|aria-roledescription|aria-label|role|pointer-events|stroke-miterlimit)="[^"]*"'
    r'| opacity="1"'
    r'|<path class="(?:background|foreground)"[^>]*/>'
)
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")
_GEOMETRY = re.compile(r' (?:d|transform|x|y|x2|y2|width|height)="[^"]*"')


class Drawing:
    """Draws charts in processes of its own, which start at once: vl-convert holds Python's lock while it draws.

    A chart takes 0.1 s of a processor, and each process a second to start. `close` ends what still runs.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-c", _WORKER]
        self._complaints = TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints)
            for _ in range(_WORKERS)
        ]
        self._threads = ThreadPoolExecutor(_WORKERS)

    def begin(self, charts: Iterable[Chart]) -> None:
        """Draw those that have a specification; to be called again only after `end`."""
        drawn = {chart.id: chart.spec for chart in charts if chart.spec is not None}
        # The largest ones go to different processes.
        names = sorted(drawn, key=lambda name: len(drawn[name]["datasets"]["main"]), reverse=True)
        shares = [names[number::_WORKERS] for number in range(_WORKERS)]
        self._shares = [
            (share, self._threads.submit(self._drawn, process, [drawn[name] for name in share]))
            for process, share in zip(self._processes, shares, strict=True)
        ]

    def end(self) -> dict[str, str]:
        """The drawings by the ids of their charts; colours are variables of the page. Raises RuntimeError."""
        return {name: svg for names, future in self._shares for name, svg in zip(names, future.result(), strict=True)}

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
        self._threads.shutdown()
        for process in self._processes:
            process.communicate()
        self._complaints.close()

    def _drawn(self, process: subprocess.Popen[bytes], specs: list[Mapping[str, Any]]) -> list[str]:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            process.stdin.write(orjson.dumps(specs, default=str) + b"\n")
            process.stdin.flush()
        if not (answer := process.stdout.readline()):
            process.wait()
            self._complaints.seek(0)
            told = self._complaints.read().decode(errors="replace").strip()
            raise RuntimeError(f"vl-convert did not draw a chart: {told[-2000:]}")
        return [_lean(svg) for svg in orjson.loads(answer)]


def draw(charts: Iterable[Chart]) -> dict[str, str]:
    """The drawings of charts by their ids, each a file of its own in the colours of light pages."""
    drawing = Drawing()
    try:
        drawing.begin(charts)
        return {name: _standalone(svg) for name, svg in drawing.end().items()}
    finally:
        drawing.close()


def _lean(drawn: str) -> str:
    drawn = _NOISE.sub("", drawn).replace("<svg ", f'<svg font-family="{theme.FONT}" ', 1)
    return _GEOMETRY.sub(lambda found: _DECIMALS.sub(r"\1", found[0]), drawn)


def _standalone(svg: str) -> str:
    return re.sub(r"(<svg[^>]*>)", r'\1<rect width="100%" height="100%" fill="#fff"/>', theme.light(svg), count=1)
