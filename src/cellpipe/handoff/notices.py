"""Messages to people, through apprise: mail, Teams, Slack, a webhook and many more."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence


def send_notice(addresses: Sequence[tuple[str, str]], title: str, text: str) -> list[str]:
    """Send a message to each address; give a sentence for each that could not be reached.

    Parameters
    ----------
    addresses
        Pairs of what an address is called (the reference to it) and the address itself, which holds
        a password as a rule and is never repeated.
    title, text
        The message, plain text.

    """
    with warnings.catch_warnings():  # it loads modules that newer Pythons will not have
        warnings.simplefilter("ignore", DeprecationWarning)
        return [said for each in addresses for said in _send_message(*each, title, text)]


def _send_message(name: str, address: str, title: str, text: str) -> list[str]:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # what it says may hold the address
    messenger = apprise.Apprise()
    if not messenger.add(address):
        known = "such are mailtos://… and msteams://…, see docs/hand-on.md"
        return [f"{name} holds no address that apprise knows; {known}."]
    if not messenger.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
        kind = address.partition(":")[0]
        remedy = "check the address, the password and that its server can be reached"
        return [f"The message to {name} ({kind}) was not taken; {remedy}."]
    return []
