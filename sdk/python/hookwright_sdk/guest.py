"""Between the contract and a plugin's functions: the classes that are exported."""

from __future__ import annotations

# Imported by ``datetime.strptime`` when it is called, which is too late in a plugin.
import _strptime  # noqa: F401

import plugin
from componentize_py_types import Err
from wit_world.imports import types

from . import Failure, given, got, words


class Transformer:
    def transform(self, event: types.Event, subscription: types.Subscription) -> types.Outcome:
        try:
            try:
                made = plugin.transform(given.event(event), given.config(subscription), given.webhook(subscription))
                return got.outcome(made)
            except Failure as failure:
                failed = got.failure(failure)
        except BaseException as raised:
            words.end(raised)
        raise Err(failed)


class Interpreter:
    def interpret(self, exchange: types.Exchange) -> types.Verdict:
        try:
            made = plugin.interpret(given.exchange(exchange), given.config(exchange.subscription))
            return got.verdict(made)
        except BaseException as raised:
            words.end(raised)
