/* Slow, obvious copies of single values: what take, concat and slices are compared with. */
#ifndef STOA_TESTS_COPY_ROWS_H
#define STOA_TESTS_COPY_ROWS_H

#include "arrow/builder.h"
#include "support.h"

/// Appends value `row` of `array` through the public appends, one leaf at a time.
void support_append_value(stoa_builder *builder, const struct ArrowSchema *schema,
                          const struct ArrowArray *array, int64_t row);

/// Rows indices[i] (-1: a null) as a new array, value by value.
void support_copy_rows(stoa_pool *pool, const struct ArrowSchema *schema,
                       const struct ArrowArray *array, const int64_t *indices, int64_t count,
                       struct ArrowArray *out);

#endif
