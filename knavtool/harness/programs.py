"""The programs that work on a cluster needs, found by what the environment says."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knavtool.catalogue.advice import Advice
    from knavtool.events import Steps
    from knavtool.harness.target import Target
    from knavtool.helm import Helm
    from knavtool.toolchain.pins import Program
    from knavtool.toolchain.resolve import Toolchain

_TRUE = {"1", "true", "yes", "on"}


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where downloads and builds are kept: `$XDG_CACHE_HOME/knavtool`."""
    from knavtool.directories import xdg_directory

    return xdg_directory(environment, "XDG_CACHE_HOME", Path(".cache"))


def toolchain_from_environment(
    environment: Mapping[str, str],
    *,
    binaries: Sequence[str] = (),
    mirror: str | None = None,
    offline: bool | None = None,
    sources: Iterable[str] | None = None,
    kubernetes: str = "",
    programs: Mapping[str, Program] | None = None,
) -> Toolchain:
    """The toolchain as KNAVTOOL_<NAME>_BINARY, KNAVTOOL_MIRROR, KNAVTOOL_OFFLINE and KNAVTOOL_SOURCE describe it.

    Arguments that are not None win over the environment; `binaries` are `NAME=PATH` pairs from the command line,
    `programs` those of components, `kubernetes` the release whose programs are wanted.
    """
    from knavtool.toolchain.resolve import ALL_SOURCES, Source, Toolchain, explicit_variable

    if offline is None:
        offline = environment.get("KNAVTOOL_OFFLINE", "").strip().lower() in _TRUE
    named = environment.get("KNAVTOOL_SOURCE", "") if sources is None else " ".join(sources)
    try:
        allowed = frozenset(Source(word) for word in named.replace(",", " ").split()) or ALL_SOURCES
    except ValueError as error:
        hint = f"the sources are {', '.join(Source)}"
        raise UsageError(f"no such source of programs: {error.args[0].split()[0]}", hint=hint) from None
    toolchain = Toolchain(
        cache=cache_directory(environment),
        explicit=_pairs(binaries),
        search_path=environment.get("PATH", os.defpath),
        environment=environment,
        mirror=mirror or environment.get("KNAVTOOL_MIRROR") or None,
        offline=offline,
        sources=allowed,
        kubernetes=kubernetes,
        programs=programs,
    )
    for name in toolchain.explicit:
        toolchain.program(name)
    for name in toolchain.programs:
        if path := environment.get(explicit_variable(name)):
            toolchain.explicit.setdefault(name, _absolute(path))
    return toolchain


def _pairs(binaries: Sequence[str]) -> dict[str, Path]:
    pairs = {}
    for text in binaries:
        name, separator, path = text.partition("=")
        if not (name and separator and path):
            raise UsageError(f"--binary {text}: expected NAME=PATH, for example etcd=/usr/local/bin/etcd")
        pairs[name] = _absolute(path)
    return pairs


def _absolute(path: str) -> Path:
    """Programs are started in other directories than this one."""
    return Path(path).expanduser().absolute()


def advice(environment: Mapping[str, str], server: str) -> Advice:
    """Advice for the cluster whose API server has this address."""
    from knavtool.catalogue.advice import Advice
    from knavtool.engines.local.plan import up_command

    return Advice(environment, partial(up_command, environment, server))


async def helm(target: Target, steps: Steps) -> Helm:
    """Helm for the cluster of a command; it is installed first if this machine has none.

    What it renders without a cluster is for the Kubernetes of local clusters.
    """
    from knavtool.helm import Helm

    toolchain = toolchain_from_environment(target.environment)
    found = await toolchain.ensure(["helm"], steps=steps)
    kubernetes = toolchain.program("kube-apiserver").version
    return Helm(found["helm"], kubeconfig=target.kubeconfig, context=target.context, kube_version=kubernetes)
