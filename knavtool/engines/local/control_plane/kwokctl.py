"""kwokctl's binary runtime: it writes keys, kubeconfig and arguments, and starts the control plane's processes."""

from __future__ import annotations

import secrets
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.atomic import atomic_write
from knavtool.engines.local.control_plane.settings import BEHAVIOR, FRONT_PROXY, PROCESSES
from knavtool.engines.local.processes.processes import cannot_start, marked, tail
from knavtool.engines.local.state import kubeconfig
from knavtool.engines.local.state.ports import LOOPBACK
from knavtool.errors import EngineError
from knavtool.subprocesses import process_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from knavtool.engines.local.control_plane.settings import Group
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.engines.local.state.ports import Ports

PROGRAMS = (*PROCESSES, "kubectl", "kwokctl")
_CLIENTS = ("kube-controller-manager", "kube-scheduler")
API_SERVER_PORT = "kube-apiserver/https"
# Our name of each port, and kwokctl's option for it.
_PORTS = {
    "etcd/http": "etcdPort",
    "etcd/peer": "etcdPeerPort",
    API_SERVER_PORT: "kubeApiserverPort",
    "kube-controller-manager/https": "kubeControllerManagerPort",
    "kube-scheduler/https": "kubeSchedulerPort",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the control plane, as kwokctl recorded it and starts it; `metrics` is an URL."""

    name: str
    version: str
    metrics: str
    program: str = ""
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def choose_ports(
    api_server: int | None, free: Ports, more: Sequence[str] = (), before: Mapping[str, int] | None = None
) -> dict[str, int]:
    """A free port for each use, `more` besides those of the control plane; that of the API server may be given.

    Those of `before` are taken again, as far as they are free.
    """
    given = {API_SERVER_PORT: api_server} if api_server else {}
    uses = [use for use in (*_PORTS, *more) if use not in given]
    again = {use: port for use, port in (before or {}).items() if use in uses and free.claim(port)}
    new = [use for use in uses if use not in again]
    return given | again | dict(zip(new, free.take(len(new)), strict=True))


def configuration(
    files: ClusterFiles,
    programs: Mapping[str, Path],
    ports: Mapping[str, int],
    *,
    feature_gates: str,
    runtime_config: str,
    groups: Iterable[Group],
    audit: Mapping[str, str],
    definitions: bool = True,
) -> str:
    """kwokctl's configuration file; `groups` are the settings that differ from its defaults.

    `audit` are the API server's arguments for the audit log, if it keeps one. Without `definitions`, those of KWOK's
    kinds are there already. `write_tokens` makes the files that the processes are told of.
    """
    groups = list(groups)
    patches = []
    for name in PROCESSES:
        args = {key: value for group in groups for key, value in group.args.get(name, {}).items()}
        args |= BEHAVIOR.get(name, {})
        if name in _CLIENTS:
            args["kubeconfig"] = str(files.token_kubeconfig)
        if name == "kube-apiserver":
            args |= {
                "token-auth-file": str(files.tokens),
                "requestheader-client-ca-file": str(files.pki / "ca.crt"),
                **FRONT_PROXY,
                **audit,
            }
        environment = {key: value for group in groups for key, value in group.environment.get(name, {}).items()}
        patches.append(
            {
                "name": name,
                "extraArgs": [{"key": key, "value": value} for key, value in args.items()],
                "extraEnvs": [{"name": key, "value": value} for key, value in environment.items()],
            }
        )
    document: dict[str, Any] = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            "bindAddress": LOOPBACK,
            "disableQPSLimits": True,
            "enableCRDs": ["Stage"] if definitions else [],
            # KWOK's controller is a component of its own: started before its stages exist, it looks for them again only
            # after seconds.
            "disable": ["kwok-controller"],
            "kubeAuthorization": True,
            "kubeAdmission": True,
            "kubeFeatureGates": feature_gates,
            "kubeRuntimeConfig": runtime_config,
            "etcdBinary": str(programs["etcd"]),
            "kubeApiserverBinary": str(programs["kube-apiserver"]),
            "kubeControllerManagerBinary": str(programs["kube-controller-manager"]),
            "kubeSchedulerBinary": str(programs["kube-scheduler"]),
            "kubectlBinary": str(programs["kubectl"]),
            **{option: ports[use] for use, option in _PORTS.items()},
        },
        "componentsPatches": patches,
    }
    return yaml.safe_dump(document, sort_keys=False)


def write_tokens(files: ClusterFiles, server: str) -> None:
    """Make tokens, the file that tells the API server whose they are, and a kubeconfig with the administrator's.

    One is for metrics: processes of the control plane know Prometheus by its certificate, but controllers ask the API
    server about a token. The other is kwokctl's administrator's. The API server checks the signature of a client's
    certificate with every request, which docs/tuning.md has measured, and remembers a token.
    """
    metrics, administrator = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    atomic_write(files.metrics_token, metrics)
    lines = [
        f"{metrics},knavtool-metrics,knavtool-metrics,system:monitoring",
        f"{administrator},kwok-admin,kwok-admin,system:masters",
    ]
    atomic_write(files.tokens, "\n".join(lines) + "\n")
    kubeconfig.add_context(files.token_kubeconfig, files.context, server=server, pki=files.pki, token=administrator)


async def create(kwokctl: Path, files: ClusterFiles, config: str, *, environment: Mapping[str, str]) -> None:
    """Create the cluster's directory and start its processes; returns when the API server answers."""
    source = files.directory / "kwokctl.yaml"
    atomic_write(source, config)
    # It would add a context of its own to a kubeconfig; ours is written with care, later.
    args = ["create", "cluster", "--config", str(source), "--kubeconfig", ""]
    await _run(kwokctl, files, args, environment=environment)


async def start(kwokctl: Path, files: ClusterFiles, *, environment: Mapping[str, str]) -> None:
    """Start the processes that are not running; returns when the API server answers."""
    await _run(kwokctl, files, ["start", "cluster"], environment=environment)


async def _run(kwokctl: Path, files: ClusterFiles, args: list[str], *, environment: Mapping[str, str]) -> None:
    log = files.log("kwokctl")
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = {key: value for key, value in environment.items() if not key.startswith(("KWOK_", "KUBECONFIG"))}
    with log.open("ab") as sink:
        try:
            # What it starts has sessions of its own, and is ended by whoever tears the cluster down.
            async with process_group(
                str(kwokctl),
                "--name",
                files.name,
                *args,
                stdin=DEVNULL,
                stdout=sink,
                stderr=sink,
                env=marked(files, variables | _places(files)),
                umask=0o077,
            ) as process:
                code = await process.wait()
        except OSError as error:
            raise cannot_start(kwokctl, error) from error
    if code:
        raise EngineError(f"kwokctl {' '.join(args[:2])} failed (exit code {code}); the end of {log}:\n{tail(log)}")


def _places(files: ClusterFiles) -> dict[str, str]:
    """What tells kwokctl where to work, and keeps its files and those of its kubectl out of the user's home.

    It reads its own variable up to the first space only; what it finds below a home directory it takes as it is.
    """
    home = {"HOME": str(files.directory)}
    if not any(character.isspace() for character in str(files.work)):
        return home | {"KWOK_WORKDIR": str(files.work)}
    link = files.directory / ".kwok"
    if not link.is_symlink():
        link.symlink_to(files.work, target_is_directory=True)
    return home


def processes(files: ClusterFiles) -> list[Process]:
    """The processes of the control plane in the order of their start."""
    try:
        documents = list(yaml.load_all(files.kwokctl.read_text(encoding="utf-8"), yaml.CSafeLoader))
        (listed,) = (one["components"] for one in documents if one["kind"] == "KwokctlConfiguration")
        return [
            Process(
                name=item["name"],
                version=item.get("version", ""),
                metrics=_url(item.get("metric")),
                program=item.get("binary", ""),
                args=tuple(item.get("args", ())),
                environment={one["name"]: one.get("value", "") for one in item.get("envs", ())},
            )
            for item in listed
            if item["name"] in PROCESSES
        ]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        message = f"{files.kwokctl} does not describe a cluster: {error}"
        raise EngineError(message, hint=f"`knavtool cluster down --name {files.name}` removes the cluster") from error


def _url(metric: Mapping[str, str] | None) -> str:
    return f"{metric['scheme']}://{metric['host']}{metric['path']}" if metric else ""
