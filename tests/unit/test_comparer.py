"""The comparer against docs/agreement.md: dumps made by hand, in agreement, and then with one thing wrong."""

import ast
import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from agreed_dumps import (
    OLD_AMBER,
    OLD_BO,
    Change,
    Dump,
    acumatica,
    add,
    archive,
    company_of,
    contact_of,
    counts,
    customer,
    guid,
    hubspot,
    judge,
    key,
    link,
    link_before,
    properties,
    remove,
    unlink,
)

from sandbox import compare as parts
from sandbox import comparer
from sandbox.comparer import compare


def test_every_case_of_the_table_in_agreement() -> None:
    """A portal that holds each case as the table wants it is in agreement, with the counts of what holds rules 1 and 2."""
    verdict = judge()
    assert (verdict.missing, verdict.doubled, verdict.stale, verdict.altered) == ([], [], [], [])
    assert verdict.line == "in agreement: 7 companies, 4 contacts, 0 missing, 0 doubled, 0 stale"
    assert sorted(finding.split(":")[0] for finding in verdict.excused) == ["rule 12", "rule 17", "rule 7", "rule 9"]


WRONG: dict[str, tuple[Change, dict[str, int], str]] = {
    "one field altered": (lambda _, h: properties(h, "102").update(phone="+44 1482 2"), {"stale": 1}, "phone is '+44 1482 2', want"),
    "a decimal altered": (lambda _, h: properties(h, "102").update(acumatica_credit_limit="1500.05"), {"stale": 1}, "credit_limit"),
    "no limit is not 0": (lambda a, h: zero_limit(a, h), {"stale": 1}, "acumatica_credit_limit is '0', want ''"),
    "case of a name": (lambda _, h: properties(h, "102").update(name="BIRCH"), {"stale": 1}, "want 'Birch'"),
    "inactive": (lambda a, _: a["contacts"][0].update(Active=False), {"stale": 1}, "acumatica_active is 'true', want 'false'"),
    "free mail as domain": (lambda _, h: properties(h, "106").update(domain="gmail.com"), {"stale": 1}, "domain is 'gmail.com'"),
    "a company removed": (lambda _, h: remove(h, "companies", "108"), {"missing": 1}, "no company for customer C008"),
    "a company archived": (lambda _, h: archive(h, "companies", "108"), {"missing": 1}, "rule 1"),
    "a company doubled": (lambda _, h: add(h, "companies", "999", company_of(8, "No Site At All", "n/a")), {"doubled": 1}, "108, 999"),
    "a contact removed": (lambda _, h: remove(h, "contacts", "214"), {"missing": 1}, "rule 2"),
    "a contact doubled": (lambda _, h: add(h, "contacts", "999", contact_of(14, None)), {"doubled": 1}, "214, 999"),
    "a contact without its company": (lambda _, h: unlink(h, "214"), {"stale": 1}, "rule 6: contact 214"),
    "a person's association gone": (lambda _, h: link_before(h, "214", "190"), {"altered": 1}, "its association with company 190"),
    "a wrong company too": (lambda _, h: link(h, "214", "103"), {"stale": 1}, "associated with company 103 too"),
    "a wrong company instead": (lambda _, h: [unlink(h, "214"), link(h, "214", "103")], {"stale": 2}, "rule 6"),
    "a lost e-mail": (lambda _, h: properties(h, "221").update(email=None), {"stale": 1}, "email is '', want 'five@x.example'"),
    "an e-mail for nobody's": (lambda _, h: properties(h, "214").update(email="a@b.example"), {"stale": 1}, "rule 4"),
    "nobody of a shared e-mail": (lambda _, h: remove(h, "contacts", "212"), {"missing": 1}, "rule 7: none of those who share"),
    "two of a shared e-mail": (lambda _, h: second_sharer(h), {"doubled": 1, "stale": 1}, "rule 7"),
    "an extra key": (lambda _, h: add(h, "companies", "999", company_of(99, "Ghost")), {"doubled": 1}, "belongs to no record"),
    "a nameless customer there": (lambda _, h: add(h, "companies", "999", company_of(4, "?")), {"doubled": 1}, "rule 5"),
    "a prospect's contact there": (lambda _, h: add(h, "contacts", "999", contact_of(17, None)), {"doubled": 1}, "rule 5"),
    "a key in upper case": (lambda _, h: upper_key(h), {"doubled": 1, "missing": 1}, "rule 5"),
    "another tenant's key": (lambda _, h: foreign_tenant(h), {"doubled": 1, "missing": 1}, "rule 5"),
    "a new record without a key": (lambda _, h: add(h, "companies", "999", {"name": "New"}), {"doubled": 1}, "carries no key"),
    "not adopted": (lambda _, h: not_adopted(h), {"doubled": 1}, "rule 10: company 101"),
    "contact not adopted": (lambda _, h: contact_not_adopted(h), {"doubled": 1}, "rule 10: contact 211"),
    "adopted without a match": (lambda _, h: wrong_adoption(h), {"altered": 1, "stale": 1}, "adopted without a match by customer C008"),
    "one of two candidates taken": (lambda _, h: guessed(h), {"doubled": 1, "missing": 1}, "rule 12"),
    "a third one beside two": (lambda _, h: add(h, "companies", "999", company_of(7, "Twin")), {"doubled": 1, "missing": 1}, "rule 12"),
    "not ours, of an adopted one": (lambda _, h: properties(h, "101").update(industry=""), {"altered": 1}, "industry was 'Timber'"),
    "not ours, added": (lambda _, h: properties(h, "211").update(company="Amber"), {"altered": 1}, "company was None and is 'Amber'"),
    "another record": (lambda _, h: properties(h, "190").update(name="Changed"), {"altered": 1}, "rule 15"),
    "a claimed record taken": (lambda _, h: taken_over(h), {"altered": 1}, "its key was 'other|1' and is"),
    "a decimal that is none": (lambda _, h: properties(h, "102").update(acumatica_credit_limit="much"), {"stale": 1}, "'much'"),
    "another record gone": (lambda _, h: archive(h, "companies", "190"), {"altered": 1}, "is no longer"),
}


