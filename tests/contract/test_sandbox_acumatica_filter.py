"""`$filter` of the Acumatica sandbox (facts/acumatica.md §4.2)."""

import operator
from collections.abc import Iterator

import pytest
from acumatica_site import Site, site
from hypothesis import given
from hypothesis import strategies as st

from sandbox.acumatica.filter import compile_filter
from sandbox.acumatica.schema import CUSTOMER
from sandbox.acumatica.wire import Refusal
from sandbox.data import Book, load


@pytest.fixture(scope="module")
def book() -> Book:
    return load("demo", customers=40, contacts=100)


@pytest.fixture(scope="module")
def one(book: Book) -> Iterator[Site]:
    with site(book) as started:
        yield started


def codes(one: Site, text: str) -> list[str]:
    return [row["CustomerID"]["value"] for row in one.rows("Customer", select="CustomerID", filter=text)]


def test_comparisons(one: Site, book: Book) -> None:
    """S8, §4.2: eq, ne, gt, ge, lt, le on texts, numbers, flags and null."""
    rows = sorted(book.customers, key=lambda row: row["CustomerID"])
    assert codes(one, "CustomerID eq 'O''BRIEN'") == ["O'BRIEN"]
    assert codes(one, "CustomerID gt 'N'") == [row["CustomerID"] for row in rows if row["CustomerID"] > "N"]
    assert codes(one, "CustomerID le 'N'") == [row["CustomerID"] for row in rows if row["CustomerID"] <= "N"]
    assert codes(one, "CreditLimit ge 145000M") == [row["CustomerID"] for row in rows if (row["CreditLimit"] or 0) >= 145000]
    assert codes(one, "CreditLimit lt 100.5") == [
        row["CustomerID"] for row in rows if row["CreditLimit"] is not None and row["CreditLimit"] < 100.5
    ]
    assert codes(one, "Terms eq null") == [row["CustomerID"] for row in rows if row["Terms"] is None]
    assert codes(one, "Terms ne null") == [row["CustomerID"] for row in rows if row["Terms"] is not None]
    assert len(codes(one, "IsGuestCustomer eq false")) == 40


def test_texts_compare_without_case(one: Site) -> None:
    """§4.7: as the database's collation does, without case or blanks at the end."""
    assert codes(one, "CustomerID eq 'o''brien   '") == ["O'BRIEN"]
    assert codes(one, "CustomerID ge 'o''brien' and CustomerID le 'O''Brien'") == ["O'BRIEN"]


def test_and_or_and_parentheses(one: Site) -> None:
    """S8, §4.2: `and` binds closer than `or`; parentheses change that."""
    a, b, none = "CustomerID eq 'YAMADA'", "CustomerID eq 'NULL'", "CustomerID eq 'X'"
    assert codes(one, f"{a} or {b} and {none}") == ["YAMADA"]
    assert codes(one, f"({a} or {b}) and {none}") == []
    assert codes(one, f"(({a}) or ({b}))") == ["NULL", "YAMADA"]


def test_long_chains(one: Site, book: Book) -> None:
    """§13.1: many keys joined by `or` in one call, as a look-up of codes sends them."""
    names = [row["CustomerID"] for row in book.customers] + [f"X{number}" for number in range(1000)]
    text = " or ".join("CustomerID eq '{}'".format(name.replace("'", "''")) for name in names)
    assert len(codes(one, text)) == 40


def test_one_field_among_several_texts(one: Site, book: Book) -> None:
    """§4.2, §4.7: texts of one field joined by `or` compare as each alone does; an empty value is none of them."""
    wanted = sorted(row["CustomerID"] for row in book.customers if row["Terms"] in ("30D", "COD"))
    assert sorted(codes(one, "Terms eq 'cod ' or Terms eq '30D' or Terms eq ''")) == wanted
    assert set(codes(one, "Terms eq 'COD' or Terms eq '30D' or CustomerID eq 'NULL'")) == {*wanted, "NULL"}


