"""A small decoder of Thrift's compact protocol and what Parquet keeps in it: footers and page indexes
of files as dicts of field numbers, independent of the project's own."""
import struct

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


class Thrift:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def value(self, kind, in_list=False):
        if kind in (TRUE, FALSE):
            return self.byte() == TRUE if in_list else kind == TRUE
        if kind == BYTE:
            return self.byte()
        if kind in (I16, I32, I64):
            return self.zigzag()
        if kind == DOUBLE:
            self.at += 8
            return struct.unpack("<d", self.data[self.at - 8:self.at])[0]
        if kind == BINARY:
            size = self.varint()
            self.at += size
            assert self.at <= len(self.data)
            return bytes(self.data[self.at - size:self.at])
        if kind == STRUCT:
            return self.struct()
        assert kind in (LIST, SET), kind
        head = self.byte()
        count = self.varint() if head >> 4 == 15 else head >> 4
        return [self.value(head & 15, True) for _ in range(count)]

    def struct(self):
        fields, last = {}, 0
        while (head := self.byte()) != STOP:
            last = last + (head >> 4) if head >> 4 else self.zigzag()
            fields[last] = self.value(head & 15)
        return fields


def footer(data):
    size = struct.unpack("<I", data[-8:-4])[0]
    return Thrift(data[len(data) - 8 - size:-8]).struct()


def at(data, offset):
    """The struct that stands at `offset`, and where it ends."""
    thrift = Thrift(data, offset)
    fields = thrift.struct()
    return fields, thrift.at


def leaves(elements):
    """Schema elements of leaves, with the greatest definition and repetition level of each."""
    out, place = [], iter(elements[1:])

    def walk(count, definition, repetition):
        for _ in range(count):
            element = next(place)
            kind = element.get(3, 0)
            levels = (definition + (kind != 0), repetition + (kind == 2))
            if element.get(5):
                walk(element[5], *levels)
            else:
                out.append((element, *levels))

    walk(elements[0].get(5, 0), 0, 0)
    return out


def chunks(data):
    """(group, leaf, RowGroup, ColumnChunk, OffsetIndex or None, ColumnIndex or None) of a file."""
    for g, group in enumerate(footer(data)[4]):
        for c, chunk in enumerate(group[1]):
            offsets = at(data, chunk[4])[0] if 4 in chunk else None
            columns = at(data, chunk[6])[0] if 6 in chunk else None
            yield g, c, group, chunk, offsets, columns
