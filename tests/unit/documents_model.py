"""A model of Acumatica's receivables in memory, for the poller's tests: documents and applications as the feeds give them, a database
clock, commits that show late, edits at any moment. The filters are read as the sandbox reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hypothesis import strategies as st

from sandbox.acumatica.odata.filter import Side, compile_filter
from weighlock.clients.acumatica_odata import Part

START = datetime(2026, 11, 21, 8, 0, 0, 250_000, UTC)
Kind = Literal["edit", "insert", "apply", "apply", "reverse", "delete"]
Row = dict[str, Any]
Place = tuple[str, tuple[Any, ...]]
KINDS = {"LastModifiedDateTime": "date", "AdjdLineNbr": "int", "AdjNbr": "int"}
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Edit:
    """A person's transaction over two documents: stamped when it is made, visible `delay` seconds later."""

    kind: Kind
    invoice: int
    payment: int
    delay: float


@dataclass(frozen=True)
class Beat:
    """One call: what is edited while the request is under way, what while the answer is, and how long each takes."""

    before: list[Edit]
    after: list[Edit]
    seconds: float


@dataclass(frozen=True)
class Scenario:
    """`cap`: rows that the server gives at once. `bumps`: does an application move the invoice's stamp. `ends` as in acumatica_model."""

    size: int
    cap: int
    bumps: bool
    skew: float
    beats: list[Beat]
    ends: list[str]
    gap: float


