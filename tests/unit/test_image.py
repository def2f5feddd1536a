"""The Dockerfile keeps its promises: all it copies is there, versions are fixed, nothing runs as root or in a shell."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TOOLCHAIN = ROOT / "knavtool" / "toolchain"


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, its arguments) in order, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name; the last, which has none, is `image`."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in instructions():
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "image"
        found.setdefault(name, []).append((word, rest))
    return found


def given(stage: str, instruction: str) -> list[str]:
    return [rest for word, rest in stages()[stage] if word == instruction]


def sent() -> list[str]:
    """What .dockerignore lets through."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return [line[1:].rstrip("/") for line in lines if line.startswith("!")]


def test_base_images_have_a_fixed_version() -> None:
    for stage in stages():
        (image,) = given(stage, "FROM")
        assert re.fullmatch(r"[a-z./]+:\d+\.\d+\.\d+(-[a-z]+)*( AS [a-z]+)?", image)


def test_python_is_new_enough() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    found = re.search(r"python:(\d+)\.(\d+)", given("image", "FROM")[0])
    assert found is not None
    assert tuple(map(int, found.groups())) >= tuple(map(int, wanted.removeprefix(">=").split(".")))
    assert given("wheel", "FROM")[0].removesuffix(" AS wheel") == given("image", "FROM")[0]


def test_helm_is_the_one_of_the_toolchain() -> None:
    pins: Any = yaml.safe_load((TOOLCHAIN / "pins.yaml").read_text())
    assert given("helm", "ARG") == [f"HELM_VERSION={pins['helm']['version']}"]
    module = (TOOLCHAIN / "modules" / "helm" / "go.mod").read_text()
    assert f"helm.sh/helm/v3 v{pins['helm']['version']}" in module
    go = re.search(r"^go (\d+\.\d+)", module, flags=re.MULTILINE)
    assert go is not None
    assert given("helm", "FROM")[0].startswith(f"golang:{go[1]}.")
    assert "-mod=readonly" in given("helm", "RUN")[0]


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    for stage in stages():
        for arguments in given(stage, "COPY"):
            *sources, _ = arguments.split()
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in stages()
                continue
            for source in sources:
                assert (ROOT / source).exists(), source
                assert any(PurePosixPath(source).is_relative_to(top) for top in sent()), source


def test_the_wheel_is_made_of_all_it_needs() -> None:
    project: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "LICENSE", "pyproject.toml"}
    copied = {word.rstrip("/") for arguments in given("wheel", "COPY") for word in arguments.split()[:-1]}
    assert copied == needed


def test_it_runs_as_an_ordinary_user_without_a_shell() -> None:
    (user,) = given("image", "USER")
    uid, gid = map(int, user.split(":"))
    assert min(uid, gid) > 0
    assert json.loads(given("image", "ENTRYPOINT")[0]) == ["knavtool"]
    assert json.loads(given("image", "CMD")[0]) == ["--help"]
    words = [word for word, _ in stages()["image"]]
    assert "RUN" not in words
    assert words.index("USER") > max(index for index, word in enumerate(words) if word == "COPY")


def test_nothing_is_fetched_unchecked() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "ADD" not in [word for word, _ in instructions()]
    assert not re.search(r"curl|wget|http", text)
