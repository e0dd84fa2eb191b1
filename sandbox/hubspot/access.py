"""What the portal lets the token do with each object type: changed while it runs (`POST /__sandbox__/portal`), for §6.6 and §14.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sandbox.hubspot.errors import Json
from sandbox.hubspot.kinds import KIND, Kind, kind_of, not_a_kind

Mode = Literal["ok", "no-scope", "no-write", "absent", "read-only"]


@dataclass(frozen=True)
class _Held:
    mode: str = "ok"
    names: frozenset[str] | None = None  # read-only: these properties; None: all of HubSpot's own


class Access:
    """`modes` are those of the start, by object type."""

    def __init__(self, modes: dict[str, Mode]) -> None:
        self._held = {name: _Held(modes.get(name, "ok")) for name in KIND}

    def change(self, name: str, wanted: Any) -> None:
        """A mode, or `{"read-only": [property names]}`. ValueError says what there is."""
        if isinstance(wanted, dict) and set(wanted) == {"read-only"} and isinstance(wanted["read-only"], list):
            self._held[name] = _Held("read-only", frozenset(map(str, wanted["read-only"])))
        elif wanted in get_args(Mode):
            self._held[name] = _Held(wanted)
        else:
            raise ValueError(f'{name} is {", ".join(get_args(Mode))}, or {{"read-only": [names]}}; not {wanted!r}')

    def as_json(self) -> Json:
        return {name: held.mode if held.names is None else {held.mode: sorted(held.names)} for name, held in self._held.items()}

    def kind(self, text: str) -> Kind:
        """As `kind_of`; an absent object type is as unknown as any word."""
        kind = kind_of(text)
        if self._held[kind.name].mode == "absent":
            raise not_a_kind(text)
        return kind

    def granted(self, scopes: tuple[str, ...]) -> list[str]:
        """Of the token's scopes those that count now."""
        return [scope for scope in scopes if not any(self._withholds(name, held.mode, scope) for name, held in self._held.items())]

    def read_only(self, kind: Kind, name: str, own: bool) -> bool:
        """`own`: whether the property is HubSpot's own."""
        held = self._held[kind.name]
        return held.mode == "read-only" and (own if held.names is None else name in held.names)

    @staticmethod
    def _withholds(name: str, mode: str, scope: str) -> bool:
        if mode not in ("no-scope", "no-write"):
            return False
        if scope == "e-commerce":
            return name == "line_items"
        return f".{name}." in scope and (mode == "no-scope" or scope.endswith(".write"))
