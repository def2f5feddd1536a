"""The process face of a component: a process of the local engine, with its own directory, ports and log."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from knavtool import resources
from knavtool.cluster import processes
from knavtool.cluster.whole import write_whole
from knavtool.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.cluster.components.records import Component, ProcessFace
    from knavtool.cluster.layout import ClusterFiles


def port_names(component: Component) -> list[str]:
    """Our names of the ports that a component's process listens on."""
    return [f"{component.name}/{port}" for port in _face(component).ports]


def start(
    files: ClusterFiles,
    component: Component,
    program: Path,
    *,
    ports: Mapping[str, int],
    environment: Mapping[str, str],
) -> int:
    """Write the files of a component's process and start it; returns its number."""
    face = _face(component)
    values = _values(files, component, ports)
    directory = Path(values["directory"])
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, template in face.files.items():
        source = resources.override(template)
        (directory / name).write_text(_filled(source.read_text(encoding="utf-8"), values, str(source)), "utf-8")
    args = [_filled(arg, values, component.name) for arg in face.args]
    own = {key: _filled(value, values, component.name) for key, value in face.environment.items()}
    if face.metrics:
        write_targets(files, {component.name: _filled(face.metrics, values, component.name)})
    return processes.start(files, component.name, program, args, environment={**environment, **own})


def remove(files: ClusterFiles, name: str) -> None:
    """Forget a component whose process has ended: nobody looks for the process or its metrics any more."""
    files.pid(name).unlink(missing_ok=True)
    (files.directory / "targets" / f"{name}.json").unlink(missing_ok=True)


def ready_url(files: ClusterFiles, component: Component, ports: Mapping[str, int]) -> str:
    """What answers 200 once the process works."""
    return _filled(_face(component).ready, _values(files, component, ports), component.name)


def write_targets(files: ClusterFiles, metrics: Mapping[str, str]) -> None:
    """Tell the scrape targets of processes, by name, to whoever reads `targets/`; each is an URL."""
    targets = files.directory / "targets"
    targets.mkdir(mode=0o700, exist_ok=True)
    for name, url in metrics.items():
        parts = urlsplit(url)
        labels = {"component": name, "__scheme__": parts.scheme, "__metrics_path__": parts.path}
        write_whole(targets / f"{name}.json", json.dumps([{"targets": [parts.netloc], "labels": labels}]))


def _face(component: Component) -> ProcessFace:
    assert component.process is not None  # noqa: S101 - only asked of components that have one
    return component.process


def _values(files: ClusterFiles, component: Component, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "directory": str(files.directory / "components" / component.name),
        "pki": str(files.pki),
        "targets": str(files.directory / "targets"),
        "kubeconfig": str(files.kubeconfig),
        **{f"port_{port}": str(ports[f"{component.name}/{port}"]) for port in _face(component).ports},
    }


def _filled(text: str, values: Mapping[str, str], where: str) -> str:
    try:
        return Template(text).substitute(values)
    except (KeyError, ValueError) as error:
        raise RenderError(f"{where}: ${{...}} cannot be filled in: {error}") from error
