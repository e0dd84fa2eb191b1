"""The deal pipelines of the portal (§7, §14.5): HubSpot's own, and one that people made, whose stages have a number and a GUID as ids."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from sandbox.hubspot.errors import Json

_MADE = "2019-10-30T03:30:17.883Z"
_OWN = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
_CUSTOM = (
    ("167482214", "Quote sent", "0.5"),
    ("3f0c9a1e-6d3b-4f7a-9f55-0b7c1f2d8e41", "Order signed", "1.0"),
    ("167482216", "Project cancelled", "0.0"),
)


def pipelines() -> list[Json]:
    """As the API answers them; new dictionaries each time."""
    return [
        _pipeline("default", "Sales Pipeline", 0, _OWN),
        _pipeline("75421903", "Projects", 1, _CUSTOM),
    ]


def _pipeline(id: str, label: str, place: int, stages: Iterable[tuple[str, str, str]]) -> Json:
    head = {"id": id, "label": label, "displayOrder": place}
    return {**head, "stages": [_stage(*row, number) for number, row in enumerate(stages)], **_times()}


def _stage(id: str, label: str, probability: str, place: int) -> Json:
    """`isClosed` is derived: true exactly where the probability is 0 or 1 (§14.5). Both are texts."""
    closed = "true" if Decimal(probability) in (0, 1) else "false"
    metadata = {"isClosed": closed, "probability": probability}
    return {
        "id": id,
        "label": label,
        "displayOrder": place,
        "metadata": metadata,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        **_times(),
    }


def _times() -> Json:
    return {"createdAt": _MADE, "updatedAt": _MADE, "archived": False}


def stage_of(known: Iterable[Json], pipeline: str, stage: str) -> Json | None:
    """A stage of that pipeline, None where there is no such one."""
    found = (row for each in known if each["id"] == pipeline for row in each["stages"])
    return next((row for row in found if row["id"] == stage), None)
