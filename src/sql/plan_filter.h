/* Filter expressions of DuckDB's plan, as JSON, into predicates of ours. */
#ifndef STOA_SQL_PLAN_FILTER_H
#define STOA_SQL_PLAN_FILTER_H

#include <jansson.h>

#include "schema/predicate.h"

/* The columns that an expression's references count: positions in a scan's projection. */
struct filter_scope {
    stoa_arena *arena;
    const stoa_schema *schema;
    const int32_t *columns; /* of the schema, by position; -1: not a column of the table */
    int64_t column_count;
};

/// What is known of the rows for which `expression` is true; NULL when that is nothing. May be wider
/// than the expression, never narrower.
STOA_MUST_USE stoa_status stoa_sql_plan_filter(const struct filter_scope *scope,
                                               const json_t *expression, const stoa_predicate **out,
                                               stoa_error *err);

/// Children that are not NULL under AND; all of them under OR, else NULL.
STOA_MUST_USE stoa_status stoa_sql_predicate_join(stoa_arena *arena, stoa_predicate_kind kind,
                                                  const stoa_predicate *const *children,
                                                  int32_t count, const stoa_predicate **out,
                                                  stoa_error *err);

#endif
