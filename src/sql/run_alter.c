/* ALTER TABLE … ADD, DROP, RENAME and ALTER COLUMN: of tables whose kind changes columns by itself. It is
 * done at once and for all, and so not in a transaction. Types are read by DuckDB, as those of CREATE
 * TABLE, and written as our own texts. */
#include "schema/schema.h"
#include "sql/write.h"

/* "score double", or (as a type alone) "double", in the arena. */
static stoa_status print_column(stoa_arena *arena, const stoa_schema *schema, bool as_type,
                                const char **out, stoa_error *err) {
    const stoa_type *type = &schema->root.children[0].type;
    char none[1], *text = NULL;
    if (as_type && (schema->root.child_count != 1 || schema->root.children[0].required)) {
        return stoa_fail(err, STOA_INVALID, "expected a type alone");
    }
    const size_t size = 1 + (as_type ? stoa_type_print(type, none, sizeof none)
                                     : stoa_schema_print(schema, none, sizeof none));
    STOA_TRY(stoa_arena_allocate(arena, size, (void **)&text, err));
    (void)(as_type ? stoa_type_print(type, text, size) : stoa_schema_print(schema, text, size));
    *out = text;
    return STOA_OK;
}

static stoa_status alter(struct run *run, stoa_arena *arena, stoa_error *err) {
    const struct statement *parsed = &run->statement->parsed;
    const bool sets_type = parsed->alteration == STOA_STATE_SET_DATA_TYPE;
    stoa_state_alteration alteration = {.kind = parsed->alteration,
                                        .column = parsed->column,
                                        .text = parsed->new_name};
    if (sets_type || parsed->alteration == STOA_STATE_ADD_COLUMN) {
        const stoa_schema *schema = NULL;
        STOA_TRY(stoa_sql_parse_columns(run, sets_type ? "c " : "", &schema, err));
        const stoa_status status = print_column(arena, schema, sets_type, &alteration.text, err);
        stoa_schema_close(schema);
        STOA_TRY(status);
    }
    return stoa_state_alter(run->session->database, parsed->table, &alteration, 1, err);
}

stoa_status stoa_sql_run_alter(struct run *run, stoa_error *err) {
    const struct statement *parsed = &run->statement->parsed;
    const stoa_schema *schema = NULL;
    stoa_arena arena;
    bool temporary = false;
    STOA_TRY(stoa_sql_run_is_temporary(run, parsed->table, &temporary, err));
    if (temporary) {
        struct ArrowArrayStream none = {0};
        return stoa_sql_run_query(run, &none, err);
    }
    if (parsed->if_exists &&
        !stoa_table_exists(run->session->database, run->view->transaction, parsed->table)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_sql_find_target(run, STOA_CAN_ALTER, "change its columns", &schema, err));
    stoa_schema_close(schema);
    if (!run->view->own_transaction) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "columns of table '%s' are not changed within a transaction",
                         parsed->table);
    }
    stoa_arena_init(&arena, run->context.pool);
    const stoa_status status = alter(run, &arena, err);
    stoa_arena_release(&arena);
    return status;
}
