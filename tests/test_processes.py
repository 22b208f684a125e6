"""Which process of several speaks, and that none outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from overpaint.cli.processes import is_first


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "1", "LOCAL_RANK": "0"}, False),  # torchrun, the second node
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "1"}, True),  # torchrun under srun gives its own ranks
        ({"LOCAL_RANK": "1"}, False),  # started by Lightning
        ({"LOCAL_RANK": "1", "SLURM_PROCID": "0"}, False),  # the same in an allocation of SLURM
        ({"NODE_RANK": "1"}, False),  # the second machine of two, started by hand
        ({"SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, True),
        ({"SLURM_PROCID": "3", "SLURM_LOCALID": "0"}, False),
        ({"LOCAL_RANK": ""}, True),
    ],
)
def test_the_first_of_several_processes(environment: dict[str, str], first: bool) -> None:
    assert is_first(environment) is first


def test_a_process_ends_with_the_one_that_started_it() -> None:
    child = (
        "import os, sys, time\n"
        "from overpaint.cli.processes import end_with_parent\n"
        "end_with_parent()\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    parent = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    environment = {**os.environ, "LOCAL_RANK": "1"}
    first = subprocess.Popen(
        [sys.executable, "-c", parent], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    number = int(first.stdout.readline())
    first.send_signal(signal.SIGKILL)
    _, said = first.communicate(timeout=30)  # returns once the child has closed its ends, too
    assert "the process that started this one has ended" in said
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")
