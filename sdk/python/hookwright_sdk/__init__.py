"""What plugins in Python are written against.

A plugin is a module ``plugin`` with

    def transform(event: Event, config: dict, webhook: Webhook) -> Outcome: ...
    def interpret(exchange: Exchange, config: dict) -> Verdict | None: ...   # with [interpreter] in plugin.toml

Outcomes and verdicts are plain dictionaries: an outcome is what ``expect`` in a golden case says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, Mapping, Optional, Sequence, TypedDict, Union

__all__ = [
    "Body",
    "Credential",
    "Event",
    "Exchange",
    "Failure",
    "Item",
    "Outcome",
    "Request",
    "Response",
    "SentRequest",
    "Verdict",
    "Webhook",
]


class Failure(Exception):
    """Raised by a plugin that cannot make anything of an event, for a reason that a person can mend."""

    def __init__(self, code: str, message: str, retry_after_ms: Optional[int] = None) -> None:
        """``code`` is a stable name for programs, ``message`` one sentence for the person who can mend it. With
        ``retry_after_ms`` the plugin runs again after so long; without it the delivery is parked."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True)
class Event:
    """Something that happened at the provider. Times are RFC 3339 in UTC with milliseconds."""

    id: str
    """``evt_…``, the same on every retry and replay."""
    kind: str
    """The event type, for example ``ticket.created``."""
    occurred_at: str
    received_at: str
    project: str
    """``prj_…``"""
    subject: Optional[str]
    """What the event is about, for example a ticket's id."""
    content_type: str
    """Media type of the payload."""
    payload: Union[str, bytes, None]
    """What the provider posted, byte for byte, at most 1 MiB: ``str`` if it is UTF-8. None for a manual trigger without
    an event."""
    attributes: Mapping[str, str]
    """Further attributes that the provider set, for example CloudEvents extensions."""
    trigger: str
    """Why this delivery exists: ``event``, ``manual``, ``test``, ``schedule`` or ``reprocess``."""
    delivery_id: str
    """``dlv_…``, stable over retries: make idempotency keys from it."""

    def json(self) -> Any:
        """The payload as JSON; raises ``Failure`` with the code ``payload.missing`` or ``payload.invalid``."""
        if self.payload is None:
            raise Failure("payload.missing", "The event has no payload.")
        if isinstance(self.payload, bytes):
            raise Failure("payload.invalid", "The payload is not text.")
        try:
            return json.loads(self.payload)
        except ValueError as error:
            raise Failure("payload.invalid", f"The payload is not JSON: {error}") from None


@dataclass(frozen=True)
class Webhook:
    """The webhook on whose behalf the plugin runs. Its URL and its secrets are not here."""

    id: str
    """``whk_…``"""
    name: str
    """What its owner calls it; may be empty."""


Fields = Union[Mapping[str, str], Sequence[Sequence[str]]]
"""Names with values: a dictionary, or pairs where order or repetition matters."""


class Body(TypedDict, total=False):
    """One of these; ``content_type`` with ``bytes``."""

    json: Any
    text: str
    form: Fields
    bytes: bytes
    content_type: str


class CredentialPart(TypedDict, total=False):
    """One of these."""

    literal: str
    secret: str


_Placed = TypedDict(
    "_Placed", {"in": Literal["bearer", "basic", "header", "query", "json_body", "form_body"], "name": str}, total=False
)


class Credential(_Placed, total=False):
    """A secret's place in a request, with a ``name`` unless it is ``bearer``. The plugin names secrets and never sees
    them: ``secret`` is one, ``value`` several with text between them."""

    secret: str
    value: Sequence[CredentialPart]


class Request(TypedDict, total=False):
    """One HTTP request for the server to send, below the webhook's URL."""

    label: str
    """A short name for people, at most 200 characters."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    """``POST`` if nothing is said."""
    path: Sequence[str]
    """Segments below the webhook's URL, encoded by the server. None: exactly the registered URL."""
    query: Fields
    headers: Fields
    body: Optional[Body]
    credentials: Sequence[Credential]
    correlation: Optional[str]
    """The key under which ``interpret`` may remember facts of the answer, for example ``ticket:42``."""


class Outcome(TypedDict, total=False):
    """What becomes of an event: one of these. To fail, raise ``Failure``."""

    requests: Sequence[Request]
    skip: str


@dataclass(frozen=True)
class SentRequest:
    """A request, as the plugin made it, without its credentials."""

    label: str
    method: str
    path: Sequence[str]
    query: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]]
    body: Optional[Body]
    correlation: Optional[str]


@dataclass(frozen=True)
class Response:
    """What the receiver answered; secrets are replaced by their names."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case, without ``set-cookie``."""
    body: Union[str, bytes]
    """At most 256 KiB of the body."""
    truncated: bool
    """Whether the body was longer."""
    elapsed_ms: int

    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Exchange:
    """One request with its answer."""

    webhook: Webhook
    event_id: str
    kind: str
    subject: Optional[str]
    delivery_id: str
    request: SentRequest
    attempt: int
    """1 for the first attempt."""
    response: Response


class Item(TypedDict, total=False):
    """What became of one of several things that a request carried."""

    label: str
    decision: Literal["delivered", "rejected"]
    message: Optional[str]
    link: Optional[str]


class Verdict(TypedDict, total=False):
    """What an answer means; None is the same as the decision ``by_status``."""

    decision: Literal["by_status", "delivered", "retry", "rejected", "uncertain", "disable"]
    message: Optional[str]
    """One sentence for people."""
    wait_ms: Optional[int]
    """How long to wait before the next attempt."""
    link: Optional[str]
    """Where a person finds what was made: http or https."""
    facts: Mapping[str, Optional[str]]
    """What to remember, by key; None forgets."""
    items: Sequence[Item]
    """What became of each item when the request carried several."""
