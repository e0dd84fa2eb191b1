"""The licence's limits in the Acumatica sandbox (facts/acumatica.md §6.3)."""

import asyncio

import httpx
import pytest
from acumatica_site import BASE, CLIENT, USER, sandbox, site

from sandbox.acumatica.licence import Declined, Licence
from sandbox.data import load


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_the_official_example_of_the_delay() -> None:
    """S14, §6.3: limit 50, 25 processed, 20 s left of the minute that the first of them began: 20 / 25 = 0.8 s."""
    clock = Clock()
    licence = Licence(50, None, clock, clock.sleep)

    async def enter(count: int) -> None:
        for _ in range(count):
            await licence.enter()

    asyncio.run(enter(1))
    clock.now += 40
    asyncio.run(enter(24))
    assert clock.slept == []
    asyncio.run(enter(1))
    assert clock.slept == [pytest.approx(0.8)]


def test_the_minute_rolls() -> None:
    """S14, §6.3: requests older than a minute count no more; at the limit a request waits until the first one is a minute old."""
    clock = Clock()
    licence = Licence(4, None, clock, clock.sleep)
    for _ in range(4):
        licence.count()
    assert licence.delay() == 60
    clock.now += 59
    assert licence.delay() == 1
    clock.now += 1
    assert licence.delay() == 0


def test_below_half_of_the_limit_nothing_waits() -> None:
    """S14, §6.3: delays begin at 50 per cent of the limit; without a limit there are none."""
    clock = Clock()
    licence = Licence(10, None, clock, clock.sleep)
    for _ in range(4):
        licence.count()
    assert licence.delay() == 0
    licence.count()
    assert licence.delay() == pytest.approx(60 / 5)
    assert Licence(None, None).delay() == 0


def test_the_official_example_of_declining() -> None:
    """S14, §6.3: 50 requests at once on 16 cores: 16 run, 20 queue, 14 are declined; declined ones are not counted."""

    async def storm() -> tuple[int, int]:
        licence = Licence(None, 16)
        gate = asyncio.Event()

        async def request() -> bool:
            try:
                await licence.enter()
            except Declined:
                return False
            await gate.wait()
            licence.leave()
            return True

        tasks = [asyncio.create_task(request()) for _ in range(50)]
        await asyncio.sleep(0)
        queued = licence.queued
        gate.set()
        return queued, sum(await asyncio.gather(*tasks))

    assert asyncio.run(storm()) == (20, 36)


@pytest.mark.parametrize(("shape", "content_type"), [("json", "application/json; charset=utf-8"), ("iis", "text/plain; charset=utf-8")])
def test_a_full_queue_is_a_429(shape: str, content_type: str) -> None:
    """S14, §6.3: the 22nd call at once on one core is declined with a 429, as JSON or as the text of IIS; the others are served."""

    async def storm() -> list[httpx.Response]:
        app, _ = sandbox(load("empty"), licence_cores=1, latency_seconds=0.002, declined_shape=shape)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
            form = {"grant_type": "password", "scope": "api offline_access", **CLIENT, **USER}
            token = (await client.post("/identity/connect/token", data=form)).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            return list(await asyncio.gather(*(client.get(f"{BASE}/Customer", headers=headers) for _ in range(25))))

    answers = asyncio.run(storm())
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 4
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.headers["Content-Type"] for answer in refused} == {content_type}


def test_sign_in_and_sign_out_count_and_do_not_wait() -> None:
    """S14, §6.3: they count as requests of the minute; logging out bypasses the queue."""
    with site(licence_per_minute=6) as one:
        one.get("Customer", top=1)
        assert one.client.post("/entity/auth/logout").status_code == 204
        assert one.vendor.licence.delay() > 10
        assert one.client.post("/entity/auth/logout").status_code == 204
