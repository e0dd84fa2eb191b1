"""What signs in to the sandboxes. No secrets: they open nothing but a process on this machine. A test may give others by environment."""

import os

ACUMATICA_TENANT = "Demo"
ACUMATICA_CLIENT_ID = "6E2B1B60-6F3C-4B43-9D4C-0B1F5B7F2A11@Demo"
ACUMATICA_CLIENT_SECRET = os.environ.get("SANDBOX_ACUMATICA_CLIENT_SECRET", "sandbox-client-secret")
ACUMATICA_USER = "weighlock"
ACUMATICA_PASSWORD = os.environ.get("SANDBOX_ACUMATICA_PASSWORD", "sandbox-password")
ACUMATICA_ENDPOINT = "Default"
ACUMATICA_VERSION = "24.200.001"

HUBSPOT_TOKEN = os.environ.get("SANDBOX_HUBSPOT_TOKEN", "pat-na1-00000000-sandbox-0000-0000-000000000000")
