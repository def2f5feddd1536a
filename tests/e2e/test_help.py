"""What `--help` says, and what it must not load to say it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from support.cli import SCRIPT, commands, run_cli

# Options that act at once and change nothing have no variable; a variable that always prints the help would be a trap.
IMMEDIATE = {"--help", "--version", "--install-completion", "--show-completion"}
HEAVY = (
    "kubernetes",
    "pyhelm3",
    "jsonschema",
    "aiohttp",
    "ruamel",
    "yaml",
    "rich",
    "cryptography",
    "orjson",
    "fastapi",
    "uvicorn",
    "pydantic",
)


ALL = commands()


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(words) or "knavtool")
def test_help_names_the_variable_of_every_option(words: tuple[str, ...]) -> None:
    told = re.sub(r"\s+", "", run_cli(*words, "--help").stdout)
    for parameter in ALL[words].params:
        names = {name for name in parameter.opts if name.startswith("--")}
        if not names or names & IMMEDIATE:
            continue
        variables = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or [])
        assert variables, f"{names} has no environment variable"
        for variable in variables:
            assert variable.startswith("KNAVTOOL_")
            assert f"envvar:{variable}" in told, f"the help of {names} does not name {variable}"


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(words) or "knavtool")
def test_every_command_and_option_is_explained(words: tuple[str, ...]) -> None:
    command = ALL[words]
    assert command.help, "the command has no help"
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{parameter.opts} has no help"


def test_the_commands_are_imported_when_they_are_called() -> None:
    code = "import sys, knavtool.cli.app; print([name for name in sys.modules if name == 'knavtool.cli.run'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_loads_nothing_heavy() -> None:
    probe = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('\\n'.join(sorted(sys.modules)), file=sys.stderr))\n"
        "sys.argv = ['knavtool', '--help']\n"
        "from knavtool.cli import app\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in loaded, "the probe does not see what is loaded"
    assert not loaded & set(HEAVY)


def test_a_wrong_option_is_one_message_and_exit_code_2() -> None:
    done = run_cli("nodes", "list", "--no-such-option", check=2)
    assert "--no-such-option" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_the_help_is_what_the_command_line_prints(columns: str) -> None:
    env = {**os.environ, "COLUMNS": columns}
    printed = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
        for code in (
            "import sys; sys.argv = ['knavtool', '--help']; from knavtool.__main__ import main; main()",
            "import sys; sys.argv = ['knavtool', '--help']; from knavtool.cli import app; app.main()",
        )
    ]
    assert printed[0] == printed[1]
    assert max(map(len, printed[0].splitlines()[:-12])) <= int(columns)


def test_help_whose_reader_goes_away_is_141() -> None:
    with subprocess.Popen([SCRIPT, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 141
