/* Which rows and columns are wanted of batches: by a predicate, exactly, and by a list of names. */
#ifndef STOA_SCHEMA_PICK_H
#define STOA_SCHEMA_PICK_H

#include "schema/predicate.h"

/// The columns that "status, total" names, as positions in `schema`; a name with a comma stands in
/// "quotes".
///
/// Errors   STOA_INVALID    the text is no list of names
///          STOA_NOT_FOUND  a name that the schema does not have
/// Owns     `*out` lies in the arena.
STOA_MUST_USE stoa_status stoa_columns_parse(stoa_arena *arena, const stoa_schema *schema,
                                             const char *text, const int32_t **out,
                                             int32_t *out_count, stoa_error *err);

/// The columns of `schema` that must be read to give `columns` (positions; NULL: all) of the rows that
/// `predicate` (nullable) takes: those and what it looks at, in the schema's order, each once. `*out`
/// is a schema of them and `*out_columns` the positions of `columns` in it; NULL where it is all of
/// the schema, or all of `*out` in its order.
///
/// Owns     The caller closes `*out`; the positions lie in the arena.
STOA_MUST_USE stoa_status stoa_pick_schema(stoa_pool *pool, stoa_arena *arena,
                                           const stoa_schema *schema,
                                           const stoa_predicate *predicate, const int32_t *columns,
                                           int32_t column_count, const stoa_schema **out,
                                           const int32_t **out_columns, stoa_error *err);

/// Makes `batch`, canonical by `schema`, the columns `columns` (NULL: all) of the rows that `predicate`
/// (NULL: all) takes, in place. Memory is shared where no row falls away.
///
/// Errors   STOA_LIMIT, STOA_NO_MEMORY; the batch is released then
STOA_MUST_USE stoa_status stoa_batch_pick(stoa_pool *pool, const stoa_schema *schema,
                                          const stoa_predicate *predicate, const int32_t *columns,
                                          int32_t column_count, struct ArrowArray *batch,
                                          stoa_error *err);

#endif
