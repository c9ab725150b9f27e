"""The supervisor's workbook: Summary, Calls, Answers, Agents, Criteria, Coverage, Definitions.

``write`` reads the calls once. Their rows go to disk as they are read (XlsxWriter's constant-memory mode);
the other sheets are written at the end, from totals counted on the way.
"""

from pipeline.export.workbook.book import write

__all__ = ["write"]
