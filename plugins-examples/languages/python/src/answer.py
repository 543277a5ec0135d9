"""What the tracker's answers mean: it answers errors with 200 too."""

from typing import Any, Optional

from hookwright_sdk import Exchange, SentRequest, Verdict

DEAD = ("token_expired", "token_revoked")


def interpret(exchange: Exchange, config: dict[str, Any]) -> Optional[Verdict]:
    request, response = exchange.request, exchange.response
    answer = response.json()
    if response.status == 404:
        return gone(request)
    if not isinstance(answer, dict):
        return None
    if answer.get("error"):
        return failed(answer["error"])
    if not answer.get("issue"):
        return None
    made = answer["issue"]
    return {"decision": "delivered", "link": made.get("url"), "facts": {str(request.correlation): str(made["id"])}}


def gone(request: SentRequest) -> Optional[Verdict]:
    """Somebody deleted the issue that was to be edited."""
    if request.method != "PATCH":
        return None
    message = "The issue is not there any more; the next event makes a new one."
    return {"decision": "rejected", "message": message, "facts": {str(request.correlation): None}}


def failed(error: dict[str, Any]) -> Verdict:
    code, message = error["code"], error.get("message")
    if code == "busy":
        return {"decision": "retry", "message": message, "wait_ms": error.get("retry_after_s", 10) * 1000}
    if code in DEAD:
        return {"decision": "disable", "message": f"The tracker does not accept the token: {message}"}
    return {"decision": "rejected", "message": f"The tracker refused the issue: {message or code}"}
