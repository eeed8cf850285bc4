"""The drivers that execute the steps of operations: one blocks, the other awaits."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path
from typing import Any, Self

import httpx

from modelwright.answers import check
from modelwright.errors import ModelwrightError, UnexpectedAnswer, Unreachable, UnusableKey
from modelwright.steps import By, Call, Item, Pause, Read, Steps, Stream, Tail

MOST_ANSWER_BYTES = 2**29  # the service answers with at most 128 MiB of JSON; files are read piece by piece
MOST_RETRIES = 5  # of one call that the service refuses for a moment: some 6 s, or 5 × Retry-After
_BLOCK = 1 << 18


class _File(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A file, or its end, as a request's body, never whole in memory."""

    def __init__(self, content: Path | Tail) -> None:
        self.content = content if isinstance(content, Tail) else Tail(content, 0, lambda _: None)
        self.length = max(0, self.content.path.stat().st_size - self.content.start)

    def __iter__(self) -> Iterator[bytes]:
        with self.content.path.open("rb") as file:
            file.seek(self.content.start)
            while block := file.read(_BLOCK):
                yield block
                self.content.sent(len(block))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Reading a block from a local file takes less time than handing it to a thread.
        for block in self:
            yield block


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer that is read whole, up to a limit."""

    def __init__(self, response: httpx.Response) -> None:
        self._body: Any = response.stream
        self._left = MOST_ANSWER_BYTES

    def _count(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise UnexpectedAnswer(f"The answer has more than {MOST_ANSWER_BYTES} bytes.")
        return piece

    def __iter__(self) -> Iterator[bytes]:
        yield from map(self._count, self._body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            yield self._count(piece)

    def close(self) -> None:
        self._body.close()

    async def aclose(self) -> None:
        await self._body.aclose()


def _settings(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    try:
        httpx.URL(base_url)
    except httpx.InvalidURL:
        raise Unreachable(
            "The address of the service is not valid: expected http://host:port or https://host"
        ) from None
    headers = {"User-Agent": "modelwright", "Accept": "application/json"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
            raise UnusableKey  # httpx would quote it in its message
        headers["Authorization"] = f"Bearer {api_key}"
    # A redirect could take the key to another host, so none is followed.
    return {"base_url": base_url, "headers": headers, "timeout": timeout, "follow_redirects": False}


def _request(http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
    headers = dict(call.headers)
    content = call.content if isinstance(call.content, bytes) else None
    file = _File(call.content) if isinstance(call.content, Path | Tail) else None
    if file is not None:
        headers["Content-Length"] = str(file.length)
    request = http.build_request(
        call.method,
        call.path,
        params=call.query or None,
        headers=headers,
        json=call.json,
        content=content,
        # The timeout is extended by the seconds for which the service may wait.
        timeout=httpx.USE_CLIENT_DEFAULT if call.timeout is None else call.timeout + (http.timeout.read or 0),
    )
    if file is not None:
        request.stream = file
    return request


def _unreachable(http: httpx.Client | httpx.AsyncClient, error: httpx.TransportError) -> Unreachable:
    address = http.base_url.copy_with(userinfo=b"")
    return Unreachable(f"The service at {address} could not be reached: {error or type(error).__name__}")


class Waiting:
    """Executes each step and blocks until it is done.

    Args:
        base_url: the address of the service.
        api_key: a key of the service, if it has any.
        timeout: seconds for a connection, and in which each piece of an answer must arrive.
        retries: how often a call is sent again that the service refuses for a moment (429, 503), if that is safe.
        transport: what sends the requests, if not httpx's own.

    Raises:
        Unreachable, UnusableKey: the address or the key cannot be valid.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = MOST_RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.retries = retries
        self._http = httpx.Client(**_settings(base_url, api_key, timeout), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def result_of(self, steps: Steps[Any]) -> Any:
        """Does all the steps of an operation."""
        result = None
        for result in self.items_of(steps):  # noqa: B007 - the last one is the result
            pass
        return result

    def items_of(self, steps: Steps[Any] | Stream[Any]) -> Iterator[Any]:
        """Does the steps as they come; gives the items among them and, at the end, the result if there is one."""
        answer: Any = None
        fault: Exception | None = None
        chunks: Iterator[bytes] | None = None
        with closing(steps), ExitStack() as answers:
            while True:
                try:
                    step = steps.throw(fault) if fault else steps.send(answer)
                except StopIteration as end:
                    if end.value is not None:
                        yield end.value
                    return
                answer, fault = None, None
                if isinstance(step, Item):
                    yield step.value
                    continue
                try:
                    match step:
                        case Pause(seconds):
                            time.sleep(seconds)
                        case Read() if chunks:
                            answer = next(chunks, b"")
                        case Call():
                            answer = self._send(step)
                            answers.callback(answer.close)
                            chunks = answer.iter_bytes()
                        case By(client, inner):
                            answer = client.result_of(inner)
                        case Read():
                            raise RuntimeError("a Read needs a live Call before it")
                except httpx.TransportError as error:
                    fault = _unreachable(self._http, error)
                except ModelwrightError as error:
                    fault = error

    def _send(self, call: Call) -> httpx.Response:
        response = self._http.send(_request(self._http, call), stream=True)
        if not (call.live and response.is_success):
            response.stream = _Bounded(response)
            response.read()
            check(response)
        return response


class Awaiting:
    """Executes each step and awaits it; the arguments are those of `Waiting`."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = MOST_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.retries = retries
        self._http = httpx.AsyncClient(**_settings(base_url, api_key, timeout), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def result_of(self, steps: Steps[Any]) -> Any:
        """Does all the steps of an operation."""
        result = None
        async for result in self.items_of(steps):  # noqa: B007 - the last one is the result
            pass
        return result

    async def items_of(self, steps: Steps[Any] | Stream[Any]) -> AsyncIterator[Any]:
        """Does the steps as they come; gives the items among them and, at the end, the result if there is one."""
        answer: Any = None
        fault: Exception | None = None
        chunks: AsyncIterator[bytes] | None = None
        with closing(steps):
            async with AsyncExitStack() as answers:
                while True:
                    try:
                        step = steps.throw(fault) if fault else steps.send(answer)
                    except StopIteration as end:
                        if end.value is not None:
                            yield end.value
                        return
                    answer, fault = None, None
                    if isinstance(step, Item):
                        yield step.value
                        continue
                    try:
                        match step:
                            case Pause(seconds):
                                from asyncio import sleep  # slow to import, and not used by Client

                                await sleep(seconds)
                            case Read() if chunks:
                                answer = await anext(chunks, b"")
                            case Call():
                                answer = await self._send(step)
                                answers.push_async_callback(answer.aclose)
                                chunks = answer.aiter_bytes()
                            case By(client, inner):
                                answer = await client.result_of(inner)
                            case Read():
                                raise RuntimeError("a Read needs a live Call before it")
                    except httpx.TransportError as error:
                        fault = _unreachable(self._http, error)
                    except ModelwrightError as error:
                        fault = error

    async def _send(self, call: Call) -> httpx.Response:
        response = await self._http.send(_request(self._http, call), stream=True)
        if not (call.live and response.is_success):
            response.stream = _Bounded(response)
            await response.aread()
            check(response)
        return response