def test_functions(one: Site) -> None:
    """S8, §4.2: substringof takes the needle first; it, startswith and endswith disregard case."""
    assert codes(one, "substringof('SØN''S',CustomerName)") == ["O'BRIEN"]
    assert codes(one, "startswith(CustomerName,'o''brien')") == ["O'BRIEN"]
    assert codes(one, "endswith(CustomerName,'\"roofing\"') and Status ne 'X'") == ["O'BRIEN"]


def test_times_and_guids(one: Site, book: Book) -> None:
    """S8, §4.2, §4.6: datetimeoffset'...' with an offset, and guid'...'."""
    row = book.customers[0]
    stamp = row["LastModifiedDateTime"].isoformat()
    assert "O'BRIEN" in codes(one, f"LastModifiedDateTime ge datetimeoffset'{stamp}'")
    assert "O'BRIEN" not in codes(one, f"LastModifiedDateTime gt datetimeoffset'{stamp}'")
    assert "O'BRIEN" in codes(one, f"LastModifiedDateTime eq datetimeoffset'{stamp}'")
    assert codes(one, f"NoteID eq guid'{row['id'].upper()}'") == ["O'BRIEN"]


def test_linked_fields(one: Site, book: Book) -> None:
    """S8, §4.2: a field of a linked entity may be filtered on, without expanding it."""
    email = book.customers[0]["MainContact"]["Email"]
    assert codes(one, f"MainContact/Email eq '{email}'") == ["O'BRIEN"]
    wanted = sorted(row["CustomerID"] for row in book.customers if row["MainContact"]["Address"]["City"] == "Leeds")
    assert codes(one, "MainContact/Address/City eq 'leeds'") == wanted


@pytest.mark.parametrize(
    "text",
    [
        "contains(CustomerName,'x')",
        "tolower(CustomerName) eq 'x'",
        "toupper(CustomerName) eq 'X'",
        "not substringof('x',CustomerName)",
        "LastModifiedDateTime gt '2024-01-01'",
        "LastModifiedDateTime gt datetimeoffset'2024-01-01'",
        "LastModifiedDateTime gt datetimeoffset'2024-01-01T00:00:00 04:00'",
        "LastModifiedDateTime gt datetimeoffset'2024-01-01T00:00:00'",
        "Nothing eq 'x'",
        "customerid eq 'x'",
        "MainContact/Nothing eq 'x'",
        "Nothing/Email eq 'x'",
        "NoteID eq 'x'",
        "NoteID eq guid'x'",
        "CreditLimit gt 'x'",
        "CustomerID eq 5",
        "Terms gt null",
        "Contacts/ContactID eq 5",
        "CustomerID",
        "CustomerID eq",
        "CustomerID eq 'x",
        "CustomerID eq 'x' and",
        "(CustomerID eq 'x'",
        "CustomerID eq 'x') or (CustomerID eq 'y'",
        "CustomerID like 'x'",
        "substringof('x')",
        "cf.String(f='CurrentCustomer.UsrTier') eq 'Gold'",
    ],
)
def test_what_is_refused_is_a_500(one: Site, text: str) -> None:
    """S8, §4.2: unknown functions and fields, other types, plain dates, a detail's field and bad syntax are 500s."""
    one.fails("Customer", filter=text)


def test_a_plain_date_names_the_types(one: Site) -> None:
    """S8, §4.2: the refusal of a quoted date mentions incompatible types and their Edm names."""
    text = one.fails("Contact", filter="LastModifiedDateTime gt '2024-01-01'")
    assert "incompatible types" in text
    assert "Edm.DateTimeOffset" in text


def test_silently_wrong_filters(one: Site) -> None:
    """S8, §4.2: `substringof(...) eq true` is a 200 with no rows; a detail's field may be so too, by switch."""
    assert codes(one, "substringof('a',CustomerName) eq true") == []
    with site(detail_filter="empty") as other:
        assert codes(other, "Contacts/ContactID gt 5") == []


