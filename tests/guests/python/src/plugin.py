"""Does what plugins should not, each with an event type of its own. The tests know the lines of what raises."""

import logging
import random
import sys
import time

from hookwright_sdk import Failure


def requests(json):
    return {"requests": [{"body": {"json": json}}]}


def inner(x):
    return x["of"]["course"]


def fails(event):
    raise Failure("odd.failed", "As it was told.")


def loops(event):
    while True:
        pass


def talks(event):
    logging.debug("one %s", {"of": 2})
    print("two")
    logging.warning("three")
    print("four", file=sys.stderr)
    return requests({})


def sends(event):
    odd = {
        "label": "odd",
        "method": "PUT",
        "path": ["ä", "b"],
        "query": [("q", "1"), ("r", "ü")],
        "headers": {"X-Odd": "yes"},
        "body": {"bytes": bytes([0, 255]), "content_type": "application/x-odd"},
        "credentials": [{"in": "header", "name": "X-Token", "value": [{"literal": "t="}, {"secret": "token"}]}],
    }
    form = {"path": ["form"], "body": {"form": {"a": "1 2"}}}
    return {"requests": [odd, form, {"path": ["text"], "body": {"text": event.payload}}]}


async def promises(event):
    return requests({})


KINDS = {
    "odd.throws": lambda event: inner({"of": None}),
    "odd.fails": fails,
    "odd.promises": promises,
    "odd.mistypes": lambda event: {"requests": [{"lable": "a typing error"}]},
    "odd.loops": loops,
    "odd.talks": talks,
    "odd.tells": lambda event: requests({"now": time.time(), "random": [random.random(), random.random()]}),
    "odd.sends": sends,
}


def transform(event, config, webhook):
    return KINDS[event.kind](event)
