"""All entities that the contract-based API serves here."""

from sandbox.acumatica.ar.entities import DOCUMENTS
from sandbox.acumatica.schema import ENTITIES, Entity

SERVED: dict[str, Entity] = {**ENTITIES, **DOCUMENTS}
