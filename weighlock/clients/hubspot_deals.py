"""What a source of deals asks of HubSpot beside the common calls: the pipelines, and what changed (facts/hubspot.md §3, §7, §14.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from weighlock import settings as config
from weighlock.clients.hubspot import BATCH, SEARCH_BODY, HubSpot
from weighlock.clients.hubspot_answers import Item, Json
from weighlock.errors import TransientError

MODIFIED = "hs_lastmodifieddate"
#: What is around the stages in a search's body.
FRAME = 600


@dataclass(frozen=True)
class Stage:
    """`won`: closed, with a probability of 1."""

    id: str
    label: str
    pipeline: str
    won: bool


class HubSpotDeals(HubSpot):
    @classmethod
    def of(cls, settings: config.Settings) -> HubSpotDeals:
        """With the share of calls that the section `deals` names; a search a second."""
        share = {"burst_per_10_seconds": settings.need_deals().burst_per_10_seconds, "search_per_second": 1}
        return cls(settings.need_hubspot().model_copy(update=share), again=lambda: settings.reread().hubspot)

    def stages(self) -> dict[str, Stage]:
        """Of all pipelines of deals, by id."""
        version = self._settings.version
        path = "/crm/v3/pipelines/deals" if version == "v3" else f"/crm/pipelines/{version}/deals"
        found: dict[str, Stage] = {}
        for pipeline in self._call("GET", path).get("results") or []:
            for stage in pipeline.get("stages") or []:
                id, label = str(stage["id"]), str(stage.get("label") or stage["id"])
                found[id] = Stage(id, label, str(pipeline.get("label") or pipeline.get("id")), _is_won(stage.get("metadata") or {}))
        return found

    def changed(self, stages: Sequence[str], since: datetime, after: str) -> tuple[list[Item], bool]:
        """Deals in these stages that were changed since, as the index has them (seconds behind), in the order of their ids from behind
        `after` on; and whether there are more. By id and not by page: a query shows 10,000 at the most."""
        filters: list[Json] = [{"propertyName": MODIFIED, "operator": "GTE", "value": str(int(since.timestamp() * 1000))}]
        if len(json.dumps(list(stages))) <= SEARCH_BODY - FRAME:
            filters.append({"propertyName": "dealstage", "operator": "IN", "values": list(stages)})
        if after:
            filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": after})
        body: Json = {
            "filterGroups": [{"filters": filters}],
            "properties": [MODIFIED, "dealstage"],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "limit": BATCH,  # as many as one call reads again
        }
        answer = self._call("POST", self._objects.format("deals", "/search"), body, search=True)
        found = [Item.of(row) for row in answer.get("results") or []]
        if not found and answer.get("total"):
            raise TransientError("HubSpot's search counts deals and shows none")
        return found, len(found) == BATCH


def _is_won(metadata: Mapping[str, object]) -> bool:
    """Texts, both of them."""
    try:
        return str(metadata.get("isClosed")).lower() == "true" and float(str(metadata.get("probability"))) == 1.0
    except ValueError:
        return False
