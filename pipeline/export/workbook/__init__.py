"""The supervisor's workbook: Summary, Calls, Answers, Agents, Criteria, Coverage, Definitions.

``write`` streams calls once: rows go to disk as they are read (XlsxWriter's constant-memory mode),
totals are kept on the way, and the summary sheets are written from them at the end.
"""

from pipeline.export.workbook.book import write

__all__ = ["write"]
