/* The bounds that anybody's file states, as constants that predicates compare with.
 *
 * Bounds are believed where their order is the order in which predicates compare:
 *   - integers that are not unsigned, dates, times, decimals in integers, booleans and floats have
 *     one order only, so the deprecated bounds and those of files that name no order are good too;
 *   - unsigned integers with the order of the type, or where both bounds are no less than 0 however
 *     they are read: then signed and unsigned order are one;
 *   - strings, bytes, and decimals in bytes only with the order of the type. Their deprecated bounds
 *     (compared as signed bytes, and of other values altogether in early versions of parquet-mr,
 *     PARQUET-251) are never used;
 *   - INT96, intervals, geometries and what has only nulls have none.
 * Bounds that are NaN, of a wrong size, out of their type, or in the wrong order are none, both of
 * them: statistics may be anybody's mistake. Bounds of strings may be cut; they bound all the same.
 *
 * Source   Apache Parquet format 2.12, "parquet.thrift": Statistics, ColumnOrder */
#ifndef STOA_PARQUET_READ_BOUNDS_H
#define STOA_PARQUET_READ_BOUNDS_H

#include "parquet/read_schema.h"
#include "schema/predicate.h"

/* How bounds of a leaf are read. */
typedef struct stoa_bounds_reader {
    const stoa_read_node *node;
    stoa_type type; /* of the field, without children */
    int32_t physical;
    int32_t decimal_bytes; /* of decimals of one width: a cut one would be another number; else 0 */
    bool has_order;        /* of any kind */
    bool is_number;        /* neither bytes nor INT96 */
    bool is_unsigned;      /* a number of 32 or 64 bits that is */
    bool follows_type;     /* as the file says */
} stoa_bounds_reader;

typedef struct stoa_read_bounds {
    bool has_lower;
    bool has_upper;
    stoa_value lower; /* bytes borrowed */
    stoa_value upper;
} stoa_read_bounds;

/// Borrows `node`.
stoa_bounds_reader stoa_bounds_reader_of(const stoa_parquet_footer *footer,
                                         const stoa_read_node *node, const stoa_type *type);

/// Bounds in PLAIN form without a length before them, NULL where there is none; `out` borrows them.
void stoa_bounds_reader_read(const stoa_bounds_reader *reader, const uint8_t *min, size_t min_size,
                             const uint8_t *max, size_t max_size, bool is_deprecated,
                             stoa_read_bounds *out);

/// What is known of one part of `rows` rows, with counts of -1 where they are not known; borrows
/// `bounds`. Counts that cannot be are not believed.
stoa_field_summary stoa_bounds_summary(const stoa_bounds_reader *reader, int64_t rows,
                                       int64_t null_count, int64_t nan_count,
                                       const stoa_read_bounds *bounds);

#endif
