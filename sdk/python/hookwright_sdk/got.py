"""What a plugin gives back: plain values as the contract's. A mistake is told with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar

from wit_world.imports import types

from . import Failure

T = TypeVar("T")

_PLACES: dict[str, Callable[[str], types.Placement]] = {
    "basic": types.Placement_Basic,
    "header": types.Placement_Header,
    "query": types.Placement_Query,
    "json_body": types.Placement_JsonBody,
    "form_body": types.Placement_FormBody,
}
_DECISIONS: dict[str, Callable[[], types.Decision]] = {
    "by_status": types.Decision_ByStatus,
    "delivered": types.Decision_Delivered,
    "retry": types.Decision_Retry,
    "rejected": types.Decision_Rejected,
    "uncertain": types.Decision_Uncertain,
    "disable": types.Decision_Disable,
}


def outcome(value: Any) -> types.Outcome:
    made = _object(value, "the outcome", ("requests", "skip"))
    if "skip" in made:
        return types.Outcome_Skip(_text(made["skip"], "skip"))
    return types.Outcome_Deliver(_each(made.get("requests"), "requests", _request))


def failure(failure: Failure) -> types.Failure:
    wait = _maybe(_whole, failure.retry_after_ms, "retry_after_ms")
    return types.Failure(_text(failure.code, "code"), _text(failure.message, "message"), wait, [])


def verdict(value: Any) -> types.Verdict:
    names = ("decision", "message", "wait_ms", "link", "facts", "items")
    made = _object({"decision": "by_status"} if value is None else value, "the verdict", names)
    facts = made.get("facts") or {}
    return types.Verdict(
        decision=_decision(made.get("decision"), "decision"),
        message=_maybe(_text, made.get("message"), "message"),
        wait_ms=_maybe(_whole, made.get("wait_ms"), "wait_ms"),
        link=_maybe(_text, made.get("link"), "link"),
        facts=[(_text(key, "facts"), _maybe(_text, fact, f"facts[{key!r}]")) for key, fact in facts.items()],
        items=_each(made.get("items") or [], "items", _item),
        meta=[],
    )


def _request(value: Any, at: str) -> types.Request:
    names = ("label", "method", "path", "query", "headers", "body", "credentials", "correlation")
    made = _object(value, at, names)
    return types.Request(
        label=_text(made.get("label", ""), f"{at}.label"),
        method=_text(made.get("method", "POST"), f"{at}.method"),
        path=_each(made.get("path", []), f"{at}.path", _text),
        query=_fields(made.get("query", {}), f"{at}.query"),
        headers=_fields(made.get("headers", {}), f"{at}.headers"),
        body=_body(made.get("body"), f"{at}.body"),
        credentials=_each(made.get("credentials", []), f"{at}.credentials", _credential),
        correlation=_maybe(_text, made.get("correlation"), f"{at}.correlation"),
        meta=[],
    )


def _body(value: Any, at: str) -> types.Body:
    if value is None:
        return types.Body_None_()
    made = _object(value, at, ("json", "text", "form", "bytes", "content_type"))
    if "json" in made:
        return types.Body_Json(_json(made["json"]))
    if "text" in made:
        return types.Body_Text(_text(made["text"], f"{at}.text"))
    if "form" in made:
        return types.Body_Form(_fields(made["form"], f"{at}.form"))
    data = made.get("bytes")
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError(f"{at} has none of json, text, form and bytes")
    return types.Body_Bytes(types.Content(_text(made.get("content_type"), f"{at}.content_type"), bytes(data), []))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _credential(value: Any, at: str) -> types.Credential:
    made = _object(value, at, ("in", "name", "secret", "value"))
    place = made.get("in")
    if place == "bearer":
        placement: types.Placement = types.Placement_Bearer()
    elif place in _PLACES:
        placement = _PLACES[place](_text(made.get("name"), f"{at}.name"))
    else:
        raise TypeError(f"{at}.in is {place!r}, none of bearer, {', '.join(_PLACES)}")
    parts = made.get("value", [{"secret": made.get("secret")}])
    return types.Credential(placement, _each(parts, f"{at}.value", _credential_part), [])


def _credential_part(value: Any, at: str) -> types.CredentialPart:
    made = _object(value, at, ("literal", "secret"))
    if "literal" in made:
        return types.CredentialPart_Literal(_text(made["literal"], f"{at}.literal"))
    return types.CredentialPart_Secret(_text(made.get("secret"), f"{at}.secret"))


def _item(value: Any, at: str) -> types.Item:
    made = _object(value, at, ("label", "decision", "message", "link"))
    return types.Item(
        label=_text(made.get("label"), f"{at}.label"),
        decision=_decision(made.get("decision"), f"{at}.decision"),
        message=_maybe(_text, made.get("message"), f"{at}.message"),
        link=_maybe(_text, made.get("link"), f"{at}.link"),
        meta=[],
    )


def _decision(value: Any, at: str) -> types.Decision:
    if value not in _DECISIONS:
        raise TypeError(f"{at} is {value!r}, none of {', '.join(_DECISIONS)}")
    return _DECISIONS[value]()


def _wrong(at: str, wanted: str, value: Any) -> TypeError:
    return TypeError(f"{at} is of the type {type(value).__name__}, not {wanted}")


def _text(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise _wrong(at, "str", value)
    return value


def _whole(value: Any, at: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{at} is {value!r}, no whole number")
    return value


def _maybe(read: Callable[[Any, str], T], value: Any, at: str) -> Optional[T]:
    return None if value is None else read(value, at)


def _each(value: Any, at: str, read: Callable[[Any, str], T]) -> list[T]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise _wrong(at, "a list", value)
    return [read(item, f"{at}[{index}]") for index, item in enumerate(value)]


def _object(value: Any, at: str, names: Sequence[str]) -> Mapping[str, Any]:
    """A dictionary that has no other names than these, so that a mistyped one is noticed."""
    if not isinstance(value, Mapping):
        raise _wrong(at, "a dictionary", value)
    for name in value:
        if name not in names:
            raise TypeError(f"{at} has {name!r}, but may only have {', '.join(names)}")
    return value


def _fields(value: Any, at: str) -> list[types.Field]:
    pairs = list(value.items()) if isinstance(value, Mapping) else _each(value, at, _pair)
    return [types.Field(_text(name, at), _text(content, f"{at}[{name!r}]")) for name, content in pairs]


def _pair(value: Any, at: str) -> tuple[Any, Any]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) != 2:
        raise _wrong(at, "a pair", value)
    return value[0], value[1]
