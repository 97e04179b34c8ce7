/* Transactions: a pinned view, and over it what this transaction has staged. Nothing staged is seen
 * by anybody else before commit.c publishes it.
 *
 * For each table it touched a transaction has one `stoa_change`: the table as it was (`base`), as it
 * is here (`now`), and the parts that were added and removed. Several operations on one table fold
 * into one change, and so into one snapshot. */
#include "base/clock.h"
#include "table/internal.h"

#include <string.h>

#include "mem/arena.h"
#include "schema/schema.h"
#include "table/names.h"

static void change_release(stoa_pool *pool, stoa_change *change) {
    stoa_entry_release(change->base);
    stoa_entry_release(change->now);
    stoa_entry_release(change->head);
    stoa_part_vector_release(&change->added);
    stoa_definition_release(change->definition);
    stoa_pool_free(pool, change->removed,
                   (size_t)change->removed_capacity * sizeof *change->removed);
}

/* Gives back all but the handle. */
static void end(void *owner) {
    stoa_transaction *transaction = owner;
    stoa_pool *pool = transaction->pool;
    for (int64_t i = 0; i < transaction->change_count; i++) {
        change_release(pool, &transaction->changes[i]);
    }
    stoa_pool_free(pool, transaction->changes,
                   (size_t)transaction->change_capacity * sizeof *transaction->changes);
    transaction->changes = NULL;
    transaction->change_count = transaction->change_capacity = 0;
    stoa_store_pin_release(transaction->state_pin);
    transaction->state_pin = NULL;
    stoa_database_unpin(transaction->database, transaction->view);
    transaction->view = NULL;
    transaction->finished = true;
}

stoa_status stoa_transaction_begin(stoa_database *database, stoa_transaction **out,
                                   stoa_error *err) {
    stoa_transaction *transaction = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(database->pool, 1, sizeof *transaction, (void **)&transaction,
                                      err));
    transaction->database = database;
    transaction->pool = database->pool;
    transaction->begun_ns = stoa_clock_monotonic_ns();
    (void)pthread_mutex_init(&transaction->lock, NULL);
    stoa_status status = stoa_resource_enter(database->pool, STOA_RESOURCE_TRANSACTION, "", end,
                                             transaction, &transaction->resource, err);
    if (status != STOA_OK) {
        stoa_transaction_close(transaction);
        return status;
    }
    *out = transaction;
    return STOA_OK;
}

void stoa_transaction_close(stoa_transaction *transaction) {
    if (transaction == NULL) {
        return;
    }
    stoa_pool *pool = transaction->pool;
    stoa_resource_leave(transaction->resource);
    end(transaction);
    (void)pthread_mutex_destroy(&transaction->lock);
    stoa_pool_free(pool, transaction, sizeof *transaction);
}

stoa_status stoa_transaction_view(stoa_transaction *transaction, stoa_view **out, stoa_error *err) {
    if (transaction->finished) {
        return stoa_fail(err, STOA_INVALID, "the transaction is over");
    }
    if (transaction->view == NULL) {
        STOA_TRY(stoa_database_pin(transaction->database, &transaction->view, err));
    }
    *out = transaction->view;
    return STOA_OK;
}

/* ---- lookup ---- */

static stoa_change *change_of_name(stoa_transaction *transaction, const char *folded) {
    for (int64_t i = 0; i < transaction->change_count; i++) {
        stoa_entry *now = transaction->changes[i].now;
        if (now != NULL && strcmp(now->folded, folded) == 0) {
            return &transaction->changes[i];
        }
    }
    return NULL;
}

static stoa_change *change_of_id(stoa_transaction *transaction, int64_t id) {
    for (int64_t i = 0; i < transaction->change_count; i++) {
        const stoa_change *change = &transaction->changes[i];
        const stoa_entry *entry = change->base != NULL ? change->base : change->now;
        if (entry != NULL && entry->id == id) {
            return &transaction->changes[i];
        }
    }
    return NULL;
}

