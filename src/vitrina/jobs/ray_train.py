"""Workers of a Ray cluster that start together, by Ray Train: those that train one network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from vitrina.base.errors import MemoryBudgetError, MissingExtraError, ParameterError, VitrinaError
from vitrina.base.threads import environment

T = TypeVar("T")
QUIET = {"RAY_TRAIN_ENABLE_STATE_TRACKING": "0", "RAY_AIR_NEW_OUTPUT": "0"}  # no pages and tables of its own on the terminal
ENDED = {
    "ActorDiedError",
    "ActorUnavailableError",
    "WorkerCrashedError",
    "NodeDiedError",
    "OutOfMemoryError",
    "WorkerHealthCheckFailedError",
}


def together(function: Callable[[T], None], item: T, folder: Path, *, workers: int, gpus: bool) -> None:
    """`function(item)` in every worker of a `TorchTrainer`, with torch.distributed set up: NCCL where each has a GPU, gloo elsewhere.

    Raises:
        MissingExtraError: ray's library for training isn't installed.
        MemoryBudgetError: a worker was ended; the others end with it.
        VitrinaError: what a worker refused.
        ParameterError: anything else that ended a worker.
    """
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: PLC0415  an extra, and slow to import
        from ray.train.torch import TorchTrainer  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError.of("ray[train]", "ray", "Training by the workers of Ray") from None
    with environment(QUIET):
        trainer = TorchTrainer(
            _in_worker, train_loop_config={"function": function, "item": item},
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus, resources_per_worker={"CPU": 1, "GPU": int(gpus)}),
            run_config=RunConfig(storage_path=str(folder.resolve() / "ray"), failure_config=FailureConfig(max_failures=0)),
        )  # fmt: skip
        try:
            trainer.fit()
        except Exception as error:
            raise _said(error) from error


def _in_worker(config: dict[str, Any]) -> None:
    config["function"](config["item"])


def _said(error: Exception) -> VitrinaError:
    """What the workers say of their end, those first that refused something."""
    failures = list(getattr(error, "worker_failures", {}).values()) or [error]
    causes = [cause for failure in failures for cause in _causes(failure)]
    for cause in causes:
        if isinstance(cause, VitrinaError):
            return cause
    if any(type(cause).__name__ in ENDED for cause in causes):
        return MemoryBudgetError(
            "A worker of the training was ended, most likely because memory ran out or its node was lost. Start it again: where it has a folder for "
            "its state it goes on from the last finished epoch."
        )
    last = causes[-1]
    first_line = (str(last).strip().splitlines() or ["no message"])[0]
    return ParameterError(f"The workers of the training ended with {type(last).__name__}: {first_line.rstrip('.')}. Start it again.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came of, outermost first."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [getattr(one, "cause", None), one.__cause__, getattr(one, "base_exc", None)]
