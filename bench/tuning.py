"""`python -m bench.tuning`: what each group of settings of the local engine gives.

1,000 Jobs of one pod to their completion on 200 nodes, in seconds, on a new control plane per figure: with no group,
with each group alone, with all but that one, and with all. The table is in docs/tuning.md.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench import plane
from bench.jobs import jobs
from bench.nodes import nodes
from bench.setting import Setting, programs, tell
from knavtool.engines.local.control_plane.settings import GROUPS

_NODES = 200
_JOBS = 1_000


def main() -> None:
    """The number of runs is the only argument."""
    repeat = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    choices = ["none", *GROUPS, "all", *(",".join(name for name in GROUPS if name != left_out) for left_out in GROUPS)]
    samples: dict[str, list[float]] = {choice: [] for choice in choices}
    with tempfile.TemporaryDirectory(prefix="knavtool-bench-", ignore_cleanup_errors=True) as directory:
        setting = Setting(repeat=repeat, quick=False, directory=Path(directory), programs=programs())
        work = jobs(setting, _JOBS, suspend=False)
        where = nodes(setting, _NODES)
        # Each choice once per round, so that what slows the machine down for a while slows all of them.
        for number in range(repeat):
            for choice in choices:
                with plane.new(setting, tuning=choice) as control:
                    control.bare(where.present)
                    samples[choice].append(control.bare(work.complete))
                tell(f"round {number + 1}: {choice} {samples[choice][-1]:.1f} s")
    medians = {choice: statistics.median(seconds) for choice, seconds in samples.items()}
    print("| group | alone | without it |")
    print("|---|---|---|")
    print(f"| none, all | {medians['none']:.1f} s | {medians['all']:.1f} s |")
    for name in GROUPS:
        others = ",".join(other for other in GROUPS if other != name)
        print(f"| {name} | {medians[name]:.1f} s | {medians[others]:.1f} s |")


if __name__ == "__main__":
    main()
