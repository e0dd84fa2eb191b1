"""The entities of the sandbox: their fields, the types of these, and the data views they come from (facts/acumatica.md §5, §13.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["string", "int", "decimal", "date", "bool", "guid"]

# Of the int fields, those that the vendor's description calls ShortValue; on the wire they are the same numbers.
SHORT = frozenset(("LeadTimedays", "OrderPriority", "CreditDaysPastDue"))


@dataclass(frozen=True)
class Shape:
    """Fields of an entity: name -> type; linked entities: name -> shape; its detail collections: name -> the shape
    of a row, or only what it is called where there never is one.

    `type_name` is what the vendor's description calls the entity."""

    type_name: str
    fields: dict[str, Kind]
    links: dict[str, "Shape"] = field(default_factory=dict)
    details: dict[str, "str | Shape"] = field(default_factory=dict)


@dataclass(frozen=True)
class Entity:
    """A top-level entity: what the URL calls it, its key, the form it stands on, and the views of its fields (else `main_view`)."""

    name: str
    shape: Shape
    key: str
    form: str
    files: str
    main_view: str
    views: dict[str, str]
    delegates: frozenset[str] = frozenset()
    customs: Mapping[str, str] = field(default_factory=dict)  # what `$custom` may name, `View.Field` -> a name in the row

    def view(self, path: str) -> str:
        """The data view that a field comes from; a linked entity counts as one."""
        return self.views.get(path.split("/")[0], self.main_view)


def _names(text: str) -> list[str]:
    return text.split()


def fields_of(**kinds: str) -> dict[str, Kind]:
    names: dict[Kind, str] = {
        "string": kinds.get("s", ""), "int": kinds.get("i", ""), "decimal": kinds.get("d", ""),
        "date": kinds.get("t", ""), "bool": kinds.get("b", ""), "guid": kinds.get("g", ""),
    }  # fmt: skip
    return {name: kind for kind, text in names.items() for name in _names(text)}


ADDRESS = Shape("Address", fields_of(s="AddressLine1 AddressLine2 City Country PostalCode State", b="Validated"))

_PERSON = fields_of(
    s="Attention BusinessAccount CompanyName ContactClass ContactMethod ConvertedBy DisplayName Duplicate Email Fax FaxType FirstName "
    "FullName Gender Image JobTitle LanguageOrLocale LastName MaritalStatus MiddleName Owner OwnerEmployeeName ParentAccount Phone1 "
    "Phone1Type Phone2 Phone2Type Phone3 Phone3Type Reason Source SourceCampaign SpouseOrPartnerName Status Title Type WebSite "
    "Workgroup WorkgroupDescription ExtRefNbr",
    i="ContactID",
    t="DateOfBirth LastIncomingActivity LastModifiedDateTime LastOutgoingActivity QualificationDate",
    b="Active OverrideAccountAddress AddressValidated DoNotCall DoNotEmail DoNotFax DoNotMail DuplicateFound NoMarketing NoMassMail "
    "Synchronize",
    g="NoteID",
)
PERSON = Shape(
    "Contact",
    _PERSON,
    {"Address": ADDRESS},
    {
        "Activities": "ActivityDetail",
        "Attributes": "AttributeValue",
        "Campaigns": "CampaignDetail",
        "Cases": "CaseDetail",
        "Duplicates": "ContactDuplicateDetail",
        "MarketingLists": "MarketingListDetail",
        "Notifications": "ContactNotification",
        "Opportunities": "OpportunityDetail",
        "Relations": "RelationDetail",
    },
)

CREDIT_RULES = Shape(
    "CreditVerificationRules",
    fields_of(
        s="CreditVerification",
        i="CreditDaysPastDue",
        t="FirstDueDate",
        d="CreditLimit OpenOrdersBalance RemainingCreditLimit UnreleasedBalance",
    ),
)

