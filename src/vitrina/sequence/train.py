"""One small training loop: early stopping on a validation metric, best weights, resume, same seed same result."""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
import polars as pl
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from vitrina.base.config import Config
from vitrina.base.device import repeatable
from vitrina.base.errors import ParameterError
from vitrina.metrics import metric
from vitrina.protocols import Metric
from vitrina.sequence.checkpoint import read_state, write_state
from vitrina.sequence.group import ALONE, Group

EPOCHS = {"epoch": pl.Int64, "loss": pl.Float64, "metric": pl.String, "value": pl.Float64}


class Schedule(Config, ABC):
    """The learning rate as a share of its peak, over the steps of a run."""

    @abstractmethod
    def share(self, epoch: float, epochs: int) -> float:
        """`epoch` counts from 0 and may have a fraction; `epochs` is the longest the run may take."""


@final
class Constant(Schedule):
    """Always the peak."""

    def share(self, epoch: float, epochs: int) -> float:
        return 1.0


@final
class WarmupCosine(Schedule):
    """Up in a straight line over `warmup` epochs, then down half a cosine to `floor` at epoch `until` (the last one when None)."""

    warmup: float = Field(default=1.0, ge=0)
    until: int | None = Field(default=None, gt=0)
    floor: float = Field(default=0.05, ge=0, le=1)

    def share(self, epoch: float, epochs: int) -> float:
        if epoch < self.warmup:
            return min(1.0, max(epoch, 0.02) / self.warmup)
        end = self.until or epochs
        gone = min(1.0, (epoch - self.warmup) / max(end - self.warmup, 1e-9))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * gone))


