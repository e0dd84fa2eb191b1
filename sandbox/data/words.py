"""The words that the demo data is made of."""
# ruff: noqa: SIM905  (split strings are shorter to read than lists of quoted words)

# family of the firm, then its trade: "Keystone Roofing Supply"
FIRMS = (
    "Keystone Ironwood Bluestone Granite Harbor Cascade Prairie Redwood Summit Riverbend Northgate Eastfield Stonebridge "
    "Oakridge Copperfield Silverline Lakeshore Pinecrest Highland Fairview Westbrook Millstone Cedarwood Thornbury Ashford "
    "Brightwater Cornerstone Delmar Evergreen Foxhollow Glenwood Hawthorne Juniper Kingsley Larkspur Maplewood Norwood Orchard "
    "Pembroke Quarry Rosewood Sandstone Timberline Upland Valleyview Whitaker Yarrow Zenith Bergmann Castellano Dubois Eriksen Fontaine "
    "Gallagher Hoffmann Ibarra Jankowski Kowalski Lindqvist Moreau Nakamura Okafor Pereira Quintero Rasmussen Schneider Tanaka "
    "Underwood Vasquez Weber Xavier Yamamoto Zimmermann"
).split()
TRADES = (
    "Roofing Supply|Building Products|Lumber & Millwork|Drywall|Insulation|Masonry|Windows and Doors|Flooring|Plumbing Supply|"
    "Hardware|Contractors|Concrete|Siding|Builders|Construction|Tile and Stone|Fasteners|Paint & Coatings|Gypsum|Steel"
).split("|")
FORMS = ("Inc.", "LLC", "Co.", "Ltd", "Corp.", "& Sons", "Group", "", "", "")

# (name as a person typed it, the word its domain is made of)
ODD_FIRMS = (
    ('O\'Brien & Søn\'s "Roofing"', "obrien-roofing"),
    ("Bäckström Dachdeckerei GmbH & Co. KG", "backstrom-dach"),
    ("Éclat Bâtiment S.à r.l.", "eclat-batiment"),
    ("株式会社山田建材", "yamada-kenzai"),
    ("Sunny Days Decking ☀️🔨", "sunnydaysdecking"),
    ("84 Lumber Yard Road, LLC", "84-yard"),
    ("3-D Drywall   and  Paint ", "3d-drywall"),
    ("  Leading Blank Masonry", "leadingblank"),
    ("Trailing Blank Gypsum   ", "trailingblank"),
    ("Łódź Okna i Drzwi Sp. z o.o.", "lodz-okna"),
    ("Niño's Concreto, S.A. de C.V.", "ninos-concreto"),
    ("<b>Bold</b> Builders; DROP TABLE Customers--", "bold-builders"),
    ("Tile\\Stone/Marble, Inc.", "tile-stone"),
    ("İstanbul Yapı Malzemeleri", "istanbul-yapi"),
    ("Müller+Müller Straßenbau", "mueller-mueller"),
    ("null", "null-builders"),
    ("The Association of Independent Lumber, Millwork, Roofing, Siding, Drywall, Insulation, Masonry and Hardware Dealers of the "
     "Greater Lakes Region and of the Northern Plains, Purchasing Cooperative for the Members of the Eastern and Western "
     "Districts, Inc.", "lakes-coop"),
)  # fmt: skip
ODD_CODES = {0: "O'BRIEN", 1: "BAECK&CO", 3: "YAMADA", 5: "84 LUMBER", 12: "TILE/STONE", 15: "NULL"}

FIRST_NAMES = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas "
    "Karen Carlos Nancy Daniel Lisa Matthew Betty Anthony Sandra Mark Ashley Donald Emily Steven Kimberly Andrew Donna Paul "
    "Michelle Joshua Carol Kenneth Amanda José Zoë Søren Jürgen Chloé Anaïs Łukasz Ngozi Yuki Mei Siobhán Björn Renée Ángel"
).split()
LAST_NAMES = (
    "Smith|Johnson|Williams|Brown|Jones|Garcia|Miller|Davis|Rodriguez|Martinez|Hernandez|Lopez|Gonzalez|Wilson|Anderson|Taylor|"
    "Moore|Jackson|Martin|Lee|Thompson|White|Harris|Clark|Lewis|Robinson|Walker|Young|Allen|King|Wright|Scott|Torres|Nguyen|Hill|"
    "O'Neill|D'Angelo|van der Berg|Müller|Núñez|Ø|St. John|Smith-Jones|山田|García Márquez|Đorđević|de la Cruz|MacDonald"
).split("|")
JOBS = (
    "Purchasing Manager|Owner|Accounts Payable|Project Manager|Estimator|Site Supervisor|Buyer|CFO|Office Manager|"
    "VP, Operations & Logistics|Yard Foreman|Controller|Sales Representative"
).split("|")

# (city, state, postal code, country, currency, start of the phone number)
PLACES = (
    ("Columbus", "OH", "43004", "US", "USD", "+1 614-555-"),
    ("Cedar Rapids", "IA", "52401", "US", "USD", "(319) 555-"),
    ("Bellevue", "WA", "98004", "US", "USD", "425.555."),
    ("Coeur d'Alene", "ID", "83814", "US", "USD", "+1 (208) 555-"),
    ("St. Louis", "MO", "63101-1204", "US", "USD", "314-555-"),
    ("New York", "NY", "01001", "US", "USD", "+1 212-555-"),
    ("Winston-Salem", "NC", "27101", "US", "USD", "336 555 "),
    ("San José", "CA", "95110", "US", "USD", "+1 408 555 "),
    ("Montréal", "QC", "H2Y 1C6", "CA", "CAD", "+1 514-555-"),
    ("Leeds", None, "LS1 4AP", "GB", "GBP", "+44 113 496 "),
    ("Köln", None, "50667", "DE", "EUR", "+49 221 555 "),
    ("Århus", None, "8000", "DK", "EUR", "+45 86 55 "),
    ("大阪市", None, "530-0001", "JP", "USD", "+81 6-5555-"),
    ("México, D.F.", "CMX", "06000", "MX", "USD", "+52 55 5555 "),
)
STREETS = (
    "Main St", "Industrial Pkwy", "County Road 12", "Quarry Ln.", "Mill Street", "Commerce Blvd", "Harbour Rd", "Dock #7",
)  # fmt: skip
SUITES = ("Suite 200", "Unit B", "c/o Receiving", "Bldg. 4, Dock 2", "P.O. Box 118", "2. Stock")

CLASSES = ("DEFAULT", "CONTRACTOR", "RETAIL", "WHOLESALE", "INTL", "GOVT")
TERMS = ("30D", "15D", "NET60", "COD", "2/10N30", "7D")
FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "gmx.de", "icloud.com")
STATUSES = ("Active", "Active", "Active", "Active", "Active", "Active", "On Hold", "Credit Hold", "Inactive", "One-Time")
