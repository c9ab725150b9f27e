"""The settings, resolved once: flags > ``CALLQA_*`` environment variables > ``callqa.toml`` > defaults.

Each stage gets only its own slice. Unknown keys are errors. In environment variables two underscores join
slice and key: ``CALLQA_TRANSCRIBE__MODEL=tiny.en``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from pipeline.conversation import Direction, FirstParty
from pipeline.errors import UsageError
from pipeline.known_names import did_you_mean, keys_at


class Slice(BaseModel):
    """Base class of all slices: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IntakeSource(Slice):
    """One place recordings come from: a site, a telephone system, a client's folder."""

    path: str = Field("*", description="pattern of the files' whole paths, e.g. */lahore/*; first match wins")
    timezone: str | None = Field(None, description="IANA zone of times that carry none")
    filename_template: str | None = Field(None, description="file-name template or preset")
    strict: bool | None = Field(
        None, description="quarantine files whose names do not fit the template; none = as [intake] says"
    )
    agent_channel: int | dict[Direction, int] | None = Field(
        None, description="channel of the agent, or one per direction: {inbound = 0, outbound = 1}"
    )
    first_party: FirstParty | None = Field(
        None, description="agent or customer: who the first party of a transcript is that does not say"
    )
    metadata: dict[str, str] = Field({}, description="what holds for all its calls, e.g. client, site, queue")


class IntakeSettings(Slice):
    """Which files are calls, and what is known about them."""

    timezone: str = Field("UTC", description="IANA zone of the site, for times that carry none")
    site_timezones: dict[str, str] = Field({}, description="IANA zone by site, where metadata names the site")
    filename_template: str | None = Field(
        None, description="file-name template or preset that carries metadata"
    )
    strict: bool = Field(
        False,
        description="quarantine files whose names do not fit the template, rather than score them without "
        "what the name would say",
    )
    queues: dict[str, str] = Field(
        {}, description='queue by the number or id the telephone system gives it: {"1509" = "support"}'
    )
    agent_channel: int | dict[Direction, int] | None = Field(
        None, description="channel of the agent, or one per direction: {inbound = 0, outbound = 1}"
    )
    first_party: FirstParty | None = Field(
        None, description="agent or customer: who the first party of a transcript is that does not say"
    )
    media_dir: Path | None = Field(
        None, description="folder of recordings that vCon files only link to, looked up by name or hash"
    )
    sources: tuple[IntakeSource, ...] = Field((), description="settings by where files lie")
    min_audio_s: float = Field(3.0, ge=0, description="recordings shorter than this are skipped as too_short")

    def default_source(self) -> IntakeSource:
        """The settings for files that no source matches."""
        return IntakeSource(**self.model_dump(include=set(IntakeSource.model_fields)))


class AudioSettings(Slice):
    """How recordings are decoded and which channel is whose."""

    agent_channel: int = Field(0, ge=0, description="channel of the agent when metadata does not say")


class TranscribeSettings(Slice):
    """The speech engine."""

    engine: Literal["callqa", "faster-whisper"] = "callqa"
    model: str = Field("base", description="Whisper model name or path of weights")
    language: str | None = Field("en", description="ISO 639-1 code, or auto to detect per call")
    languages: tuple[str, ...] = Field(
        (), description="allow-list of ISO 639-1 codes, told apart within a call; empty = use language"
    )
    vocabulary: tuple[str, ...] = Field(
        (), description="brand, product and people's names the recogniser should expect"
    )
    beam: Literal["off", "unsure", "all"] = Field(
        "unsure",
        description="beam search: for the windows plain decoding is unsure of, for all (half the speed)",
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        "auto", description="number format of the network; auto = the fastest this processor has"
    )
    threads: int = Field(0, ge=0, description="windows decoded at once, a core each; 0 = all cores")
    again: Literal["off", "decisive"] = Field(
        "off", description="decisive: words that decide an answer are transcribed again by again_model"
    )
    again_model: str = Field("small", description="Whisper model name or path of weights, larger than model")

    @field_validator("language", mode="before")
    @classmethod
    def _detected(cls, given: object) -> object:
        """Turn ``auto`` and empty text into None, which TOML and flags cannot express."""
        return None if isinstance(given, str) and given.strip().lower() in {"", "auto"} else given


class AnnotateSettings(Slice):
    """What is looked for in the words."""

    phrases: Path | None = Field(
        None, description="YAML of phrase lists added to the shipped ones (same kind and label extend a list)"
    )
    topics: Path | None = Field(
        None, description="YAML taxonomy of contact reasons, in place of the shipped one"
    )
    competitors: tuple[str, ...] = Field((), description="names whose mention by anyone is reported")
    lexicon: dict[str, float] = Field(
        {}, description="sentiment of words or phrases of yours, -1 (bad) to 1 (good), on top of the model"
    )
    unannounced_hold_s: float = Field(
        10.0, gt=0, description="mutual silence this long is hold even when nobody announced it"
    )
    ner: bool = Field(
        False, description="find names with spaCy's English model as well, where installed (slower)"
    )

    @field_validator("lexicon")
    @classmethod
    def _weights(cls, given: dict[str, float]) -> dict[str, float]:
        for phrase, weight in given.items():
            if not -1 <= weight <= 1:  # nor is NaN
                raise ValueError(f"the weight of {phrase!r} is {weight:g}; give one from -1 to 1")
        return given


