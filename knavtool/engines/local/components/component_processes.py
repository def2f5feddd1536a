"""The process face of a component: processes of the local engine, with a directory, ports, certificates and logs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from knavtool import resources
from knavtool.atomic import atomic_write
from knavtool.catalogue.subjects import subject
from knavtool.engines.local.pki import certificates
from knavtool.engines.local.pki.pair import Pair
from knavtool.engines.local.processes import supervisor
from knavtool.engines.local.state import applied
from knavtool.engines.local.state.ports import LOOPBACK
from knavtool.render.components import fill, read_text
from knavtool.render.process_mode import ApiServer, WebhookServer
from knavtool.settings.effective import differing, effective
from knavtool.settings.effective import fill as fill_known
from knavtool.settings.flags import with_flags
from knavtool.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from knavtool.catalogue.records import Component, Kind, ProcessSpec
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.render.process_mode import Kept


@dataclass(frozen=True, slots=True)
class ComponentProcesses:
    """One component on one cluster; `ports` are all of the cluster's, by PROCESS/PORT, `settings` its own."""

    files: ClusterFiles
    component: Component
    ports: Mapping[str, int]
    settings: Settings = field(default_factory=Settings)

    @property
    def directory(self) -> Path:
        """The component's own."""
        return self.files.component(self.component.name)

    def prepare(self) -> None:
        """Make the directory and the certificates, if they are not there yet; computes for a moment."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        face = self.component.process
        if face is not None and (wanted := face.certificates) is not None:
            certificates.serving_pair(
                self.files,
                self.component.name,
                dns_names=wanted.names,
                authority_names=wanted.authority_names,
                authority_key=wanted.authority_key,
            )

    def webhook_server(self) -> WebhookServer | None:
        """Where the component serves its webhooks, after `prepare`."""
        face = self.component.process
        if face is None or face.webhooks is None:
            return None
        origin = f"https://{LOOPBACK}:{self.ports[face.webhooks.port]}"
        return WebhookServer(origin=origin, authority=self._pair().bundle())

    def api_server(self) -> ApiServer | None:
        """Where the component serves APIs that the cluster's API server passes on, after `prepare`."""
        face = self.component.process
        if face is None or not face.apis:
            return None
        return ApiServer(address=LOOPBACK, port=self.ports[face.apis], authority=self._pair().bundle())

    def secrets(self) -> dict[str, str]:
        """What overrides may refer to: the component's certificates, in base64."""
        pair = self._pair()
        files = {
            "authority_crt": pair.authority,
            "authority_key": pair.authority_key,
            "server_crt": pair.certificate,
            "server_key": pair.key,
        }
        return {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items() if file.is_file()}

    async def start(
        self, process: ProcessSpec, program: Path, *, kubectl: Path | None, environment: Mapping[str, str]
    ) -> int:
        """Write the files of a process and start it; returns its number. `kubectl` removes what is stale."""
        values = self._values(process)
        chosen = self.settings_of(process.name)
        applied.save(self.files, process.name, chosen)
        for name in process.files:
            atomic_write(self.directory / name, self._content(process, name, values))
        changes = chosen.args.get(process.name, {})
        args = with_flags(
            (fill(arg, values, process.name) for arg in process.args),
            {name: text and fill_known(text, values) for name, text in changes.items()},
        )
        variables: dict[str, str | None] = {**environment}
        variables |= {key: fill(value, values, process.name) for key, value in process.environment.items()}
        for key, value in chosen.environment.get(process.name, {}).items():
            variables[key] = value and fill_known(value, values)
        if process.metrics:
            write_targets(self.files, {process.name: fill(process.metrics, values, process.name)})
        clean = [] if kubectl is None else [_removal(kubectl, self.files, kind) for kind in process.stale]
        given = {key: value for key, value in variables.items() if value is not None}
        return await supervisor.start(self.files, process.name, program, args, environment=given, before_restart=clean)

    def settings_of(self, process: str) -> Settings:
        """What of the settings is about one process."""
        return self.settings.of(process, configured=subject(self.component).configured(process))

    def shown_settings(self, process: str) -> Settings:
        """What differs from the record; a configuration in an object is shown with the first process."""
        about = subject(self.component)
        in_object = about.config is not None and bool(about.config.object) and about.processes[:1] == (process,)
        return differing(about, self.settings.of(process, configured=in_object or about.configured(process)))

    def configuration(self, values: Mapping[str, str]) -> str:
        """The text of the component's configuration with its settings; RenderError or UsageError if there is none."""
        return effective(subject(self.component), self.settings).filled(values)

    def kept_webhooks(self) -> Kept | None:
        """The webhooks that the component has, with the conditions that are added; None for all of its project's."""
        face = self.component.process
        webhooks = face.webhooks if face is not None else None
        if webhooks is None or webhooks.keep is None or webhooks.listed is None:
            return webhooks.keep if webhooks is not None else None
        items = effective(subject(self.component), self.settings).at(webhooks.listed.path) or ()
        listed = [name for item in items for name in webhooks.listed.names.get(item, ())]
        hidden = {name for names in webhooks.listed.names.values() for name in names} - set(listed)
        kept = {**dict.fromkeys(listed, ()), **webhooks.keep}
        return {name: conditions for name, conditions in kept.items() if name not in hidden}

    def _content(self, process: ProcessSpec, name: str, values: Mapping[str, str]) -> str:
        """The text of one file of a process."""
        config = self.component.process.config if self.component.process is not None else None
        if (
            config is not None
            and (config.process, config.file) == (process.name, name)
            and (self.settings.configures or subject(self.component).chooses)
        ):
            return self.configuration(values)
        source = resources.override(process.files[name])
        return fill(read_text(source), values, str(source))

    def ready_url(self, process: ProcessSpec) -> str:
        """What answers 200 once the process works."""
        return fill(process.ready, self._values(process), process.name)

    def _values(self, process: ProcessSpec) -> dict[str, str]:
        return {
            "directory": str(self.directory),
            "certificates": str(self._pair().directory),
            "pki": str(self.files.pki),
            "targets": str(self.files.targets),
            "metrics_token": str(self.files.metrics_token),
            "kubeconfig": str(self.files.kubeconfig),
            **{f"port_{port}": str(self.ports[f"{process.name}/{port}"]) for port in process.ports},
        }

    def _pair(self) -> Pair:
        return Pair(self.directory / "certs")


