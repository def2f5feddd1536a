"""Chart archives: from a chart repository, checked and kept in the cache, or a file or directory of the user.

Helm is given a file in any case. So a mirror and the sums work for charts as they do for programs, and the user's own
configuration of Helm does not matter.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import yaml

from knavtool.errors import EngineError, UsageError
from knavtool.toolchain import checksums
from knavtool.toolchain.fetch import Unavailable
from knavtool.toolchain.store import locked, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.events import Steps
    from knavtool.toolchain.resolve import Toolchain

_INDEX_LIMIT = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a repository; `digest` is the sha256 of its archive, if it is known beforehand."""

    repository: str
    name: str
    version: str
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


async def archive(chart: Chart, toolchain: Toolchain, *, steps: Steps) -> Path:
    """The file of a chart: from the cache, or downloaded with its sum checked.

    Raises EngineError if it cannot be had; a wrong sum is ChecksumMismatch.
    """
    target = _cached(chart, toolchain)
    waiting = f"waiting for another knavtool that fetches the chart {chart}"
    async with locked(target, waiting=lambda: steps.note(waiting)):
        if target.is_file() and chart.digest in (None, checksums.digest_of(target)[0].hexdigest()):
            return target
        with steps.step("download", f"chart {chart.name}", chart.version) as step:
            try:
                address, listed = await _look_up(chart, toolchain)
                part = target.parent / f".{target.name}.part"
                await toolchain.fetcher.download(
                    address,
                    sha256=chart.digest or listed,
                    to=part,
                    progress=lambda done, total: step.progress(done, total, unit="B"),
                )
            except Unavailable as reason:
                message = f"no chart {chart} from {chart.repository}: {reason}"
                hint = "`--chart NAME=PATH` takes an archive or a directory, KNAVTOOL_MIRROR a mirror of the repository"
                raise EngineError(message, hint=hint) from reason
            with writing(target):
                part.replace(target)
    return target


def local_charts(pairs: Iterable[str]) -> dict[str, Path]:
    """The charts of `--chart NAME=PATH` by component; raises UsageError for what is no chart."""
    charts = {}
    for text in pairs:
        name, _, given = text.partition("=")
        if not name or not given:
            raise UsageError(f"--chart {text}: expected NAME=PATH, for example volcano=./volcano-1.10.0.tgz")
        path = Path(given).expanduser().absolute()
        if not path.is_file() and not (path / "Chart.yaml").is_file():
            what = "holds no Chart.yaml" if path.is_dir() else "does not exist"
            raise UsageError(f"--chart {text}: {path} {what}", hint="give a chart's directory or its archive (.tgz)")
        charts[name] = path
    return charts


def _cached(chart: Chart, toolchain: Toolchain) -> Path:
    parts = urlsplit(chart.repository)
    folder = toolchain.store.root / "charts" / parts.netloc / parts.path.strip("/")
    return folder / f"{chart.name}-{chart.version}.tgz"


async def _look_up(chart: Chart, toolchain: Toolchain) -> tuple[str, str]:
    """The address of the archive and its sum, by the index of the repository."""
    if toolchain.offline:
        raise Unavailable("not allowed by --offline")
    if not _web(chart.repository):
        raise Unavailable("only repositories with an index (https://) are read")
    base = chart.repository.rstrip("/") + "/"
    index = f"{base}index.yaml"
    text = await toolchain.fetcher.text(index, limit=_INDEX_LIMIT)
    try:
        # Indexes of many megabytes are common.
        read: Any = await asyncio.to_thread(yaml.load, text, yaml.CSafeLoader)
        versions: list[Mapping[str, Any]] = read["entries"].get(chart.name, ())
        entry = next((one for one in versions if str(one["version"]) in _spellings(chart.version)), None)
        if entry is None:
            near = ", ".join(str(one["version"]) for one in versions[:3])
            raise Unavailable(f"{index} lists no {chart}" + (f", but {near}" if near else ""))
        address = urljoin(base, str(entry["urls"][0]))
        digest = str(entry.get("digest") or "").removeprefix("sha256:")
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Unavailable(f"{index} is no index of charts: {error!r}") from error
    if not _web(address):
        raise Unavailable(f"{index} leads to {address}")
    if not (chart.digest or digest):
        raise Unavailable(f"{index} gives no digest for {chart}, so it is not downloaded")
    return address, digest


def _web(address: str) -> bool:
    return urlsplit(address).scheme in ("https", "http")


def _spellings(version: str) -> tuple[str, str]:
    number = version.removeprefix("v")
    return number, f"v{number}"
