/* The commit: everything a transaction staged becomes visible in one step, or nothing does.
 *
 *     1  commit_lock: one commit at a time in this process
 *        rows of tables that are reached through an access method are that one's commit, and nothing
 *        else may be in it; but a new table is filled before the catalog names it, and so with 3
 *     2  tables of the process: their new states are made (may fail, changes nothing)
 *     3  the catalog file: BEGIN IMMEDIATE, checks and rows (may conflict, changes nothing)
 *     4  view_lock, when tables of the process change too: COMMIT and the exchange of their states
 *        look like one step to whoever makes a view
 *
 * An append is made anew over the newest state, so it does not conflict with other appends. */
#include <string.h>

#include "base/clock.h"
#include "table/internal.h"

static const stoa_entry *entry_of(const stoa_change *change) {
    return change->base != NULL ? change->base : change->now;
}

static bool is_durable(const stoa_database *database, const stoa_change *change) {
    return !stoa_entry_in_process(database, entry_of(change));
}

static const stoa_access_method *access_of(const stoa_change *change) {
    const stoa_table_kind *kind = entry_of(change)->kind;
    return kind == NULL ? NULL : kind->access;
}

/* ---- tables of the process; under commit_lock, so their entries stand still ---- */

static stoa_entry *memory_entry(stoa_database *database, int64_t id) {
    for (int64_t i = 0; i < database->memory_count; i++) {
        if (database->memory_entries[i]->id == id) {
            return database->memory_entries[i];
        }
    }
    return NULL;
}

static stoa_status check_memory_name(stoa_transaction *transaction, const stoa_change *change,
                                     stoa_error *err) {
    stoa_database *database = transaction->database;
    for (int64_t i = 0; i < database->memory_count; i++) {
        const stoa_entry *other = database->memory_entries[i];
        if (strcmp(other->folded, change->now->folded) != 0 || other->id == change->now->id) {
            continue;
        }
        bool leaves = false; /* its name becomes free in this very transaction */
        for (int64_t k = 0; k < transaction->change_count; k++) {
            const stoa_change *own = &transaction->changes[k];
            leaves = leaves || (own->base != NULL && own->base->id == other->id &&
                                (own->now == NULL || own->renamed));
        }
        if (!leaves) {
            return stoa_fail(err, STOA_EXISTS, "table '%s' exists already", change->now->name);
        }
    }
    return STOA_OK;
}

static stoa_status check_memory_head(const stoa_change *change, const stoa_entry *head,
                                     stoa_error *err) {
    const stoa_entry *base = change->base;
    if (head == NULL) {
        return stoa_fail(err, STOA_CONFLICT, "table '%s' was dropped by somebody else", base->name);
    }
    if (strcmp(head->name, base->name) != 0) {
        return stoa_fail(err, STOA_CONFLICT, "table '%s' was renamed to '%s' by somebody else",
                         base->name, head->name);
    }
    if (head->schema != base->schema) {
        return stoa_fail(err, STOA_CONFLICT,
                         "the columns of table '%s' were changed by somebody "
                         "else",
                         base->name);
    }
    if ((change->replaced || change->now == NULL) &&
        head->snapshot.snapshot_id != base->snapshot.snapshot_id) {
        return stoa_fail(err, STOA_CONFLICT,
                         "table '%s' was changed by somebody else: expected "
                         "snapshot %" PRId64 " but found %" PRId64,
                         base->name, base->snapshot.snapshot_id, head->snapshot.snapshot_id);
    }
    return STOA_OK;
}

static stoa_status combine_parts(stoa_database *database, const stoa_change *change,
                                 const stoa_entry *head, stoa_part_vector *parts, stoa_error *err) {
    if (head != NULL && !change->replaced) {
        STOA_TRY(stoa_part_vector_append(parts, &head->parts, err));
    }
    if (!stoa_part_vector_remove(parts, change->removed, change->removed_count)) {
        return stoa_fail(err, STOA_CONFLICT,
                         "rows of table '%s' that this would change were "
                         "changed by somebody else",
                         change->now->name);
    }
    const stoa_table_kind *kind = change->now->kind;
    if (kind->combine != NULL) {
        return kind->combine(database, change->now->schema, parts, &change->added, err);
    }
    return stoa_part_vector_append(parts, &change->added, err);
}

