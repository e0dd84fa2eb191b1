"""The DAC feeds: OData v4, read only (facts/acumatica.md §5.9, §13.4, S17)."""
