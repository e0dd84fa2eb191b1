"""HubSpot's sandbox: what the token may do with an object type comes and goes while it runs (`POST /__sandbox__/portal`)."""

from __future__ import annotations

from typing import Any

from hubspot_kit import MIRROR, OBJECTS, OLD, PROPERTIES, codes, hub, patch


def test_scopes_of_invoices_can_go_and_come() -> None:
    """§6.6: without the scopes every call that touches invoices is a 403 that names them, associations too; others work on."""
    with hub() as portal:
        id, company = portal.make("invoices", **MIRROR), portal.make("companies", name="A")
        portal.control("POST", "portal", {"invoices": "no-scope"})
        for method, path, scope in (
            ("GET", f"{OBJECTS}/invoices?limit=1", "crm.objects.invoices.read"),
            ("GET", f"{OLD}/0-53/{id}", "crm.objects.invoices.read"),
            ("GET", f"{PROPERTIES}/invoices", "crm.schemas.invoices.read"),
            ("PUT", f"{OBJECTS}/invoices/{id}/associations/default/companies/{company}", "crm.objects.invoices.write"),
        ):
            answer = portal(method, path)
            assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
            assert scope in answer.json()["errors"][0]["context"]["requiredGranularScopes"]
        read = f"{OBJECTS}/companies/{company}"
        assert [portal("GET", read).status_code, portal("GET", f"{read}?associations=invoices").status_code] == [200, 403]
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 410}]
        line = {"properties": {"name": "Brick"}, "associations": [{"to": {"id": id}, "types": types}]}
        for path, body in (("line_items", line), ("line_items/batch/create", {"inputs": [line]})):
            assert portal.post(f"{OBJECTS}/{path}", body).status_code == 403
        assert portal.control("POST", "portal", {"invoices": "no-write"})["invoices"] == "no-write"
        assert portal("GET", f"{OBJECTS}/invoices/{id}").status_code == 200
        assert patch(portal, "invoices", id, hs_number="1").status_code == 403
        portal.control("POST", "portal", {"invoices": "absent"})
        assert portal.post(f"{OBJECTS}/line_items", line).status_code == 400
        portal.control("POST", "portal", {"invoices": "ok"})
        assert patch(portal, "invoices", id, hs_number="1").status_code == 200
        assert portal.post(f"{OBJECTS}/line_items", {"properties": {}, "associations": [{"to": {}}]}).status_code == 400
        assert portal.post(f"{OBJECTS}/line_items", line).status_code == 201


def test_line_items_have_a_scope_of_another_name_too() -> None:
    """§1.2: `e-commerce` is as good as the scopes of line items, until these are taken away."""
    with hub(scopes="e-commerce") as portal:
        assert portal.make("line_items", name="Brick")
        assert portal("GET", f"{OBJECTS}/invoices").status_code == 403
        portal.control("POST", "portal", {"line_items": "no-scope"})
        scopes = portal("GET", f"{OBJECTS}/line_items").json()["errors"][0]["context"]["requiredGranularScopes"]
        assert scopes == ["crm.objects.line_items.read", "e-commerce"]


def test_a_portal_without_invoices() -> None:
    """§6.6, §14.4: the object type is unknown everywhere, as any word would be; it comes back as it was."""
    with hub(invoices="absent") as portal:
        company = portal.make("companies", name="A")
        for path in (
            f"{OBJECTS}/invoices",
            f"{OLD}/0-53/1",
            f"{PROPERTIES}/invoice",
            f"{OBJECTS}/companies/{company}/associations/invoices",
        ):
            answer = portal("GET", path)
            assert (answer.status_code, answer.json()["message"].partition(":")[0]) == (400, "Unable to infer object type from")
        portal.control("POST", "portal", {"invoices": "ok"})
        assert portal.make("invoices", **MIRROR)
        assert portal.control("GET", "dump")["access"]["invoices"] == "ok"
        portal.control("POST", "reset", {})
        assert portal.control("GET", "portal")["invoices"] == "absent"


def test_properties_that_cannot_be_written() -> None:
    """§6.6, §14.4: HubSpot's own properties, or those that are named, turn read-only and say so in their definitions; ours do not."""
    with hub() as portal:
        id = portal.make("invoices", **MIRROR)
        flag = f"{PROPERTIES}/invoices/hs_invoice_billable"
        for mode, open in (("read-only", 400), ({"read-only": ["hs_invoice_billable"]}, 200), ("ok", 200)):
            assert portal.control("POST", "portal", {"invoices": mode})["invoices"] == mode
            assert portal("GET", flag).json()["modificationMetadata"]["readOnlyValue"] is (mode != "ok")
            answer = patch(portal, "invoices", id, hs_invoice_billable="false")
            assert (codes(answer) if mode != "ok" else {}) == ({"hs_invoice_billable": "READ_ONLY_VALUE"} if mode != "ok" else {})
            assert patch(portal, "invoices", id, hs_number="7").status_code == open


def test_a_portal_that_cannot_be() -> None:
    """What `POST portal` does not know is a 400 that lists what there is, and nothing changes."""
    with hub() as portal:
        wrong: Any
        for wrong in ({"quotes": "ok"}, {"invoices": "gone"}, {"invoices": {"hidden": []}}):
            answer = portal.post("/__sandbox__/portal", wrong)
            assert (answer.status_code, "there are" in answer.json()["error"] or "no-scope" in answer.json()["error"]) == (400, True)
        assert set(portal.control("GET", "portal")) == {"companies", "contacts", "deals", "invoices", "line_items", "additional_currencies"}
