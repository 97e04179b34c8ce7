#include "lsm/commit_record.h"

#include <inttypes.h>

#include "base/bytes.h"

enum {
    RANGE_HEAD_BYTES = 12, /* sizes of both keys, flags */
    RANGE_TO_END = 1
};

uint8_t *stoa_commit_head_write(uint8_t *out, uint64_t first_sequence, uint32_t part_count) {
    stoa_store_u64(out, first_sequence);
    stoa_store_u32(out + 8, part_count);
    stoa_store_u32(out + 12, 0);
    return out + STOA_COMMIT_HEAD_BYTES;
}

uint8_t *stoa_commit_part_write(uint8_t *out, const stoa_commit_part *part) {
    stoa_store_u32(out, part->kind | part->schema_id << 8);
    stoa_store_u32(out + 4, part->count);
    stoa_store_u64(out + 8, (uint64_t)part->table_id);
    stoa_store_u64(out + 16, part->size);
    return out + STOA_COMMIT_PART_BYTES;
}

size_t stoa_commit_range_size(const stoa_key_range *range) {
    return RANGE_HEAD_BYTES + range->from_size + (range->to_end ? 0 : range->to_size);
}

uint8_t *stoa_commit_range_write(uint8_t *out, const stoa_key_range *range) {
    const size_t to_size = range->to_end ? 0 : range->to_size;
    stoa_store_u32(out, (uint32_t)range->from_size);
    stoa_store_u32(out + 4, (uint32_t)to_size);
    stoa_store_u32(out + 8, range->to_end ? RANGE_TO_END : 0);
    out += RANGE_HEAD_BYTES;
    memcpy(out, range->from_size > 0 ? range->from : (const uint8_t *)"", range->from_size);
    out += range->from_size;
    memcpy(out, to_size > 0 ? range->to : (const uint8_t *)"", to_size);
    return out + to_size;
}

static stoa_status corrupt(stoa_error *err, size_t offset, const char *what) {
    stoa_status status = stoa_fail(err, STOA_CORRUPT, "%s at byte %zu of a commit", what, offset);
    if (err != NULL) {
        err->offset = (int64_t)offset;
    }
    return status;
}

stoa_status stoa_commit_range_read(const stoa_commit_part *part, stoa_key_range *out,
                                   stoa_error *err) {
    stoa_byte_reader reader = stoa_byte_reader_of(part->bytes, part->size);
    const uint8_t *head = stoa_byte_reader_take(&reader, RANGE_HEAD_BYTES);
    if (head == NULL) {
        return corrupt(err, 0, "a range of keys that ends early");
    }
    const uint32_t flags = stoa_load_u32(head + 8);
    *out = (stoa_key_range){.from_size = stoa_load_u32(head),
                            .to_size = stoa_load_u32(head + 4),
                            .to_end = (flags & RANGE_TO_END) != 0,
                            .sequence = part->first_sequence};
    out->from = stoa_byte_reader_take(&reader, out->from_size);
    out->to = stoa_byte_reader_take(&reader, out->to_size);
    if (out->from == NULL || out->to == NULL || stoa_byte_reader_left(&reader) > 0 ||
        (flags & ~(uint32_t)RANGE_TO_END) != 0 || part->count != 1) {
        return corrupt(err, 0, "a range of keys whose sizes do not fit");
    }
    return STOA_OK;
}

stoa_status stoa_commit_read(const uint8_t *payload, size_t size, stoa_commit_function function,
                             void *user, stoa_error *err) {
    stoa_byte_reader reader = stoa_byte_reader_of(payload, size);
    const uint8_t *head = stoa_byte_reader_take(&reader, STOA_COMMIT_HEAD_BYTES);
    if (head == NULL || stoa_load_u32(head + 12) != 0) {
        return corrupt(err, 0, "expected the head of a commit but found something else");
    }
    uint64_t sequence = stoa_load_u64(head);
    const uint32_t count = stoa_load_u32(head + 8);
    for (uint32_t i = 0; i < count; i++) {
        const size_t at = reader.position;
        const uint8_t *bytes = stoa_byte_reader_take(&reader, STOA_COMMIT_PART_BYTES);
        if (bytes == NULL) {
            return corrupt(err, at, "a part that ends early");
        }
        const uint32_t kind = stoa_load_u32(bytes);
        stoa_commit_part part = {.kind = (uint8_t)kind,
                                 .schema_id = kind >> 8,
                                 .count = stoa_load_u32(bytes + 4),
                                 .table_id = stoa_load_i64(bytes + 8),
                                 .first_sequence = sequence,
                                 .size = (size_t)stoa_load_u64(bytes + 16)};
        part.bytes = stoa_byte_reader_take(&reader, part.size);
        if (part.bytes == NULL || part.kind > STOA_COMMIT_RANGE || part.count == 0 ||
            UINT64_MAX - sequence < part.count) {
            return corrupt(err, at, "a part with numbers that cannot be");
        }
        sequence += part.count;
        STOA_TRY(function(user, &part, err));
    }
    return stoa_byte_reader_left(&reader) == 0
               ? STOA_OK
               : corrupt(err, reader.position, "bytes behind the last part");
}