class ScoreSettings(Slice):
    """Which rubrics answer which calls."""

    rubrics: tuple[str, ...] = Field(
        (), description="rubric files or shipped names; empty = shipped, by what they apply to"
    )
    min_confidence: float = Field(
        0.4, ge=0, le=1, description="below this word confidence an answer is undetermined"
    )


class JudgeSettings(Slice):
    """A language model of your own for checks of the kind ``judge``; none unless ``url`` is given."""

    url: str | None = Field(
        None, description="OpenAI-compatible endpoint, e.g. http://127.0.0.1:11434/v1 (docs/judge.md)"
    )
    model: str = Field("", description="model by the server's name for it")
    api_key: SecretStr | None = Field(None, description="bearer token; best given as CALLQA_JUDGE__API_KEY")
    allow_remote: bool = Field(
        False, description="true: redacted text of calls may go to an address that is not private"
    )
    timeout_s: float = Field(120.0, gt=0, le=3600, description="how long one request may take in all")
    at_once: int = Field(2, ge=1, le=256, description="requests at the same time")
    context_tokens: int = Field(
        4096, ge=512, description="what the server lets the model read at once; longer calls are not asked"
    )
    budget_calls: int = Field(10_000, ge=0, description="requests a run; what is left waits for the next run")
    budget_s: float = Field(3600.0, ge=0, description="seconds of waiting for the model a run")
    trust: float = Field(
        0.8,
        ge=0,
        le=1,
        description="agreement with people (lower limit, 95 % sure) from which a criterion's answers are "
        "scored; 0 = from the start",
    )

    @field_validator("url")
    @classmethod
    def _endpoint(cls, given: str | None) -> str | None:
        """Check that the URL is a server's address; one without a path gets the path ``/v1``."""
        if given is None or not given.strip():
            return None
        url = urlsplit(given.strip().rstrip("/"))
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"{given!r} is no address of a server; write http://127.0.0.1:11434/v1")
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("no user, password or query may be in it; a key goes into judge.api_key")
        if not url.netloc.isascii():
            raise ValueError(f"{given!r} has letters beyond ASCII; write the host as its DNS does (xn--...)")
        _ = url.port  # raises ValueError when the port is no valid number
        return urlunsplit(url._replace(path=url.path or "/v1"))

    @model_validator(mode="after")
    def _named(self) -> JudgeSettings:
        if self.url and not self.model.strip():
            raise ValueError("judge.model is missing: name the model that the server at judge.url offers")
        if self.api_key and not self.api_key.get_secret_value().isascii():
            raise ValueError("judge.api_key has letters beyond ASCII; no server takes such a key")
        return self


class StoreSettings(Slice):
    """Where the answers are kept."""

    db: str = Field("callqa.duckdb", description="DuckDB file")
    lock_timeout_s: float = Field(30.0, ge=0, description="how long to wait for another writer")


PrivateKind = Literal[
    "card", "cvv", "expiry", "pin", "account", "iban", "ssn", "national_id", "phone", "email", "dob",
    "address", "name",
]  # fmt: skip


class PrivacySettings(Slice):
    """What private data may be kept."""

    redact: tuple[PrivateKind, ...] = Field(
        ("card", "cvv", "expiry", "pin"),
        description="kinds of private data never kept: taken out of every transcript before it is written",
    )
    audio: Literal["silence", "beep"] = Field("silence", description="what covers them in redacted audio")


class AlertSettings(Slice):
    """When somebody should be told, and how; nothing is sent unless a way is given."""

    webhook: str | None = Field(None, description="URL that is posted the run summary as JSON")
    email_to: tuple[str, ...] = Field((), description="addresses that get the run summary")
    email_from: str = Field("callqa@localhost", description="sender of those")
    smtp: str = Field("localhost:25", description="mail server, host:port")
    failed_share: float = Field(0.02, ge=0, le=1, description="alert when more of a batch's new files failed")
    quarantined_share: float = Field(0.10, ge=0, le=1, description="alert when more of them were quarantined")
    autofail_share: float = Field(1.0, ge=0, le=1, description="alert when more scorecards auto-failed")
    min_speed: float = Field(0.0, ge=0, description="alert below this many audio seconds a second")

    @field_validator("webhook")
    @classmethod
    def _address(cls, given: str | None) -> str | None:
        """Check the URL at the start of a run, not at its first alert."""
        url = urlsplit(given or "")
        if given and (url.scheme not in {"http", "https"} or not url.hostname):
            raise ValueError("no http or https URL; write https://chat.example/hook")
        return given