def scenarios() -> st.SearchStrategy[Scenario]:
    """Skew and delay stay within the overlap together, as the setting promises."""
    edit = st.builds(
        Edit,
        st.sampled_from(["edit", "insert", "apply", "apply", "apply", "reverse", "reverse", "delete"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([0.0, 0.0, 0.0, 0.7, 4.0]),
    )
    edits = st.lists(edit, max_size=2)
    return st.builds(
        Scenario,
        size=st.integers(1, 4),
        cap=st.sampled_from([0, 1, 2]),
        bumps=st.booleans(),
        skew=st.sampled_from([0.0, -3.0, 0.6, 3.0]),
        beats=st.lists(st.builds(Beat, edits, edits, st.sampled_from([0.0, 0.01, 0.6, 2.0])), min_size=8, max_size=50),
        ends=st.lists(st.sampled_from(["published", "published", "aborted", "killed before", "killed after"]), max_size=12),
        gap=st.sampled_from([0.0, 0.3, 5.0, 40.0]),
    )


@dataclass
class Receivables:
    """The tables and the clock; the producer's client as well (weighlock.clients.acumatica.Reads)."""

    scenario: Scenario
    clock: datetime = START
    tables: dict[str, dict[tuple[Any, ...], Row]] = field(default_factory=lambda: {"ARInvoice": {}, "ARPayment": {}, "ARAdjust": {}})
    pending: list[tuple[datetime, list[tuple[Place, Row | None]]]] = field(default_factory=list)
    date: datetime = START
    made: int = 0

    def __post_init__(self) -> None:
        self.beats = list(self.scenario.beats)
        for code, name in (("INV", "ARInvoice"), ("PMT", "ARPayment")):
            for letter in LETTERS[1:4:2]:
                self.tables[name][code, letter] = self._document(code, letter, START - timedelta(hours=1))

    @property
    def quiet(self) -> bool:
        """Nothing more will change."""
        return not self.beats and not self.pending

    def states(self) -> dict[str, str]:
        """By NoteID each document as its record must have it, its applications with it."""
        return {
            row["NoteID"]: state_of(
                row["DocDesc"], row["CuryDocBal"], [one for one in self.tables["ARAdjust"].values() if _about(one, row)]
            )
            for name in ("ARInvoice", "ARPayment")
            for row in self.tables[name].values()
        }

    def advance(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        for due in sorted((one for one in self.pending if one[0] <= self.clock), key=lambda one: one[0]):
            self.pending.remove(due)
            self._commit(due[1])

    def check(self) -> None:
        self.date = self.clock.replace(microsecond=0)

    @contextmanager
    def page(self) -> Iterator[None]:
        yield

    def now(self) -> datetime:
        return self.date

    def close(self) -> None:
        pass

    def list(self, entity: str, select: Sequence[str], expand: Sequence[str] = (), filter: str = "", top: int | None = None) -> list[Row]:
        return []

    def feed(
        self,
        name: str,
        select: Sequence[str],
        expand: Sequence[str] = (),
        filter: str = "",
        order: Sequence[str] = (),
        top: int | None = None,
    ) -> Part:
        return self._answer(lambda: self._rows(name, filter, order, top))

    def _answer(self, look: Callable[[], Part]) -> Part:
        """A call: what `look` sees between the edits before it and those after it."""
        beat = self.beats.pop(0) if self.beats else Beat([], [], 0.05)
        for edit in beat.before:
            self._edit(edit)
        self.advance(beat.seconds / 2)
        found = look()
        for edit in beat.after:
            self._edit(edit)
        self.advance(beat.seconds / 2)
        self.check()
        return found

    def _rows(self, name: str, filter: str, order: Sequence[str], top: int | None) -> Part:
        fits = compile_filter(filter, _side) if filter else lambda row: True
        rows = sorted((row for row in self.tables[name].values() if fits(row)), key=lambda row: [row[key] for key in order])
        most = min([count for count in (top, self.scenario.cap or None) if count is not None], default=len(rows))
        shown = [{**row, "LastModifiedDateTime": row["LastModifiedDateTime"].isoformat().replace("+00:00", "Z")} for row in rows[:most]]
        return Part(shown, len(rows) > most or (top is not None and len(shown) >= top))

    def _edit(self, edit: Edit) -> None:
        """Rows of an open transaction are locked: what cannot be is left out."""
        locked = {place for _, changes in self.pending for place, _ in changes}
        stamp = self.clock + timedelta(seconds=self.scenario.skew)
        stamp = stamp.replace(microsecond=stamp.microsecond // 1000 * 1000)
        changes = {
            "edit": self._edited,
            "insert": self._inserted,
            "apply": self._applied,
            "reverse": self._reversed,
            "delete": self._deleted,
        }[edit.kind](edit, stamp)
        if any(place in locked for place, _ in changes):
            return
        if edit.delay:
            self.pending.append((self.clock + timedelta(seconds=edit.delay), changes))
        else:
            self._commit(changes)

    def _edited(self, edit: Edit, stamp: datetime) -> list[tuple[Place, Row | None]]:
        invoice = self._pick("ARInvoice", edit.invoice)
        return [self._changed("ARInvoice", row, stamp) for row in [invoice] if row is not None]

    def _inserted(self, edit: Edit, stamp: datetime) -> list[tuple[Place, Row | None]]:
        code, name = ("INV", "ARInvoice") if edit.payment % 2 else ("PMT", "ARPayment")
        letter = LETTERS[2 * edit.invoice]
        return [] if (code, letter) in self.tables[name] else [((name, (code, letter)), self._document(code, letter, stamp))]

    def _applied(self, edit: Edit, stamp: datetime) -> list[tuple[Place, Row | None]]:
        """Both balances move; the payment's stamp does, the invoice's by rule."""
        invoice, payment = self._pick("ARInvoice", edit.invoice), self._pick("ARPayment", edit.payment)
        if invoice is None or payment is None:
            return []
        self.made += 1
        row = {
            "AdjdDocType": "INV",
            "AdjdLineNbr": 0,
            "AdjdRefNbr": invoice["RefNbr"],
            "AdjgDocType": "PMT",
            "AdjgRefNbr": payment["RefNbr"],
        }
        row |= {"AdjNbr": self.made, "NoteID": f"a{self.made}", "LastModifiedDateTime": stamp, "CuryAdjdAmt": 1, "Voided": False}
        return [self._placed(row), *self._moved(invoice, payment, -1, stamp)]

    def _reversed(self, edit: Edit, stamp: datetime) -> list[tuple[Place, Row | None]]:
        rows = [row for row in self.tables["ARAdjust"].values() if not row["Voided"]]
        if not rows:
            return []
        row = rows[edit.invoice % len(rows)]
        invoice, payment = (
            self.tables["ARInvoice"].get(("INV", row["AdjdRefNbr"])),
            self.tables["ARPayment"].get(("PMT", row["AdjgRefNbr"])),
        )
        assert invoice is not None
        assert payment is not None
        self.made += 1
        back = {**row, "AdjNbr": self.made, "NoteID": f"a{self.made}", "LastModifiedDateTime": stamp, "CuryAdjdAmt": -1, "Voided": True}
        old = {**row, "LastModifiedDateTime": stamp, "Voided": True}
        return [self._placed(back), self._placed(old), *self._moved(invoice, payment, 1, stamp)]

    def _deleted(self, edit: Edit, stamp: datetime) -> list[tuple[Place, Row | None]]:
        """Only what nothing is applied to."""
        invoice = self._pick("ARInvoice", edit.invoice)
        used = {row["AdjdRefNbr"] for row in self.tables["ARAdjust"].values()}
        return [] if invoice is None or invoice["RefNbr"] in used else [(("ARInvoice", ("INV", invoice["RefNbr"])), None)]

    def _moved(self, invoice: Row, payment: Row, amount: int, stamp: datetime) -> list[tuple[Place, Row | None]]:
        at = stamp if self.scenario.bumps else invoice["LastModifiedDateTime"]
        return [
            (
                ("ARInvoice", ("INV", invoice["RefNbr"])),
                {**invoice, "CuryDocBal": invoice["CuryDocBal"] + amount, "LastModifiedDateTime": at},
            ),
            (
                ("ARPayment", ("PMT", payment["RefNbr"])),
                {**payment, "CuryDocBal": payment["CuryDocBal"] + amount, "LastModifiedDateTime": stamp},
            ),
        ]

    def _changed(self, name: str, row: Row, stamp: datetime) -> tuple[Place, Row]:
        return (name, (row["DocType"], row["RefNbr"])), {**row, "DocDesc": row["DocDesc"] + "'", "LastModifiedDateTime": stamp}

    def _placed(self, row: Row) -> tuple[Place, Row]:
        return ("ARAdjust", (row["AdjgRefNbr"], row["AdjNbr"])), row

    def _pick(self, name: str, number: int) -> Row | None:
        rows = list(self.tables[name].values())
        return rows[number % len(rows)] if rows else None

    def _commit(self, changes: Sequence[tuple[Place, Row | None]]) -> None:
        for (name, key), row in changes:
            if row is None:
                self.tables[name].pop(key, None)
            else:
                self.tables[name][key] = row

    def _document(self, code: str, letter: str, stamp: datetime) -> Row:
        self.made += 1
        row = {"DocType": code, "RefNbr": letter, "NoteID": f"d{self.made}", "LastModifiedDateTime": stamp, "DocDesc": "v"}
        return row | {"CuryDocBal": 100, "CustomerByCustomerID": {"AcctCD": "A", "NoteID": "c"}, "ARTranCollection": []}


def state_of(text: str, balance: Any, applications: Sequence[Row]) -> str:
    """A document in one line, to compare."""
    found = sorted(f"{row['AdjNbr']}{'-' if row['Voided'] else '+'}" for row in applications)
    return f"{text} {int(balance)} {' '.join(found)}"


def _about(one: Row, document: Row) -> bool:
    key = (document["DocType"], document["RefNbr"])
    return key in ((one["AdjdDocType"], one["AdjdRefNbr"]), (one["AdjgDocType"], one["AdjgRefNbr"]))


def _side(path: str) -> Side:
    return Side(KINDS.get(path, "string"), lambda row: row[path])
