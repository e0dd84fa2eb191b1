"""The entities of AR documents in the contract-based API (facts/acumatica.md §5.1, §5.4-5.6)."""

from sandbox.acumatica.schema import ADDRESS, Entity, Shape, fields_of

CONTACT_FIELDS = "Attention BusinessName Email Phone1"
DOC_CONTACT = Shape("DocContact", fields_of(s=CONTACT_FIELDS))
SALES_CONTACT = Shape("SalesInvoiceDocContact", fields_of(s=CONTACT_FIELDS))
SALES_ADDRESS = Shape("SalesInvoiceAddress", fields_of(s="AddressLine1 AddressLine2 City Country PostalCode State"))
BILLING = Shape(
    "BillToSettings",
    fields_of(s="CustomerLocation", b="BillToAddressOverride BillToContactOverride"),
    {"BillToAddress": ADDRESS, "BillToContact": DOC_CONTACT},
)
FINANCIAL = Shape("SalesInvoiceFinancialDetails", fields_of(s="BatchNbr Branch CustomerTaxZone"))
_MEMO_ROW = "Customer CustomerOrder Description DocType PostPeriod ReferenceNbr Status"

SALES_LINE = Shape(
    "SalesInvoiceDetail",
    fields_of(
        s="Account BranchID CostCode Description ExternalRef InventoryDocType InventoryID InventoryRefNbr Location LotSerialNbr OrderNbr "
        "OrderType OrigInvNbr OrigInvType ProjectTask ShipmentNbr SubAccount Subitem TaxCategory TransactionDescr UOM WarehouseID",
        i="LineNbr OrderLineNbr OrigInvLineNbr",
        d="Amount DiscountAmount DiscountPercent Qty UnitPrice",
        t="ExpirationDate",
        b="CalculateDiscountsOnImport ManualDiscount ManualPrice",
        g="NoteID",
    ),
)
SALES_INVOICE = Entity(
    name="SalesInvoice",
    key="ReferenceNbr",
    form="Invoices (SO303000)",
    files="PX.Objects.SO.SOInvoiceEntry/Document",
    shape=Shape(
        "SalesInvoice",
        fields_of(
            s="Currency CustomerID CustomerOrder Description Project ReferenceNbr Status Type ExternalRef TaxCalcMode",
            d="Amount Balance CashDiscount DetailTotal DiscountTotal FreightPrice PaymentTotal TaxTotal VATExemptTotal VATTaxableTotal",
            t="Date DueDate LastModifiedDateTime CreatedDate LastModifiedDate",
            b="CreditHold Hold IsTaxValid BillToAddressOverride BillToContactOverride ShipToAddressOverride ShipToContactOverride",
        ),
        {
            "BillingSettings": BILLING,
            "FinancialDetails": FINANCIAL,
            "BillToAddress": SALES_ADDRESS,
            "BillToContact": SALES_CONTACT,
            "ShipToAddress": SALES_ADDRESS,
            "ShipToContact": SALES_CONTACT,
        },
        {
            "Details": SALES_LINE,
            "TaxDetails": Shape("SalesInvoiceTaxDetail", fields_of(s="TaxID", d="TaxableAmount TaxAmount")),
            "ApplicationsInvoice": Shape(
                "SalesInvoiceApplicationInvoice",
                fields_of(
                    s="AdjustedDocReferenceNbr AdjustingDocReferenceNbr Currency Customer Description DocType DocumentType PaymentPeriod "
                    "PaymentRef Status",
                    i="AdjustmentNbr",
                    d="AmountPaid Balance CashDiscountTaken",
                    t="PaymentDate",
                ),
            ),
            "ApplicationsCreditMemo": Shape(
                "SalesInvoiceApplicationCreditMemo", fields_of(s=f"Currency {_MEMO_ROW}", d="AmountPaid Balance", t="Date")
            ),
        },
    ),
    main_view="Document",
    views={},
    delegates=frozenset(("ApplicationsInvoice", "ApplicationsCreditMemo")),
)

