"""What the Acumatica sink makes, finds and refuses, in the sandbox; without Kafka (that it makes nothing twice: test_sink_acumatica.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from schemas.records import Match, Wish, now
from sinks.acumatica import AcumaticaTarget
from sinks.contract import Answer, Postponed, Resolved, Unlinked, Written
from sinks.intents import Intent
from tests.integration.acumatica_kit import SITE, Call, Line, seed
from weighlock.clients.acumatica import Budget
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.clients.acumatica_writes import AcumaticaWrites
from weighlock.errors import RejectedError, TransientError
from weighlock.settings import Settings

T = TypeVar("T")


class Desk:
    """A target, and what the loop would tell it. `owners`: whose a customer is, by NoteID; `created`: refs of what calls were to make."""

    def __init__(self, folder: Path, **switches: object) -> None:
        self.line = Line(**{"customer_numbering": "auto", **switches})
        given = Settings(kafka="k:1", registry="http://r", acumatica=SITE, deals={"since": "2026-01-01"})
        self.target = AcumaticaTarget(
            given, AcumaticaWrites(given.need_acumatica(), FileTokenStore(folder / "grant.sealed"), self.line, Budget(10_000))
        )
        self.owners: dict[str, str] = {}
        self.created: list[str] = []

    def ask(self, call: Callable[[], T], wishes: Sequence[Wish] | None = None, *, creates: bool = False) -> T:
        self.created += [wish.subject for wish in wishes or () if creates]
        return call()

    def write(self, *wishes: Wish | Resolved) -> Mapping[str, Answer]:
        resolved = [one if isinstance(one, Resolved) else Resolved(one) for one in wishes]
        return self.target.write(resolved, self.ask, lambda kind, record, system: self.owners.get(record))

    def one(self, wish: Wish | Resolved) -> Answer:
        (answer,) = self.write(wish).values()
        return answer

    def has(self, **fields: object) -> str:
        """A customer that was there before; its NoteID."""
        self.line.vendor.edit({"entity": "customer", "create": {"CustomerName": "Somebody", **fields}})
        return str(self.line.customers[-1]["id"])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def refused(answer: Answer) -> RejectedError:
    assert isinstance(answer, RejectedError)
    return answer


def test_a_customer_is_made(desk: Desk) -> None:
    """With everything that was asked for and the company's ref in it, under an intent, and said so."""
    wish = seed(1, **{"Terms": "30D", "CurrencyID": "EUR", "MainContact.Email": "a@one.example", "MainContact.Address.City": "Ulm"})
    answer = desk.one(wish)
    (made,) = desk.line.customers
    assert (made["CustomerName"], made["Terms"], made["CurrencyID"], made["AccountRef"]) == ("Company 1", "30D", "EUR", "hubspot:company:1")
    assert (made["MainContact"]["Email"], made["MainContact"]["Address"]["City"]) == ("a@one.example", "Ulm")
    assert answer == Written(str(made["id"]), "created", note=f"customer {made['CustomerID']} (Company 1, Active)")
    assert desk.created == [wish.subject]


def test_who_is_a_customer_is_left_alone(desk: Desk) -> None:
    """Known by the ledger, a link or a person's word: an answer without any call; unlinked by a person: no customer's any more."""
    wish = seed(1)
    for known in (Resolved(wish, written="n", linked="n"), Resolved(wish, linked="n"), Resolved(wish, written="m", decided="n")):
        answer = desk.one(known)
        assert isinstance(answer, Written)
        assert (answer.id, answer.origin, answer.linked, answer.note) == (
            "n",
            "known",
            True,
            "already a customer; nothing is changed there",
        )
    assert desk.one(Resolved(wish, written="n", decided="")) == Unlinked()
    assert desk.line.seen == []


def test_a_customer_that_is_gone_is_made_again(desk: Desk) -> None:
    """Made before, and no link names it any more: it is asked for. One that was deleted in Acumatica is made anew, one that is there is
    left alone."""
    note = desk.has(CustomerName="Company 1")
    answer = desk.one(Resolved(seed(1), written=note))
    assert isinstance(answer, Written)
    assert (answer.id, answer.origin) == (note, "known")
    desk.line.vendor.edit({"entity": "customer", "key": note, "delete": True})
    answer = desk.one(Resolved(seed(1), written=note))
    assert isinstance(answer, Written)
    assert (answer.id != note, answer.origin) == (True, "created")


