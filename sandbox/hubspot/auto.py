"""What a portal does by itself: it makes a company for a new contact, from the domain of its e-mail (§2.7, §14.2)."""

from __future__ import annotations

from sandbox.hubspot.draft import Draft
from sandbox.hubspot.kinds import COMPANIES, CONTACTS
from sandbox.hubspot.portal import Portal, Record

FREE_MAIL = frozenset(
    (
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "ymail.com"),
        *("icloud.com", "me.com", "mac.com", "aol.com", "gmx.com", "gmx.de", "gmx.net", "web.de", "mail.com", "proton.me"),
        *("protonmail.com", "yandex.com", "yandex.ru", "zoho.com", "t-online.de", "orange.fr", "free.fr", "libero.it"),
        *("qq.com", "163.com"),
    )
)


def associate_by_domain(portal: Portal, contact: Record) -> None:
    """Associates the contact with the oldest company of its domain, or with a new, nameless one. Nothing for a free-mail domain."""
    domain = contact.properties.get("email", "").partition("@")[2]
    if portal.find(CONTACTS, contact.id) is not contact or not domain or domain in FREE_MAIL:
        return
    company = next((record for record in portal.live(COMPANIES) if domain in _domains(record)), None)
    if company is None:
        draft = Draft(portal, actor="portal")
        company = draft.create(COMPANIES, {"domain": domain}).record
        draft.commit()
        portal.automatic[0].add(company.id)
    portal.automatic[1].add((contact.id, company.id))
    portal.relinked(portal.links.associate(contact.end, company.end), "portal")


def _domains(company: Record) -> list[str]:
    more = company.properties.get("hs_additional_domains", "").split(";")
    return [domain.lower().removeprefix("www.") for domain in (company.properties.get("domain", ""), *more) if domain]