/* The nearest of the names that are not further away than a third of the name. */
static void consider(const char *candidate, const char *name, int32_t *best, const char **nearest) {
    int32_t distance = stoa_table_name_distance(candidate, name, *best);
    if (distance < *best) {
        *best = distance;
        *nearest = candidate;
    }
}

static stoa_status fail_not_found(const stoa_view *view, stoa_transaction *transaction,
                                  const char *name, stoa_error *err) {
    int32_t best = (int32_t)(strlen(name) / 3) + 2;
    const char *nearest = NULL;
    for (int64_t i = 0; i < view->count; i++) {
        if (transaction == NULL || change_of_id(transaction, view->entries[i]->id) == NULL) {
            consider(view->entries[i]->name, name, &best, &nearest);
        }
    }
    for (int64_t i = 0; transaction != NULL && i < transaction->change_count; i++) {
        if (transaction->changes[i].now != NULL) {
            consider(transaction->changes[i].now->name, name, &best, &nearest);
        }
    }
    return nearest == NULL ? stoa_fail(err, STOA_NOT_FOUND, "there is no table '%s'", name)
                           : stoa_fail(err, STOA_NOT_FOUND,
                                       "there is no table '%s': did you mean '%s'?", name, nearest);
}

stoa_status stoa_view_lookup(const stoa_view *view, const char *table, stoa_entry **out,
                             stoa_error *err) {
    char folded[STOA_TABLE_NAME_BYTES_MAX + 1];
    *out = NULL;
    STOA_TRY(stoa_table_name_check(table, err));
    stoa_table_name_fold(table, folded);
    stoa_entry *found = stoa_view_find(view, folded);
    if (found == NULL) {
        return fail_not_found(view, NULL, table, err);
    }
    *out = stoa_entry_retain(found);
    return STOA_OK;
}

/* Borrowed; NULL when there is none. */
static stoa_entry *find_entry(stoa_transaction *transaction, const stoa_view *view,
                              const char *folded, stoa_change **out_change) {
    *out_change = change_of_name(transaction, folded);
    if (*out_change != NULL) {
        return (*out_change)->now;
    }
    stoa_entry *found = stoa_view_find(view, folded);
    return found != NULL && change_of_id(transaction, found->id) == NULL ? found : NULL;
}

stoa_status stoa_transaction_lookup(stoa_transaction *transaction, const char *table,
                                    stoa_entry **out, stoa_change **out_change, stoa_error *err) {
    char folded[STOA_TABLE_NAME_BYTES_MAX + 1];
    stoa_view *view = NULL;
    stoa_change *change = NULL;
    *out = NULL;
    STOA_TRY(stoa_table_name_check(table, err));
    stoa_table_name_fold(table, folded);
    STOA_TRY(stoa_transaction_view(transaction, &view, err));
    stoa_entry *found = find_entry(transaction, view, folded, &change);
    if (found == NULL) {
        return fail_not_found(view, transaction, table, err);
    }
    *out = stoa_entry_retain(found);
    if (out_change != NULL) {
        *out_change = change;
    }
    return STOA_OK;
}

stoa_status stoa_transaction_check_free(stoa_transaction *transaction, const char *table,
                                        stoa_error *err) {
    char folded[STOA_TABLE_NAME_BYTES_MAX + 1];
    stoa_view *view = NULL;
    stoa_change *change = NULL;
    STOA_TRY(stoa_table_name_check(table, err));
    stoa_table_name_fold(table, folded);
    STOA_TRY(stoa_transaction_view(transaction, &view, err));
    const stoa_entry *found = find_entry(transaction, view, folded, &change);
    return found == NULL ? STOA_OK
                         : stoa_fail(err, STOA_EXISTS, "table '%s' exists already", found->name);
}

