/* Schemas inside Stoa: building them, and their twins in other systems. See include/stoa/schema.h. */
#ifndef STOA_SCHEMA_SCHEMA_H
#define STOA_SCHEMA_SCHEMA_H

#include <stoa/schema.h>

#include "mem/buffer.h"

/// Deep copy of columns into a schema; `keep_ids` false gives ids anew from 1. Checks everything
/// that a schema promises (names, ids, ranges of precision and length, depth).
STOA_MUST_USE stoa_status stoa_schema_create(stoa_pool *pool, const stoa_field *columns,
                                             int32_t column_count, bool keep_ids,
                                             const stoa_schema **out, stoa_error *err);
/// The same with ids kept, as a version of a table's schema: its number, and the highest id that the
/// table ever gave (raised to the highest id in `columns` when that is above it).
STOA_MUST_USE stoa_status stoa_schema_create_version(stoa_pool *pool, const stoa_field *columns,
                                                     int32_t column_count, int32_t schema_id,
                                                     int32_t field_id_max, const stoa_schema **out,
                                                     stoa_error *err);
/// The columns named by index, with their ids; schema_id and field_id_max stay the schema's.
STOA_MUST_USE stoa_status stoa_schema_project(stoa_pool *pool, const stoa_schema *schema,
                                              const int32_t *columns, int32_t column_count,
                                              const stoa_schema **out, stoa_error *err);

/// The same version of the same columns, ids too.
bool stoa_schema_same(const stoa_schema *left, const stoa_schema *right);

/// One field's Arrow twin.
STOA_MUST_USE stoa_status stoa_field_to_arrow(stoa_pool *pool, const stoa_field *field,
                                              struct ArrowSchema *out, stoa_error *err);
enum { STOA_ARROW_FORMAT_BYTES = 40 };

/// The format string of a type's canonical Arrow layout, without its children's.
void stoa_type_arrow_format(const stoa_type *type, char out[STOA_ARROW_FORMAT_BYTES]);
/// Iceberg's JSON. `doc`, ids, requiredness included.
STOA_MUST_USE stoa_status stoa_schema_to_json(const stoa_schema *schema, stoa_buffer *out,
                                              stoa_error *err);
/// "BIGINT", "DECIMAL(10, 2)", "STRUCT(\"lat\" DOUBLE)", as DuckDB writes types.
STOA_MUST_USE stoa_status stoa_type_to_duckdb(const stoa_type *type, stoa_buffer *out,
                                              stoa_error *err);
/// `"name"` with inner quotes doubled: an identifier for SQL, whatever is in it.
STOA_MUST_USE stoa_status stoa_sql_identifier_print(const char *name, stoa_buffer *out,
                                                    stoa_error *err);
/// `'text'` with inner quotes doubled.
STOA_MUST_USE stoa_status stoa_sql_literal_print(const char *text, stoa_buffer *out,
                                                 stoa_error *err);

#endif