def test_look_alikes_are_listed(desk: Desk) -> None:
    """The same name in any case, the same main e-mail, a mail or a website under the domain: they are listed, with what to do."""
    name = desk.has(CustomerName="ACME LTD")
    mail = desk.has(MainContact={"Email": "Info@acme.example"})
    site = desk.has(MainContact={"WebSite": "https://www.acme.example/de"})
    desk.has(CustomerName="Acme Ltd & Sons", MainContact={"Email": "info@notacme.example", "WebSite": "acme.example.com"})
    desk.owners = {mail: "hubspot:company:77"}
    wish = seed(1, CustomerName="Acme Ltd", **{"MainContact.Email": "info@acme.example"})
    wish = wish.model_copy(update={"matches": [*wish.matches, Match(property="Domain", value="acme.example")]})
    error = refused(desk.one(wish))
    assert sorted(error.candidates) == sorted(f"acumatica:customer:{id}" for id in (name, mail, site))
    assert "3 customers of Acumatica may be this company already" in error.reason
    assert "which is hubspot:company:77's" in error.reason
    assert "weighlock links set acumatica:customer:" in error.reason
    assert "make the customer by hand, with hubspot:company:1 in AccountRef" in error.reason
    desk.owners = dict.fromkeys((name, mail, site), "hubspot:company:77")
    assert "merge this company with hubspot:company:77 in HubSpot" in refused(desk.one(wish)).reason
    assert desk.created == []


def test_a_prospect_is_no_second_account(desk: Desk) -> None:
    """A business account of that name, or with the company's ref, that is no customer yet: it is listed with what to do, nothing is made.
    One that is a customer as well is looked at as that."""
    vendor = desk.line.vendor
    for fields in ({"Name": "COMPANY 1"}, {"Name": "Else", "Type": "Vendor", "AccountRef": "a; hubspot:company:2"}, {"Name": "Company 10"}):
        vendor.edit({"entity": "business_account", "create": fields})
    desk.has(CustomerName="Company 3")
    answers = desk.write(*(seed(number) for number in (1, 2, 3, 4)))
    prospect, supplier, _ = (row for row in vendor.store.accounts if row["Type"] != "Customer")
    error = refused(answers["hubspot:company:1"])
    assert f"{prospect['BusinessAccountID']} (COMPANY 1, Business Account, Prospect)" in error.reason
    assert "extend it to a customer there, with hubspot:company:1 in AccountRef" in error.reason
    assert error.candidates == (f"acumatica:business_account:{prospect['id']}",)
    assert refused(answers["hubspot:company:2"]).candidates == (f"acumatica:business_account:{supplier['id']}",)
    assert "a customer of Acumatica may be this company" in refused(answers["hubspot:company:3"]).reason
    assert desk.created == ["hubspot:company:4"]


def test_two_companies_of_one_name(desk: Desk) -> None:
    """In one batch: the first is made, the second is held against it."""
    answers = desk.write(seed(1, CustomerName="Twin"), seed(2, CustomerName="TWIN"), seed(3))
    assert [type(answers[f"hubspot:company:{n}"]) for n in (1, 2, 3)] == [Written, RejectedError, Written]
    assert len(desk.line.customers) == 2


@pytest.mark.parametrize("held", ["hubspot:company:1", "SHOP-9; hubspot:company:1", "hubspot:company:12;hubspot:company:1;x"])
def test_who_carries_the_ref_is_the_customer(desk: Desk, held: str) -> None:
    """Alone or among others; nothing is made, and nothing is changed."""
    desk.has(AccountRef="hubspot:company:12")
    note = desk.has(AccountRef=held)
    answer = desk.one(seed(1))
    assert isinstance(answer, Written)
    assert (answer.id, answer.origin, answer.linked) == (note, "adopted", False)
    assert len(desk.line.customers) == 2


def test_a_ref_that_two_customers_carry(desk: Desk) -> None:
    """Nobody can tell which one it is: a refusal that lists them."""
    notes = [desk.has(AccountRef="hubspot:company:1"), desk.has(AccountRef="a;hubspot:company:1")]
    assert sorted(refused(desk.one(seed(1))).candidates) == sorted(f"acumatica:customer:{note}" for note in notes)


