"""streams/mappings: one table per vendor, whole and usable."""

from dataclasses import fields

import pytest

from schemas.entities import Contact, Customer, Invoice, InvoiceLine, Payment
from schemas.records import Record
from schemas.sources import (
    AcumaticaTran,
    SourceAcumaticaContact,
    SourceAcumaticaCustomer,
    SourceAcumaticaInvoice,
    SourceAcumaticaPayment,
)
from streams.mappings import acumatica, hubspot
from streams.mappings.table import Field
from streams.receivables import Rollup
from weighlock.errors import RejectedError

OWN = {"ref", "party", "modified_at", "parent", "external_ref"}


def canonical(kind: type[Record]) -> set[str]:
    found = set()
    for name, info in kind.model_fields.items():
        found |= {f"address.{part}" for part in type_of_address()} if name == "address" else {name}
        assert info is not None
    return found


def type_of_address() -> list[str]:
    from schemas.entities import Address

    return list(Address.model_fields)


TABLES = [
    (Customer, acumatica.CUSTOMER),
    (Contact, acumatica.CONTACT),
    (Invoice, acumatica.INVOICE),
    (InvoiceLine, acumatica.LINE),
    (Payment, acumatica.PAYMENT),
]


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_canonical_field_is_named_once(kind: type[Record], table: tuple[Field, ...]) -> None:
    """Acumatica's table names every field of the canonical entity exactly once, apart from its identity."""
    names = [field.canonical for field in table]
    assert len(names) == len(set(names))
    assert set(names) == canonical(kind) - {"ref", "party", "modified_at"}


SOURCES = [
    (SourceAcumaticaCustomer, acumatica.CUSTOMER),
    (SourceAcumaticaContact, acumatica.CONTACT),
    (SourceAcumaticaInvoice, acumatica.INVOICE),
    (AcumaticaTran, acumatica.LINE),
    (SourceAcumaticaPayment, acumatica.PAYMENT),
]


@pytest.mark.parametrize(("kind", "table"), SOURCES)
def test_every_vendor_path_exists(kind: type[Record], table: tuple[Field, ...]) -> None:
    """A path in Acumatica's table is a path in the source record."""
    for field in table:
        for path in field.vendor.split(" + "):
            here: object = kind
            for name in path.split("."):
                assert name in here.model_fields, f"{field.vendor}: no {name} in {here}"  # type: ignore[attr-defined]
                arguments = here.model_fields[name].annotation.__args__ if "." in path else ()  # type: ignore[attr-defined]
                here = next((part for part in arguments if isinstance(part, type) and issubclass(part, Record)), None)


@pytest.mark.parametrize(("kind", "target"), [(Customer, hubspot.COMPANY), (Contact, hubspot.CONTACT)])
def test_hubspot_holds_every_canonical_field(kind: type[Record], target: hubspot.Target) -> None:
    """Every canonical field has a property, apart from those that HubSpot gets no copy of; no property comes twice."""
    named = {path for field in target.fields for path in field.canonical.split(" + ")}
    assert named == canonical(kind) - OWN - ({"email"} if target is hubspot.COMPANY else set())
    assert len({field.vendor for field in target.fields}) == len(target.fields)


def test_definitions_make_our_properties_only() -> None:
    """Setup makes the key, unique, and the acumatica_ properties, in our group; a boolean has exactly its two options."""
    for target in hubspot.TARGETS:
        found = hubspot.definitions(target)
        assert [one["name"] for one in found if one["hasUniqueValue"]] == [target.key.vendor]
        own = (*target.fields, *target.receivables, *target.notes)
        assert {one["name"] for one in found[1:]} == {field.vendor for field in own if field.vendor.startswith("acumatica_")}
        assert {one["groupName"] for one in found} == {"acumatica_ar"}
        for one in found:
            assert ([option["value"] for option in one.get("options", [])] == ["true", "false"]) == (one["type"] == "bool")


def test_every_sum_has_its_property() -> None:
    """Each field of a roll-up is a property of the company, none of them one of its profile."""
    assert [field.canonical for field in hubspot.COMPANY.receivables] == [field.name for field in fields(Rollup)]
    profile = {field.vendor for field in hubspot.COMPANY.fields}
    assert not profile & {field.vendor for field in hubspot.COMPANY.receivables}


def test_key_is_tenant_and_note_id_in_lower_case() -> None:
    """The key value is <tenant>|<NoteID>, lower case, whatever the case of the ref."""
    assert hubspot.key_value("demo", "acumatica:customer:AB-12") == "demo|ab-12"


def test_exactly_the_longest_fits() -> None:
    """A text as long as the column passes, one character more is refused with the field's name, and nothing is cut."""
    customer = Customer.model_validate({"ref": "acumatica:customer:1", "name": "x" * 65_536, "modified_at": "2026-01-01T00:00:00Z"})
    assert hubspot.COMPANY.properties(customer)["name"] == "x" * 65_536
    with pytest.raises(RejectedError, match="name is too long for name: 65537 characters, 65536 at the most"):
        hubspot.COMPANY.properties(customer.model_copy(update={"name": "x" * 65_537}))
