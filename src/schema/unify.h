/* Schemas of several files that are one table: which field of one is which of the other, and the one
 * schema that all rows of both fit. */
#ifndef STOA_SCHEMA_UNIFY_H
#define STOA_SCHEMA_UNIFY_H

#include <stoa/schema.h>

#include "mem/arena.h"

/// How fields of two schemas are told to be the same.
typedef enum stoa_field_match {
    STOA_MATCH_BY_ID,
    STOA_MATCH_BY_NAME /* exactly, else without regard to case where that is unambiguous */
} stoa_field_match;

/// Which field of the struct type `type` stands for `field`, one of the struct type `other`; -1: none.
int32_t stoa_type_match_child(const stoa_type *type, const stoa_type *other,
                              const stoa_field *field, stoa_field_match match);

/// True when every value of `from` is one of `to`, by the rules of schema/fit.h. Primitive types.
bool stoa_type_widens(const stoa_type *from, const stoa_type *to);

/// The fields of `left` in their order, then those that only `right` has. A field of both has the
/// narrower type that holds the values of both, and the name that `left` gives it; it is required when
/// both say so, and a field that one of them lacks never. Ids are those of `left` and `right`, or, where
/// two fields would have the same, given anew (`*out_same_ids` false).
///
/// Errors   STOA_INVALID  a field's types have no such type in common: "column 'place.lat': expected
///                        double but found string" (`left`'s, `right`'s)
/// Owns     The caller closes `*out`.
STOA_MUST_USE stoa_status stoa_schema_unify(stoa_pool *pool, const stoa_schema *left,
                                            const stoa_schema *right, stoa_field_match match,
                                            const stoa_schema **out, bool *out_same_ids,
                                            stoa_error *err);

#endif
