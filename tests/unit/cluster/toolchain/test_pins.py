"""What the package pins."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from knavtool import resources
from knavtool.cluster.toolchain.pins import MODULES, PINS, Platform, host_platform, load_pins

LINUX = load_pins(Platform("linux", "amd64"))


def test_pins_match_their_schema() -> None:
    import jsonschema

    schema = json.loads(resources.schema("toolchain").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(PINS.read_text()))


@pytest.mark.parametrize("name", LINUX.programs)
def test_every_build_is_a_tool_of_its_pinned_module(name: str) -> None:
    build = LINUX.programs[name].build
    assert build is not None
    text = (MODULES / build.module / "go.mod").read_text()
    assert re.search(rf"^(tool|\t) ?{re.escape(build.package)}$", text, re.MULTILINE)
    assert (MODULES / build.module / "go.sum").stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("kube-apiserver", "k8s.io/kubernetes"),
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kwok", "sigs.k8s.io/kwok"),
        ("helm", "helm.sh/helm/v3"),
        # Prometheus numbers its Go module differently: 3.16.0 is v0.316.0.
        ("prometheus", None),
    ],
)
def test_version_is_that_of_the_pinned_module(name: str, module: str | None) -> None:
    program = LINUX.programs[name]
    assert program.build is not None
    number = program.version.removeprefix("v")
    if module is None:
        major, minor, patch = number.split(".")
        module, number = "github.com/prometheus/prometheus", f"0.{int(major) * 100 + int(minor)}.{patch}"
    text = (MODULES / program.build.module / "go.mod").read_text()
    assert re.search(rf"^(require )?\s*{re.escape(module)} v{re.escape(number)}( |$)", text, re.MULTILINE)


def test_every_release_can_be_verified_and_no_placeholder_is_left() -> None:
    for system in ("linux", "darwin"):
        for processor in ("amd64", "arm64"):
            for program in load_pins(Platform(system, processor)).programs.values():
                release = program.release
                if release is None:
                    continue
                assert release.sha256 or release.checksums
                for text in (release.url, release.checksums, release.member):
                    assert "{" not in (text or "")


def test_addresses() -> None:
    addresses = {name: program.release and program.release.url for name, program in LINUX.programs.items()}
    github = "https://github.com"
    assert addresses == {
        "kube-apiserver": "https://dl.k8s.io/v1.37.2/bin/linux/amd64/kube-apiserver",
        "kube-controller-manager": "https://dl.k8s.io/v1.37.2/bin/linux/amd64/kube-controller-manager",
        "kube-scheduler": "https://dl.k8s.io/v1.37.2/bin/linux/amd64/kube-scheduler",
        "kubectl": "https://dl.k8s.io/v1.37.2/bin/linux/amd64/kubectl",
        "etcd": f"{github}/etcd-io/etcd/releases/download/v3.6.16/etcd-v3.6.16-linux-amd64.tar.gz",
        "kwok": f"{github}/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64",
        "kwokctl": f"{github}/kubernetes-sigs/kwok/releases/download/v0.8.0/kwokctl-linux-amd64",
        "helm": "https://get.helm.sh/helm-v3.22.0-linux-amd64.tar.gz",
        "prometheus": f"{github}/prometheus/prometheus/releases/download/v3.16.0/prometheus-3.16.0.linux-amd64.tar.gz",
    }


def test_platform_without_a_release_still_has_a_build() -> None:
    program = load_pins(Platform("darwin", "arm64")).programs["kube-apiserver"]
    assert program.release is None
    assert program.build is not None


def test_this_machine_is_named_as_go_names_it() -> None:
    assert host_platform().arch in {"amd64", "arm64"}
