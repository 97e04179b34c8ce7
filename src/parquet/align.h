/* The rows of one file as rows of another schema: columns found by field id or by name, in the order
 * of that schema, missing ones null, narrower ones widened; nested fields too. */
#ifndef STOA_PARQUET_ALIGN_H
#define STOA_PARQUET_ALIGN_H

#include "parquet/align_constant.h"
#include "parquet/reader.h"
#include "schema/unify.h"

typedef struct stoa_parquet_align {
    stoa_arena arena;
    const stoa_schema *schema; /* of the rows; retained */
    const stoa_schema *stored; /* those of its columns that are no constants */
    const struct stoa_parquet_column *columns; /* of `schema`; NULL: there are no constants */
    const int32_t *field_ids;  /* of the file, to be read; NULL: all */
    int32_t field_count;
    struct ArrowSchema found; /* of what is read, under the schema's names */
    const struct stoa_parquet_spot *hollow;  /* structs of which only where they are null is wanted */
    const struct stoa_parquet_spot *seconds; /* times in seconds, which files have as milliseconds */
    bool same;                               /* what is read lies as it is wanted */
} stoa_parquet_align;

/// How the files of a table, or of a load, are read by field id: where the schema has ids that mean
/// something to the file.
stoa_field_match stoa_parquet_align_match(const stoa_parquet_reader *reader);

/// Finds what `schema` (retained) needs of the file. `constants` are columns that are not in it.
/// `validates`: texts and decimals are checked to be
/// what their types say, as files of others need it, even where nothing else is to be done.
///
/// Errors   STOA_INVALID  a column's type does not widen to the schema's, or a required column is
///                        missing: "column 'total': expected long but found string"
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller releases `out`, which may move but for that; also on error.
STOA_MUST_USE stoa_status stoa_parquet_align_init(stoa_pool *pool,
                                                  const stoa_parquet_reader *reader,
                                                  const stoa_schema *schema,
                                                  const stoa_parquet_constant *constants,
                                                  int32_t constant_count, stoa_field_match match,
                                                  bool validates, stoa_parquet_align *out,
                                                  stoa_error *err);
void stoa_parquet_align_release(stoa_parquet_align *align);

/// Makes a batch of a stream over `field_ids` one in the canonical layout of the schema, in place.
///
/// Errors   STOA_INVALID  a value does not fit its type (also milliseconds, where the schema has
///                        seconds), or is null where the schema requires one
///          STOA_LIMIT, STOA_NO_MEMORY; the batch is released then
/// Threads  Any number at once for different batches.
STOA_MUST_USE stoa_status stoa_parquet_align_batch(const stoa_parquet_align *align, stoa_pool *pool,
                                                   struct ArrowArray *batch, stoa_error *err);

#endif