stoa_status stoa_change_parts(stoa_database *database, const stoa_change *change,
                              stoa_part_vector *out, stoa_error *err) {
    if (change->base != NULL && !change->replaced) {
        STOA_TRY(stoa_entry_parts(database, change->base, out, err));
        if (!stoa_part_vector_remove(out, change->removed, change->removed_count)) {
            return stoa_fail(err, STOA_INTERNAL, "table '%s' lacks a part that was rewritten",
                             change->base->name);
        }
    }
    return stoa_part_vector_append(out, &change->added, err);
}

/* ---- staging; all of these hold transaction->lock ---- */

/* The change of `base`, made when there is none. Pointers to other changes become invalid. */
static stoa_status get_change(stoa_transaction *transaction, stoa_entry *base, stoa_change **out,
                              stoa_error *err) {
    stoa_pool *pool = transaction->database->pool;
    *out = base == NULL ? NULL : change_of_id(transaction, base->id);
    if (*out != NULL) {
        return STOA_OK;
    }
    if (transaction->change_count == transaction->change_capacity) {
        int64_t capacity = transaction->change_capacity == 0 ? 4 : transaction->change_capacity * 2;
        STOA_TRY(stoa_pool_reallocate(pool, (void **)&transaction->changes,
                                      (size_t)transaction->change_capacity *
                                          sizeof *transaction->changes,
                                      (size_t)capacity * sizeof *transaction->changes, err));
        transaction->change_capacity = capacity;
    }
    stoa_change *change = &transaction->changes[transaction->change_count++];
    *change = (stoa_change){.base = stoa_entry_retain(base), .now = stoa_entry_retain(base)};
    change->added.pool = pool;
    *out = change;
    return STOA_OK;
}

/* A change that has come to nothing: made and dropped in one transaction. */
static void forget_change(stoa_transaction *transaction, stoa_change *change) {
    change_release(transaction->database->pool, change);
    *change = transaction->changes[--transaction->change_count];
}

static stoa_status set_now(stoa_transaction *transaction, stoa_change *change, const char *name,
                           const stoa_schema *schema, stoa_partition_spec *spec, stoa_error *err) {
    const stoa_entry *old = change->now;
    stoa_entry *now = NULL;
    stoa_entry_facts facts = {old->id, name, old->kind_name, schema, old->snapshot, spec};
    STOA_TRY(stoa_entry_create(transaction->database->pool, &facts, &now, err));
    stoa_entry_release(change->now);
    change->now = now;
    return STOA_OK;
}

static stoa_status stage_create(stoa_transaction *transaction, stoa_entry *entry,
                                stoa_definition *definition, stoa_change **out, stoa_error *err) {
    STOA_TRY(stoa_transaction_check_free(transaction, entry->name, err));
    STOA_TRY(get_change(transaction, NULL, out, err));
    (*out)->now = stoa_entry_retain(entry);
    (*out)->definition = definition == NULL ? NULL : stoa_definition_retain(definition);
    return STOA_OK;
}

static stoa_status add_removed(stoa_transaction *transaction, stoa_change *change,
                               const int64_t *ids, int64_t count, stoa_error *err) {
    if (change->removed_capacity - change->removed_count < count) {
        int64_t capacity = change->removed_count + count;
        STOA_TRY(stoa_pool_reallocate(transaction->database->pool, (void **)&change->removed,
                                      (size_t)change->removed_capacity * sizeof *ids,
                                      (size_t)capacity * sizeof *ids, err));
        change->removed_capacity = capacity;
    }
    for (int64_t i = 0; i < count; i++) {
        /* A part that this transaction had staged itself is simply not staged any more. */
        if (!stoa_part_vector_remove(&change->added, &ids[i], 1)) {
            change->removed[change->removed_count++] = ids[i];
        }
    }
    return STOA_OK;
}

