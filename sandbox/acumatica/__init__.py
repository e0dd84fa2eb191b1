"""A simulated Acumatica site: the contract-based REST API as far as customers and contacts need it."""
