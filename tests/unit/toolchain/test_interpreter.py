"""Programs that are the Python that runs knavtool."""

from __future__ import annotations

import sys
from pathlib import Path

from knavtool.events import Steps
from knavtool.toolchain.pins import read_programs
from knavtool.toolchain.resolve import Source, Toolchain

PROGRAMS = read_programs({"ours": {"interpreter": True}}, version="1.0.0")


async def test_it_is_there_without_being_looked_for(tmp_path: Path) -> None:
    toolchain = Toolchain(cache=tmp_path, programs=PROGRAMS, offline=True, sources=())
    found = await toolchain.ensure(["ours"], steps=Steps(lambda _: None))
    assert found == {"ours": Path(sys.executable)}
    location = await toolchain.locate("ours")
    assert (location.source, location.path) == (Source.EXPLICIT, Path(sys.executable))


async def test_another_one_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("")
    other.chmod(0o755)
    toolchain = Toolchain(cache=tmp_path, programs=PROGRAMS, explicit={"ours": other})
    assert await toolchain.ensure(["ours"], steps=Steps(lambda _: None)) == {"ours": other}
