"""Accounts receivable: documents, payments and their applications (facts/acumatica.md §5.4-5.9, §13.3, S16)."""
