from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from knavtool import resources
from knavtool.errors import ClusterError, DeadlineExceeded, EngineError, RenderError, Unreachable
from knavtool.helm import Helm
from support.chart_repository import write_chart
from support.processes import survivors
from support.programs import program

CHART = resources.chart("virtual-nodes")


def script(directory: Path, body: str) -> Path:
    """A program in Helm's place."""
    path = directory / "helm"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


def failing(directory: Path, stderr: str) -> Helm:
    (directory / "stderr").write_text(stderr)
    return Helm(script(directory, f"cat >/dev/null; cat '{directory}/stderr' >&2; exit 1"))


async def started(pids: Path) -> list[int]:
    """The process ids that a script writes into a FIFO when it is ready."""
    with await asyncio.to_thread(pids.open) as fifo:
        return [int(word) for word in fifo.read().split()]


async def test_values_go_through_stdin_and_not_into_arguments(tmp_path: Path) -> None:
    helm = Helm(script(tmp_path, f'echo "$@" > {tmp_path}/arguments; cat > {tmp_path}/stdin; echo "{{}}"'))
    await helm.template(CHART, values={"secret": "swordfish"})
    await helm.upgrade_install("r", CHART, namespace="n", values={"secret": "swordfish"}, timeout=90)
    arguments = (tmp_path / "arguments").read_text()
    assert "swordfish" not in arguments
    assert "--timeout 90.000s" in arguments
    assert json.loads((tmp_path / "stdin").read_text()) == {"secret": "swordfish"}


async def test_the_cluster_is_named_except_for_templates(tmp_path: Path) -> None:
    said = '[{"revision": 1, "status": "deployed", "chart": "c-1", "description": "Install complete"}]'
    executable = script(tmp_path, f"cat > /dev/null; echo \"$@\" >> {tmp_path}/arguments; echo '{said}'")
    helm = Helm(executable, kubeconfig=tmp_path / "it's a kubeconfig", context="some; context")
    (revision,) = await helm.history("r", namespace="n")
    assert (revision.number, revision.status, revision.chart) == (1, "deployed", "c-1")
    await helm.template(CHART)
    status, template = (tmp_path / "arguments").read_text().splitlines()
    assert f"--kubeconfig {tmp_path}/it's a kubeconfig --kube-context some; context" in status
    assert "--kube" not in template


async def test_its_environment_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HELM_KUBECONTEXT", "HELM_KUBEAPISERVER", "HELM_KUBETOKEN", "HELM_DRIVER", "HELM_NAMESPACE"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("KUBECONFIG", "/other")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    helm = Helm(script(tmp_path, f"env > {tmp_path}/environment; echo []"), kubeconfig=tmp_path / "k", context="c")
    for asked in (helm, helm.marked({"HELM_DRIVER": "configmap"})):
        await asked.history("r", namespace="n")
        said = dict(line.partition("=")[::2] for line in (tmp_path / "environment").read_text().splitlines())
        assert "KUBECONFIG" not in said
        assert said["HTTPS_PROXY"] == "http://127.0.0.1:9"
        settings = {name: value for name, value in said.items() if name.startswith("HELM_")}
        assert settings == ({} if asked is helm else {"HELM_DRIVER": "configmap"})
    await helm.template(CHART)
    assert "HELM_" not in (tmp_path / "environment").read_text()


async def test_templates_are_for_the_kubernetes_that_is_asked_for(tmp_path: Path) -> None:
    executable = script(tmp_path, f'cat > /dev/null; echo "$@" >> {tmp_path}/arguments')
    helm = Helm(executable, kube_version="v1.37.2")
    await helm.marked({"A": "b"}).hiding({"C": "d"}).template(CHART)
    await helm.template(CHART, kube_version="v1.30.0")
    usual, asked = (tmp_path / "arguments").read_text().splitlines()
    assert usual.endswith("--kube-version v1.37.2")
    assert asked.endswith("--kube-version v1.30.0")


