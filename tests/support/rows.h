/* Random rows of any schema in the canonical Arrow layout, from a seed, for tests of what is written as
 * files: with nulls that hold rubbish below them, arrays with offsets, empty lists, extreme values.
 * Made with malloc and without any of the library's builders, so that it shares none of their
 * mistakes. */
#ifndef STOA_TESTS_ROWS_H
#define STOA_TESTS_ROWS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/sched.h>
#include <stoa/schema.h>

#include "support.h"

struct rows_options {
    int null_percent;
    uint64_t distinct; /* values of a leaf come from so many; 0: any value */
    int items_max;     /* of a list or map */
    int text_max;      /* bytes of a string or binary */
    bool sorted;       /* values of integers grow */
};

struct rows_private {
    void *buffers[3];
};

static void rows_release(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) {
            array->children[i]->release(array->children[i]);
        }
        free(array->children[i]);
    }
    free(array->children);
    for (int64_t i = 0; i < array->n_buffers; i++) {
        free((void *)(uintptr_t)array->buffers[i]);
    }
    free(array->buffers);
    array->release = NULL;
}

static void *rows_allocate(size_t size) {
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void rows_make(struct ArrowArray *out, int64_t length, int64_t offset, int64_t buffers,
                      int64_t children) {
    *out = (struct ArrowArray){.length = length,
                               .null_count = -1,
                               .offset = offset,
                               .n_buffers = buffers,
                               .n_children = children,
                               .release = rows_release};
    out->buffers = rows_allocate((size_t)(buffers + 1) * sizeof(void *));
    out->children = children > 0 ? rows_allocate((size_t)children * sizeof(void *)) : NULL;
    for (int64_t i = 0; i < children; i++) {
        out->children[i] = rows_allocate(sizeof(struct ArrowArray));
    }
}

/* The number that stands for a value: from a small set when `distinct` says so. */
static uint64_t rows_pick(support_random *random, const struct rows_options *options, int64_t row) {
    if (options->sorted) {
        return (uint64_t)row / 3;
    }
    if (options->distinct > 0) {
        /* Spread over all bits, so that a small set has large and negative members too. */
        support_random mixed = {support_random_below(random, options->distinct) + 1};
        return support_random_u64(&mixed);
    }
    const uint64_t special = support_random_below(random, 16);
    return special == 0   ? 0
           : special == 1 ? UINT64_MAX
           : special == 2 ? (uint64_t)INT64_MAX
           : special == 3 ? (uint64_t)INT64_MIN
                          : support_random_u64(random);
}

static __int128 rows_decimal(uint64_t pick, int precision) {
    __int128 limit = 1;
    for (int i = 0; i < precision; i++) {
        limit *= 10;
    }
    unsigned __int128 wide = (unsigned __int128)pick << 64 | (pick * UINT64_C(0x9e3779b97f4a7c15));
    /* From -(limit - 1) to limit - 1, in unsigned arithmetic: twice the limit is over 127 bits. */
    return (__int128)(wide % (2 * (unsigned __int128)limit - 1) - (unsigned __int128)(limit - 1));
}

static double rows_double(uint64_t pick) {
    switch (pick % 12) {
    case 0: return 0.0;
    case 1: return -0.0;
    case 2: return (double)NAN;
    case 3: return pick % 24 < 12 ? INFINITY : -INFINITY;
    default: return ldexp((double)(int64_t)pick, -(int)(pick % 80));
    }
}

static int64_t rows_units_per_day(const stoa_type *type) {
    const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    return 86400 * per_second[type->unit];
}

/* A timestamp that every reader can show: years 1700 to 2200. */
static int64_t rows_timestamp(const stoa_type *type, uint64_t pick) {
    return ((int64_t)(pick % 182000) - 98000) * rows_units_per_day(type) +
           (int64_t)(pick % (uint64_t)rows_units_per_day(type));
}

static void rows_put(const stoa_type *type, uint64_t pick, uint8_t *data, int64_t at) {
    switch (type->kind) {
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: data[at] = (uint8_t)pick; break;
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: ((uint16_t *)(void *)data)[at] = (uint16_t)pick; break;
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32: ((uint32_t *)(void *)data)[at] = (uint32_t)pick; break;
    case STOA_TYPE_DATE: ((int32_t *)(void *)data)[at] = (int32_t)(pick % 182000) - 98000; break;
    case STOA_TYPE_TIME:
        if (type->unit == STOA_TYPE_MILLISECONDS) {
            ((int32_t *)(void *)data)[at] = (int32_t)(pick % 86400000);
        } else {
            ((int64_t *)(void *)data)[at] = (int64_t)(pick % (uint64_t)rows_units_per_day(type));
        }
        break;
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
        ((int64_t *)(void *)data)[at] = rows_timestamp(type, pick);
        break;
    case STOA_TYPE_FLOAT: ((float *)(void *)data)[at] = (float)rows_double(pick); break;
    case STOA_TYPE_DOUBLE: ((double *)(void *)data)[at] = rows_double(pick); break;
    case STOA_TYPE_DECIMAL:
        ((__int128 *)(void *)data)[at] = rows_decimal(pick, type->precision);
        break;
    case STOA_TYPE_DURATION: { /* within 64 bits of nanoseconds: readers change the unit */
        static const int64_t nanos_per_unit[] = {1000000000, 1000000, 1000, 1};
        ((int64_t *)(void *)data)[at] = (int64_t)pick / nanos_per_unit[type->unit];
        break;
    }
    case STOA_TYPE_INTERVAL: {
        const int32_t months = (int32_t)(pick % 5000), days = (int32_t)(pick % 70000);
        const int64_t nanos = (int64_t)(pick % 864000000) * 1000000;
        memcpy(data + 16 * at, &months, 4);
        memcpy(data + 16 * at + 4, &days, 4);
        memcpy(data + 16 * at + 8, &nanos, 8);
        break;
    }
    default: ((uint64_t *)(void *)data)[at] = pick; break;
    }
}

static size_t rows_width(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: return 1;
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: return 2;
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_DATE:
    case STOA_TYPE_FLOAT: return 4;
    case STOA_TYPE_TIME: return type->unit == STOA_TYPE_MILLISECONDS ? 4 : 8;
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_INTERVAL: return 16;
    default: return 8;
    }
}

