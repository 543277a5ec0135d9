"""Keeps an issue for each ticket: made once, then edited.

The webhook's URL is the tracker's API, say https://tracker.example.com/api; issues are posted to ``/issues`` below it.
"""

from datetime import datetime, timezone
from typing import Any, Optional

from hookwright_sdk import Event, Outcome, Webhook
from hookwright_sdk.memory import recall

from answer import interpret

__all__ = ["interpret", "transform"]

KINDS = ("ticket.created", "ticket.updated", "ticket.status_changed")


def transform(event: Event, config: dict[str, Any], webhook: Webhook) -> Outcome:
    if event.payload is None:
        return {"skip": "Without an event there is no ticket."}
    if event.kind not in KINDS:
        return {"skip": f"There is no issue for {event.kind}."}
    payload = event.json()
    ticket = payload["ticket"]
    known = recall(f"ticket:{ticket['id']}")
    print(f"{ticket['id']} has no issue yet" if known is None else f"{ticket['id']} is issue {known}")
    status = payload.get("to") or ticket.get("status")
    return {
        "requests": [
            {
                "label": f"issue: {ticket['title']}"[:200],
                "method": "POST" if known is None else "PATCH",
                "path": ["issues"] if known is None else ["issues", known],
                "body": {"json": issue(ticket, status, payload.get("actor"), config)},
                "credentials": [{"in": "bearer", "secret": "token"}],
                "correlation": f"ticket:{ticket['id']}",
            }
        ]
    }


def issue(ticket: dict[str, Any], status: Optional[str], actor: Optional[str], config: dict[str, Any]) -> dict[str, Any]:
    facts = {"Status": status, "Priority": ticket.get("priority"), "Changed by": actor}
    lines = "\n".join(f"{name}: {value}" for name, value in facts.items() if value)
    return {
        "project": config["project"],
        "title": " ".join(filter(None, [ticket.get("key"), ticket["title"]])),
        "text": "\n\n".join(filter(None, [ticket.get("description"), lines])),
        "state": "closed" if status in config.get("done", ["done", "closed"]) else "open",
        "labels": ticket.get("labels", []),
        # When the server received the event, however late this runs.
        "synced_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
