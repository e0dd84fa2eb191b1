"""Ten thousand records of nonsense: values made by hypothesis, put into every field that the producer reads, beside plain neighbours.

The same seed gives the same world. What becomes of each record is said in tests/harness/verdicts.py.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Row = dict[str, Any]
#: Half of a surrogate pair is left to the garbled answers: no file of UTF-8 can hold it.
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
CONTROL = st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Zs"]), min_size=1, max_size=12)
RIGHT_TO_LEFT = st.text(st.sampled_from("אבגשלוםمرحبا؟۱۲ \u202e\u202b\u2067\u2069\u200f"), min_size=1, max_size=30)
PICTURES = ["😀", "👩‍🚀", "🇩🇪", "✌🏽", "🏴‍☠️", "❤️", "\u200d", "\ufe0f"]
EMOJI = st.lists(st.sampled_from(PICTURES), min_size=1, max_size=20).map("".join)
HTML = st.builds("<{0} {1}>{2}</{0}>&amp;{3}".format, st.sampled_from(["a", "b", "table", "iframe"]), ANY, ANY, ANY)
FORMULA = st.builds("{}{}".format, st.sampled_from(["=1+", "+", "-", "@SUM(", "=cmd|' /C calc'!A", "\t=", '=HYPERLINK("x";']), ANY)
INJECTION = st.sampled_from(
    [
        "O'Brien''; DROP TABLE Contact;--",
        "' or CustomerID ne '",
        'Property "acumatica_nothing" does not exist',
        "Unable to perform update/upsert by non-unique 0-1 property acumatica_contact_key",
        "Existing ID: 1",
        "1 already has that value.",
        "CONFLICTING_UNIQUE_VALUE",
        'Property values were not valid: [{"error":"PROPERTY_DOESNT_EXIST"}]',
        "${jndi:ldap://x}",
        "%s%n{0}%00",
        "null",
        "undefined",
        "NaN",
        "00000000-0000-0000-0000-000000000000",
        "12345678901234567890",
        "1e5",
        "true",
        "\\ud83d",
        "\ufeffbom",
        "\uffff",
        "a\r\nb\rc\nd",
        "Ω̸̢͎Z͑ͫ̓ͪ̂",
        "e\u0301 is not é",
        "ıİßǅ",
    ]
)
EMPTY = st.text(st.sampled_from(" \t\r\n\u00a0\u2003\u3000\x1c\x85"), max_size=5)
TEXT = st.one_of(ANY, CONTROL, RIGHT_TO_LEFT, EMOJI, HTML, FORMULA, INJECTION, EMPTY)
REFUSED_NAME = st.builds("{}{}{}".format, ANY, st.sampled_from(["http://", "HTTPS://", "www.", "<script", "< SCRIPT>"]), ANY)
#: docs/agreement.md knows a piece of the public suffix list only, and no data set may use another one.
EMAIL = st.one_of(
    TEXT, st.emails().map("{}.example".format), st.builds("{}@{}".format, ANY, ANY), st.builds("{}@x.example".format, INJECTION)
)
WEBSITE = st.one_of(
    TEXT,
    st.builds("http://{}/{}".format, ANY, ANY),
    st.builds("{}.example".format, st.text(st.sampled_from("abßد木-.😀 "), max_size=30)),
    st.just("x" * 5000 + ".example"),
    st.just("a." * 300 + "example"),
)
NUMBER = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=2),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**29), max_value=10**29, places=8),
    st.integers(-(10**30), 10**30).map(Decimal),
    st.sampled_from(["-0.00", "12345678901234567890", "0.00000001", "0.000000001", "1e29", "-1e30"]).map(Decimal),
)
STAMP = st.sampled_from(["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999+00:00", "1752-12-31T00:00:00+00:00"])
#: What an answer may hold where a text is due: JSON, as it stands there.
NO_TEXT = ["5", "[]", "[1]", '{"value": 5}', '{"value": []}', '{"value": {"a": 1}}', '{"value": true}', '{"value": 1.5}', '{"valeu": "x"}']
#: Half of a surrogate pair: no text of UTF-8, and so of Avro, has it.
NO_TEXT += ['{"value": "\\ud83d"}', '{"value": "x\\udc00y"}']
NO_LINK = ["5", "[]", '"x"', '{"value": 5}']
LEFT_OUT = ["{}", "null", '{"value": null}', '{"error": "it hurts"}']
NO_AMOUNT = [
    *('{"value": 1e400}', '{"value": 1e999999999}', '{"value": NaN}', '{"value": "much"}', '{"value": true}', "[]"),
    f'{{"value": {"9" * 5000}}}',
    f'{{"value": 0.{"0" * 5000}1}}',
]
NO_INTEGER = ['{"value": 12345678901234567890}', '{"value": 1.5}', '{"value": "x"}', '{"value": []}', f'{{"value": {"9" * 5000}}}']
NO_STAMP = [
    *('{"value": "0001-01-01T00:00:00+14:00"}', '{"value": "9999-12-31T23:59:59-14:00"}', '{"value": "yesterday"}'),
    *('{"value": "2025-01-01T00:00:00"}', '{"value": 5}', '{"value": null}', "[]", '{"value": "10000-01-01T00:00:00+00:00"}'),
]
NO_FLAG = ['{"value": "maybe"}', '{"value": 2}', '{"value": []}', '{"value": {}}']
LONG = 100_000
#: Three bytes each, and so many that no compression helps.
CJK = "".join(map(chr, range(0x4E00, 0x9FA0)))


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """So many values of hypothesis's, always the same for one number."""
    found: list[Any] = []

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def take(value: Any) -> None:
        found.append(value)

    take()
    return found


