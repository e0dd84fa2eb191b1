"""Actions on documents in the Acumatica sandbox (facts/acumatica.md §4.10: S13)."""

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from acumatica_site import BASE, Site, site

from sandbox.acumatica import actions
from sandbox.data import load

BOOK = load("demo", customers=20, contacts=30, invoices=0)


def entered(one: Site, **more: Any) -> dict[str, Any]:
    """A sales invoice that is balanced, as a reference to it."""
    one.control("edit", ar="enter", customer="YAMADA", amount="10", origin="SO", currency="USD", **more)
    return {"Type": {"value": "Invoice"}, "ReferenceNbr": {"value": "INV000001"}}


def act(one: Site, path: str, entity: Any, root: str = "entity") -> httpx.Response:
    return one.client.post(f"{BASE}/{path}", json={root: entity, "parameters": {}})


def status_of(one: Site) -> str:
    text: str = one.get("SalesInvoice/Invoice/INV000001").json()["Status"]["value"]
    return text


def test_a_release() -> None:
    """S13: 202 with a Location without a host; asked there, 204 when it is done, by key fields or NoteID, declared
    or the graph's own name."""
    with site(BOOK) as one:
        answer = act(one, "SalesInvoice/ReleaseSalesInvoice", entered(one))
        assert (answer.status_code, answer.content) == (202, b"")
        assert answer.headers["Location"].startswith(f"{BASE}/SalesInvoice/ReleaseSalesInvoice/status/")
        assert one.client.get(answer.headers["Location"]).status_code == 204
        assert status_of(one) == "Open"
        log = one.client.get("/__sandbox__/log").json()
        assert {row["actor"] for row in log if row["op"] == "update"} == {"api"}
        one.control("edit", ar="pay", documents=["INV/INV000001"], release=False)
        payment = one.get("Payment/Payment/000001").json()["id"]
        assert act(one, "Payment/Release", {"id": payment}, "Entity").status_code == 202
        assert status_of(one) == "Closed"
        by_code = {"Type": {"value": "PMT"}, "ReferenceNbr": {"value": "000001"}}
        assert act(one, "Payment/VoidPayment", by_code).status_code == 202
        assert (status_of(one), one.get("Payment/Voided Payment/000001").status_code) == ("Open", 200)


def test_an_operation_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """S13: until it is done the state is 202, the document as before, and its form closed to the same session, by switch; another session
    knows nothing of the operation, nor does a new one after a logout. Asking costs nothing of the licence's minute (§6.3)."""
    clock = [0.0]
    monkeypatch.setattr(actions, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with site(BOOK, action_seconds=0.4, seats=2, licence_per_minute=1000) as one:
        answer = act(one, "SalesInvoice/ReleaseSalesInvoice", entered(one))
        place = answer.headers["Location"]
        before = one.vendor.licence.most
        assert one.client.get(place).status_code == 202
        assert one.vendor.licence.most == before > 0
        assert "A long operation" in one.fails("SalesInvoice/Invoice/INV000001")
        assert one.get("Invoice/Invoice/INV000001").json()["Status"]["value"] == "Balanced"
        assert "A long operation" in act(one, "Invoice/ReleaseInvoice", entered(one)).json()["exceptionMessage"]
        mine = one.client.headers["Authorization"]
        one.sign_in()
        assert one.client.get(place).status_code == 404
        assert one.get("SalesInvoice/Invoice/INV000001").status_code == 200
        one.client.headers["Authorization"] = mine
        clock[0] = 0.4
        assert one.client.get(place).status_code == 204
        assert status_of(one) == "Open"
        one.client.post("/entity/auth/logout", headers={"Content-Length": "0"})
        assert one.client.get(place).status_code == 404
    with site(BOOK, action_seconds=60, form_lock=False) as one:
        act(one, "SalesInvoice/ReleaseSalesInvoice", entered(one))
        assert status_of(one) == "Balanced"


def test_actions_that_fail() -> None:
    """S13: what the books refuse is told at the Location; unknown actions are a 404, unknown documents the usual 500, no entity a 400; an
    action whose answer is lost is done, a silent one is not."""
    with site(BOOK) as one:
        entity = entered(one, release=True)
        place = act(one, "SalesInvoice/ReleaseSalesInvoice", entity).headers["Location"]
        assert "cannot be released" in one.client.get(place).json()["exceptionMessage"]
        assert act(one, "SalesInvoice/Nothing", entity).status_code == 404
        assert act(one, "Customer/Release", entity).status_code == 404
        assert "No entity" in act(one, "Invoice/ReleaseInvoice", {"id": "nope"}).json()["exceptionMessage"]
        assert act(one, "Invoice/ReleaseInvoice", None).status_code == 400
        assert one.client.post(f"{BASE}/Invoice", json={}).status_code == 406
        assert one.client.get(f"{BASE}/Invoice/ReleaseInvoice/status/nope").status_code == 404
    with site(BOOK) as one:
        entity = entered(one)
        one.control("faults", method="POST", kind="silent")
        assert act(one, "SalesInvoice/ReleaseSalesInvoice", entity).status_code == 202
        assert status_of(one) == "Balanced"
        one.control("faults", method="POST", kind="reset-after")
        with pytest.raises(ConnectionResetError):
            act(one, "SalesInvoice/ReleaseSalesInvoice", entity)
        assert status_of(one) == "Open"
