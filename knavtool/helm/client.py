"""What Helm is asked to do, as methods."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.errors import RenderError
from knavtool.helm.command import command_class
from knavtool.helm.words import message_of, refused, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


_LEADING = frozenset({"KUBECONFIG", "KUBERNETES_MASTER"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision of a release; `status` is Helm's word for it, `chart` is NAME-VERSION, `message` what Helm noted."""

    number: int
    status: str
    chart: str
    message: str

    @property
    def worked(self) -> bool:
        """Whether all of it was in the cluster once."""
        return self.status in ("deployed", "superseded")

    @property
    def pending(self) -> bool:
        """Whether a Helm works on it, or was stopped in the middle of that."""
        return self.status.startswith("pending-") or self.status == "uninstalling"


class Helm:
    """Runs one Helm binary against one cluster (templates need none).

    `environment` is added to this process's own, of which Helm's settings do not count. `secrets` have their names
    instead in what Helm says. `kube_version` is the Kubernetes that templates are for if nobody names another one; the
    newest that Helm knows if not given.
    """

    def __init__(
        self,
        executable: Path,
        *,
        kubeconfig: Path | None = None,
        context: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        kube_version: str = "",
    ) -> None:
        self.executable = executable
        self._kubeconfig = kubeconfig
        self._context = context
        self._environment = dict(environment or {})
        self._secrets = dict(secrets or {})
        self._kube_version = kube_version

    def marked(self, environment: Mapping[str, str]) -> Helm:
        """The same Helm, whose processes carry these variables too."""
        return self._with(environment={**self._environment, **environment})

    def hiding(self, secrets: Mapping[str, str]) -> Helm:
        """The same Helm, whose messages have the names of these secrets in the place of their values."""
        return self._with(secrets={**self._secrets, **secrets})

    def _with(self, *, environment: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None) -> Helm:
        return Helm(
            self.executable,
            kubeconfig=self._kubeconfig,
            context=self._context,
            environment=environment or self._environment,
            secrets=secrets or self._secrets,
            kube_version=self._kube_version,
        )

    async def template(
        self,
        chart: Path,
        *,
        release: str = "virtual-nodes",
        namespace: str = "default",
        values: Mapping[str, Any] | None = None,
        kube_version: str = "",
        api_versions: Iterable[str] = (),
    ) -> str:
        """Render a chart without its `crds/`; returns the YAML as Helm prints it.

        Raises RenderError with Helm's message. `kube_version` is what charts are told that ask for the cluster's.
        `api_versions` are those that a cluster serves beside the ones that Helm knows of itself: `v1/Pod`, `apps/v1`.
        """
        # pyhelm3's own `template` parses the output, which takes many times longer than rendering it.
        command = ["template", release, str(chart), "--skip-crds", "--namespace", namespace, "--values", "-"]
        if version := kube_version or self._kube_version:
            command += ["--kube-version", version]
        for served in api_versions:
            command += ["--api-versions", served]
        return await self._rendered(chart, command, json.dumps(values or {}).encode())

    async def crds(self, chart: Path) -> str:
        """The YAML of a chart's `crds/`, those of its subcharts included."""
        return await self._rendered(chart, ["show", "crds", str(chart)], None)

    async def about(self, chart: Path) -> tuple[str, str]:
        """The name and the version of a chart."""
        found = yaml.load(await self._rendered(chart, ["show", "chart", str(chart)], None), yaml.CSafeLoader)
        return str(found["name"]), str(found["version"])

    async def _rendered(self, chart: Path, command: Sequence[str], values: bytes | None) -> str:
        from pyhelm3 import errors

        try:
            output: bytes = await self._command(cluster=False).run(command, values)
        except errors.Error as error:
            raise RenderError(f"{chart.name}: {message_of(error)}") from error
        return output.decode()

    async def upgrade_install(
        self,
        release: str,
        chart: Path,
        *,
        namespace: str,
        values: Mapping[str, Any],
        take_ownership: bool = False,
        skip_crds: bool = False,
        wait: bool = False,
        timeout: float,
    ) -> None:
        """Install a release, with its namespace, or bring it up to date.

        With `wait` until its workloads are ready. `timeout` is in seconds, for each hook and for the waiting.
        """
        from pyhelm3 import errors

        try:
            await self._command().install_or_upgrade(
                release,
                chart,
                dict(values),
                namespace=namespace,
                # Without it Helm takes the values of the last revision if there are none now.
                reset_values=True,
                take_ownership=take_ownership,
                skip_crds=skip_crds,
                wait=wait,
                timeout=_duration(timeout),
            )
        except errors.FailedToRenderChartError as error:
            raise RenderError(f"{chart.name}: {message_of(error)}") from error
        except errors.Error as error:
            raise refused(f"Helm could not install {release}", error) from error

    async def uninstall(
        self, release: str, *, namespace: str, timeout: float, hooks: bool = True, wait: bool = False
    ) -> bool:
        """Remove a release, whatever its state; False if there is none. With `wait` until its objects are gone."""
        from pyhelm3 import errors

        try:
            await self._command().uninstall(
                release, namespace=namespace, no_hooks=not hooks, wait=wait, timeout=_duration(timeout)
            )
        except errors.ReleaseNotFoundError:
            return False
        except errors.Error as error:
            raise refused(f"Helm could not remove {release}", error) from error
        return True

    async def rollback(self, release: str, revision: int, *, namespace: str, timeout: float) -> None:
        """Make an earlier revision the newest again, without hooks and without waiting."""
        from pyhelm3 import errors

        try:
            await self._command().rollback(
                release, revision, namespace=namespace, no_hooks=True, timeout=_duration(timeout)
            )
        except errors.Error as error:
            raise refused(f"Helm could not roll {release} back", error) from error

    async def history(self, release: str, *, namespace: str) -> list[Revision]:
        """The revisions of a release that Helm keeps, the newest last; none if there is no such release."""
        from pyhelm3 import errors

        try:
            found = await self._command().history(release, namespace=namespace)
        except errors.ReleaseNotFoundError:
            return []
        except errors.Error as error:
            raise refused(f"Helm could not read {release}", error) from error
        return [
            Revision(
                number=one["revision"],
                status=one["status"],
                chart=one["chart"],
                message=without(one["description"], self._secrets),
            )
            for one in sorted(found, key=lambda one: int(one["revision"]))
        ]

    def _command(self, *, cluster: bool = True) -> Any:
        command = command_class()(
            executable=str(self.executable),
            kubeconfig=self._kubeconfig if cluster else None,
            kubecontext=self._context if cluster else None,
        )
        command.environment = {**_without_settings(os.environ), **self._environment}
        command.secrets = self._secrets
        return command


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead Helm elsewhere than its arguments say.

    `HELM_*` names another cluster (`HELM_KUBECONTEXT`), other credentials, another store of releases (`HELM_DRIVER`),
    plugins, repositories: nothing that a chart in a file needs. Proxies and authorities of the machine stay.
    """
    return {name: value for name, value in environment.items() if not (name.startswith("HELM_") or name in _LEADING)}


def _duration(seconds: float) -> str:
    """Seconds as Go reads a duration."""
    return f"{seconds:.3f}s"
