"""The rules of docs/agreement.md, one function or a few lines each; a finding begins with the number of its rule."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from sandbox.compare import records
from sandbox.compare.invoices import Findings, Portal, judge
from sandbox.compare.owned import Row, same, text
from sandbox.compare.receivables import of_customers, rollups
from sandbox.compare.records import Held, Wanted


@dataclass
class Verdict:
    """What the comparison found: how many records hold rules 1 and 2, and one readable line for each that breaks a rule."""

    companies: int = 0
    contacts: int = 0
    seeded: int = 0  # customers that were made of won deals
    invoices: int | None = None  # where the dumps hold books
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)

    @property
    def agreed(self) -> bool:
        return not (self.missing or self.doubled or self.stale or self.altered)

    @property
    def line(self) -> str:
        """The one line that a demo or a test prints last."""
        there = f"{self.companies} companies, {self.contacts} contacts" + ("" if self.invoices is None else f", {self.invoices} invoices")
        found = f"{there}, {len(self.missing)} missing, {len(self.doubled)} doubled"
        if self.agreed:
            return f"in agreement: {found}, 0 stale"
        return f"NOT in agreement: {found}, {len(self.stale)} stale, {len(self.altered)} altered"


def compare(acumatica: Row, hubspot: Row, tenant: str, today: date | None = None) -> Verdict:
    """Judge two dumps of the sandboxes by docs/agreement.md; receivables too where Acumatica's has its `books`, as of `today` (else the day
    in UTC). Raises KeyError if one is not a dump of that system."""
    verdict = Verdict()
    customers = records.customers(acumatica, tenant)
    if "books" in acumatica:
        owe(acumatica, customers, tenant, today or datetime.now(UTC).date())
    contacts = records.contacts(acumatica, tenant, customers)
    companies = records.held(hubspot, "company", "companies", "acumatica_customer_key")
    people = records.held(hubspot, "contact", "contacts", "acumatica_contact_key")

    by_domain = companies.before(records.domains)
    excuse_ambiguous(companies, customers, by_domain)
    excuse_waiting(companies, customers, contacts)
    by_address = people.before(records.addresses)
    share_addresses(verdict, people, contacts)

    adopted(verdict, companies, customers, by_domain)
    adopted(verdict, people, contacts, by_address)
    seeds(verdict, hubspot, companies, customers)
    there = present(verdict, companies, customers)
    verdict.companies = len(there)
    people_there = present(verdict, people, contacts)
    verdict.contacts = sum(associated(verdict, hubspot, companies, customers, people_there))
    if "books" in acumatica:
        portal = Portal(tenant, companies, customers, {person.key: ref for ref, person in people_there.items()})
        billed(verdict, judge(acumatica, hubspot, portal))
    by_itself = hubspot.get("automatic", {}).get("companies", [])
    deleted = {f"{tenant}|{note}".lower() for note in acumatica.get("deleted", [])}
    for side, wanted, before in ((companies, customers, by_domain), (people, contacts, by_address)):
        strangers(verdict, side, wanted, by_itself if side is companies else (), deleted)
        untouched(verdict, side, wanted, before)
    return verdict


def owe(acumatica: Row, customers: Mapping[str, Wanted], tenant: str, today: date) -> None:
    """Rule 20: what each customer owes belongs to its company's values."""
    documents = of_customers(acumatica["books"])
    for row in acumatica["customers"]:
        own, customer = documents[row["id"].lower()], customers.get(f"{tenant}|{row['id']}".lower())
        if own and customer:
            customer.values |= rollups(row, own, today)


def billed(verdict: Verdict, found: Findings) -> None:
    verdict.invoices = found.invoices
    verdict.missing += found.missing
    verdict.doubled += found.doubled
    verdict.stale += found.stale
    verdict.excused += found.excused


def seeds(verdict: Verdict, hubspot: Row, companies: Held, customers: Mapping[str, Wanted]) -> None:
    """Rule 26: a company that won a deal is one customer, made of it or known before, and that customer is this company."""
    made: dict[str, list[Wanted]] = defaultdict(list)
    for customer in customers.values():
        if customer.named:
            made[customer.named].append(customer)
    for ref, several in made.items():
        labels = ", ".join(one.label for one in several)
        if len(several) > 1:
            verdict.doubled.append(f"rule 26: several customers were made of company {ref}: {labels}")
        elif ref in companies.live and companies.of(several[0].key) != [ref]:
            verdict.doubled.append(f"rule 26: {labels} was made of company {ref}, and is company {', '.join(companies.of(several[0].key))}")
        verdict.seeded += len(several) == 1
    for deal in hubspot.get("deals", []):
        properties = deal["properties"]
        ref = text(properties.get("hs_primary_associated_company"))
        won = text(properties.get("hs_is_closed_won")) == "true" and not deal.get("archived") and not deal.get("seeded")
        if won and ref in companies.live and not made[ref] and companies.key(companies.live[ref]) not in customers:
            verdict.missing.append(f"rule 26: deal {deal['id']} is won, and {companies.describe(ref)} is no customer")


