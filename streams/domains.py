"""The domain by which a company may be found: registrable, lower case, and never one where anybody gets a mailbox."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import tldextract

#: The list of public suffixes that the library carries; nothing is downloaded or cached.
_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def free_mail(more: Iterable[str] = ()) -> frozenset[str]:
    """The free-mail domains of free_mail.txt and `more` (settings.free_mail_domains), lower case."""
    listed = (Path(__file__).parent / "free_mail.txt").read_text("utf-8").splitlines()
    return frozenset(line.strip().lower() for line in (*listed, *more) if line.strip() and not line.startswith("#"))


def domain_of(website: str | None, email: str | None, free: frozenset[str]) -> str | None:
    """Of the website's host; without a website, of the e-mail. None for what is no domain and for a free-mail one."""
    found = registrable(_host(website) if website else _mail_host(email))
    return None if found in free else found


def registrable(host: str | None) -> str | None:
    """`shop.keystone.co.uk` is `keystone.co.uk`; under a suffix that nobody listed the last two labels count. None where there is none."""
    labels = (host or "").strip().lower().rstrip(".").split(".")
    if len(labels) < 2 or not all(_label(label) for label in labels) or _address(".".join(labels)):
        return None
    parts = _suffixes(".".join(labels))
    if parts.suffix:
        return f"{parts.domain}.{parts.suffix}" if parts.domain else None
    return ".".join(labels[-2:])


def _host(website: str) -> str | None:
    website = website.strip()
    try:
        return urlsplit(website if "://" in website else f"//{website}").hostname
    except ValueError:  # an unbalanced bracket
        return None


def _mail_host(email: str | None) -> str | None:
    local, _, host = (email or "").strip().rpartition("@")
    return host if local and "@" not in local else None


def _label(label: str) -> bool:
    return label.replace("-", "").replace("_", "").isalnum() and not (label.startswith("-") or label.endswith("-")) and len(label) < 64


def _address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
