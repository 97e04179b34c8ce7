/* Building predicates inside an arena. */
#ifndef STOA_SCHEMA_PREDICATE_BUILD_H
#define STOA_SCHEMA_PREDICATE_BUILD_H

#include "schema/constant.h"
#include "schema/predicate.h"

enum {
    /* Of a predicate's tree. Text nests less; trees from programs are refused beyond it. */
    STOA_PREDICATE_DEPTH_MAX = 400
};

/// A constant as it was written, before a column's type is known.
typedef struct stoa_literal {
    enum { STOA_LITERAL_NULL, STOA_LITERAL_BOOLEAN, STOA_LITERAL_NUMBER, STOA_LITERAL_TEXT } form;
    bool typed; /* "date '2024-01-01'", "'2024-01-01'::date": `type` says which */
    stoa_type type;
    bool truth;
    const char *text;
    size_t size;
} stoa_literal;

STOA_MUST_USE stoa_status stoa_predicate_leaf(stoa_arena *arena, stoa_predicate_kind kind,
                                              int32_t field_id, const stoa_value *values,
                                              int32_t value_count, const stoa_predicate **out,
                                              stoa_error *err);
/// AND, OR, NOT over children that are copied as pointers.
STOA_MUST_USE stoa_status stoa_predicate_node(stoa_arena *arena, stoa_predicate_kind kind,
                                              const stoa_predicate *const *children,
                                              int32_t child_count, const stoa_predicate **out,
                                              stoa_error *err);

/// "field op literal", with the literal turned into the field's type exactly, or the comparison
/// decided: false, or true, for every value that is not null.
///
/// Errors   STOA_INVALID  the literal has no meaning for the field's type
STOA_MUST_USE stoa_status stoa_predicate_compare(stoa_arena *arena, stoa_predicate_kind op,
                                                 const stoa_field *field,
                                                 const stoa_literal *literal,
                                                 const stoa_predicate **out, stoa_error *err);
/// "field in (literals)"; literals that no value equals are left out.
STOA_MUST_USE stoa_status stoa_predicate_in(stoa_arena *arena, const stoa_field *field,
                                            const stoa_literal *literals, int32_t count,
                                            const stoa_predicate **out, stoa_error *err);

#endif
