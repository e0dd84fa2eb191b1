"""streams/route.py, routes.py and stage.py: from the canonical entity to wishes, and what cannot go on."""

from dataclasses import replace

import pytest

from schemas.entities import Customer
from schemas.headers import Passage
from schemas.records import DeadLetter, Link, Match, Reference, Wish
from schemas.refs import link_key
from schemas.topics import TOPICS
from streams.contract import Incoming, topics_of
from streams.memory import Memory
from streams.routes import NORMALISE, ROUTE, STAGES
from streams.stage import process
from tests.unit.documents_kit import a_payment, an_invoice, invoice_ref, payment_ref
from tests.unit.streams_kit import ALICE, AT, BOB, PASSAGE, a_contact, a_customer, feed, memory, read
from tests.unit.test_deals import a_deal
from weighlock.deals import Deals
from weighlock.errors import TransientError

LINK = Link(ref=ALICE, peer="hubspot:company:77", origin="created", at=AT, trace="t")


def wish_of(stages: Memory, topic: str, record: object, key: str) -> Wish:
    (found,) = read(stages, Wish, feed(stages, topic, record, key), "upserts.hubspot")  # type: ignore[arg-type]
    return found


def test_customer_wishes_a_company() -> None:
    """A customer becomes the whole profile of a company under our key, every value a text, matched by its domain."""
    stages = memory()
    main = {"WebSite": "www.alice.com", "Address": {"AddressLine1": "1 Main St", "AddressLine2": "Floor 2"}}
    wish = wish_of(stages, "source.acumatica.customer", a_customer(CreditLimit="1500.500", CustomerID="A1", MainContact=main), ALICE)
    assert (wish.subject, wish.object, wish.facet, wish.version) == (ALICE, "company", "profile", 0)
    assert (wish.key_property, wish.key_value) == ("acumatica_customer_key", "demo|a1")
    assert wish.properties["acumatica_credit_limit"] == "1500.5"
    assert wish.properties["address2"] == "Floor 2"
    assert wish.properties["phone"] is None
    assert wish.matches == [Match(property="domain", value="alice.com")]
    assert wish.references == []
    assert (wish.trace, wish.source_at, wish.source_system, wish.target) == (PASSAGE.trace, AT, "acumatica", None)


@pytest.mark.parametrize(("given", "text"), [("0", "0"), ("100", "100"), ("-0.00", "0"), ("0.00000001", "0.00000001"), ("1E+3", "1000")])
def test_money_is_plain_text(given: str, text: str) -> None:
    """An amount travels as a plain decimal text: no exponent, no trailing zeros."""
    wish = wish_of(memory(), "source.acumatica.customer", a_customer(CreditLimit=given), ALICE)
    assert wish.properties["acumatica_credit_limit"] == text


def test_contact_wishes_a_contact_of_its_company() -> None:
    """A contact refers to its customer's company by the customer's ref; its two address lines are one text, a line each."""
    address = {"AddressLine1": "1 Main St", "AddressLine2": "Floor 2"}
    wish = wish_of(memory(), "source.acumatica.contact", a_contact(Email="Bob@x.com", Active=True, Address=address), BOB)
    assert (wish.object, wish.key_property, wish.key_value) == ("contact", "acumatica_contact_key", "demo|b2")
    assert wish.references == [Reference(name="company", ref=ALICE)]
    assert wish.matches == [Match(property="email", value="bob@x.com")]
    assert (wish.properties["address"], wish.properties["acumatica_active"]) == ("1 Main St\nFloor 2", "true")
    assert wish.properties["acumatica_contact_id"] == "7"


def test_invalid_email_is_left_to_hubspot() -> None:
    """What is an e-mail is HubSpot's to say: it goes out as it is."""
    assert wish_of(memory(), "source.acumatica.contact", a_contact(Email="no mail"), BOB).properties["email"] == "no mail"


def test_known_link_names_the_target() -> None:
    """Once linked, a wish names the target; a tombstone of the link takes it back; a link by itself makes no wish."""
    stages = memory()
    assert feed(stages, "links", LINK, link_key(ALICE, "hubspot"), headers=[]) == []
    assert wish_of(stages, "source.acumatica.customer", a_customer(), ALICE).target == "hubspot:company:77"
    feed(stages, "links", LINK.model_copy(update={"peer": "salesforce:account:5"}), link_key(ALICE, "salesforce"))
    assert wish_of(stages, "source.acumatica.customer", a_customer(), ALICE).target == "hubspot:company:77"
    feed(stages, "links", None, link_key(ALICE, "hubspot"))
    feed(stages, "links", None, link_key(ALICE, "hubspot"))
    assert wish_of(stages, "source.acumatica.customer", a_customer(), ALICE).target is None


def test_value_too_long_is_a_dead_letter_with_the_field() -> None:
    """A value that HubSpot cannot hold is a dead letter that names the field; the record itself stays in normalized."""
    stages = memory()
    found = feed(stages, "source.acumatica.customer", a_customer(MainContact={"Address": {"City": "x" * 70_000}}), ALICE)
    assert [out.topic for out in found] == ["normalized.customer", "dead-letters", "audit"]
    (letter,) = read(stages, DeadLetter, found, "dead-letters")
    assert (letter.stage, letter.topic, letter.error) == ("route", "normalized.customer", "RejectedError")
    assert "address.city is too long for city: 70000 characters" in letter.reason
    assert wish_of(stages, "source.acumatica.customer", a_customer(), ALICE).properties["name"] == "Alice & Co"


