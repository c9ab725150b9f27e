"""The endpoint: who may be spoken to, and one request in the OpenAI form with every limit kept.

Loopback and private addresses only, unless the settings allow others. The name is looked up once, every
address of it is checked, and connections go to a checked address, so a later answer of the name server
cannot lead elsewhere. No proxy, no redirect, no more than ``MAX_BYTES`` of an answer, no wait without end.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipeline.settings import JudgeSettings

MAX_BYTES = 1_000_000
"""A thousand times what an answer takes."""
CONNECT_S = 5.0
PAUSES_S = (1.0, 4.0)
"""Before each further try after a refused connection, a broken answer or a fault of the server."""
OTHER_FORM = "the server answers in another form: judge.url must be an OpenAI-form endpoint, …/v1"
PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""This machine (RFC 1122, 4291) and private networks (RFC 1918, 4193)."""


class AwayError(Exception):
    """The endpoint gives no answer; the text says why, and what to do, in a sentence.

    Attributes:
        again: Trying again at once may work.
        one: Only this request is at fault, so that others may fare better.
    """

    def __init__(self, told: str, *, again: bool = False, one: bool = False) -> None:
        super().__init__(told)
        self.told, self.again, self.one = told, again, one


class TooLongError(Exception):
    """The server says that the prompt is longer than what its model reads."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote, whole unless ``cut``, and what it cost."""

    content: str
    cut: bool
    prompt_tokens: int
    answer_tokens: int