static void become(stoa_change *change, stoa_snapshot_operation operation) {
    bool first = !change->wrote;
    change->wrote = true;
    if (first || operation != STOA_SNAPSHOT_APPEND) {
        change->operation = operation;
    }
    if (change->replaced) {
        change->operation = STOA_SNAPSHOT_OVERWRITE;
    }
}

/* Looks again, since the transaction may have changed the table after the sink was opened. */
static stoa_status find_target(stoa_transaction *transaction, const stoa_staged_write *write,
                               stoa_change **out, stoa_error *err) {
    stoa_view *view = NULL;
    STOA_TRY(stoa_transaction_view(transaction, &view, err));
    if (write->create) {
        return stage_create(transaction, write->entry, write->definition, out, err);
    }
    stoa_change *change = change_of_id(transaction, write->entry->id);
    if (change == NULL) {
        stoa_entry *base = stoa_view_find(view, write->entry->folded);
        STOA_ASSERT(base != NULL && base->id == write->entry->id);
        STOA_TRY(get_change(transaction, base, &change, err));
    }
    if (change->now == NULL) {
        return stoa_fail(err, STOA_CONFLICT, "table '%s' was dropped while it was being written",
                         write->entry->name);
    }
    if (change->now->schema != write->entry->schema) {
        return stoa_fail(err, STOA_CONFLICT,
                         "the columns of table '%s' were changed while it was "
                         "being written",
                         write->entry->name);
    }
    *out = change;
    return STOA_OK;
}

static stoa_status stage(stoa_transaction *transaction, const stoa_staged_write *write,
                         stoa_error *err) {
    stoa_change *change = NULL;
    STOA_TRY(find_target(transaction, write, &change, err));
    STOA_TRY(stoa_part_vector_reserve(&change->added, write->added->count, err));
    if (write->schema != NULL) {
        STOA_TRY(set_now(transaction, change, change->now->name, write->schema, write->spec, err));
    }
    if (write->replace) {
        stoa_pool *pool = change->added.pool;
        stoa_part_vector old = change->added;
        change->added = (stoa_part_vector){.pool = pool};
        stoa_part_vector_release(&old);
        change->replaced = change->base != NULL;
        change->removed_count = 0;
        STOA_TRY(stoa_part_vector_reserve(&change->added, write->added->count, err));
    }
    STOA_TRY(add_removed(transaction, change, write->removed, write->removed_count, err));
    for (int64_t i = 0; i < write->added->count; i++) {
        change->added.items[change->added.count++] = write->added->items[i];
    }
    write->added->count = 0;
    if (!write->create || change->added.count > 0) {
        become(change, write->operation);
    }
    return STOA_OK;
}

stoa_status stoa_transaction_stage(stoa_transaction *transaction, const stoa_staged_write *write,
                                   stoa_error *err) {
    (void)pthread_mutex_lock(&transaction->lock);
    stoa_status status = stage(transaction, write, err);
    (void)pthread_mutex_unlock(&transaction->lock);
    return status;
}

/* ---- create, drop, rename ---- */

static stoa_status kind_for(stoa_database *database, const char *name, const stoa_table_kind **out,
                            stoa_error *err) {
    name = name == NULL ? database->default_kind : name;
    *out = stoa_table_kind_find(name);
    if (*out == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "tables of kind '%.40s' are not offered; there are "
                         "%s",
                         name, stoa_table_kind_names());
    }
    if ((*out)->durable && !(*out)->anywhere && database->directory == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "tables of kind '%s' need a directory, which "
                         "database '%s' has not",
                         name, database->uri);
    }
    return (*out)->durable ? stoa_database_check_writable(database, err) : STOA_OK;
}

