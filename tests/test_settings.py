"""Settings: precedence, unknown keys, and messages."""

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.settings import load_settings


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_flags_beat_environment_beats_file_beats_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value comes from the nearest place that gives it."""
    (tmp_path / "callqa.toml").write_text('[transcribe]\nmodel = "small"\nlanguage = "ur"\nthreads = 3\n')
    monkeypatch.setenv("CALLQA_TRANSCRIBE__LANGUAGE", "de")
    monkeypatch.setenv("CALLQA_TRANSCRIBE__THREADS", "2")

    settings = load_settings(transcribe={"threads": 1, "language": None})

    assert settings.transcribe.threads == 1
    assert settings.transcribe.language == "de"
    assert settings.transcribe.model == "small"
    assert settings.store.db == "callqa.duckdb"


@pytest.mark.parametrize("given", ["auto", "AUTO", ""])
def test_auto_names_no_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """A flag, the environment and the file may all ask for the language to be detected."""
    assert load_settings(transcribe={"language": given}).transcribe.language is None
    (tmp_path / "callqa.toml").write_text(f'[transcribe]\nlanguage = "{given}"\n')
    assert load_settings().transcribe.language is None
    monkeypatch.setenv("CALLQA_TRANSCRIBE__LANGUAGE", given)
    assert load_settings(transcribe={"model": "tiny"}).transcribe.language is None


def test_unknown_keys_are_errors_and_all_are_named(tmp_path: Path) -> None:
    """A misspelt key never passes silently."""
    (tmp_path / "callqa.toml").write_text("[transcribe]\nmodle = 'x'\n[nonsense]\na = 1\n")

    with pytest.raises(UsageError) as caught:
        load_settings()

    assert "transcribe.modle: no such setting; did you mean 'model'?" in caught.value.message
    assert "nonsense: no such setting; known here: intake, audio" in caught.value.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[stroe]\ndb = 'x'", "stroe: no such setting; did you mean 'store'?"),
        ("[flow.alerts]\nwebhok = 'x'", "flow.alerts.webhok: no such setting; did you mean 'webhook'?"),
        ("[store]\nlock_timeout = 1", "did you mean 'lock_timeout_s'?"),
        ("[[intake.sources]]\ntimezon = ''", "sources.0.timezon: no such setting; did you mean 'timezone'?"),
    ],
)
def test_a_mistyped_key_is_answered_with_the_nearest(tmp_path: Path, text: str, hint: str) -> None:
    """At every depth of the file."""
    (tmp_path / "callqa.toml").write_text(text + "\n")

    with pytest.raises(UsageError) as caught:
        load_settings()
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("CALLQA_TRANSCRIB__MODEL", "tiny", "CALLQA_TRANSCRIB__MODEL: .*did you mean 'transcribe'?"),
        ("CALLQA_ANNOTATE__LEXICON", '{"bill": 5}', "annotate.lexicon: .*'bill' is 5; give one from -1 to 1"),
        ("CALLQA_ANNOTATE__LEXICON", '{"bill": NaN}', "annotate.lexicon: .*'bill' is nan"),
        ("CALLQA_PRIVACY__REDACT", "card", "^CALLQA_PRIVACY__REDACT: not readable"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    """A misspelt section must not leave private data in, and there is no file to blame."""
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=complaint):
        load_settings()


@pytest.mark.parametrize("text", ["[transcribe\n", "a = \x00"])
def test_broken_toml_names_the_file(tmp_path: Path, text: str) -> None:
    """Unreadable TOML is a usage error with the file's name."""
    (tmp_path / "callqa.toml").write_text(text)

    with pytest.raises(UsageError, match=r"callqa\.toml"):
        load_settings()


def test_a_settings_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """--config must exist; only the default file may be absent."""
    with pytest.raises(UsageError, match="does not exist"):
        load_settings(tmp_path / "other.toml")


def test_a_byte_order_mark_before_the_settings_is_accepted(tmp_path: Path) -> None:
    """Windows editors write one."""
    (tmp_path / "callqa.toml").write_bytes(b'\xef\xbb\xbf[transcribe]\r\nmodel = "tiny"\r\n')
    assert load_settings().transcribe.model == "tiny"


@pytest.mark.parametrize("address", ["chat.example/hook", "https:///hook", "file:///etc/passwd", "nonsense"])
def test_a_webhook_that_cannot_be_posted_to_is_refused_at_the_start(tmp_path: Path, address: str) -> None:
    """Not at the first alert, at night."""
    (tmp_path / "callqa.toml").write_text(f'[flow.alerts]\nwebhook = "{address}"\n')
    with pytest.raises(UsageError, match=r"flow\.alerts\.webhook: .*; write https://chat\.example/hook"):
        load_settings()
    (tmp_path / "callqa.toml").write_text('[flow.alerts]\nwebhook = "https://chat.example/hook"\n')
    assert load_settings().flow.alerts.webhook == "https://chat.example/hook"
