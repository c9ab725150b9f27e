"""Extract the text its author wrote from an e-mail: decode the MIME parts and remove the quoted message.

Follows RFC 5322 and RFC 2045 to 2049 with Python's own parser; quotations are found by the marks that mail
programs put before them.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from html.parser import HTMLParser
from itertools import islice

from pipeline.text.words import word_set

_HEADER = re.compile(r"[!-9;-~]{1,64}:[ \t]?[^\n]{0,998}(?:\n|$)")
_MAIL_HEADERS = ("content-type:", "mime-version:", "content-transfer-encoding:")
_QUOTED_FROM = re.compile(
    r"^[ \t]*(?:-{3,}[ \t]*(?:original message|forwarded message)[ \t]*-{3,}"
    r"|_{20,}[ \t]*$"
    r"|on\b[^\n]{4,200}(?:\n[^\n]{0,120})?\bwrote:[ \t]*$"
    r"|from:[^\n]{1,300}\n[ \t]*(?:sent|date|to):)",
    re.I | re.M,
)
_TAG = re.compile(r"<[^<>]{0,1000}>")
_BREAK_TAGS = word_set("address article br div h1 h2 h3 h4 h5 h6 hr li p section table tr ul ol")
_SKIPPED_TAGS = word_set("script style title blockquote")
MAX_PARTS = 200
MAX_HTML_CHARS = 1_000_000


def words(raw: bytes, media_type: str) -> str:
    """The text that the author of a message wrote.

    Args:
        raw: A whole message with headers, the body of a message, or plain text.
        media_type: The stated media type; ``multipart/…; boundary=…`` replaces missing headers.

    Returns:
        The text of the plain part, else of the HTML part. A message that is only a quotation is kept whole.
    """
    kind = media_type.lower().split(";")[0].strip()
    if not has_headers(raw):
        if kind.startswith("multipart/"):
            stated = media_type.encode("ascii", "replace").replace(b"\n", b" ")
            raw = b"Content-Type: " + stated + b"\n\n" + raw
        elif kind == "text/html":
            return _without_quotation(_html_to_text(raw.decode("utf-8", "replace")))
        elif kind != "message/rfc822":
            return _without_quotation(raw.decode("utf-8", "replace").strip())
    return _without_quotation(_message_text(message_from_bytes(raw)))


def has_headers(raw: bytes) -> bool:
    """Whether ``raw`` begins with message headers, one of which describes the content."""
    head = raw[:16384].decode("utf-8", "replace").replace("\r\n", "\n").split("\n\n")[0].lstrip()
    return _HEADER.match(head) is not None and any(
        line.lower().startswith(_MAIL_HEADERS) for line in head.split("\n")
    )


def _message_text(message: Message) -> str:
    """The plain text of a message, else its HTML as text; attachments are skipped."""
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for part in islice(message.walk(), MAX_PARTS):
        kind = part.get_content_type()
        if kind in texts and not part.is_multipart() and part.get_content_disposition() != "attachment":
            texts[kind].append(_decoded(part))
    plain = "\n".join(text for text in texts["text/plain"] if text.strip())
    return plain.strip() or "\n".join(map(_html_to_text, texts["text/html"])).strip()


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _without_quotation(text: str) -> str:
    """Remove the quoted message, which is a turn of its own author; keep a text that is only a quotation."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    quotation = _QUOTED_FROM.search(text)
    before = text[: quotation.start()] if quotation else text
    unquoted = "\n".join(line for line in before.split("\n") if not line.lstrip().startswith(">")).strip()
    return unquoted or text.strip()


class _TextExtractor(HTMLParser):
    """Collects the visible text of an HTML page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._skipped_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED_TAGS:
            self._skipped_depth += 1
        if tag in _BREAK_TAGS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED_TAGS and self._skipped_depth:
            self._skipped_depth -= 1
        if tag in _BREAK_TAGS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipped_depth:
            self.parts.append(data)


def _html_to_text(page: str) -> str:
    """Convert HTML to text: one line per paragraph, without quoted mail (``blockquote``)."""
    page = page[:MAX_HTML_CHARS]
    extractor = _TextExtractor()
    try:
        extractor.feed(page)
        extractor.close()
        text = "".join(extractor.parts)
    except (AssertionError, ValueError):  # the parser fails on some malformed declarations
        text = ""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line) or " ".join(_TAG.sub(" ", page).split())
