/* Predicates: trees over field ids and typed constants, with SQL's three-valued logic.
 *
 * The tree belongs to no engine: DuckDB's plan, text on the command line and others are turned into
 * it. It is used in two ways that are never mixed: *may this part match* against what is known of a
 * part (where "no" is proven), and *which rows match* on a batch (exactly). */
#ifndef STOA_SCHEMA_PREDICATE_H
#define STOA_SCHEMA_PREDICATE_H

#include <stoa/schema.h>

#include "mem/arena.h"
#include "mem/buffer.h"

typedef enum stoa_predicate_kind {
    STOA_PREDICATE_TRUE,
    STOA_PREDICATE_FALSE,
    STOA_PREDICATE_AND,   /* children */
    STOA_PREDICATE_OR,    /* children */
    STOA_PREDICATE_NOT,   /* one child */
    STOA_PREDICATE_EQUAL, /* field op values[0], and so on down */
    STOA_PREDICATE_NOT_EQUAL,
    STOA_PREDICATE_LESS,
    STOA_PREDICATE_LESS_EQUAL,
    STOA_PREDICATE_GREATER,
    STOA_PREDICATE_GREATER_EQUAL,
    STOA_PREDICATE_IN, /* field among values[0..value_count) */
    STOA_PREDICATE_IS_NULL,
    STOA_PREDICATE_IS_NOT_NULL,
    STOA_PREDICATE_STARTS_WITH /* strings and binaries */
} stoa_predicate_kind;

/// A constant of a primitive type. Integers, dates, times, timestamps and durations are in `i`
/// (unsigned 64 bits as its bits), decimals unscaled in `decimal`, floats in `f`, strings, binaries,
/// fixed and uuids in `bytes`. A null constant makes comparisons unknown.
typedef struct stoa_value {
    stoa_type type;
    bool is_null;
    int64_t i;
    double f;
    __int128 decimal;
    const uint8_t *bytes;
    size_t size;
} stoa_value;

typedef struct stoa_predicate stoa_predicate;
struct stoa_predicate {
    stoa_predicate_kind kind;
    int32_t field_id; /* leaves only; at any depth of structs. Comparisons ask for a primitive field
                         that is no interval, null tests for any. */
    const stoa_value *values;
    int32_t value_count;
    const stoa_predicate *const *children;
    int32_t child_count;
};

/// What is known of one field in one part of a table (a file, a row group, a page). Bounds include
/// the extremes and may be wider than the truth; NULL bounds are unknown; counts of -1 are unknown.
/// NaN is in no bound: `may_have_nan` is false only when that is known.
typedef struct stoa_field_summary {
    int32_t field_id;
    int64_t value_count; /* rows, nulls included */
    int64_t null_count;
    bool may_have_nan;
    const stoa_value *lower;
    const stoa_value *upper;
} stoa_field_summary;

/// False only when it is proven that no row of the part makes the predicate true.
bool stoa_predicate_may_match(const stoa_predicate *predicate, const stoa_schema *schema,
                              const stoa_field_summary *summaries, int32_t summary_count);

/// Sets bit i of `selection` (stoa_bitmap_bytes(batch->length) bytes) exactly when row i makes the
/// predicate true. `batch` has the canonical layout of `schema`.
STOA_MUST_USE stoa_status stoa_predicate_select(const stoa_predicate *predicate,
                                                const stoa_schema *schema,
                                                const struct ArrowArray *batch, stoa_pool *pool,
                                                uint8_t *selection, stoa_error *err);

/// Parses SQL-like text over column names: "total > 50 and status in ('new', 'paid')", with =, <>,
/// !=, <, <=, >, >=, [not] between, [not] in, is [not] null, like 'prefix%', and, or, not,
/// parentheses, typed literals (date '2024-01-01', timestamp '…', true, null). Constants are turned
/// into the column's type exactly, or the comparison is decided at once (int column < 2.5).
///
/// Errors   STOA_INVALID  with `err->offset` the byte in `text`
STOA_MUST_USE stoa_status stoa_predicate_parse(stoa_arena *arena, const stoa_schema *schema,
                                               const char *text, const stoa_predicate **out,
                                               stoa_error *err);
/// The predicate as text that stoa_predicate_parse and DuckDB both read.
STOA_MUST_USE stoa_status stoa_predicate_print(const stoa_predicate *predicate,
                                               const stoa_schema *schema, stoa_buffer *out,
                                               stoa_error *err);

/// -1, 0 or 1 by the order of the type: numbers by value with -0.0 = 0.0 and NaN above all, strings
/// and binaries by unsigned bytes. Both are of the same kind and not null.
int stoa_value_compare(const stoa_value *left, const stoa_value *right);
/// A constant from a value's text ("2024-01-01", "12.50") for a column's type.
STOA_MUST_USE stoa_status stoa_value_parse(stoa_arena *arena, const stoa_type *type,
                                           const char *text, size_t size, stoa_value *out,
                                           stoa_error *err);
/// Value `row` of an array in the type's canonical layout; bytes are borrowed from the array.
void stoa_value_from_array(const stoa_type *type, const struct ArrowArray *array, int64_t row,
                           stoa_value *out);

#endif
