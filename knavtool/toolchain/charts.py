"""Chart archives: from a repository or a registry, checked and kept in the cache, or a file or directory of the user.

Helm is given a file in any case. So a mirror and the sums work for charts as they do for programs, and the user's own
configuration of Helm does not matter.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import yaml

from knavtool.errors import EngineError, UsageError
from knavtool.toolchain import checksums, oci
from knavtool.toolchain.fetch import ChecksumMismatch, Unanswered, Unavailable
from knavtool.toolchain.store import locked, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knavtool.events import Steps
    from knavtool.toolchain.resolve import Toolchain

_INDEX_LIMIT = 1 << 26
_REFERENCE = re.compile(
    r"(?P<repository>oci://[^/@\s]+(/[a-z0-9._-]+)*)/(?P<name>[a-z0-9._-]+):(?P<tag>\w[\w.-]{0,127})(@sha256:(?P<digest>[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a repository; `digest` is the sha256 of its archive, if it is known beforehand.

    `manifest` is that of its manifest in a registry, if the user gave it.
    """

    repository: str
    name: str
    version: str
    digest: str | None = None
    manifest: str = ""

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
                part = target.parent / f".{target.name}.part"
                await _download(chart, toolchain, part, lambda done, total: step.progress(done, total, unit="B"))
            except Unavailable as reason:
                message = f"no chart {chart} from {chart.repository}: {reason}"
                hint = "`--chart NAME=PATH` takes an archive or a directory, KNAVTOOL_MIRROR a mirror of the repository"
                raise EngineError(message, hint=hint) from reason
            with writing(target):
                part.replace(target)
    return target


def given_charts(pairs: Iterable[str]) -> dict[str, Path | Chart]:
    """The charts of `--chart NAME=PATH` and `NAME=oci://...` by component; raises UsageError for what is no chart."""
    charts: dict[str, Path | Chart] = {}
    for text in pairs:
        name, _, given = text.partition("=")
        if not name or not given:
            example = "for example volcano=./volcano-1.10.0.tgz or kai=oci://ghcr.io/kai-scheduler/kai-scheduler/kai-scheduler:v0.15.0"
            raise UsageError(f"--chart {text}: expected NAME=PATH or NAME=oci://HOST/PATH:VERSION, {example}")
        charts[name] = _in_registry(text, given) if given.startswith(f"{oci.SCHEME}://") else _local(text, given)
    return charts


def _local(text: str, given: str) -> Path:
    path = Path(given).expanduser().absolute()
    if not path.is_file() and not (path / "Chart.yaml").is_file():
        what = "holds no Chart.yaml" if path.is_dir() else "does not exist"
        raise UsageError(f"--chart {text}: {path} {what}", hint="give a chart's directory or its archive (.tgz)")
    return path


def _in_registry(text: str, given: str) -> Chart:
    match = _REFERENCE.fullmatch(given)
    if match is None:
        hint = "the version is the tag, and the digest, if you give one, that of the manifest"
        raise UsageError(f"--chart {text}: expected oci://HOST/PATH:VERSION[@sha256:DIGEST]", hint=hint)
    # A tag has no +, so that Helm writes _ for it.
    version = match["tag"].replace("_", "+")
    return Chart(repository=match["repository"], name=match["name"], version=version, manifest=match["digest"] or "")


def _cached(chart: Chart, toolchain: Toolchain) -> Path:
    parts = urlsplit(chart.repository)
    folder = toolchain.store.root / "charts" / parts.netloc / parts.path.strip("/")
    pinned = f"-{chart.manifest[:12]}" if chart.manifest else ""
    return folder / f"{chart.name}-{chart.version}{pinned}.tgz"


async def _download(chart: Chart, toolchain: Toolchain, to: Path, progress: Callable[[int, int], object]) -> None:
    """The archive to a file, from where the repository says."""
    if toolchain.offline:
        raise Unanswered("not allowed by --offline")
    if chart.repository.startswith(f"{oci.SCHEME}://"):
        registry = oci.Registry(f"{chart.repository.rstrip('/')}/{chart.name}", toolchain.fetcher)
        tags = (one.replace("+", "_") for one in dict.fromkeys((chart.version, *_spellings(chart.version))))
        found = await registry.archive(tags, digest=chart.manifest)
        if chart.digest not in (None, found):
            message = f"{registry.address}:{chart.version} has the wrong checksum"
            sums = f"\n  expected sha256 {chart.digest}\n  received sha256 {found}"
            raise ChecksumMismatch(message + sums, hint="was it published again? if you trust it, change the record")
        await registry.download(found, to=to, progress=progress)
        return
    address, listed = await _look_up(chart, toolchain)
    await toolchain.fetcher.download(address, sha256=chart.digest or listed, to=to, progress=progress)


async def _look_up(chart: Chart, toolchain: Toolchain) -> tuple[str, str]:
    """The address of the archive and its sum, by the index of the repository."""
    if not _web(chart.repository):
        raise Unavailable("its repository is neither https:// nor oci://")
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
