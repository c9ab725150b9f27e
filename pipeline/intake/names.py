"""Read metadata from file names, by a template from the settings or a preset for a known telephone system.

A preset is a list of templates, or a function where the parts of a name may come in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import RecordingError
from pipeline.intake import cdr, template, times
from pipeline.intake.metadata import Facts
from pipeline.intake.sniff import bare_name

Given = dict[str, str]
Match = Callable[[Path], tuple[Given, str] | None]
"""Takes a file; returns the values in its name by token and the strptime format of its time.

Returns None when the name has another form, and raises ValueError when its values are implausible.
"""


@dataclass(frozen=True, slots=True)
class FileNameReader:
    """Reads the file names of one source; ``title`` is the preset's name, or the template itself."""

    title: str
    match: Match

    def read(self, path: Path, zone_name: str, *, strict: bool = True) -> Facts:
        """The facts in a file's name; local times are in the zone ``zone_name``.

        One that does not fit gives a warning and, from Asterisk, the unique id in it, which dates the call.

        Raises:
            RecordingError: The name does not fit (``name_mismatch``), which is an error if ``strict``.
        """
        try:
            matched = self.match(path)
            if matched is None:
                raise ValueError
            return template.facts(*matched, zone_name)
        except ValueError as error:
            why = f": {error}" if str(error) else ""
            what = f"{path.name} does not fit the file-name template {self.title}{why}"
            if strict:
                hint = "rename the file, correct the template, or describe the call in a manifest"
                raise RecordingError(what, hint=hint, reason="name_mismatch") from error
        unique_id = cdr.UNIQUE_ID.search(bare_name(path.name)) if self.match is _PBX else None
        with suppress(times.BadTime):
            if unique_id is not None:
                facts = template.facts({"epoch": unique_id[0], "call_id": unique_id[0]}, "", zone_name)
                return replace(facts, warnings=(f"{what}; only the unique id in it is used",), misfit=True)
        left_out = f"{what}; its start and what else it says are left out"
        return Facts("file name", warnings=(left_out,), misfit=True)


def load(text: str) -> FileNameReader:
    """Load a preset by its name, or else compile ``text`` as a template.

    Raises:
        UsageError: The template is not valid.
    """
    return FileNameReader(text, PRESETS.get(text) or _by_templates((text,)))


def _by_templates(
    texts: Sequence[str],
    finish: Callable[[Given], Given] = lambda given: given,
    split_leg: Callable[[str], tuple[str, str]] = lambda bare: (bare, ""),
) -> Match:
    """A ``Match`` that uses the first of several templates that fits.

    ``finish`` translates a system's tokens into ours. ``split_leg`` splits a name into the part that the
    templates read and the side of the call that the file holds ("" when it holds both).
    """
    templates = [template.compile_template(text) for text in texts]

    def match(path: Path) -> tuple[Given, str] | None:
        bare, leg = split_leg(bare_name(path.name))
        for candidate in templates:
            given = candidate.match(path.with_name(bare))
            if given is not None:
                given = finish(given)
                return (_one_side(given, leg) if leg else given), candidate.time_format
        return None

    return match


def _one_side(given: Given, leg: str) -> Given:
    """Mark the file as one side of its call: give it a call id of its own and a warning."""
    given = given | {"extra.leg": leg, "doubt": f"this file is one side of its call (-{leg})"}
    return given | ({"call_id": f"{given['call_id']}-{leg}"} if "call_id" in given else {})


_PBX_STAMP = "{date}-{time}-{epoch}"
_PBX_FORMS = (
    f"{{extra.context}}-{{extra.called}}-{{extra.caller}}-{_PBX_STAMP}",
    f"{{extra.context}}-{{extra.called}}--{_PBX_STAMP}",  # a caller without a number
    f"{{extra.context}}-{{extra.called}}-{_PBX_STAMP}",
    f"{{extra.context}}-{_PBX_STAMP}",
    _PBX_STAMP,
    "{epoch}",
)
_PBX_LEG = re.compile(r"-(in|out)", re.A | re.I)
"""Asterisk's Monitor writes the received and the sent sound of a call to two files."""

_NUMBERED = re.compile(r"(OUT|IN|g|rg|q)(\d{1,10})", re.A | re.I)
_NOBODY = frozenset({"unknown", "anonymous", "restricted", "private", "unavailable", "withheld", "s", "none"})
_LONG = re.compile(r"\+?\d{9,15}", re.A)


