"""A language model's endpoint that can be told to misbehave: a real HTTP server in a thread.

Its honest answers are made by plain rules, so that tests know them: "yes" with the first turn of the wanted
role that holds a word the question asks for in quotation marks, else "no" with the last turn of that role.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answering = Callable[[str], "dict[str, Any] | str"]
"""The last message to what the model writes: an object as JSON, or text as it is."""
LINE = re.compile(r"^\[(\d+)\] (AGENT|CUSTOMER|SYSTEM|SPEAKER): (.*)$", re.MULTILINE)


def turns(asked: str) -> list[tuple[int, str, str]]:
    """The numbered lines of a prompt: turn, role, words."""
    return [(int(n), role, said) for n, role, said in LINE.findall(asked)]


def honest(asked: str) -> dict[str, Any]:
    """Finds the words that the question names."""
    question = asked.split("Question: ")[-1]
    wanted = re.findall(r"“([^”]+)”", question.split("\n")[0])
    whose = "AGENT" if "from turns of AGENT" in question else None
    own = [(n, said) for n, role, said in turns(asked) if whose in (None, role)]
    for n, said in own:
        if any(word.lower() in said.lower() for word in wanted):
            return {"why": "It is said.", "quotes": [{"turn": n, "words": said}], "answer": "yes"}
    n, said = own[-1]
    return {"why": "It is not said.", "quotes": [{"turn": n, "words": said}], "answer": "no"}


@dataclass
class Model:
    """What the server does, and what it was asked.

    Attributes:
        answer: What the model writes.
        fault: ``html``, ``500``, ``flaky`` (one 500, then well), ``half``, ``huge``, ``stall``, ``drip``,
            ``redirect``, ``list``, ``gzip``, ``404``, ``401``, ``too_long``, ``no_schema``; "" for none.
        models: Names it offers.
        digest: Of each of them.
        asked: Bodies of the chat requests.
    """

    answer: Answering = honest
    fault: str = ""
    models: tuple[str, ...] = ("fake",)
    digest: str = "sha256:one"
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prompts(self) -> list[str]:
        """The last message of each chat request."""
        return [body["messages"][-1]["content"] for body in self.asked]


@contextmanager
def serving(model: Model) -> Iterator[Model]:
    """The model behind a URL of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

        def do_GET(self) -> None:
            if model.fault in {"html", "500", "redirect", "401"}:
                _misbehave(self, model)
                return
            listed = [{"id": name, "object": "model", "digest": model.digest} for name in model.models]
            _send(self, json.dumps({"object": "list", "data": listed}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with model.lock:
                model.asked.append(body)
                model.headers.append(dict(self.headers))
                model.at_once += 1
                model.most_at_once = max(model.most_at_once, model.at_once)
            try:
                if model.fault and _misbehave(self, model, body):
                    return
                said = model.answer(body["messages"][-1]["content"])
                _send(self, _completion(said if isinstance(said, str) else json.dumps(said)))
            finally:
                with model.lock:
                    model.at_once -= 1

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()


def _completion(content: str, finish: str = "stop") -> str:
    return json.dumps({
        "object": "chat.completion",
        "model": "fake",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    })  # fmt: skip


def _send(
    handler: BaseHTTPRequestHandler,
    text: str,
    status: int = 200,
    kind: str = "application/json",
    **headers: str,
) -> None:
    body = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def _misbehave(handler: BaseHTTPRequestHandler, model: Model, body: dict[str, Any] | None = None) -> bool:
    """Do what the fault says; False where the request is answered after all."""
    fault = model.fault
    if fault == "flaky":
        model.fault = ""
        _send(handler, "busy", 500)
    elif fault == "html":
        _send(handler, "<!doctype html><p>Welcome to nginx", kind="text/html")
    elif fault.isdigit():
        _send(handler, '{"error": {"message": "no"}}', int(fault))
    elif fault == "redirect":
        _send(handler, "", 302, Location="http://192.0.2.1/")
    elif fault == "list":
        _send(handler, "[1, 2]")
    elif fault == "gzip":
        _send(handler, "x", Content_Encoding="gzip")
    elif fault == "too_long":
        told = "the request exceeds the available context size, try increasing it"
        _send(handler, json.dumps({"error": {"code": 400, "message": told}}), 400)
    elif fault == "no_schema":
        if not body or "response_format" not in body:
            return False
        _send(handler, '{"error": "response_format is not supported"}', 400)
    elif fault == "cut":
        _send(handler, _completion('{"why": "well, let me think', "length"))
    else:
        _break_off(handler, fault)
    return True


def _break_off(handler: BaseHTTPRequestHandler, fault: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000000")
    handler.end_headers()
    handler.close_connection = True
    try:
        if fault == "half":
            handler.wfile.write(b'{"choices": [{"mess')
        elif fault == "huge":
            for _ in range(1000):
                handler.wfile.write(b" " * 100_000)
        elif fault == "drip":
            for _ in range(600):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.1)
        elif fault == "stall":
            time.sleep(60)
    except OSError:
        return