class FlowSettings(Slice):
    """How a batch is orchestrated."""

    state_dir: Path | None = Field(
        None,
        description="stage results and run summaries; default: <db>.state beside the database, "
        "of a lake callqa.state in the working folder",
    )
    window: int = Field(16, ge=1, description="files transcribed as a group and loaded in one transaction")
    runner: Literal["thread", "process", "dask", "ray"] = Field(
        "thread", description="where files are processed: here, in processes, or on a Dask or Ray cluster"
    )
    processes: int = Field(0, ge=0, description="worker processes; 0 = chosen from cores and memory")
    cluster: str | None = Field(None, description="address of a Dask or Ray cluster; default: one made here")
    log_format: Literal["text", "json"] = Field(
        "text", description="text for people, json for log collectors: one object a line on stderr"
    )
    metrics_file: Path | None = Field(None, description="Prometheus text file written after each batch")
    alerts: AlertSettings = AlertSettings()


class Settings(BaseSettings):
    """All slices together."""

    model_config = SettingsConfigDict(
        env_prefix="CALLQA_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file="callqa.toml"
    )

    intake: IntakeSettings = IntakeSettings()
    audio: AudioSettings = AudioSettings()
    transcribe: TranscribeSettings = TranscribeSettings()
    annotate: AnnotateSettings = AnnotateSettings()
    score: ScoreSettings = ScoreSettings()
    judge: JudgeSettings = JudgeSettings()
    store: StoreSettings = StoreSettings()
    privacy: PrivacySettings = PrivacySettings()
    flow: FlowSettings = FlowSettings()

    @property
    def state_dir(self) -> Path:
        """The folder of transcripts and run summaries: ``<db>.state`` unless the settings name another."""
        if self.flow.state_dir is not None:
            return self.flow.state_dir
        return Path("callqa.state" if self.store.db.startswith("ducklake:") else f"{self.store.db}.state")

    @property
    def own_paths(self) -> tuple[Path, ...]:
        """What callqa itself writes and never takes in: the state folder, the database, its log and index."""
        return self.state_dir, *(Path(f"{self.store.db}{end}") for end in ("", ".wal", ".search", ".purging"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use flags (init), environment variables, then the TOML file; no dotenv file, no secrets folder."""
        return init_settings, env_settings, _TomlFile(settings_cls)


class _TomlFile(TomlConfigSettingsSource):
    """The TOML file; Windows editors write a byte order mark at its start, which TOML does not allow."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return tomllib.loads(file_path.read_bytes().decode("utf-8-sig"))


def load_settings(config: Path | str | None = None, **flags: dict[str, Any]) -> Settings:
    """Resolve settings once.

    Args:
        config: A TOML file; by default ``callqa.toml`` in the current folder, if there is one.
        **flags: By slice, the values given on the command line; None values are dropped.

    Raises:
        UsageError: There is an unknown key, a wrong value or an unreadable file; all problems are named.
    """
    given = {name: {k: v for k, v in values.items() if v is not None} for name, values in flags.items()}
    file = Path(config or "callqa.toml")
    if config and not file.is_file():
        raise UsageError(f"settings file {config} does not exist", hint="check --config, or leave it out")

    for name in os.environ:  # pydantic looks only for the sections that there are
        section, _, key = name.upper().removeprefix("CALLQA_").partition("__")
        if name.upper().startswith("CALLQA_") and key and section.lower() not in Settings.model_fields:
            hint = did_you_mean(section.lower(), list(Settings.model_fields))
            raise UsageError(f"{name}: no such section of the settings; {hint}", hint="mend or unset it")

    class _Located(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "toml_file": file})

    try:
        return Settings.model_validate(
            _Located(**cast(Any, {k: v for k, v in given.items() if v})).model_dump()
        )
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors()))
        raise UsageError(
            f"settings: {faults}", hint=f"settings come from flags, CALLQA_* variables and {file}"
        ) from error
    except SettingsError as error:
        section = str(error).split('"')[1]  # the message names it in quotes
        names = [name for name in os.environ if name.upper().split("__")[0] == f"CALLQA_{section}".upper()]
        raise UsageError(
            f"{' or '.join(sorted(names))}: not readable",
            hint="a list or table in the environment is JSON, e.g. CALLQA_PRIVACY__REDACT='[\"card\"]'",
        ) from error
    except ValueError as error:  # broken TOML
        raise UsageError(
            f"{file}: {error}", hint='it must be TOML, e.g. [transcribe] model = "base"'
        ) from error


def _fault(item: ErrorDetails) -> str:
    """A problem found by pydantic, as a sentence; for an unknown key with the most similar known one."""
    path = [str(part) for part in item["loc"]]
    if item["type"] != "extra_forbidden":
        return f"{'.'.join(path)}: {item['msg']}"
    hint = did_you_mean(path[-1], keys_at(Settings, item["loc"][:-1]))
    return f"{'.'.join(path)}: no such setting; {hint}"
