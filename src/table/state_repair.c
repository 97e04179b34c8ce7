/* Repairing a database's state tables. The catalog, which has their names, is not looked at but for these. */
#include "lsm/repair.h"
#include "table/state_home.h"

struct repair {
    const stoa_state_repair_options *options;
    const stoa_view *view;
};

/* With the name of the table, as verifying has it. */
static void report(void *user, int64_t table_id, const stoa_error *damage) {
    const struct repair *repair = user;
    stoa_error named = *damage;
    for (int64_t i = 0; i < repair->view->count; i++) {
        const stoa_entry *entry = repair->view->entries[i];
        if (entry->id == table_id) {
            stoa_wrap(&named, "table '%s'", entry->name);
        }
    }
    repair->options->function(repair->options->user, &named);
}

static stoa_status run(stoa_database *database, const stoa_state_repair_options *options,
                       stoa_state_repair_result *out, stoa_error *err) {
    struct repair repair = {.options = options};
    stoa_view *view = NULL;
    stoa_store_repair_options store = {
        .context = database->context,
        .file_systems = database->file_systems,
        .dry_run = options->dry_run,
        .function = options->function == NULL ? NULL : report,
        .user = &repair,
    };
    store.context.cancel = options->context.cancel;
    STOA_TRY(stoa_state_home_directory(database, &store.directory, err));
    if (!options->dry_run) {
        STOA_TRY(stoa_database_check_writable(database, err));
    }
    STOA_TRY(stoa_database_pin(database, &view, err));
    repair.view = view;
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
