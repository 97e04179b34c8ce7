/* The Arrow schema in the footer, from which Arrow's readers restore what Parquet has no type for. */
#ifndef STOA_PARQUET_ARROW_SCHEMA_H
#define STOA_PARQUET_ARROW_SCHEMA_H

#include <stoa/context.h>
#include <stoa/schema.h>

#include "mem/buffer.h"
#include "parquet/footer.h"

/// Appends the value of the key "ARROW:schema": the IPC schema message of the schema's Arrow twin,
/// in base 64.
STOA_MUST_USE stoa_status stoa_parquet_arrow_schema(const stoa_context *context,
                                                    const stoa_schema *schema, stoa_buffer *out,
                                                    stoa_error *err);

/// Gives the fields of a schema that was made from the schema elements the types that the value of
/// "ARROW:schema" says and Parquet's own schema cannot: durations and UUIDs. A value that does not
/// decode, or that is of another schema, changes nothing.
///
/// Errors   STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_parquet_arrow_schema_apply(const stoa_context *context,
                                                          const stoa_parquet_footer *footer,
                                                          stoa_type *root, stoa_error *err);

#endif
