"""Training by several processes: what each needs lies in a folder, and the executor of the log starts them."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from vitrina.base.device import training_device
from vitrina.base.errors import ArtifactError, ParameterError, VitrinaError
from vitrina.base.executor import Executor, InProcess, StartsTogether
from vitrina.sequence import windows
from vitrina.sequence.checkpoint import read_state, write_state
from vitrina.sequence.embed import Rows
from vitrina.sequence.fitting import WINDOWS, Fitting, Known
from vitrina.sequence.group import Group, Member, join
from vitrina.sequence.judges import Judges
from vitrina.sequence.negatives import Pool
from vitrina.sequence.network import Network
from vitrina.sequence.recommender import Answering
from vitrina.sequence.train import Progress

if TYPE_CHECKING:
    from vitrina.sequence.model import SequenceModel

BEGIN, END, TOLD, STOP, MEETING = "begin.npz", "end.npz", "progress.jsonl", "stop", "meeting"
LOOK = 0.2  # seconds between two looks at what the first process tells


def trained(
    fitting: Fitting, executor: Executor, folder: Path | None, report: Callable[[Progress], None] | None, checkpoint: Path | None,
    epochs: int | None = None,
) -> Progress:  # fmt: skip
    """Train here, or by the workers of an executor, whose weights then are those of the fitting.

    Args:
        folder: where workers find what they need, on a disk that all of them see; emptied by whoever made it.
    """
    if isinstance(executor, InProcess):
        return fitting.run(report, checkpoint, epochs).run()
    assert folder is not None
    lesson = Lesson.of(fitting, folder, checkpoint, epochs)
    with _heard(folder, report):
        _start(executor, lesson)
    state = read_state(folder / END)
    fitting.network.load_state_dict({name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")})
    progress = Progress(epochs or fitting.model.training.epochs, fitting.model.training.metric)
    progress.restore(state)
    return progress


@final
@dataclass(frozen=True, eq=False)
class Lesson:
    """One run as it goes to a process: light, as windows and weights lie in `folder`."""

    folder: Path
    checkpoint: Path | None
    epochs: int | None
    model: SequenceModel
    known: Known
    judges: Judges | None
    rows: Rows
    answering: Answering
    network: Network  # without numbers

    @classmethod
    def of(cls, fitting: Fitting, folder: Path, checkpoint: Path | None, epochs: int | None) -> Lesson:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (END, TOLD, STOP, MEETING):  # of a run that was killed
            (folder / name).unlink(missing_ok=True)
        if not (folder / WINDOWS).exists():  # a log in shards has written them there
            windows.kept(fitting.windows, folder / WINDOWS)
        write_state({name: value.detach().cpu() for name, value in _numbers(fitting.network, fitting.pool.counts).items()}, folder / BEGIN)
        judges = None if fitting.judges is None else fitting.judges.alone()
        network = copy.deepcopy(fitting.network).to("meta")
        return cls(folder, checkpoint, epochs, fitting.model, fitting.known, judges, fitting.rows, fitting.answering, network)

    def learn(self, group: Group) -> None:
        """The whole run of one process, in step with the others; the first one keeps the checkpoint, tells how far it is and writes the end."""
        if not (self.folder / BEGIN).exists():
            raise ArtifactError(
                f"A worker doesn't see {self.folder}, where windows and weights lie. Give the fit a 'checkpoint' in a folder that all machines share."
            )
        fitting = self._fitting(group)
        run = fitting.run(None if group.rank else self._tell, self.checkpoint, self.epochs)
        run.run()
        if not group.rank:
            write_state(
                {name: value for name, value in run.state().items() if name.startswith(("network.", "progress."))}, self.folder / END
            )

    def _fitting(self, group: Group) -> Fitting:
        device, state = training_device(), read_state(self.folder / BEGIN)
        network = self.network.to_empty(device=device)
        counts = torch.empty(state["counts"].shape, device=device)
        with torch.no_grad():
            for name, value in _numbers(network, counts).items():
                value.copy_(state[name])
        recent, pool = windows.opened(self.folder / WINDOWS), Pool(counts, torch.Generator())
        return Fitting(self.model, self.known, self.judges, self.rows, recent, network, pool, self.answering, group)

    def _tell(self, progress: Progress) -> None:
        if (self.folder / STOP).exists():
            raise KeyboardInterrupt
        with (self.folder / TOLD).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress)) + "\n")


def _numbers(network: nn.Module, counts: Tensor) -> dict[str, Tensor]:
    """Weights, buffers (also those that an artifact leaves out) and counts by name."""
    return {"counts": counts, **dict(network.named_parameters()), **dict(network.named_buffers())}


@final
@dataclass(frozen=True, eq=False)
class Seat:
    """The run of a process by its number, among so many that meet at an address."""

    lesson: Lesson
    world: int
    meeting: str

    def __call__(self, rank: int) -> BaseException | None:
        try:
            self.lesson.learn(join(rank, self.world, self.meeting))
        except (Exception, KeyboardInterrupt) as error:
            return error
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()
        return None


def learn(lesson: Lesson) -> None:
    """The run of a process in which torch.distributed is set up."""
    lesson.learn(Member())


def _start(executor: Executor, lesson: Lesson) -> None:
    """Run the processes to their end.

    Raises:
        VitrinaError: what one of them refused.
        MemoryBudgetError: one was ended by the system; the others end with it.
        ParameterError: they lost each other.
    """
    if isinstance(executor, StartsTogether):
        executor.together(learn, lesson, lesson.folder)
        return
    meeting = (lesson.folder / MEETING).resolve().as_uri()
    errors = [error for error in executor.map(Seat(lesson, executor.workers, meeting), range(executor.workers)) if error is not None]
    for error in errors:
        if isinstance(error, VitrinaError):
            raise error
    if errors:
        raise ParameterError(f"The {executor.workers} processes of the training lost each other: {errors[0]}. Start it again.") from errors[
            0
        ]


@contextmanager
def _heard(folder: Path, report: Callable[[Progress], None] | None) -> Iterator[None]:
    """Hand on, while the block runs, what the first process tells after each epoch. Where `report` raises, the processes end after the next one."""
    if report is None:
        yield
        return
    over, failures = threading.Event(), list[BaseException]()
    listening = threading.Thread(target=_listen, args=(folder, report, over, failures), daemon=True)
    listening.start()
    try:
        yield
    finally:
        over.set()
        listening.join()
        if failures:
            raise failures[0]


def _listen(folder: Path, report: Callable[[Progress], None], over: threading.Event, failures: list[BaseException]) -> None:
    told, path = 0, folder / TOLD
    while True:
        last = over.wait(LOOK)
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        try:
            for line in lines[told:]:
                report(Progress(**json.loads(line)))
        except BaseException as error:
            failures.append(error)
            (folder / STOP).touch()
            return
        told = len(lines)
        if last:
            return
