/* Constants of primitive types: their order, their texts, and reading them out of arrays. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/utf8.h"
#include "schema/constant.h"
#include "schema/predicate.h"

/* -- order ------------------------------------------------------------------------------------ */

static int compare_doubles(double left, double right) {
    if (isnan(left) || isnan(right)) {
        return (isnan(left) ? 1 : 0) - (isnan(right) ? 1 : 0);
    }
    return (left > right) - (left < right);
}

int stoa_value_compare(const stoa_value *left, const stoa_value *right) {
    STOA_ASSERT(left->type.kind == right->type.kind && !left->is_null && !right->is_null);
    switch (left->type.kind) {
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: return compare_doubles(left->f, right->f);
    case STOA_TYPE_DECIMAL:
        return (left->decimal > right->decimal) - (left->decimal < right->decimal);
    case STOA_TYPE_UINT64:
        return ((uint64_t)left->i > (uint64_t)right->i) - ((uint64_t)left->i < (uint64_t)right->i);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID: return stoa_bytes_compare(left->bytes, left->size, right->bytes, right->size);
    default: return (left->i > right->i) - (left->i < right->i);
    }
}

/* -- out of arrays ---------------------------------------------------------------------------- */

static void read_text(const struct ArrowArray *array, int64_t at, stoa_value *out) {
    const int32_t *offsets = (const int32_t *)array->buffers[1] + at;
    out->size = (size_t)(offsets[1] - offsets[0]);
    out->bytes = out->size == 0 ? NULL : (const uint8_t *)array->buffers[2] + offsets[0];
}

static void read_value(const stoa_type *type, const void *data, int64_t at, stoa_value *out) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: out->i = stoa_bit_get(data, at); break;
    case STOA_TYPE_INT8: out->i = ((const int8_t *)data)[at]; break;
    case STOA_TYPE_INT16: out->i = ((const int16_t *)data)[at]; break;
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: out->i = ((const int32_t *)data)[at]; break;
    case STOA_TYPE_UINT8: out->i = ((const uint8_t *)data)[at]; break;
    case STOA_TYPE_UINT16: out->i = ((const uint16_t *)data)[at]; break;
    case STOA_TYPE_UINT32: out->i = ((const uint32_t *)data)[at]; break;
    case STOA_TYPE_FLOAT: out->f = (double)((const float *)data)[at]; break;
    case STOA_TYPE_DOUBLE: out->f = ((const double *)data)[at]; break;
    case STOA_TYPE_DECIMAL:
        memcpy(&out->decimal, (const uint8_t *)data + (size_t)at * 16, sizeof out->decimal);
        break;
    case STOA_TYPE_TIME:
        out->i = type->unit == STOA_TYPE_MILLISECONDS ? ((const int32_t *)data)[at]
                                                      : ((const int64_t *)data)[at];
        break;
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_UUID:
        out->size = 16;
        out->bytes = (const uint8_t *)data + (size_t)at * 16;
        break;
    case STOA_TYPE_FIXED:
        out->size = (size_t)type->length;
        out->bytes = (const uint8_t *)data + (size_t)at * out->size;
        break;
    default: out->i = ((const int64_t *)data)[at]; break;
    }
}

void stoa_value_from_array(const stoa_type *type, const struct ArrowArray *array, int64_t row,
                           stoa_value *out) {
    STOA_ASSERT(!stoa_type_is_nested(type->kind));
    int64_t at = array->offset + row;
    *out = (stoa_value){.type = *type};
    if (type->kind == STOA_TYPE_UNKNOWN || (array->null_count != 0 && array->buffers[0] != NULL &&
                                            !stoa_bit_get(array->buffers[0], at))) {
        out->is_null = true;
    } else if (type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY) {
        read_text(array, at, out);
    } else {
        read_value(type, array->buffers[1], at, out);
    }
}

/* -- out of texts ----------------------------------------------------------------------------- */

static stoa_status refuse(const stoa_type *type, const char *text, size_t size, const char *hint,
                          stoa_error *err) {
    int shown = size < 60 && stoa_utf8_valid(text, size, NULL) ? (int)size : 0;
    return stoa_fail(err, STOA_INVALID, "expected %s%s but found '%.*s'%s",
                     stoa_type_describe(type).text, hint, shown, text, shown == 0 ? "..." : "");
}

static stoa_status keep_bytes(stoa_arena *arena, const void *bytes, size_t size, stoa_value *out,
                              stoa_error *err) {
    const char *copy = NULL;
    STOA_TRY(stoa_arena_copy_text(arena, bytes, size, &copy, err));
    out->bytes = (const uint8_t *)copy;
    out->size = size;
    return STOA_OK;
}

