"""Freshness is measured from the edit in one log to the first visible write of that record in the other."""

import pytest

from weighlock.demo.freshness import arrivals, key_of, percentile

EDIT = {"seq": 1, "at": "2026-11-21T03:00:00.000000Z", "op": "update", "entity": "customer", "key": "C1", "fields": ["Terms"]}


def write(at, key="demo|n1", entity="company"):
    return {"seq": 9, "at": f"2026-11-21T03:00:{at}Z", "entity": entity, "key": key}


def test_first_write_after_the_edit_counts():
    """Earlier writes, other records and other objects are not the arrival."""
    written = [write("59.9", "demo|n2"), write("01.5", entity="contact"), write("04.0"), write("02.5")]
    (arrival,), late = arrivals([EDIT], {1: "demo|n1"}, written)
    assert arrival.seconds == pytest.approx(2.5)
    assert late == []


def test_a_write_before_the_edit_is_none():
    """What was written before the edit cannot hold it."""
    before = {"seq": 9, "at": "2026-11-21T02:59:59.9Z", "entity": "company", "key": "demo|n1"}
    assert arrivals([EDIT], {1: "demo|n1"}, [before]) == ([], [EDIT])


def test_key_of():
    """The key is the tenant and the NoteID, lower case, found by the renamable code."""
    dump = {"customers": [{"CustomerID": "C1  ", "id": "AB"}], "contacts": []}
    assert key_of(dump, "demo", EDIT) == "demo|ab"


def test_percentile_is_the_nearest_rank():
    """The 95th of twenty values is the nineteenth, of one the one."""
    assert percentile([float(n) for n in range(1, 21)], 0.95) == 19.0
    assert percentile([3.0], 0.95) == 3.0
