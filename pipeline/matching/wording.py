"""Finds phrases by their words, said as they are or misheard by the recogniser.

A phrase is compared with a text word by word and in order; rare words weigh more than common ones. Typical
recognition errors still match (another ending, a word cut in two, an unknown word that looks or sounds
alike); another word of the language does not. A few words in between are allowed, a denial is not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jellyfish import metaphone
from rapidfuzz import fuzz, process

from pipeline.matching import denials, ordinary, slots
from pipeline.matching.denials import Denied
from pipeline.rubric.queries import Found
from pipeline.text.first_names import first_names
from pipeline.text.language import is_roman_urdu
from pipeline.text.words import words

LIGHT = 0.15  # weight of a word in PARTICLES
GAP, MOST_GAP = 0.12, 3
"""Weight that each word in between takes from the match, and how many such words are allowed."""
KNOWN_ALIKE, UNKNOWN_ALIKE, NAME_ALIKE = 0.6, 0.75, 0.62
"""Likeness (0..1) of a word that sounds like the phrase's but is another known word, too little for most
phrases ("things that are helps"); and the least likeness, in letters or sounds, that counts where
recognition wrote no word of the language, and where the phrase's word is a name it may not know."""
LEAST_LETTERS = 0.5
"""Likeness in letters below which the sound is not compared: "Kate" is not "goodbye"."""
SOUND_FACTOR = 0.95
"""A likeness in sound counts this much of the same likeness in letters."""
FUZZY_COVERAGE, UNSURE_CONTENT, UNSURE_COVERAGE = 0.78, 0.66, 0.6
"""For ``match: fuzzy``: coverage that makes a yes if all content words are there; and the shares of the
content words and of the phrase from which it is unsure."""
FORMULA = 2
"""A phrase or a stretch of up to this many words is a formula ("good evening", "bye"): it must be said word
for word, since its meaning alone says too little."""
LEAST_CONTENT, LEAST_COVERAGE, LEAST_NEARLY_ALL = 0.45, 0.6, 0.85
"""For ``match: meaning``: shares of the content words and of the phrase that must be there. The third is for
formulas ("an early morning call" is not a good morning) and for phrases with a slot, which much can fill."""
OFTEN = 6.0
"""Ordinary talk that comes near a phrase in its own words mostly does the phrase's act ("I'm sorry"): only
one in six such stretches is counted as a chance match."""
PARTICLES = frozenset(
    ["very", "much", "really", "so", "just", "please", "today", "now", "then", "again", "kindly"]
)
"""Words that hardly change a phrase: "thank you (very much)", "how can I help you (today)"."""
SAME = {
    word: group[0]
    for group in (
        line.split()
        for line in (
            "bye goodbye cheerio", "thank thanks", "hello hi hiya",
            "sorry apologise apologize apology apologies",
            "moment second minute sec mo", "okay ok alright", "phone telephone", "postcode zipcode",
        )
    )
    for word in group
}  # fmt: skip
"""Words of the same use in set phrases; with ``match: meaning`` they count as one another."""


@dataclass(frozen=True)
class Phrase:
    """A phrase of a rubric, cut into words.

    Attributes:
        text: As written in the rubric.
        words: Normalised words; a slot is kept as "{name}" and so on.
        weights: Weight of each word.
        content: Numbers of the content words.
        names: Numbers of the words that a recogniser may not know: capitalised, or not in the language.
        english: Whether two thirds of its words, without names and slots, are in the language.
    """

    text: str
    words: tuple[str, ...]
    weights: tuple[float, ...]
    content: frozenset[int]
    names: frozenset[int]
    english: bool

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return sum(self.weights)

    @property
    def denies(self) -> bool:
        """Whether the phrase itself denies something."""
        return denials.denies(self.words, self.english)


@dataclass(frozen=True, slots=True)
class Aligned:
    """The best match of a phrase's words in a text.

    Attributes:
        coverage: Share of the phrase's weight that is there, less the penalty for gaps, 0..1.
        content: Share of its content words' weight that is there, 0..1; another known word of the same sound
            does not count.
        first: Number of the first matched word in the text; ``last`` of the last.
        denied: Whether only one of text and phrase denies, as far as can be told (``denials``).
        together: The match has no more words than the phrase.
        literal: Every word is there, unchanged and side by side.
        unfilled: All is there, two words or more, but what fills a slot.
    """

    coverage: float
    content: float
    first: int
    last: int
    denied: Denied
    together: bool
    literal: bool
    unfilled: bool


