"""How text is cut into words."""

import unicodedata

import pytest

from pipeline.text import words

ODD = "“Don’t!” 'no', 4b F-8 o'clock dogs' I 've snake_case 很好"


@pytest.mark.parametrize(
    ("cut", "found"),
    [
        (words.WRITTEN, "don't no 4b f 8 o'clock dogs i ve snake case 很好"),
        (words.UNSPACED_TOO, "don't no 4b f 8 o'clock dogs i ve snake case 很 好"),
        (words.MARKS_TOO, "“ don't ! ” ' no ' , 4b f - 8 o'clock dogs ' i ' ve snake _ case 很好"),
        (words.DIGITS_APART, "“ don't ! ” ' no ' , 4 b f - 8 o'clock dogs ' i ' ve snake case 很好"),
    ],
)
def test_each_cut_finds_what_its_readers_need(cut, found: str) -> None:
    """Words in lower case with straight apostrophes, at the places they have in the text."""
    tokens = words.tokens(ODD, cut)

    assert [token.text for token in tokens] == found.split()
    assert all(ODD[t.start : t.end].lower().replace("’", "'") == t.text for t in tokens)


def test_patterns_read_apostrophes_anywhere() -> None:
    """Nothing but marks is left out of what cue patterns read."""
    assert words.unpunctuated(ODD) == "don't 'no' 4b f 8 o'clock dogs' i 've snake_case 很好"


@pytest.mark.parametrize("text", ["आपको पैसे मिले हों", "মোবাইল நம்பர் మీరు", "cafe\u0301 nu\u0301mero"])
def test_vowel_signs_and_accents_belong_to_their_word(text: str) -> None:
    """Python calls them no letters: पैसे and पैसा would be one word, and quotes would end before the last."""
    found = words.words(text)

    assert found.words == tuple(unicodedata.normalize("NFC", text).split())
    assert found.ends[-1] == len(text)
    for cut in (words.WRITTEN, words.UNSPACED_TOO, words.MARKS_TOO, words.DIGITS_APART):
        assert [token.text for token in words.tokens(text, cut)] == text.split()
    assert words.unpunctuated(f"{text}।") == text
