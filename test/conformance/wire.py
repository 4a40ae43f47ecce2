"""The few parts of protocol buffers that the protocol needs, by hand: a client needs no generated code."""

import struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Damaged(Exception):
    """The bytes break the protocol: refuse them, keep the last good map, watch again."""


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Damaged("a number ends too early")
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """Yields (number, value); value is an int, or the bytes of a string, a message or a packed list."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = varint(data, at)
        else:
            if kind == BYTES:
                size, at = varint(data, at)
            elif kind in (FIXED64, FIXED32):
                size = 8 if kind == FIXED64 else 4
            else:
                raise Damaged(f"a field of wire type {kind}")
            if at + size > len(data):
                raise Damaged("a field ends too early")
            value = data[at : at + size]
            at += size
        yield tag >> 3, value


def message(data, shape):
    """`shape` maps a field's number to (name, reader, repeated). Other fields are skipped: a newer version may send them."""
    result = {name: [] if repeated else None for name, _, repeated in shape.values()}
    for key, value in fields(data):
        if key not in shape:
            continue
        name, reader, repeated = shape[key]
        if repeated:
            result[name].append(reader(value))
        else:
            result[name] = reader(value)
    return result


def number(value):
    if not isinstance(value, int):
        raise Damaged("a number was expected")
    return value


def blob(value):
    if not isinstance(value, bytes):
        raise Damaged("bytes were expected")
    return value


def text(value):
    try:
        return blob(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged("text was expected")


def put_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def put(key, value):
    """One field: a whole number, text, or the bytes of a string, a message or a packed list. Zero takes no bytes."""
    if isinstance(value, int):
        return put_varint(key << 3) + put_varint(value) if value else b""
    if isinstance(value, str):
        value = value.encode()
    return put_varint(key << 3 | BYTES) + put_varint(len(value)) + value


def framed(payload):
    """gRPC's prefix: a flag (0, not compressed) and the length, big-endian."""
    return b"\0" + struct.pack(">I", len(payload)) + payload
