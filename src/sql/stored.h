/* Columns on their way from a table through the engine and back: what the engine cannot carry. */
#ifndef STOA_SQL_STORED_H
#define STOA_SQL_STORED_H

#include <stoa/schema.h>

#include "sql/text.h"

/// Refuses columns whose values the engine would round: it counts instants with zone and durations
/// in microseconds. Rows of such a table may be read, but not written anew.
///
/// Errors   STOA_UNSUPPORTED  the column, named
STOA_MUST_USE stoa_status stoa_sql_check_carried(const stoa_schema *schema, stoa_error *err);

/// Writes the column as an expression of its engine type: `CAST("total" AS DECIMAL(5, 2))`. Parquet
/// files keep durations as plain numbers, which are given their unit again when `parquet`.
///
/// Errors   STOA_UNSUPPORTED  a duration within another type, in Parquet
STOA_MUST_USE stoa_status stoa_sql_add_stored(struct sql_text *text, const stoa_field *field,
                                              bool parquet, stoa_error *err);

#endif
