"""Hooks for schemathesis: the times of scrobbles, which are whole seconds up to an hour after the request.

A description cannot say that: its maximum would be past a second later. Here it gets the hour at which the fuzzer starts,
and bodies with seconds between that and the day after are left out, since the clock decides about them.
"""

import time

import schemathesis

STARTED = int(time.time())
A_DAY = 24 * 60 * 60


@schemathesis.hook
def before_load_schema(context, raw_schema):
    bound_listened_at(raw_schema["paths"]["/1/submit-listens"])


@schemathesis.hook
def filter_case(context, case):
    return not (case.operation.path == "/1/submit-listens" and is_undecided(case.body))


def bound_listened_at(node):
    """Sets the maximum of every schema named listened_at that takes integers."""
    if isinstance(node, list):
        for item in node:
            bound_listened_at(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "listened_at" and isinstance(value, dict) and value.get("type") == "integer":
                value["maximum"] = STARTED
            else:
                bound_listened_at(value)


def is_undecided(body):
    """Whether a body has a listen whose seconds lie after the bound and are taken nevertheless, now or soon."""
    payload = body.get("payload") if isinstance(body, dict) else None
    listens = payload if isinstance(payload, list) else []
    return any(is_near(listen.get("listened_at")) for listen in listens if isinstance(listen, dict))


def is_near(seconds):
    return isinstance(seconds, (int, float)) and STARTED < seconds < STARTED + A_DAY
