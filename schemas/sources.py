"""What a vendor gave, in its own words: one class for each `Source*` file in schemas/avro."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from schemas.records import Amount, Instant, Long, Record, Text


class AcumaticaAddress(Record):
    AddressLine1: Text | None = None
    AddressLine2: Text | None = None
    City: Text | None = None
    State: Text | None = None
    PostalCode: Text | None = None
    Country: Text | None = None


class AcumaticaMainContact(Record):
    Email: Text | None = None
    Phone1: Text | None = None
    WebSite: Text | None = None
    Address: AcumaticaAddress | None = None


class AcumaticaRow(Record):
    """What every source record of Acumatica starts with."""

    ref: str
    change: str
    modified_at: Instant
    read_at: Instant


class SourceAcumaticaCustomer(AcumaticaRow):
    CustomerID: Text | None = None
    CustomerName: Text | None = None
    CustomerClass: Text | None = None
    Status: Text | None = None
    BAccountID: Long | None = None
    Terms: Text | None = None
    CurrencyID: Text | None = None
    CreditLimit: Amount | None = None
    AccountRef: Text | None = None
    ParentRecord: Text | None = None
    MainContact: AcumaticaMainContact | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class SourceAcumaticaContact(AcumaticaRow):
    party: str | None = None
    scope: str | None = None
    ContactID: Long | None = None
    Type: Text | None = None
    BusinessAccount: Text | None = None
    DisplayName: Text | None = None
    FirstName: Text | None = None
    MiddleName: Text | None = None
    LastName: Text | None = None
    JobTitle: Text | None = None
    Email: Text | None = None
    Phone1: Text | None = None
    Phone1Type: Text | None = None
    Phone2: Text | None = None
    Phone2Type: Text | None = None
    Phone3: Text | None = None
    Phone3Type: Text | None = None
    Fax: Text | None = None
    WebSite: Text | None = None
    Active: bool | None = None
    Status: Text | None = None
    ContactClass: Text | None = None
    Address: AcumaticaAddress | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class AcumaticaApplication(Record):
    AdjdDocType: Text | None = None
    AdjdRefNbr: Text | None = None
    AdjgDocType: Text | None = None
    AdjgRefNbr: Text | None = None
    AdjNbr: Long | None = None
    AdjgDocDate: date | None = None
    CuryAdjdAmt: Amount | None = None
    CuryAdjdDiscAmt: Amount | None = None
    CuryAdjdWOAmt: Amount | None = None
    CuryAdjgAmt: Amount | None = None
    Released: bool | None = None
    Voided: bool | None = None


class AcumaticaTran(Record):
    LineNbr: Long | None = None
    InventoryID: Text | None = None
    TranDesc: Text | None = None
    Qty: Amount | None = None
    UOM: Text | None = None
    CuryUnitPrice: Amount | None = None
    CuryDiscAmt: Amount | None = None
    CuryTranAmt: Amount | None = None
    SOOrderNbr: Text | None = None


class AcumaticaBillTo(Record):
    CustomerContactID: Long | None = None
    IsDefaultContact: bool | None = None
    FullName: Text | None = None
    Attention: Text | None = None
    Email: Text | None = None


class AcumaticaDocument(AcumaticaRow):
    """What invoices and payments have in common: ARRegister."""

    party: str | None = None
    scope: str | None = None
    DocType: Text | None = None
    RefNbr: Text | None = None
    CustomerID: Long | None = None
    AcctCD: Text | None = None
    DocDate: date | None = None
    DueDate: date | None = None
    CuryID: Text | None = None
    CuryOrigDocAmt: Amount | None = None
    CuryDocBal: Amount | None = None
    Status: Text | None = None
    Released: bool | None = None
    Voided: bool | None = None
    Hold: bool | None = None
    DocDesc: Text | None = None
    OrigModule: Text | None = None
    OrigDocType: Text | None = None
    OrigRefNbr: Text | None = None
    Applications: list[AcumaticaApplication] = Field(default_factory=list)
    extra: dict[str, str] = Field(default_factory=dict)


class SourceAcumaticaInvoice(AcumaticaDocument):
    contact: str | None = None
    TermsID: Text | None = None
    InvoiceNbr: Text | None = None
    CuryLineTotal: Amount | None = None
    CuryTaxTotal: Amount | None = None
    CreditHold: bool | None = None
    BillTo: AcumaticaBillTo | None = None
    Lines: list[AcumaticaTran] = Field(default_factory=list)


class SourceAcumaticaPayment(AcumaticaDocument):
    ExtRefNbr: Text | None = None
    PaymentMethodID: Text | None = None
    AdjDate: date | None = None


class SourceAcumaticaDay(Record):
    day: date
    read_at: Instant


class HubspotCompany(Record):
    id: str
    name: Text | None = None
    domain: Text | None = None
    website: Text | None = None
    phone: Text | None = None
    address: Text | None = None
    address2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    zip: Text | None = None
    country: Text | None = None
    hs_country_code: Text | None = None
    industry: Text | None = None
    acumatica_customer_key: Text | None = None


class HubspotPerson(Record):
    id: str
    email: Text | None = None
    firstname: Text | None = None
    lastname: Text | None = None
    jobtitle: Text | None = None
    phone: Text | None = None
    mobilephone: Text | None = None


class SourceHubspotDeal(Record):
    ref: str
    change: str
    modified_at: Instant
    read_at: Instant
    scope: str | None = None
    dealname: Text | None = None
    dealstage: Text | None = None
    pipeline: Text | None = None
    stage_label: Text | None = None
    pipeline_label: Text | None = None
    dealtype: Text | None = None
    amount: Amount | None = None
    deal_currency_code: Text | None = None
    closedate: Instant | None = None
    hs_closed_won_date: Instant | None = None
    hs_is_closed_won: bool | None = None
    companies: list[str] = Field(default_factory=list)
    company: HubspotCompany | None = None
    contact: HubspotPerson | None = None
    extra: dict[str, str] = Field(default_factory=dict)