@pytest.mark.parametrize("topic", [flow.topic.name for stage in STAGES for flow in stage.flows])
@pytest.mark.parametrize("value", [b"", b"garbage", b"\x00\x00\x00\x00\x63rest", b"\x00\x00\x00\x00\x00\xff\xff"])
def test_poison_is_a_dead_letter_whole(topic: str, value: bytes) -> None:
    """Bytes that are no record go to the dead letters as they were, with place, key and headers; the next record goes on."""
    stages = memory()
    stages.codec.ids.id_of("x", {"type": "record", "name": "Other", "fields": []})
    headers = [*PASSAGE.headers(), ("x", b"1"), ("x", b"\xff"), ("weighlock-version", b"4")]
    (letter_out, audit_out) = stages.feed(topic, b"k\xff", value, headers, partition=2)
    (letter,) = read(stages, DeadLetter, [letter_out], "dead-letters")
    assert (letter.topic, letter.partition, letter.offset, letter.key, letter.value) == (topic, 2, 0, b"k\xff", value)
    assert (letter.headers["x"], letter.headers["x (2)"], letter.error) == (b"1", b"\xff", "Undecodable")
    assert (letter.trace, audit_out.topic) == (PASSAGE.trace if topic != "links" else letter.trace, "audit")
    assert wish_of(stages, "source.acumatica.customer", a_customer(), ALICE)


@pytest.mark.parametrize("headers", [[], [("weighlock-trace", b"abc")], [*PASSAGE.headers()[:2], ("weighlock-source-at", b"yesterday")]])
def test_missing_papers_are_a_dead_letter(headers: list[tuple[str, bytes]]) -> None:
    """A record without readable papers is a dead letter; a trace that is there is kept."""
    stages = memory()
    found = feed(stages, "source.acumatica.customer", a_customer(), ALICE, headers)
    (letter,) = read(stages, DeadLetter, found, "dead-letters")
    assert letter.trace == dict(headers).get("weighlock-trace", letter.trace.encode()).decode()
    assert len(letter.trace) >= 3


def test_no_version_is_a_dead_letter() -> None:
    """A normalized record without a version could overwrite a newer one: it is refused."""
    stages = memory()
    found = feed(stages, "normalized.customer", Customer(ref=ALICE, name="A", modified_at=AT), ALICE, PASSAGE.headers())
    assert "weighlock-version" in read(stages, DeadLetter, found, "dead-letters")[0].reason


def test_no_key_and_no_value_on_a_source_topic() -> None:
    """A source record without a key, or without a value, is a dead letter that can be found by where it was."""
    stages = memory()
    keyless, _ = stages.feed("source.acumatica.customer", None, b"x", PASSAGE.headers())
    valueless, _ = stages.feed("source.acumatica.customer", b"k", None, PASSAGE.headers())
    assert keyless.key == b"source.acumatica.customer:0:0"
    assert "no tombstones" in read(stages, DeadLetter, [valueless], "dead-letters")[0].reason


def test_registry_away_is_not_the_records_fault() -> None:
    """While the registry is away nothing is written, not even a dead letter: the error goes up to whoever waits."""
    stages = memory()
    value = stages.codec.encode(NORMALISE.flows[0].topic, a_customer())
    fresh = memory()

    def away(*_: object) -> int:
        raise TransientError("the registry is away")

    fresh.codec.ids.schema = away  # type: ignore[method-assign,assignment]
    with pytest.raises(TransientError):
        process(NORMALISE, Incoming("source.acumatica.customer", 0, 0, b"k", value, PASSAGE.headers()), fresh.context, fresh.codec, 4)


def test_versions_and_papers_travel_to_the_wish() -> None:
    """A wish carries the papers of its source record in the headers, the version among them."""
    stages = memory()
    feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    assert [Passage.read(out.headers).version for out in stages.written["upserts.hubspot"]] == [0, 1]


def test_outputs_stay_on_the_routes() -> None:
    """Every topic of the routes is declared, and no step writes where its route does not say."""
    assert set(topics_of(STAGES)) <= set(TOPICS)
    stages = memory()
    feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    feed(stages, "source.acumatica.contact", a_contact(), BOB)
    feed(stages, "source.acumatica.contact", a_contact(party=None), BOB)
    feed(stages, "source.acumatica.invoice", an_invoice(), invoice_ref("000001"))
    feed(stages, "source.acumatica.payment", a_payment(), payment_ref("000009"))
    stages.context = replace(stages.context, deals=Deals(since=AT.date()))
    feed(stages, "source.hubspot.deal", a_deal(), "hubspot:deal:9")
    assert set(stages.written) == {topic.name for stage in (NORMALISE, ROUTE) for flow in stage.flows for topic in flow.into}


def test_partition_is_by_key() -> None:
    """The same ref lands in the same partition on every topic that is keyed by it, so that they can be joined."""
    stages = memory()
    found = feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    assert len({out.partition for out in found if out.key == ALICE.encode()}) == 1
    assert {out.key for out in found} == {ALICE.encode()}
