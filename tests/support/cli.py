"""The command line as a user calls it: the installed script in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = Path(sys.executable).with_name("knavtool")


def run_cli(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    check: int | None = 0,
    timeout: float = 120,
    cwd: Path | None = None,
    stdin: str = "",
    script: Path = SCRIPT,
) -> subprocess.CompletedProcess[str]:
    """Run `knavtool ARGS` to its end; `env` is added to this process's environment.

    `check` is the exit code that is expected, None accepts every one. A call that takes too long is ended with all its
    children.
    """
    command = [str(script), *(str(arg) for arg in args)]
    with subprocess.Popen(
        command,
        env=os.environ | dict(env or {}),
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            sys.stderr.write(f"$ {' '.join(command)}\n{out}\n{err}\n")
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    said = f"$ {' '.join(command)}\nexit code {done.returncode}\n--- stdout\n{out}\n--- stderr\n{err}"
    assert check is None or done.returncode == check, f"expected exit code {int(check or 0)}\n{said}"
    assert "Traceback (most recent call last)" not in err, said
    return done