def excuse_ambiguous(side: Held, wanted: Mapping[str, Wanted], before: Mapping[str, list[str]]) -> None:
    """Rule 12: a customer with several candidates goes to the dead letters."""
    for customer in unlinked(side, wanted):
        if customer.named:
            continue
        sizes = [len(before.get(domain, ())) for domain in (customer.match, customer.match_at_reset)]
        if min(sizes) > 1 or (max(sizes) > 1 and not side.of(customer.key)):
            found = before.get(customer.match) or before[customer.match_at_reset]
            customer.excuse = f"rule 12: several companies were there with its domain: {', '.join(found)}"


def excuse_waiting(companies: Held, customers: Mapping[str, Wanted], contacts: Mapping[str, Wanted]) -> None:
    """Rule 17: a contact waits for its customer's company, and ends as a dead letter if that one did."""
    for person in contacts.values():
        customer = customers[person.party]
        if customer.excuse and not person.excuse and not companies.of(customer.key):
            person.excuse = f"rule 17: its {customer.label} is excused"


def share_addresses(verdict: Verdict, people: Held, contacts: Mapping[str, Wanted]) -> None:
    """Rule 7: of the contacts whose e-mail address leads to one HubSpot contact, exactly one is there."""
    holder = {address: ref for ref, properties in people.seeded.items() for address in records.addresses(properties)}
    groups = defaultdict(list)
    for person in contacts.values():
        if person.match and not person.excuse.startswith("rule 9"):
            groups[holder.get(person.match, person.match)].append(person)
    for place, group in groups.items():
        there = [person for person in group if people.of(person.key)]
        names = ", ".join(person.label for person in group)
        stranger = people.key(people.seeded.get(place, {}))
        if stranger and stranger not in contacts:
            for person in group:
                person.excuse = f"rule 7: {person.match} is held by {people.describe(place)}, which is claimed by {stranger}"
        elif len(group) > 1 and not there and not all(person.excuse for person in group):
            verdict.missing.append(f"rule 7: none of those who share {group[0].match} is there: {names}")
        elif len(there) > 1:
            verdict.doubled.append(f"rule 7: HubSpot gives {group[0].match} to one contact, yet {len(there)} are there: {names}")
        if len(group) > 1:
            for person in group:
                if person not in there and not person.excuse:
                    person.excuse = f"rule 7: {person.match} is shared by {names}"


def unlinked(side: Held, wanted: Mapping[str, Wanted]) -> list[Wanted]:
    """Those that had to look for a record that was there before: none carried their key then, and nothing excuses them."""
    claimed = side.claimed_before()
    return [record for record in wanted.values() if record.key not in claimed and not record.excuse]


def adopted(verdict: Verdict, side: Held, wanted: Mapping[str, Wanted], before: Mapping[str, list[str]]) -> None:
    """Rules 10, 11 and 13: who matches the one record that was there, at reset and today, does not get another one beside it."""
    groups = defaultdict(list)
    for record in unlinked(side, wanted):
        if record.named:
            continue
        if record.match == record.match_at_reset and len(before.get(record.match, ())) == 1:
            groups[before[record.match][0]].append(record)
    for ref, group in groups.items():
        made = [other for record in group for other in side.of(record.key)]
        if made and ref not in made:
            names = ", ".join(record.label for record in group)
            verdict.doubled.append(f"rule 10: {side.describe(ref)} was there for {names}, yet {side.kind} {', '.join(made)} was made")


def present(verdict: Verdict, side: Held, wanted: Mapping[str, Wanted]) -> dict[str, Wanted]:
    """Rules 1 to 4, 8 and 12: the records that are there once, by id, with their owned values compared."""
    found = {}
    for record in wanted.values():
        refs = side.of(record.key)
        if len(refs) > 1 or (refs and record.excuse.startswith("rule 12")):
            why = record.excuse or "rule 1: several records carry its key"
            verdict.doubled.append(f"{why}: {record.label}: {side.kind} {', '.join(refs)}")
        elif record.excuse:
            verdict.excused.append(f"{record.excuse}: {record.label}")
        elif not refs:
            verdict.missing.append(f"rule {1 if side.kind == 'company' else 2}: no {side.kind} for {record.label}")
        else:
            found[refs[0]] = record
            values(verdict, side, refs[0], record)
    return found


