/* Does a batch fit a schema? And bringing a batch that fits in meaning into the canonical layout. */
#ifndef STOA_SCHEMA_VALIDATE_H
#define STOA_SCHEMA_VALIDATE_H

#include <stoa/schema.h>

/// Checks a batch against a schema: the columns are there by name (order free, none missing unless
/// optional, none unknown), their Arrow types are twins or widen without loss, required fields hold
/// no nulls, strings are UTF-8, decimals lie within their precision, times within the day. The
/// first error rejects the whole batch.
///
/// Errors   STOA_INVALID  row, column path, expected, found and the value:
///          "row 17, column 'total': expected decimal(5, 2) but found 123456.78"
STOA_MUST_USE stoa_status stoa_batch_validate(const stoa_schema *schema,
                                              const struct ArrowSchema *arrow,
                                              const struct ArrowArray *batch, stoa_error *err);

/// The part of it that needs no values: whether batches of `arrow` can fit at all. Errors as above,
/// without a row.
STOA_MUST_USE stoa_status stoa_batch_validate_types(const stoa_schema *schema,
                                                    const struct ArrowSchema *arrow,
                                                    stoa_error *err);

/// Validates `batch`, then moves it into the schema's canonical Arrow layout (stoa_schema_to_arrow):
/// columns in order, missing optional ones null, numbers widened, dictionaries, large and view
/// layouts made plain. Buffers that fit already are shared, not copied. Takes `batch`, also on
/// error.
STOA_MUST_USE stoa_status stoa_batch_conform(stoa_pool *pool, const stoa_schema *schema,
                                             const struct ArrowSchema *arrow,
                                             struct ArrowArray *batch, struct ArrowArray *out,
                                             stoa_error *err);

#endif