def _pbx(given: Given) -> Given:
    """Translate the tokens of one of ``_PBX_FORMS`` into ours: agent, customer, queue, direction.

    The dial plan writes ``{prefix}-{called}-{caller}-{date}-{time}-{unique id}``. The prefix names its part
    that started the recording; where that part serves one direction only, it tells the direction. Releases
    before 2012 wrote ``OUT101-…``, ``g600-…`` or the bare stamp.
    """
    given = dict(given)
    given["call_id"] = given["epoch"]
    context = given.pop("extra.context", "")
    numbers = (given.pop(f"extra.{name}", "") for name in ("called", "caller"))
    called, caller = ("" if number.casefold() in _NOBODY else number for number in numbers)
    if numbered := _NUMBERED.fullmatch(context):
        given["extra.context"] = numbered[1].lower()
        return given | _before_2012(numbered[1].lower(), numbered[2], called)
    if context and not caller and not re.search("[A-Za-z]", context):
        return given | _by_numbers(called, context)  # {caller}-{called}-…, written by custom dial plans
    if context:
        given["extra.context"] = context
    kind = "conf" if context and context == called else context.lower()  # {room}-{room}-{policy}-…
    return given | _by_prefix(kind, called, caller)


def _inside(number: str) -> bool:
    """Whether a number is an internal extension."""
    return bool(cdr.EXTENSION.fullmatch(number))


def _by_prefix(kind: str, called: str, caller: str) -> Given:
    """Facts from the prefix (``kind``, in lower case) and the two numbers."""
    match kind:
        case "q" | "rg" | "g" | "queue":
            direction = "internal" if _inside(caller) else "inbound"
            return _tokens(queue=called, customer=caller, direction=direction)
        case "internal" | "page":
            return _tokens(agent=caller, called=called, direction="internal")
        case "out" | "outbound" | "outgoing":
            agent = "" if _LONG.fullmatch(caller) else caller  # an outside caller whose call was forwarded
            return _tokens(agent=agent, customer=called, direction="outbound")
        case "in" | "inbound" | "incoming" | "external":
            return _inbound(kind, called, caller)
        case "generic" if not _inside(called):
            return _inbound(kind, called, caller)
        case "conf" | "recconf" | "meetme":
            return _tokens(called=called)
        case "parked" if _inside(caller):
            return _tokens(agent=called, called=caller, direction="internal")
    return _by_numbers(called, caller)


def _inbound(kind: str, called: str, caller: str) -> Given:
    """Facts of an inbound call: the agent has the extension; without an extension, ``called`` is a DID."""
    unsure = _inside(called) == _inside(caller)
    called_is_agent = kind == "external" if unsure else _inside(called)
    if called_is_agent and not _LONG.fullmatch(called):
        return _tokens(agent=called, customer=caller, direction="inbound")
    if _inside(caller) and not _inside(called):
        return _tokens(agent=caller, customer=called, direction="inbound")
    return _tokens(did=called, customer=caller, direction="inbound")


def _by_numbers(called: str, caller: str) -> Given:
    """Facts from the numbers alone, for prefixes of any direction (``force``): the extension is the agent."""
    if _inside(called) and _inside(caller):
        return _tokens(agent=caller, called=called, direction="internal")
    if _inside(caller):
        return _tokens(agent=caller, customer=called, direction="outbound")
    if _inside(called):
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
    direction = "" if not other else "internal" if _inside(other) else "inbound"
    return _tokens(queue=number, customer=other, direction=direction)


def _tokens(**facts: str) -> Given:
    """The non-empty facts by token; ``called`` and ``did`` go to ``extra``."""
    renamed = {"called": "extra.called", "did": "extra.did"}
    return {renamed.get(name, name): text for name, text in facts.items() if text}


def _pbx_leg(bare: str) -> tuple[str, str]:
    """Split off the side of the call, ``-in`` in ``…-1764453235.353068-in``."""
    parts = re.fullmatch(f"(.*{cdr.UNIQUE_ID.pattern})(?:{_PBX_LEG.pattern})", bare)
    return (parts[1], parts[2].lower()) if parts else (bare, "")


_VICIDIAL_NAME = re.compile(r"(?:(CO|CM|FR)_)?(?:S_)?(.+?)(?:-(all|in|out))?", re.I)
_VICIDIAL_SIDES = {"co": "customer-only", "cm": "customer-muted", "in": "in", "out": "out"}


