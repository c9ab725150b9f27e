"""Names of Asterisk, FreePBX and Issabel recordings: who called whom, by the prefix and the two numbers.

The dial plan writes ``{prefix}-{called}-{caller}-{date}-{time}-{unique id}``; the prefix is the part of it
that began the recording, and where that part serves one direction only, it says the direction. Releases
before 2012 wrote ``OUT101-…``, ``g600-…`` and the bare stamp. Sources of the forms: ``tests/file_names.py``.
"""

from __future__ import annotations

import re

from pipeline.intake import cdr

Given = dict[str, str]

_STAMP = "{date}-{time}-{epoch}"
FORMS = (
    f"{{extra.context}}-{{extra.called}}-{{extra.caller}}-{_STAMP}",
    f"{{extra.context}}-{{extra.called}}--{_STAMP}",  # a caller without a number
    f"{{extra.context}}-{{extra.called}}-{_STAMP}",
    f"{{extra.context}}-{_STAMP}",
    _STAMP,
    "{epoch}",
)
LEG = re.compile(r"-(in|out)", re.A | re.I)
"""Asterisk's Monitor writes each side of a call to a file of its own: what is heard, what is said."""

_NUMBERED = re.compile(r"(OUT|IN|g|rg|q)(\d{1,10})", re.A | re.I)
_NOBODY = frozenset({"unknown", "anonymous", "restricted", "private", "unavailable", "withheld", "s", "none"})
_LONG = re.compile(r"\+?\d{9,15}", re.A)
_GROUPS = frozenset({"q", "rg", "g", "queue"})
_OUTBOUND = frozenset({"out", "outbound", "outgoing"})
_INBOUND = frozenset({"in", "inbound", "incoming", "external"})
_INTERNAL = frozenset({"internal", "page"})
_ROOMS = frozenset({"conf", "recconf", "meetme"})


def read(given: Given) -> Given:
    """Tokens of one of ``FORMS`` → in our words: agent, customer, queue, direction."""
    given = dict(given)
    given["call_id"] = given["epoch"]
    context = given.pop("extra.context", "")
    called, caller = (_party(given.pop(f"extra.{name}", "")) for name in ("called", "caller"))
    if numbered := _NUMBERED.fullmatch(context):
        given["extra.context"] = numbered[1].lower()
        return given | _before_2012(numbered[1].lower(), numbered[2], called)
    if context and not caller and not re.search("[A-Za-z]", context):
        return given | _by_numbers(called, context)  # {caller}-{called}-…, of people's own dial plans
    if context:
        given["extra.context"] = context
    kind = "conf" if context and context == called else context.lower()  # {room}-{room}-{policy}-…
    return given | _who(kind, called, caller)


def leg(given: Given, which: str) -> Given:
    """One side of a call by itself: its own call id, and a word of warning."""
    given = given | {"extra.leg": which, "doubt": f"this file is one side of its call (-{which})"}
    return given | ({"call_id": f"{given['call_id']}-{which}"} if "call_id" in given else {})


def inside(number: str) -> bool:
    """Whether a number is an internal extension."""
    return bool(cdr.EXTENSION.fullmatch(number))


def _party(number: str) -> str:
    return "" if number.casefold() in _NOBODY else number


def _who(kind: str, called: str, caller: str) -> Given:
    """Who is who in a call, by the kind its prefix tells."""
    if kind in _GROUPS:
        return _kept(queue=called, customer=caller, direction="internal" if inside(caller) else "inbound")
    if kind in _INTERNAL:
        return _kept(agent=caller, called=called, direction="internal")
    if kind in _OUTBOUND:
        agent = "" if _LONG.fullmatch(caller) else caller  # a call that came in and was sent on
        return _kept(agent=agent, customer=called, direction="outbound")
    if kind in _INBOUND or (kind == "generic" and not inside(called)):
        return _inbound(kind, called, caller)
    if kind in _ROOMS:
        return _kept(called=called)
    if kind == "parked" and inside(caller):
        return _kept(agent=called, called=caller, direction="internal")
    return _by_numbers(called, caller)


def _inbound(kind: str, called: str, caller: str) -> Given:
    """An inbound call: the extension is the agent's; where there is none, the number called is a DID."""
    if kind == "external":
        called_is_agent = inside(called) or not inside(caller)
    else:
        called_is_agent = inside(called) and not inside(caller)
    if called_is_agent and not _LONG.fullmatch(called):
        return _kept(agent=called, customer=caller, direction="inbound")
    if inside(caller) and not inside(called):
        return _kept(agent=caller, customer=called, direction="inbound")
    return _kept(did=called, customer=caller, direction="inbound")


def _by_numbers(called: str, caller: str) -> Given:
    """A prefix that serves every direction (``force``, ``exten``): the extension is the agent's."""
    if inside(called) and inside(caller):
        return _kept(agent=caller, called=called, direction="internal")
    if inside(caller):
        return _kept(agent=caller, customer=called, direction="outbound")
    if inside(called):
        return _kept(agent=called, customer=caller, direction="inbound")
    if not called and not caller:
        return {}
    return {"doubt": "neither number is an extension, so direction and agent are not known"}


def _before_2012(kind: str, number: str, other: str) -> Given:
    """``OUT101`` is a call by extension 101; ``g600``, ``rg600`` and ``q600`` are calls to a group or queue.

    Without the caller's number a group may have been called from inside as well, and ``g101`` names the
    member of the group for whom recording was on.
    """
    if kind == "g" and not other:
        return _kept(called=number)
    if kind in {"out", "in"}:
        return _kept(agent=number, customer=other, direction=f"{kind}bound")
    direction = "" if not other else "internal" if inside(other) else "inbound"
    return _kept(queue=number, customer=other, direction=direction)


def _kept(**facts: str) -> Given:
    """Those that say something, as tokens; what is no token of its own goes to ``extra``."""
    tokens = {"called": "extra.called", "did": "extra.did"}
    return {tokens.get(name, name): text for name, text in facts.items() if text}