def port_uses(components: Collection[Component]) -> list[str]:
    """Our names of all ports that the processes of these components listen on."""
    return list(_uses(components))


def _uses(components: Collection[Component]) -> Iterator[str]:
    for component in components:
        for process in component.processes:
            yield from process.uses


async def stop(files: ClusterFiles, names: Collection[str]) -> None:
    """End processes, and let nobody look for their metrics any more."""
    await supervisor.stop(files, names)
    for name in names:
        (files.targets / f"{name}.json").unlink(missing_ok=True)


def write_targets(files: ClusterFiles, metrics: Mapping[str, str]) -> None:
    """Tell the scrape targets of processes, by name, to whoever reads `targets/`; each is an URL."""
    files.targets.mkdir(mode=0o700, exist_ok=True)
    for name, url in metrics.items():
        parts = urlsplit(url)
        labels = {"component": name, "__scheme__": parts.scheme, "__metrics_path__": parts.path}
        atomic_write(files.targets / f"{name}.json", json.dumps([{"targets": [parts.netloc], "labels": labels}]))


def _removal(kubectl: Path, files: ClusterFiles, kind: Kind) -> list[str]:
    """The command that removes all objects of a kind in a namespace."""
    group, _, version = kind.api_version.rpartition("/")
    resource = f"{kind.kind}.{version}.{group}" if group else kind.kind
    where = [f"--kubeconfig={files.kubeconfig}", f"--namespace={kind.namespace}"]
    return [str(kubectl), "delete", resource, "--all", "--wait=false", "--request-timeout=5s", *where]
