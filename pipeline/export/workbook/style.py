"""Formats of the workbook: few colours, each with one meaning, readable when printed in grey."""

from __future__ import annotations

from typing import Any

GOOD, BAD, DOUBT, MUTED = "#1B7F4D", "#B3261E", "#8A5A00", "#5F6672"
GOOD_FILL, BAD_FILL, DOUBT_FILL, MUTED_FILL = "#DDF3E6", "#FBE1DE", "#FFF0CC", "#ECEEF1"
INK, HEAD, ENTRY = "#1F2430", "#23364D", "#FFFBE6"
FONT = "Calibri"

OUTCOME_COLOURS = {
    "pass": (GOOD, GOOD_FILL),
    "fail": (BAD, BAD_FILL),
    "needs_review": (DOUBT, DOUBT_FILL),
    "not_scored": (MUTED, MUTED_FILL),
}
ANSWER_COLOURS = {
    "yes": (GOOD, GOOD_FILL),
    "no": (BAD, BAD_FILL),
    "undetermined": (DOUBT, DOUBT_FILL),
    "na": (MUTED, MUTED_FILL),
}


class Formats:
    """Every cell format of a workbook, made once and shared."""

    def __init__(self, book: Any) -> None:
        base = {"font_name": FONT, "font_size": 10, "valign": "top", "font_color": INK}
        left = base | {"align": "left", "indent": 1}  # without "left", an indent at the top is dropped
        self.title = book.add_format(base | {"bold": True, "font_size": 18, "font_color": HEAD})
        self.subtitle = book.add_format(base | {"font_color": MUTED, "italic": True})
        self.section = book.add_format(
            base | {"bold": True, "font_size": 12, "font_color": HEAD, "bottom": 1}
        )
        band = {
            "bold": True,
            "font_color": "#FFFFFF",
            "bg_color": HEAD,
            "text_wrap": True,
            "valign": "vcenter",
        }
        self.head = book.add_format(left | band)
        self._number_head = book.add_format(base | band | {"align": "right"})
        self.entry_head = book.add_format(
            base
            | {"bold": True, "font_color": INK, "bg_color": "#F2D98B", "text_wrap": True, "valign": "vcenter"}
        )
        self.entry = book.add_format(
            base
            | {"bg_color": ENTRY, "locked": False, "text_wrap": True, "border": 1, "border_color": "#E4D9A8"}
        )
        self.label = book.add_format(base | {"font_color": MUTED})
        self.big = book.add_format(base | {"bold": True, "font_size": 16, "align": "left"})
        self.big_percent = book.add_format(
            base | {"bold": True, "font_size": 16, "align": "left", "num_format": "0%"}
        )
        self.big_score = book.add_format(
            base | {"bold": True, "font_size": 16, "align": "left", "num_format": "0.0"}
        )
        self.link = book.add_format(left | {"font_color": "#0B57D0", "underline": 1})
        self._kinds = {
            "text": book.add_format(left),
            "prose": book.add_format(left | {"text_wrap": True}),
            "aside": book.add_format(left | {"font_color": MUTED}),
            "number": book.add_format(base | {"num_format": "0.0#"}),
            "score": book.add_format(base | {"num_format": "0.0"}),
            "percent": book.add_format(base | {"num_format": "0%"}),
            "count": book.add_format(base | {"num_format": "#,##0"}),
            "clock": book.add_format(base | {"align": "right"}),
            "time": book.add_format(base | {"align": "right", "num_format": "yyyy-mm-dd hh:mm"}),
        }
        self.colours = {
            word: book.add_format({"font_color": ink, "bg_color": fill, "bold": True})
            for table in (OUTCOME_COLOURS, ANSWER_COLOURS)
            for word, (ink, fill) in table.items()
        }

    def head_of(self, kind: str) -> Any:
        """The format of a heading, aligned as the column's cells are."""
        return self.head if kind in {"text", "prose", "aside", "outcome"} else self._number_head

    def of(self, kind: str) -> Any:
        """The format of a column kind."""
        return self._kinds[kind]
