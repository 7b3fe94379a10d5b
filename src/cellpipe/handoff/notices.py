"""Messages to people, through apprise: mail, Teams, Slack, a webhook and many more."""

from __future__ import annotations

import logging
from collections.abc import Sequence


def told(addresses: Sequence[tuple[str, str]], title: str, text: str) -> list[str]:
    """Send a message to each address; give a sentence for each that could not be reached.

    Parameters
    ----------
    addresses
        Pairs of what an address is called (the reference to it) and the address itself, which holds
        a password as a rule and is never repeated.
    title, text
        The message, plain text.

    """
    import apprise

    failed = []
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # what it says may hold the address
    for name, address in addresses:
        messenger = apprise.Apprise()
        if not messenger.add(address):
            failed.append(
                f"{name} holds no address that apprise knows; such are mailtos://… and "
                "msteams://…, see docs/hand-on.md."
            )
        elif not messenger.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
            kind = address.partition(":")[0]
            failed.append(
                f"The message to {name} ({kind}) was not taken; check the address, the password "
                "and that its server can be reached."
            )
    return failed
