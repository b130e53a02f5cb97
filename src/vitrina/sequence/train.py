"""One small training loop: early stopping on a validation metric, best weights, resume, same seed same result."""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from vitrina.config import Config
from vitrina.metrics import metric


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
            return max(epoch, 0.02) / self.warmup
        end = self.until or epochs
        gone = min(1.0, (epoch - self.warmup) / max(end - self.warmup, 1e-9))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * gone))


@final
class Training(Config):
    """How a network is trained.

    Args:
        epochs: the most passes over the windows.
        patience: epochs without a better validation metric before stopping; None never stops early.
        learning_rate: the peak.
        weight_decay: of AdamW, on matrices only.
        tokens: real tokens a batch.
        schedule: of the learning rate.
        metric: of the validation, on the full ranking.
        clip: largest norm of the gradient; None doesn't clip.
    """

    epochs: int = Field(default=100, gt=0)
    patience: int | None = Field(default=10, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    beta2: float = Field(default=0.98, gt=0, lt=1)
    tokens: int = Field(default=2048, gt=0)
    schedule: Schedule = Constant()
    metric: str = "nDCG@10"
    clip: float | None = Field(default=None, gt=0)

    @field_validator("metric")
    @classmethod
    def _of_queries(cls, name: str) -> str:
        if not hasattr(metric(name), "per_query"):
            raise ValueError("a metric with a value for each query, such as nDCG@10")
        return name


@dataclass
class Progress:
    """Where a run stands; what a checkpoint holds beside the weights."""

    epoch: int = 0
    best_epoch: int = 0
    best: float = -math.inf
    losses: list[float] = field(default_factory=list)
    metrics: list[float] = field(default_factory=list)
    seconds: float = 0.0


@final
class Run:
    """A training run: `step` gives a batch's loss, `batches` an epoch's batches, `validate` the metric of the present weights."""

    def __init__(
        self,
        network: nn.Module,
        training: Training,
        batches: Callable[[np.random.Generator], Any],
        step: Callable[[Any], Tensor],
        validate: Callable[[], float] | None,
        seed: int,
        report: Callable[[Progress], None] | None = None,
    ) -> None:
        self.network, self.training, self.batches, self.step = network, training, batches, step
        self.validate, self.seed, self.report = validate, seed, report
        matrices = [p for p in network.parameters() if p.dim() > 1]
        vectors = [p for p in network.parameters() if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, training.beta2), fused=True)
        self.progress = Progress()
        self.best_weights: dict[str, Tensor] = {}

    def run(self) -> Progress:
        """Train until patience or epochs end; leaves the best weights in the network."""
        plan, progress = self.training, self.progress
        while progress.epoch < plan.epochs:
            if plan.patience and progress.best_epoch and progress.epoch - progress.best_epoch >= plan.patience:
                break
            began = time.perf_counter()
            progress.losses.append(self._epoch())
            progress.epoch += 1
            if self.validate is not None:
                self._judge()
            progress.seconds += time.perf_counter() - began
            if self.report is not None:
                self.report(progress)
        if self.best_weights:
            self.network.load_state_dict(self.best_weights)
        return progress

    def _epoch(self) -> float:
        # the generators depend on the epoch alone, so that a resumed run draws what an uninterrupted one would
        rng = np.random.default_rng([self.seed, self.progress.epoch])
        torch.manual_seed(int(rng.integers(1 << 62)))
        self.network.train()
        batches = list(self.batches(rng))
        total = weight = 0.0
        for number, batch in enumerate(batches):
            rate = self.training.learning_rate * self.training.schedule.share(
                self.progress.epoch + number / len(batches), self.training.epochs
            )
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            loss = self.step(batch)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if self.training.clip:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip)
            self.optimiser.step()
            total, weight = total + float(loss.detach()) * len(batch.targets), weight + len(batch.targets)
        return total / weight

    def _judge(self) -> None:
        assert self.validate is not None
        self.network.eval()
        value = self.validate()
        self.progress.metrics.append(value)
        if value > self.progress.best:
            self.progress.best, self.progress.best_epoch = value, self.progress.epoch
            self.best_weights = copy.deepcopy(self.network.state_dict())

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, as tensors that share nothing with the run."""
        out = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        out |= {f"best.{n}": t for n, t in self.best_weights.items()}
        for index, parameter in enumerate(self.network.parameters()):
            for name, value in self.optimiser.state.get(parameter, {}).items():
                out[f"optimiser.{index}.{name}"] = value.detach().clone().reshape(value.shape or (1,))
        for name in ("losses", "metrics"):
            out[f"progress.{name}"] = torch.tensor(getattr(self.progress, name), dtype=torch.float64)
        p = self.progress
        out["progress.numbers"] = torch.tensor([p.epoch, p.best_epoch, p.best, p.seconds], dtype=torch.float64)
        return {name: t.contiguous().clone() for name, t in out.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t.clone() for n, t in state.items() if n.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.best_weights = part("best.")
        for index, parameter in enumerate(self.network.parameters()):
            saved = part(f"optimiser.{index}.")
            if saved:
                self.optimiser.state[parameter] = {n: t.reshape(()) if n == "step" else t for n, t in saved.items()}
        epoch, best_epoch, best, seconds = state["progress.numbers"].tolist()
        self.progress = Progress(
            int(epoch), int(best_epoch), best, state["progress.losses"].tolist(), state["progress.metrics"].tolist(), seconds
        )
