"""Every public module is there in a process that has used nothing else: names are loaded late, and another import may hide that one is missing."""

import subprocess
import sys
from types import ModuleType

import vitrina as vt


def test_public_modules_are_there_by_themselves():
    modules = [name for name in vt.__all__ if isinstance(getattr(vt, name), ModuleType)]
    assert {"decay", "graph", "inverse", "split"} <= set(modules)
    started = {
        name: subprocess.Popen([sys.executable, "-c", f"import vitrina; vitrina.{name}"], stderr=subprocess.PIPE, text=True)
        for name in modules
    }
    said = {name: process.communicate(timeout=120)[1] for name, process in started.items()}
    assert {name: said[name] for name, process in started.items() if process.returncode} == {}