INVOICE = Entity(
    name="Invoice",
    key="ReferenceNbr",
    form="Invoices and Memos (AR301000)",
    files="PX.Objects.AR.ARInvoiceEntry/Document",
    shape=Shape(
        "Invoice",
        fields_of(
            s="Customer CustomerOrder Description LinkARAccount LinkBranch LocationID PostPeriod Project ReferenceNbr Status Terms Type",
            d="Amount Balance TaxTotal",
            t="CreatedDateTime Date DueDate LastModifiedDateTime",
            b="BillingPrinted BillToContactOverride Hold ShipToContactOverride IsTaxValid",
        ),
        {"BillToContact": DOC_CONTACT, "ShipToContact": DOC_CONTACT},
        {
            "Details": Shape(
                "InvoiceDetail",
                fields_of(
                    s="Account Branch CostCode InventoryID ProjectTask Subaccount Subitem TransactionDescription UOM TaxCategory",
                    i="LineNbr",
                    d="Amount DiscountAmount ExtendedPrice Qty UnitPrice",
                    t="LastModifiedDateTime",
                    b="CalculateDiscountsOnImport",
                ),
            ),
            "TaxDetails": Shape("InvoiceTaxDetail", fields_of(s="TaxID", d="TaxableAmount TaxAmount TaxRate")),
            "ApplicationsDefault": Shape(
                "InvoiceApplicationsDefault",
                fields_of(s="DocType ReferenceNbr Status", d="AmountPaid Balance CashDiscountTaken", t="PaymentDate"),
            ),
            "ApplicationsCreditMemo": Shape("InvoiceApplicationsCreditMemo", fields_of(s=_MEMO_ROW, d="AmountPaid Balance")),
        },
    ),
    main_view="Document",
    views={},
    delegates=frozenset(("ApplicationsDefault", "ApplicationsCreditMemo")),
    customs={"Document.CuryID": "CuryID"},  # the entity has no currency of its own (§5.1)
)

PAYMENT = Entity(
    name="Payment",
    key="ReferenceNbr",
    form="Payments and Applications (AR302000)",
    files="PX.Objects.AR.ARPaymentEntry/Document",
    shape=Shape(
        "Payment",
        fields_of(
            s="Branch CashAccount CurrencyID CustomerID Description PaymentMethod PaymentRef ReferenceNbr Status Type ProcessingCenterID "
            "ExternalRef OrigTransaction BranchID CustomerLocationID",
            i="CardAccountNbr",
            d="AppliedToDocuments PaymentAmount AvailableBalance AppliedToOrders",
            t="ApplicationDate LastModifiedDateTime",
            b="Hold IsCCPayment SaveCard IsNewCard",
            g="NoteID",
        ),
        {},
        {
            "DocumentsToApply": Shape(
                "PaymentDetail",
                fields_of(
                    s="CustomerOrder Description DocType ReferenceNbr WriteOffReasonCode",
                    i="DocLineNbr",
                    d="AmountPaid BalanceWriteOff CashDiscountTaken",
                ),
            ),
            "OrdersToApply": "PaymentOrderDetail",
            "ApplicationHistory": Shape(
                "PaymentApplicationHistoryDetail",
                fields_of(
                    s="AdjustedDocType AdjustedRefNbr AdjustingDocType AdjustingRefNbr ApplicationPeriod BatchNbr CurrencyID Customer "
                    "CustomerOrder Description DisplayDocType DisplayRefNbr PostPeriod VATCreditMemo",
                    i="AdjustmentNbr",
                    d="AmountPaid Balance BalanceWriteOff CashDiscountBalance CashDiscountTaken",
                    t="CashDiscountDate Date DueDate",
                    b="AdjustsVAT",
                ),
            ),
        },
    ),
    main_view="Document",
    views={"ApplicationHistory": "ARPost", "DocumentsToApply": "Adjustments", "OrdersToApply": "SOAdjustments"},
    delegates=frozenset(("ApplicationHistory", "DocumentsToApply", "OrdersToApply")),
)

DOCUMENTS = {entity.name: entity for entity in (SALES_INVOICE, INVOICE, PAYMENT)}
