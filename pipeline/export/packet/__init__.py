"""The review packet: one page that opens offline in any browser and contacts nobody.

``content`` says what the page is given, ``page/`` is the page, ``build`` puts them into one file.
"""

from pipeline.export.packet.build import write

__all__ = ["write"]
