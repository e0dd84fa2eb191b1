"""HubSpot's CRM API as far as companies and contacts need it. § in this package are sections of our facts about HubSpot."""
