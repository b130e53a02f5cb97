"""How a service is set up: one frozen record, whether it came from a file, the environment, a command or code."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, final
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, model_validator

from vitrina.base.config import Config, Days, Names
from vitrina.base.errors import ParameterError
from vitrina.experiments import Experiment
from vitrina.language.endpoint import Endpoint
from vitrina.rerank.base import RerankerConfig
from vitrina.rerank.rules.ruled import Rules

Scope = Literal["recommend", "events", "catalogue", "models", "people", "read"]
SCOPES: tuple[Scope, ...] = ("recommend", "events", "catalogue", "models", "people", "read")
HASHED = "sha256:"
DEFAULT = "default"  # the tenant, and the scenario, that nobody named

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.-]+$")]  # it becomes part of a path, an address and a metric
Folder = Annotated[Path, Field(strict=False)]
Port = Annotated[int, Field(ge=0, le=65535)]


def new_key() -> str:
    """A key of 256 random bits, as a client sends it.

    >>> len(new_key()), new_key() == new_key()
    (46, False)
    """
    return "vt_" + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What is kept of a key. It is random, so that a plain hash can't be turned back.

    >>> hash_of("vt_secret")[:17]
    'sha256:9a678de0ef'
    """
    return HASHED + hashlib.sha256(key.encode()).hexdigest()


