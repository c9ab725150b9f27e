"""The words of an e-mail: out of its MIME parts and their encodings, without the mail it answers.

RFC 5322 and RFC 2045 to 2049, read with Python's own parser; quoted replies as mail programs mark them.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from html.parser import HTMLParser

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
# fmt: off
_BREAKS = frozenset({"address", "article", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "p",
                     "section", "table", "tr", "ul", "ol"})
# fmt: on
_UNSAID = frozenset({"script", "style", "title", "blockquote"})
MAX_PARTS = 200
MAX_HTML_CHARS = 1_000_000


def words(content: str | bytes, media_type: str = "") -> str:
    """What the writer of a message wrote.

    Args:
        content: A whole message with its headers, the body of one, or plain words.
        media_type: What the message is said to be; ``multipart/…; boundary=…`` may stand for its headers.

    Returns:
        Text of the plain part, else of the HTML part. A message that is only a quotation is kept whole.
    """
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    kind = media_type.lower().split(";")[0].strip()
    if not has_headers(raw):
        if kind.startswith("multipart/"):
            stated = media_type.encode("ascii", "replace").replace(b"\n", b" ")
            raw = b"Content-Type: " + stated + b"\n\n" + raw
        elif kind == "text/html":
            return _without_quotation(_of_html(raw.decode("utf-8", "replace")))
        elif kind != "message/rfc822":
            return _without_quotation(raw.decode("utf-8", "replace").strip())
    return _without_quotation(_body(message_from_bytes(raw)))


def has_headers(raw: bytes) -> bool:
    """Whether it begins with headers of a message, one of them about its content."""
    head = raw[:16384].decode("utf-8", "replace").replace("\r\n", "\n").split("\n\n")[0]
    begun = head.lstrip()
    return _HEADER.match(begun) is not None and any(
        line.lower().startswith(_MAIL_HEADERS) for line in begun.split("\n")
    )


def _body(message: Message) -> str:
    """The plain text of a message, else its HTML as text; attachments are passed over."""
    found: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for number, part in enumerate(message.walk()):
        if number >= MAX_PARTS:
            break
        kind = part.get_content_type()
        if kind in found and not part.is_multipart() and part.get_content_disposition() != "attachment":
            found[kind].append(_decoded(part))
    plain = "\n".join(text for text in found["text/plain"] if text.strip())
    return plain.strip() or "\n".join(map(_of_html, found["text/html"])).strip()


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _without_quotation(text: str) -> str:
    """Without what it answers: words of somebody else, who has a turn of his own."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    quoted = _QUOTED_FROM.search(text)
    own = text[: quoted.start()] if quoted else text
    own = "\n".join(line for line in own.split("\n") if not line.lstrip().startswith(">")).strip()
    return own or text.strip()


class _Text(HTMLParser):
    """Collects what is read of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._within = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSAID:
            self._within += 1
        if tag in _BREAKS:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSAID and self._within:
            self._within -= 1
        if tag in _BREAKS:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.said.append(data)


def _of_html(page: str) -> str:
    """A page as text, a line a paragraph, without quoted mail (``blockquote``)."""
    page = page[:MAX_HTML_CHARS]
    reader = _Text()
    try:
        reader.feed(page)
        reader.close()
        read = "".join(reader.said)
    except (AssertionError, ValueError):  # the parser gives up on some malformed declarations
        read = ""
    lines = (" ".join(line.split()) for line in read.split("\n"))
    return "\n".join(line for line in lines if line) or " ".join(_TAG.sub(" ", page).split())