/* UTF-8 (or any bytes) of a length that follows from the pick. */
static size_t rows_text(const stoa_type *type, uint64_t pick, int text_max, uint8_t *out) {
    support_random random = {pick};
    const size_t size = (size_t)support_random_below(&random, (uint64_t)text_max + 1);
    if (type->kind == STOA_TYPE_BINARY) {
        support_random_bytes(&random, out, size);
        if (pick % 7 == 0) {
            memset(out, 0xFF, size); /* has no upper bound when cut */
        }
        return size;
    }
    static const char *const letters[] = {"a", "b", "z", "\"", "\\", "\n", "é", "ß", "€", "語",
                                          "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\x7F", "'"};
    size_t done = 0;
    while (true) {
        const char *letter = letters[support_random_below(&random, 14)];
        if (pick % 5 == 0) {
            letter = letters[11]; /* the last code point, which has no next one */
        }
        const size_t length = strlen(letter);
        if (done + length > size) {
            return done;
        }
        memcpy(out + done, letter, length);
        done += length;
    }
}

static void rows_validity(support_random *random, const stoa_field *field,
                          const struct rows_options *options, struct ArrowArray *array,
                          bool nullable) {
    const int64_t total = array->offset + array->length;
    if (!nullable || (options->null_percent == 0 && support_random_bool(random))) {
        return;
    }
    (void)field;
    uint8_t *bits = rows_allocate((size_t)total / 8 + 1);
    for (int64_t i = 0; i < total; i++) {
        if (support_random_below(random, 100) >= (uint64_t)options->null_percent) {
            bits[i / 8] = (uint8_t)(bits[i / 8] | 1 << (i % 8));
        }
    }
    array->buffers[0] = bits;
}

static void rows_build(support_random *random, const stoa_field *field,
                       const struct rows_options *options, int64_t length, bool is_key,
                       struct ArrowArray *out);

/* Offsets of lists and maps; returns how many items the child must have. */
static int64_t rows_offsets(support_random *random, const struct rows_options *options,
                            struct ArrowArray *array) {
    const int64_t total = array->offset + array->length;
    int32_t *offsets = rows_allocate((size_t)(total + 1) * sizeof(int32_t));
    offsets[0] = (int32_t)support_random_below(random, 3); /* items that nobody refers to */
    for (int64_t i = 0; i < total; i++) {
        offsets[i + 1] =
            offsets[i] + (int32_t)support_random_below(random, (uint64_t)options->items_max + 1);
    }
    array->buffers[1] = offsets;
    return offsets[total] + (int64_t)support_random_below(random, 3);
}

static void rows_variable(support_random *random, const stoa_type *type,
                          const struct rows_options *options, bool is_key,
                          struct ArrowArray *array) {
    const int64_t total = array->offset + array->length;
    int32_t *offsets = rows_allocate((size_t)(total + 1) * sizeof(int32_t));
    uint8_t *data = rows_allocate((size_t)total * (size_t)(options->text_max + 24) + 1);
    for (int64_t i = 0; i < total; i++) {
        uint8_t *at = data + offsets[i];
        const size_t size = is_key ? (size_t)sprintf((char *)at, "key %lld", (long long)i)
                                   : rows_text(type, rows_pick(random, options, i),
                                               options->text_max, at);
        offsets[i + 1] = offsets[i] + (int32_t)size;
    }
    array->buffers[1] = offsets;
    array->buffers[2] = data;
}