def test_a_ref_that_was_copied(desk: Desk) -> None:
    """A customer that is another company's stays there."""
    note = desk.has(AccountRef="hubspot:company:1;hubspot:company:2")
    desk.owners = {note: "hubspot:company:2"}
    error = refused(desk.one(seed(1)))
    assert "and is hubspot:company:2's" in error.reason
    assert error.candidates == (f"acumatica:customer:{note}",)


def test_what_the_site_refuses(desk: Desk, tmp_path: Path) -> None:
    """The errors of a 422, nested ones too, are the reason, and what was sent is kept; as one exception text they are as well."""
    wish = seed(1, **{"CustomerClass": "A CLASS THAT IS TOO LONG", "MainContact.Address.Country": "DEU"})
    for one in (desk, Desk(tmp_path, validation_shape="500")):
        error = refused(one.one(wish))
        assert "CustomerClass: " in error.reason
        assert "MainContact.Address.Country: " in error.reason
        assert '"AccountRef": {"value": "hubspot:company:1"}' in (error.request or "")
        assert one.line.customers == []


def test_what_was_not_saved(desk: Desk) -> None:
    """A field that the site did not keep is named; a 200 that made nothing is no customer."""

    def forget(call: Call, request: httpx.Request) -> httpx.Response:
        answer = call()
        desk.line.customers[-1]["Terms"] = None  # type: ignore[index]
        return answer

    desk.line.fate = forget
    answer = desk.one(seed(1, Terms="30D"))
    assert isinstance(answer, Written)
    assert "not saved as asked: Terms" in (answer.note or "")
    desk.line.fate = desk.line.nothing
    assert isinstance(desk.one(seed(2)), Postponed)
    assert len(desk.line.customers) == 1


def test_an_answer_that_is_lost(desk: Desk) -> None:
    """Postponed; until the intent is over nothing is made; then it is found by its ref, or made, and given up after some attempts."""
    desk.line.fate = desk.line.delay
    assert isinstance(desk.one(seed(1)), Postponed)
    fresh, over = Intent(now()), Intent(now() - timedelta(seconds=700))
    puts = len(desk.created)
    assert isinstance(desk.one(Resolved(seed(1), intent=fresh)), Postponed)
    assert len(desk.created) == puts
    assert "asked 5 times" in refused(desk.one(Resolved(seed(1), intent=replace(over, count=5)))).reason
    assert len(desk.created) == puts
    desk.line.deliver()
    found = desk.one(Resolved(seed(1), intent=fresh))
    assert isinstance(found, Written)
    assert (found.origin, "its answer was lost" in (found.note or "")) == ("created", True)
    assert len(desk.line.customers) == 1


def test_a_site_that_never_answers(desk: Desk) -> None:
    """After three calls without an answer in a row the others are not tried now."""
    desk.line.fate = desk.line.delay
    with pytest.raises(TransientError):
        desk.write(*(seed(number) for number in range(10)))
    assert len(desk.line.late) == 3


def test_numbers_by_a_template(tmp_path: Path) -> None:
    """With a number of its own a customer is made only if that is free: a lost one is found by it, a stranger's number is refused."""
    desk = Desk(tmp_path, customer_numbering="manual")
    desk.has(CustomerID="HS2")
    desk.line.fate = desk.line.lose
    assert isinstance(desk.one(seed(1, CustomerID="HS1")), Postponed)
    desk.line.fate = lambda call, request: call()
    assert isinstance(desk.one(Resolved(seed(1, CustomerID="HS1"), intent=Intent(now() - timedelta(seconds=700)))), Written)
    assert (
        "HS2 that this company would get is taken by customer HS2 (Somebody, Active)" in refused(desk.one(seed(2, CustomerID="HS2"))).reason
    )
    assert len(desk.line.customers) == 2


def test_few_calls(desk: Desk) -> None:
    """Forty companies are looked up together: a call to make each and one to read it back, and some lists."""
    desk.write(*(seed(number, **{"MainContact.Email": f"a@c{number}.example"}) for number in range(40)))
    lists = [
        request for request in desk.line.seen if request.method == "GET" and request.url.path.endswith(("/Customer", "/BusinessAccount"))
    ]
    assert len(desk.line.customers) == 40
    assert len(lists) <= 9
    assert all(len(request.url.query) < 2048 for request in lists)
