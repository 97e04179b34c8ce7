/* Which types the columns of a text are read as: the target's where it names them, else what the
 * engine found. */
#ifndef STOA_INGEST_COLUMNS_H
#define STOA_INGEST_COLUMNS_H

#include <stoa/schema.h>

#include "mem/buffer.h"

typedef enum stoa_ingest_columns {
    STOA_COLUMNS_NAMED, /* those that both have */
    STOA_COLUMNS_FOUND, /* all that were found */
    STOA_COLUMNS_UNION  /* and those that only the target has */
} stoa_ingest_columns;

/// Appends the entries of a map from column to type, in the types of `target` (nullable) where it
/// names a column, else as found. A column of fractions that the target wants whole keeps its type,
/// and fails validation.
STOA_MUST_USE stoa_status stoa_ingest_columns_print(const stoa_schema *found,
                                                    const stoa_schema *target,
                                                    stoa_ingest_columns which, stoa_pool *pool,
                                                    stoa_buffer *sql, stoa_error *err);

/// True when the engine took an object of many members, at the top of JSON, for a map in one column.
bool stoa_ingest_is_one_map(const stoa_schema *found);

/// True when a part of `type` is what the engine guesses for whole numbers of both signs in JSON.
bool stoa_ingest_is_guessed_wide(const stoa_type *type);

#endif
