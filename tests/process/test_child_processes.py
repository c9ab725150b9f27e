"""Workers never outlive the process that started them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pipeline.child_processes import exit_with_parent
import os, time

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, get_context("spawn"), initializer=exit_with_parent)
    print(*{pool.submit(time.sleep, 0.2) and pool.submit(os.getpid).result() for _ in range(4)}, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_of_a_killed_parent_leave(tmp_path: Path) -> None:
    """A parent killed outright leaves no worker behind with its models in memory."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    )
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert workers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if running(pid)]


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