ADDRESS = ["AddressLine1", "AddressLine2", "City", "State", "PostalCode", "Country"]
CUSTOMER_TEXTS = ["CustomerName", "CustomerClass", "Status", "Terms", "CurrencyID", "AccountRef", "ParentRecord", "MainContact.Phone1"]
CUSTOMER_TEXTS += [f"MainContact.Address.{name}" for name in ADDRESS]
PHONES = [f"Phone{number}{end}" for number in (1, 2, 3) for end in ("", "Type")]
CONTACT_TEXTS = ["FirstName", "MiddleName", "LastName", "JobTitle", *PHONES, "Fax", "WebSite", "ContactClass"]
CONTACT_TEXTS += [f"Address.{name}" for name in ADDRESS]


@dataclass
class World:
    """Rows as the sandboxes' folders take them, and what stands in Acumatica's answers instead of some values (by NoteID and path)."""

    customers: int
    contacts: int
    number: int
    rows: dict[str, list[Row]] = field(default_factory=dict)
    garbled: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.number)
        pools = {"text": TEXT, "email": EMAIL, "website": WEBSITE, "number": NUMBER, "stamp": STAMP, "name": REFUSED_NAME}
        self._pools = {name: drawn(pool, 400, self.number + place) for place, (name, pool) in enumerate(pools.items())}
        plain = self.customers // 7
        customers = [self._customer(place, place < plain) for place in range(self.customers)]
        prospects = [{"BusinessAccountID": f"P{place:03d} {self._code()}".upper()} for place in range(20)]
        codes = [row["CustomerID"].upper().rstrip() for row in customers]
        others = [row["BusinessAccountID"].upper().rstrip() for row in prospects]
        people = [self._contact(place, place < plain, codes, plain, others) for place in range(self.contacts)]
        self.rows = {"customers": customers, "contacts": people, "business_accounts": prospects}
        self._large(customers, people)
        self.rows |= self._portal(people)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        for name, rows in self.rows.items():
            (folder / f"{name}.json").write_text(json.dumps(rows, default=str))
        return folder

    def _any(self, pool: str) -> Any:
        return self.chance.choice(self._pools[pool])

    def _code(self) -> str:
        """What a key may end with: short, and without the one character that no database's text holds."""
        return str(self._any("text"))[:20].replace("\0", "")

    def _row(self, entity: str, place: int) -> Row:
        return {"NoteID": str(uuid5(NAMESPACE_OID, f"{self.number} {entity} {place}"))}

    def _customer(self, place: int, plain: bool) -> Row:
        row = self._row("customer", place) | {"CustomerID": f"N{place:05d}", "CustomerName": f"Plain {place}"}
        row["MainContact.Email"] = f"office@firm{place}.example"
        if plain:
            return row
        row["CustomerID"] += f" {self._code()}"
        self._spoil(row, CUSTOMER_TEXTS, {"MainContact.WebSite": "website", "MainContact.Email": "email", "CreditLimit": "number"})
        wrong = dict.fromkeys((*CUSTOMER_TEXTS, "MainContact.Email"), NO_TEXT) | {"MainContact": NO_LINK}
        wrong |= {"CreditLimit": NO_AMOUNT, "BAccountID": NO_INTEGER, "LastModifiedDateTime": NO_STAMP, "CustomerID": NO_TEXT[:3]}
        self._garble(row, wrong)
        return row

    def _contact(self, place: int, plain: bool, codes: list[str], sound: int, others: list[str]) -> Row:
        row = self._row("contact", place) | {"LastName": f"Plain {place}", "Email": f"plain{place}@people.example"}
        row |= {"ContactID": 100_000 + place, "BusinessAccount": codes[place % sound]}
        if plain:
            return row
        self._spoil(row, CONTACT_TEXTS, {"Email": "email", "FirstName": "name", "LastName": "name"}, rare={"FirstName", "LastName"})
        for name in ("Phone1Type", "Phone2Type", "Phone3Type"):
            if self.chance.random() < 0.5:
                row[name] = self.chance.choice(["Business 1", "Cell", "Home", " Cell "])
        if self.chance.random() < 0.15:
            row["BusinessAccount"] = self.chance.choice([None, *self.chance.choices(others, k=2), *self.chance.choices(codes, k=9)])
        if self.chance.random() < 0.05:
            row["Type"] = self._any("text")
        row["Active"] = self.chance.random() < 0.9
        wrong = dict.fromkeys((*CONTACT_TEXTS, "Email", "BusinessAccount", "Type"), NO_TEXT) | {"Address": NO_LINK}
        self._garble(row, {**wrong, "Active": NO_FLAG, "ContactID": NO_INTEGER, "LastModifiedDateTime": NO_STAMP})
        return row

    def _spoil(self, row: Row, texts: list[str], pools: dict[str, str], rare: Collection[str] = ()) -> None:
        """Nonsense in about a third of the fields; sometimes one of 100 kB, sometimes an odd date."""
        for name in texts:
            if self.chance.random() < 0.35:
                row[name] = self._any("text")
        for name, pool in pools.items():
            if self.chance.random() < (0.02 if name in rare else 0.4):
                row[name] = self._any(pool)
        if self.chance.random() < 0.01:
            row[self.chance.choice(texts)] = self.chance.choice(self.longs())
        if self.chance.random() < 0.1:
            row["LastModifiedDateTime"] = self._any("stamp")

    def longs(self) -> list[str]:
        """Around HubSpot's 65,536 characters and above; blanks at the ends do not count."""
        return ["x" * LONG, "<b>" * 40_000, "😀" * 66_000, "x" * 65_536, "x" * 65_537, f"{' ' * LONG}x", " " * LONG, "ß" * 65_536]

    def _garble(self, row: Row, wrong: dict[str, list[str]]) -> None:
        """In about one of twenty, a field of the answer has another type; in a few it is left out."""
        if self.chance.random() < 0.05:
            name = self.chance.choice(list(wrong))
            self.garbled[row["NoteID"]] = {name.replace(".", "/"): self.chance.choice(wrong[name])}
        elif self.chance.random() < 0.02:
            name = self.chance.choice([name for name in wrong if name not in ("ContactID", "CustomerID", "LastModifiedDateTime")])
            self.garbled[row["NoteID"]] = {name.replace(".", "/"): self.chance.choice(LEFT_OUT)}

    def _large(self, customers: list[Row], people: list[Row]) -> None:
        """Some that Kafka does not take as a whole, and some that it just takes: what is made of those is larger still."""
        for row, names in ((customers[-1], CUSTOMER_TEXTS), (people[-1], CONTACT_TEXTS)):
            row |= dict.fromkeys(names, "😀" * LONG)
        for row in people[-4:-1]:
            row |= dict.fromkeys(CONTACT_TEXTS) | {"LastName": "Large", "BusinessAccount": people[0]["BusinessAccount"], "Type": "Contact"}
            row |= {name: self._filled(CJK, 65_000) for name in ("JobTitle", "Phone1", "Fax", "Address.City")}
            row |= {f"Address.{name}": self._filled(string.printable[:90], 65_000) for name in ("AddressLine2", "PostalCode")}
            row |= {"Address.Country": self._filled(string.ascii_letters, 50_000), "Phone1Type": "Business 1"}
            row |= {"Email": f"{self._filled(string.ascii_lowercase + string.digits, 65_000)}@large.example"}
        for row in (customers[-1], *people[-4:]):
            self.garbled.pop(row["NoteID"], None)
            row.pop("LastModifiedDateTime", None)

    def _filled(self, letters: str, size: int) -> str:
        return "".join(self.chance.choices(letters, k=size))

    def _portal(self, people: list[Row]) -> dict[str, list[Row]]:
        """What people left in HubSpot: nonsense as well, and some of our contacts with a sound address."""
        text = [value for value in self._pools["text"] if value.strip()]
        companies = [{"name": name, "domain": self._any("website"), "hs_additional_domains": self._any("text")} for name in text[:40]]
        contacts = [{"email": row["Email"].upper(), "company": name} for row, name in zip(people[:40], text, strict=False)]
        return {"hubspot_companies": companies, "hubspot_contacts": contacts}
