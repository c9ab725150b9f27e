"""Read who called whom from the names of Asterisk, FreePBX and Issabel recordings.

The dial plan writes ``{prefix}-{called}-{caller}-{date}-{time}-{unique id}``. The prefix names the part of
the dial plan that started the recording; where that part serves one direction only, it tells the direction.
Releases before 2012 wrote ``OUT101-…``, ``g600-…`` or the bare stamp. Sources: ``tests/file_names.py``.
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
"""Asterisk's Monitor writes the received and the sent sound of a call to two files."""

_NUMBERED = re.compile(r"(OUT|IN|g|rg|q)(\d{1,10})", re.A | re.I)
_NOBODY = frozenset({"unknown", "anonymous", "restricted", "private", "unavailable", "withheld", "s", "none"})
_LONG = re.compile(r"\+?\d{9,15}", re.A)
_GROUPS = frozenset({"q", "rg", "g", "queue"})
_OUTBOUND = frozenset({"out", "outbound", "outgoing"})
_INBOUND = frozenset({"in", "inbound", "incoming", "external"})
_INTERNAL = frozenset({"internal", "page"})
_ROOMS = frozenset({"conf", "recconf", "meetme"})


def read(given: Given) -> Given:
    """Translate the tokens of one of ``FORMS`` into ours: agent, customer, queue, direction."""
    given = dict(given)
    given["call_id"] = given["epoch"]
    context = given.pop("extra.context", "")
    called, caller = (_known_number(given.pop(f"extra.{name}", "")) for name in ("called", "caller"))
    if numbered := _NUMBERED.fullmatch(context):
        given["extra.context"] = numbered[1].lower()
        return given | _before_2012(numbered[1].lower(), numbered[2], called)
    if context and not caller and not re.search("[A-Za-z]", context):
        return given | _by_numbers(called, context)  # {caller}-{called}-…, written by custom dial plans
    if context:
        given["extra.context"] = context
    kind = "conf" if context and context == called else context.lower()  # {room}-{room}-{policy}-…
    return given | _by_prefix(kind, called, caller)


def leg(given: Given, which: str) -> Given:
    """Mark the file as one side of its call: give it a call id of its own and a warning."""
    given = given | {"extra.leg": which, "doubt": f"this file is one side of its call (-{which})"}
    return given | ({"call_id": f"{given['call_id']}-{which}"} if "call_id" in given else {})


def inside(number: str) -> bool:
    """Whether a number is an internal extension."""
    return bool(cdr.EXTENSION.fullmatch(number))


def _known_number(number: str) -> str:
    return "" if number.casefold() in _NOBODY else number


def _by_prefix(kind: str, called: str, caller: str) -> Given:
    """Facts from the prefix (``kind``, in lower case) and the two numbers."""
    if kind in _GROUPS:
        return _tokens(queue=called, customer=caller, direction="internal" if inside(caller) else "inbound")
    if kind in _INTERNAL:
        return _tokens(agent=caller, called=called, direction="internal")
    if kind in _OUTBOUND:
        agent = "" if _LONG.fullmatch(caller) else caller  # an outside caller whose call was forwarded
        return _tokens(agent=agent, customer=called, direction="outbound")
    if kind in _INBOUND or (kind == "generic" and not inside(called)):
        return _inbound(kind, called, caller)
    if kind in _ROOMS:
        return _tokens(called=called)
    if kind == "parked" and inside(caller):
        return _tokens(agent=called, called=caller, direction="internal")
    return _by_numbers(called, caller)


def _inbound(kind: str, called: str, caller: str) -> Given:
    """Facts of an inbound call: the agent has the extension; without an extension, ``called`` is a DID."""
    if kind == "external":
        called_is_agent = inside(called) or not inside(caller)
    else:
        called_is_agent = inside(called) and not inside(caller)
    if called_is_agent and not _LONG.fullmatch(called):
        return _tokens(agent=called, customer=caller, direction="inbound")
    if inside(caller) and not inside(called):
        return _tokens(agent=caller, customer=called, direction="inbound")
    return _tokens(did=called, customer=caller, direction="inbound")


def _by_numbers(called: str, caller: str) -> Given:
    """Facts from the numbers alone, for prefixes of any direction (``force``): the extension is the agent."""
    if inside(called) and inside(caller):
        return _tokens(agent=caller, called=called, direction="internal")
    if inside(caller):
        return _tokens(agent=caller, customer=called, direction="outbound")
    if inside(called):
        return _tokens(agent=called, customer=caller, direction="inbound")
    if not called and not caller:
        return {}
    return {"doubt": "neither number is an extension, so direction and agent are not known"}


def _before_2012(kind: str, number: str, other: str) -> Given:
    """Facts from an old prefix: ``OUT101`` has an extension; ``g600``, ``rg600``, ``q600`` a group or queue.

    Without the other number the direction is unknown, because a group can be called from inside too, and
    ``g101`` names the group member whose calls are recorded.
    """
    if kind == "g" and not other:
        return _tokens(called=number)
    if kind in {"out", "in"}:
        return _tokens(agent=number, customer=other, direction=f"{kind}bound")
    direction = "" if not other else "internal" if inside(other) else "inbound"
    return _tokens(queue=number, customer=other, direction=direction)


def _tokens(**facts: str) -> Given:
    """The non-empty facts by token; ``called`` and ``did`` go to ``extra``."""
    renamed = {"called": "extra.called", "did": "extra.did"}
    return {renamed.get(name, name): text for name, text in facts.items() if text}