def taken_over(right: Dump) -> None:
    right["seeded"]["companies"]["108"] = {"name": "Theirs", "acumatica_customer_key": "other|1"}


def zero_limit(left: Dump, right: Dump) -> None:
    left["customers"][1]["CreditLimit"] = None
    properties(right, "102")["acumatica_credit_limit"] = "0"


def second_sharer(right: Dump) -> None:
    add(right, "contacts", "999", contact_of(13, None))
    link(right, "999", "102")


def upper_key(right: Dump) -> None:
    properties(right, "108")["acumatica_customer_key"] = key(8).upper()


def foreign_tenant(right: Dump) -> None:
    properties(right, "108")["acumatica_customer_key"] = key(8).replace("demo|", "other|")


def not_adopted(right: Dump) -> None:
    """Customer 1 got a company of its own beside the one that was there with its domain."""
    made = copy.deepcopy(properties(right, "101"))
    add(right, "companies", "999", made)
    properties(right, "101").clear()
    properties(right, "101").update(OLD_AMBER)
    for ref in ("211", "212"):
        unlink(right, ref)
        link(right, ref, "999")


def contact_not_adopted(right: Dump) -> None:
    add(right, "contacts", "999", copy.deepcopy(properties(right, "211")))
    properties(right, "211").clear()
    properties(right, "211").update(OLD_BO)
    link(right, "999", "101")


def wrong_adoption(right: Dump) -> None:
    remove(right, "companies", "108")
    properties(right, "190").update(company_of(8, "No Site At All", "n/a"))


def guessed(right: Dump) -> None:
    properties(right, "171").update(company_of(7, "Twin", "twin.example", "twin.example"))


@pytest.mark.parametrize("case", WRONG)
def test_says_no(case: str) -> None:
    """One thing wrong gives exactly its finding, and the verdict is no."""
    change, expected, words = WRONG[case]
    verdict = judge(change)
    assert counts(verdict) == expected, verdict
    assert any(words in finding for kind in expected for finding in getattr(verdict, kind)), verdict
    assert not verdict.agreed
    assert verdict.line.startswith("NOT in agreement: ")


