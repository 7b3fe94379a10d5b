"""Object storage (``s3://…``, ``gs://…``, ``az://…``): its addresses, and a client for them.

Work is done on a disk; a bucket is where files come from (:mod:`cellpipe.store.object_download`) and where
results go (:mod:`cellpipe.store.object_upload`). Keys and addresses come from the environment
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` …), as the vendors' own programs read them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cellpipe.core.errors import StoreError


def is_url(place: object) -> bool:
    """Return whether a place is one of object storage: a scheme of more than a drive's letter."""
    return re.match(r"[a-z][a-z0-9+]+://", str(place)) is not None


def storage(url: str) -> Any:
    """Return the store of an address; below it, names are relative."""
    from obstore.store import from_url

    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return from_url(url, client_options={"allow_http": True} if plain else None)


@contextmanager
def client(url: str) -> Iterator[Any]:
    """Return obstore; turn what it raises into an error that says what to do."""
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
        said = str(error).split("\n")[0][:200]
        raise StoreError(
            f"a storage that does not do as it is asked ({said})",
            expected="an address that can be reached, and the right to it",
            remedy="check the address and the keys in the environment", file=url,
        ) from error  # fmt: skip
