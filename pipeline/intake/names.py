"""What file names say: a template of the user's own, or a preset for a known telephone system.

A preset is a list of templates, or a function of its own for names whose parts come in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.intake import cdr, pbx, template, times
from pipeline.intake.metadata import Facts
from pipeline.intake.sniff import bare_name

Given = dict[str, str]
Match = Callable[[Path], tuple[Given, str] | None]
"""A file → value by token, in our words, and the format of its time; None where its name is another kind.

Raises ValueError where it is of the kind but makes no sense.
"""


@dataclass(frozen=True, slots=True)
class Names:
    """How the names of one source are read.

    Attributes:
        title: The preset, or the template itself.
        match: Reads a name.
        unique_ids: Whether a name of another form may still end in Asterisk's unique id.
    """

    title: str
    match: Match
    unique_ids: bool = False

    def read(self, path: Path, zone_name: str) -> Facts:
        """What a file's name says.

        Raises:
            RecordingError: The name does not fit (``name_mismatch``).
        """
        try:
            found = self.match(path)
            if found is None:
                raise ValueError
            return template.facts(*found, zone_name)
        except ValueError as error:
            raise template.mismatch(path, self.title, str(error)) from error

    def salvage(self, path: Path, zone_name: str) -> Facts | None:
        """What a name that does not fit says all the same: the unique id in it, which dates the call."""
        found = cdr.UNIQUE_ID.findall(bare_name(path.name)) if self.unique_ids else []
        try:
            return template.facts({"epoch": found[0], "call_id": found[0]}, "", zone_name) if found else None
        except times.BadTime:
            return None


def load(text: str) -> Names:
    """A preset by its name, or a template.

    Raises:
        UsageError: Neither.
    """
    match = PRESETS.get(text) or _by_templates((text,))
    return Names(text, match, unique_ids=match is _PBX)


def _by_templates(
    texts: Sequence[str],
    finish: Callable[[Given], Given] = lambda given: given,
    around: Callable[[str], tuple[str, str]] = lambda bare: (bare, ""),
) -> Match:
    """Names that fit one of several templates; the first that fits wins.

    Args:
        texts: The templates.
        finish: A system's words → ours; refuses what makes no sense there.
        around: A name → what the templates read of it, and which side of its call the file holds, or "".
    """
    templates = [template.compile_template(text) for text in texts]

    def match(path: Path) -> tuple[Given, str] | None:
        bare, leg = around(bare_name(path.name))
        for candidate in templates:
            given = candidate.match(path.with_name(bare))
            if given is not None:
                given = finish(given)
                return (pbx.leg(given, leg) if leg else given), candidate.time_format
        return None

    return match


def _pbx_leg(bare: str) -> tuple[str, str]:
    """``…-1764453235.353068-in`` is one side of the call."""
    found = re.fullmatch(f"(.*{cdr.UNIQUE_ID.pattern})(?:{pbx.LEG.pattern})", bare)
    return (found[1], found[2].lower()) if found else (bare, "")


_VICIDIAL_AROUND = re.compile(r"(?:(CO|CM|FR)_)?(?:S_)?(.+?)(?:-(all|in|out))?", re.I)
_VICIDIAL_SIDES = {"co": "customer-only", "cm": "customer-muted", "in": "in", "out": "out"}


def _vicidial_leg(bare: str) -> tuple[str, str]:
    """``S_`` and ``FR_S_`` are stereo recordings; ``-in``, ``-out``, ``CO_S_``, ``CM_S_`` hold one side."""
    found = _VICIDIAL_AROUND.fullmatch(bare)
    if found is None:
        return bare, ""
    before, name, after = (part.lower() for part in found.groups(""))
    side = _VICIDIAL_SIDES.get(before) or _VICIDIAL_SIDES.get(after, "")
    return bare[found.start(2) : found.end(2)] if name else bare, side


def _vicidial(given: Given) -> Given:
    """Phone number and agent must look like one, or the other order was meant."""
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
    """Post-call analytics' names: values after ``GUID_``, ``AGENT_``, ``CUST_`` and ``DT``, in any order.

    What stands before the first mark is a label; what stands after the last value, a note.
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
_PBX = _by_templates(pbx.FORMS, pbx.read, _pbx_leg)
PRESETS: Mapping[str, Match] = {
    "asterisk": _PBX,
    "freepbx": _PBX,
    "issabel": _PBX,
    "vicidial": _by_templates(
        (
            f"{_STAMP}_{{customer}}_{{agent}}",
            f"{_STAMP}_{{customer}}_{{queue}}_{{agent}}",
            f"{_STAMP}_{{customer}}",
            f"{_STAMP}__{{agent}}",
        ),
        _vicidial,
        _vicidial_leg,
    ),
    "vicidial-agent-first": _by_templates((f"{_STAMP}_{{agent}}_{{customer}}",), _vicidial, _vicidial_leg),
    "genesys": _by_templates(("conversation_id={extra.conversation_id}/{call_id}", "{call_id}")),
    "twilio": _by_templates(("{call_id}", "{_}_{call_id}"), _twilio),
    "amazon-pca": _pca,
}
"""Systems whose names are known; times in them are local time of the source's zone.

The forms, each with the public page it comes from, are in ``tests/file_names.py``.
"""