/* Makes the state that stands after the commit, in change->head. */
static stoa_status prepare_memory(stoa_transaction *transaction, stoa_change *change,
                                  int64_t commit_id, stoa_error *err) {
    stoa_database *database = transaction->database;
    stoa_entry *head = change->base == NULL ? NULL : memory_entry(database, change->base->id);
    if (change->base != NULL) {
        STOA_TRY(check_memory_head(change, head, err));
    }
    if (change->now == NULL) {
        return STOA_OK;
    }
    STOA_TRY(check_memory_name(transaction, change, err));
    const stoa_entry *now = change->now;
    stoa_entry_facts facts = {now->id, now->name, now->kind_name, now->schema, {0}, now->spec};
    stoa_part_vector parts = {.pool = database->pool};
    stoa_status status = STOA_OK;
    if (head != NULL) {
        facts.snapshot = head->snapshot;
    }
    STOA_CHECK(combine_parts(database, change, head, &parts, err));
    if (change->wrote) {
        facts.snapshot = (stoa_snapshot){commit_id,
                                         facts.snapshot.snapshot_id,
                                         stoa_clock_unix_ms(),
                                         change->operation,
                                         now->schema->schema_id,
                                         stoa_part_vector_totals(&parts)};
    }
    STOA_CHECK(stoa_entry_create(database->pool, &facts, &change->head, err));
    change->head->parts = parts;
    parts = (stoa_part_vector){.pool = database->pool};
    atomic_store_explicit(&change->head->loaded, true, memory_order_release);
    /* A state that made no snapshot stands in its predecessor's place in the history. */
    change->head->previous = stoa_entry_retain(head == NULL ? NULL
                                               : change->wrote && head->snapshot.snapshot_id != 0
                                                   ? head
                                                   : head->previous);

done:
    stoa_part_vector_release(&parts);
    return status;
}

static stoa_status reserve_memory(stoa_database *database, int64_t additional, stoa_error *err) {
    int64_t wanted = database->memory_count + additional;
    if (wanted <= database->memory_capacity) {
        return STOA_OK;
    }
    wanted = wanted < 2 * database->memory_capacity ? 2 * database->memory_capacity : wanted;
    STOA_TRY(
        stoa_pool_reallocate(database->pool, (void **)&database->memory_entries,
                             (size_t)database->memory_capacity * sizeof *database->memory_entries,
                             (size_t)wanted * sizeof *database->memory_entries, err));
    database->memory_capacity = wanted;
    return STOA_OK;
}

/* Cannot fail: room was made before. */
static void publish_memory(stoa_database *database, stoa_change *change) {
    stoa_entry *head = change->head;
    change->head = NULL;
    int64_t id = change->base != NULL ? change->base->id : head->id;
    for (int64_t i = 0; i < database->memory_count; i++) {
        stoa_entry *old = database->memory_entries[i];
        if (old->id != id) {
            continue;
        }
        if (head != NULL) {
            database->memory_entries[i] = head;
        } else {
            database->memory_entries[i] = database->memory_entries[--database->memory_count];
        }
        stoa_entry_release(old);
        return;
    }
    STOA_ASSERT(head != NULL && database->memory_count < database->memory_capacity);
    database->memory_entries[database->memory_count++] = head;
}

/* ---- the whole ---- */

struct commit {
    stoa_transaction *transaction;
    int64_t memory_changes;
    int64_t durable_changes;
    bool drops;
    stoa_change **kept; /* that are written through an access method, from the database's pool */
    int64_t kept_count;
};

