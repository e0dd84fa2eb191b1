"""`$metadata` of the feeds, made from the tables of `sets.py` (facts/acumatica.md §13.4)."""

from collections.abc import Iterable

from sandbox.acumatica.filter import EDM
from sandbox.acumatica.odata.sets import SETS, EntitySet

EDM_NS, EDMX_NS = "http://docs.oasis-open.org/odata/ns/edm", "http://docs.oasis-open.org/odata/ns/edmx"


def edmx(space: str, described: Iterable[EntitySet] = ()) -> str:
    """The XML document. `space` is the namespace of the container, which has another name for generic inquiries."""
    found = list(described)
    types = "".join(map(_described, found))
    schema = f'<Schema Namespace="PX.Objects.AR" xmlns="{EDM_NS}">{types}</Schema>' if types else ""
    sets = "".join(f'<EntitySet Name="{one.full}" EntityType="{one.type_name}"/>' for one in found)
    container = "Default" if space == "GenericInquiry" else "Container"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="{EDMX_NS}"><edmx:DataServices>{schema}'
        f'<Schema Namespace="{space}" xmlns="{EDM_NS}"><EntityContainer Name="{container}">{sets}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>"
    )


def _described(one: EntitySet) -> str:
    """One type: its key, its properties and ways (without those of its base type), and what cannot be filtered."""
    base = SETS[one.base] if one.base else None
    parent = f' BaseType="{base.type_name}"' if base else ""
    own = {name: kind for name, kind in one.fields.items() if base is None or name not in base.fields}
    refused = [name for name in one.refused if base is None or name not in base.refused]
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in one.keys)
    text = "" if base else f"<Key>{keys}</Key>"
    text += "".join(f'<Property Name="{name}" Type="{EDM[kind]}"/>' for name, kind in own.items())
    text += "".join(f'<Property Name="{name}" Type="Edm.String"/>' for name in refused)
    for name, nav in one.navs.items():
        if base is None or name not in base.navs:
            target = SETS[nav.target].type_name
            kind = f"Collection({target})" if nav.many else target
            text += f'<NavigationProperty Name="{name}" Type="{kind}"/>'
    if refused:
        paths = "".join(f"<PropertyPath>{name}</PropertyPath>" for name in refused)
        text += (
            '<Annotation Term="Org.OData.Capabilities.V1.FilterRestrictions"><Record><PropertyValue Property="NonFilterableProperties">'
            f"<Collection>{paths}</Collection></PropertyValue></Record></Annotation>"
        )
    return f'<EntityType Name="{one.name}"{parent}>{text}</EntityType>'
