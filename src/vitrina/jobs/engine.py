"""Who runs a job, from the words of the command line: `--engine local|ray --workers N --cluster ADDRESS`."""

from __future__ import annotations

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.executor import Executor, local
from vitrina.jobs.ray import Ray

ENGINES = ("local", "ray")


def engine(name: str = "local", workers: int = 1, cluster: str | None = None) -> Executor:
    """The executor of these words.

    Args:
        name: "local" or "ray".
        workers: how many parts run at a time.
        cluster: the address of a running Ray cluster; None: one is started on this machine.
    Raises:
        UnknownNameError: there is no such engine.
        ParameterError: no worker, or an address for the local engine.

    >>> engine("local", 2)
    Processes(workers=2)
    """
    if name not in ENGINES:
        raise UnknownNameError.of("engine", name, ENGINES)
    if name == "ray":
        return Ray(cluster, workers)
    if cluster is not None:
        raise ParameterError("A cluster is for the engine 'ray'. Got --cluster with --engine local.", parameter="cluster", value=cluster)
    return local(workers)