static stoa_status prepare_all_memory(struct commit *commit, stoa_error *err) {
    stoa_transaction *transaction = commit->transaction;
    int64_t commit_id = transaction->database->memory_commit_id + 1;
    for (int64_t i = 0; i < transaction->change_count; i++) {
        stoa_change *change = &transaction->changes[i];
        if (!is_durable(transaction->database, change)) {
            commit->memory_changes++;
            STOA_TRY(prepare_memory(transaction, change, commit_id, err));
        } else {
            commit->durable_changes++;
            commit->drops = commit->drops || change->now == NULL;
        }
    }
    (void)pthread_mutex_lock(&transaction->database->view_lock);
    stoa_status status = reserve_memory(transaction->database, commit->memory_changes, err);
    (void)pthread_mutex_unlock(&transaction->database->view_lock);
    return status;
}

static stoa_status apply_durable(struct commit *commit, stoa_error *err) {
    stoa_transaction *transaction = commit->transaction;
    stoa_catalog *catalog = transaction->database->catalog;
    int64_t commit_id = 0;
    stoa_commit_outcome outcome;
    STOA_TRY(stoa_catalog_begin(catalog, &commit_id, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < transaction->change_count && status == STOA_OK; i++) {
        if (is_durable(transaction->database, &transaction->changes[i])) {
            status = stoa_catalog_free_name(catalog, commit_id, &transaction->changes[i], err);
        }
    }
    for (int64_t i = 0; i < transaction->change_count && status == STOA_OK; i++) {
        if (is_durable(transaction->database, &transaction->changes[i])) {
            status = stoa_catalog_apply(catalog, commit_id, &transaction->changes[i], err);
        }
    }
    if (status != STOA_OK) {
        STOA_IGNORE(stoa_catalog_end(catalog, false, &outcome, NULL));
    }
    return status;
}

/* From here on the files belong to the catalog; or perhaps do, when its last step failed: they stay
 * then, and are found later if no catalog names them. */
static void list_files(stoa_transaction *transaction) {
    for (int64_t i = 0; i < transaction->change_count; i++) {
        const stoa_part_vector *added = &transaction->changes[i].added;
        for (int64_t k = 0; k < added->count; k++) {
            atomic_store_explicit(&added->items[k]->unlisted, false, memory_order_relaxed);
        }
    }
}

/* Under view_lock. */
static void publish_all_memory(struct commit *commit) {
    stoa_transaction *transaction = commit->transaction;
    stoa_database *database = transaction->database;
    for (int64_t i = 0; i < transaction->change_count; i++) {
        if (!is_durable(database, &transaction->changes[i])) {
            publish_memory(database, &transaction->changes[i]);
        }
    }
    database->memory_commit_id++;
    database->view_stale = true;
}

static stoa_status publish(struct commit *commit, stoa_commit_outcome *out, stoa_error *err) {
    stoa_transaction *transaction = commit->transaction;
    stoa_database *database = transaction->database;
    stoa_status status = STOA_OK;
    *out = STOA_COMMIT_DONE;
    if (commit->memory_changes > 0) {
        (void)pthread_mutex_lock(&database->view_lock);
    }
    if (commit->durable_changes > 0) {
        status = stoa_catalog_end(database->catalog, true, out, err);
    }
    if (*out == STOA_COMMIT_DONE || *out == STOA_COMMIT_UNKNOWN) {
        list_files(transaction);
    }
    if (commit->memory_changes > 0) {
        if (status == STOA_OK) {
            publish_all_memory(commit);
        }
        (void)pthread_mutex_unlock(&database->view_lock);
    }
    return status;
}

/* Where nobody could tell that this writer was alive, its oldest files may be gone by now. Whoever
 * removes them goes by another clock, and the commit itself takes a while: an eighth is for that. */
static stoa_status check_age(const stoa_transaction *transaction, stoa_error *err) {
    const stoa_database *database = transaction->database;
    int64_t age_ms = (stoa_clock_monotonic_ns() - transaction->begun_ns) / 1000000;
    if (!database->is_remote || age_ms < database->grace_ms - database->grace_ms / 8) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_LIMIT,
                     "the transaction took %" PRId64 " ms: in an object store files that are not "
                     "committed after %" PRId64 " ms are taken for abandoned",
                     age_ms, database->grace_ms);
}