def _vicidial_leg(bare: str) -> tuple[str, str]:
    """Split off marks: ``S_``, ``FR_S_`` mean stereo; ``-in``, ``-out``, ``CO_S_``, ``CM_S_`` one side."""
    parts = _VICIDIAL_NAME.fullmatch(bare)
    if parts is None:
        return bare, ""
    prefix, suffix = (parts[1] or "").lower(), (parts[3] or "").lower()
    return parts[2], _VICIDIAL_SIDES.get(prefix) or _VICIDIAL_SIDES.get(suffix, "")


def _vicidial(given: Given) -> Given:
    """Check that agent and phone number are not swapped: there is a preset for either order."""
    if "customer" in given and not re.fullmatch(r"\+?\d{6,15}", given["customer"], re.A):
        raise ValueError("the customer is no telephone number; there is a preset for either order")
    if re.fullmatch(r"\+?\d{9,15}", given.get("agent", ""), re.A):
        raise ValueError("the agent looks like a telephone number; there is a preset for either order")
    return given


def _twilio(given: Given) -> Given:
    if not re.fullmatch(r"RE[0-9a-f]{32}", given["call_id"], re.A):
        raise ValueError("a Twilio recording is called RE and 32 hexadecimal digits")
    return given


_PCA_STAMP = re.compile(r"(?:DT_?)?(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2})", re.A)
_PCA_TIME = "%Y-%m-%dT%H-%M-%S"
_PCA_MARKS = re.compile(r"(?:^|(?<=[_-]))(GUID|AGENT|CUST)_")
_PCA_TOKENS = {"GUID": "call_id", "AGENT": "agent", "CUST": "customer"}
_PCA_NOTE = re.compile(r"_(mono|stereo)$", re.I)


def _pca(path: Path) -> tuple[Given, str] | None:
    """Read names of Amazon's post-call analytics: values after ``GUID_``, ``AGENT_``, ``CUST_`` and ``DT``.

    The values may come in any order. Text before the first mark is a label, ``_mono`` or ``_stereo`` at the
    end a note. Without marks after the time stamp, all the text after it is the note.
    """
    bare = bare_name(path.name)
    stamps = list(_PCA_STAMP.finditer(bare))
    if len(stamps) != 1:
        return None
    before, after = bare[: stamps[0].start()], bare[stamps[0].end() :]
    given: Given = {"datetime": stamps[0][1]}
    if not _PCA_MARKS.search(after):
        given["extra.note"], after = after, ""
    elif note := _PCA_NOTE.search(after):
        given["extra.note"], after = note[1], after[: note.start()]
    given["extra.label"], *marked = _PCA_MARKS.split(before)
    marked += _PCA_MARKS.split(after)[1:]
    for mark, value in zip(marked[::2], marked[1::2], strict=True):
        if _PCA_TOKENS[mark] in given:
            raise ValueError(f"{mark} is there twice")
        given[_PCA_TOKENS[mark]] = value
    given = {token: bare for token, text in given.items() if (bare := text.strip("_- "))}
    return (given, _PCA_TIME) if set(_PCA_TOKENS.values()) & set(given) else None


_STAMP = "{datetime:%Y%m%d-%H%M%S}"
_PBX = _by_templates(_PBX_FORMS, _pbx, _pbx_leg)
PRESETS: Mapping[str, Match] = {
    "asterisk": _PBX,
    "freepbx": _PBX,
    "issabel": _PBX,
    "vicidial": _by_templates(
        (f"{_STAMP}_{{customer}}_{{agent}}", f"{_STAMP}_{{customer}}", f"{_STAMP}__{{agent}}"),
        _vicidial,
        _vicidial_leg,
    ),
    "vicidial-agent-first": _by_templates((f"{_STAMP}_{{agent}}_{{customer}}",), _vicidial, _vicidial_leg),
    "goautodial": _by_templates(  # apart, since a login may be written agent_7
        (f"{_STAMP}_{{customer}}_{{queue}}_{{agent}}", f"{_STAMP}_{{customer}}"), _vicidial, _vicidial_leg
    ),
    "genesys": _by_templates(("conversation_id={extra.conversation_id}/{call_id}", "{call_id}")),
    "twilio": _by_templates(("{call_id}", "{_}_{call_id}"), _twilio),
    "amazon-pca": _pca,
}
"""Readers for the names of known systems. Times in names are local times of the source's zone.

``tests/file_names.py`` has examples of each form and the public page it comes from.
"""
