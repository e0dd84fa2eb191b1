"""The comparer on what docs/identity.md adds to docs/agreement.md: additional domains, deletes, and what HubSpot makes by itself."""

from __future__ import annotations

from agreed_dumps import add, company_of, contact_of, counts, guid, judge, link

from sandbox.compare import records


def test_a_domain_among_the_additional_ones() -> None:
    """Rule 10: an additional domain goes through the same steps as the domain."""
    assert records.domains({"domain": "a.example", "hs_additional_domains": "WWW.b.example;shop.c.example;gmail.com"}) == {
        "a.example",
        "b.example",
        "c.example",
    }
    assert records.domains({"domain": "www.XN--Mnchen-3ya.example"}) == {"münchen.example"}


def test_what_hubspot_makes_by_itself() -> None:
    """Rules 5 and 6: a nameless company, and an association with another customer's, count unless the dump says that HubSpot did it."""
    stray = lambda _, h: add(h, "companies", "900", {"domain": "lonely.example"})  # noqa: E731
    beside = lambda _, h: link(h, "214", "103")  # noqa: E731
    assert counts(judge(stray, beside)) == {"doubled": 1, "stale": 1}
    made = {"companies": ["900"], "associations": [{"from_id": "214", "to_id": "103"}]}
    assert counts(judge(stray, beside, lambda _, h: h.update(automatic=made))) == {}


def test_a_deleted_row_leaves_its_record() -> None:
    """Rule 18: a key of a row that is no longer there is doubled (rule 5), unless the dump says that a person deleted it."""
    left = lambda _, h: (add(h, "companies", "901", company_of(90, "was here")), add(h, "contacts", "902", contact_of(91, None)))  # noqa: E731
    assert counts(judge(left)) == {"doubled": 2}
    assert counts(judge(left, lambda a, _: a.update(deleted=[guid(90).upper(), guid(91)]))) == {}
