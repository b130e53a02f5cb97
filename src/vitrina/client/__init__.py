"""The client of the service, for programs that ask it for lists and tell it what happened: `Client`, and `AsyncClient` with the same methods to await.

What is sent carries ids that the client makes, and is sent again with the same ids until the service has acknowledged it: an event is kept once, however often
the line broke. `steps` decides what is asked and when it is asked again, `rows` makes JSON of what a caller gives; neither sends anything. It loads neither
NumPy nor Polars.
"""

from vitrina.base.errors import MissingExtraError

try:
    import httpx as _httpx  # noqa: F401
    import msgspec as _msgspec  # noqa: F401
except ImportError:
    raise MissingExtraError.of("httpx and msgspec", "client", "The client of the service") from None

from vitrina.client.clients import AsyncClient, Client
from vitrina.client.steps import ClientError, NotAcknowledgedError

__all__ = ["AsyncClient", "Client", "ClientError", "NotAcknowledgedError"]
