"""The review packet: one page that opens offline in any browser and makes no network request.

``content`` and ``pages`` make the page's data, ``page/`` is the page itself; ``build`` puts both in one file.
"""

from pipeline.export.packet.build import write

__all__ = ["write"]
