/* Arrays of nothing but nulls. */
#ifndef STOA_SCHEMA_NULLS_H
#define STOA_SCHEMA_NULLS_H

#include <stoa/schema.h>

/// `count` nulls of a type, in its canonical layout. Children of structs are null as well, lists and
/// maps are empty.
STOA_MUST_USE stoa_status stoa_array_make_nulls(stoa_pool *pool, const stoa_type *type,
                                                int64_t count, struct ArrowArray *out,
                                                stoa_error *err);

/// Bytes of one value in the canonical layout; for types of fixed width that is not bits.
size_t stoa_type_value_bytes(const stoa_type *type);

#endif
