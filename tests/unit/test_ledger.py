"""The ledger's judgement, without Kafka and without a vendor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Doubt, FacetState, Part, Reference, Result, Waiting, Wish
from sinks.ledger import Fate, Ledger, Received, called_for, digest, fold

AT = datetime(2026, 11, 21, tzinfo=UTC)
SUBJECT = "acumatica:contact:1"


def wish(version: int, name: str = "n", subject: str = SUBJECT, refs: tuple[str, ...] = (), facet: str = "profile") -> Wish:
    return Wish(
        subject=subject,
        object="contact",
        facet=facet,
        version=version,
        key_property="k",
        key_value="t|1",
        properties={"name": name},
        references=[Reference(name="company", ref=ref) for ref in refs],
        source_system="acumatica",
        source_at=AT,
        trace="t",
    )


def ledger(*, version: int, name: str = "n", outcome: str = "written", refs: tuple[str, ...] = ()) -> Ledger:
    found = Ledger()
    own = wish(version, name, refs=refs)
    state = FacetState(version=version, hash=digest(own, {"company": "9"} if refs else {}), outcome=outcome, at=AT, offset=0)
    found.put_result(Result(subject=SUBJECT, object="contact", target="hubspot:contact:5", facets={"profile": state}, at=AT, trace="t"))
    return found


def fate(held: Ledger, one: Wish, again: bool = False, links: dict[str, str] | None = None) -> Fate:
    return held.judge(Received(one, 1, again), (links or {}).get).fate


def test_what_is_new_is_written() -> None:
    """A subject that the ledger does not know, and a newer version with other content, are written."""
    assert fate(Ledger(), wish(1)) is Fate.WRITE
    assert fate(ledger(version=1), wish(2, "other")) is Fate.WRITE


def test_equal_content_costs_no_call() -> None:
    """The same properties and references are unchanged, under a newer version as under the same one."""
    assert fate(ledger(version=1), wish(1)) is Fate.UNCHANGED
    assert fate(ledger(version=1), wish(2)) is Fate.UNCHANGED


def test_a_new_mapping_of_an_old_version_is_written() -> None:
    """A replay under another mapping carries the same version and other content: it is written."""
    assert fate(ledger(version=1), wish(1, "mapped otherwise")) is Fate.WRITE


def test_older_is_superseded_unless_asked_again() -> None:
    """An older version is superseded, equal content or not; one that has to be written again is written."""
    assert fate(ledger(version=2), wish(1)) is Fate.SUPERSEDED
    assert fate(ledger(version=2), wish(1, "other")) is Fate.SUPERSEDED
    assert fate(ledger(version=2), wish(2), again=True) is Fate.WRITE


def test_what_was_refused_is_tried_again_under_a_new_version_only() -> None:
    """A copy of a refused wish is no news; the same content under a newer version is, for the target may have changed."""
    assert fate(ledger(version=1, outcome="rejected"), wish(1)) is Fate.UNCHANGED
    assert fate(ledger(version=1, outcome="rejected"), wish(2)) is Fate.WRITE


def test_a_resolved_reference_is_content() -> None:
    """Another record behind the same reference is another content; a missing one means waiting, and says for what."""
    held = ledger(version=1, refs=("acumatica:customer:7",))
    assert fate(held, wish(2, refs=("acumatica:customer:7",)), links={"acumatica:customer:7": "9"}) is Fate.UNCHANGED
    assert fate(held, wish(2, refs=("acumatica:customer:7",)), links={"acumatica:customer:7": "10"}) is Fate.WRITE
    verdict = held.judge(Received(wish(2, refs=("acumatica:customer:7",)), 1), {}.get)
    assert (verdict.fate, verdict.missing) == (Fate.WAITING, "acumatica:customer:7")


def test_what_waits_counts_as_known() -> None:
    """A wish older than the one that waits is superseded, even if it could be written; asked again it takes no waiting one's place."""
    held = Ledger()
    newer = wish(5, refs=("acumatica:customer:7",))
    held.put_waiting(SUBJECT, Waiting(subject=SUBJECT, waits_for="acumatica:customer:7", since=AT, wishes=[newer]))
    assert fate(held, wish(4)) is Fate.SUPERSEDED
    assert fate(held, wish(4, refs=("acumatica:customer:8",)), again=True) is Fate.SUPERSEDED
    assert fate(held, wish(6)) is Fate.WRITE
    assert held.waiting_for("acumatica:customer:7") == [SUBJECT]
    held.put_waiting(SUBJECT, None)
    assert held.waiting_for("acumatica:customer:7") == []


def test_overdue() -> None:
    """Only what has waited since before the limit is overdue."""
    held = Ledger()
    for number in (1, 2):
        since = AT + timedelta(hours=number)
        held.put_waiting(f"s:e:{number}", Waiting(subject=f"s:e:{number}", waits_for="s:e:9", since=since, wishes=[]))
    assert [one.subject for one in held.overdue(AT + timedelta(hours=1, minutes=1))] == ["s:e:1"]


