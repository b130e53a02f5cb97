"""Who calls: API keys of programs, sessions of people in the console, and what a service without keys demands instead."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from vitrina.service.problems import RefusedError
from vitrina.service.settings import HASHED, SCOPES, Key, Settings, is_local

COOKIE = "vitrina_session"
SESSION_SECONDS = 12 * 3600
SECRET = "session.secret"  # a file in the state folder
CHALLENGE = [(b"www-authenticate", b'Bearer realm="vitrina"')]
HOW = "Send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known: `name` is that of the key, and all that logs and the audit ever say."""

    name: str
    tenant: str
    scopes: frozenset[str]

    def check(self, scope: str) -> None:
        """Refuse what the key doesn't open.

        Raises:
            RefusedError: 403.
        """
        if scope not in self.scopes:
            raise RefusedError(
                403, f"The key {self.name!r} doesn't open this: it needs the scope {scope!r}. Ask the operator for a key with it."
            )


class Auth:
    """Keys of the settings, as hashes; the key itself is nowhere. Without keys everybody on this machine is the caller "local".

    Sessions of people are signed with a secret in the state folder, so that they outlive a restart; they end with their key, or after 12 hours.
    """

    def __init__(self, keys: Mapping[str, Key], tenants: tuple[str, ...], secret: bytes, origins: tuple[str, ...] = ()) -> None:
        self._callers = [
            (bytes.fromhex(key.hash.removeprefix(HASHED)), Caller(name, key.tenant, frozenset(key.scopes))) for name, key in keys.items()
        ]
        self._secret, self._origins = secret, origins
        self._ended: dict[str, float] = {}  # contents of sessions that were logged out, and when they would have ended anyway
        self.open = not keys
        self.local = Caller("local", tenants[0] if len(tenants) == 1 else "default", frozenset(SCOPES))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The keys of a service. Two of one service know the same sessions."""
        return cls(settings.keys, settings.tenants, _secret_in(Path(settings.state)), settings.origins)

    def caller_of(self, key: str) -> Caller | None:
        """Whose key it is. Its hash is compared with all of them, each in constant time: how long it takes tells nothing."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, caller in self._callers:
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Who sent a request with these headers.

        Raises:
            RefusedError: 401 without a key or with an unknown one; 403 where a service without keys is asked from elsewhere.
        """
        if self.open:
            self.check_place(headers)
            return self.local
        given = headers.get(b"x-api-key")
        if (authorization := headers.get(b"authorization")) is not None:
            scheme, _, bearer = authorization.partition(b" ")
            if scheme.lower() != b"bearer" or (given is not None and given.strip() != bearer.strip()):
                raise RefusedError(401, f"The request has no key that can be read, or two of them. {HOW}", headers=CHALLENGE)
            given = bearer
        if given is None:
            raise RefusedError(401, f"This service needs a key. {HOW}", headers=CHALLENGE)
        caller = self.caller_of(given.strip().decode("latin-1"))
        if caller is None:
            raise RefusedError(401, "The service doesn't know this key. Ask the operator for one.", headers=CHALLENGE)
        return caller

    def check_place(self, headers: Mapping[bytes, bytes]) -> None:
        """Where there are no keys, refuse what a page of another site might send through a browser of this machine: to a name that was bound to this
        address, or from another origin.

        Raises:
            RefusedError: 403.
        """
        if not self.open:
            return
        host = headers.get(b"host", b"").decode("latin-1")
        if not _is_here(host):
            raise RefusedError(
                403,
                f"The service has no keys and answers this machine alone, and was asked as {host[:256]!r}. Ask it as localhost, or give it keys.",
            )
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and origin.partition("://")[2] != host and origin not in self._origins:
            raise RefusedError(403, "The service has no keys and answers no page of another site. Name the site in 'origins'.")

    def session(self, caller: Caller, now: float | None = None) -> str:
        """The value of the cookie of somebody who logged in."""
        until = int((time.time() if now is None else now) + SESSION_SECONDS)
        content = urlsafe_b64encode(f"{until}:{secrets.token_hex(8)}:{caller.name}".encode()).decode()
        return f"{content}.{self._signed('session', content, caller)}"

    def caller_of_session(self, cookie: str | None, now: float | None = None) -> Caller | None:
        """Who has this cookie; None where it isn't ours, is too old, or its key is gone."""
        content, _, signature = (cookie or "").partition(".")
        if content in self._ended:
            return None
        with suppress(ValueError):  # of base64, of UTF-8, of a number: it isn't ours
            until, _, name = urlsafe_b64decode(content.encode("ascii")).decode().split(":", 2)
            known = self.local if self.open else next((caller for _, caller in self._callers if caller.name == name), None)
            fresh = int(until) > (time.time() if now is None else now)
            if (
                known is not None
                and known.name == name
                and fresh
                and hmac.compare_digest(self._signed("session", content, known), signature)
            ):
                return known
        return None

    def end_session(self, cookie: str) -> None:
        """A session that is logged out opens nothing any more, whoever has a copy of its cookie; this process knows so until it ends."""
        now = time.time()
        self._ended = {content: until for content, until in self._ended.items() if until > now} | {
            cookie.partition(".")[0]: now + SESSION_SECONDS
        }

    def form_token(self, cookie: str) -> str:
        """What every form of this session carries, so that no other site can send it."""
        return self._signed("form", cookie, None)

    def check_form(self, cookie: str, token: str) -> None:
        """Refuse a form that didn't come from a page of this session.

        Raises:
            RefusedError: 403.
        """
        if not hmac.compare_digest(self.form_token(cookie).encode(), token.encode("utf-8", "surrogateescape")):
            raise RefusedError(403, "This form is not from a page of your session. Open the page again, and send it from there.")

    def _signed(self, purpose: str, content: str, caller: Caller | None) -> str:
        own = next((digest for digest, one in self._callers if one is caller), b"")  # a new key of the same name ends old sessions
        return hmac.new(self._secret + own, f"{purpose}:{content}".encode(), "sha256").hexdigest()


def is_secure(scheme: str, forwarded: str | None) -> bool:
    """Whether a browser asked over TLS, which a proxy in front speaks and says so. Who lies about it does so about a cookie of its own.

    >>> is_secure("http", "https"), is_secure("https", None), is_secure("http", "https, http"), is_secure("http", None)
    (True, True, True, False)
    """
    return scheme == "https" or (forwarded or "").partition(",")[0].strip().lower() == "https"


def cookie_header(value: str, *, secure: bool = False) -> str:
    """The `Set-Cookie` of a session; an empty value ends it."""
    lifetime = SESSION_SECONDS if value else 0
    return f"{COOKIE}={value}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


@lru_cache(maxsize=64)
def _is_here(host: str) -> bool:
    """Whether a `Host` names this machine.

    >>> _is_here("localhost:8000"), _is_here("[::1]:8000"), _is_here("rebound.example"), _is_here("")
    (True, True, False, False)
    """
    try:
        return is_local(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _secret_in(state: Path) -> bytes:
    """The secret of sessions: made once, readable by the service alone."""
    path = state / SECRET
    state.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        staging = state / f"{SECRET}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(staging, path)  # refuses where another process was first
        finally:
            staging.unlink()
    return path.read_bytes()
