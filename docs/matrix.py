"""Runs the workflows of each component at each version that works, and writes the table of docs/components.md.

Run by `make matrix`, for hours on a new machine: programs are built for every version. Each row is a cluster of its
own, one after the other, so nothing else should run beside it. `--only NAME` runs the rows of one component; those of
others stay as they are.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knavtool.catalogue.catalogue import Catalogue
from knavtool.documents.version import within
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.toolchain.pins import kubernetes_releases

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "components.md"
BEGIN, END = "<!-- make matrix -->\n", "<!-- end of matrix -->\n"
HEAD = (
    "| component | version | Kubernetes | workflows | start | cluster | memory | not passed |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
BESIDE = {
    "kubernetes": [],
    "kueue": ["jobset", "mpi-operator", "kuberay", "lws", "trainer", "appwrapper"],
    "coscheduling": ["jobset"],
}
"""What the workflows of a component need besides what the component needs itself."""
OPTIONS = {"kueue": ["--set", "kueue.integrations=all"]}
"""Settings with which a component runs all of its workflows."""
DIRECTORIES = {"kubernetes": ["k8s", "dra", "custom-resource"]}
"""Where workflows are, if not in the directory of the component's name."""
EVERYWHERE = ("kubernetes", "native-gang", "composite-pod-group", "kueue")
"""What is tried with each release of Kubernetes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A component at a version with a release of Kubernetes."""

    name: str
    version: str
    kubernetes: str

    @property
    def key(self) -> str:
        """How the row begins in the table."""
        return f"| `{self.name}` | {self.version} | {self.kubernetes} |"


def rows() -> Iterator[Row]:
    """All that is tried."""
    releases, catalogue = kubernetes_releases(), Catalogue.shipped()
    for version in releases.tried:
        yield Row(name="kubernetes", version=version, kubernetes=version)
    for name in sorted(path.name for path in (ROOT / "workflows").iterdir() if path.name in catalogue.files):
        one = catalogue.component(name)
        if not all(any(program.get(how) for how in ("build", "releases")) for program in one.programs.values()):
            continue  # its programs are the user's to bring
        if one.follows == "kubernetes":
            versions = [(release, release) for release in releases.tried]
        else:
            tried = catalogue.component(one.follows).tried if one.follows else one.tried
            versions = [(version, releases.default) for version in tried]
            if name in EVERYWHERE:
                versions += [(one.version, release) for release in releases.tried if release != releases.default]
        for version, release in versions:
            if not one.kubernetes or within(release, one.kubernetes):
                yield Row(name=name, version=version, kubernetes=release)


def tried(row: Row) -> str:
    """Run a row; returns its line of the table."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "KUBECONFIG": f"{directory}/kubeconfig", "XDG_DATA_HOME": f"{directory}/data"}
        chosen = [] if row.name == "kubernetes" else [f"{row.name}={row.version}"]
        wanted = ["--with", ",".join([*chosen, *BESIDE.get(row.name, [])])] if chosen else []
        options = [*wanted, "--kube-version", row.kubernetes]
        knavtool(environment, "toolchain", "install", *options)
        begun = time.monotonic()
        done = knavtool(
            environment, "cluster", "up", *options, *OPTIONS.get(row.name, []), "--no-prometheus", "--timeout", "5m"
        )
        cluster = f"{time.monotonic() - begun:.1f} s"
        if done.returncode:
            return f"{row.key} 0 | | | | {first_error(done.stderr)} |"
        start = duration_of("control plane" if row.name == "kubernetes" else row.name, done.stderr)
        try:
            failed = []
            files = [
                file
                for name in DIRECTORIES.get(row.name, [row.name])
                for file in sorted((ROOT / "workflows" / name).glob("*.yml"))
            ]
            for file in files:
                done = knavtool(environment, "run", str(file), "--cleanup")
                if done.returncode:
                    failed.append(f"{file.stem}: {first_error(done.stderr + done.stdout)}")
            status: list[Mapping[str, Any]] = json.loads(
                knavtool(environment, "cluster", "status", "-o", "json").stdout
            )
            memory = sum(one["memory"] or 0 for one in status if one["component"] in processes(row.name))
        finally:
            knavtool(environment, "cluster", "down")
    passed = f"{len(files) - len(failed)} of {len(files)}"
    return f"{row.key} {passed} | {start} | {cluster} | {f'{memory} MB' if memory else ''} | {'; '.join(failed)} |"


def processes(name: str) -> set[str]:
    """The processes of a component, or of the control plane."""
    if name == "kubernetes":
        return set(PROCESSES)
    return {process.name for process in Catalogue.shipped().component(name).processes}


def knavtool(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "knavtool", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def duration_of(step: str, text: str) -> str:
    """How long a step of `cluster up` took, in the unit that it is told in; a cell of the table."""
    found = re.search(rf"^ +ok +{re.escape(step)}(?: \(.*\))? +([\d.]+)(ms|s) ", text, re.MULTILINE)
    return f"{found[1]} {found[2]}" if found else ""


def first_error(text: str) -> str:
    """The line that says what went wrong, in a cell of the table, without where on this machine."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"error:|^\s*FAILED|\bfailed\b", line)]
    told = " ".join((lines or ["see its output"])[0].split())
    return told.replace(f"{ROOT}/", "").replace("|", "/")[:100]


def write(lines: Sequence[str]) -> None:
    """Put the lines into the table, in place of those of the same rows."""
    text = TABLE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    known = {key(line): line for line in old.splitlines() if line.startswith("| `")}
    known |= {key(line): line for line in lines}
    order = [row.key for row in rows()]
    kept = [known[name] for name in order if name in known]
    cores, memory = os.cpu_count(), round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    day = dt.datetime.now(tz=dt.UTC).date()
    told = (
        f"Last written on {day}, on Linux with {cores} cores and {memory} GiB. `start` is how long the component took "
        "beside the others of its row, `cluster` the whole `cluster up`, `memory` what its processes have in the end."
    )
    body = "\n".join(kept) + "\n"
    TABLE.write_text(f"{before}{BEGIN}{told}\n\n{HEAD}{body}{END}{after}", encoding="utf-8")


def key(line: str) -> str:
    """The first three cells of a line."""
    return "|".join(line.split("|")[:4]) + "|"


def main() -> None:
    """Run the rows that are asked for."""
    parser = argparse.ArgumentParser(description="Run the workflows of each component at each version.")
    parser.add_argument("--only", action="append", metavar="NAME", help="rows of this component; repeatable")
    parser.add_argument("--list", action="store_true", help="print the rows and run nothing")
    options = parser.parse_args()
    for row in rows():
        if options.only and row.name not in options.only:
            continue
        if options.list:
            print(row.key)
            continue
        print(line := tried(row), flush=True)
        write([line])


if __name__ == "__main__":
    main()
