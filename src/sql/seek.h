/* Which of the two roads out of Parquet files a statement takes: the engine's reader, or ours. */
#ifndef STOA_SQL_SEEK_H
#define STOA_SQL_SEEK_H

#include "table/table.h"

/// Whether our reader could give the rows of a plan of Parquet files: there are enough of them, and SQL
/// sees each column as the same type by both roads.
bool stoa_sql_seek_can(const stoa_plan *plan);

/// Whether our reader is the quicker to find the rows that `predicate` (nullable) takes: it asks for few
/// values of a column that the files have.
bool stoa_sql_seek_pays(const stoa_plan *plan, const stoa_predicate *predicate);

/// Whether the predicate's constants are the very values that the statement compares with.
bool stoa_sql_seek_is_exact(const stoa_schema *schema, const stoa_predicate *predicate);

#endif
