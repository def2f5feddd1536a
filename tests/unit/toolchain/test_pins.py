"""What the package pins."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from knavtool import resources
from knavtool.toolchain.pins import (
    MODULES,
    PINS,
    GoModule,
    Platform,
    host_platform,
    kubernetes_releases,
    load_pins,
    read_programs,
)

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
    assert isinstance(build.module, Path)
    text = (build.module / "go.mod").read_text()
    assert re.search(rf"^(tool|\t) ?{re.escape(build.package)}$", text, re.MULTILINE)
    assert (build.module / "go.sum").stat().st_size > 0


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
    assert isinstance(program.build.module, Path)
    number = program.version.removeprefix("v")
    if module is None:
        major, minor, patch = number.split(".")
        module, number = "github.com/prometheus/prometheus", f"0.{int(major) * 100 + int(minor)}.{patch}"
    text = (program.build.module / "go.mod").read_text()
    assert re.search(rf"^(require )?\s*{re.escape(module)} v{re.escape(number)}( |$)", text, re.MULTILINE)


def test_helm_is_built_for_the_kubernetes_of_its_client_library_which_is_the_pinned_one() -> None:
    build = LINUX.programs["helm"].build
    assert build is not None
    assert isinstance(build.module, Path)
    library = re.search(r"k8s\.io/client-go v0\.(\d+)\.", (build.module / "go.mod").read_text())
    assert library is not None
    minors = re.findall(r"k8sVersionMinor=(\d+)", build.ldflags)
    assert minors == [library[1]] * 2
    assert LINUX.programs["kube-apiserver"].version.startswith(f"v1.{library[1]}.")


FLAGS = {
    "k8s.io/kubernetes": ("-X k8s.io/component-base/version.gitVersion={version}", ()),
    "sigs.k8s.io/kwok": ("-X sigs.k8s.io/kwok/pkg/consts.Version={version}", ()),
    "go.etcd.io/etcd": ("", ()),
    "github.com/prometheus": ("-X github.com/prometheus/common/version.Version={number}", ("remove_all_sd",)),
}


@pytest.mark.parametrize("name", [name for name, program in LINUX.programs.items() if not program.revision])
def test_flags_that_change_while_the_version_stays_need_a_revision(name: str) -> None:
    """A cache that holds the program of the old flags is used for ever otherwise."""
    program = LINUX.programs[name]
    assert program.build is not None
    ldflags, tags = next(flags for path, flags in FLAGS.items() if program.build.package.startswith(path))
    number = program.version.removeprefix("v")
    assert program.build.ldflags == ldflags.format(version=program.version, number=number)
    assert program.build.tags == tags


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


RECORD = {
    "releases": [
        {
            "platforms": ["linux/amd64"],
            "url": "https://releases.example/{version}/{name}-{os}",
            "checksums": "{url}.sha256",
            "sha256": {"linux/amd64": "0" * 64},
        }
    ],
    "build": {"module": "example.org/queue", "sum": "h1:sum=", "package": "./cmd/queue", "ldflags": "-X v={number}"},
}


def test_programs_of_a_component_have_its_version() -> None:
    programs = read_programs({"queue": RECORD, "other": {}}, version="1.0.0", tried=["1.0.0"], host=LINUX.platform)
    assert [program.title for program in programs.values()] == ["queue 1.0.0", "other 1.0.0"]
    assert programs["queue"].tried == ("1.0.0",)
    build, release = programs["queue"].build, programs["queue"].release
    assert build is not None
    assert release is not None
    assert build.module == GoModule(path="example.org/queue", version="v1.0.0", sum="h1:sum=")
    assert build.ldflags == "-X v=1.0.0"
    assert (release.url, release.sha256) == ("https://releases.example/1.0.0/queue-linux", "0" * 64)
    assert (programs["other"].build, programs["other"].release, programs["other"].check) == (None, None, None)


@pytest.mark.parametrize("version", kubernetes_releases().tried)
def test_each_release_of_kubernetes_is_pinned(version: str) -> None:
    pins = load_pins(LINUX.platform, kubernetes=version)
    module = MODULES / "kubernetes" / version
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"):
        program = pins.programs[name]
        assert program.version == version
        assert program.build is not None
        assert program.build.module == module
        assert program.build.ldflags.endswith(f"gitVersion={version}")
        assert program.release is not None
        assert f"/{version}/bin/" in program.release.url
    staging = re.findall(r"^\t(k8s\.io/\S+) => \1 (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    assert len(staging) > 30
    assert {there for _, there in staging} == {f"v0.{version.removeprefix('v1.')}"}
    others = {name for name in pins.programs if not name.startswith("kube")}
    assert all(pins.programs[name] == LINUX.programs[name] for name in others)


def test_a_release_of_kubernetes_that_is_not_pinned_can_only_be_downloaded() -> None:
    program = load_pins(LINUX.platform, kubernetes="v1.36.99").programs["kube-apiserver"]
    assert program.build is None
    assert program.release is not None
    assert program.release.checksums == f"{program.release.url}.sha256"
