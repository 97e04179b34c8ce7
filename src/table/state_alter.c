/* Columns of state tables that change. The store says which ones a table has, in one durable edit; the
 * catalog, where others look, follows it. A process that ends between the two leaves a catalog that is
 * behind: plans and handles go by the store, and who next opens it for writing corrects the catalog. So
 * from the edit on the change has happened, and nothing that fails later takes it back. */
#include "lsm/store.h"
#include "schema/schema.h"
#include "table/state_home.h"

enum { TRIES = 20 }; /* others may rename the table, or alter it too */

struct target {
    stoa_database *database;
    stoa_store *store;
    int64_t id;
};

/* The table's name as it is now, a copy; NULL where it was dropped. */
static stoa_status find_name(const struct target *target, char **out, stoa_error *err) {
    stoa_view *view = NULL;
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_TRY(stoa_database_pin(target->database, &view, err));
    for (int64_t i = 0; i < view->count; i++) {
        if (view->entries[i]->id == target->id) {
            status = stoa_pool_copy_string(target->database->pool, view->entries[i]->name, out, err);
        }
    }
    stoa_database_unpin(target->database, view);
    return status;
}

static stoa_status follow_once(const struct target *target, stoa_error *err) {
    stoa_state *state = NULL;
    char *name = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(find_name(target, &name, err));
    if (name == NULL) {
        goto done;
    }
    STOA_CHECK(stoa_store_open_table(target->store, target->id, &state, err));
    STOA_CHECK(stoa_table_follow_schema(target->database, name, stoa_state_schema(state), err));

done:
    stoa_state_close(state);
    stoa_pool_free_string(target->database->pool, name);
    return status;
}

/* Each try takes the columns that the table has then. */
static void follow(const struct target *target) {
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = STOA_CONFLICT;
    for (int i = 0; i < TRIES && status == STOA_CONFLICT; i++) {
        status = follow_once(target, &error);
    }
    if (status != STOA_OK && status != STOA_NOT_FOUND) {
        stoa_log(&target->database->logger, STOA_LOG_WARN, "table",
                 "columns were changed, and the catalog does not say so yet: %s", error.message);
    }
}

static stoa_status find_target(stoa_database *database, const char *table, struct target *out,
                               stoa_error *err) {
    stoa_view *view = NULL;
    stoa_entry *entry = NULL;
    *out = (struct target){.database = database};
    STOA_TRY(stoa_database_pin(database, &view, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_view_lookup(view, table, &entry, err));
    STOA_CHECK(stoa_state_home_check_kind(entry, err));
    STOA_CHECK(stoa_state_home_write(database, &out->store, err));
    out->id = entry->id;

done:
    stoa_entry_release(entry);
    stoa_database_unpin(database, view);
    return status;
}

stoa_status stoa_state_alter(stoa_database *database, const char *table,
                             const stoa_state_alteration *alterations, int32_t count,
                             stoa_error *err) {
    struct target target;
    if (count < 1) {
        return stoa_fail(err, STOA_INVALID, "expected one alteration or more but found %d",
                         (int)count);
    }
    STOA_TRY(find_target(database, table, &target, err));
    stoa_status status = stoa_store_alter_table(target.store, target.id, alterations, count, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "table '%s'", table);
        return status;
    }
    follow(&target);
    return STOA_OK;
}
