"""Send messages to people through apprise: mail, Teams, Slack, a webhook and many more."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence


def send_notice(addresses: Sequence[tuple[str, str]], title: str, text: str) -> list[str]:
    """Send a message to each address; return a sentence for each that could not be reached.

    Parameters
    ----------
    addresses
        Pairs of an address's name (the reference to it) and the address itself, which usually holds
        a password and is never shown.
    title, text
        The message, plain text.

    """
    with warnings.catch_warnings():  # apprise loads modules that newer Pythons won't have
        warnings.simplefilter("ignore", DeprecationWarning)
        return [sentence for each in addresses for sentence in _send_message(*each, title, text)]


def _send_message(name: str, address: str, title: str, text: str) -> list[str]:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its messages may hold the address
    messenger = apprise.Apprise()
    if not messenger.add(address):
        known = "such are mailtos://… and msteams://…, see docs/hand-on.md"
        return [f"{name} holds no address that apprise knows; {known}."]
    if not messenger.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
        kind = address.partition(":")[0]
        remedy = "check the address, the password and that its server can be reached"
        return [f"The message to {name} ({kind}) was not taken; {remedy}."]
    return []
