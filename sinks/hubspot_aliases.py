"""Companies that a search by domain does not find: under a subdomain, in another spelling, or with the domain among the additional ones.

HubSpot's search takes whole values (facts/hubspot.md §3: an IN over tokens is not to be had), so the portal's companies are listed, a
hundred a call, at the first match of a process and again when that is an hour old. What people make meanwhile under such a spelling is
seen an hour later; under the domain itself, or `www.`, it is found at once by search.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial

from schemas.hosts import host_of
from sinks.contract import Ask
from weighlock.clients.hubspot import HubSpot

#: More companies than this are not listed: then only the domain itself and `www.` are found.
LISTED = 20_000
HOUR = 3600.0
_LABEL = re.compile(r"[^\W_](?:(?:[^\W_]|-)*[^\W_])?")


class Aliases:
    """One for a process."""

    def __init__(self, client: HubSpot) -> None:
        self._client = client
        self._read_at: float | None = None
        self._ids: dict[str, list[str]] = defaultdict(list)

    def of(self, domains: Iterable[str], ask: Ask) -> list[str]:
        """Ids of the companies that have one of these domains in another way than as their whole `domain`."""
        if self._read_at is None or time.monotonic() > self._read_at + HOUR:
            self._list(ask)
        return list(dict.fromkeys(id for domain in domains for id in self._ids.get(bare_domain(domain), ())))

    def _list(self, ask: Ask) -> None:
        found: dict[str, list[str]] = defaultdict(list)
        after: str | None = None
        seen = 0
        while seen < LISTED:
            items, after = ask(partial(self._client.page, "company", ("domain", "hs_additional_domains"), after), ())
            seen += len(items)
            for item in items:
                whole, *more = domains_of(item.properties)
                other = [] if _searched(whole, item.properties.get("domain")) else [whole]
                for domain in {*above(whole), *other, *(one for name in more for one in (name, *above(name)))}:
                    found[domain].append(item.id)
            if after is None:
                break
        self._ids, self._read_at = found, time.monotonic()


def domains_of(properties: Mapping[str, str | None]) -> list[str]:
    """The company's domain (empty text where it has none), then its additional ones, all bare."""
    more = (properties.get("hs_additional_domains") or "").split(";")
    return [bare_domain(properties.get("domain")), *(bare_domain(one) for one in more if one.strip())]


def has_domain(properties: Mapping[str, str | None], domain: str) -> bool:
    """Is it the company's domain, an additional one, or what one of them is a subdomain of?"""
    bare = bare_domain(domain)
    return any(one == bare or one.endswith(f".{bare}") for one in domains_of(properties))


def above(domain: str) -> list[str]:
    """`a.b.example`: `b.example`, `example`."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels))]


def bare_domain(text: str | None) -> str:
    """As people spell it in HubSpot, to compare: lower case, without scheme, path, user, port, `www.` and a dot at the end, and the
    letters that an `xn--` label stands for; empty for what is no domain (docs/agreement.md, *Domains*)."""
    host = host_of(text or "")
    labels = [_spoken(label) for label in host.removesuffix(".").removeprefix("www.").split(".")]
    return ".".join(labels) if len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels) else ""


def _spoken(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _searched(bare: str, text: str | None) -> bool:
    """Does a search for that domain find this spelling of it?"""
    return bare.isascii() and (text or "").strip().lower() in (bare, f"www.{bare}")
