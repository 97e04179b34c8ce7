"""Variants, decoded from their bytes to plain Python values by the specification, slowly: the type's
name beside what has more than one width."""
import struct
import uuid

FIXED = {3: ("int8", "<b"), 4: ("int16", "<h"), 5: ("int32", "<i"), 6: ("int64", "<q"),
         7: ("double", "<d"), 11: ("date", "<i"), 12: ("timestamptz", "<q"), 13: ("timestamp", "<q"),
         14: ("float", "<f"), 17: ("time", "<q"), 18: ("timestamptz_ns", "<q"),
         19: ("timestamp_ns", "<q")}
DECIMALS = {8: 4, 9: 8, 10: 16}


def number(data, at, size):
    return int.from_bytes(data[at:at + size], "little")


def metadata(data):
    """The names, and how many bytes they took."""
    assert data[0] & 15 == 1
    size = (data[0] >> 6) + 1
    count = number(data, 1, size)
    offsets = [number(data, 1 + size * (i + 1), size) for i in range(count + 1)]
    begin = 1 + size * (count + 2)
    names = [bytes(data[begin + a:begin + b]).decode() for a, b in zip(offsets, offsets[1:])]
    if data[0] & 16:
        assert names == sorted(names, key=str.encode)
    return names, begin + offsets[-1]


def primitive(kind, data):
    if kind == 0:
        return None
    if kind in (1, 2):
        return kind == 1
    if kind in FIXED:
        name, form = FIXED[kind]
        return name, struct.pack(form, struct.unpack_from(form, data, 1)[0])
    if kind in DECIMALS:
        return "decimal", data[1], int.from_bytes(data[2:2 + DECIMALS[kind]], "little", signed=True), \
            DECIMALS[kind]
    if kind in (15, 16):
        text = bytes(data[5:5 + number(data, 1, 4)])
        return text if kind == 15 else text.decode()
    assert kind == 20, kind
    return uuid.UUID(bytes=bytes(data[1:17]))


def value(data, names):
    basic, head = data[0] & 3, data[0] >> 2
    if basic == 0:
        return primitive(head, data)
    if basic == 1:
        return bytes(data[1:1 + head]).decode()
    offset_size, is_object = (head & 3) + 1, basic == 2
    id_size = (head >> 2 & 3) + 1 if is_object else 0
    count_size = 4 if head >> (4 if is_object else 2) & 1 else 1
    count = number(data, 1, count_size)
    ids = 1 + count_size
    offsets = ids + count * id_size
    values = offsets + (count + 1) * offset_size
    places = [values + number(data, offsets + i * offset_size, offset_size) for i in range(count)]
    parts = [value(data[at:], names) for at in places]
    if not is_object:
        return parts
    keys = [names[number(data, ids + i * id_size, id_size)] for i in range(count)]
    assert keys == sorted(set(keys), key=str.encode), keys
    return dict(zip(keys, parts))