RIGHT: dict[str, Change] = {
    "decimals in another writing": lambda _, h: properties(h, "102").update(acumatica_credit_limit="1500.5000"),
    "blanks around a value": lambda _, h: properties(h, "102").update(phone=" +44 1482 1 "),
    "the case of e-mail and domain": lambda _, h: [properties(h, "221").update(email="Five@X.example"), dotted(h)],
    "empty as null or nothing": lambda _, h: [properties(h, "106").update(website=None), properties(h, "106").pop("state")],
    "what HubSpot computes": lambda _, h: properties(h, "190").update(hs_score="9", lastmodifieddate="now"),
    "an archived record with a stray key": lambda _, h: [add(h, "companies", "999", company_of(99, "?")), archive(h, "companies", "999")],
    "a company that is not ours too": lambda _, h: link(h, "214", "190"),
    "a wrong company, by people": lambda _, h: [link(h, "214", "103"), link_before(h, "214", "103")],
    "the other one of those who share": lambda _, h: other_sharer(h),
    "a foreign key that was there": lambda _, h: claimed_elsewhere(h),
    "a key of ours that was there": lambda _, h: h["seeded"]["companies"].update({"102": company_of(2, "Old name")}),
    "linked before, beside a match": lambda _, h: linked_before(h),
    "line breaks of either kind": lambda a, h: line_breaks(a, h),
    "the other customer adopted": lambda _, h: swapped_adoption(h),
}


def dotted(right: Dump) -> None:
    properties(right, "105")["domain"] = "Mail-Only.CO.UK"


def other_sharer(right: Dump) -> None:
    remove(right, "contacts", "212")
    add(right, "contacts", "213", contact_of(13, "shared@x.example"))
    link(right, "213", "102")


def claimed_elsewhere(right: Dump) -> None:
    """A company and the holder of an e-mail were another tenant's before: contact 21 is excused, the customer gets its own."""
    add(right, "companies", "180", {"name": "Birch", "domain": "birch.example", "acumatica_customer_key": "other|1"})
    right["seeded"]["companies"]["180"] = properties(right, "180")
    add(right, "contacts", "280", {"email": "five@x.example", "acumatica_contact_key": "other|2"})
    right["seeded"]["contacts"]["280"] = properties(right, "280")
    remove(right, "contacts", "221")


def linked_before(right: Dump) -> None:
    """Customer 2 had its company before; so had customer 3. The unclaimed one with their domain is left alone."""
    right["seeded"]["companies"]["102"] = company_of(2, "Old name")
    right["seeded"]["companies"]["103"] = company_of(3, "Old name")
    add(right, "companies", "185", {"name": "Birch", "domain": "birch.example"})
    right["seeded"]["companies"]["185"] = dict(properties(right, "185"))


def line_breaks(left: Dump, right: Dump) -> None:
    left["contacts"][0]["Address"]["AddressLine1"] = "2 Pier\r\nEast"
    properties(right, "211")["address"] = "2 Pier\nEast\r\nc/o Ann"


def swapped_adoption(right: Dump) -> None:
    """Customers 1 and 9 share a domain: either may adopt the company that was there."""
    one, nine = properties(right, "101"), properties(right, "109")
    ours = set(company_of(1, ""))
    kept = {name: value for name, value in one.items() if name in ours}
    one.update({name: nine[name] for name in ours})
    nine.update(kept)
    for ref in ("211", "212"):
        unlink(right, ref)
        link(right, ref, "109")


@pytest.mark.parametrize("case", RIGHT)
def test_says_yes(case: str) -> None:
    """What the table allows is no finding."""
    verdict = judge(RIGHT[case])
    assert counts(verdict) == {}, verdict
    assert verdict.agreed


def test_edits_of_what_was_matched_by() -> None:
    """Who matched a record at reset may hold it though the e-mail or website is another today; who matches it only today need not."""

    def moved(left: Dump, right: Dump) -> None:
        seeded = acumatica()
        left["seeded"] = {kind: {row["id"]: row for row in seeded[kind]} for kind in ("customers", "contacts")}
        left["contacts"][0]["Email"] = properties(right, "211")["email"] = "moved@new-desk.example"
        left["customers"][0]["MainContact"]["WebSite"] = properties(right, "101")["website"] = "new.example"
        properties(right, "101")["domain"] = "new.example"
        remove(right, "companies", "109")
        add(right, "companies", "109", company_of(9, "Amber Two", "later.example", "later.example"))
        left["customers"][8]["MainContact"]["WebSite"] = "later.example"
        add(right, "companies", "186", {"name": "Later", "domain": "later.example"})
        right["seeded"]["companies"]["186"] = {"name": "Later", "domain": "later.example"}

    assert counts(judge(moved)) == {}
    history_lost = judge(moved, lambda a, _: a.pop("seeded"))
    assert counts(history_lost) == {"altered": 2, "doubled": 1}
    assert counts(judge(moved, lambda _, h: properties(h, "190").update(name="Changed"))) == {"altered": 1}


