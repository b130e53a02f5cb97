"""`vitrina fit`: one model on all data, kept as an artifact."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.artifacts import Artifact
    from vitrina.base.executor import Executor
    from vitrina.cli.config import Plan
    from vitrina.data.dataset import Dataset
    from vitrina.protocols import Recommender
    from vitrina.service.training import Joined

SERVICE = "What a service kept"


def command(
    config: o.Config,
    model: Annotated[str, typer.Option(help="Name of a model in the config.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the artifact.", show_default=False)],
    start: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an artifact of the same model to go on from, by models that can: the log has grown since.", show_default=False
        ),
    ] = None,
    from_service: Annotated[
        str | None,
        typer.Option(
            help="Fit on what a service kept too: its state folder, or the address of its PostgreSQL.",
            rich_help_panel=SERVICE,
            show_default=False,
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose events of the service; by default 'default'.", rich_help_panel=SERVICE, show_default=False)
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help='Kinds of the service\'s events that count: "click,purchase"; by default those of the log.',
            rich_help_panel=SERVICE,
            show_default=False,
        ),
    ] = None,
    engine: o.Engine = "local",
    workers: o.Workers = 1,
    cluster: o.Cluster = None,
    trust: o.Trust = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the artifact of another model.")] = False,
    json: o.Json = False,
) -> None:
    """Fit one model of the config on all data and write an artifact that 'vitrina recommend' can use.

    A model with lists or ranges of parameters is fitted with the ones that 'vitrina compare' found. Networks keep each finished epoch in
    OUT.training until they are done: after an interruption the same command goes on. With --from-service the log and what a service kept since are one
    log, in which each event is once; the service may run meanwhile, and takes the artifact by POST /v1/models. Several workers go through the shards of
    an ingested log, and train a network together, of which each takes its part of every batch: their number changes the time and hardly the result.
    """
    from vitrina.cli import console
    from vitrina.cli.config import read_config
    from vitrina.jobs.engine import engine as executor

    plan = read_config(config, trust=trust)
    since, workers_of = _since(from_service, tenant, kinds), executor(engine, workers, cluster)
    kept = fit(plan, model, out, force=force, since=since, executor=workers_of, start=start, trust=trust)
    if json:
        console.print_json(
            {"artifact": out, "model": repr(kept.model), "events": kept.data.n_events, "users": kept.data.n_users, "notes": kept.notes}
        )
        return
    for sentence in kept.notes:
        console.note(sentence)
    trusting = " --trust" if kept.own_classes else ""
    example = kept.data.items.decode(kept.data.catalogue.by_popularity[:2]).to_list()
    console.out().print(
        f"Fitted {kept.model} on {kept.data.n_events:,} events of {kept.data.n_users:,} users. Artifact: {out}\n"
        f'Ask it with: vitrina recommend {out} --history "{",".join(map(str, example))}"{trusting}\n'
        f"Serve it with: vitrina serve {out}{trusting}",
        markup=False, soft_wrap=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """What was fitted, on what, and what the model says of itself."""

    model: Any
    data: Dataset
    notes: tuple[str, ...]
    own_classes: bool


@dataclass(frozen=True)
class Since:
    """What a service kept, as the command names it."""

    state: str
    tenant: str
    kinds: list[str] | None

    @property
    def shown(self) -> str:
        """The place, without a password."""
        from vitrina.service.settings import without_password

        return without_password(self.state) if "://" in self.state else str(Path(self.state).resolve())

    def joined(self, log: Dataset) -> Joined:
        """The log together with it."""
        from vitrina.base.errors import DataError
        from vitrina.service.training import opened, with_service

        if not log.in_memory:
            raise DataError(
                f"{log!r} is larger than memory, and what a service kept is put together with a log in memory. Fit on the ingested log alone, and "
                "load what was kept into it as files: vitrina ingest FILES --out DIR --load append"
            )
        return with_service(log, opened(self.state), tenant=self.tenant, kinds=self.kinds)


def fit(
    plan: Plan, model: str, out: Path, *, force: bool = False, log: Dataset | None = None, since: Since | None = None,
    executor: Executor | None = None, start: Path | None = None, trust: bool = False,
) -> Kept:  # fmt: skip
    """Fit a model of a config, or of its board, on all data, and write the artifact.

    Args:
        log: as it was read, where that has been done already.
        since: what a service kept, which is fitted on too.
        executor: who goes through shards, and trains.
        start: folder of an artifact that the fit goes on from.
        trust: an artifact of somebody's own class may be loaded.
    """
    from vitrina import artifacts
    from vitrina.artifacts.read import read_manifest
    from vitrina.base.executor import InProcess
    from vitrina.cli import outputs, results
    from vitrina.cli.log import events_fingerprint
    from vitrina.models.own import completed

    chosen = plan.under_rules(model, results.settled(plan, model))
    outputs.check_artifact(out, type(chosen).__name__, plan.source(), force=force)
    log = plan.log() if log is None else log
    if executor is not None and executor != InProcess():
        log = log.on(executor)
        _require_use_of_workers(chosen, log)
    joined = None if since is None else since.joined(log)
    data = plan.filtered(log if joined is None else joined.data)
    plan.check_rules(data, only=model)
    data = data.changed(repeat=plan.repeat(data)).on(log.executor)
    begun = None if start is None else artifacts.load(start, trust=trust)
    recommender = _fitted(chosen, model, data, out.with_name(f"{out.name}.training"), begun)
    source = {"read": plan.source(), "filters": plan.settings.filters, "fingerprint": events_fingerprint(log), "repeat": data.repeat}
    if since is not None and joined is not None:
        source["service"] = {"state": since.shown, "tenant": since.tenant, "last": joined.last, "events": dict(joined.events)}
    artifacts.save(recommender, out, model=chosen, data=data, metrics=results.metrics_of(plan, model), source=source, onnx=_has_onnx())
    notes = (*completed(recommender, data).notes, *(() if joined is None else joined.sentences))
    return Kept(chosen, data, notes, bool(read_manifest(out)["own_classes"]))


def _since(state: str | None, tenant: str | None, kinds: str | None) -> Since | None:
    """What is asked of a service; None where none is named."""
    from vitrina.base.errors import ParameterError

    if state is None:
        if kinds is not None or tenant is not None:
            raise ParameterError("--kinds and --tenant are about the events of a service. Name its state folder: --from-service STATE")
        return None
    return Since(state, tenant or "default", None if kinds is None else [kind.strip() for kind in kinds.split(",") if kind.strip()])


def _has_onnx() -> bool:
    """Whether sequence models can be written as graphs here."""
    return all(find_spec(package) is not None for package in ("onnx", "onnxruntime"))


def _fitted(model: Any, name: str, data: Dataset, training_state: Path, start: Artifact | None) -> Recommender:
    """Fit with a sign of life; a model that takes a checkpoint goes on from the one that an interrupted fit left."""
    from vitrina.cli import console

    takes = _parameters_of_fit(model)
    if training_state.exists() and "checkpoint" in takes:
        console.note(f"Going on from the training that was interrupted, kept in {training_state}.")
    with console.working(f"Fitting {name} on {data.n_events:,} events") as tell:
        long = {"report": tell, "checkpoint": training_state}  # of models that take long
        try:
            begun = {} if start is None else {"start": start}
            return model.fit(data, **begun, **{argument: value for argument, value in long.items() if argument in takes})
        except KeyboardInterrupt:
            if any(training_state.glob("*.npz")):
                console.note(f"The finished epochs are kept in {training_state}: the same command goes on from there.")
            raise


def _parameters_of_fit(model: Any) -> Collection[str]:
    """What the fit of a model takes; a re-ranked one hands on what its model takes."""
    return signature(_innermost(model).fit).parameters


def _innermost(model: Any) -> Any:
    from vitrina.rerank import Reranked

    while isinstance(model, Reranked):
        model = model.model
    return model


def _require_use_of_workers(model: Any, log: Dataset) -> None:
    """Refuse workers that would have nothing to do."""
    from vitrina.base.errors import ParameterError

    if log.in_memory and not getattr(_innermost(model), "takes_workers", False):
        raise ParameterError(
            f"{model!r} is fitted in one process on a log in memory. Leave --engine and --workers out; several workers train a network, and go through "
            "the shards of a log that 'vitrina ingest' wrote."
        )
