"""Who is there already: customers that carry a company's ref, those that look like it, and business accounts that are no customers yet.
Few list calls for many companies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from schemas.hosts import host_of
from schemas.records import Wish
from schemas.refs import Ref
from sinks.contract import Ask, Claims
from weighlock.clients.acumatica_values import Row, literal, packed
from weighlock.errors import RejectedError

if TYPE_CHECKING:
    from weighlock.clients.acumatica_writes import AcumaticaWrites

ENTITY, KIND = "Customer", "customer"
ACCOUNT, ACCOUNT_SHOWN = "BusinessAccount", ("BusinessAccountID", "Name", "Type", "Status", "AccountRef")
SHOWN = ("CustomerID", "CustomerName", "Status", "MainContact/Email", "MainContact/WebSite")
#: Room for one `$filter`, encoded: IIS takes 2,048 characters of query where nobody has raised it.
ROOM = 1500
#: How the values of a wish's matches are asked for, and whether a row that came back is one.
LOOKS: Mapping[str, tuple[Callable[[str], str], Callable[[Row, str], bool]]] = {
    "CustomerName": (lambda value: f"CustomerName eq {literal(value)}", lambda row, value: _text(row, "CustomerName") == value.casefold()),
    "Email": (lambda value: f"MainContact/Email eq {literal(value)}", lambda row, value: _email(row) == value.casefold()),
    "Domain": (
        lambda value: f"substringof({literal('@' + value)},MainContact/Email) or substringof({literal(value)},MainContact/WebSite)",
        lambda row, value: _under(_email(row).rpartition("@")[2], value) or _under(host_of(_main(row, "WebSite")), value),
    ),
}


class Candidates:
    """For one batch."""

    def __init__(self, client: AcumaticaWrites, ask: Ask, claims: Claims) -> None:
        self._client, self._ask, self._claims = client, ask, claims

    def carrying(self, wishes: Sequence[Wish]) -> dict[str, list[Row]]:
        """By subject: the customers that hold its ref, alone or as one of several that are joined."""
        terms = [f"substringof({literal(wish.key_value)},{wish.key_property})" for wish in wishes]
        rows = self._rows(terms, wishes[0].key_property) if wishes else []
        return {wish.subject: [row for row in rows if carries(row, wish)] for wish in wishes}

    def alike(self, wishes: Sequence[Wish]) -> dict[str, list[Row]]:
        """By subject: the customers that one of its matches names."""
        found: dict[str, dict[str, Row]] = {wish.subject: {} for wish in wishes}
        for name, (term, is_one) in LOOKS.items():
            wanted: dict[str, list[str]] = defaultdict(list)
            for wish in wishes:
                for match in wish.matches:
                    if match.property == name:
                        wanted[match.value].append(wish.subject)
            rows = self._rows([term(value) for value in wanted]) if wanted else []
            for value, subjects in wanted.items():
                for subject in subjects:
                    found[subject] |= {str(row["id"]): row for row in rows if is_one(row, value)}
        return {subject: list(rows.values()) for subject, rows in found.items()}

    def accounts(self, wishes: Sequence[Wish]) -> dict[str, list[Row]]:
        """By subject: prospects, vendors and other business accounts that carry its ref or have its name. One of them becomes a customer
        by being extended to it, in Acumatica alone."""
        found: dict[str, dict[str, Row]] = {wish.subject: {} for wish in wishes}
        terms = [f"Name eq {literal(name)}" for name in {name for wish in wishes for name in _names(wish)}]
        terms += [f"substringof({literal(wish.key_value)},AccountRef)" for wish in wishes]
        for filter in packed(terms, ROOM):
            for row in self._ask(partial(self._client.list, ACCOUNT, ACCOUNT_SHOWN, (), filter), ()):
                if "Customer" in str(row.get("Type")):
                    continue
                for wish in wishes:
                    if _text(row, "Name") in _names(wish) or carries(row, wish):
                        found[wish.subject][str(row["id"])] = row
        return {subject: list(rows.values()) for subject, rows in found.items()}

    def numbered(self, number: str, field: str) -> list[Row]:
        return self._rows([f"CustomerID eq {literal(number)}"], field)

    def refusal(self, wish: Wish, rows: Sequence[Row]) -> RejectedError:
        """A person decides: the sentence says how."""
        owners = {str(row["id"]).lower(): self._claims(KIND, str(row["id"]).lower(), Ref.parse(wish.subject).system) for row in rows}
        told = [described(row) + (f", which is {owner}'s" if (owner := owners[str(row["id"]).lower()]) else "") for row in rows]
        free = [id for id, owner in owners.items() if owner is None]
        if free:
            how = f"link it with `weighlock links set {Ref('acumatica', KIND, free[0])} {wish.subject}`"
        else:
            how = f"merge this company with {' or '.join(sorted({owner for owner in owners.values() if owner}))} in HubSpot"
        else_ = f"if not, make the customer by hand, with {wish.key_value} in {wish.key_property}"
        count = "a customer" if len(rows) == 1 else f"{len(rows)} customers"
        reason = f"{count} of Acumatica may be this company already: {'; '.join(told)}. If so, {how}; {else_}"
        return RejectedError(reason, candidates=tuple(str(Ref("acumatica", KIND, id)) for id in owners))

    def no_customer_yet(self, wish: Wish, rows: Sequence[Row]) -> RejectedError:
        """A person decides: the sentence says how."""
        told = "; ".join(
            f"{str(row.get('BusinessAccountID')).strip()} ({str(row.get('Name')).strip()}, {row.get('Type')}, {row.get('Status')})"
            for row in rows
        )
        reason = (
            f"this company may be a business account of Acumatica that is no customer: {told}. If so, extend it to a customer there, with "
            f"{wish.key_value} in {wish.key_property}; if not, make the customer by hand, with the same"
        )
        return RejectedError(reason, candidates=tuple(str(Ref("acumatica", "business_account", str(row["id"]).lower())) for row in rows))

    def _rows(self, terms: Iterable[str], *more: str) -> list[Row]:
        found: list[Row] = []
        for filter in packed(terms, ROOM):
            found += self._ask(partial(self._client.list, ENTITY, [*SHOWN, *more], ["MainContact"], filter), ())
        return list({str(row["id"]): row for row in found}.values())


def described(row: Row) -> str:
    return f"customer {str(row.get('CustomerID')).strip()} ({str(row.get('CustomerName')).strip()}, {row.get('Status') or 'no status'})"


def listed(properties: Mapping[str, str | None], *more: str) -> tuple[list[str], list[str]]:
    """What to select, and expand, to read these dotted fields back."""
    paths = [name.replace(".", "/") for name in (*properties, *more)]
    select = list(dict.fromkeys(("CustomerID", "CustomerName", "Status", *paths)))
    return select, list(dict.fromkeys(path.rpartition("/")[0] for path in select if "/" in path))


def carries(row: Row, wish: Wish) -> bool:
    return wish.key_value in [part.strip() for part in str(row.get(wish.key_property) or "").split(";")]


def _names(wish: Wish) -> set[str]:
    return {match.value.casefold() for match in wish.matches if match.property == "CustomerName"}


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "").strip().casefold()


def _main(row: Row, name: str) -> str:
    return str((row.get("MainContact") or {}).get(name) or "").strip()


def _email(row: Row) -> str:
    return _main(row, "Email").casefold()


def _under(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
