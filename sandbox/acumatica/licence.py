"""The licence's request limits (facts/acumatica.md §6.3): calls are delayed, and declined only when the queue is full."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from starlette.responses import PlainTextResponse, Response

from sandbox.acumatica.wire import answer

QUEUE = 20
LONGEST_WAIT = 600.0


class Declined(Exception):
    """The queue is full, or the request has waited too long: a 429 that counts as not processed."""


class Licence:
    """One queue for the whole instance. `per_minute` and `cores` None: no limit."""

    def __init__(
        self,
        per_minute: int | None,
        cores: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.per_minute, self._clock, self._sleep = per_minute, clock, sleep
        self._cores = asyncio.Semaphore(cores) if cores else None
        self._processed: deque[float] = deque()
        self.queued = self.delayed = self.declined = self.most = 0

    def delay(self) -> float:
        """Seconds that a request entering now has to wait: from half the limit on, the rest of the minute is shared out."""
        if self.per_minute is None:
            return 0.0
        now = self._clock()
        while self._processed and now - self._processed[0] >= 60:
            self._processed.popleft()
        done = len(self._processed)
        if not done or 2 * done < self.per_minute:
            return 0.0
        return (60 - (now - self._processed[0])) / max(1, self.per_minute - done)

    async def enter(self) -> None:
        """Waits for the request's turn. Pair with `leave`. Raises Declined."""
        wait = self.delay()
        must_wait = wait > 0 or (self._cores is not None and self._cores.locked())
        if must_wait and (self.queued >= QUEUE or wait > LONGEST_WAIT):
            self.declined += 1
            raise Declined
        if must_wait:
            self.delayed += 1
            self.queued += 1
        try:
            if wait > 0:
                await self._sleep(wait)
            if self._cores is not None:
                async with asyncio.timeout(LONGEST_WAIT - wait):
                    await self._cores.acquire()
        except TimeoutError:
            self.declined += 1
            raise Declined from None
        finally:
            if must_wait:
                self.queued -= 1
        self.count()

    def leave(self) -> None:
        if self._cores is not None:
            self._cores.release()

    def count(self) -> None:
        """One request is processed (sign-out counts, though it waits for nobody). `most` is how many were in one minute."""
        if self.per_minute is not None:
            self._processed.append(self._clock())
            self.delay()  # forgets what is older
            self.most = max(self.most, len(self._processed))


def declined(shape: str) -> Response:
    if shape == "iis":
        return PlainTextResponse("The custom error module does not recognize this error.", 429)
    return answer({"message": "The request has been declined because the limit of API requests is exceeded."}, 429)
