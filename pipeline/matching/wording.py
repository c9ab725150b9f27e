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
from functools import cached_property, lru_cache
from itertools import pairwise

from jellyfish import metaphone
from rapidfuzz import fuzz, process

from pipeline.matching import denials, ordinary, slots
from pipeline.matching.denials import Denied
from pipeline.rubric.queries import Found
from pipeline.text.first_names import first_names
from pipeline.text.language import is_roman_urdu
from pipeline.text.words import words

MAX_CACHED_TEXTS = 20_000
"""Texts whose results are cached: those of a window of 200 calls, and those that recur in other windows."""
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
LEAST_COVERAGE, LEAST_NEARLY_ALL = 0.6, 0.85
"""For ``match: meaning``: share of the phrase that must be there. The second is for formulas ("an early
morning call" is not a good morning) and for phrases with a slot, which much can fill."""
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
        names: Numbers of the words that a recogniser may not know: those with a capital.
        plain: Numbers of the words that are no slots.
        english: Whether two thirds of its words, without names and slots, are in the language.
    """

    text: str
    words: tuple[str, ...]
    weights: tuple[float, ...]
    content: frozenset[int]
    names: frozenset[int]
    plain: frozenset[int]
    english: bool

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return sum(self.weights)

    @cached_property
    def asked(self) -> frozenset[int]:
        """Numbers of the content words that are no slots; without any, of all words that are no slots."""
        return self.content & self.plain or self.plain

    def half_in(self, there: set[int]) -> bool:
        """Whether some of its words are half of ``asked``, by weight."""
        weigh = self.weights.__getitem__
        return 2 * sum(map(weigh, there)) >= sum(map(weigh, self.asked)) - 1e-9

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
    plain = frozenset(i for i, w in enumerate(found) if not w.startswith("{"))
    weights = tuple(
        1.0 if i not in plain else LIGHT if w in PARTICLES else talk.weight(w) for i, w in enumerate(found)
    )
    names = frozenset(capitals)
    common = [w for i, w in enumerate(found) if w.isalpha() and i not in capitals]
    known = sum(word in talk.language for word in common)
    english = 3 * known >= 2 * len(common) and not is_roman_urdu(common)
    denied = denials.words_of(english) if denials.denies(found, english) else frozenset()
    content = frozenset(i for i, w in enumerate(weights) if w >= ordinary.CONTENT or found[i] in denied)
    return Phrase(text, tuple(found), weights, content or frozenset(range(len(found))), names, plain, english)


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


Hit = tuple[str, int, float]
"""A phrase, number of a word of it, and how much a word of the text counts as that word."""
Place = tuple[int, float]
"""Number of a word of a text, and how much it counts as a word of a phrase."""


class Wording:
    """Finds many phrases in a text at once, by an index from words to the phrases that hold them.

    Args:
        free: As in ``alike``.
    """

    def __init__(self, *, free: bool) -> None:
        self._free = free
        self._phrases: dict[str, Phrase] = {}
        self._wanted: dict[tuple[str, bool], list[tuple[str, int]]] = defaultdict(list)
        self._spelt: dict[tuple[str, bool], str] = {}
        self._slots_alone: list[str] = []
        self._hits = lru_cache(65_536)(self._compared)
        self._searched = lru_cache(MAX_CACHED_TEXTS)(self._search)

    def learn(self, phrases: Iterable[Phrase]) -> None:
        """Add phrases; forget what was found, since a text is searched for all phrases at once."""
        new = {phrase.text: phrase for phrase in phrases if phrase.text not in self._phrases}
        if not new:
            return
        self._phrases |= new
        for phrase in new.values():
            if not phrase.plain:
                self._slots_alone.append(phrase.text)
            for at in phrase.plain:
                self._wanted[phrase.words[at], at in phrase.names].append((phrase.text, at))
        self._spelt = {wanted: wanted[0] for wanted in self._wanted}
        self._hits.cache_clear()
        self._searched.cache_clear()

    def find(self, phrases: Iterable[str], text: str) -> dict[str, Aligned]:
        """The best match of each of some phrases that a text holds at least half of, by phrase."""
        found = self._searched(text)
        return {phrase: found[phrase] for phrase in phrases if phrase in found} if found else {}

    def _search(self, text: str) -> dict[str, Aligned]:
        heard = [(place, *self._hits(word)) for place, word in _heard(words(text).words)]
        there: dict[str, set[int]] = defaultdict(set, {name: set() for name in self._slots_alone})
        for _, _, asked in heard:
            for name, at, _ in asked:
                there[name].add(at)
        places: dict[str, dict[int, list[Place]]] = {
            name: {} for name, found in there.items() if self._phrases[name].half_in(found)
        }
        for place, every, _ in heard if places else ():
            for name, at, likeness in every:
                if name in places:
                    places[name].setdefault(at, []).append((place, likeness))
        swap = 0.0 if self._free else GAP
        aligned = {name: _align(self._phrases[name], text, where, swap) for name, where in places.items()}
        return {name: best for name, best in aligned.items() if best is not None}

    def _compared(self, word: str) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
        """The phrases' words that a word of a text counts as (``alike``): all, and the ``Phrase.asked``.

        Only names, numbers and ``SAME`` count as words that are far in letters.
        """
        near = process.extract(
            word, self._spelt, scorer=fuzz.ratio, score_cutoff=100 * LEAST_LETTERS, limit=None
        )
        close = {wanted for _, _, wanted in near}
        every = tuple(
            (name, at, likeness)
            for (wanted, is_name), where in self._wanted.items()
            if (wanted, is_name) in close or is_name or wanted in SAME or wanted[0].isdigit()
            if (likeness := alike(wanted, word, is_name=is_name, free=self._free))
            for name, at in where
        )
        return every, tuple(hit for hit in every if hit[1] in self._phrases[hit[0]].asked)


def _heard(said: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The words of a text with their numbers; also two read as one, if one of them is not in the language."""
    known = ordinary.load().known
    for place, (word, after) in enumerate(pairwise((*said, ""))):
        yield place, word
        if word.isalpha() and after.isalpha() and not known.issuperset((word, after)):
            yield place, word + after


