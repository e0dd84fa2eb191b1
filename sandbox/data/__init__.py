"""Data sets for both sandboxes: the same arguments give the same Book in either process."""

from pathlib import Path

from sandbox.data.book import BadData, Book, Row
from sandbox.data.demo import demo
from sandbox.data.folder import folder

__all__ = ["BadData", "Book", "Row", "load"]


def load(data: str, customers: int = 250, contacts: int | None = None, seed: int = 1, invoices: int | None = None) -> Book:
    """The Book named `data`: `demo` (made from the seed), `empty`, or else a folder of CSV or JSON files.

    `customers`, `contacts` (default 2.4 x customers), `invoices` (default 12 x customers) and `seed` count for `demo` only.
    Raises BadData for a folder that cannot be read.
    """
    if data == "empty":
        return Book()
    if data == "demo":
        people = round(2.4 * customers) if contacts is None else contacts
        return demo(customers, people, seed, 12 * customers if invoices is None else invoices)
    if Path(data).is_dir():
        return folder(Path(data))
    raise BadData(f"there is no data set {data!r}: use demo, empty, or the path of a folder")