async def test_the_pinned_helm_is_for_the_kubernetes_of_its_time(tmp_path: Path) -> None:
    chart = write_chart(
        tmp_path / "chart", {"kind": "{{ .Capabilities.KubeVersion.Version }}"}, kube_version=">=1.25.0-0"
    )
    assert "kind: 'v1.37.0'" in await Helm(program("helm")).template(chart)


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
async def test_a_cancel_ends_helm_and_its_children(tmp_path: Path, trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knavtool.helm.command._GRACE_SECONDS", 0.2)
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    helm = Helm(script(tmp_path, f"{trap} sleep 1000 & echo $$ $! > {fifo}; wait; wait; wait"))
    task = asyncio.create_task(helm.template(CHART))
    pids = await started(fifo)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert survivors(pids, within=5) == []


async def test_a_second_cancel_does_not_leave_helm_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knavtool.helm.command._GRACE_SECONDS", 1)
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    helm = Helm(script(tmp_path, f"trap '' TERM; sleep 1000 & echo $$ $! > {fifo}; wait; wait; wait"))
    task = asyncio.create_task(helm.template(CHART))
    pids = await started(fifo)
    task.cancel()
    asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(task.cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert survivors(pids, within=5) == []


async def test_helm_has_time_to_mark_its_release(tmp_path: Path) -> None:
    fifo = tmp_path / "pids"
    os.mkfifo(fifo)
    body = f"trap 'echo marked > {tmp_path}/mark; exit 1' TERM; sleep 1000 & echo $$ $! > {fifo}; wait"
    helm = Helm(script(tmp_path, body))
    task = asyncio.create_task(helm.upgrade_install("r", CHART, namespace="n", values={}, timeout=5))
    await started(fifo)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "mark").read_text() == "marked\n"


async def test_a_program_that_cannot_be_started_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be started: No such file"):
        await Helm(tmp_path / "nothing").template(CHART)


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "WARNING: the file is readable\nError: execution error at (c/a.yaml:8:4): no",
            "execution error at (c/a.yaml:8:4): no",
        ),
        ("Error: parse error at (c/a.yaml:3): unclosed action\n", "parse error at (c/a.yaml:3): unclosed action"),
        ("Error: template: c/a.yaml:3:9: no such field", "template: c/a.yaml:3:9: no such field"),
        (
            "Error: YAML parse error on c/a.yaml: line 3\n\nUse --debug flag to render out invalid YAML\n",
            "YAML parse error on c/a.yaml: line 3",
        ),
    ],
)
async def test_a_template_failure_is_told_in_helms_words(tmp_path: Path, stderr: str, message: str) -> None:
    helm = failing(tmp_path, stderr)
    with pytest.raises(RenderError) as caught:
        await helm.template(CHART)
    assert caught.value.message == f"virtual-nodes: {message}"
    with pytest.raises(RenderError):
        await helm.upgrade_install("r", CHART, namespace="n", values={}, timeout=5)


async def test_a_release_that_does_not_exist_is_none(tmp_path: Path) -> None:
    helm = failing(tmp_path, "Error: uninstall: Release not loaded: r: release: not found\n")
    assert await helm.history("r", namespace="n") == []
    assert await helm.uninstall("r", namespace="n", timeout=5) is False


async def test_a_cluster_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Kubernetes cluster unreachable"):
        await Helm(program("helm"), kubeconfig=Path("/nonexistent")).history("r", namespace="n")


async def test_its_processes_carry_what_they_are_marked_with(tmp_path: Path) -> None:
    helm = Helm(script(tmp_path, f'echo "$MARK$OTHER" > {tmp_path}/mark')).marked({"OTHER": "b"}).marked({"MARK": "a"})
    await helm.crds(CHART)
    assert (tmp_path / "mark").read_text() == "ab\n"


async def test_time_that_ran_out_is_told_as_that(tmp_path: Path) -> None:
    said = "Error: UPGRADE FAILED: pre-upgrade hooks failed: timed out waiting for the condition\n"
    with pytest.raises(DeadlineExceeded, match="hooks failed: timed out") as caught:
        await failing(tmp_path, said).upgrade_install("r", CHART, namespace="n", values={}, timeout=5)
    assert "--timeout" in caught.value.hint


async def test_one_error_is_told_in_one_line(tmp_path: Path) -> None:
    said = "Error: INSTALLATION FAILED: failed pre-install: 1 error occurred:\n\t* job prepare failed: BackoffLimit\n\n"
    with pytest.raises(ClusterError, match="install r: failed pre-install: job prepare failed: Back"):
        await failing(tmp_path, said).upgrade_install("r", CHART, namespace="n", values={}, timeout=5)


async def test_a_locked_release_comes_with_advice(tmp_path: Path) -> None:
    said = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"
    with pytest.raises(ClusterError, match="could not install r: another operation") as caught:
        await failing(tmp_path, said).upgrade_install("r", CHART, namespace="n", values={}, timeout=5)
    assert "helm rollback" in caught.value.hint
