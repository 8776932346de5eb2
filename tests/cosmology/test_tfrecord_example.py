"""Messages of tf.train.Example: as Protocol Buffers write and read them, and bounded work for any others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfrecord import example_pb2

from cosmology.dataset_error import DatasetError
from cosmology.tfrecord_example import encode_example, parse_example

FLOATS = st.lists(st.floats(width=32, allow_nan=False), max_size=8)
FEATURES = st.dictionaries(
    st.text(max_size=5), st.one_of(st.lists(st.binary(max_size=200), max_size=4), FLOATS), max_size=4
)


def message(features: dict[str, list[bytes] | list[float]]) -> bytes:
    example = example_pb2.Example()
    for name, values in features.items():
        feature = example.features.feature[name]
        if values and isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return example.SerializeToString()


@settings(max_examples=50)
@given(FEATURES)
def test_what_protocol_buffers_write_is_read(features: dict[str, list[bytes] | list[float]]) -> None:
    example = parse_example(memoryview(message(features)), "it")
    for name, values in features.items():
        if values and isinstance(values[0], bytes):
            assert [bytes(value) for value in example.byte_lists[name]] == values
        else:
            assert np.array_equal(example.float_lists[name], np.array(values, np.float32))


@settings(max_examples=50)
@given(st.binary(max_size=70000), FLOATS)
def test_protocol_buffers_read_what_is_written(content: bytes, floats: list[float]) -> None:
    parts = encode_example("x", memoryview(content), "y", np.array(floats, np.float32))
    example = example_pb2.Example.FromString(b"".join(parts))
    assert example.features.feature["x"].bytes_list.value[:] == [content]
    assert example.features.feature["y"].float_list.value[:] == floats


def test_floats_that_are_not_packed_are_read_too() -> None:
    values = b"".join(b"\x0d" + np.float32(value).tobytes() for value in (0.5, -1.0))
    feature = b"\x12" + bytes([len(values)]) + values
    entry = b"\x0a\x01y\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    example = parse_example(memoryview(b"\x0a" + bytes([len(features)]) + features), "it")
    assert example.float_lists["y"].tolist() == [0.5, -1.0]


def test_lists_of_integers_are_passed_over() -> None:
    example = example_pb2.Example()
    example.features.feature["n"].int64_list.value.extend([1, 2**40])
    example.features.feature["x"].bytes_list.value.append(b"cube")
    found = parse_example(memoryview(example.SerializeToString()), "it")
    assert (dict(found.float_lists), bytes(found.byte_lists["x"][0])) == ({}, b"cube")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused_by_name(content: bytes) -> None:
    try:
        parse_example(memoryview(content), "FILE at byte 7")
    except DatasetError as error:
        assert str(error).startswith("FILE at byte 7 holds no tf.train.Example")  # noqa: PT017


@settings(max_examples=50)
@given(FEATURES.filter(bool), st.data())
def test_a_damaged_message_is_a_message_or_refused_by_name(
    features: dict[str, list[bytes] | list[float]], data: st.DataObject
) -> None:
    content = bytearray(message(features))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    try:
        parse_example(memoryview(content), "it")
    except DatasetError as error:
        assert "it holds no tf.train.Example" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x0a\x00" * 5000, "more than 4096 fields"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "reaches over the end"),
        (b"\xff" * 20, "a number without an end"),
        (b"\x0b", "wire type 3"),
        (b"\x08\x01", "a number where a message is due"),
    ],
)
def test_refusals_say_why(content: bytes, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        parse_example(memoryview(content), "it")
