"""docs/extending.md, followed word for word: a component of one's own."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from knavtool import resources
from knavtool.kube.client import Client
from support.control_plane import LocalCluster

DOCUMENT = resources.data_directory() / "docs" / "extending.md"
SECTION = DOCUMENT.read_text().partition("# A component\n")[2]
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.gizmo.example.com}
spec:
  group: gizmo.example.com
  names: {kind: Gizmo, listKind: GizmoList, plural: gizmos, singular: gizmo}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
CONTROLLER = f"""\
#!{sys.executable}
import argparse, http.server
parser = argparse.ArgumentParser()
parser.add_argument("--kubeconfig", required=True)
parser.add_argument("--health", required=True)
host, port = parser.parse_args().health.split(":")
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
http.server.HTTPServer((host, int(port)), Health).serve_forever()
"""


@pytest.mark.cluster
def test_a_component_of_ones_own(own: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((name, record),) = re.findall(r"^`~/(\S+)`:\n\n```yaml\n(.*?)^```", SECTION, flags=re.MULTILINE | re.DOTALL)
    (commands,) = re.findall(r"^```sh\n(.*?)^```", SECTION, flags=re.MULTILINE | re.DOTALL)
    file = own.root / name
    file.parent.mkdir(parents=True)
    file.write_text(record)
    gizmo = tmp_path / "gizmo"
    (gizmo / "deploy").mkdir(parents=True)
    (gizmo / "deploy" / "crd.yaml").write_text(CRD)
    (gizmo / "bin").mkdir()
    (gizmo / "bin" / "controller").write_text(CONTROLLER)
    (gizmo / "bin" / "controller").chmod(0o755)
    (tmp_path / "here").mkdir()
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("KNAVTOOL_NAME", own.name)
    said = [own.cli(*shlex.split(line)[1:], cwd=tmp_path / "here").stdout for line in commands.splitlines()]
    assert "gizmo.example.com" in said[0]
    assert re.search(r"^gizmo +v1\.0\.0 +healthy", said[2], flags=re.MULTILINE)

    async def served(client: Client) -> str:
        return (await client.discover("gizmo.example.com/v1", "Gizmo")).plural

    assert own.ask(served) == "gizmos"
