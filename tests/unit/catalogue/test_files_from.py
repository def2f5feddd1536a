"""Manifests of a component from a checkout of its project."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.objects import project_objects
from knavtool.errors import BinaryMissing, UsageError
from knavtool.events import Steps
from knavtool.toolchain.resolve import Toolchain
from support.events import ignore

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: mine.example.com
"""


async def test_a_directory_stands_for_the_module(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "deploy/v2beta1").mkdir(parents=True)
    (checkout / "deploy/v2beta1/mpi-operator.yaml").write_text(DEFINITION)
    toolchain = Toolchain(cache=tmp_path / "cache", offline=True)
    one = Catalogue.load({}, directories=[f"mpi-operator={checkout}"]).component("mpi-operator")
    assert one.process is not None
    found = await project_objects(one, one.process.objects, toolchain, steps=Steps(ignore))
    assert [manifest["metadata"]["name"] for manifest in found] == ["mine.example.com"]
    (checkout / "deploy/v2beta1/mpi-operator.yaml").unlink()
    with pytest.raises(BinaryMissing, match=r"mpi-operator\.yaml"):
        await project_objects(one, one.process.objects, toolchain, steps=Steps(ignore))


@pytest.mark.parametrize("text", ["kueue", "kueue=", "=/", "kueue=/nowhere", "kueue=/etc/hostname"])
def test_what_is_no_directory(text: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=DIR"):
        Catalogue.load({}, directories=[text])


def test_a_component_without_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="native-gang"):
        Catalogue.load({}, directories=[f"native-gang={tmp_path}"])
    with pytest.raises(UsageError, match="no component 'kueu'"):
        Catalogue.load({}, directories=[f"kueu={tmp_path}"])