def is_private(address: str) -> bool:
    """Whether an IP address is of this machine or of a private network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in net for net in PRIVATE if net.version == (mapped or found).version)


async def resolve(settings: JudgeSettings) -> list[str]:
    """The addresses of the endpoint's host, all of them allowed.

    Raises:
        AwayError: There is none, or one that the settings do not allow.
    """
    url = urlsplit(settings.url or "")
    host = url.hostname or ""
    try:
        async with asyncio.timeout(CONNECT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, url.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise AwayError(f"the host {host} of judge.url is not known here", again=True) from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    public = [address for address in addresses if not is_private(address)]
    if public and not settings.allow_remote:
        raise AwayError(
            f"judge.url leads to {public[0]}, which is no private address; "
            "set judge.allow_remote = true if text of calls may go there"
        )
    return addresses


class Endpoint:
    """A connection to the server of the settings, as an asynchronous context manager.

    Args:
        settings: With a ``url``.
    """

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        url = urlsplit(settings.url or "")
        self._url, self._host = url, url.netloc
        self._addresses: list[str] = []
        self._constrained = True
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._headers = {"Host": self._host, "Accept-Encoding": "identity", "Accept": "application/json"}
        self._headers |= {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(settings.timeout_s, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=settings.at_once),
        )

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def identity(self) -> str:
        """What the server tells of the model beside its name (a digest, its size), as text; "" for nothing.

        Raises:
            AwayError: The server is away, or has no such model.
        """
        name = self._settings.model
        try:
            listed = await self._json("GET", f"{self._url.path}/models")
        except _RefusedError as error:
            if error.status in (401, 403):
                raise AwayError(_refused(error)) from error
            return ""  # some servers list nothing
        models = [
            m for m in _list(listed.get("data")) if isinstance(m, dict) and isinstance(m.get("id"), str)
        ]
        mine = next((m for m in models if m["id"] in (name, f"{name}:latest")), None)
        if models and mine is None:
            offered = ", ".join(m["id"][:60] for m in models[:5])
            raise AwayError(f"the server has no model {name!r}, it offers {offered}: change judge.model")
        told = {key: mine[key] for key in ("digest", "root", "meta") if mine and mine.get(key)}
        if mine and mine.get("owned_by") == "library":  # Ollama, which tells digests elsewhere
            told["digest"] = await self._ollama_digest(mine["id"])
        if isinstance(told.get("meta"), dict):  # llama.cpp's; how much it is let read is no other model
            told["meta"] = {key: value for key, value in told["meta"].items() if key != "n_ctx"}
        return json.dumps(told, sort_keys=True)[:2000] if any(told.values()) else ""

    async def _ollama_digest(self, name: str) -> str:
        try:
            tags = await self._json("GET", "/api/tags")
        except (_RefusedError, AwayError):
            return ""
        models = [m for m in _list(tags.get("models")) if isinstance(m, dict)]
        return next((str(m.get("digest")) for m in models if m.get("name") == name), "")

    async def chat(self, messages: list[dict[str, str]], schema: Mapping[str, Any], max_tokens: int) -> Reply:
        """One answer, at temperature 0, in a JSON form where the server can keep a model to one.

        Raises:
            AwayError: No answer came, in spite of further tries.
            TooLongError: The prompt is too long for the model.
        """
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": messages,
            "temperature": 0,
            "seed": 1,
            "max_tokens": max_tokens,
            "stream": False,
        }
        path = f"{self._url.path}/chat/completions"
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        try:
            try:
                constrained = {"response_format": form} if self._constrained else {}
                told = await self._json("POST", path, body | constrained)
            except _RefusedError as error:
                if not self._constrained or not error.is_about_form:
                    raise
                self._constrained = False
                told = await self._json("POST", path, body)
        except _RefusedError as error:
            if error.is_about_length:
                raise TooLongError from error
            raise AwayError(_refused(error), one=error.status in (400, 413, 422)) from error
        return _reply(told)

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request, tried again with pauses where that may help; its answer, a JSON object."""
        for pause_s in (*PAUSES_S, None):
            try:
                return _object(await self._once(method, path, body))
            except AwayError as error:
                if pause_s is None or not error.again:
                    raise
                await asyncio.sleep(pause_s)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        if not self._addresses:
            self._addresses = await resolve(self._settings)
        fault: Exception | None = None
        for address in tuple(self._addresses):  # the first that answers
            request = self._request(address, method, path, body)
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    answer = await self._client.send(request, stream=True)
                    try:
                        read = await _read(answer)
                    finally:
                        await answer.aclose()
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if "CERTIFICATE" in str(error).upper():
                    raise AwayError(f"the certificate of {self._host} is not trusted (judge.url)") from error
                fault = error
                continue
            except (TimeoutError, httpx.TimeoutException) as error:
                raise AwayError(
                    f"no answer within {self._settings.timeout_s:g} s (judge.timeout_s)", one=True
                ) from error
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise AwayError(
                    "the connection broke off before the answer was whole", again=True, one=True
                ) from error
            self._addresses = [address]
            return read
        raise AwayError(
            f"nothing answers at {self._host} (judge.url): is the server up?", again=True
        ) from fault

    def _request(self, address: str, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Request:
        """A request to a checked address, in the name of the host."""
        host = f"[{address}]" if ":" in address else address
        port = f":{self._url.port}" if self._url.port else ""
        place = f"{self._url.scheme}://{host}{port}{path}"
        names = {"sni_hostname": self._url.hostname or ""}  # certificates are of the name, not the address
        return self._client.build_request(method, place, headers=self._headers, json=body, extensions=names)


class _RefusedError(Exception):
    """A status of the 400s: the server has understood, and will not."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status)
        self.status, self.text = status, text

    @property
    def is_about_form(self) -> bool:
        return self.status in (400, 422, 501) and ("response_format" in self.text or "schema" in self.text)

    @property
    def is_about_length(self) -> bool:
        text = self.text.lower()
        return self.status in (400, 413) and "context" in text and ("exceed" in text or "maximum" in text)


async def _read(answer: httpx.Response) -> bytes:
    """The body of an answer, if it is one.

    Raises:
        AwayError: A redirect, a fault of the server, or more than may come.
        _RefusedError: The server refuses the request.
    """
    if answer.is_redirect:
        raise AwayError(
            "the server sends elsewhere, which is not followed: give its last address as judge.url"
        )
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise AwayError("the server packs its answers though asked not to: is judge.url a model's endpoint?")
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MAX_BYTES:
            raise AwayError(
                f"the server answers more than {MAX_BYTES / 1e6:g} MB: is judge.url a model's endpoint?",
                one=True,
            )
        parts.append(part)
    body = b"".join(parts)
    if answer.status_code >= 500 or answer.status_code == 429:
        raise AwayError(f"the server fails (HTTP {answer.status_code})", again=True, one=True)
    if answer.status_code >= 400:
        raise _RefusedError(answer.status_code, body[:2000].decode("utf-8", "replace"))
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        page = body.lstrip()[:1] == b"<"
        what = "a web page" if page else "something that is no JSON"
        raise AwayError(
            f"the server answers {what}: judge.url must be an OpenAI-form endpoint, …/v1"
        ) from error
    if not isinstance(found, dict):
        raise AwayError(OTHER_FORM)
    return found


def _refused(error: _RefusedError) -> str:
    if error.status in (401, 403):
        return f"the server refuses the key (HTTP {error.status}): give CALLQA_JUDGE__API_KEY"
    if error.status == 404:
        return "the server knows no such address or model (HTTP 404): check judge.url (…/v1) and judge.model"
    return f"the server refuses the request (HTTP {error.status})"


def _reply(told: Mapping[str, Any]) -> Reply:
    choices = _list(told.get("choices"))
    first = choices[0] if choices and isinstance(choices[0], dict) else {}
    message = first.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict):
        raise AwayError(OTHER_FORM)
    usage = told.get("usage") if isinstance(told.get("usage"), dict) else {}
    return Reply(
        content if isinstance(content, str) else "",
        first.get("finish_reason") == "length",
        *(_count(usage, key) for key in ("prompt_tokens", "completion_tokens")),
    )


def _count(usage: Any, key: str) -> int:
    count = usage.get(key)
    return count if isinstance(count, int) and 0 <= count < 10**9 else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
