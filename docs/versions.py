"""Proposes newer versions of components and of Kubernetes, with their sums; run by `make versions`, with a network.

It prints what could be changed in the records and changes nothing: who takes a sum over has seen it, and has looked at
what changed. Modules are looked up by go, so sums are those of Go's checksum database too. Lists of versions may be
incomplete: NAME=VERSION asks for one by name. `--kubernetes VERSION` writes the module of another release of Kubernetes
below knavtool/toolchain/modules, to be read, built and tested before kubernetes.yaml names it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.records import Component
from knavtool.documents.version import parse
from knavtool.toolchain.pins import MODULES, kubernetes_releases

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


def main() -> None:
    """Print what is newer."""
    parser = argparse.ArgumentParser(description="Propose newer versions, with their sums.")
    parser.add_argument("asked", nargs="*", metavar="NAME=VERSION", help="a version to ask for, though no list has it")
    parser.add_argument("--kubernetes", metavar="VERSION", help="write the module of this release of Kubernetes")
    options = parser.parse_args()
    if options.kubernetes:
        print(f"written: {kubernetes_module(options.kubernetes)}")
        return
    asked = dict(text.split("=", 1) for text in options.asked)
    for one in Catalogue.shipped().sound()[0]:
        if one.source is not None and one.source.sum and (not asked or one.name in asked):
            for line in proposal(one, asked.get(one.name)):
                print(line)
    if not asked:
        newer = newer_than(kubernetes_releases().tried[-1], listed("k8s.io/kubernetes"))
        print(f"kubernetes: {', '.join(newer) or 'nothing newer'}")


def proposal(one: Component, asked: str | None) -> Iterator[str]:
    """What could be written into the record of a component."""
    assert one.source is not None
    newest = asked or next(iter(newer_than(one.version, listed(one.source.module))[-1:]), None)
    if newest is None:
        yield f"{one.name}: {one.version} is the newest that is listed"
        return
    found = download(f"{one.source.module}@{newest}")
    if "Sum" not in found:
        yield f"{one.name}: {newest} cannot be had: {found.get('Error', 'go said nothing')}"
        return
    yield f"{one.name}: {one.version} -> {newest}"
    yield f"  sum: {found['Sum']}"
    for file in one.local_objects.files:
        if file.sha256:
            yield f"  {file.path}: sha256 {hashlib.sha256(Path(found['Dir'], file.path).read_bytes()).hexdigest()}"
    yield f"  read what changed, then: knavtool cluster up --with {one.name}={newest}, and the workflows of {one.name}"


def listed(module: str) -> list[str]:
    """The versions of a module that its proxy lists, oldest first."""
    return list(go("list", "-m", "-versions", "-json", module).get("Versions", []))


def newer_than(version: str, versions: list[str]) -> list[str]:
    """Those after a version, without pre-releases."""
    return [one for one in versions if not parse(one).prerelease and parse(one) > parse(version)]


def download(module: str) -> dict[str, str]:
    """A module with its sum, as `go mod download` tells it."""
    return go("mod", "download", "-json", module)


def go(*arguments: str, directory: Path | None = None) -> dict:  # type: ignore[type-arg]
    """What go answers in JSON, outside of any module."""
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "auto"}
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            ["go", *arguments], cwd=directory or empty, env=environment, capture_output=True, text=True, check=False
        )
    if not done.stdout.strip():
        return {"Error": done.stderr.strip()}
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def kubernetes_module(version: str) -> Path:
    """Write go.mod and go.sum for a release of Kubernetes, whose own go.mod leads to directories that no proxy has."""
    found = download(f"k8s.io/kubernetes@{version}")
    if "GoMod" not in found:
        sys.exit(f"k8s.io/kubernetes {version} cannot be had: {found.get('Error')}")
    text = Path(found["GoMod"]).read_text(encoding="utf-8")
    library = f"v0.{version.removeprefix('v1.')}"
    staging = re.findall(r"(k8s\.io/[a-z0-9-]+) => \./staging", text)
    release = re.search(r"^go (.*)$", text, re.MULTILINE)
    assert release is not None
    directory = MODULES / "kubernetes" / version
    directory.mkdir(parents=True, exist_ok=True)
    lines = ["module knavtool.invalid/toolchain/kubernetes", "", f"go {release[1]}", "", "replace ("]
    lines += [f"\t{name} => {name} {library}" for name in staging]
    lines += [")", "", "tool ("]
    lines += [f"\tk8s.io/kubernetes/cmd/{name}" for name in PROGRAMS]
    lines += [")", "", f"require k8s.io/kubernetes {version}", ""]
    (directory / "go.mod").write_text("\n".join(lines), encoding="utf-8")
    problem = go("mod", "tidy", directory=directory).get("Error", "")
    if " imports" in problem or "reading " in problem:
        shutil.rmtree(directory)
        sys.exit(f"nothing is written, because a module of Kubernetes {version} cannot be had:\n{problem}")
    return directory


if __name__ == "__main__":
    main()