/* "ab\x00\xFF": bytes as DuckDB writes them. */
static stoa_status parse_binary(stoa_arena *arena, const stoa_type *type, const char *text,
                                size_t size, stoa_value *out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(arena, size + 1, &memory, err));
    uint8_t *bytes = memory;
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\\') {
            bytes[length++] = (uint8_t)text[i];
            continue;
        }
        unsigned byte;
        char pair[3] = {0};
        if (size - i < 4 || text[i + 1] != 'x') {
            return refuse(type, text, size, " with escapes like \\x0A", err);
        }
        memcpy(pair, text + i + 2, 2);
        if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%2x", &byte) != 1) {
            return refuse(type, text, size, " with escapes like \\x0A", err);
        }
        bytes[length++] = (uint8_t)byte;
        i += 3;
    }
    if (type->kind == STOA_TYPE_FIXED && length != (size_t)type->length) {
        return refuse(type, text, size, "", err);
    }
    out->bytes = bytes;
    out->size = length;
    return STOA_OK;
}

static bool parse_grid(const stoa_type *type, const char *text, size_t size, struct stoa_grid *out,
                       const char **out_hint) {
    stoa_zone zone;
    bool day_only;
    switch (type->kind) {
    case STOA_TYPE_DATE:
        *out_hint = " like 2024-02-29";
        if (!stoa_grid_from_timestamp(text, size, 1, out, &zone, &day_only) || !day_only) {
            return false;
        }
        out->floor /= 86400;
        return true;
    case STOA_TYPE_TIME:
        *out_hint = " like 12:30:45";
        return stoa_grid_from_time(text, size, stoa_type_per_second(type), out);
    case STOA_TYPE_TIMESTAMP:
        *out_hint = " like 2024-02-29 12:30:45, without a zone";
        return stoa_grid_from_timestamp(text, size, stoa_type_per_second(type), out, &zone,
                                        &day_only) &&
               zone == STOA_ZONE_NONE;
    case STOA_TYPE_TIMESTAMP_TZ:
        *out_hint = " like 2024-02-29 12:30:45Z, with its zone";
        return stoa_grid_from_timestamp(text, size, stoa_type_per_second(type), out, &zone,
                                        &day_only) &&
               zone == STOA_ZONE_GIVEN;
    case STOA_TYPE_DURATION:
        *out_hint = " like 90 seconds";
        return stoa_grid_from_duration(text, size, stoa_type_per_second(type), out);
    default:
        *out_hint = "";
        return stoa_grid_from_number(text, size, type->kind == STOA_TYPE_DECIMAL ? type->scale : 0,
                                     out);
    }
}

static stoa_status parse_on_grid(const stoa_type *type, const char *text, size_t size,
                                 stoa_value *out, stoa_error *err) {
    struct stoa_grid grid;
    const char *hint = "";
    if (!parse_grid(type, text, size, &grid, &hint)) {
        return refuse(type, text, size, hint, err);
    }
    __int128 low;
    __int128 high;
    stoa_grid_range(type, &low, &high);
    if (!grid.exact || grid.huge != 0 || grid.floor < low || grid.floor > high) {
        return refuse(type, text, size, "", err);
    }
    *out = stoa_grid_value(type, grid.floor);
    return STOA_OK;
}

stoa_status stoa_value_parse(stoa_arena *arena, const stoa_type *type, const char *text,
                             size_t size, stoa_value *out, stoa_error *err) {
    *out = (stoa_value){.type = *type};
    uint8_t uuid[16];
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
        out->i = stoa_ascii_same_word(text, size, "true");
        return out->i != 0 || stoa_ascii_same_word(text, size, "false")
                   ? STOA_OK
                   : refuse(type, text, size, ", true or false,", err);
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE:
        return stoa_float_from_text(text, size, type->kind == STOA_TYPE_FLOAT, &out->f)
                   ? STOA_OK
                   : refuse(type, text, size, "", err);
    case STOA_TYPE_STRING:
        return stoa_utf8_valid(text, size, NULL) ? keep_bytes(arena, text, size, out, err)
                                                 : refuse(type, text, size, " in UTF-8", err);
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED: return parse_binary(arena, type, text, size, out, err);
    case STOA_TYPE_UUID:
        return stoa_uuid_from_text(text, size, uuid)
                   ? keep_bytes(arena, uuid, sizeof uuid, out, err)
                   : refuse(type, text, size, "", err);
    default:
        return stoa_type_has_grid(type)
                   ? parse_on_grid(type, text, size, out, err)
                   : stoa_fail(err, STOA_UNSUPPORTED, "constants of type %s are not supported",
                               stoa_type_describe(type).text);
    }
}
