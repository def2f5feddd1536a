"""Which cluster `--engine existing` works on: the one that was chosen at the start, for the client and Helm alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from knavtool.kube.resource import DEPLOYMENTS, NAMESPACES
from support.chart_repository import REAL, deployment, write_chart
from support.existing import Existing
from support.proxy import Proxy, proxy
from support.terminal import terminal

pytestmark = pytest.mark.cluster

READY = deployment("controller", affinity=REAL)
ASTRAY = {
    "HELM_KUBECONTEXT": "nowhere",
    "HELM_KUBEAPISERVER": "http://127.0.0.1:9",
    "HELM_KUBETOKEN": "swordfish",
    "HELM_KUBEASUSER": "nobody",
    "HELM_NAMESPACE": "theirs",
    "HELM_DRIVER": "configmap",
}
"""Settings of Helm that lead elsewhere."""


@pytest.fixture
def other(existing: Existing, tmp_path: Path) -> Iterator[Proxy]:
    """Another cluster: the same one at another address, where every request is seen."""
    with proxy(existing.plane, tmp_path / "other") as made:
        yield made


def both(existing: Existing, other: Proxy, current: str) -> Path:
    """A kubeconfig with the contexts of both clusters."""
    path = existing.directory / "both"
    document = yaml.safe_load(existing.plane.kubeconfig.read_text())
    theirs = yaml.safe_load(other.kubeconfig.read_text())
    for key in ("clusters", "users", "contexts"):
        document[key] += theirs[key]
    document["current-context"] = current
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path


def test_the_settings_of_helm_lead_it_nowhere_else(existing: Existing) -> None:
    existing.chart(READY)
    done = existing.up("--with", "gadget", env=ASTRAY)
    assert f"using context {existing.plane.context}, {existing.plane.server}" in done.stderr
    assert existing.revisions() == [("1", "deployed")]
    existing.up("--with", "gadget")
    assert existing.revisions() == [("1", "deployed")], "the release is found again"
    done = existing.down(env=ASTRAY)
    assert done.stdout == "2 components removed\n"
    assert f"using context {existing.plane.context}, {existing.plane.server}" in done.stderr
    assert "gadget" not in existing.names(NAMESPACES)


def test_the_context_that_was_asked_about_is_the_one_that_is_changed(existing: Existing, other: Proxy) -> None:
    existing.chart(READY)
    mine = existing.plane.context
    kubeconfig = both(existing, other, mine)
    command = ["cluster", "up", "--engine", "existing", "--no-prometheus", "--with", "gadget"]
    with terminal(*command, env={**existing.environment, "KUBECONFIG": str(kubeconfig)}) as user:
        user.until("type the name of the context: ")
        assert f"the cluster of context {mine} ({existing.plane.server}) has 1 real nodes" in user.seen
        both(existing, other, "test")
        user.type(mine)
        assert user.end() == 0, user.seen
    assert other.requests == []
    assert existing.get(DEPLOYMENTS, "controller", "gadget")["status"]["availableReplicas"] == 1

    command = ["cluster", "down", "--engine", "existing", "--context", mine]
    with terminal(*command, env={**existing.environment, "KUBECONFIG": str(kubeconfig)}) as user:
        user.until("To remove kwok, gadget there, type the name of the context: ")
        kubeconfig.unlink()
        user.type(mine)
        assert user.end() == 0, user.seen
    assert other.requests == []
    assert "gadget" not in existing.names(NAMESPACES)


def test_down_with_another_name_or_with_yes(existing: Existing) -> None:
    existing.up()
    command = ["cluster", "down", "--engine", "existing"]
    with terminal(*command, env=existing.environment) as user:
        user.until("type the name of the context: ")
        user.type("production")
        assert user.end() == 2
        assert "that is not the name of the context; nothing was changed" in user.seen
    with terminal(*command, "--yes", env=existing.environment) as user:
        assert user.end() == 0
        assert "1 components removed" in user.seen


def test_a_chart_of_ones_own_is_shown_with_its_version(existing: Existing) -> None:
    existing.chart(READY)
    chart = write_chart(existing.directory / "mine", READY)
    file = chart / "Chart.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "version": "7.8.9"}))
    wanted = ("--with", "gadget", "--chart", f"gadget={chart}")
    assert "install gadget 7.8.9 as Helm release gadget/gadget" in existing.up(*wanted, "--dry-run").stdout
    existing.up(*wanted)
    rows = yaml.safe_load(existing.cli("status", "-o", "yaml").stdout)
    assert {row["version"] for row in rows if row["component"] == "gadget"} == {"7.8.9"}


def test_what_others_need_is_not_removed(existing: Existing) -> None:
    existing.manifest("below", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "below"}})
    existing.manifest(
        "above", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "above"}}, needs=["below"]
    )
    existing.up("--with", "above")
    done = existing.up("--without", "below", check=2)
    assert "--without below: above, which is installed, needs it; nothing was changed" in done.stderr
    done = existing.up("--with", "above", "--without", "below", check=2)
    assert "--without below: above needs it" in done.stderr
    done = existing.up("--without", "below,above", "--dry-run")
    assert "remove above 1.0.0\n  - ConfigMap default/above\n" in done.stdout
    assert "remove below 1.0.0\n  - ConfigMap default/below\n" in done.stdout
    assert "removed" in existing.up("--without", "below,above").stdout