def _align(phrase: Phrase, text: str, places: dict[int, list[Place]], swap: float) -> Aligned | None:
    """The best alignment of a phrase's words, in their order, with words of the text.

    ``places`` says where the text has each word of the phrase that is no slot; ``swap`` is the cost of
    another word in place of a missing one.
    """
    weights = phrase.weights
    for at, word in enumerate(phrase.words):
        if at not in phrase.plain:
            places[at] = [(place, 1.0) for place in slots.places(word[1:-1], text)]
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
    said_something = len(phrase.plain) > 1 and not phrase.plain.isdisjoint(phrase.content)
    return said_something and phrase.plain <= there and len(there) < len(phrase.words)


def find_exact(phrases: Sequence[str], texts: Sequence[str]) -> list[Found]:
    """Every place where the words of a phrase stand side by side, without overlaps."""
    found: list[Found] = []
    for phrase in phrases:
        wanted = words(phrase).words
        for at, text in enumerate(texts):
            said = words(text)
            for i in range(len(said.words) - len(wanted) + 1 if wanted else 0):
                if said.words[i : i + len(wanted)] == wanted:
                    end = said.ends[i + len(wanted) - 1]
                    found.append(Found(at, said.starts[i], end, 1.0, f"exact: {phrase}"))
    return without_overlaps(found)


def without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Of overlapping matches the first, and the longest of those that begin together."""
    kept: list[Found] = []
    for item in sorted(found, key=lambda f: (f.at, f.start, -f.end)):
        if not kept or kept[-1].at != item.at or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def least_coverage(phrase: str, least: float = LEAST_COVERAGE) -> float:
    """Coverage a phrase needs: ``least``, or more for a formula or a phrase with a slot."""
    asked = read(phrase)
    nearly_all = len(asked.words) <= FORMULA or len(asked.plain) < len(asked.words)
    return max(least, LEAST_NEARLY_ALL) if nearly_all else least
