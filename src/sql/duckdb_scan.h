/* Our tables inside DuckDB: the table function `stoa_scan` and the replacement of table names. */
#ifndef STOA_SQL_DUCKDB_SCAN_H
#define STOA_SQL_DUCKDB_SCAN_H

#include "sql/engine.h"

/// Registers both with a new instance.
STOA_MUST_USE stoa_status stoa_sql_scan_function_register(struct engine *engine, stoa_error *err);

#endif
