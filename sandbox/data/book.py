"""The form every data set has, whatever it was made from."""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


class BadData(ValueError):
    """A data set that cannot be used; the message names the file, the row and what to do."""


@dataclass(frozen=True)
class Book:
    """What is in the two systems when a sandbox starts.

    Acumatica's rows are plain dicts with the vendor's field names: `id` is the NoteID (lower case), money is Decimal, times are
    aware UTC datetimes, `MainContact` (customers) and `Address` are nested dicts, an empty value is None.

    HubSpot's are `{"properties": {name: text}, "company": index into hubspot_companies or None}`.
    """

    customers: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    business_accounts: list[Row] = field(default_factory=list)  # prospects and vendors; customers are not repeated here
    hubspot_companies: list[Row] = field(default_factory=list)
    hubspot_contacts: list[Row] = field(default_factory=list)
    hubspot_deals: list[Row] = field(default_factory=list)  # with "contact", an index into hubspot_contacts or None, too
    # How many invoices Acumatica's books begin with. They are made (sandbox/acumatica/ar/history.py) when somebody first looks at them.
    invoices: int = 0
    seed: int = 1
