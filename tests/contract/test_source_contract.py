"""What every source keeps, whatever its vendor. A source's tests inherit `SourceContract` and say how it is made and changed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

import producers
from producers.base import Page, Position, Source
from sandbox.data import load
from schemas.refs import Ref
from tests.contract.source_kit import Bench, bench


class SourceContract:
    """`source` with data in each entity; `change` makes one more change of that entity in the vendor's system."""

    @pytest.fixture
    def source(self) -> Iterator[Source]:
        raise NotImplementedError

    def change(self, source: Source, entity: str) -> None:
        raise NotImplementedError

    def entities(self, source: Source) -> list[str]:
        """Those that have records of their own."""
        return list(source.entities)

    def walk(self, source: Source, entity: str, position: Position | None = None) -> tuple[list[Page], Position]:
        pages: list[Page] = []
        while not pages or pages[-1].more:
            pages.append(source.poll(entity, pages[-1].position if pages else position))
            pages[-1].committed()
        return pages, pages[-1].position

    def test_names(self, source: Source) -> None:
        """It has a name and entities, each with a schedule."""
        assert source.name
        assert source.entities
        assert all(schedule.every or schedule.cron for schedule in source.entities.values())

    def test_records_are_addressed(self, source: Source) -> None:
        """Each change carries the record of its topic, its own ref as key, and where and when it comes from, in UTC."""
        for entity in self.entities(source):
            pages, _ = self.walk(source, entity)
            for change in (change for page in pages for change in page.changes):
                assert change.record.schema_name == change.topic.record
                assert Ref.parse(change.key)[:2] == (source.name, entity)
                assert change.passage.system == source.name
                assert change.passage.source_at.tzinfo is UTC
                assert change.passage.version is None

    def test_the_first_walk_reads_everything_once(self, source: Source) -> None:
        """From no position everything comes, as a snapshot, no record twice, in more than one page."""
        for entity in self.entities(source):
            pages, _ = self.walk(source, entity)
            keys = [change.key for page in pages for change in page.changes]
            assert len(pages) > 1
            assert len(keys) == len(set(keys)) > 0
            assert {change.record.model_dump()["change"] for page in pages for change in page.changes} == {"snapshot"}

    def test_positions_are_plain(self, source: Source) -> None:
        """A position is texts only and survives a checkpoint; a copy of it does as well."""
        for entity in self.entities(source):
            page = source.poll(entity, None)
            assert all(isinstance(word, str) for pair in page.position.items() for word in pair)
            source.poll(entity, json.loads(json.dumps(page.position)))

    def test_what_was_not_committed_comes_again(self, source: Source) -> None:
        """The same position gives the same page as long as it was not said to be committed: nothing is skipped."""
        for entity in self.entities(source):
            _, position = self.walk(source, entity)
            self.walk(source, entity, position)  # whatever is still in the overlap
            self.change(source, entity)
            first, second = source.poll(entity, position), source.poll(entity, position)
            assert first.changes
            assert [change.key for change in first.changes] == [change.key for change in second.changes]

    def test_what_was_committed_does_not(self, source: Source) -> None:
        """A change is published once, though the overlap shows it again."""
        for entity in self.entities(source):
            _, position = self.walk(source, entity)
            self.change(source, entity)
            pages, position = self.walk(source, entity, position)
            assert sum(len(page.changes) for page in pages) >= 1
            pages, position = self.walk(source, entity, position)
            assert [page.changes for page in pages if page.changes] == []

    def test_it_can_be_closed_and_used_again(self, source: Source) -> None:
        """After `close` a poll signs in anew; closing twice does no harm."""
        entity = self.entities(source)[0]
        before = source.poll(entity, None)
        source.close()
        source.close()
        assert [change.key for change in source.poll(entity, None).changes] == [change.key for change in before.changes]


class TestAcumatica(SourceContract):
    """Acumatica, against its sandbox."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        with bench(tmp_path, given={"page_size": 7}) as made:
            yield made

    @pytest.fixture
    def source(self, bench: Bench) -> Source:
        self.made = bench
        return bench.source

    def change(self, source: Source, entity: str) -> None:
        rows: list[dict[str, Any]] = self.made.site.client.get("/__sandbox__/dump").json()[f"{entity}s"]
        fields = {"CustomerName": "Changed"} if entity == "customer" else {"JobTitle": "Changed"}
        self.made.edit(entity=entity, key=rows[0]["id"], fields=fields)


class TestAcumaticaDocuments(TestAcumatica):
    """Its invoices and payments. Applications tell which of them to read again, days are nobody's record: tests/unit."""

    @pytest.fixture(params=["odata", "contract"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        with bench(tmp_path, load("demo", customers=10, contacts=20, invoices=40), {"page_size": 7, "feed": request.param}) as made:
            yield made

    def entities(self, source: Source) -> list[str]:
        return [entity for entity in source.entities if entity in ("invoice", "payment")]

    def change(self, source: Source, entity: str) -> None:
        customer = next(row for row in self.made.vendor.store.customers if row["Status"] == "Active")
        kind = "INV" if entity == "invoice" else "PMT"
        self.made.edit(ar="enter", type=kind, customer=customer["id"], amount="10.00", release=True)


LOOPS = {"base.py", "leader.py", "publish.py"}


@pytest.mark.parametrize("path", sorted(Path(producers.__path__[0]).glob("*.py")), ids=lambda path: path.name)
def test_only_the_loop_loops(path: Path) -> None:
    """Connectors hold no `while`, no `sleep`, no `commit` and no Kafka: all of that is in the one loop."""
    tree = ast.walk(ast.parse(path.read_text()))
    names = [node for node in tree if isinstance(node, ast.While | ast.Attribute | ast.Name | ast.ImportFrom | ast.Import)]
    found = {
        "while" if isinstance(node, ast.While) else "sleep"
        for node in names
        if isinstance(node, ast.While) or (isinstance(node, ast.Attribute) and node.attr in ("sleep", "commit", "commit_transaction"))
    } | {"kafka" for node in names if isinstance(node, ast.ImportFrom) and "kafka" in (node.module or "")}
    assert (not found) or path.name in LOOPS
