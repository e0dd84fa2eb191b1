"""The domain by which a company may be found: registrable, lower case, and never one where anybody gets a mailbox."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import tldextract

from schemas.hosts import host_of

#: The list of public suffixes that the library carries; nothing is downloaded or cached.
_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
#: What DNS has room for: a longer name is nobody's, and HubSpot's search would refuse it together with all others of its call.
LONGEST = 253
_ATOM, _MAIL_LABEL = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_MAIL = re.compile(rf"{_ATOM}(\.{_ATOM})*@(?P<domain>{_MAIL_LABEL}(\.{_MAIL_LABEL})+)")


def free_mail(more: Iterable[str] = ()) -> frozenset[str]:
    """The free-mail domains of free_mail.txt and `more` (settings.free_mail_domains), lower case."""
    listed = (Path(__file__).parent / "free_mail.txt").read_text("utf-8").splitlines()
    return frozenset(line.strip().lower() for line in (*listed, *more) if line.strip() and not line.startswith("#"))


def domain_of(website: str | None, email: str | None, free: frozenset[str]) -> str | None:
    """Of the website's host; without a website, of the e-mail. None for what is no domain and for a free-mail one (docs/agreement.md)."""
    found = registrable(host_of(website) if website else _mail_host(email))
    return None if found in free else found


def registrable(host: str | None) -> str | None:
    """`shop.keystone.co.uk` is `keystone.co.uk`; under a suffix that nobody listed the last two labels count. None where there is none."""
    name = (host or "").strip().lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > LONGEST or len(labels) < 2 or not all(_label(label) for label in labels) or labels[-1].isdigit():
        return None
    parts = _suffixes(".".join(labels))
    if parts.suffix:
        return f"{parts.domain}.{parts.suffix}" if parts.domain else None
    return ".".join(labels[-2:])


def _mail_host(email: str | None) -> str | None:
    found = _MAIL.fullmatch((email or "").strip().lower())
    return found.group("domain") if found else None


def _label(label: str) -> bool:
    return label.replace("-", "").isalnum() and not label.startswith("-") and not label.endswith("-")