@lru_cache(maxsize=4096)
def read(text: str, *, free: bool = True) -> Phrase:
    """Cut a phrase of a rubric into words and weigh them.

    Args:
        text: As written in the rubric.
        free: For ``match: meaning``, where a person's name stands for any name ("My name is John").
    """
    talk = ordinary.load()
    found: list[str] = []
    capitals: set[int] = set()
    for part in re.split(r"(\{\w+\})", text):
        if part.startswith("{"):
            found.append(part)
            continue
        said = words(part)
        for word, start in zip(said.words, said.starts, strict=True):
            if part[start].isupper() and word != "i":
                capitals.add(len(found))
            found.append(word)
    if 1 not in capitals:
        capitals.discard(0)  # a capital that only begins the sentence, unlike that of "Harper Valley"
    if free:
        found = ["{name}" if _is_person(found, at, capitals) else word for at, word in enumerate(found)]
    weights = tuple(1.0 if w.startswith("{") else LIGHT if w in PARTICLES else talk.weight(w) for w in found)
    names = frozenset(i for i, w in enumerate(found) if i in capitals or w not in talk.language)
    plain = [w for i, w in enumerate(found) if w.isalpha() and i not in capitals]
    english = 3 * sum(word in talk.language for word in plain) >= 2 * len(plain) and not is_roman_urdu(plain)
    denied = denials.words_of(english) if denials.denies(found, english) else frozenset()
    content = frozenset(i for i, w in enumerate(weights) if w >= ordinary.CONTENT or found[i] in denied)
    return Phrase(text, tuple(found), weights, content or frozenset(range(len(found))), names, english)


def _is_person(found: Sequence[str], at: int, capitals: set[int]) -> bool:
    """Whether a capitalised word is a first name or follows a title; two in a row may be a brand."""
    if at not in capitals or {at - 1, at + 1} & {i for i in capitals if found[i] not in slots.TITLES}:
        return False
    return found[at] in first_names() or (at > 0 and found[at - 1] in slots.TITLES)


@lru_cache(maxsize=262_144)
def alike(wanted: str, said: str, *, is_name: bool, free: bool) -> float:
    """How much a word of a text counts as a word of a phrase, 0..1.

    Args:
        wanted: The phrase's word, normalised.
        said: The text's word, normalised.
        is_name: Whether the phrase's word is one that a recogniser may not know.
        free: For ``match: meaning``: words of one group of ``SAME`` count as one another, as do all numbers.
    """
    if wanted == said or ordinary.stem(wanted) == ordinary.stem(said):
        return 1.0
    if wanted[0].isdigit() or said[0].isdigit():
        return 0.8 if free and wanted[0].isdigit() and said[0].isdigit() else 0.0
    if free and wanted in SAME and SAME.get(said) == SAME[wanted]:
        return 0.95
    if len(wanted) < 4 or len(said) < 3 or not (wanted.isascii() and said.isascii()):
        return 0.0
    sound, heard = _sound(wanted), _sound(said)
    letters = fuzz.ratio(wanted, said) / 100
    same_sound = sound == heard and len(sound) > 1
    if not is_name and letters < LEAST_LETTERS:
        return 0.0
    if not is_name and said in ordinary.load().known:
        return KNOWN_ALIKE if same_sound else 0.0
    sounds = 1.0 if same_sound else fuzz.ratio(sound, heard) / 100 if len(sound) > 2 else 0.0
    likeness = max(letters, SOUND_FACTOR * sounds)
    return likeness if likeness >= (NAME_ALIKE if is_name else UNKNOWN_ALIKE) else 0.0


@lru_cache(maxsize=65_536)
def _sound(word: str) -> str:
    return metaphone(word).replace(" ", "") if word.isascii() else ""


def _traits(word: str) -> set[str]:
    """Keys of a word: two known words or numbers that can be ``alike`` have a key in common."""
    group = {f"same {SAME[word]}"} if word in SAME else {"number"} if word[0].isdigit() else set()
    return group | {f"stem {ordinary.stem(word)}", f"sound {_sound(word)}"}


