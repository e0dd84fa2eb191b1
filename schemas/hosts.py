"""Hosts, as they stand in what people write for a website."""

from __future__ import annotations

import re

_SCHEME, _PATH, _PORT = re.compile(r"^([a-z][a-z0-9+.-]*:)?//"), re.compile(r"[/?#]"), re.compile(r":\d*$")


def host_of(website: str) -> str:
    """Lower case, without scheme, path, user and port. What is no address stays what it is (docs/agreement.md, *Domains*)."""
    rest = _SCHEME.sub("", website.strip().lower(), count=1)
    return _PORT.sub("", _PATH.split(rest, maxsplit=1)[0].rpartition("@")[2])
