/* Bounds and null counts of a leaf, for the footer and for the summary of a file.
 *
 * Source   Apache Parquet format 2.11, "parquet.thrift": Statistics, ColumnOrder */
#ifndef STOA_PARQUET_STATISTICS_H
#define STOA_PARQUET_STATISTICS_H

#include "parquet/levels.h"
#include "schema/predicate.h"

enum { STOA_BOUND_BYTES = 64 }; /* longer strings are cut */

typedef enum stoa_bound_state {
    STOA_BOUND_NONE,   /* there are no values (other than nulls and NaN) to bound */
    STOA_BOUND_EXACT,  /* the bound is a value */
    STOA_BOUND_CUT,    /* the bound lies beyond the values */
    STOA_BOUND_UNKNOWN /* there are values, but no bound that may be written */
} stoa_bound_state;

/// A bound in Parquet's PLAIN form without a length before it.
typedef struct stoa_bound {
    stoa_bound_state state;
    uint32_t size;
    uint8_t bytes[STOA_BOUND_BYTES];
} stoa_bound;

typedef struct stoa_leaf_statistics {
    int64_t level_count; /* values, nulls included */
    int64_t null_count;
    bool has_nan;
    bool distinct_known;
    int64_t distinct_count; /* of the values that are not null */
    stoa_bound min;
    stoa_bound max;
} stoa_leaf_statistics;

/// Counts and bounds of `value_count` values in the leaf's form among `level_count` levels.
void stoa_statistics_of_values(const stoa_leaf *leaf, const void *values, int64_t value_count,
                               int64_t level_count, stoa_leaf_statistics *out);

/// Below 0, 0 or above 0 as two known bounds of a leaf compare.
int stoa_bound_compare(const stoa_leaf *leaf, const stoa_bound *left, const stoa_bound *right);

/// The same of two values of a leaf of FIXED or BYTES class.
int stoa_views_compare(stoa_leaf_class value_class, const stoa_bytes_view *left,
                       const stoa_bytes_view *right);

static inline bool stoa_bound_is_known(const stoa_bound *bound) {
    return bound->state == STOA_BOUND_EXACT || bound->state == STOA_BOUND_CUT;
}

/// Widens `total` by `part`. All-zero is the total of nothing.
void stoa_statistics_merge(const stoa_leaf *leaf, stoa_leaf_statistics *total,
                           const stoa_leaf_statistics *part);

/// Field `id` of the struct that is being written. Beside NaN no bound is written: it stands in none, and
/// engines for which NaN is above all numbers (DuckDB is one) take the greatest number for the greatest
/// value and would pass over rows.
void stoa_statistics_write(stoa_thrift_writer *writer, int16_t id,
                           const stoa_leaf_statistics *statistics);

/// A bound as a constant of the leaf's type; NULL where it is not known.
STOA_MUST_USE stoa_status stoa_statistics_value(const stoa_leaf *leaf, const stoa_bound *bound,
                                                stoa_arena *arena, const stoa_value **out,
                                                stoa_error *err);

#endif
