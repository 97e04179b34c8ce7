/* Rows of several arrays of one column, in any order, as one array. */
#ifndef STOA_LSM_INTERLEAVE_H
#define STOA_LSM_INTERLEAVE_H

#include "lsm/interleave_kernel.h"
#include "lsm/stripe.h"

/* An array of the column; its row 0 is value `at` of its buffers. */
typedef struct stoa_interleave_source {
    const struct ArrowArray *array;
    int64_t at;
} stoa_interleave_source;

/// `places` of the sources, which have the canonical layout of column `column` (not of the key), as an
/// array of the same layout.
///
/// Errors   STOA_LIMIT  more than 2 GiB of texts or 2^31 items; STOA_NO_MEMORY
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_interleave_column(const stoa_stripe_layout *layout, stoa_pool *pool,
                                                 int32_t column,
                                                 const stoa_interleave_source *sources,
                                                 int32_t source_count, const stoa_place *places,
                                                 int64_t count, struct ArrowArray *out,
                                                 stoa_error *err);

#endif
