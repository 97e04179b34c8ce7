/* Row 0 of an Arrow array as a value for a parameter. */
#ifndef STOA_SQL_PARAMETER_VALUE_H
#define STOA_SQL_PARAMETER_VALUE_H

#include <stoa/arrow.h>

#include "sql/duckdb_api.h"

/// Errors   STOA_UNSUPPORTED  a type that has no parameter here (nested ones, dictionaries, …)
/// Owns     The caller frees `*out` with api->destroy_value.
STOA_MUST_USE stoa_status stoa_sql_parameter_value(const struct duckdb_api *api,
                                                   const struct ArrowSchema *schema,
                                                   const struct ArrowArray *array,
                                                   duckdb_value *out, stoa_error *err);

#endif