def test_a_filter_across_views(one: Site, book: Book) -> None:
    """§13.1: LastModifiedDateTime and CustomerID of a Customer come from two views; by switch such a filter gives no rows."""
    across = "LastModifiedDateTime ge datetimeoffset'2020-01-01T00:00:00Z' and CustomerID gt ''"
    alone = "LastModifiedDateTime ge datetimeoffset'2020-01-01T00:00:00Z' and LastModifiedDateTime lt datetimeoffset'2030-01-01T00:00:00Z'"
    names = "CustomerID eq 'O''BRIEN' or CustomerID eq 'NULL'"
    assert len(codes(one, across)) == 40
    with site(book, cross_view="empty") as other:
        assert codes(other, across) == []
        assert len(codes(other, alone)) == 40
        assert codes(other, names) == ["NULL", "O'BRIEN"]
        stamped = other.rows("Contact", filter="LastModifiedDateTime ge datetimeoffset'2020-01-01T00:00:00Z' and ContactID gt 0")
        assert len(stamped) == 100


def test_a_plus_may_stand_for_a_blank(one: Site) -> None:
    """§4.1: both `+` and `%20` are blanks in the query; a plus of an offset must be `%2B`."""
    answer = one.client.get("/entity/Default/24.200.001/Customer?$filter=CustomerID+eq%20'YAMADA'&$select=CustomerID")
    assert len(answer.json()) == 1
    stamp = "LastModifiedDateTime+gt+datetimeoffset'2020-01-01T00:00:00{}00:00'"
    assert one.client.get(f"/entity/Default/24.200.001/Customer?$filter={stamp.format('%2B')}").status_code == 200
    assert one.client.get(f"/entity/Default/24.200.001/Customer?$filter={stamp.format('+')}").status_code == 500


WORDS = """( ) , and or not eq ne gt le CustomerID CreditLimit Terms NoteID LastModifiedDateTime MainContact/Email Contacts/ContactID
Nothing 'x' 'O''B' 5 -5.5M true null substringof startswith contains datetimeoffset'0001-01-01T00:00:00+14:00' datetimeoffset'x'
guid'00000000-0000-0000-0000-000000000000' x'' ' / $"""
PIECES = st.sampled_from(WORDS.split())


@given(st.lists(PIECES, max_size=12), st.sampled_from(["rows", "empty"]))
def test_any_filter_is_read_or_refused(pieces: list[str], cross_view: str) -> None:
    """§4.2: whatever is sent, a filter gives an answer for every row, or the refusal of a 500."""
    row = load("demo", customers=1, contacts=0).customers[0]
    try:
        answer = compile_filter(" ".join(pieces), CUSTOMER, cross_view, "empty")(row)
    except Refusal as refusal:
        answer = refusal.response.status_code
    assert answer in (True, False, 500)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["CustomerID", "Terms"]), st.sampled_from(["eq", "ne", "ge"]), st.sampled_from(["30D", "net60 ", "NULL", ""])
        ),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.sampled_from(["and", "or"]), min_size=5, max_size=5),
)
def test_filters_mean_what_they_say(parts: list[tuple[str, str, str]], joints: list[str]) -> None:
    """§4.2: a chain of comparisons selects the rows that the same chain in Python does; one with an empty value never holds."""
    text = " ".join(f"{joints[at - 1] if at else ''} {field} {sign} '{value}'" for at, (field, sign, value) in enumerate(parts))
    fits = compile_filter(text, CUSTOMER, "rows", "error")
    signs = {"eq": operator.eq, "ne": operator.ne, "ge": operator.ge}
    for row in load("demo", customers=20, contacts=0).customers:
        groups: list[list[bool]] = [[]]
        for at, (field, sign, value) in enumerate(parts):
            if at and joints[at - 1] == "or":
                groups.append([])
            groups[-1].append(row[field] is not None and signs[sign]((row[field] or "").casefold(), value.rstrip().casefold()))
        assert fits(row) is any(map(all, groups))
