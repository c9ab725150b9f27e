"""The WordPiece tokenizer of BERT's uncased models: makes token ids of a text.

The ``tokenizers`` wheel is not used because it brings a hub client and an HTTP stack into an offline product,
for what is sixty lines here. A test compares the two where the wheel is installed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

MAX_WORD_CHARS = 100  # longer "words" are [UNK], as in the original implementation


class WordPiece:
    """Splits text into pieces of a vocabulary, longest match first.

    Attributes:
        vocabulary: Id of each piece; pieces that continue a word start with ``##``.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.vocabulary = {piece: index for index, piece in enumerate(pieces)}
        self._cls, self._sep, self._unk = (self.vocabulary[p] for p in ("[CLS]", "[SEP]", "[UNK]"))
        self._word_ids = lru_cache(maxsize=50_000)(self._split_word)

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Ids of ``[CLS] text [SEP]``; a text of more than ``max_tokens`` is cut at its end."""
        ids: list[int] = []
        for chunk in text[: 40 * max_tokens].split():  # do not split more than is needed
            ids.extend(self._word_ids(chunk))
            if len(ids) >= max_tokens:
                break
        return [self._cls, *ids[: max_tokens - 2], self._sep]

    def _split_word(self, chunk: str) -> tuple[int, ...]:
        """Ids of a part of the text that has no white space."""
        return tuple(number for word in _basic_tokens(chunk) for number in self._pieces(word))

    def _pieces(self, word: str) -> list[int]:
        if len(word) > MAX_WORD_CHARS:
            return [self._unk]
        ids, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                found = self.vocabulary.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return [self._unk]
            ids.append(found)
            start = end
        return ids


def _basic_tokens(chunk: str) -> list[str]:
    """Words in lower case without accents and control characters; punctuation and CJK stand alone."""
    cleaned = "".join(c for c in chunk if c != "\ufffd" and unicodedata.category(c)[0] != "C")
    letters = (c for c in unicodedata.normalize("NFD", cleaned.lower()) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if _stands_alone(c) else c for c in letters).split()


def _stands_alone(char: str) -> bool:
    """Whether BERT makes a token of the character alone: punctuation, ASCII symbols, CJK ideographs."""
    code = ord(char)
    if code < 128:
        return not char.isalnum()
    if unicodedata.category(char)[0] == "P":
        return True
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or code >= 0x20000