static void rows_values(support_random *random, const stoa_type *type,
                        const struct rows_options *options, bool is_key,
                        struct ArrowArray *array) {
    const int64_t total = array->offset + array->length;
    size_t width = rows_width(type);
    if (type->kind == STOA_TYPE_UUID || type->kind == STOA_TYPE_FIXED) {
        width = type->kind == STOA_TYPE_UUID ? 16 : (size_t)type->length;
    }
    uint8_t *data = rows_allocate((size_t)total * width + 16);
    for (int64_t i = 0; i < total; i++) {
        const uint64_t pick = is_key ? (uint64_t)i : rows_pick(random, options, i);
        if (type->kind == STOA_TYPE_BOOLEAN) {
            data[i / 8] = (uint8_t)(data[i / 8] | (pick & 1) << (i % 8));
        } else if (type->kind == STOA_TYPE_UUID || type->kind == STOA_TYPE_FIXED) {
            support_random bytes = {pick};
            support_random_bytes(&bytes, data + (size_t)i * width, width);
        } else {
            rows_put(type, pick, data, i);
        }
    }
    array->buffers[1] = data;
}

static void rows_build(support_random *random, const stoa_field *field,
                       const struct rows_options *options, int64_t length, bool is_key,
                       struct ArrowArray *out) {
    const stoa_type *type = &field->type;
    const int64_t offset =
        support_random_bool(random) ? (int64_t)support_random_below(random, 11) : 0;
    const int64_t total = offset + length;
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: rows_make(out, length, offset, 0, 0); return;
    case STOA_TYPE_STRUCT:
        rows_make(out, length, offset, 1, type->child_count);
        for (int32_t i = 0; i < type->child_count; i++) {
            rows_build(random, &type->children[i], options, total, false, out->children[i]);
        }
        break;
    case STOA_TYPE_LIST:
        rows_make(out, length, offset, 2, 1);
        rows_build(random, &type->children[0], options, rows_offsets(random, options, out), false,
                   out->children[0]);
        break;
    case STOA_TYPE_MAP: {
        rows_make(out, length, offset, 2, 1);
        const int64_t items = rows_offsets(random, options, out);
        const int64_t skip = (int64_t)support_random_below(random, 5);
        rows_make(out->children[0], items, skip, 1, 2);
        rows_build(random, &type->children[0], options, items + skip, true,
                   out->children[0]->children[0]);
        rows_build(random, &type->children[1], options, items + skip, false,
                   out->children[0]->children[1]);
        break;
    }
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        rows_make(out, length, offset, 3, 0);
        rows_variable(random, type, options, is_key, out);
        break;
    default:
        rows_make(out, length, offset, 2, 0);
        rows_values(random, type, options, is_key, out);
        break;
    }
    rows_validity(random, field, options, out, !field->required && !is_key);
}

/// `length` rows of `schema`; the caller releases `out`. Equal seeds give equal rows.
static inline void rows_batch(uint64_t seed, const stoa_schema *schema,
                              const struct rows_options *options, int64_t length,
                              struct ArrowArray *out) {
    support_random random = {seed};
    rows_make(out, length, 0, 1, schema->root.child_count);
    out->null_count = 0;
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        rows_build(&random, &schema->root.children[i], options, length, false, out->children[i]);
    }
}

/* ---- Slices ---------------------------------------------------------------------------------- */

static void rows_view_release(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        free(array->children[i]);
    }
    free(array->children);
    array->release = NULL;
}

static void rows_child_release(struct ArrowArray *array) {
    array->release = NULL;
}

/// Rows [start, start + length) of `source`, which must outlive it: by the offset of the batch, or
/// by those of its columns.
static inline void rows_view(const struct ArrowArray *source, int64_t start, int64_t length,
                             bool by_columns, struct ArrowArray *out) {
    *out = *source;
    out->length = length;
    out->null_count = 0;
    out->offset = by_columns ? 0 : source->offset + start;
    out->release = rows_view_release;
    out->children = rows_allocate((size_t)source->n_children * sizeof(void *));
    for (int64_t i = 0; i < source->n_children; i++) {
        out->children[i] = rows_allocate(sizeof(struct ArrowArray));
        *out->children[i] = *source->children[i];
        out->children[i]->release = rows_child_release;
        if (by_columns) {
            out->children[i]->offset += source->offset + start;
            out->children[i]->length = length;
            out->children[i]->null_count = -1;
        }
    }
}

#endif