CUSTOMER = Entity(
    name="Customer",
    key="CustomerID",
    form="Customers (AR303000)",
    files="PX.Objects.AR.CustomerMaint/BAccount",
    shape=Shape(
        "Customer",
        fields_of(
            s="AccountRef CurrencyID CurrencyRateType CustomerClass CustomerID CustomerCategory CustomerName Email FOBPoint LocationName "
            "ParentRecord PriceClassID ShippingBranch ShippingRule ShippingTerms ShippingZoneID ShipVia StatementCycleID StatementType "
            "Status TaxRegistrationID TaxZone Terms WarehouseID RestrictVisibilityTo EntityUsageType TaxExemptionNumber",
            i="BAccountID LeadTimedays OrderPriority PrimaryContactID",
            d="WriteOffLimit CreditLimit",
            t="CreatedDateTime LastModifiedDateTime",
            b="ApplyOverdueCharges AutoApplyPayments BillingAddressOverride BillingContactOverride EnableCurrencyOverride "
            "EnableRateOverride EnableWriteOffs MultiCurrencyStatements PrintDunningLetters PrintInvoices PrintStatements "
            "ResidentialDelivery SaturdayDelivery SendDunningLettersbyEmail SendInvoicesbyEmail SendStatementsbyEmail "
            "ShippingAddressOverride ShippingContactOverride IsGuestCustomer",
            g="NoteID",
        ),
        {
            "MainContact": PERSON,
            "BillingContact": PERSON,
            "ShippingContact": PERSON,
            "PrimaryContact": PERSON,
            "CreditVerificationRules": CREDIT_RULES,
        },
        {
            "Attributes": "AttributeValue",
            "Contacts": Shape("CustomerContact", fields_of(i="ContactID", t="LastModifiedDateTime")),
            "Salespersons": "CustomerSalesPerson",
            "PaymentInstructions": "BusinessAccountPaymentInstructionDetail",
        },
    ),
    main_view="CurrentCustomer",
    views={
        **dict.fromkeys(("CustomerID", "CustomerName", "CustomerClass", "CustomerCategory", "Status", "BAccountID", "NoteID"), "BAccount"),
        **dict.fromkeys(("Email", "MainContact"), "DefContact"),
        "BillingContact": "BillContact",
        "CreditVerificationRules": "CustomerBalance",
        **dict.fromkeys(("ShippingContact", "LocationName", "TaxZone", "ShipVia"), "DefLocation"),
    },
    delegates=frozenset(("CreditVerificationRules",)),
)

CONTACT = Entity(
    name="Contact",
    key="ContactID",
    form="Contacts (CR302000)",
    files="PX.Objects.CR.ContactMaint/Contact",
    shape=PERSON,
    main_view="Contact",
    views={
        **dict.fromkeys(_names("Email Fax FaxType WebSite CompanyName ExtRefNbr ContactMethod"), "ContactCurrent"),
        **dict.fromkeys((f"Phone{n}{kind}" for n in (1, 2, 3) for kind in ("", "Type")), "ContactCurrent"),
        "Address": "AddressCurrent",
    },
)

BUSINESS_ACCOUNT = Entity(
    name="BusinessAccount",
    key="BusinessAccountID",
    form="Business Accounts (CR303000)",
    files="PX.Objects.CR.BusinessAccountMaint/BAccount",
    shape=Shape(
        "BusinessAccount",
        fields_of(
            s="AccountRef BusinessAccountID ClassID Duplicate Name Owner OwnerEmployeeName ParentAccount SourceCampaign Status Type "
            "Workgroup WorkgroupDescription CurrencyID",
            t="LastIncomingActivity LastModifiedDateTime LastOutgoingActivity",
            b="EnableCurrencyOverride MainAddressValidated ShippingAddressOverride ShippingAddressValidated",
            g="NoteID",
        ),
    ),
    main_view="BAccount",
    views={},
)

ENTITIES = {entity.name: entity for entity in (CUSTOMER, CONTACT, BUSINESS_ACCOUNT)}