def _needed(phrase: Phrase) -> float:
    """Weight of content words that a text must hold to be aligned: half of all but the slots."""
    weights = (phrase.weights[i] for i in phrase.content if not phrase.words[i].startswith("{"))
    return 0.5 * sum(weights) - 1e-9


Hit = tuple[int, int, float]
"""Number of a phrase, number of a word of it, and how much a word of the text counts as that word."""


class Wording:
    """Finds many phrases in a text at once, by an index from words to the phrases that hold them.

    Args:
        phrases: The phrases, as returned by ``read``.
        free: As in ``alike``.
    """

    def __init__(self, phrases: Iterable[Phrase], *, free: bool) -> None:
        self.phrases = tuple(phrases)
        self.free = free
        self._needed = [_needed(phrase) for phrase in self.phrases]
        where: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
        for number, phrase in enumerate(self.phrases):
            for at, word in enumerate(phrase.words):
                if not word.startswith("{"):
                    where[word, at in phrase.names].append((number, at))
        self._wanted = [(word, is_name, places) for (word, is_name), places in where.items()]
        self._near: dict[str, list[int]] = defaultdict(list)
        for row, (word, is_name, _) in enumerate(self._wanted):
            for key in _traits(word) | ({"name"} if is_name else set()):
                self._near[key].append(row)
        self._spelt = [word for word, _, _ in self._wanted]
        self._sounds = [_sound(word) for word in self._spelt]
        self._like: dict[str, tuple[tuple[Hit, ...], tuple[Hit, ...]]] = {}
        self._slots_alone = [
            number
            for number, phrase in enumerate(self.phrases)
            if all(w.startswith("{") for w in phrase.words)
        ]

    def find(self, text: str) -> dict[str, Aligned]:
        """The best match of each phrase that a text holds at least half of, by the phrase as written."""
        likes = list(self._heard(words(text).words))
        there: dict[int, set[int]] = defaultdict(set)
        for _, _, content in likes:
            for number, at, _ in content:
                there[number].add(at)
        worth = {
            number
            for number, found in there.items()
            if sum(self.phrases[number].weights[at] for at in found) >= self._needed[number]
        }
        hits: dict[int, dict[int, list[tuple[int, float]]]] = {n: {} for n in (*worth, *self._slots_alone)}
        if not hits:
            return {}
        for place, every, _ in likes:
            for number, at, likeness in every:
                if number in worth:
                    hits[number].setdefault(at, []).append((place, likeness))
        found = {}
        for number, places in hits.items():
            phrase = self.phrases[number]
            for at, word in enumerate(phrase.words):
                if word.startswith("{"):
                    places[at] = [(place, 1.0) for place in slots.places(word[1:-1], text)]
            best = _align(phrase, text, places, swap=0.0 if self.free else GAP)
            if best is not None:
                found[phrase.text] = best
        return found

    def _heard(self, said: Sequence[str]) -> Iterator[tuple[int, tuple[Hit, ...], tuple[Hit, ...]]]:
        """For each place ``_likes`` of its word, and of it and the next one read as one word cut in two.

        At least one of the two is not in the language.
        """
        known = ordinary.load().known
        for place, (word, after) in enumerate(zip(said, (*said[1:], ""), strict=False)):
            yield place, *self._likes(word)
            if word.isalpha() and after.isalpha() and not known.issuperset((word, after)):
                yield place, *self._likes(word + after)

    def _likes(self, word: str) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
        """The phrases' words that a word of the text counts as: all, and those of ``_needed``."""
        like = self._like.get(word)
        if like is None:
            if len(self._like) > 65_536:
                self._like.clear()
            every = tuple(self._compared(word))
            content = tuple(
                hit for hit in every if self._needed[hit[0]] <= 0 or hit[1] in self.phrases[hit[0]].content
            )
            like = self._like[word] = every, content
        return like

    def _compared(self, word: str) -> Iterable[Hit]:
        """The words of phrases that are ``alike``; without a common trait they are compared if misheard."""
        rows = {row for key in (*_traits(word), "name") for row in self._near.get(key, ())}
        if word not in ordinary.load().known:
            for said, known, least in (
                (word, self._spelt, UNKNOWN_ALIKE),
                (_sound(word), self._sounds, UNKNOWN_ALIKE / SOUND_FACTOR),
            ):
                near = process.extract(said, known, scorer=fuzz.ratio, score_cutoff=99.9 * least, limit=None)
                rows.update(row for _, _, row in near)
        for wanted, is_name, where in (self._wanted[row] for row in sorted(rows)):
            likeness = alike(wanted, word, is_name=is_name, free=self.free)
            if likeness:
                yield from ((number, at, likeness) for number, at in where)


