"""The entity sets of the DAC feeds: fields, keys, what leads where (facts/acumatica.md §5.9, §13.3, §13.4)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import BASE_CURRENCY
from sandbox.acumatica.ar.rows import Rows, tran
from sandbox.acumatica.schema import Kind, fields_of
from sandbox.acumatica.store import Store
from sandbox.data import Row


@dataclass(frozen=True)
class Nav:
    """A way from a row to another set's row, or to several of them."""

    target: str
    get: Callable[["Feeds", Row], Any]
    many: bool = False


@dataclass(frozen=True)
class EntitySet:
    """A DAC: `refused` are the properties that can be neither filtered nor selected (computed ones)."""

    name: str
    keys: tuple[str, ...]
    fields: Mapping[str, Kind]
    refused: tuple[str, ...] = ()
    alias: str = ""
    navs: Mapping[str, Nav] = field(default_factory=dict)
    space: str = "AR"
    base: str | None = None

    @property
    def full(self) -> str:
        return f"PX_Objects_{self.space}_{self.name}"

    @property
    def type_name(self) -> str:
        return f"PX.Objects.{self.space}.{self.name}"


def _customer(feeds: "Feeds", row: Row) -> Row | None:
    return feeds.customer(row["CustomerID"])


TO_CUSTOMER = {"CustomerByCustomerID": Nav("Customer", _customer)}
_REGISTER = fields_of(
    s="DocType RefNbr FinPeriodID CuryID Status OrigModule OrigDocType OrigRefNbr ExternalRef BatchNbr DocDesc",
    i="BranchID CustomerID CustomerLocationID",
    d="CuryOrigDocAmt OrigDocAmt CuryDocBal DocBal",
    t="DocDate DueDate ClosedDate CreatedDateTime LastModifiedDateTime",
    b="Released OpenDoc Hold Voided",
    g="NoteID",
)
_DOCUMENT = ("PrintDocType", "DocDisc", "CuryRate", "NoteText", "DeletedDatabaseRecord")

SETS = {
    one.name: one
    for one in (
        EntitySet("ARRegister", ("DocType", "RefNbr"), _REGISTER, _DOCUMENT, "ARDocument", TO_CUSTOMER),
        EntitySet(
            "ARInvoice",
            ("DocType", "RefNbr"),
            _REGISTER
            | fields_of(
                s="InvoiceNbr TermsID", i="BillContactID", d="CuryLineTotal CuryTaxTotal CuryPaymentTotal CuryUnpaidBalance", b="CreditHold"
            ),
            (*_DOCUMENT, "CuryPaidAmt", "LastPaymentDate", "CuryApplicationBalance"),
            navs=TO_CUSTOMER
            | {
                "ARContactByBillContactID": Nav("ARContact", lambda feeds, row: feeds.bill_to(row)),
                "ARTranCollection": Nav("ARTran", lambda feeds, row: feeds.lines(row), many=True),
            },
            base="ARRegister",
        ),
        EntitySet(
            "ARPayment",
            ("DocType", "RefNbr"),
            _REGISTER | fields_of(s="ExtRefNbr PaymentMethodID ProcessingCenterID", t="AdjDate", b="IsCCPayment Cleared"),
            (*_DOCUMENT, "CuryUnappliedBal", "UnappliedBal", "CuryApplAmt", "ApplAmt"),
            navs=TO_CUSTOMER,
            base="ARRegister",
        ),
        EntitySet(
            "ARAdjust",
            ("AdjdDocType", "AdjdLineNbr", "AdjdRefNbr", "AdjgDocType", "AdjgRefNbr", "AdjNbr"),
            fields_of(
                s="AdjdDocType AdjdRefNbr AdjgDocType AdjgRefNbr AdjgFinPeriodID AdjdFinPeriodID WriteOffReasonCode",
                i="AdjdLineNbr AdjNbr CustomerID AdjdCustomerID VoidAdjNbr",
                d="CuryAdjdAmt CuryAdjgAmt AdjAmt CuryAdjdDiscAmt CuryAdjgDiscAmt CuryAdjdWOAmt CuryAdjgWOAmt CuryAdjdPPDAmt RGOLAmt",
                t="AdjgDocDate AdjdDocDate CreatedDateTime LastModifiedDateTime",
                b="Released Hold Voided IsInitialApplication",
                g="InvoiceID PaymentID MemoID NoteID",
            ),
            ("CuryDocBal", "DocBal", "AdjType", "DisplayDocType", "DisplayRefNbr", "DisplayCuryAmt"),
            "Applications",
            TO_CUSTOMER,
        ),
        EntitySet(
            "ARTran",
            ("TranType", "RefNbr", "LineNbr"),
            fields_of(
                s="TranType RefNbr UOM TranDesc SOOrderType SOOrderNbr",
                i="LineNbr BranchID CustomerID InventoryID",
                d="Qty CuryUnitPrice CuryDiscAmt CuryTranAmt",
                t="LastModifiedDateTime",
                g="NoteID",
            ),
            navs=TO_CUSTOMER | {"InventoryItemByInventoryID": Nav("InventoryItem", lambda feeds, row: item(row))},
        ),
        EntitySet("InventoryItem", ("InventoryCD",), fields_of(s="InventoryCD Descr", i="InventoryID"), space="IN"),
        EntitySet(
            "ARBalances",
            ("BranchID", "CustomerID", "CustomerLocationID"),
            fields_of(
                s="CuryID",
                i="BranchID CustomerID CustomerLocationID AverageDaysToPay",
                d="CurrentBal UnreleasedBal TotalPrepayments TotalOpenOrders TotalShipped",
                t="LastInvoiceDate OldInvoiceDate LastDocDate LastModifiedDateTime",
            ),
            ("DatesUpdated",),
            navs=TO_CUSTOMER,
        ),
        EntitySet(
            "ARBalancesByBaseCuryID",
            ("BaseCuryID", "CustomerID"),
            fields_of(s="BaseCuryID", i="CustomerID", d="CurrentBal TotalPrepayments UnreleasedBal ConsolidatedBalance"),
            navs=TO_CUSTOMER,
        ),
        EntitySet(
            "ARContact",
            ("ContactID",),
            fields_of(s="FullName Attention Email Phone1", i="ContactID CustomerContactID", b="IsDefaultContact", g="NoteID"),
        ),
        EntitySet(
            "Customer",
            ("AcctCD",),
            fields_of(s="AcctCD AcctName CustomerClassID TermsID CuryID", i="BAccountID", d="CreditLimit",
                      t="CreatedDateTime LastModifiedDateTime", g="NoteID"),
            ("OverrideBillAddress", "SharedCreditChild"),
        ),
    )
}  # fmt: skip
BY_NAME = {name.lower(): one for one in SETS.values() for name in (one.name, one.full, one.alias) if name}


