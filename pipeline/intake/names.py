"""What file names say: a template of the user's own, or a preset for a known telephone system.

A preset is a list of templates, the first that fits wins, and a function that turns the system's
words into ours and refuses what does not make sense there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.intake import cdr, template
from pipeline.intake.metadata import Facts
from pipeline.intake.template import Template

Given = dict[str, str]


@dataclass(frozen=True, slots=True)
class Names:
    """How the names of one source are read.

    Attributes:
        title: The preset, or the template itself.
        templates: Tried in order.
        finish: Values by token in the system's words → in ours; ValueError where they make no sense.
    """

    title: str
    templates: tuple[Template, ...]
    finish: Callable[[Given], Given]

    def read(self, path: Path, zone_name: str) -> Facts:
        """What a file's name says.

        Raises:
            RecordingError: The name does not fit (``name_mismatch``).
        """
        for candidate in self.templates:
            given = candidate.match(path)
            if given is None:
                continue
            try:
                return candidate.facts(self.finish(given), zone_name)
            except ValueError as error:
                raise template.mismatch(path, self.title, str(error)) from error
        raise template.mismatch(path, self.title, "")


def load(text: str) -> Names:
    """A preset by its name, or a template.

    Raises:
        UsageError: Neither.
    """
    texts, finish = PRESETS.get(text, ((text,), _as_given))
    return Names(text, tuple(template.compile_template(t) for t in texts), finish)


def _as_given(given: Given) -> Given:
    return given


def _freepbx(given: Given) -> Given:
    """``{context}-{destination}-{caller}-…``: who is the agent depends on the context.

    The recording macro writes the number called, then the number calling; ``force``, ``external``,
    ``exten`` and the like are told apart by which of the two is an extension of the house.
    """
    given["call_id"] = given["epoch"]  # Asterisk's unique id begins with it
    if "extra.context" not in given:
        return given
    context, called, caller = (given.pop(f"extra.{name}") for name in ("context", "called", "caller"))
    given["extra.context"] = context
    called_inside, caller_inside = (bool(cdr.EXTENSION.fullmatch(number)) for number in (called, caller))
    if context in {"q", "rg"}:
        return given | {"queue": called, "customer": caller, "direction": "inbound"}
    if context == "internal" or (called_inside and caller_inside):
        return given | {"agent": caller, "extra.called": called, "direction": "internal"}
    if context == "out" or (caller_inside and not called_inside):
        return given | {"agent": caller, "customer": called, "direction": "outbound"}
    if called_inside:
        return given | {"agent": called, "customer": caller, "direction": "inbound"}
    raise ValueError("neither number is an extension")


def _vicidial(given: Given) -> Given:
    """Phone number and agent must look like one, or the other order was meant."""
    if not re.fullmatch(r"\+?\d{6,15}", given["customer"], re.A):
        raise ValueError("the customer is no telephone number; there is a preset for either order")
    if re.fullmatch(r"\+?\d{9,15}", given.get("agent", ""), re.A):
        raise ValueError("the agent looks like a telephone number; there is a preset for either order")
    return given


def _twilio(given: Given) -> Given:
    if not re.fullmatch(r"RE[0-9a-f]{32}", given["call_id"], re.A):
        raise ValueError("a Twilio recording is called RE and 32 hexadecimal digits")
    return given


_PBX_STAMP = "{date:%Y%m%d}-{time:%H%M%S}-{epoch}"
_PBX = (f"{{extra.context}}-{{extra.called}}-{{extra.caller}}-{_PBX_STAMP}", "{epoch}")
_VICIDIAL_STAMP = "{datetime:%Y%m%d-%H%M%S}"
_VICIDIAL_LEGS = ("-all", "-in", "-out", "")
_PCA_STAMP = "{datetime:%Y-%m-%dT%H-%M-%S}"

PRESETS: dict[str, tuple[tuple[str, ...], Callable[[Given], Given]]] = {
    "asterisk": (_PBX, _freepbx),
    "freepbx": (_PBX, _freepbx),
    "issabel": (_PBX, _freepbx),
    "vicidial": (
        tuple(f"{_VICIDIAL_STAMP}_{{customer}}_{{agent}}{leg}" for leg in _VICIDIAL_LEGS)
        + tuple(f"{_VICIDIAL_STAMP}_{{customer}}{leg}" for leg in _VICIDIAL_LEGS),
        _vicidial,
    ),
    "vicidial-agent-first": (
        tuple(f"{_VICIDIAL_STAMP}_{{agent}}_{{customer}}{leg}" for leg in _VICIDIAL_LEGS),
        _vicidial,
    ),
    "genesys": (("conversation_id={extra.conversation_id}/{call_id}", "{call_id}"), _as_given),
    "twilio": (("{call_id}", "{_}_{call_id}"), _twilio),
    "amazon-pca": (
        (
            f"{{extra.label}}_GUID_{{call_id}}_AGENT_{{agent}}_CUST_{{customer}}_DT_{_PCA_STAMP}",
            f"{{extra.label}}_GUID_{{call_id}}_CUST_{{customer}}_AGENT_{{agent}}_DT_{_PCA_STAMP}",
            f"{{extra.label}}_GUID_{{call_id}}_AGENT_{{agent}}_DT_{_PCA_STAMP}",
        ),
        _as_given,
    ),
}
"""Systems whose names are known; times in them are local time of the source's zone.

FreePBX and Issabel: the ``sub-record-check`` macro. VICIdial: ``FULLDATE_CUSTPHONE_AGENT`` and
``FULLDATE_AGENT_CUSTPHONE``. Genesys Cloud: its S3 export (metadata in sidecars). Amazon: the default
patterns of post-call analytics.
"""
