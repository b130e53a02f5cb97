"""What other systems lack is asked for only where it is there."""

import subprocess
import sys

WITHOUT = """
import signal, sys
import psutil  # which knows where it is
from pathlib import Path
sys.modules["resource"] = None  # as on Windows
del signal.SIGKILL
import vitrina.board.compare, vitrina.diagnose.run, vitrina.cli.main
from vitrina.jobs import processes, worker
class Memory:
    peak_wset = 5
psutil.Process = lambda: type("P", (), {"memory_info": lambda self: Memory()})()
def none(*a, **b):
    raise OSError
Path.read_text = none
assert worker.peak_bytes() == 5
assert processes._result(-9, Path("/nowhere"), None)["status"] == "out of memory"
"""


def test_comparing_needs_no_module_that_windows_lacks():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_peak_memory_is_that_of_the_process():
    from vitrina.jobs.worker import peak_bytes

    assert 20e6 < peak_bytes() < 20e9
