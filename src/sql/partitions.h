/* Files of partitioned tables for the engine's reader: they lack the columns that are partitions by
 * themselves, whose values are told beside the list of files, in its order. */
#ifndef STOA_SQL_PARTITIONS_H
#define STOA_SQL_PARTITIONS_H

#include "sql/duckdb_api.h"
#include "sql/text.h"
#include "table/table.h"

/// Of `stoa_partitioned(files, values, columns)`: a macro that gives rows with all columns of the table
/// in their order. `values` has a struct for each file, `columns` a struct of nulls named as they are.
extern const char stoa_sql_partitioned_macro[];

/// Whether files of the plan lack columns.
bool stoa_sql_plan_lacks_columns(const stoa_plan *plan);

/// The macro's `values` and `columns` for all splits of a plan. NULL when there is no memory.
duckdb_value stoa_sql_partition_values(const struct duckdb_api *api, const stoa_plan *plan,
                                       stoa_pool *pool);
duckdb_value stoa_sql_partition_columns(const struct duckdb_api *api, const stoa_plan *plan,
                                        stoa_pool *pool);

/// Appends a relation of the splits (NULL: all) with all columns, in brackets; `options` follows the
/// list of files in the call of read_parquet (", filename = 'x'").
STOA_MUST_USE stoa_status stoa_sql_add_partitioned(stoa_plan *plan, const int32_t *splits,
                                                   int32_t count, const char *options,
                                                   const stoa_context *context,
                                                   struct sql_text *text, stoa_error *err);

#endif