@final
class Training(Config):
    """How a network is trained.

    Args:
        epochs: the most passes over the windows.
        patience: epochs without a better validation metric before stopping; None never stops early, and holds nothing back by itself.
        learning_rate: the peak. The default is eSASRec's; SASRec's and BERT4Rec's blocks want 3e-3 on a large log.
        weight_decay: of AdamW, on matrices only.
        tokens: real tokens per batch, of all processes together where several train (`data.on(executor)`): their number changes no result.
        schedule: of the learning rate.
        average: the weights that are judged and kept are an average over about the last this share of all steps so far, with a tail that
            falls as a power of the step; 0 keeps the last step's. [Karras et al. 2024](https://arxiv.org/abs/2312.02696), section 3.1.
        metric: of the validation, on the full ranking.
        judges: at most that many people are asked after each epoch.
        refit: when validation holds back more than this share of the events, the network is trained again on all of them, from the
            same start and for as many epochs as were best; 1 never does.
        clip: largest norm of the gradient; None doesn't clip.
    """

    epochs: int = Field(default=36, gt=0)
    patience: int | None = Field(default=10, gt=0)
    learning_rate: float = Field(default=5e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    beta2: float = Field(default=0.98, gt=0, lt=1)
    tokens: int = Field(default=2048, gt=0)
    schedule: Schedule = Constant()
    average: float = Field(default=0.15, ge=0, le=1)
    metric: str = "nDCG@10"
    judges: int = Field(default=5000, gt=0)
    refit: float = Field(default=0.05, ge=0, le=1)
    clip: float | None = Field(default=None, gt=0)

    @field_validator("metric")
    @classmethod
    def _of_queries(cls, name: str) -> str:
        judge = metric(name)
        if not isinstance(judge, Metric) or judge.lower_is_better or judge.needs & {"vectors", "values"}:
            raise ValueError(
                "a metric with a value for each query, of which more is better and which needs neither vectors nor values, such as nDCG@10"
            )
        return name


@dataclass
class Progress:
    """Where a run stands; what a checkpoint holds beside the weights. Prints as one line."""

    epochs: int = 0  # the most there will be
    metric: str = ""
    epoch: int = 0
    best_epoch: int = 0
    best: float = -math.inf
    losses: list[float] = field(default_factory=list)
    metrics: list[float] = field(default_factory=list)
    events: int = 0  # targets learned from, over all epochs
    seconds: float = 0.0
    steps: int = 0  # of the optimiser

    def tensors(self) -> dict[str, Tensor]:
        """What of it changes, as a checkpoint keeps it."""
        numbers = [self.epoch, self.best_epoch, self.best, self.events, self.seconds, self.steps]
        named = {"numbers": numbers, "losses": self.losses, "metrics": self.metrics}
        return {f"progress.{name}": torch.tensor(values, dtype=torch.float64) for name, values in named.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Stand where `tensors` was asked."""
        epoch, best_epoch, self.best, events, self.seconds, steps = state["progress.numbers"].tolist()
        self.epoch, self.best_epoch, self.events, self.steps = int(epoch), int(best_epoch), int(events), int(steps)
        self.losses, self.metrics = (state[f"progress.{name}"].tolist() for name in ("losses", "metrics"))

    @property
    def table(self) -> pl.DataFrame:
        """epoch, loss, metric, value: of each epoch that a validation judged."""
        judged = len(self.metrics)
        return pl.DataFrame(
            {"epoch": range(1, judged + 1), "loss": self.losses[:judged], "metric": [self.metric] * judged, "value": self.metrics},
            schema=EPOCHS,
        )

    def __str__(self) -> str:
        left = self.seconds / max(self.epoch, 1) * (self.epochs - self.epoch)
        judged = f", {self.metric} {self.metrics[-1]:.4f} (best {self.best:.4f} in epoch {self.best_epoch})" if self.metrics else ""
        speed = f"{self.events / max(self.seconds, 1e-9):,.0f} events/s, {self.seconds:.0f} s, at most {left:.0f} s left"
        return f"epoch {self.epoch} of {self.epochs}: loss {self.losses[-1] if self.losses else math.nan:.4f}{judged}, {speed}"


class Counted(Protocol):
    """What can be gone through, and says beforehand how many it has."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...


@final
class Run:
    """A training run: `step` gives a batch's loss, `batches` an epoch's batches, `validate` the metric of `judged`'s weights.

    Args:
        epochs: end after so many, with the schedule of `training.epochs`; None is all of them.
        checkpoint: file that is written after each epoch and gone on from where it exists.
        group: the processes that train together, of which each has a run of its own; `step` gives their shares of the loss.
    """

    def __init__(
        self,
        network: nn.Module,
        training: Training,
        batches: Callable[[np.random.Generator], Counted],
        step: Callable[[Any], Tensor],
        validate: Callable[[], float] | None,
        seed: int,
        report: Callable[[Progress], None] | None = None,
        epochs: int | None = None,
        checkpoint: Path | None = None,
        group: Group = ALONE,
    ) -> None:
        self.network, self.training, self.batches, self.step, self.group = network, training, batches, step, group
        self.validate, self.seed, self.report, self.checkpoint = validate, seed, report, checkpoint
        matrices = [p for p in network.parameters() if p.dim() > 1]
        vectors = [p for p in network.parameters() if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, training.beta2), fused=True)
        self.progress = Progress(epochs or training.epochs, training.metric)
        self.averaged: list[Tensor] = [p.detach().clone() for p in network.parameters()] if training.average else []
        self.best_weights: dict[str, Tensor] = {}

    def run(self) -> Progress:
        """Train until patience or epochs end; leaves the best weights in the network, or the last ones where nothing judged them.

        Raises:
            ParameterError: the loss is no longer a number.
        """
        device = next(self.network.parameters()).device
        with torch.random.fork_rng(devices=self._devices()), repeatable(device):  # what others draw stays as it was
            return self._run()

    def _run(self) -> Progress:
        plan, progress = self.training, self.progress
        if self.checkpoint is not None and self.checkpoint.exists():
            self.restore(read_state(self.checkpoint))
        while progress.epoch < progress.epochs:
            if plan.patience and progress.best_epoch and progress.epoch - progress.best_epoch >= plan.patience:
                break
            began = time.perf_counter()
            progress.losses.append(self._epoch())
            progress.epoch += 1
            if self.validate is not None:
                self._judge()
            progress.seconds += time.perf_counter() - began
            if self.checkpoint is not None and not self.group.rank:
                write_state(self.state(), self.checkpoint)
            if self.report is not None:
                self.report(progress)
        if self.best_weights:
            self.network.load_state_dict(self.best_weights)
        elif self.averaged:
            self._swap()
        return progress

    def _epoch(self) -> float:
        # the generators depend on the epoch alone, so that a resumed run draws what an uninterrupted one would
        rng = np.random.default_rng([self.seed, self.progress.epoch])
        seed = int(rng.integers(1 << 62))
        torch.manual_seed(seed)
        self.network.train()
        batches, parameters = self.batches(rng), list(self.network.parameters())
        total = weight = 0.0
        for number, batch in enumerate(batches):
            share = self.training.schedule.share(self.progress.epoch + number / len(batches), self.training.epochs)
            for group in self.optimiser.param_groups:
                group["lr"] = self.training.learning_rate * share
            self.group.begin(seed + number)
            loss = self.step(batch)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            value = self.group.sum(parameters, loss)
            if self.training.clip:
                nn.utils.clip_grad_norm_(parameters, self.training.clip)
            self.optimiser.step()
            self.progress.steps += 1
            self._average()
            if not math.isfinite(value):
                raise self._diverged(value)
            total, weight = total + value * len(batch.targets), weight + len(batch.targets)
        self.progress.events += int(weight)
        return total / weight

    def _diverged(self, loss: float) -> ParameterError:
        return ParameterError(
            f"The training diverged: in epoch {self.progress.epoch + 1} the loss is {loss}. Take a lower 'learning_rate' of Training "
            f"than {self.training.learning_rate:g}, or set its 'clip', for example to 1."
        )

    def _devices(self) -> list[torch.device]:
        """The GPUs that the network is on."""
        return sorted({p.device for p in self.network.parameters() if p.is_cuda}, key=str)

    @torch.no_grad()
    def _average(self) -> None:
        share = 1 / max(1.0, self.training.average * self.progress.steps)
        for averaged, parameter in zip(self.averaged, self.network.parameters() if self.averaged else (), strict=True):
            averaged.lerp_(parameter, share)

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange the network's weights and their average, if one is kept."""
        for averaged, parameter in zip(self.averaged, self.network.parameters() if self.averaged else (), strict=True):
            current = parameter.detach().clone()
            parameter.copy_(averaged)
            averaged.copy_(current)

    def _judge(self) -> None:
        assert self.validate is not None
        self.network.eval()
        self._swap()
        value = self.validate()
        self.progress.metrics.append(value)
        if value > self.progress.best:
            self.progress.best, self.progress.best_epoch = value, self.progress.epoch
            self.best_weights = copy.deepcopy(self.network.state_dict())
        self._swap()

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, as tensors that share nothing with the run."""
        out = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        out |= {f"best.{n}": t for n, t in self.best_weights.items()}
        out |= {f"averaged.{index}": t for index, t in enumerate(self.averaged)}
        for index, parameter in enumerate(self.network.parameters()):
            for name, value in self.optimiser.state.get(parameter, {}).items():
                out[f"optimiser.{index}.{name}"] = value.detach().clone().reshape(value.shape or (1,))
        out |= self.progress.tensors()
        return {name: t.cpu().contiguous().clone() for name, t in out.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t.clone() for n, t in state.items() if n.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.best_weights = part("best.")
        averaged = part("averaged.")
        for index, parameter in enumerate(self.network.parameters()):
            if averaged:
                self.averaged[index].copy_(averaged[str(index)])
            saved = part(f"optimiser.{index}.")
            if saved:
                on_device = {name: value.to(parameter.device) for name, value in saved.items()}
                self.optimiser.state[parameter] = on_device | {"step": on_device["step"].reshape(())}
        self.progress.restore(state)