stoa_status stoa_entry_for_new(stoa_database *database, const char *table, const char *kind_name,
                               const stoa_schema *schema, stoa_partition_spec *spec,
                               stoa_entry **out, stoa_error *err) {
    const stoa_table_kind *kind = NULL;
    *out = NULL;
    STOA_TRY(stoa_table_name_check(table, err));
    STOA_TRY(kind_for(database, kind_name, &kind, err));
    if (schema == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "expected the columns of the new table '%s' but found "
                         "none",
                         table);
    }
    stoa_entry_facts facts = {stoa_random_id(), table, kind->name, schema, {0}, spec};
    STOA_TRY(stoa_entry_create(database->pool, &facts, out, err));
    atomic_store_explicit(&(*out)->loaded, true, memory_order_release);
    return STOA_OK;
}

stoa_status stoa_entry_define(stoa_database *database, const stoa_entry *entry,
                              const stoa_state_table_options *options, stoa_definition **out,
                              stoa_error *err) {
    *out = NULL;
    if (entry->kind->access == NULL) {
        return STOA_OK;
    }
    if (options == NULL || options->key == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "table '%s': tables of kind '%s' need a key: make them with "
                         "stoa_state_create, or by 'stoa load --kind %s --key COLUMNS'",
                         entry->name, entry->kind->name, entry->kind->name);
    }
    stoa_status status = stoa_definition_create(database->pool, entry->schema, options, out, err);
    stoa_wrap(status == STOA_OK ? NULL : err, "table '%s'", entry->name);
    return status;
}

/* Runs `step` in the transaction, or in one of its own that is committed. */
struct ddl {
    stoa_database *database;
    const char *table;
    const char *text; /* the kind, or the new name */
    const stoa_schema *schema;
    const stoa_state_table_options *options; /* of a new table; NULL: none */
};
typedef stoa_status (*ddl_step)(stoa_transaction *transaction, const struct ddl *ddl,
                                stoa_error *err);

static stoa_status run_ddl(stoa_transaction *transaction, ddl_step step, const struct ddl *ddl,
                           stoa_error *err) {
    stoa_transaction *own = NULL;
    stoa_status status = STOA_OK;
    if (transaction == NULL) {
        STOA_TRY(stoa_transaction_begin(ddl->database, &own, err));
        transaction = own;
    }
    (void)pthread_mutex_lock(&transaction->lock);
    status = step(transaction, ddl, err);
    (void)pthread_mutex_unlock(&transaction->lock);
    if (status == STOA_OK && own != NULL) {
        status = stoa_transaction_commit(own, err);
    }
    stoa_transaction_close(own);
    return status;
}

static stoa_status create_step(stoa_transaction *transaction, const struct ddl *ddl,
                               stoa_error *err) {
    stoa_entry *entry = NULL;
    stoa_definition *definition = NULL;
    stoa_change *change = NULL;
    STOA_TRY(stoa_entry_for_new(ddl->database, ddl->table, ddl->text, ddl->schema, NULL, &entry,
                                err));
    stoa_status status = stoa_entry_define(ddl->database, entry, ddl->options, &definition, err);
    if (status == STOA_OK) {
        status = stage_create(transaction, entry, definition, &change, err);
    }
    stoa_definition_release(definition);
    stoa_entry_release(entry);
    return status;
}

static stoa_status check_changeable(stoa_transaction *transaction, const stoa_entry *entry,
                                    stoa_error *err) {
    if (stoa_entry_in_process(transaction->database, entry)) {
        return STOA_OK;
    }
    return stoa_database_check_writable(transaction->database, err);
}

