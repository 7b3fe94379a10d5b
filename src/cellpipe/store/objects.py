"""Addresses of object storage (``s3://…``, ``gs://…``, ``az://…``), and a client for them.

Work is done on a local disk; raw files are downloaded from a bucket
(:mod:`cellpipe.store.object_download`) and results uploaded to one
(:mod:`cellpipe.store.object_upload`). Keys and addresses are taken from the environment
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` …), as in the vendors' own programs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cellpipe.core.clean_text import is_storage_address
from cellpipe.core.errors import StoreError


def is_url(place: object) -> bool:
    """Return whether a path is an address of object storage: its scheme is no drive letter."""
    return re.match(r"[a-z][a-z0-9+]+://", str(place)) is not None


def check_address(url: str) -> None:
    """Check that an address of object storage is one, with no room for a key in it.

    Raises
    ------
    StoreError
        If it is not: a key would be shown, kept and handed on with it. It is not repeated.

    """
    if not is_storage_address(url):
        raise StoreError(
            "an address of object storage that is not scheme://bucket/folder",
            expected="one as s3://bucket/folder, without a key, a password or a query; "
            "it is not repeated here",
            remedy="put a key into the environment, as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY; make a new one if others may have seen it",
        )  # fmt: skip


def storage(url: str) -> Any:
    """Return the object store at an address; names are relative to it."""
    from obstore.store import from_url

    check_address(url)
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return from_url(url, client_options={"allow_http": True} if plain else None)


@contextmanager
def client(url: str) -> Iterator[Any]:
    """Yield obstore; turn its errors into a :class:`StoreError` with a remedy."""
    check_address(url)
    try:
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
    except ImportError as error:
        raise StoreError(
            "an address of object storage, and no obstore to reach it",
            expected="the package obstore", remedy="pip install 'cellpipe[s3]'", file=url,
        ) from error  # fmt: skip
    try:
        yield obstore
    except (AlreadyExistsError, PreconditionError) as error:
        raise StoreError(
            "another run that publishes there just now", expected="one at a time",
            remedy="nothing is lost: the next run publishes", file=url,
        ) from error  # fmt: skip
    except (BaseError, OSError, ValueError) as error:
        local = getattr(error, "filename", None)
        if local is not None:
            raise StoreError(
                f"a file that can't be used ({error.strerror})",  # type: ignore[union-attr]
                expected="one that nothing else holds open, and room on the disk",
                remedy="close it; the next run goes on from here", file=local,
            ) from error  # fmt: skip
        message = str(error).split("\n")[0][:200]
        raise StoreError(
            f"a storage that does not do as it is asked ({message})",
            expected="an address that can be reached, and the right to it",
            remedy="check the address and the keys in the environment", file=url,
        ) from error  # fmt: skip
