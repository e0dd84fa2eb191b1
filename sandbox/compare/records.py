"""The two dumps as the comparer looks at them: what Acumatica wants to be there, and what HubSpot holds, by key."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.compare.owned import LONGEST, Row, company, contact, domain, email, is_code, spoken, text, valid_email

# what HubSpot itself keeps up to date, for dumps whose definitions do not say that a property is read-only
_COMPUTED = """createdate lastmodifieddate hs_createdate hs_lastmodifieddate hs_object_id associatedcompanyid num_associated_contacts
num_associated_companies num_associated_deals"""
COMPUTED = frozenset(_COMPUTED.split())
COMPANY_REF = "hubspot:company:"


@dataclass
class Wanted:
    """A record in scope: its key in HubSpot, its owned values, and why it may be absent (`excuse`, empty if it may not)."""

    key: str
    label: str
    values: dict[str, str]
    match: str  # what a record that was there before is found by, today: a domain or an e-mail address
    match_at_reset: str  # the same for the row as it was at reset; today's where it is new or the dump does not say
    party: str = ""  # a contact's: the key of its customer
    excuse: str = ""
    named: str = ""  # a customer's: the id of the company that it was made from (rule 26)


@dataclass
class Held:
    """One object type of the portal: its live records by id and by our key, and how it was at reset."""

    kind: str
    key_name: str
    live: dict[str, Row]
    seeded: dict[str, Row]
    computed: frozenset[str]
    by_key: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for ref, properties in self.live.items():
            if self.key(properties):
                self.by_key[self.key(properties)].append(ref)

    def key(self, properties: Row) -> str:
        return text(properties.get(self.key_name))

    def of(self, key: str) -> list[str]:
        """The ids of the live records that carry this key."""
        return self.by_key.get(key, [])

    def before(self, matches: Callable[[Row], set[str]]) -> dict[str, list[str]]:
        """The ids of the records that were there unclaimed, by what they match."""
        found: dict[str, list[str]] = defaultdict(list)
        for ref, properties in self.seeded.items():
            for value in matches(properties) if not self.key(properties) else ():
                found[value].append(ref)
        return found

    def claimed_before(self) -> set[str]:
        return {self.key(properties) for properties in self.seeded.values()} - {""}

    def describe(self, ref: str) -> str:
        properties = self.live.get(ref) or self.seeded.get(ref, {})
        return f"{self.kind} {ref} {text(properties.get('name')) or text(properties.get('email'))!r}"


def customers(dump: Row, tenant: str) -> dict[str, Wanted]:
    """The customers in scope, by key."""
    old = dump.get("seeded", {}).get("customers", {})
    found = {}
    for row in dump["customers"]:
        values = company(row)
        if values["name"]:
            key = f"{tenant}|{row['id']}".lower()
            label = f"customer {values['acumatica_customer_id']} {values['name'][:60]!r} ({key})"
            before = spoken(company(old.get(row["id"], row))["domain"])
            match, named = spoken(values["domain"]), made_from(row)
            found[key] = Wanted(key, label, values, match, before, named=named, excuse=too_long(values))
    return found


def made_from(customer: Row) -> str:
    """The id of the company in `AccountRef`, where several references may stand."""
    parts = [part.strip() for part in text(customer.get("AccountRef")).split(";")]
    return next((part.removeprefix(COMPANY_REF) for part in parts if part.startswith(COMPANY_REF)), "")


def contacts(dump: Row, tenant: str, parties: Mapping[str, Wanted]) -> dict[str, Wanted]:
    """The contacts in scope, by key: those of type `Contact` whose business account is the code of a customer in scope."""
    codes = {wanted.values["acumatica_customer_id"].upper(): key for key, wanted in parties.items()}
    old = dump.get("seeded", {}).get("contacts", {})
    found = {}
    for row in dump["contacts"]:
        party = codes.get(text(row.get("BusinessAccount")).upper())
        if party and text(row.get("Type")) == "Contact":
            values = contact(row)
            key = f"{tenant}|{row['id']}".lower()
            label = f"contact {values['acumatica_contact_id']} {values['firstname']} {values['lastname'][:60]} ({key})"
            before = email(old.get(row["id"], row).get("Email"))
            excuse = too_long(values) or refused(values["email"]) or not_a_name(values)
            found[key] = Wanted(key, label, values, values["email"], before, party, excuse)
    return found


def too_long(values: Mapping[str, str]) -> str:
    long = [name for name, value in values.items() if len(value) > LONGEST]
    return f"rule 16: longer than {LONGEST} characters: {', '.join(long)}" if long else ""


def refused(address: str) -> str:
    return f"rule 9: HubSpot refuses the e-mail {address!r}" if address and not valid_email(address) else ""


def not_a_name(values: Mapping[str, str]) -> str:
    wrong = [name for name in ("firstname", "lastname") if is_code(values[name])]
    return f"rule 19: HubSpot refuses links and code in {', '.join(wrong)}" if wrong else ""


def held(dump: Row, kind: str, plural: str, key_name: str) -> Held:
    """One object type (`company`, `contact`) of a HubSpot dump."""
    live = {str(record["id"]): record["properties"] for record in dump[plural] if not record.get("archived")}
    seeded = {str(ref): properties for ref, properties in dump.get("seeded", {}).get(plural, {}).items()}
    definitions: list[dict[str, Any]] = dump.get("properties", {}).get(plural, [])
    read_only = {d["name"] for d in definitions if (d.get("modificationMetadata") or {}).get("readOnlyValue")}
    return Held(kind, key_name, live, seeded, COMPUTED | read_only)


def domains(properties: Row) -> set[str]:
    """What a company that was there before is found by."""
    additional = text(properties.get("hs_additional_domains")).split(";")
    return {spoken(domain(one)) for one in (properties.get("domain"), *additional)} - {""}


def addresses(properties: Row) -> set[str]:
    """What a contact that was there before is found by: its e-mail address and its additional ones."""
    additional = text(properties.get("hs_additional_emails")).split(";")
    return {email(address) for address in (properties.get("email"), *additional)} - {""}
