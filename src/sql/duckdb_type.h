/* The engine's types as Stoa's. The other way round is stoa_sql_engine_type in duckdb_fill.h. */
#ifndef STOA_SQL_DUCKDB_TYPE_H
#define STOA_SQL_DUCKDB_TYPE_H

#include <stoa/schema.h>

#include "mem/arena.h"
#include "sql/duckdb_api.h"

/// The type of ours that keeps the meaning of the engine's: timestamps with zone are instants, enums
/// and JSON are strings, huge integers are decimal(38, 0), arrays are lists. Children are in the
/// arena; their ids are 0.
///
/// Errors   STOA_UNSUPPORTED  a type without a twin, named
STOA_MUST_USE stoa_status stoa_sql_type_from_engine(const struct duckdb_api *api, stoa_arena *arena,
                                                    duckdb_logical_type engine_type, stoa_type *out,
                                                    stoa_error *err);

/// One field's Arrow schema in the canonical layout, without ids.
STOA_MUST_USE stoa_status stoa_sql_type_arrow_schema(stoa_pool *pool, const stoa_type *type,
                                                     const char *name, struct ArrowSchema *out,
                                                     stoa_error *err);

#endif