def test_adopted_by_an_edit_before_the_first_match() -> None:
    """Who matches a record only since an edit may have adopted it all the same."""

    def edited(left: Dump, right: Dump) -> None:
        left["seeded"] = {"customers": {guid(8): customer(8, "No Site At All", "n/a")}}
        left["customers"][7]["MainContact"]["WebSite"] = "site.example"
        properties(right, "108").update(website="site.example", domain="site.example")
        right["seeded"]["companies"]["108"] = {"name": "No Site", "domain": "site.example"}

    assert counts(judge(edited)) == {}


def test_two_candidates_at_reset_or_today_only() -> None:
    """A customer with several candidates only at reset, or only today, may be there or not; with several in both it is not."""

    def left_the_twins(left: Dump, _: Dump) -> None:
        left["seeded"] = {"customers": {row["id"]: row for row in acumatica()["customers"]}}
        left["customers"][6]["MainContact"]["WebSite"] = "single.example"

    def there(_: Dump, right: Dump) -> None:
        add(right, "companies", "107", company_of(7, "Twin", "single.example", "single.example"))
        add(right, "contacts", "219", contact_of(19, "waits@twin.example"))
        link(right, "219", "107")

    assert counts(judge(left_the_twins)) == {}
    assert counts(judge(left_the_twins, there)) == {}
    assert counts(judge(there)) == {"doubled": 1}


def test_values_too_long_are_excused() -> None:
    """A customer with a value that HubSpot cannot hold is excused (16), its contacts wait (17), and what was there may stay."""

    def long(left: Dump, _: Dump) -> None:
        left["customers"][4]["CustomerName"] = "x" * 65_537

    stays = judge(long)
    gone = judge(long, lambda _, h: [remove(h, "companies", "105"), remove(h, "contacts", "221")])
    assert (stays.line, stays.contacts) == ("in agreement: 6 companies, 4 contacts, 0 missing, 0 doubled, 0 stale", 4)
    assert gone.line == "in agreement: 6 companies, 3 contacts, 0 missing, 0 doubled, 0 stale"
    title = judge(lambda a, _: a["contacts"][10].update(JobTitle="x" * 65_537))
    assert (title.line, title.contacts) == ("in agreement: 7 companies, 3 contacts, 0 missing, 0 doubled, 0 stale", 3)


def test_empty_systems_agree_and_a_silent_portal_does_not() -> None:
    """Nothing against nothing agrees; a portal that got nothing at all is missing every record."""
    left, right = acumatica(), hubspot()
    nothing = {"customers": [], "contacts": []}, {"companies": [], "contacts": [], "associations": []}
    assert compare(*nothing, "demo").line == "in agreement: 0 companies, 0 contacts, 0 missing, 0 doubled, 0 stale"
    right |= {"associations": [], "companies": [], "contacts": [], "seeded": {}}
    verdict = compare(left, right, "demo")
    assert (len(verdict.missing), verdict.companies, verdict.contacts) == (8 + 5, 0, 0)


def test_imports_nothing_but_the_standard_library() -> None:
    """The comparer shares no code with what it judges: its files import each other and the standard library, no more."""
    files = [Path(comparer.__file__), *Path(parts.__file__).parent.glob("*.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, file
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("sandbox.compare"), (file, name)


def test_command_line(tmp_path: Path) -> None:
    """The command prints the findings and the verdict, as text or JSON, and its exit status is 0 only in agreement."""
    left, right, wrong = tmp_path / "a.json", tmp_path / "h.json", tmp_path / "w.json"
    left.write_text(json.dumps(acumatica()), encoding="utf-8")
    right.write_text(json.dumps(hubspot()), encoding="utf-8")
    dump = hubspot()
    remove(dump, "companies", "108")
    wrong.write_text(json.dumps(dump), encoding="utf-8")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandbox.comparer", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")

    good = run("--acumatica", left, "--hubspot", right)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, judge().line)
    bad = run("--acumatica", left, "--hubspot", wrong)
    assert (bad.returncode, bad.stdout.splitlines()[-1].split(",")[2]) == (1, " 1 missing")
    assert "missing: rule 1: no company for customer C008" in bad.stdout
    as_json = run("--acumatica", left, "--hubspot", wrong, "--json")
    told = json.loads(as_json.stdout)
    assert (as_json.returncode, told["agreed"], told["companies"], len(told["missing"])) == (1, False, 6, 1)
    for unreadable in (run("--acumatica", right, "--hubspot", right), run("--acumatica", tmp_path / "none", "--hubspot", right)):
        assert (unreadable.returncode, unreadable.stdout) == (2, "")
        assert "acumatica" in unreadable.stderr
