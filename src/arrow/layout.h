/* How the values of one Arrow field lie in memory, read from its format string. */
#ifndef STOA_ARROW_LAYOUT_H
#define STOA_ARROW_LAYOUT_H

#include <stoa/arrow.h>

#include "base/error.h"
#include "mem/buffer.h"

typedef enum stoa_arrow_kind {
    STOA_ARROW_NULL,
    STOA_ARROW_BOOL,
    STOA_ARROW_INT8,
    STOA_ARROW_UINT8,
    STOA_ARROW_INT16,
    STOA_ARROW_UINT16,
    STOA_ARROW_INT32,
    STOA_ARROW_UINT32,
    STOA_ARROW_INT64,
    STOA_ARROW_UINT64,
    STOA_ARROW_FLOAT16,
    STOA_ARROW_FLOAT,
    STOA_ARROW_DOUBLE,
    STOA_ARROW_DECIMAL, /* byte_width is 4, 8, 16 or 32 */
    STOA_ARROW_DATE32,  /* days */
    STOA_ARROW_DATE64,  /* milliseconds */
    STOA_ARROW_TIME32,  /* unit s or ms */
    STOA_ARROW_TIME64,  /* unit us or ns */
    STOA_ARROW_TIMESTAMP,
    STOA_ARROW_DURATION,
    STOA_ARROW_INTERVAL_MONTHS,
    STOA_ARROW_INTERVAL_DAY_TIME,       /* int32 days, int32 milliseconds */
    STOA_ARROW_INTERVAL_MONTH_DAY_NANO, /* int32 months, int32 days, int64 nanoseconds */
    STOA_ARROW_STRING,
    STOA_ARROW_LARGE_STRING,
    STOA_ARROW_STRING_VIEW,
    STOA_ARROW_BINARY,
    STOA_ARROW_LARGE_BINARY,
    STOA_ARROW_BINARY_VIEW,
    STOA_ARROW_FIXED, /* byte_width bytes */
    STOA_ARROW_LIST,
    STOA_ARROW_LARGE_LIST,
    STOA_ARROW_FIXED_LIST, /* list_size items */
    STOA_ARROW_STRUCT,
    STOA_ARROW_MAP,
    STOA_ARROW_DENSE_UNION,
    STOA_ARROW_SPARSE_UNION,
    STOA_ARROW_RUN_END
} stoa_arrow_kind;

typedef enum stoa_time_unit {
    STOA_UNIT_SECOND,
    STOA_UNIT_MILLISECOND,
    STOA_UNIT_MICROSECOND,
    STOA_UNIT_NANOSECOND
} stoa_time_unit;

typedef struct stoa_arrow_layout {
    stoa_arrow_kind kind; /* of a dictionary-encoded field: the kind of its indices */
    stoa_time_unit unit;
    int32_t precision;
    int32_t scale;
    int32_t byte_width;   /* of a value in the data buffer; 0 for bits and for variable lengths */
    int32_t list_size;
    int32_t buffer_count; /* as the specification counts them; views have two and more */
    bool dictionary;           /* the values are in schema->dictionary */
    const char *timezone_view; /* part of the schema's format; "" for none */
} stoa_arrow_layout;

/// How deep a tree of fields may go; every function that walks one answers STOA_INVALID beyond it,
/// so that a hostile schema cannot exhaust the stack.
enum { STOA_ARROW_DEPTH_MAX = 64 };

/// Reads one node: its format and the number of its children, not the children's own formats.
///
/// Errors   STOA_INVALID      not a format of the specification, or the wrong number of children
///          STOA_UNSUPPORTED  a format that Stoa does not hold (named)
STOA_MUST_USE stoa_status stoa_arrow_layout_parse(const struct ArrowSchema *schema,
                                                  stoa_arrow_layout *out, stoa_error *err);

/// "int32", "timestamp[us, tz=UTC]", "list<item: string>", as PyArrow prints them.
STOA_MUST_USE stoa_status stoa_arrow_type_print(const struct ArrowSchema *schema,
                                                stoa_buffer *out, stoa_error *err);

/// "list", "decimal", "run-end encoded": for messages.
const char *stoa_arrow_kind_name(stoa_arrow_kind kind);

/// 1, 1000, 1000000 or 1000000000.
int64_t stoa_time_unit_per_second(stoa_time_unit unit);

/// What `kind` is made of, for the functions that treat many kinds alike.
static inline bool stoa_arrow_kind_is_integer(stoa_arrow_kind kind) {
    return kind >= STOA_ARROW_INT8 && kind <= STOA_ARROW_UINT64;
}
/// Strings, binaries and their large twins: validity, offsets, bytes.
static inline bool stoa_arrow_kind_has_bytes(stoa_arrow_kind kind) {
    return kind == STOA_ARROW_STRING || kind == STOA_ARROW_LARGE_STRING ||
           kind == STOA_ARROW_BINARY || kind == STOA_ARROW_LARGE_BINARY;
}
static inline bool stoa_arrow_kind_is_view(stoa_arrow_kind kind) {
    return kind == STOA_ARROW_STRING_VIEW || kind == STOA_ARROW_BINARY_VIEW;
}
/// Lists, large lists and maps: validity, offsets, one child.
static inline bool stoa_arrow_kind_is_list(stoa_arrow_kind kind) {
    return kind == STOA_ARROW_LIST || kind == STOA_ARROW_LARGE_LIST || kind == STOA_ARROW_MAP;
}
/// 8 where offsets have 64 bits, 4 elsewhere.
static inline int32_t stoa_arrow_offset_bytes(stoa_arrow_kind kind) {
    return kind == STOA_ARROW_LARGE_STRING || kind == STOA_ARROW_LARGE_BINARY ||
                   kind == STOA_ARROW_LARGE_LIST
               ? 8
               : 4;
}
/// False for null, unions and run ends, which carry no validity buffer.
static inline bool stoa_arrow_kind_has_validity(stoa_arrow_kind kind) {
    return kind != STOA_ARROW_NULL && kind < STOA_ARROW_DENSE_UNION;
}

#endif
