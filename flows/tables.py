"""The empty database of our own Prefect server, laid out in milliseconds.

Left to itself, Prefect makes its tables by going through every change since its first release: four
seconds of a first start. ``tables.sql`` is where that ends. Prefect still looks at what it finds and
makes the changes that a newer release adds; a release that does not know the file's revision gets none.

    python -m flows.tables    # write tables.sql anew, after a new release of Prefect
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

TABLES = Path(__file__).with_name("tables.sql")
DATABASE = "prefect.db"
_REVISION = re.compile(r'INSERT INTO "alembic_version" VALUES\(\'(\w+)\'\)')


def lay(home: Path) -> bool:
    """Put the empty database into a home that has none yet; True when it did.

    Args:
        home: ``PREFECT_HOME``.

    Raises:
        OSError: The home cannot be written.
    """
    script = TABLES.read_text(encoding="utf-8")
    if (home / DATABASE).exists() or not _known(script):
        return False
    with tempfile.TemporaryDirectory(dir=home) as folder:
        laid = Path(folder) / DATABASE
        with contextlib.closing(sqlite3.connect(laid)) as connection:
            connection.executescript(script)
        with contextlib.suppress(FileExistsError):  # two servers start at once: the first one's stands
            os.link(laid, home / DATABASE)
    return True


def _known(script: str) -> bool:
    """Whether the installed Prefect has the change that the file ends with."""
    from prefect.server import database

    revision = _REVISION.search(script)
    versions = Path(database.__file__).parent / "_migrations" / "versions" / "sqlite"
    return revision is not None and any(versions.glob(f"*{revision[1]}*.py"))


def dump(path: Path) -> Iterator[str]:
    """The statements that make a database as it is."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        yield from connection.iterdump()


def migrated(home: Path) -> Path:
    """A database made by Prefect itself, change by change.

    Args:
        home: An empty folder.
    """
    import asyncio

    from prefect.server.database import provide_database_interface
    from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings

    async def make() -> None:
        await provide_database_interface().create_db()

    path = home / DATABASE
    with temporary_settings({PREFECT_SERVER_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{path}"}):
        asyncio.run(make())
    return path


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        TABLES.write_text("\n".join(dump(migrated(Path(name)))) + "\n", encoding="utf-8")
