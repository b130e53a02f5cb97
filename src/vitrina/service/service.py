"""The service without HTTP: a store, tenants with their scenarios, and what measures them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from vitrina.service.tenant import Tenant

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset
    from vitrina.service.metrics import Metrics
    from vitrina.service.settings import Settings
    from vitrina.service.store.store import Store


class Service:
    """Everything that answers, made from settings. `await Service.open(settings)`, and at the end `await service.close()`."""

    def __init__(self, settings: Settings, store: Store, tenants: Mapping[str, Tenant], metrics: Metrics) -> None:
        self.settings = settings
        self.store = store
        self.tenants = dict(tenants)
        self.metrics = metrics

    @classmethod
    async def open(cls, settings: Settings, *, logs: Mapping[str, Dataset] = {}) -> Self:
        """Open the store, fill histories, load the models and warm them.

        Args:
            logs: histories at the start, by tenant; the store's own events come after them.

        Raises:
            ArtifactError: a model of the settings is damaged.
            StoreUnavailableError: the database can't be reached.
        """
        raise NotImplementedError

    @property
    def not_ready(self) -> list[str]:
        """Why it can't serve, in sentences; empty where it can."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        return not self.not_ready

    async def close(self) -> None:
        """Write what is queued, and close the store."""
        raise NotImplementedError
