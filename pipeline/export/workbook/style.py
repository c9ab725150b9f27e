"""Cell formats of the workbook: few colours, each with one meaning, readable when printed in grey."""

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
    """The cell formats of a workbook; each is created once and used by all sheets."""

    def __init__(self, book: Any) -> None:
        add = book.add_format
        base = {"font_name": FONT, "font_size": 10, "valign": "top", "font_color": INK}
        left = base | {"align": "left", "indent": 1}  # top-aligned cells are indented only with "left"
        head = {"bold": True, "text_wrap": True, "valign": "vcenter"}
        band = head | {"font_color": "#FFFFFF", "bg_color": HEAD}
        field = {"locked": False, "text_wrap": True, "border": 1, "border_color": "#E4D9A8"}
        big = base | {"bold": True, "font_size": 16, "align": "left"}
        self.title = add(base | {"bold": True, "font_size": 18, "font_color": HEAD})
        self.subtitle = add(base | {"font_color": MUTED, "italic": True})
        self.section = add(base | {"bold": True, "font_size": 12, "font_color": HEAD, "bottom": 1})
        self.head = add(left | band)
        self._number_head = add(base | band | {"align": "right"})
        self.entry_head = add(base | head | {"bg_color": "#F2D98B"})
        self.entry = add(base | field | {"bg_color": ENTRY})
        self.label = add(base | {"font_color": MUTED})
        self.big = add(big)
        self.big_percent = add(big | {"num_format": "0%"})
        self.big_score = add(big | {"num_format": "0.0"})
        self.link = add(left | {"font_color": "#0B57D0", "underline": 1})
        self._kinds = {
            "text": add(left),
            "prose": add(left | {"text_wrap": True}),
            "aside": add(left | {"font_color": MUTED}),
            "number": add(base | {"num_format": "0.0#"}),
            "score": add(base | {"num_format": "0.0"}),
            "percent": add(base | {"num_format": "0%"}),
            "count": add(base | {"num_format": "#,##0"}),
            "clock": add(base | {"align": "right"}),
            "time": add(base | {"align": "right", "num_format": "yyyy-mm-dd hh:mm"}),
        }
        self.colours = {
            word: add({"font_color": ink, "bg_color": fill, "bold": True})
            for table in (OUTCOME_COLOURS, ANSWER_COLOURS)
            for word, (ink, fill) in table.items()
        }

    def head_of(self, kind: str) -> Any:
        """The format of a heading, aligned like the cells of the column."""
        return self.head if kind in {"text", "prose", "aside", "outcome"} else self._number_head

    def of(self, kind: str) -> Any:
        """The format of cells of this column kind."""
        return self._kinds[kind]
