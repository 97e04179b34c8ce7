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
    bool dictionary;      /* the values are in schema->dictionary */
    const char *timezone_view; /* part of the format; "" for none */
} stoa_arrow_layout;

/// Errors   STOA_INVALID      not a format of the specification
///          STOA_UNSUPPORTED  a format that Stoa does not hold (named)
STOA_MUST_USE stoa_status stoa_arrow_layout_parse(const struct ArrowSchema *schema,
                                                  stoa_arrow_layout *out, stoa_error *err);

/// "int32", "timestamp[us, tz=UTC]", "list<item: string>", as PyArrow prints them.
STOA_MUST_USE stoa_status stoa_arrow_type_print(const struct ArrowSchema *schema,
                                                stoa_buffer *out, stoa_error *err);

int64_t stoa_time_unit_per_second(stoa_time_unit unit);

#endif
