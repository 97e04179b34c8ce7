/* DELETE, UPDATE and TRUNCATE: what their two roads share, parts that are written anew (run_change.c) and
 * rows that are changed by their keys (run_change_keys.c). */
#ifndef STOA_SQL_CHANGE_H
#define STOA_SQL_CHANGE_H

#include "sql/write.h"

struct change {
    struct run *run;
    const stoa_schema *schema;
    stoa_plan *plan; /* NULL: by key */
    bool is_update;
    bool by_key;
    int32_t *splits; /* that have rows to change */
    int32_t split_count;
    int64_t changed; /* rows that the condition is true for */
};

bool stoa_sql_change_has_where(const struct change *change);
/// " AS alias"
STOA_MUST_USE stoa_status stoa_sql_change_add_alias(const struct change *change,
                                                    struct sql_text *text, stoa_error *err);
/// "(condition)", or "(true)"
STOA_MUST_USE stoa_status stoa_sql_change_add_condition(const struct change *change,
                                                        struct sql_text *text, stoa_error *err);
/// What the statement assigns to a column; NULL: nothing.
const struct assignment *stoa_sql_change_assignment(const struct change *change, int32_t column);
/// `function`((value) AS TYPE)
STOA_MUST_USE stoa_status stoa_sql_change_add_value(const struct change *change,
                                                    const struct assignment *assignment,
                                                    const char *function, const stoa_type *type,
                                                    struct sql_text *text, stoa_error *err);
/// Says which assignment does not fit its column, when the engine's message does not.
void stoa_sql_change_explain(struct change *change, stoa_error *err);

/// The statement on a table with a key.
STOA_MUST_USE stoa_status stoa_sql_change_by_key(struct change *change, stoa_error *err);

#endif
