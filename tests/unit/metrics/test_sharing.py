"""What processes of a tree count is one view, whoever of them is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]

COUNTING = """
import os, signal
from common.metrics import meters, sharing
from common.jobs import Item, ItemStatus

folder = sharing.begin()

def child(count):
    pid = os.fork()
    if pid == 0:
        for _ in range(count):
            meters().item(Item(0, "a").ended(ItemStatus.INDEXED, "x"))
        meters().items_in_progress.inc(count)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)

child(2)
child(3)
meters().items_in_progress.inc(1)
print(sharing.counted().decode())
print("folder", folder)
"""


def test_counts_of_a_killed_child_stay_and_what_it_had_under_way_goes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNTING], cwd=REPO, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert 'needle_items_total{status="indexed"} 5.0' in lines
    assert "needle_index_items_in_progress 1.0" in lines
    (folder,) = [line.split()[1] for line in lines if line.startswith("folder")]
    assert not Path(folder).exists()  # it goes with its process


AT_ONCE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from common.metrics import meters

sys.setswitchinterval(1e-6)
gate = threading.Barrier(8)

def first(_):
    gate.wait()
    return id(meters())

with ThreadPoolExecutor(8) as pool:
    print(len(set(pool.map(first, range(8)))))
"""


def test_threads_that_count_first_at_the_same_moment_share_what_they_count() -> None:
    done = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=REPO, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


KILLED = """
import os, signal
from common.metrics import sharing

print(sharing.begin(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folder_of_a_killed_process_is_removed_by_the_next() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=REPO, capture_output=True)
    folder = Path(killed.stdout.decode().strip())
    assert folder.exists() and folder.stat().st_mode & 0o077 == 0
    subprocess.run(
        [sys.executable, "-c", "from common.metrics import sharing; sharing.begin()"],
        cwd=REPO,
        check=True,
    )
    assert not folder.exists()
