"""What a plugin is given: the contract's values as plain ones."""

from __future__ import annotations

import json
from typing import Any, Optional

from wit_world.imports import types

from . import Body, Event, Exchange, Failure, Response, SentRequest, Webhook


def event(given: types.Event) -> Event:
    return Event(
        id=given.id,
        kind=given.kind,
        occurred_at=given.occurred_at,
        received_at=given.received_at,
        project=given.project,
        subject=given.subject,
        content_type=given.content_type,
        payload=_payload(given.payload),
        attributes=dict(_pairs(given.attributes)),
        trigger=given.trigger,
        delivery_id=given.delivery_id,
    )


def webhook(subscription: types.Subscription) -> Webhook:
    return Webhook(id=subscription.webhook_id, name=subscription.name)


def config(subscription: types.Subscription) -> Any:
    try:
        return json.loads(subscription.configuration or "{}")
    except ValueError as error:
        raise Failure("config.invalid", f"The configuration is not JSON: {error}") from None


def exchange(given: types.Exchange) -> Exchange:
    return Exchange(
        webhook=webhook(given.subscription),
        event_id=given.event_id,
        kind=given.kind,
        subject=given.subject,
        delivery_id=given.delivery_id,
        request=_request(given.request),
        attempt=given.attempt,
        response=_response(given.response),
    )


def _pairs(fields: list) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields]


def _payload(payload: Optional[types.Payload]) -> Any:
    """Text, bytes, or nothing that this version knows."""
    known = isinstance(payload, (types.Payload_Text, types.Payload_Binary))
    return payload.value if known else None


def _request(given: types.Request) -> SentRequest:
    return SentRequest(
        label=given.label,
        method=given.method,
        path=given.path,
        query=_pairs(given.query),
        headers=_pairs(given.headers),
        body=_body(given.body),
        correlation=given.correlation,
    )


def _body(given: types.Body) -> Optional[Body]:
    if isinstance(given, types.Body_Json):
        return {"json": json.loads(given.value)}
    if isinstance(given, types.Body_Text):
        return {"text": given.value}
    if isinstance(given, types.Body_Form):
        return {"form": _pairs(given.value)}
    if isinstance(given, types.Body_Bytes):
        return {"bytes": given.value.data, "content_type": given.value.content_type}
    return None


def _response(given: types.Response) -> Response:
    body = _payload(given.body)
    return Response(
        status=given.status,
        headers=dict(_pairs(given.headers)),
        body="" if body is None else body,
        truncated=given.truncated,
        elapsed_ms=given.elapsed_ms,
    )
