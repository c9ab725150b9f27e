"""How text is cut into words."""

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