/* After a race that was lost: whether it was won, for all that. The answer to our write may have been
 * lost, somebody may have committed on top of it, and the write, sent again, been refused. No two
 * files have one name, so one of ours in the catalog is the proof; a commit without files finds its
 * own changes then, and says that somebody else made them. */
static stoa_status is_committed(const struct commit *commit, bool *out, stoa_error *err) {
    const stoa_transaction *transaction = commit->transaction;
    *out = false;
    for (int64_t i = 0; i < transaction->change_count; i++) {
        const stoa_change *change = &transaction->changes[i];
        if (is_durable(transaction->database, change) && change->added.count > 0) {
            return stoa_catalog_names_file(transaction->database->catalog,
                                           change->added.items[0]->path, out, err);
        }
    }
    return STOA_OK;
}

/* Where that cannot be told the files stay, as when the store does not answer at all. `err` has what
 * the race was lost to, which stays unless this fails. */
static stoa_status look_for_commit(struct commit *commit, bool *out, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE;
    stoa_status status = is_committed(commit, out, &own);
    if (status != STOA_OK || *out) {
        list_files(commit->transaction);
    }
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}

/* Steps 3 and 4, again where somebody else was first, as often as the busy time allows. */
static stoa_status commit_durable(struct commit *commit, stoa_commit_outcome *out,
                                  stoa_error *err) {
    stoa_database *database = commit->transaction->database;
    stoa_race race = stoa_race_begin(database->catalog);
    stoa_status status = STOA_OK;
    bool done = false;
    STOA_TRY(stoa_database_check_writable(database, err));
    STOA_TRY(check_age(commit->transaction, err));
    do {
        STOA_TRY(apply_durable(commit, err));
        status = publish(commit, out, err);
        if (*out == STOA_COMMIT_LOST) {
            STOA_TRY(look_for_commit(commit, &done, err));
        }
    } while (*out == STOA_COMMIT_LOST && !done && stoa_race_again(&race));
    if (done) {
        stoa_error_clear(err);
        if (commit->memory_changes > 0) {
            (void)pthread_mutex_lock(&database->view_lock);
            publish_all_memory(commit);
            (void)pthread_mutex_unlock(&database->view_lock);
        }
        return STOA_OK;
    }
    return status;
}

/* ---- tables that are reached through an access method ---- */

/* Rows of such tables are one commit, what the catalog or the process has of others is another. */
static stoa_status list_kept(struct commit *commit, stoa_error *err) {
    stoa_transaction *transaction = commit->transaction;
    const stoa_change *other = NULL;
    STOA_TRY(stoa_pool_allocate_array(transaction->database->pool,
                                      (size_t)transaction->change_count, sizeof(stoa_change *),
                                      (void **)&commit->kept, err));
    for (int64_t i = 0; i < transaction->change_count; i++) {
        stoa_change *change = &transaction->changes[i];
        const bool is_write = change->base != NULL && change->now != NULL && change->wrote;
        if (access_of(change) != NULL && is_write && !change->renamed) {
            commit->kept[commit->kept_count++] = change;
        } else {
            other = access_of(change) != NULL && is_write ? change : other == NULL ? change : other;
        }
    }
    for (int64_t i = 0; i < commit->kept_count; i++) {
        const stoa_entry *entry = entry_of(commit->kept[i]);
        if (other != NULL || access_of(commit->kept[i]) != access_of(commit->kept[0])) {
            other = other != NULL ? other : commit->kept[0];
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "table '%s' of kind '%s' and table '%s' cannot be changed in one "
                             "transaction: they would be two commits",
                             entry->name, entry->kind_name, entry_of(other)->name);
        }
    }
    if (other != NULL && access_of(other) != NULL && other->renamed && other->wrote) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "table '%s' cannot be renamed and written in one transaction: they would "
                         "be two commits",
                         entry_of(other)->name);
    }
    return STOA_OK;
}

