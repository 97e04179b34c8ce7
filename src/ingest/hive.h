/* Columns that stand in the names of folders: "dir/status=new/day=2024-01-01/x.parquet". */
#ifndef STOA_INGEST_HIVE_H
#define STOA_INGEST_HIVE_H

#include <stoa/schema.h>

#include "mem/arena.h"
#include "schema/predicate.h"

/// Every "name=value" folder of a list of files. All-zero is none.
typedef struct stoa_hive_columns {
    stoa_arena arena;
    const char **names;
    stoa_type *types;
    int32_t count;
    const stoa_value *values; /* of file f: [f * count, (f + 1) * count) */
} stoa_hive_columns;

/// Finds the columns of `paths`, in the order in which they first come. A type is that of the column of
/// this name in `known` (nullable), if there is one; else long, date or timestamp where every value is
/// written as one, and string for all others ("007" is a string). A file that lacks a folder which
/// others have is null there, as __HIVE_DEFAULT_PARTITION__ and an empty value are.
///
/// Errors   STOA_INVALID  a value that is none of the type in `known`, with file and column
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_hive_find(stoa_pool *pool, const char *const *paths, size_t count,
                                         const stoa_schema *known, stoa_hive_columns *out,
                                         stoa_error *err);
void stoa_hive_release(stoa_hive_columns *columns);

/// The columns of `schema` with those of the folders: at its place, with the folders' type, where there
/// is one of the name already, for the folder's value counts; else behind all others, with new ids.
/// `*out_ids` (in the arena of `columns`) are their field ids.
STOA_MUST_USE stoa_status stoa_hive_add_columns(stoa_hive_columns *columns, stoa_pool *pool,
                                                const stoa_schema *schema, const stoa_schema **out,
                                                const int32_t **out_ids, stoa_error *err);

#endif
