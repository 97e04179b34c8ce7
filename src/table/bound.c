/* Bounds of a column as bytes: Iceberg's single-value serialization, so that what the catalog keeps
 * can be handed on as it is. Kinds that Iceberg lacks are kept like their nearest relative: small
 * integers as int, unsigned 32 bits and durations as long, unsigned 64 bits as 8 bytes.
 *
 * Bytes that are no value of the column's type give no bound: less is skipped, nothing is lost.
 *
 * Source   Apache Iceberg table specification, "Appendix D: Single-value serialization" */
#include <string.h>

#include "base/bytes.h"
#include "table/sqlite.h"

/* Bytes of a fixed-width kind; 0 for those of any length, -1 for those that have no bounds. */
static int kind_width(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: return 1;
    case STOA_TYPE_INT8:
    case STOA_TYPE_INT16:
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT8:
    case STOA_TYPE_UINT16:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DATE: return 4;
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_UINT64:
    case STOA_TYPE_DOUBLE:
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION: return 8;
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID: return 0;
    default: return -1;
    }
}

/* Unscaled, big-endian two's complement in as few bytes as hold it. */
static stoa_status write_decimal(__int128 value, stoa_buffer *out, stoa_error *err) {
    uint8_t bytes[16];
    const size_t size = stoa_store_i128_shortest(bytes, value);
    return stoa_buffer_append(out, bytes, size, err);
}

static bool read_decimal(const uint8_t *bytes, size_t size, __int128 *out) {
    if (size == 0 || size > 16) {
        return false;
    }
    unsigned __int128 value = bytes[0] >= 0x80 ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    *out = (__int128)value;
    return true;
}

stoa_status stoa_bound_write(const stoa_value *value, stoa_buffer *out, stoa_error *err) {
    int width = kind_width(&value->type);
    if (width < 0) {
        return STOA_OK;
    }
    if (value->type.kind == STOA_TYPE_DECIMAL) {
        return write_decimal(value->decimal, out, err);
    }
    if (width == 0) {
        return stoa_buffer_append(out, value->bytes, value->size, err);
    }
    if (value->type.kind == STOA_TYPE_FLOAT) {
        float narrow = (float)value->f;
        return stoa_buffer_append(out, &narrow, sizeof narrow, err);
    }
    if (value->type.kind == STOA_TYPE_DOUBLE) {
        return stoa_buffer_append(out, &value->f, sizeof value->f, err);
    }
    return stoa_buffer_append(out, &value->i, (size_t)width, err); /* little-endian */
}

stoa_status stoa_bound_read(stoa_arena *arena, const stoa_type *type, const void *bytes,
                            size_t size, const stoa_value **out, stoa_error *err) {
    *out = NULL;
    int width = kind_width(type);
    if (bytes == NULL || width < 0 || (width > 0 && size != (size_t)width)) {
        return STOA_OK;
    }
    stoa_value value = {.type = *type};
    value.type.children = NULL;
    value.type.child_count = 0;
    if (type->kind == STOA_TYPE_DECIMAL) {
        if (!read_decimal(bytes, size, &value.decimal)) {
            return STOA_OK;
        }
    } else if (width == 0) {
        const char *copy = NULL;
        STOA_TRY(stoa_arena_copy_text(arena, bytes, size, &copy, err));
        value.bytes = (const uint8_t *)copy;
        value.size = size;
    } else if (type->kind == STOA_TYPE_FLOAT) {
        float narrow;
        memcpy(&narrow, bytes, sizeof narrow);
        value.f = narrow;
    } else if (type->kind == STOA_TYPE_DOUBLE) {
        memcpy(&value.f, bytes, sizeof value.f);
    } else if (width == 8) {
        value.i = stoa_load_i64(bytes);
    } else if (width == 4) {
        value.i = stoa_load_i32(bytes);
    } else {
        value.i = *(const uint8_t *)bytes != 0;
    }
    stoa_value *kept = NULL;
    STOA_TRY(stoa_arena_allocate(arena, sizeof *kept, (void **)&kept, err));
    *kept = value;
    *out = kept;
    return STOA_OK;
}
