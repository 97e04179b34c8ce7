/* What the statements that write tables share. */
#ifndef STOA_SQL_WRITE_H
#define STOA_SQL_WRITE_H

#include "sql/session.h"

/// `function`(value AS TYPE)
STOA_MUST_USE stoa_status stoa_sql_add_cast(struct sql_text *text, const char *function,
                                            const stoa_type *type, const char *value,
                                            stoa_error *err);

/// The columns in the statement's body, their types as DuckDB reads them. `name` ("c ") stands before it
/// where it is a type alone. The caller closes the schema.
STOA_MUST_USE stoa_status stoa_sql_parse_columns(struct run *run, const char *name,
                                                 const stoa_schema **out, stoa_error *err);

/// The statement's table in the run's view, which must have the capability. The caller closes the
/// schema.
STOA_MUST_USE stoa_status stoa_sql_find_target(struct run *run, uint32_t capability,
                                               const char *what, const stoa_schema **out,
                                               stoa_error *err);

#endif