def test_the_holder_follows_the_target() -> None:
    """A record belongs to the subject that was written into it last; a subject that moved to another record holds the old one no more."""
    held = ledger(version=1)
    assert held.holder("hubspot:contact:5") == SUBJECT
    held.put_result(held.results[SUBJECT].model_copy(update={"target": "hubspot:contact:6"}))
    assert held.holder("hubspot:contact:5") is None
    assert held.holder("hubspot:contact:6") == SUBJECT


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["profile", "credit"]), st.integers(0, 5), st.booleans()), max_size=30))
def test_fold_loses_nothing(asked: list[tuple[str, str, int, bool]]) -> None:
    """Each wish is either the newest of its subject and facet or behind it; the newest has to be written again if any of them has to."""
    received = [
        Received(wish(version, subject=f"s:e:{who}", facet=facet), offset, again)
        for offset, (who, facet, version, again) in enumerate(asked)
    ]
    newest, older = fold(received)
    assert sorted(one.offset for one in (*newest, *older)) == list(range(len(asked)))
    assert len({one.facet for one in newest}) == len(newest) == len({one.facet for one in received})
    for one in newest:
        same = [other for other in received if other.facet == one.facet]
        assert (one.wish.version, one.offset) == max((other.wish.version, other.offset) for other in same)
        assert one.again == any(other.again for other in same)


def test_what_was_called_for_is_gone_over() -> None:
    """Of wishes that a dead owner may have written the newest is written though the ledger knows its content already, for one before it may
    stand there; with what that one may have made. What comes alone is judged as ever, and versions need no order."""
    held = ledger(version=1)
    changed, back, other = wish(2, "changed", refs=("a:b:1",)), wish(3), wish(4, "else", facet="lines")
    for order in ([changed, back, other], [other, back, changed]):
        newest, older = fold(called_for([Received(one, number) for number, one in enumerate(order)], AT))
        by_facet = {one.wish.facet: one for one in newest}
        assert (by_facet["profile"].wish, [one.wish for one in older]) == (back, [changed])
        assert held.judge(by_facet["profile"], {}.get).fate is Fate.WRITE
        assert not by_facet["lines"].again
    assert fold(called_for([Received(changed, 1), Received(back, 2)], AT))[0][0].doubt == Doubt(until=AT, references=["a:b:1"])
    assert held.judge(fold(called_for([Received(back, 2)], AT))[0][0], {}.get).fate is Fate.UNCHANGED


def test_an_optional_reference_is_content_when_it_comes() -> None:
    """Absent, it keeps nothing from being written; there, it is told as all that is new, unless something else is too."""
    friend = Reference(name="friend", ref="acumatica:customer:8", optional=True)
    held, one = Ledger(), wish(1, refs=("acumatica:customer:7",))
    one = one.model_copy(update={"references": [*one.references, friend]})
    links = {"acumatica:customer:7": "9"}
    verdict = held.judge(Received(one, 1), links.get)
    assert (verdict.fate, verdict.absent, verdict.arrived) == (Fate.WRITE, (friend.ref,), frozenset())
    state = FacetState(version=1, hash=verdict.hash, outcome="written", at=AT, offset=0)
    result = Result(subject=SUBJECT, object="contact", target="hubspot:contact:5", facets={"profile": state}, at=AT, trace="t")
    held.put_result(result.model_copy(update={"associations": {"company": "9"}, "missing": [friend.ref]}))
    assert held.without(friend.ref) == [SUBJECT]
    assert held.judge(Received(one, 1), links.get).fate is Fate.UNCHANGED
    links[friend.ref] = "10"
    assert held.judge(Received(one, 1), links.get).arrived == {"friend"}
    assert held.judge(Received(one, 1, again=True), links.get).arrived == frozenset()
    other = one.model_copy(update={"properties": {"name": "other"}})
    assert (held.judge(Received(other, 1), links.get).fate, held.judge(Received(other, 1), links.get).arrived) == (Fate.WRITE, frozenset())
    held.put_result(result)
    assert held.without(friend.ref) == []


def test_parts_are_content() -> None:
    """Another part, or the same ones in another order, is another content; a wish without any asks for what it always asked for."""
    one, two = (Part(key=key, properties={"quantity": key}) for key in "12")
    hashes = {digest(wish(1).model_copy(update={"parts": parts}), {}) for parts in ([], [one], [one, two], [two, one])}
    assert len(hashes) == 4
    assert digest(wish(1), {}) == "7a2959b5f26f5cf92826e1ea27d6491df6d864180560307c31232ccba20207ff"


def test_a_record_knows_itself() -> None:
    """A reference to its own subject is resolved by the ledger, whatever the links say of it."""
    own = wish(2, refs=(SUBJECT,), facet="further")
    assert ledger(version=1).judge(Received(own, 1), {}.get).references == {"company": "5"}
    assert fate(Ledger(), own) is Fate.WAITING
