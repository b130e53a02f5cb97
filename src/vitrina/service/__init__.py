"""The service: recommendations over HTTP, feedback that is never lost, a console to look at.

`app` and `routes` speak HTTP, `pipeline` makes lists, `store` keeps events, `console` shows pages. Everything below them (models, re-rankers, rules, experiments)
is what the library has anyway.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitrina.service.service import Service
    from vitrina.service.settings import Settings

__all__ = ["Service", "Settings"]
PLACES = {"Service": "vitrina.service.service", "Settings": "vitrina.service.settings"}


def __getattr__(name: str) -> Any:
    """Names for who embeds a service, imported when they are used: they need the extra `serve`."""
    if name not in PLACES:
        raise AttributeError(f"module 'vitrina.service' has no attribute {name!r}")
    return getattr(import_module(PLACES[name]), name)
