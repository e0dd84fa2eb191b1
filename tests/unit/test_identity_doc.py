"""docs/identity.md against the tests: each case names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "identity.md").read_text("utf-8")
#: *place* `path`, in the sentence below the tables.
FILES = dict(re.findall(r"\*(\w+)\* (?:is )?`(tests/[\w/]+\.py)`", DOC))
#: What issue 4 lists, by section, as the first column begins to say it.
CASES = {
    "Contacts": [
        *("the e-mail changes", "two contacts share one e-mail", "no e-mail", "it moves to another customer"),
        *("its address is an additional one in HubSpot", "inactive", "deleted in Acumatica"),
    ],
    "Customers": [
        *("a company of that domain is there, as it is, with `www.`, in capitals", "… under a subdomain", "two or more unclaimed ones"),
        *("the one of that domain carries another key", "two customers with one domain", "a free-mail domain", "renamed by Change ID"),
        *("its old number is given to a new customer", "inactive, on hold", "deleted in Acumatica"),
    ],
    "What people do in HubSpot": [
        *("deleted", "merged into one without a key", "two of ours merged", "our key is emptied", "another key is written over ours"),
        *("a link names a record that carries another key", "an administrator removes our unique property"),
        "HubSpot makes a company for a contact by itself",
    ],
}


def rows(section: str) -> list[list[str]]:
    """The cells of that section's table, without its head."""
    text = DOC.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]


def names_in(place: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", (ROOT / FILES[place]).read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("section", CASES)
def test_each_case_names_tests_that_exist(section: str) -> None:
    """Three columns, the last one a list of a place and a test in it, and the test is there."""
    there = {place: names_in(place) for place in FILES}
    for case in rows(section):
        assert len(case) == 3, case
        named = re.findall(r"(\w+) `(\w+)`", case[2])
        assert named, case
        assert ", ".join(f"{place} `{name}`" for place, name in named) == case[2], case
        missing = [f"{place} {name}" for place, name in named if name not in there[place]]
        assert not missing, (case[0], missing)


@pytest.mark.parametrize("section", CASES)
def test_every_case_of_the_issue_has_its_row(section: str) -> None:
    """No case that issue 4 lists goes missing from the tables."""
    cases = [case[0] for case in rows(section)]
    assert not [case for case in CASES[section] if not any(one.startswith(case) for one in cases)]