static stoa_status drop_step(stoa_transaction *transaction, const struct ddl *ddl,
                             stoa_error *err) {
    stoa_entry *entry = NULL;
    stoa_change *change = NULL;
    STOA_TRY(stoa_transaction_lookup(transaction, ddl->table, &entry, &change, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(check_changeable(transaction, entry, err));
    if (change == NULL) {
        STOA_CHECK(get_change(transaction, entry, &change, err));
    }
    if (change->base == NULL) {
        forget_change(transaction, change);
        goto done;
    }
    stoa_entry_release(change->now);
    change->now = NULL;
    stoa_part_vector_release(&change->added);
    change->removed_count = 0;

done:
    stoa_entry_release(entry);
    return status;
}

static stoa_status rename_step(stoa_transaction *transaction, const struct ddl *ddl,
                               stoa_error *err) {
    stoa_entry *entry = NULL;
    stoa_change *change = NULL;
    char folded[STOA_TABLE_NAME_BYTES_MAX + 1];
    STOA_TRY(stoa_table_name_check(ddl->text, err));
    STOA_TRY(stoa_transaction_lookup(transaction, ddl->table, &entry, &change, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(check_changeable(transaction, entry, err));
    stoa_table_name_fold(ddl->text, folded);
    if (strcmp(folded, entry->folded) != 0) { /* else only the case of letters changes */
        STOA_CHECK(stoa_transaction_check_free(transaction, ddl->text, err));
    }
    if (change == NULL) {
        STOA_CHECK(get_change(transaction, entry, &change, err));
    }
    STOA_CHECK(set_now(transaction, change, ddl->text, change->now->schema, change->now->spec, err));
    change->renamed = change->base != NULL && strcmp(change->base->name, ddl->text) != 0;

done:
    stoa_entry_release(entry);
    return status;
}

/* Of a table that keeps its columns by itself, which the catalog is to say too. */
static stoa_status follow_step(stoa_transaction *transaction, const struct ddl *ddl,
                               stoa_error *err) {
    stoa_entry *entry = NULL;
    stoa_change *change = NULL;
    STOA_TRY(stoa_transaction_lookup(transaction, ddl->table, &entry, &change, err));
    stoa_status status = STOA_OK;
    if (entry->kind->access == NULL || stoa_schema_same(entry->schema, ddl->schema)) {
        goto done;
    }
    STOA_CHECK(get_change(transaction, entry, &change, err));
    STOA_CHECK(set_now(transaction, change, entry->name, ddl->schema, NULL, err));

done:
    stoa_entry_release(entry);
    return status;
}

stoa_status stoa_table_follow_schema(stoa_database *database, const char *table,
                                     const stoa_schema *schema, stoa_error *err) {
    return run_ddl(NULL, follow_step, &(struct ddl){database, table, NULL, schema, NULL}, err);
}

stoa_status stoa_table_create_in(stoa_database *database, stoa_transaction *transaction,
                                 const char *table, const char *kind, const stoa_schema *schema,
                                 stoa_error *err) {
    return run_ddl(transaction, create_step, &(struct ddl){database, table, kind, schema, NULL},
                   err);
}

stoa_status stoa_state_create(stoa_database *database, const char *table, const stoa_schema *schema,
                              const stoa_state_table_options *options, stoa_error *err) {
    const struct ddl ddl = {database, table, stoa_table_kind_state.name, schema, options};
    return run_ddl(NULL, create_step, &ddl, err);
}

stoa_status stoa_table_drop_in(stoa_database *database, stoa_transaction *transaction,
                               const char *table, stoa_error *err) {
    return run_ddl(transaction, drop_step, &(struct ddl){database, table, NULL, NULL, NULL}, err);
}

stoa_status stoa_table_rename_in(stoa_database *database, stoa_transaction *transaction,
                                 const char *table, const char *new_name, stoa_error *err) {
    return run_ddl(transaction, rename_step, &(struct ddl){database, table, new_name, NULL, NULL}, err);
}

stoa_status stoa_table_create(stoa_database *database, const char *table, const char *kind,
                              const stoa_schema *schema, stoa_error *err) {
    return stoa_table_create_in(database, NULL, table, kind, schema, err);
}

stoa_status stoa_table_drop(stoa_database *database, const char *table, stoa_error *err) {
    return stoa_table_drop_in(database, NULL, table, err);
}

stoa_status stoa_table_rename(stoa_database *database, const char *table, const char *new_name,
                              stoa_error *err) {
    return stoa_table_rename_in(database, NULL, table, new_name, err);
}