static void remove_created(struct commit *commit, int64_t count) {
    stoa_transaction *transaction = commit->transaction;
    for (int64_t i = 0; i < count; i++) {
        const stoa_change *change = &transaction->changes[i];
        if (access_of(change) != NULL && change->base == NULL) {
            access_of(change)->remove(transaction->database, change->now->id);
        }
    }
}

/* New tables with their rows, which nobody sees yet. */
static stoa_status create_kept(struct commit *commit, stoa_error *err) {
    stoa_transaction *transaction = commit->transaction;
    for (int64_t i = 0; i < transaction->change_count; i++) {
        stoa_change *change = &transaction->changes[i];
        const stoa_access_method *access = access_of(change);
        if (access == NULL) {
            continue;
        }
        stoa_status status = change->base == NULL
                                 ? access->create(transaction->database, change, err)
                             : change->now == NULL
                                 ? access->check_writable(transaction->database, err)
                                 : STOA_OK;
        if (status != STOA_OK) {
            remove_created(commit, i);
            return status;
        }
        stoa_part_vector_release(&change->added); /* the catalog is told of no rows */
        change->wrote = false;
    }
    return STOA_OK;
}

/* What the catalog has forgotten goes too; what stays is removed when it is next opened to write. */
static void remove_dropped(struct commit *commit) {
    stoa_transaction *transaction = commit->transaction;
    for (int64_t i = 0; i < transaction->change_count; i++) {
        const stoa_change *change = &transaction->changes[i];
        if (access_of(change) != NULL && change->now == NULL) {
            access_of(change)->remove(transaction->database, change->base->id);
        }
    }
}

static stoa_status commit_listed(struct commit *commit, stoa_error *err) {
    stoa_commit_outcome outcome = STOA_COMMIT_TAKEN_BACK;
    STOA_TRY(create_kept(commit, err));
    stoa_status status = prepare_all_memory(commit, err);
    if (status == STOA_OK) {
        status = commit->durable_changes > 0 ? commit_durable(commit, &outcome, err)
                                             : publish(commit, &outcome, err);
    }
    if (status == STOA_OK) {
        remove_dropped(commit);
    } else if (outcome != STOA_COMMIT_UNKNOWN) {
        remove_created(commit, commit->transaction->change_count);
    }
    return status;
}

static stoa_status commit_changes(stoa_transaction *transaction, stoa_error *err) {
    stoa_database *database = transaction->database;
    struct commit commit = {.transaction = transaction};
    if (transaction->change_count == 0) {
        return STOA_OK;
    }
    (void)pthread_mutex_lock(&database->commit_lock);
    stoa_status status = list_kept(&commit, err);
    if (status == STOA_OK) {
        status = commit.kept_count > 0
                     ? access_of(commit.kept[0])->write(transaction, commit.kept, commit.kept_count,
                                                        err)
                     : commit_listed(&commit, err);
    }
    stoa_pool_free(database->pool, commit.kept,
                   (size_t)transaction->change_count * sizeof(stoa_change *));
    (void)pthread_mutex_unlock(&database->commit_lock);
    if (status == STOA_OK && commit.drops) {
        /* The pin would hold back what this very commit dropped. */
        stoa_database_unpin(database, transaction->view);
        transaction->view = NULL;
        stoa_database_sweep(database);
    }
    return status;
}

stoa_status stoa_transaction_commit(stoa_transaction *transaction, stoa_error *err) {
    (void)pthread_mutex_lock(&transaction->lock);
    stoa_status status = STOA_OK;
    if (transaction->finished) {
        status = stoa_fail(err, STOA_INVALID, "the transaction is over");
    } else {
        status = commit_changes(transaction, err);
        transaction->finished = true;
    }
    (void)pthread_mutex_unlock(&transaction->lock);
    if (status != STOA_OK) {
        stoa_wrap(err, "committing");
    }
    return status;
}
