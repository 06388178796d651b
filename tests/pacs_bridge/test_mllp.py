"""MLLP frames: halves, several at once, noise, what begins anew, what is too large."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import TooLarge
from pacs_bridge.mllp import MAX_NOISE_BYTES, Unframer, framed


def unframed(*portions: bytes, max_bytes: int = 100) -> list[bytes]:
    unframer = Unframer(max_bytes=max_bytes)
    return [message for portion in portions for message in unframer.received(portion)]


def test_several_messages_in_one_portion_come_in_turn() -> None:
    assert unframed(framed(b"MSH|a") + framed(b"MSH|b")) == [b"MSH|a", b"MSH|b"]


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(st.binary(max_size=30).filter(lambda b: not set(b) & {0x0B, 0x1C})),
    size=st.integers(1, 7),
)
def test_messages_come_whole_however_they_are_cut(messages: list[bytes], size: int) -> None:
    stream = b"\r\n".join(map(framed, messages))
    portions = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert unframed(*portions) == messages


def test_noise_between_frames_is_passed_over() -> None:
    assert unframed(b"noise" + framed(b"one") + b"\r\nmore" + framed(b"two")) == [b"one", b"two"]


def test_a_frame_without_its_last_return_is_whole() -> None:
    assert unframed(b"\x0bone\x1c\x0btwo\x1c\r") == [b"one", b"two"]


def test_what_begins_within_a_frame_takes_its_place() -> None:
    assert unframed(b"\x0bhalf of", b" one\x0btwo\x1c\r") == [b"two"]


def test_a_half_message_is_none_and_is_known_to_be_under_way() -> None:
    unframer = Unframer(max_bytes=100)
    assert list(unframer.received(b"\x0bMSH|")) == []
    assert unframer.is_inside


def test_a_message_over_the_limit_is_refused_before_it_is_held() -> None:
    assert unframed(framed(b"x" * 100)) == [b"x" * 100]
    with pytest.raises(TooLarge) as refused:
        unframed(b"\x0b", *[b"x" * 10] * 11)
    assert refused.value.code == "message-too-large"


def test_endless_noise_is_refused() -> None:
    with pytest.raises(TooLarge) as refused:
        unframed(*[b"x" * 1024] * (MAX_NOISE_BYTES // 1024 + 1))
    assert refused.value.code == "not-mllp"
