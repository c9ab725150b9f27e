"""The client of the model's server: checks its address and sends requests in OpenAI's format, with limits.

Only loopback and private addresses are allowed, unless the settings allow others. The host name is resolved
once, all its addresses are checked, and connections go to a checked address, so that a later answer of the
name server cannot redirect them. No proxy is used and no redirect followed, an answer may have at most
``MAX_BYTES``, and every wait has a time limit.
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
"""A thousand times the size of an answer."""
CONNECT_S = 5.0
PAUSES_S = (1.0, 4.0)
"""Pauses before the further tries, after a refused connection, a broken answer or a server error."""
OTHER_FORM = "the server answers in another form: judge.url must be an OpenAI-form endpoint, …/v1"
PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""This machine (RFC 1122, 4291) and private networks (RFC 1918, 4193)."""


class AwayError(Exception):
    """The endpoint gives no answer.

    Attributes:
        reason: Why, and what to do, in a sentence.
        again: Whether the same request may succeed if it is sent again at once.
        only_this: Whether the fault may lie in this request, so that others may succeed.
    """

    def __init__(self, reason: str, *, again: bool = False, only_this: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again, self.only_this = reason, again, only_this


class TooLongError(Exception):
    """The server says that the prompt is longer than the model's context."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The text a model wrote, whether it was cut off by the token limit, and the tokens it took."""

    content: str
    cut: bool
    prompt_tokens: int
    answer_tokens: int


def is_private(address: str) -> bool:
    """Whether an IP address is of this machine or of a private network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in net for net in PRIVATE if net.version == ip.version)


async def resolve(settings: JudgeSettings) -> list[str]:
    """The IP addresses of the endpoint's host.

    Raises:
        AwayError: There are none, or the settings do not allow all of them.
    """
    url = urlsplit(settings.url or "")
    host = url.hostname or ""
    try:
        async with asyncio.timeout(CONNECT_S):
            infos = await asyncio.get_running_loop().getaddrinfo(host, url.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise AwayError(f"the host {host} of judge.url is not known here", again=True) from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    public = [address for address in addresses if not is_private(address)]
    if public and not settings.allow_remote:
        raise AwayError(
            f"judge.url leads to {public[0]}, which is no private address; "
            "set judge.allow_remote = true if text of calls may go there"
        )
    return addresses


class Endpoint:
    """A connection to the server whose ``url`` the settings name, as an asynchronous context manager."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._url = urlsplit(settings.url or "")
        self._host = self._url.netloc
        self._addresses: list[str] = []
        self._with_schema = True  # until the server refuses a JSON schema
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        headers = {"Host": self._host, "Accept-Encoding": "identity", "Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(
            headers=headers,
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
        """What the server says about the model besides its name (digest, size...), as JSON; "" for nothing.

        Raises:
            AwayError: The server gives no answer, or has no such model.
        """
        name = self._settings.model
        try:
            listed = await self._json("GET", f"{self._url.path}/models")
        except _RefusedError as error:
            if error.status in (401, 403):
                raise AwayError(_refused(error)) from error
            return ""  # some servers do not list their models
        models = [m for m in _objects(listed.get("data")) if isinstance(m.get("id"), str)]
        mine = next((m for m in models if m["id"] in (name, f"{name}:latest")), None)
        if models and mine is None:
            offered = ", ".join(m["id"][:60] for m in models[:5])
            raise AwayError(f"the server has no model {name!r}, it offers {offered}: change judge.model")
        facts = {key: mine[key] for key in ("digest", "root", "meta") if mine and mine.get(key)}
        if mine and mine.get("owned_by") == "library":  # Ollama, which gives digests at another address
            facts["digest"] = await self._ollama_digest(mine["id"])
        if isinstance(facts.get("meta"), dict):  # llama.cpp; another context length is no other model
            facts["meta"] = {key: value for key, value in facts["meta"].items() if key != "n_ctx"}
        return json.dumps(facts, sort_keys=True)[:2000] if any(facts.values()) else ""

    async def _ollama_digest(self, name: str) -> str:
        try:
            tags = await self._json("GET", "/api/tags")
        except (_RefusedError, AwayError):
            return ""
        models = _objects(tags.get("models"))
        return next((str(m.get("digest")) for m in models if m.get("name") == name), "")

    async def chat(
        self, messages: list[dict[str, str]], schema: Mapping[str, Any], max_tokens: int
    ) -> Completion:
        """One answer at temperature 0, in the form of a JSON schema if the server supports that.

        Raises:
            AwayError: There was no answer, even after further tries.
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
                response_format = {"response_format": form} if self._with_schema else {}
                answer = await self._json("POST", path, body | response_format)
            except _RefusedError as error:
                if not self._with_schema or not error.is_about_form:
                    raise
                self._with_schema = False
                answer = await self._json("POST", path, body)
        except _RefusedError as error:
            if error.is_about_length:
                raise TooLongError from error
            raise AwayError(_refused(error), only_this=error.status in (400, 413, 422)) from error
        return _reply(answer)

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request, again after pauses where that may help; return the JSON object of its answer."""
        for pause_s in (*PAUSES_S, None):
            try:
                return _object(await self._once(method, path, body))
            except AwayError as error:
                if pause_s is None or not error.again:
                    raise
                await asyncio.sleep(pause_s)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        """Send a request to the addresses of the host in turn; return the body of the first answer."""
        if not self._addresses:
            self._addresses = await resolve(self._settings)
        fault: Exception | None = None
        tls = {"sni_hostname": self._url.hostname or ""}  # a certificate is issued to the name
        for address in tuple(self._addresses):  # until one answers
            place = self._place(address, path)
            try:
                async with (
                    asyncio.timeout(self._settings.timeout_s),
                    self._client.stream(method, place, json=body, extensions=tls) as answer,
                ):
                    content = await _read(answer)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if "CERTIFICATE" in str(error).upper():
                    raise AwayError(f"the certificate of {self._host} is not trusted (judge.url)") from error
                fault = error
                continue
            except (TimeoutError, httpx.TimeoutException) as error:
                raise AwayError(
                    f"no answer within {self._settings.timeout_s:g} s (judge.timeout_s)", only_this=True
                ) from error
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise AwayError(
                    "the connection broke off before the answer was whole", again=True, only_this=True
                ) from error
            self._addresses = [address]
            return content
        raise AwayError(
            f"nothing answers at {self._host} (judge.url): is the server up?", again=True
        ) from fault

    def _place(self, address: str, path: str) -> str:
        """A path at a checked address; the host name is in the headers."""
        host = f"[{address}]" if ":" in address else address
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.scheme}://{host}{port}{path}"


class _RefusedError(Exception):
    """The server refuses the request (an HTTP status of 400 to 499, except 429)."""

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
    """The body of an answer.

    Raises:
        AwayError: It is a redirect, a server error, compressed or too long.
        _RefusedError: The server refuses the request.
    """
    if answer.is_redirect:
        raise AwayError("the server redirects, which is not followed: give its last address as judge.url")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise AwayError(
            "the server compresses its answers although told not to: is judge.url a model's endpoint?"
        )
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MAX_BYTES:
            reason = f"the server answers more than {MAX_BYTES / 1e6:g} MB: is judge.url a model's endpoint?"
            raise AwayError(reason, only_this=True)
        parts.append(part)
    body = b"".join(parts)
    if answer.status_code >= 500 or answer.status_code == 429:
        raise AwayError(f"the server fails (HTTP {answer.status_code})", again=True, only_this=True)
    if answer.status_code >= 400:
        raise _RefusedError(answer.status_code, body[:2000].decode("utf-8", "replace"))
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        page = body.lstrip()[:1] == b"<"
        what = "a web page" if page else "something that is no JSON"
        raise AwayError(
            f"the server answers {what}: judge.url must be an OpenAI-form endpoint, …/v1"
        ) from error
    if not isinstance(value, dict):
        raise AwayError(OTHER_FORM)
    return value


def _refused(error: _RefusedError) -> str:
    """The refusal as a message for the user."""
    if error.status in (401, 403):
        return f"the server refuses the key (HTTP {error.status}): give CALLQA_JUDGE__API_KEY"
    if error.status == 404:
        return "the server knows no such address or model (HTTP 404): check judge.url (…/v1) and judge.model"
    return f"the server refuses the request (HTTP {error.status})"


def _reply(answer: Mapping[str, Any]) -> Completion:
    """The reply in an answer of the server; fields of a wrong type count as missing."""
    first = next(iter(_objects(answer.get("choices"))), {})
    message = first.get("message")
    if not isinstance(message, dict):
        raise AwayError(OTHER_FORM)
    content = message.get("content")
    usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
    return Completion(
        content if isinstance(content, str) else "",
        first.get("finish_reason") == "length",
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
    )


def _count(usage: Any, key: str) -> int:
    count = usage.get(key)
    return count if isinstance(count, int) and 0 <= count < 10**9 else 0


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
