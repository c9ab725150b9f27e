"""The client-safe view: one client's calls with agents' names hidden, also where they are spoken.

An outsourcer's client may see how its calls were handled, but not by which agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from pipeline import privacy
from pipeline.conversation import CriterionAnswer, Transcript, Turn
from pipeline.export.selection import ExportedCall, with_words
from pipeline.score.measures import PERSON
from pipeline.text.first_names import COMMON_TOO, first_names

TITLE = r"(?:mr|mrs|ms|miss|dr|sir|madam)\b"  # so agents call customers
INTRODUCED = re.compile(
    r"(?i)\b(my name(?: is|'s|’s)|(?<!am i )(?<!i'm )(?<!i am )speaking (?:with|to)|chatting (?:with|to)"
    rf"|mi nombre es|me llamo|mera naam|میرا نام|اسمي) +(?!{TITLE})([^\W\d_]+(?:[ -](?-i:[A-Z])[\w'’]+)?)"
)
"""A name after words of introduction; agents use names on the telephone that the metadata does not have."""
CAPITAL = re.compile(
    r"(?i:\bthis is|\bi['’]m|\bi am|\bthrough to|\byou['’]ve reached) +([A-Z][a-z'’]+(?:[ -][A-Z][\w'’]+)?)"
)
"""The same after words that introduce other things, too."""
FIRST_NAME = re.compile(
    r"(?i)(?:\b(?:ask for|you(?:['’]ve| have)? got|the name(?: is|['’]s)"
    r"|(?:connect|pass|put|transfer)\w* you (?:on |over |through )?(?:to|with)) +{name}"
    r"|(?<!\bin )(?<!\bmr )(?<!\bmr\. )(?<!\bmrs )(?<!\bms )(?<!\bmiss )"
    r"(?={name},? +(here|this side|calling|from|(?:with|at)(?= +(?:the|our|(?-i:[A-Z]))))\b))".replace(
        "{name}", r"\b([^\W\d_]+(?:[ -](?-i:[A-Z])[\w'’]+)?)"
    )
)
"""The same beside words that often stand beside other things: a name only if it begins with a first name."""
COMPANY = re.compile(r"(?i)\b(?:calling(?: from)?|contacting|welcome to) +(?:the +)?([^\W\d_]+)")
Hide = Callable[[str], str]


class ClientView:
    """Replaces agents' names; each agent has the same number in all calls of one export.

    Args:
        agents: Names of all agents, since they also name each other.
    """

    def __init__(self, agents: Iterable[str]) -> None:
        self._numbers: dict[str, str] = {}
        whole = "|".join(map(re.escape, sorted((name for name in agents if " " in name), reverse=True)))
        self._agents = re.compile(rf"(?i)\b(?:{whole})\b") if whole else None

    def of(self, call: ExportedCall) -> ExportedCall:
        """The call as the client may see it."""
        meta, transcript = call.metadata, call.conversation.transcript
        alias = self._alias(meta.agent_id or meta.agent_name)
        known, spoken = (meta.agent_name, meta.agent_id), _introduced(transcript)
        if self._agents is not None:
            spoken |= {name for turn in transcript.turns for name in self._agents.findall(turn.text)}
        hide, hide_all = _hiding(known, spoken), _hiding(known, spoken, any_case=True)
        hidden = replace(
            meta, agent_id=alias, agent_name=alias, team=None, site=None, customer_ref=None, extra={}
        )
        turns = tuple(_turn(turn, hide) for turn in transcript.turns)
        conversation = replace(
            call.conversation,
            transcript=replace(transcript, turns=turns, warnings=(), doubts=()),
            findings=tuple(  # the label of a promise is in small letters
                with_words(finding, hide_all if finding.kind == "promise" else hide)
                for finding in call.conversation.findings
            ),
            warnings=(),
        )
        cards = tuple(card.with_answers(lambda a: _answer(a, hide)) for card in call.scorecards)
        # No recording: the agent's name can be heard in it and may be part of its file name.
        return replace(call, metadata=hidden, conversation=conversation, scorecards=cards, recording=None)

    def _alias(self, agent: str | None) -> str | None:
        if agent is None:
            return None
        return self._numbers.setdefault(agent, f"Agent {len(self._numbers) + 1}")


def _introduced(transcript: Transcript) -> set[str]:
    """The names by which agents introduce themselves, as they are written."""
    spoken = [turn for turn in transcript.turns if turn.role != "customer"]
    names = {name for turn in spoken for _, name in INTRODUCED.findall(turn.text) if not name[0].islower()}
    names |= {name for turn in spoken for name in CAPITAL.findall(turn.text)}
    beside = [found for turn in spoken for found in FIRST_NAME.findall(turn.text)]
    names |= {before or after for before, after, cue in beside if _is_person(before or after, cue.lower())}
    for span in privacy.find(transcript):
        turn = transcript.turns[span.turn]
        if span.kind == "name" and turn.role != "customer":
            names.add(turn.text[span.start : span.end])
    companies = {company.casefold() for turn in spoken for company in COMPANY.findall(turn.text)}
    return {name for name in names if name.casefold() not in companies and not re.match(TITLE, name, re.I)}


def _is_person(name: str, cue: str) -> bool:
    """Whether words beside a cue begin with a first name; "Bill" and the like need "here" and a capital."""
    first = re.split("[ -]", name)[0]
    if first.lower() in COMMON_TOO:
        return not first.islower() and cue in ("here", "this side")
    return first.lower() in first_names()


def _parts(names: Iterable[str | None], shortest: int) -> list[str]:
    """The names and their parts as expressions, longest first."""
    parts = {part for name in names if name for part in (name, *re.split(r"[\s,-]+", name))}
    return [re.escape(part) for part in sorted(parts, key=len, reverse=True) if len(part) >= shortest]


def _hiding(known: Iterable[str | None], spoken: Iterable[str], *, any_case: bool = False) -> Hide:
    """A function that hides names as whole words.

    Args:
        known: Names of the metadata, hidden in any case; their initials would hide too much.
        spoken: Names from the call, hidden as they are written there: many are words, too ("Bill").
        any_case: Whether those are hidden in any case as well.
    """
    parts = [f"(?i:{part})" for part in _parts(known, 3)]
    parts += [f"(?i:{part})" if any_case else part for part in _parts(spoken, 2)]
    named = re.compile(r"\b(?:" + "|".join(parts) + r")\b") if parts else None

    def hide(text: str) -> str:
        return INTRODUCED.sub(r"\1 [AGENT]", named.sub("[AGENT]", text) if named else text)

    return hide


def _turn(turn: Turn, hide: Hide) -> Turn:
    text, words = hide(turn.text), tuple(replace(word, text=hide(word.text)) for word in turn.words)
    if text.count("[AGENT]") > sum(word.text.count("[AGENT]") for word in words):
        words = ()  # a name that is one only after the words before it
    return replace(turn, text=text, words=words)


def _answer(answer: CriterionAnswer, hide: Hide) -> CriterionAnswer:
    if answer.searched is not None and answer.searched.what == PERSON:
        answer = replace(answer, evidence=())  # it names the reviewers
    hidden = answer.with_evidence(lambda evidence: replace(evidence, quote=hide(evidence.quote)))
    return replace(hidden, reason=hide(answer.reason))