def item(line: Row) -> Row | None:
    """The item of a line."""
    code = line["InventoryCD"]
    return None if code is None else {"InventoryCD": code, "InventoryID": line["InventoryID"], "Descr": line["TranDesc"]}


class Feeds:
    """The rows of every set as they are now."""

    def __init__(self, store: Store, rows: Rows, padded: bool) -> None:
        self.store, self.rows, self._padded = store, rows, padded
        self._firms: dict[int, Row] | None = None

    @property
    def books(self) -> Books:
        return self.store.books

    def of(self, name: str) -> Iterable[Row]:
        sources: dict[str, Callable[[], Iterable[Row]]] = {
            "ARRegister": self.rows.registers,
            "ARInvoice": self.rows.invoices,
            "ARPayment": self.rows.payments,
            "ARAdjust": self.rows.applications,
            "ARTran": self.rows.lines,
            "ARBalances": self.rows.balances,
            "ARBalancesByBaseCuryID": self._by_currency,
            "ARContact": self._contacts,
            "InventoryItem": self._items,
            "Customer": lambda: [self.account(row) for row in self.store.customers],
        }
        return sources[name]()

    def customer(self, number: int) -> Row | None:
        if self._firms is None:  # one request sees one state: the sandbox does nothing else meanwhile
            self._firms = self.store.customer_numbers()
        row = self._firms.get(number)
        return None if row is None else self.account(row)

    def account(self, row: Row) -> Row:
        code = row["CustomerID"]
        return {
            "AcctCD": code.ljust(30) if self._padded else code,
            "BAccountID": row.get("BAccountID"),
            "AcctName": row["CustomerName"],
            "CustomerClassID": row.get("CustomerClass"),
            "TermsID": row.get("Terms"),
            "CuryID": row.get("CurrencyID"),
            "CreditLimit": row.get("CreditLimit"),
            "CreatedDateTime": row.get("CreatedDateTime"),
            "LastModifiedDateTime": row["LastModifiedDateTime"],
            "NoteID": row["id"],
        }

    def bill_to(self, row: Row) -> Row | None:
        one = self.books.documents[row["DocType"], row["RefNbr"]].bill_to
        if one is None:
            return None
        return {
            "ContactID": int(one.note_id[:7], 16),
            "CustomerContactID": one.contact,
            "IsDefaultContact": one.standard,
            "FullName": one.name,
            "Attention": one.attention,
            "Email": one.email,
            "Phone1": one.phone,
            "NoteID": one.note_id,
        }

    def lines(self, row: Row) -> list[Row]:
        document = self.books.documents[row["DocType"], row["RefNbr"]]
        return [tran(document, line) for line in document.lines]

    def _contacts(self) -> list[Row]:
        keys = [{"DocType": code, "RefNbr": number} for code, number in self.books.documents]
        return [row for row in map(self.bill_to, keys) if row is not None]

    def _items(self) -> list[Row]:
        """Those that stand on a line."""
        found = {row["InventoryID"]: row for row in map(item, self.rows.lines()) if row is not None}
        return list(found.values())

    def _by_currency(self) -> list[Row]:
        names = ("CustomerID", "CurrentBal", "TotalPrepayments", "UnreleasedBal")
        rows = [{name: row[name] for name in names} for row in self.rows.balances()]
        return [{"BaseCuryID": BASE_CURRENCY, **row, "ConsolidatedBalance": row["CurrentBal"] - row["TotalPrepayments"]} for row in rows]
