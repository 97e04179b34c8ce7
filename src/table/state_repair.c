/* Damage of a database's state tables: found, and repaired. The catalog, which has their names, is not looked
 * at but for these. */
#include "lsm/repair.h"
#include "table/kind_state.h"
#include "table/state_home.h"

/* Whom damage is told, with the names of tables. */
struct listener {
    const stoa_view *view;
    stoa_damage_function function;
    void *user;
};

static void report(void *user, int64_t table_id, const stoa_error *damage) {
    const struct listener *listener = user;
    stoa_error named = *damage;
    for (int64_t i = 0; i < listener->view->count; i++) {
        const stoa_entry *entry = listener->view->entries[i];
        if (entry->id == table_id) {
            stoa_wrap(&named, "table '%s'", entry->name);
        }
    }
    listener->function(listener->user, &named);
}

static stoa_status options_for(stoa_database *database, struct listener *listener,
                               stoa_store_repair_options *out, stoa_error *err) {
    *out = (stoa_store_repair_options){.context = database->context,
                                       .file_systems = database->file_systems,
                                       .function = listener->function == NULL ? NULL : report,
                                       .user = listener};
    return stoa_state_home_directory(database, &out->directory, err);
}

/* ---- Verifying ------------------------------------------------------------------------------- */

static stoa_status examine(stoa_database *database, stoa_kind_check *check, const int64_t *tables,
                           int64_t table_count, stoa_error *err) {
    struct listener listener = {check->view, check->function, check->user};
    stoa_store_repair_options options;
    stoa_state_repair_result result = {0};
    STOA_TRY(options_for(database, &listener, &options, err));
    options.context = check->context;
    options.tables = tables;
    options.table_count = table_count;
    const stoa_status status = stoa_store_examine(&options, &result, err);
    check->files += result.file_count;
    check->bytes += result.byte_count;
    return status;
}

stoa_status stoa_kind_state_verify(stoa_database *database, stoa_kind_check *check,
                                   stoa_error *err) {
    const stoa_view *view = check->view;
    int64_t *tables = NULL, count = 0;
    if (check->entry != NULL) {
        return examine(database, check, &check->entry->id, 1, err);
    }
    STOA_TRY(stoa_pool_allocate_array(database->pool, (size_t)view->count, sizeof *tables,
                                      (void **)&tables, err));
    for (int64_t i = 0; i < view->count; i++) {
        if (view->entries[i]->kind == &stoa_table_kind_state) {
            tables[count++] = view->entries[i]->id;
        }
    }
    const stoa_status status = examine(database, check, tables, count, err);
    stoa_pool_free(database->pool, tables, (size_t)view->count * sizeof *tables);
    return status;
}

/* ---- Repairing ------------------------------------------------------------------------------- */

static stoa_status run(stoa_database *database, const stoa_state_repair_options *options,
                       stoa_state_repair_result *out, stoa_error *err) {
    struct listener listener = {.function = options->function, .user = options->user};
    stoa_view *view = NULL;
    stoa_store_repair_options store;
    STOA_TRY(options_for(database, &listener, &store, err));
    store.context.cancel = options->context.cancel;
    store.dry_run = options->dry_run;
    if (!options->dry_run) {
        STOA_TRY(stoa_database_check_writable(database, err));
    }
    STOA_TRY(stoa_database_pin(database, &view, err));
    listener.view = view;
    const stoa_status status = stoa_store_repair(&store, out, err);
    stoa_database_unpin(database, view);
    return status;
}

stoa_status stoa_state_repair(stoa_database *database, const stoa_state_repair_options *options,
                              stoa_state_repair_result *out, stoa_error *err) {
    static const stoa_state_repair_options none = {0};
    stoa_state_repair_result ignored;
    *(out == NULL ? &ignored : out) = (stoa_state_repair_result){0};
    return run(database, options == NULL ? &none : options, out == NULL ? &ignored : out, err);
}
