/* Finding and opening libduckdb. */
#ifndef STOA_SQL_DUCKDB_LOAD_H
#define STOA_SQL_DUCKDB_LOAD_H

#include <stoa/status.h>

#include "sql/duckdb_api.h"

/// Opens the library at the first call; later calls give the same table.
///
/// Errors   STOA_NOT_FOUND    it is nowhere; the message lists the places
///          STOA_UNSUPPORTED  it is there, in a version that is not 1.5 (named), or lacks a function
/// Owns     The table lives as long as the process.
STOA_MUST_USE stoa_status stoa_sql_duckdb_load(const struct duckdb_api **out, stoa_error *err);

/// The table that stoa_sql_duckdb_load filled: for callbacks from DuckDB, which carry nothing that leads
/// to it. NULL before.
const struct duckdb_api *stoa_sql_duckdb_loaded(void);

/// Opens the library of one folder into a table of the caller's.
STOA_MUST_USE stoa_status stoa_sql_duckdb_load_from(const char *folder, struct duckdb_api *out,
                                                    stoa_error *err);

#endif
