"""HubSpot's sandbox: property definitions and groups."""

from __future__ import annotations

from typing import Any

import pytest
from hubspot_kit import OBJECTS, PROPERTIES, Hub, hub

BASE = f"{PROPERTIES}/companies"


def body(name: str = "acumatica_class", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": "L", "type": "string", "fieldType": "text", "groupName": "companyinformation", **more}


def create(portal: Hub, **more: Any) -> Any:
    answer = portal.post(BASE, body(**more))
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("base", ["/crm/v3/properties/companies", "/crm/properties/2026-03/0-2", BASE])
def test_create_and_read(base: str) -> None:
    """§4: 201 with Location and the whole definition; it reads back the same, and the list has it."""
    with hub() as portal:
        answer = portal.post(base, body(hasUniqueValue=True))
        assert answer.status_code == 201
        assert answer.headers["location"].endswith("/acumatica_class")
        made = answer.json()
        assert (made["hasUniqueValue"], made["modificationMetadata"]["readOnlyValue"], made["archived"]) == (True, False, False)
        assert portal("GET", f"{base}/acumatica_class").json() == made
        assert made in portal("GET", base).json()["results"]
        assert portal("GET", f"{base}/nope").json()["category"] == "OBJECT_NOT_FOUND"


def test_a_new_property_may_be_read_late() -> None:
    """§4: by the switch, a property that was just made is not read back for a while; its name is taken all the same."""
    with hub(property_lag_seconds=0.5) as portal:
        create(portal)
        assert portal("GET", f"{BASE}/acumatica_class").status_code == 404
        assert portal.post(BASE, body()).status_code == 409
        portal.clock.pass_(0.6)
        assert portal("GET", f"{BASE}/acumatica_class").status_code == 200


def test_a_name_that_exists() -> None:
    """§4: 409 in the known words."""
    with hub() as portal:
        create(portal)
        answer = portal.post(BASE, body())
        assert answer.status_code == 409
        assert answer.json()["message"] == "A property named 'acumatica_class' already exists."
        assert (answer.json()["category"], answer.json()["subCategory"]) == (
            "OBJECT_ALREADY_EXISTS",
            "Properties.PROPERTY_WITH_NAME_EXISTS",
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Upper"},
        {"name": "1st"},
        {"name": "x" * 101},
        {"groupName": "nowhere"},
        {"type": "money"},
        {"fieldType": "slider"},
        {"label": ""},
        {"type": "bool", "fieldType": "booleancheckbox"},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A"}]},
        {"hasUniqueValue": True, "fieldType": "textarea"},
    ],
)
def test_wrong_definitions(wrong: dict[str, Any]) -> None:
    """§4, §14.6: bad names, groups, types, options and unique properties of other than one-line texts and numbers are 400."""
    with hub() as portal:
        assert portal.post(BASE, body(**wrong)).status_code == 400


def test_ten_unique_properties_at_most() -> None:
    """§4: the eleventh unique property of an object is refused; another object has its own ten."""
    with hub() as portal:
        for number in range(10):
            create(portal, name=f"unique_{number}", hasUniqueValue=True)
        assert portal.post(BASE, body("unique_10", hasUniqueValue=True)).status_code == 400
        assert portal.unique("contacts").status_code == 201


def test_patch_replaces_options_and_ignores_uniqueness() -> None:
    """§4: PATCH of hasUniqueValue is answered 200 and ignored; options are replaced as a whole."""
    with hub() as portal:
        create(portal)
        answer = portal("PATCH", f"{BASE}/acumatica_class", {"hasUniqueValue": True, "label": "New"})
        assert (answer.status_code, answer.json()["hasUniqueValue"], answer.json()["label"]) == (200, False, "New")
        options = [{"label": v, "value": v, "displayOrder": 0, "hidden": False} for v in ("a", "b")]
        create(portal, name="grade", type="enumeration", fieldType="select", options=options)
        portal("PATCH", f"{BASE}/grade", {"options": options[:1]})
        assert [option["value"] for option in portal("GET", f"{BASE}/grade").json()["options"]] == ["a"]
        assert portal("PATCH", f"{BASE}/domain", {"label": "x"}).status_code == 400


def test_an_archived_property_comes_back_with_its_values() -> None:
    """§4, §14.6: archived, a property is gone from records and lists; made again it has the new definition and the old values."""
    with hub() as portal:
        create(portal)
        id = portal.make("companies", acumatica_class="GOLD")
        assert portal("DELETE", f"{BASE}/acumatica_class").status_code == 204
        assert portal("GET", f"{BASE}/acumatica_class").status_code == 404
        assert "acumatica_class" not in portal.properties("companies", id, "acumatica_class")
        assert [d["name"] for d in portal("GET", f"{BASE}?archived=true").json()["results"]] == ["acumatica_class"]
        assert create(portal, label="Again")["label"] == "Again"
        assert portal.properties("companies", id, "acumatica_class")["acumatica_class"] == "GOLD"
        assert portal("DELETE", f"{BASE}/domain").status_code == 400


def test_groups() -> None:
    """§4, §14.6: 201, 409, a group with active properties stays (400), an archived one is not listed."""
    with hub() as portal:
        group = {"name": "acumatica_ar", "label": "Acumatica", "displayOrder": -1}
        assert portal.post(f"{BASE}/groups", group).status_code == 201
        assert portal.post(f"{BASE}/groups", group).status_code == 409
        assert "acumatica_ar" in [g["name"] for g in portal("GET", f"{BASE}/groups").json()["results"]]
        create(portal, groupName="acumatica_ar")
        answer = portal("DELETE", f"{BASE}/groups/acumatica_ar")
        assert (answer.status_code, answer.json()["subCategory"]) == (400, "PropertyGroupError.GROUP_WITH_ACTIVE_PROPERTIES")
        portal("DELETE", f"{BASE}/acumatica_class")
        assert portal("DELETE", f"{BASE}/groups/acumatica_ar").status_code == 204
        assert "acumatica_ar" not in [g["name"] for g in portal("GET", f"{BASE}/groups").json()["results"]]


def test_batches() -> None:
    """§4: batch create is 201 on older versions and 200 on 2026-09, read names what is unknown in a 207, archive is 204."""
    with hub() as portal:
        assert portal.post(f"{BASE}/batch/create", {"inputs": [body("a"), body("b")]}).status_code == 200
        assert portal.post("/crm/v3/properties/companies/batch/create", {"inputs": [body("c")]}).status_code == 201
        assert portal.post(f"{BASE}/batch/create", {"inputs": [body("a"), body("d")]}).status_code == 207
        answer = portal.post(f"{BASE}/batch/read", {"inputs": [{"name": "a"}, {"name": "nope"}], "archived": False})
        assert (answer.status_code, [d["name"] for d in answer.json()["results"]]) == (207, ["a"])
        assert portal.post(f"{BASE}/batch/archive", {"inputs": [{"name": "a"}]}).status_code == 204


def test_a_unique_property_holds_from_its_first_value() -> None:
    """§14.3: the read-only unique property of HubSpot's own is no key to write; one of ours is."""
    with hub() as portal:
        row = {"id": "1", "idProperty": "hs_unique_creation_key", "properties": {}}
        assert portal.post(f"{OBJECTS}/companies/batch/upsert", {"inputs": [row]}).status_code == 400
        row["idProperty"] = "acumatica_customer_key"
        assert portal.post(f"{OBJECTS}/companies/batch/upsert", {"inputs": [row]}).status_code == 400
        portal.unique("companies")
        assert portal.post(f"{OBJECTS}/companies/batch/upsert", {"inputs": [row]}).status_code == 200
