"""Keeps the store in a DuckLake, so that several machines can write at once.

The address is ``ducklake:CATALOGUE?data_path=FOLDER``. The catalogue is a DuckDB file such as
``meta.ducklake`` (one process at a time), ``sqlite:FILE`` (several processes of one machine) or
``postgres:…`` with a libpq connection string (several machines). The rows are Parquet files in the folder,
which may be an ``s3://`` address; its keys and server are given as to AWS's own tools (AWS_ACCESS_KEY_ID …,
AWS_ENDPOINT_URL). The rest of the store runs the same SQL on a lake as on a file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from pipeline.errors import StoreError
from pipeline.store import files
from pipeline.store.connection import CONFIG, Connection, load_extension, quoted, scalar, wait_for
from pipeline.store.store import Store, make_empty

PREFIX = "ducklake:"
NAME = "lake"
SCANNERS = {"sqlite": "sqlite_scanner", "postgres": "postgres_scanner"}


def absolute(db: str) -> str:
    """The path or address with whole paths, for other working folders: the catalogue keeps the folder's."""
    whole = os.path.abspath  # Path.absolute keeps the dots, and resolve follows links
    if not db.startswith(PREFIX):
        return whole(db)
    catalogue, asked, folder = db.removeprefix(PREFIX).partition("?data_path=")
    kind, named, file = catalogue.partition(":")
    if not named:
        catalogue = whole(catalogue)
    elif kind == "sqlite":
        catalogue = f"sqlite:{whole(file)}"
    return PREFIX + catalogue + asked + (whole(folder) if folder and "://" not in folder else folder)


class LakeStore(Store):
    """A store in a lake; ``db`` is ``ducklake:CATALOGUE?data_path=FOLDER``, created when absent."""

    retries_s = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

    file = None

    @property
    def index_path(self) -> Path:
        """Raise ``StoreError``, because a lake has no search index."""
        raise StoreError(
            "a lake has no search index",
            hint="a copy has one: callqa snapshot COPY.duckdb, then --db COPY.duckdb",
        )

    @property
    def shown(self) -> str:
        """The address of the lake for messages, without the catalogue's password."""
        return " ".join(part for part in self.db.split() if not part.lower().startswith("password="))

    def folders(self) -> list[str]:
        """The folder or address that holds the rows.

        Raises:
            StoreError: The catalogue does not name it.
        """
        sql = f"SELECT value FROM __ducklake_metadata_{NAME}.ducklake_metadata WHERE key = 'data_path'"  # noqa: S608
        folder = scalar(self.connection, sql)
        if folder is None:
            raise StoreError("the lake does not say where its data is", hint="add ?data_path=FOLDER to --db")
        return [str(folder)]

    def snapshot(self, dest: Path) -> int:
        """Copy the lake to a DuckDB file, which can have a search index; returns its size in bytes."""
        return files.copy_to_file(self.connection, dest, make_empty)

    def _connect(self, *, read_only: bool) -> Connection:
        """Attach the lake, creating it when it does not exist.

        Raises:
            StoreError: An extension is missing, or the catalogue cannot be reached.
            StoreLockedError: The catalogue is a file that another process holds.
        """
        catalogue, _, data_path = absolute(self.db).partition("?data_path=")
        kind = catalogue.removeprefix(PREFIX).partition(":")[0]
        needed = ["ducklake", *([SCANNERS[kind]] if kind in SCANNERS else [])]
        needed += ["httpfs"] if data_path.startswith(("s3://", "gs://", "r2://")) else []
        options = ["DATA_INLINING_ROW_LIMIT 0"]  # keeps the words of calls out of the catalogue
        options += [f"DATA_PATH '{quoted(data_path)}'"] if data_path else []
        options += ["READ_ONLY"] if read_only else []

        def attempt() -> Connection:
            connection = duckdb.connect(config=CONFIG)
            try:
                connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
                for extension in needed:
                    load_extension(connection, extension)
                if "httpfs" in needed:
                    _point_at_object_store(connection)
                connection.execute(f"ATTACH '{quoted(catalogue)}' AS {NAME} ({', '.join(options)})")
                connection.execute(f"USE {NAME}")
            except BaseException:
                connection.close()
                raise
            return connection

        return wait_for(attempt, self.shown, self._lock_timeout_s, self._on_wait)

    def _is_conflict(self, error: StoreError) -> bool:
        text = f"{error.message}\n{error.__cause__}"  # only the whole message of DuckDB names the conflict
        return re.search(r"conflict|database is locked|could not serialize", text, re.IGNORECASE) is not None

    def _reclaim(self) -> tuple[tuple[str, ...], None]:
        """Rewrite files that hold deleted rows and drop older snapshots, so that no erased bytes remain."""
        self.connection.execute(f"CALL ducklake_rewrite_data_files('{NAME}', delete_threshold => 0)")
        self.connection.execute(f"CALL ducklake_expire_snapshots('{NAME}', older_than => now())")
        self.connection.execute(f"CALL ducklake_cleanup_old_files('{NAME}', cleanup_all => true)")
        return (), None


def _point_at_object_store(connection: Connection) -> None:
    """Use the S3-compatible server (MinIO, Ceph …) that the environment names, as AWS's own tools do.

    DuckDB itself reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION, but not
    the server's address. Such servers take the bucket as part of the path, not of the host name.
    """
    url = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    if url.netloc:
        connection.execute("SET s3_endpoint = ?", [url.netloc + url.path.rstrip("/")])
        connection.execute("SET s3_use_ssl = ?", [url.scheme != "http"])
        connection.execute("SET s3_url_style = 'path'")
