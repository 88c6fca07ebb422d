"""RFC 6455 by raw frames: what must be understood is, what must be refused is, each with its close code."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from orama.gateway.websocket.limits import WebSocketLimits
from support.kernel import running_kernel
from support.rawsocket import BINARY, CLOSE, CONT, PING, PONG, TEXT, close_frame, frame, raw_socket

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = WebSocketLimits(max_message_bytes=70_000, max_fragments=16, max_control_frames=40, close_timeout_s=1.0)
PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG, RATE_LIMITED = 1002, 1007, 1009, 4429
GREEK = "κόσμε🛒".encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kernel():
    async with running_kernel(sockets=LIMITS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def socket(kernel):
    async with raw_socket(kernel.port) as opened:
        yield opened


async def echoes(socket, *frames, opcode=TEXT, payload):
    for one in frames:
        socket.send(one)
    heard = await socket.heard()
    assert (heard.opcode, heard.payload) == (opcode, payload)


async def still_works(socket):
    await echoes(socket, frame(TEXT, b"still here"), payload=b"still here")


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65_535, 65_536, 70_000])
async def test_message_of_any_length_comes_back(socket, opcode, size):
    await echoes(socket, frame(opcode, b"*" * size), opcode=opcode, payload=b"*" * size)
    await still_works(socket)


async def test_all_bytes_come_back_in_a_binary_message(socket):
    await echoes(socket, frame(BINARY, bytes(range(256))), opcode=BINARY, payload=bytes(range(256)))


async def test_longer_message_is_too_big(socket):
    socket.send(frame(BINARY, b"*" * 70_001))
    assert await socket.closing() == TOO_BIG


@pytest.mark.parametrize("size", [70_200, 2**31, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
async def test_announced_length_beyond_the_limit_is_refused_before_it_comes(socket, size):
    socket.send(frame(BINARY, length=size))
    assert await socket.closing() == TOO_BIG


async def test_frames_of_one_write_are_served_in_order(socket):
    socket.send(b"".join(frame(TEXT, b"%d" % number) for number in range(50)))
    assert [int((await socket.heard()).payload) for _ in range(50)] == list(range(50))


async def test_frames_that_come_byte_by_byte_are_served(socket):
    for byte in frame(TEXT, GREEK) + frame(PING, b"p") + frame(BINARY, b"b" * 130):
        socket.send(bytes([byte]))
        await asyncio.sleep(0)
    heard = [await socket.heard() for _ in range(3)]
    assert sorted((one.opcode, one.payload) for one in heard) == [(TEXT, GREEK), (BINARY, b"b" * 130), (PONG, b"p")]


# ── UTF-8 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [b"\x00", b"\x7f", b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbf",
     b"\xef\xbb\xbfbom", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xef\xb7\x90", b"a" + GREEK],
)  # fmt: skip
async def test_valid_text_comes_back(socket, text):
    await echoes(socket, frame(TEXT, text), payload=text)


@pytest.mark.parametrize("cut", range(len(GREEK) + 1))
async def test_text_may_be_split_anywhere_even_inside_a_character(socket, cut):
    await echoes(socket, frame(TEXT, GREEK[:cut], fin=False), frame(CONT, GREEK[cut:]), payload=GREEK)


INVALID = [
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x41", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe2\x82",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x9b", b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", b"ok\xce\xba\xff",
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID)
async def test_invalid_text_is_1007(socket, text):
    socket.send(frame(TEXT, text))
    assert await socket.closing() == INVALID_TEXT


@pytest.mark.parametrize("text", [b"\xce\xba\xff", b"\xed\xa0\x80", b"\xf0\x9f\x9b"])
async def test_invalid_text_in_fragments_is_1007(socket, text):
    for byte in text[:-1]:
        socket.send(frame(TEXT if byte == text[0] else CONT, bytes([byte]), fin=False))
    socket.send(frame(CONT, text[-1:]))
    assert await socket.closing() == INVALID_TEXT


async def test_what_is_no_text_may_be_binary(socket):
    await echoes(socket, frame(BINARY, b"\xff\xfe"), opcode=BINARY, payload=b"\xff\xfe")


# ── fragments ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("count", [2, 3, 16])
async def test_fragments_are_put_together(socket, opcode, count):
    parts = [frame(opcode if number == 0 else CONT, b"%x" % number, fin=number == count - 1) for number in range(count)]
    await echoes(socket, *parts, opcode=opcode, payload=b"".join(b"%x" % number for number in range(count)))
    await still_works(socket)


async def test_more_fragments_than_the_limit_are_too_big(socket):
    socket.send(frame(TEXT, b"a", fin=False) + frame(CONT, b"a", fin=False) * 16)
    assert await socket.closing() == TOO_BIG


async def test_endless_empty_fragments_are_too_big(socket):
    socket.send(frame(TEXT, fin=False) + frame(CONT, fin=False) * 100)
    assert await socket.closing() == TOO_BIG


async def test_fragments_together_longer_than_the_limit_are_too_big(socket):
    socket.send(frame(BINARY, b"*" * 69_999, fin=False) + frame(CONT, b"**"))
    assert await socket.closing() == TOO_BIG


async def test_empty_fragments_are_nothing(socket):
    await echoes(socket, frame(TEXT, fin=False), frame(CONT, b"a", fin=False), frame(CONT), payload=b"a")


async def test_control_frames_may_come_between_fragments(socket):
    socket.send(
        frame(TEXT, b"a", fin=False)
        + frame(PING, b"1")
        + frame(CONT, b"b", fin=False)
        + frame(PONG, b"2")
        + frame(CONT, b"c")
    )
    heard = [await socket.heard(), await socket.heard()]
    assert [(one.opcode, one.payload) for one in heard] == [(PONG, b"1"), (TEXT, b"abc")]


async def test_ping_fits_between_the_fragments_of_a_message_of_full_length(socket):
    body = b"*" * 69_990
    socket.send(frame(BINARY, body, fin=False) + frame(PING, b"p" * 125) + frame(CONT, b"*" * 10))
    assert (await socket.heard()).payload == b"p" * 125
    assert len((await socket.heard()).payload) == 70_000


async def test_close_between_fragments_is_an_error(socket):
    socket.send(frame(TEXT, b"a", fin=False) + close_frame())
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("fin", [True, False])
async def test_continuation_of_nothing_is_an_error(socket, fin):
    socket.send(frame(CONT, b"a", fin=fin))
    assert await socket.closing() == PROTOCOL_ERROR


async def test_continuation_after_the_end_is_an_error(socket):
    socket.send(frame(TEXT, b"a", fin=False) + frame(CONT, b"b") + frame(CONT, b"c"))
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
async def test_new_message_inside_another_is_an_error(socket, opcode, fin):
    socket.send(frame(TEXT, b"a", fin=False) + frame(opcode, b"b", fin=fin))
    assert await socket.closing() == PROTOCOL_ERROR


# ── heads ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
@pytest.mark.parametrize("rsv", range(1, 8))
async def test_reserved_bits_are_an_error(socket, opcode, rsv):
    socket.send(frame(opcode, b"", rsv=rsv))
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_reserved_opcodes_are_an_error(socket, opcode):
    socket.send(frame(opcode, b"a"))
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [CONT, TEXT, BINARY, PING, PONG, CLOSE])
async def test_frame_without_a_mask_is_an_error(socket, opcode):
    socket.send(frame(opcode, b"", mask=False))
    assert await socket.closing() == PROTOCOL_ERROR


# ── control frames ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("payload", [b"", b"a", bytes(range(125))])
async def test_ping_is_answered_with_its_payload(socket, payload):
    await echoes(socket, frame(PING, payload), opcode=PONG, payload=payload)
    await still_works(socket)


@pytest.mark.parametrize("payload", [b"", b"a", b"*" * 125])
async def test_pong_that_nobody_asked_for_is_nothing(socket, payload):
    socket.send(frame(PONG, payload))
    await still_works(socket)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("size", [126, 127, 200])
async def test_control_frame_longer_than_125_bytes_is_an_error(socket, opcode, size):
    socket.send(frame(opcode, b"\x03\xe8" + b"*" * (size - 2)))
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
async def test_control_frame_in_fragments_is_an_error(socket, opcode):
    socket.send(frame(opcode, b"", fin=False))
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_flood_of_control_frames_is_cut(socket, opcode):
    socket.send(frame(opcode, b"x") * 41)
    assert await socket.closing() == RATE_LIMITED


async def test_as_many_control_frames_as_allowed_are_answered(socket):
    socket.send(frame(PING, b"x") * 40)
    for _ in range(40):
        assert (await socket.heard()).opcode == PONG
    await still_works(socket)


# ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
async def test_close_is_answered_with_its_code(socket, code):
    socket.send(close_frame(code))
    assert await socket.closing() == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
async def test_close_with_a_code_that_cannot_be_is_an_error(socket, code):
    socket.send(close_frame(code))
    assert await socket.closing() == PROTOCOL_ERROR


async def test_close_without_a_code_is_answered_without_one(socket):
    socket.send(close_frame(None))
    assert await socket.closing() is None


async def test_close_with_half_a_code_is_an_error(socket):
    socket.send(frame(CLOSE, b"\x03"))
    assert await socket.closing() == PROTOCOL_ERROR


@pytest.mark.parametrize("reason", [b"bye", GREEK, b"*" * 123])
async def test_close_may_have_a_reason(socket, reason):
    socket.send(close_frame(1000, reason))
    assert await socket.closing() == 1000


@pytest.mark.parametrize("reason", [b"\xff", b"\xed\xa0\x80", GREEK[:-1]])
async def test_reason_that_is_no_text_is_1007(socket, reason):
    socket.send(close_frame(1000, reason))
    assert await socket.closing() == INVALID_TEXT


async def test_what_comes_before_the_close_is_served_and_what_comes_after_is_not(socket, kernel):
    socket.send(frame(TEXT, b"before") + close_frame() + frame(TEXT, b"after") + frame(PING, b"after"))
    heard = []
    while (one := await socket.heard()).opcode != CLOSE:
        heard.append(one.payload)
    assert heard in ([b"before"], [])  # a reply may come too late, the message was taken all the same
    assert await socket.client.closed()


async def test_client_that_goes_without_a_close_frame_is_let_go(kernel):
    async with raw_socket(kernel.port) as socket:
        socket.client.writer.write_eof()
        assert await socket.client.closed(timeout_s=1)


async def test_client_that_goes_in_the_middle_of_a_frame_is_let_go(kernel):
    async with raw_socket(kernel.port) as socket:
        socket.send(frame(TEXT, b"half of it")[:5])
        socket.client.writer.write_eof()
        assert await socket.client.closed(timeout_s=1)


@pytest.mark.parametrize(
    "first",
    [frame(TEXT, b"\xff"), frame(3), close_frame(), frame(BINARY, length=2**40)],
    ids=["text", "opcode", "close", "size"],
)
async def test_close_frame_arrives_though_the_client_goes_on_sending(socket, first):
    """A connection that is closed with unread bytes is reset, and the close frame with it."""
    socket.send(first + b"\xff" * 1_000_000)
    assert await socket.closing() in (INVALID_TEXT, PROTOCOL_ERROR, TOO_BIG, 1000)


async def test_client_that_never_answers_a_close_is_cut(socket):
    socket.send(frame(TEXT, b"leave"))
    assert (await socket.heard()).code == 1000
    for _ in range(100):  # the client talks on and does not hang up
        socket.send(frame(TEXT, b"more"))
        await asyncio.sleep(0.02)
        if socket.client.writer.is_closing():
            break
    assert await socket.client.closed(timeout_s=3)


async def test_error_of_the_conversation_is_its_close_code_with_a_reason_that_fits(socket):
    socket.send(frame(TEXT, b"fail"))
    heard = await socket.heard()
    assert (heard.opcode, heard.code) == (CLOSE, 4422)
    assert heard.payload[2:].decode().startswith("it cannot be: é")
    assert len(heard.payload) <= 125


async def test_fault_of_ours_is_1011_and_hides_its_text(socket, kernel):
    socket.send(frame(TEXT, b"break"))
    heard = await socket.heard()
    assert (heard.code, heard.payload[2:]) == (1011, b"internal error")
    assert "ZeroDivisionError('a secret detail')" in kernel.seen.causes


async def test_conversation_that_ends_closes_with_1000(socket):
    socket.send(frame(TEXT, b"leave"))
    heard = await socket.heard()
    assert (heard.opcode, heard.code) == (CLOSE, 1000)
    socket.send(close_frame())
    assert await socket.client.closed()


async def test_nothing_is_left_of_all_these(kernel):
    for _ in range(200):
        if not kernel.handlers.conversations and not kernel.websockets.counts.open:
            break
        await asyncio.sleep(0.02)
    assert (kernel.handlers.conversations, kernel.websockets.counts.open, len(kernel.connections)) == (0, 0, 0)