def is_local(host: str) -> bool:
    """Whether nobody but this machine can come to an address.

    >>> is_local("localhost"), is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("shop.example")
    (True, True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@final
class Key(Config):
    """What a client may do.

    Args:
        hash: "sha256:" and 64 hex digits, as `hash_of` gives: the key itself is kept nowhere.
        scopes: what it opens: "recommend", "events", "catalogue" (items and people), "models" (load, roll back), "people" (erase), "read" (the console).
        tenant: whose data it sees; all others are as if they were not there.
    """

    hash: str
    scopes: Annotated[tuple[Scope, ...], Field(strict=False, min_length=1)] = SCOPES
    tenant: Name = DEFAULT

    @model_validator(mode="after")
    def _hashed(self) -> Self:
        if not re.fullmatch(HASHED + "[0-9a-f]{64}", self.hash):  # what came is not shown: it may be a key
            raise ParameterError(
                f"The 'hash' of a key is {HASHED!r} and 64 hex digits. Make a key with: vitrina key NAME", parameter="hash"
            )
        return self

    def __repr__(self) -> str:
        return f"Key(scopes={self.scopes}, tenant={self.tenant!r})"

    __str__ = __repr__


@final
class AnswerSettings(Config):
    """How questions are answered from what a scenario's model finds: see `vitrina.answers.Answerer`.

    Args:
        model: the language model behind an endpoint; without one the answer is extracted: the best sentences of the best items.
        columns: of items that are read; all by default.
        title: the column that names an item, where it isn't a usual one.
        instructions: to the model, in your own words: what is offered here, and to whom.
        k: items that are looked at in the first round.
        rounds: of searching again, at most.
        budget: tokens of one context.
    """

    model: Endpoint | None = None
    columns: Names | None = None
    title: str | None = None
    instructions: str | None = None
    k: int = Field(default=5, ge=1, le=100)
    rounds: int = Field(default=2, ge=0, le=10)
    budget: int = Field(default=6000, ge=200)


@final
class ScenarioSettings(Config):
    """A place where lists are shown.

    Args:
        artifact: folder of the fitted model.
        tenant: whose it is.
        name: in requests; by default that of its table. Two tenants may use one name.
        rules: kept in every list.
        rerank: another order, within the rules.
        candidates: of which the best are put into another order, and the reserve from which gaps are filled.
        repeat: may people get what they had; by default as the model was fitted for.
        budget_ms: a source that takes longer is skipped, and counted.
        answers: questions are answered here, from what the model finds.
        trust: may the artifact hold classes of your own, whose code runs then.
    """

    artifact: Folder
    tenant: Name = DEFAULT
    name: Name | None = None
    rules: Rules | None = None
    rerank: RerankerConfig | None = None
    candidates: int = Field(default=200, ge=1, le=100_000)
    repeat: bool | None = None
    budget_ms: float = Field(default=250.0, gt=0)
    answers: AnswerSettings | None = None
    trust: bool = False

    @model_validator(mode="after")
    def _one_set_of_rules(self) -> Self:
        if self.rules is not None and (isinstance(self.rerank, Rules) or (self.rules.then is not None and self.rerank is not None)):
            raise ParameterError("A scenario has its rules, and one order within them. Put all rules into 'rules'.", parameter="rerank")
        return self

    @property
    def reranker(self) -> RerankerConfig | None:
        """The rules with the order within them, as one."""
        if self.rules is None or self.rerank is None:
            return self.rules or self.rerank
        return self.rules.model_copy(update={"then": self.rerank})


@final
class ServedExperiment(Config):
    """An experiment in the path of recommendations.

    Args:
        experiment: who is in which arm.
        scenario: where it runs, by the key of the scenario.
        arms: what serves each arm; an arm that isn't named is served as the scenario is.
    """

    experiment: Experiment
    scenario: Name = DEFAULT
    arms: Mapping[str, ScenarioSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _arms_are_there(self) -> Self:
        for arm in self.arms:
            if arm not in self.experiment.arms:
                raise ParameterError(
                    f"The experiment {self.experiment.name!r} has no arm {arm!r}. Its arms: {', '.join(self.experiment.arms)}.",
                    parameter="arms",
                )
        return self


@final
class Limits(Config):
    """What one client may ask of the service; beyond it the answer is 429 (too many) or 413 (too large).

    Args:
        rate: requests per second of one key; without it only the queue bounds them.
        burst: requests that may come at once before the rate counts.
        body: bytes of a request.
        batch: rows in a batch of events, items or people.
        depth: brackets within brackets of a request's JSON.
        waiting: requests that may wait for the model; the next is told to come back.
        seconds: a request that takes longer is given up with 503.
        any_year: times before 1990 are taken as they are.
    """

    rate: float | None = Field(default=None, gt=0)
    burst: int = Field(default=100, ge=1)
    body: int = Field(default=2 << 20, ge=1024)
    batch: int = Field(default=1000, ge=1, le=1000)
    depth: int = Field(default=16, ge=2, le=100)
    waiting: int = Field(default=1000, ge=1)
    seconds: float = Field(default=10.0, gt=0)
    any_year: bool = False


@final
class Keeping(Config):
    """How long things are kept, and when they move from the database into Parquet files.

    Args:
        seal: days that a file covers: what was accepted before the running ones is sealed.
        events: days after which events are deleted; None keeps them.
        shown: the same of what was shown.
        rejected: the same of rows that were refused.
        every: seconds between two looks at what is due.
    """

    seal: Days = 1.0
    events: Days | None = None
    shown: Days | None = 90.0
    rejected: Days | None = 30.0
    every: float = Field(default=60.0, gt=0)


@final
class Telemetry(Config):
    """Where traces go (OpenTelemetry over HTTP); without an endpoint there are none, and they cost nothing.

    Args:
        endpoint: "http://collector:4318".
        name: what the service is called there.
        share: of the requests that are traced.
    """

    endpoint: str | None = None
    name: str = "vitrina"
    share: float = Field(default=1.0, gt=0, le=1)


@final
class Settings(Config):
    """All of a service.

    Args:
        scenarios: by name.
        host: address to listen on. On another than this machine's own, keys are demanded.
        port: 0 takes a free one.
        admin_host: address of the health checks and metrics.
        admin_port: their port; None leaves them to the main one's health checks, without metrics.
        state: folder of what the service keeps; by default beside the artifact.
        store: "sqlite" (in the state folder), or "postgresql://user:password@host/name".
        models: folders from which another model may be loaded; by default those that hold the artifacts of the scenarios.
        histories: from the "log" that the artifact names, or from the "store" alone.
        kinds: of the events that come in, those that become part of histories; by default those that the log has, and where it has no kinds all but
            "impression".
        keys: by name; the name is what logs and the audit say.
        origins: sites whose pages may call the API from a browser (CORS): "https://shop.example". None by default.
        experiments: by name.
        stop_seconds: how long requests that run may take to end when the service stops.
        logs: "json" lines, "text" for people, or "auto": text on a terminal.

    Raises:
        ParameterError: no scenario, no key on an open address, things that don't go together.

    >>> Settings(scenarios={"default": ScenarioSettings(artifact="model")}).state
    PosixPath('model.service')
    """

    scenarios: Mapping[Name, ScenarioSettings] = Field(min_length=1)
    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 8000
    admin_host: str = Field(default="127.0.0.1", min_length=1)
    admin_port: Port | None = 8001
    state: Folder = Path("vitrina.service")  # where no artifact says better
    store: str = "sqlite"
    models: Annotated[tuple[Folder, ...], Field(strict=False)] = ()
    histories: Literal["log", "store"] = "log"
    kinds: Names = ()
    keys: Mapping[Name, Key] = Field(default_factory=dict)
    origins: Names = ()
    experiments: Mapping[Name, ServedExperiment] = Field(default_factory=dict)
    limits: Limits = Limits()
    keep: Keeping = Keeping()
    telemetry: Telemetry = Telemetry()
    stop_seconds: float = Field(default=20.0, gt=0)
    logs: Literal["auto", "json", "text"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _state_is_beside(cls, given: Any) -> Any:
        scenarios = given.get("scenarios")
        if given.get("state") is not None or not isinstance(scenarios, Mapping) or not scenarios:
            return given
        first = scenarios.get(DEFAULT, next(iter(scenarios.values())))
        artifact = first.artifact if isinstance(first, ScenarioSettings) else Path("vitrina")
        return {**given, "state": beside(artifact)}

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if not self.keys and not is_local(self.host):
            raise ParameterError(
                f"On {self.host} others can come to the service, so that it needs a key. Make one with: vitrina key NAME", parameter="host"
            )
        if self.store != "sqlite" and urlsplit(self.store).scheme not in ("postgresql", "postgres"):  # it may hold a password: not shown
            raise ParameterError(
                "The store is 'sqlite', or the address of a database: postgresql://user:password@host/name", parameter="store"
            )
        if self.admin_port and self.admin_port == self.port:
            raise ParameterError(
                f"The service and its metrics can't share the port {self.port}. Give another admin_port.", parameter="admin_port"
            )
        self._check_scenarios()
        return self

    def _check_scenarios(self) -> None:
        named = [(one.tenant, one.name or key) for key, one in self.scenarios.items()]
        for tenant, name in named:
            if named.count((tenant, name)) > 1:
                raise ParameterError(f"The tenant {tenant!r} has two scenarios {name!r}. Give each its own name.", parameter="scenarios")
        for key, served in self.experiments.items():
            if served.scenario not in self.scenarios:
                raise ParameterError(
                    f"The experiment {key!r} is to run in the scenario {served.scenario!r}, and there is none. Known: {', '.join(self.scenarios)}.",
                    parameter="experiments",
                )

    def __repr__(self) -> str:
        return f"Settings({', '.join(self.scenarios)} at {self.host}:{self.port}, store={without_password(self.store)!r}, state={str(self.state)!r})"

    __str__ = __repr__

    def model_folders(self, tenant: str) -> tuple[Path, ...]:
        """Folders from which a tenant may load another model: those of `models`, or those that hold its artifacts."""
        arms = [arm for served in self.experiments_of(tenant).values() for arm in served.arms.values()]
        return self.models or tuple(dict.fromkeys(one.artifact.resolve().parent for one in (*self.of_tenant(tenant).values(), *arms)))

    @property
    def tenants(self) -> tuple[str, ...]:
        """All that have a scenario or a key, sorted."""
        return tuple(sorted({one.tenant for one in (*self.scenarios.values(), *self.keys.values())}))

    def of_tenant(self, tenant: str) -> dict[str, ScenarioSettings]:
        """The scenarios of a tenant, by their names in requests."""
        return {one.name or key: one for key, one in self.scenarios.items() if one.tenant == tenant}

    def experiments_of(self, tenant: str) -> dict[str, ServedExperiment]:
        """The experiments that run in scenarios of a tenant."""
        return {key: one for key, one in self.experiments.items() if self.scenarios[one.scenario].tenant == tenant}

    def name_of(self, scenario: str) -> str:
        """What requests call the scenario of this key."""
        return self.scenarios[scenario].name or scenario


def beside(artifact: Path) -> Path:
    """The state folder of a service that has an artifact and no more.

    >>> beside(Path("models/model"))
    PosixPath('models/model.service')
    """
    return artifact.with_name(f"{artifact.name}.service")


def without_password(address: str) -> str:
    """An address as it may be shown.

    >>> without_password("postgresql://ann:secret@db:5432/shop")
    'postgresql://ann@db:5432/shop'
    """
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    who, _, where = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{who.partition(':')[0]}@{where}", query=""))
