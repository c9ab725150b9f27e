"""A real llama.cpp server for the judge's benchmark and tests, where ``xllamacpp`` and a GGUF are at hand.

    pip install xllamacpp==2026.10.11549
    python -m tests.llama MODEL.gguf 8080      # until Ctrl-C; http://127.0.0.1:8080/v1, model "local"

callqa itself needs neither: it speaks to whatever endpoint the settings name.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTEXT_TOKENS = 4096
READY_S = 120.0


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """The URL of a server with this model, in a process of its own.

    Raises:
        RuntimeError: It does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.llama", str(model), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/v1"
        _wait(url, server)
        yield url
    finally:
        server.kill()
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("llama.cpp's server did not start")


def main() -> None:
    """Serve a file on a port."""
    import xllamacpp

    given = xllamacpp.CommonParams()
    given.model.path, given.hostnames, given.port = sys.argv[1], ["127.0.0.1"], int(sys.argv[2])
    given.n_ctx, given.n_parallel, given.model_alias = CONTEXT_TOKENS, 1, {"local"}
    given.warmup = False
    server = xllamacpp.Server(given)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