def values(verdict: Verdict, side: Held, ref: str, record: Wanted) -> None:
    """Rule 4."""
    for name, wanted in record.values.items():
        held = side.live[ref].get(name)
        if not same(name, wanted, held):
            verdict.stale.append(f"rule 4: {side.kind} {ref}, {record.label}: {name} is {text(held)!r}, want {wanted!r}")


def associated(
    verdict: Verdict, hubspot: Row, companies: Held, customers: Mapping[str, Wanted], people: Mapping[str, Wanted]
) -> list[bool]:
    """Rule 6, for each contact that is there: with its own customer's company, and with no other one of ours but those of people."""
    links, of_people, by_itself = defaultdict(set), defaultdict(set), defaultdict(set)
    for link in hubspot["associations"]:
        if (link["from"], link["to"]) == ("contact", "company"):
            links[str(link["from_id"])].add(str(link["to_id"]))
    for link in hubspot.get("seeded", {}).get("associations", []):
        of_people[str(link["from_id"])].add(str(link["to_id"]))
    for link in hubspot.get("automatic", {}).get("associations", []):
        by_itself[str(link["from_id"])].add(str(link["to_id"]))
    held = []
    for ref, person in people.items():
        own = set(companies.of(person.party))
        others = {
            other
            for other in links[ref] - own - of_people[ref] - by_itself[ref]
            if companies.key(companies.live.get(other, {})) in customers
        }
        held.append(bool(own & links[ref]) and not others)
        if not own & links[ref]:
            verdict.stale.append(f"rule 6: contact {ref}, {person.label}: not associated with its {customers[person.party].label}")
        for lost in sorted(of_people[ref] & companies.live.keys() - links[ref]):
            verdict.altered.append(f"rule 15: contact {ref}, {person.label}: its association with company {lost} was there before")
        if others:
            verdict.stale.append(f"rule 6: contact {ref}, {person.label}: associated with company {', '.join(sorted(others))} too")
    return held


def strangers(verdict: Verdict, side: Held, wanted: Collection[str], automatic: Collection[str], deleted: Collection[str]) -> None:
    """Rules 3 and 5: no key without a record in scope, and no new record without a key, but for those that HubSpot made by itself;
    a record of a row that was deleted stays, by rule 18."""
    for ref, properties in side.live.items():
        key = side.key(properties)
        if key and key not in wanted and key not in deleted and key != side.key(side.seeded.get(ref, {})):
            verdict.doubled.append(f"rule 5: {side.describe(ref)}: its key {key!r} belongs to no record in scope")
        elif not key and ref not in side.seeded and ref not in automatic:
            verdict.doubled.append(f"rule 5: {side.describe(ref)} was not there before and carries no key")


def untouched(verdict: Verdict, side: Held, wanted: Mapping[str, Wanted], before: Mapping[str, list[str]]) -> None:
    """Rule 15: a record that was there before keeps all that we do not own, and is adopted only by one that matches it."""
    for ref, old in side.seeded.items():
        if ref not in side.live:
            verdict.altered.append(f"rule 15: {side.describe(ref)} was there before and is no longer")
            continue
        new = side.live[ref]
        record = wanted.get(side.key(new))
        ours = {side.key_name, *record.values, "hs_additional_emails", "acumatica_company_before"} if record else {side.key_name}
        if side.key(old) and side.key(old) != side.key(new):
            verdict.altered.append(f"rule 15: {side.describe(ref)}: its key was {side.key(old)!r} and is {side.key(new)!r}")
        elif (
            record
            and not side.key(old)
            and record.named != ref
            and not any(ref in before.get(m, ()) for m in (record.match, record.match_at_reset))
        ):
            verdict.altered.append(f"rule 15: {side.describe(ref)} was adopted without a match by {record.label}")
        for name in sorted((old.keys() | new.keys()) - ours - side.computed):
            if (old.get(name) or "") != (new.get(name) or ""):
                verdict.altered.append(f"rule 15: {side.describe(ref)}: {name} was {old.get(name)!r} and is {new.get(name)!r}")