def _align(
    phrase: Phrase, text: str, places: dict[int, list[tuple[int, float]]], swap: float
) -> Aligned | None:
    """The best alignment of a phrase's words, in their order, with words of the text.

    ``places`` says for each word of the phrase where the text has it and how alike; ``swap`` is the cost of
    another word in place of a missing one.
    """
    weights = phrase.weights
    # Score and links of the best chain that ends with a word of the phrase at a place in the text.
    best: dict[tuple[int, int], tuple[float, tuple[tuple[int, int], ...]]] = {}
    top: tuple[float, tuple[tuple[int, int], ...]] = (0.0, ())
    for at in sorted(places):
        for place, likeness in places[at]:
            gain = weights[at] * likeness
            chain: tuple[tuple[int, int], ...] = ((at, place),)
            score = gain
            for (last_at, last_place), (earlier, links) in best.items():
                extra, missed = place - last_place - 1, at - last_at - 1
                if last_at < at and 0 <= extra <= MOST_GAP + missed:
                    joined = earlier + gain - GAP * max(0, extra - missed) - swap * min(extra, missed)
                    if joined > score:
                        score, chain = joined, (*links, (at, place))
            # A place may come twice: by itself, and, with less likeness, joined with the next word.
            if score > best.get((at, place), (0.0,))[0]:
                best[at, place] = score, chain
            if score > top[0]:
                top = score, chain
    if not top[1]:
        return None
    score, chain = top
    there = {at for at, _ in chain}
    sure = {at for at, place in chain if max(like for p, like in places[at] if p == place) > KNOWN_ALIKE}
    content = sum(weights[at] for at in phrase.content)
    first, last = chain[0][1], chain[-1][1]
    together = last - first < len(weights)
    literal = together and len(there) == len(weights) and score > 0.999 * phrase.total
    return Aligned(
        score / phrase.total,
        sum(weights[at] for at in phrase.content & sure) / content,
        first,
        last,
        _denied(phrase, text, first, last),
        together,
        literal,
        _unfilled(phrase, there),
    )


def _denied(phrase: Phrase, text: str, first: int, last: int) -> Denied:
    """Whether only one of the phrase and the match in the text denies."""
    said = words(text)
    found = denials.denied(said, text, first, last, english=phrase.english)
    if phrase.denies:
        return "" if found or denials.denies(said.words[first : last + 1], phrase.english) else "denied"
    return "" if found == "perhaps denied" and not denials.DOUBTS.isdisjoint(phrase.words) else found


def _unfilled(phrase: Phrase, there: set[int]) -> bool:
    """Whether all words of a phrase are there but one that fills a slot; common words alone tell nothing."""
    rest = {at for at, word in enumerate(phrase.words) if not word.startswith("{")}
    said_something = len(rest) > 1 and not rest.isdisjoint(phrase.content)
    return said_something and rest <= there and len(there) < len(phrase.words)


def find_exact(phrases: Sequence[str], texts: Sequence[str]) -> list[Found]:
    """Every place where the words of a phrase stand side by side; of overlapping places only the longest."""
    found: list[Found] = []
    for phrase in phrases:
        wanted = words(phrase).words
        for at, text in enumerate(texts):
            said = words(text)
            for i in range(len(said.words) - len(wanted) + 1 if wanted else 0):
                if said.words[i : i + len(wanted)] == wanted:
                    end = said.ends[i + len(wanted) - 1]
                    found.append(Found(at, said.starts[i], end, 1.0, f"exact: {phrase}"))
    kept: list[Found] = []
    for item in sorted(found, key=lambda f: (f.at, f.start, -f.end)):
        if not kept or kept[-1].at != item.at or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def least_coverage(phrase: str, least: float = LEAST_COVERAGE) -> float:
    """Coverage a phrase needs: ``least``, or more for a formula or a phrase with a slot."""
    asked = read(phrase).words
    nearly_all = len(asked) <= FORMULA or any(word.startswith("{") for word in asked)
    return max(least, LEAST_NEARLY_ALL) if nearly_all else least
