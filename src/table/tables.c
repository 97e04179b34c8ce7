/* Looking at tables without reading their data: what exists, schemas, snapshots, files. */
#include <stdlib.h>
#include <string.h>

#include "table/internal.h"

static stoa_status info_of(stoa_database *database, const stoa_entry *entry, stoa_table_info *out,
                           stoa_error *err) {
    *out = (stoa_table_info){
        .name = entry->name,
        .kind = entry->kind_name,
        .row_count = entry->snapshot.totals.row_count,
        .byte_count = entry->snapshot.totals.byte_count,
        .file_count = entry->kind != NULL && !entry->kind->durable
                          ? 0
                          : entry->snapshot.totals.part_count,
        .snapshot_id = entry->snapshot.snapshot_id,
        .snapshot_time_ms = entry->snapshot.time_ms,
    };
    return entry->kind != NULL && entry->kind->access != NULL
               ? entry->kind->access->describe(database, entry, out, err)
               : STOA_OK;
}

stoa_status stoa_tables_each(stoa_database *database, stoa_table_function function, void *user,
                             stoa_error *err) {
    stoa_view *view = NULL;
    STOA_TRY(stoa_database_pin(database, &view, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < view->count && status == STOA_OK; i++) {
        stoa_table_info info;
        status = info_of(database, view->entries[i], &info, err);
        if (status == STOA_OK) {
            status = function(user, &info, err);
        }
    }
    stoa_database_unpin(database, view);
    return status;
}

static bool is_changed(const stoa_transaction *transaction, const stoa_entry *entry) {
    for (int64_t i = 0; i < transaction->change_count; i++) {
        const stoa_change *change = &transaction->changes[i];
        if (change->base != NULL && change->base->id == entry->id) {
            return true;
        }
    }
    return false;
}

static int compare_entries(const void *left, const void *right) {
    return strcmp((*(stoa_entry *const *)left)->folded, (*(stoa_entry *const *)right)->folded);
}

/* References to the entries that the transaction sees; the caller holds its lock. */
static stoa_status collect_entries(stoa_transaction *transaction, stoa_entry ***out,
                                   int64_t *out_count, int64_t *out_capacity, stoa_error *err) {
    stoa_view *view = NULL;
    STOA_TRY(stoa_transaction_view(transaction, &view, err));
    int64_t capacity = view->count + transaction->change_count;
    STOA_TRY(stoa_pool_allocate_array(transaction->database->pool, (size_t)capacity, sizeof **out,
                                      (void **)out, err));
    *out_capacity = capacity;
    for (int64_t i = 0; i < view->count; i++) {
        if (!is_changed(transaction, view->entries[i])) {
            (*out)[(*out_count)++] = stoa_entry_retain(view->entries[i]);
        }
    }
    for (int64_t i = 0; i < transaction->change_count; i++) {
        if (transaction->changes[i].now != NULL) {
            (*out)[(*out_count)++] = stoa_entry_retain(transaction->changes[i].now);
        }
    }
    return STOA_OK;
}

stoa_status stoa_tables_each_in(stoa_database *database, stoa_transaction *transaction,
                                stoa_table_function function, void *user, stoa_error *err) {
    if (transaction == NULL) {
        return stoa_tables_each(database, function, user, err);
    }
    stoa_entry **entries = NULL;
    int64_t count = 0;
    int64_t capacity = 0;
    (void)pthread_mutex_lock(&transaction->lock);
    stoa_status status = collect_entries(transaction, &entries, &count, &capacity, err);
    (void)pthread_mutex_unlock(&transaction->lock);
    if (count > 0) {
        qsort(entries, (size_t)count, sizeof *entries, compare_entries);
    }
    for (int64_t i = 0; i < count; i++) {
        if (status == STOA_OK) {
            stoa_table_info info;
            status = info_of(database, entries[i], &info, err);
            if (status == STOA_OK) {
                status = function(user, &info, err);
            }
        }
        stoa_entry_release(entries[i]);
    }
    stoa_pool_free(database->pool, entries, (size_t)capacity * sizeof *entries);
    return status;
}

/* Runs over a table in the newest view, which stays pinned meanwhile. */
struct look {
    stoa_database *database;
    stoa_view *view;
    stoa_entry *entry;
};

static void look_end(struct look *look) {
    stoa_entry_release(look->entry);
    stoa_database_unpin(look->database, look->view);
}

static stoa_status look_begin(stoa_database *database, const char *table, struct look *out,
                              stoa_error *err) {
    *out = (struct look){.database = database};
    STOA_TRY(stoa_database_pin(database, &out->view, err));
    stoa_status status = stoa_view_lookup(out->view, table, &out->entry, err);
    if (status != STOA_OK) {
        look_end(out);
    }
    return status;
}

/* A kind's own columns are newer than the catalog's copy of them, or the same; the copy is what there is
 * where they cannot be read. */
static const stoa_schema *schema_of(stoa_database *database, stoa_transaction *transaction,
                                    const stoa_entry *entry) {
    const stoa_schema *schema = NULL;
    if (entry->kind != NULL && entry->kind->access != NULL) {
        STOA_IGNORE(entry->kind->access->schema(database, transaction, entry, &schema, NULL));
    }
    return schema != NULL ? schema : stoa_schema_retain(entry->schema);
}

stoa_status stoa_table_schema(stoa_database *database, const char *table, const stoa_schema **out,
                              stoa_error *err) {
    struct look look;
    *out = NULL;
    STOA_TRY(look_begin(database, table, &look, err));
    *out = schema_of(database, NULL, look.entry);
    look_end(&look);
    return STOA_OK;
}

static stoa_status tell_snapshot(const stoa_snapshot *snapshot, bool current,
                                 stoa_snapshot_function function, void *user, stoa_error *err) {
    stoa_snapshot_info info = {
        .snapshot_id = snapshot->snapshot_id,
        .parent_id = snapshot->parent_id,
        .time_ms = snapshot->time_ms,
        .operation = stoa_snapshot_operation_name(snapshot->operation),
        .row_count = snapshot->totals.row_count,
        .file_count = snapshot->totals.part_count,
        .byte_count = snapshot->totals.byte_count,
        .current = current,
    };
    return function(user, &info, err);
}

static stoa_status each_durable(struct look *look, stoa_snapshot_function function, void *user,
                                stoa_error *err) {
    stoa_pool *pool = look->database->pool;
    stoa_snapshot *snapshots = NULL;
    int64_t count = 0;
    STOA_TRY(stoa_catalog_read_snapshots(look->database->catalog, pool, look->entry->id, &snapshots,
                                         &count, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < count && status == STOA_OK; i++) {
        status = tell_snapshot(&snapshots[i], i == count - 1, function, user, err);
    }
    stoa_pool_free(pool, snapshots, (size_t)count * sizeof *snapshots);
    return status;
}

/* The chain runs from new to old; the callback is called from old to new. */
static stoa_status each_in_memory(struct look *look, stoa_snapshot_function function, void *user,
                                  stoa_error *err) {
    stoa_pool *pool = look->database->pool;
    int64_t count = 0;
    for (stoa_entry *state = look->entry; state != NULL; state = state->previous) {
        count += state->snapshot.snapshot_id != 0;
    }
    stoa_entry **states = NULL;
    size_t bytes = (size_t)count * sizeof *states;
    STOA_TRY(stoa_pool_allocate(pool, bytes, (void **)&states, err));
    int64_t at = count;
    for (stoa_entry *state = look->entry; state != NULL; state = state->previous) {
        if (state->snapshot.snapshot_id != 0) {
            states[--at] = state;
        }
    }
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < count && status == STOA_OK; i++) {
        status = tell_snapshot(&states[i]->snapshot, i == count - 1, function, user, err);
    }
    stoa_pool_free(pool, states, bytes);
    return status;
}

stoa_status stoa_table_snapshots(stoa_database *database, const char *table,
                                 stoa_snapshot_function function, void *user, stoa_error *err) {
    struct look look;
    STOA_TRY(look_begin(database, table, &look, err));
    bool in_memory = stoa_entry_in_process(database, look.entry);
    stoa_status status = in_memory ? each_in_memory(&look, function, user, err)
                                   : each_durable(&look, function, user, err);
    look_end(&look);
    return status;
}

stoa_status stoa_table_files(stoa_database *database, const char *table,
                             stoa_file_function function, void *user, stoa_error *err) {
    struct look look;
    stoa_part_vector parts = {.pool = database->pool};
    STOA_TRY(look_begin(database, table, &look, err));
    stoa_status status = STOA_OK;
    if (look.entry->kind != NULL && look.entry->kind->access != NULL) {
        STOA_CHECK(look.entry->kind->access->files(database, look.entry, function, user, err));
        goto done;
    }
    STOA_CHECK(stoa_entry_parts(database, look.entry, &parts, err));
    for (int64_t i = 0; i < parts.count; i++) {
        const stoa_part *part = parts.items[i];
        if (part->path != NULL) {
            STOA_CHECK(function(user,
                                &(stoa_file_entry){part->path, part->row_count, part->byte_count,
                                                   part->added_snapshot_id},
                                err));
        }
    }

done:
    stoa_part_vector_release(&parts);
    look_end(&look);
    return status;
}

stoa_status stoa_table_partitions(stoa_database *database, const char *table,
                                  stoa_partition_function function, void *user, stoa_error *err) {
    struct look look;
    STOA_TRY(look_begin(database, table, &look, err));
    const stoa_partition_spec *spec = look.entry->spec;
    stoa_status status = STOA_OK;
    for (int32_t i = 0; spec != NULL && i < spec->field_count && status == STOA_OK; i++) {
        char transform[32];
        stoa_transform_print(&spec->fields[i], transform);
        const stoa_field *column = stoa_schema_field(look.entry->schema, spec->fields[i].source_id);
        const stoa_partition_info info = {spec->fields[i].name, column->name, transform};
        status = function(user, &info, err);
    }
    look_end(&look);
    return status;
}

static stoa_status copy_info(stoa_database *database, const stoa_entry *entry, stoa_table_info *out,
                             stoa_error *err) {
    STOA_TRY(info_of(database, entry, out, err));
    out->name = NULL;
    out->kind = NULL;
    STOA_TRY(stoa_pool_copy_string(database->pool, entry->name, &out->name, err));
    stoa_status status = stoa_pool_copy_string(database->pool, entry->kind_name, &out->kind, err);
    if (status != STOA_OK) {
        stoa_table_info_release(database, out);
    }
    return status;
}

void stoa_table_info_release(stoa_database *database, stoa_table_info *info) {
    stoa_pool_free_string(database->pool, info->name);
    stoa_pool_free_string(database->pool, info->kind);
    *info = (stoa_table_info){0};
}

/* In a transaction the counts are those of the transaction's own state. */
static stoa_status count_change(stoa_database *database, const stoa_change *change,
                                stoa_table_info *info, stoa_error *err) {
    if (change == NULL || !change->wrote) {
        return STOA_OK;
    }
    if (change->now->kind->access != NULL) {
        info->row_count = -1; /* which of the staged rows replace others is not known yet */
        return STOA_OK;
    }
    stoa_part_vector parts = {.pool = database->pool};
    stoa_status status = stoa_change_parts(database, change, &parts, err);
    stoa_part_totals totals = stoa_part_vector_totals(&parts);
    stoa_part_vector_release(&parts);
    info->row_count = totals.row_count;
    info->byte_count = totals.byte_count;
    info->file_count = change->now->kind->durable ? totals.part_count : 0;
    return status;
}

static stoa_status answer(stoa_database *database, stoa_transaction *transaction,
                          stoa_entry *entry, const stoa_change *change,
                          const stoa_schema **out_schema, uint32_t *out_capabilities,
                          stoa_table_info *out_info, stoa_error *err) {
    if (out_info != NULL) {
        STOA_TRY(copy_info(database, entry, out_info, err));
        stoa_status status = count_change(database, change, out_info, err);
        if (status != STOA_OK) {
            stoa_table_info_release(database, out_info);
            return status;
        }
    }
    if (out_schema != NULL) {
        *out_schema = schema_of(database, transaction, entry);
    }
    if (out_capabilities != NULL) {
        *out_capabilities = entry->kind == NULL ? 0 : entry->kind->capabilities;
    }
    return STOA_OK;
}

stoa_status stoa_table_find(stoa_database *database, stoa_transaction *transaction,
                            const char *table, const stoa_schema **out_schema,
                            uint32_t *out_capabilities, stoa_table_info *out_info,
                            stoa_error *err) {
    stoa_status status = STOA_OK;
    if (transaction == NULL) {
        struct look look;
        STOA_TRY(look_begin(database, table, &look, err));
        status = answer(database, NULL, look.entry, NULL, out_schema, out_capabilities, out_info, err);
        look_end(&look);
        return status;
    }
    stoa_entry *entry = NULL;
    stoa_change *change = NULL;
    (void)pthread_mutex_lock(&transaction->lock);
    status = stoa_transaction_lookup(transaction, table, &entry, &change, err);
    if (status == STOA_OK) {
        status = answer(database, transaction, entry, change, out_schema, out_capabilities, out_info, err);
    }
    (void)pthread_mutex_unlock(&transaction->lock);
    stoa_entry_release(entry);
    return status;
}

bool stoa_table_exists(stoa_database *database, stoa_transaction *transaction, const char *table) {
    return stoa_table_find(database, transaction, table, NULL, NULL, NULL, NULL) == STOA_OK;
}
