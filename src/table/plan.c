/* Plans: which parts of a table a scan has to read. A plan holds a pin on its view and references to
 * its parts, so nothing of it changes or goes away; it is counted by reference, because streams that
 * were opened from it go on after it is closed. */
#include <string.h>

#include "mem/arena.h"
#include "schema/schema.h"
#include "table/plan.h"
#include "vfs/stage.h"

static void plan_release(stoa_plan *plan) {
    if (plan == NULL ||
        atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_pool *pool = plan->pool;
    for (int64_t i = 0; plan->paths != NULL && i < plan->parts.count; i++) {
        stoa_pool_free_string(pool, plan->paths[i]);
    }
    stoa_stage_close(plan->stage);
    if (plan->kept != NULL) {
        plan->access->unpin(plan);
    }
    (void)pthread_mutex_destroy(&plan->lock);
    stoa_part_vector_release(&plan->parts);
    stoa_schema_close(plan->schema);
    stoa_entry_release(plan->entry);
    stoa_arena_release(&plan->arena);
    stoa_database_unpin(plan->database, plan->view);
    stoa_pool_free(pool, plan, sizeof *plan);
}

/* ---- a copy of a predicate that outlives its maker's arena ---- */

static stoa_status copy_values(stoa_arena *arena, const stoa_predicate *source,
                               stoa_predicate *copy, stoa_error *err) {
    stoa_value *values = NULL;
    size_t count = (size_t)source->value_count;
    STOA_TRY(stoa_arena_allocate_array(arena, count, sizeof *values, (void **)&values, err));
    for (size_t i = 0; i < count; i++) {
        values[i] = source->values[i];
        values[i].type.children = NULL;
        values[i].type.child_count = 0;
        if (source->values[i].bytes != NULL) {
            const char *bytes = NULL;
            STOA_TRY(stoa_arena_copy_text(arena, (const char *)source->values[i].bytes,
                                          source->values[i].size, &bytes, err));
            values[i].bytes = (const uint8_t *)bytes;
        }
    }
    copy->values = values;
    return STOA_OK;
}

/* Predicates are as deep as their maker let them be: parsers limit that. */
static stoa_status copy_predicate(stoa_arena *arena, const stoa_predicate *source,
                                  const stoa_predicate **out, stoa_error *err) {
    stoa_predicate *copy = NULL;
    const stoa_predicate **children = NULL;
    STOA_TRY(stoa_arena_allocate(arena, sizeof *copy, (void **)&copy, err));
    *copy = *source;
    STOA_TRY(copy_values(arena, source, copy, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)source->child_count, sizeof *children,
                                       (void **)&children, err));
    for (int32_t i = 0; i < source->child_count; i++) {
        STOA_TRY(copy_predicate(arena, source->children[i], &children[i], err));
    }
    copy->children = children;
    *out = copy;
    return STOA_OK;
}

/* ---- making a plan ---- */

static int32_t column_of_id(const stoa_schema *schema, int32_t id) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (schema->root.children[i].id == id) {
            return i;
        }
    }
    return -1;
}

static stoa_status choose_columns(stoa_plan *plan, const stoa_scan_request *request,
                                  stoa_error *err) {
    const stoa_schema *schema = plan->entry->schema;
    if (request->column_ids == NULL) {
        plan->schema = stoa_schema_retain(schema);
        return STOA_OK;
    }
    plan->column_count = request->column_count;
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, (size_t)request->column_count,
                                       sizeof *plan->columns, (void **)&plan->columns, err));
    for (int32_t i = 0; i < request->column_count; i++) {
        plan->columns[i] = column_of_id(schema, request->column_ids[i]);
        if (plan->columns[i] < 0) {
            return stoa_fail(err, STOA_NOT_FOUND, "table '%s' has no column with id %" PRId32,
                             plan->entry->name, request->column_ids[i]);
        }
    }
    return stoa_schema_project(plan->pool, schema, plan->columns, plan->column_count, &plan->schema,
                               err);
}

/* Drops the parts that are proven to hold no row of the answer. */
static void prune(stoa_plan *plan, const stoa_predicate *predicate) {
    int64_t kept = 0;
    const stoa_partition_spec *spec = plan->entry->spec;
    for (int64_t i = 0; i < plan->parts.count; i++) {
        stoa_part *part = plan->parts.items[i];
        bool may = part->row_count > 0 &&
                   (predicate == NULL ||
                    (stoa_predicate_may_match(predicate, plan->entry->schema, part->columns,
                                              part->column_count) &&
                     (part->partition == NULL ||
                      stoa_partition_may_match(spec, part->partition, predicate))));
        if (may) {
            plan->parts.items[kept++] = part;
        } else {
            plan->skipped_count += part->row_count > 0;
            stoa_part_release(part);
        }
    }
    plan->parts.count = kept;
}

static stoa_status make_splits(stoa_plan *plan, stoa_error *err) {
    size_t count = (size_t)plan->parts.count;
    if (plan->parts.count > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "table '%s' has %" PRId64 " parts, more than a plan holds",
                         plan->entry->name, plan->parts.count);
    }
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, count, sizeof *plan->splits,
                                       (void **)&plan->splits, err));
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, count, sizeof *plan->batches,
                                       (void **)&plan->batches, err));
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, count, sizeof *plan->paths,
                                       (void **)&plan->paths, err));
    plan->split_count = (int32_t)count;
    for (int32_t i = 0; i < (int32_t)count; i++) {
        const stoa_part *part = plan->parts.items[i];
        plan->splits[i] = (stoa_split){part->row_count, part->byte_count, part->path != NULL, i};
        plan->row_count += part->row_count;
        plan->batches[i] = part->path != NULL ? NULL : &part->batch;
    }
    plan->row_estimate = plan->row_count;
    return STOA_OK;
}

/* An earlier state of a table of the process stands in its chain. */
static stoa_status memory_snapshot(stoa_entry *entry, int64_t snapshot_id, stoa_entry **out,
                                   stoa_error *err) {
    for (stoa_entry *state = entry; state != NULL; state = state->previous) {
        if (state->snapshot.snapshot_id == snapshot_id) {
            *out = stoa_entry_retain(state);
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_NOT_FOUND, "table '%s' has no snapshot %" PRId64, entry->name,
                     snapshot_id);
}

static stoa_status go_to_snapshot(stoa_plan *plan, int64_t snapshot_id, stoa_error *err) {
    stoa_entry *earlier = NULL;
    if (plan->entry->kind->durable) {
        STOA_TRY(stoa_catalog_read_snapshot(plan->database->catalog, plan->entry, snapshot_id,
                                            &earlier, err));
    } else {
        STOA_TRY(memory_snapshot(plan->entry, snapshot_id, &earlier, err));
    }
    stoa_entry_release(plan->entry);
    plan->entry = earlier;
    return STOA_OK;
}

static stoa_status check_can_scan(const stoa_entry *entry, stoa_error *err) {
    if (entry->kind == NULL || (entry->kind->capabilities & STOA_CAN_SCAN) == 0) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "table '%s': tables of kind '%s' cannot be scanned "
                         "by this library",
                         entry->name, entry->kind_name);
    }
    return STOA_OK;
}

/* What others see; a transaction's own rows are none of it, and must not be missed silently. */
static stoa_status pin_rows(stoa_plan *plan, stoa_transaction *transaction,
                            const stoa_change *change, int64_t snapshot_id, stoa_error *err) {
    const stoa_entry *entry = plan->entry;
    if (snapshot_id != 0) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "table '%s': tables of kind '%s' have no snapshots to go back to",
                         entry->name, entry->kind_name);
    }
    if (change != NULL && (change->base == NULL || change->wrote)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "table '%s' was written in this transaction: tables of kind '%s' are read "
                         "again after the commit",
                         entry->name, entry->kind_name);
    }
    plan->access = entry->kind->access;
    return plan->access->pin(plan, transaction, err);
}

static stoa_status gather_parts(stoa_plan *plan, stoa_transaction *transaction, const char *table,
                                int64_t snapshot_id, stoa_error *err) {
    stoa_change *change = NULL;
    if (transaction == NULL) {
        STOA_TRY(stoa_database_pin(plan->database, &plan->view, err));
        STOA_TRY(stoa_view_lookup(plan->view, table, &plan->entry, err));
    } else {
        STOA_TRY(stoa_transaction_lookup(transaction, table, &plan->entry, &change, err));
        stoa_database_pin_again(plan->database, transaction->view);
        plan->view = transaction->view;
    }
    STOA_TRY(check_can_scan(plan->entry, err));
    if (plan->entry->kind->access != NULL) {
        return pin_rows(plan, transaction, change, snapshot_id, err);
    }
    if (snapshot_id != 0 && snapshot_id != plan->entry->snapshot.snapshot_id) {
        STOA_TRY(go_to_snapshot(plan, snapshot_id, err));
        change = NULL;
    }
    return change != NULL ? stoa_change_parts(plan->database, change, &plan->parts, err)
                          : stoa_entry_parts(plan->database, plan->entry, &plan->parts, err);
}

static stoa_status build(stoa_plan *plan, stoa_transaction *transaction, const char *table,
                         const stoa_scan_request *request, stoa_error *err) {
    if (transaction != NULL) {
        (void)pthread_mutex_lock(&transaction->lock);
    }
    stoa_status status = gather_parts(plan, transaction, table, request->snapshot_id, err);
    if (transaction != NULL) {
        (void)pthread_mutex_unlock(&transaction->lock);
    }
    STOA_TRY(status);
    STOA_TRY(choose_columns(plan, request, err));
    prune(plan, request->predicate);
    if ((request->exact || plan->access != NULL) && request->predicate != NULL) {
        STOA_TRY(copy_predicate(&plan->arena, request->predicate, &plan->exact, err));
    }
    return plan->access != NULL ? plan->access->split(plan, err) : make_splits(plan, err);
}

stoa_status stoa_table_plan(stoa_database *database, stoa_transaction *transaction,
                            const char *table, const stoa_scan_request *request,
                            const stoa_context *context, stoa_plan **out, stoa_error *err) {
    static const stoa_scan_request everything = {.limit = -1};
    stoa_plan *plan = NULL;
    *out = NULL;
    STOA_TRY(stoa_cancel_check(context == NULL ? NULL : context->cancel, err));
    /* Of the database's pool: a plan may live longer than the context that it was made in. */
    STOA_TRY(stoa_pool_allocate_array(database->pool, 1, sizeof *plan, (void **)&plan, err));
    atomic_init(&plan->references, 1);
    plan->database = database;
    plan->pool = database->pool;
    plan->parts.pool = database->pool;
    stoa_arena_init(&plan->arena, database->pool);
    (void)pthread_mutex_init(&plan->lock, NULL);
    stoa_status status = build(plan, transaction, table, request == NULL ? &everything : request,
                               err);
    if (status != STOA_OK) {
        plan_release(plan);
        return status;
    }
    *out = plan;
    return STOA_OK;
}

void stoa_plan_close(stoa_plan *plan) {
    plan_release(plan);
}

const stoa_schema *stoa_plan_table_schema(const stoa_plan *plan) {
    return plan->entry->schema;
}

const stoa_schema *stoa_plan_schema(const stoa_plan *plan) {
    return plan->schema;
}

int32_t stoa_plan_split_count(const stoa_plan *plan) {
    return plan->split_count;
}

bool stoa_plan_is_streamed(const stoa_plan *plan) {
    return plan->access != NULL;
}

int64_t stoa_plan_row_estimate(const stoa_plan *plan) {
    return plan->row_estimate;
}

const stoa_split *stoa_plan_split(const stoa_plan *plan, int32_t index) {
    STOA_ASSERT(index >= 0 && index < plan->split_count);
    return &plan->splits[index];
}

const stoa_partition_spec *stoa_plan_partitions(const stoa_plan *plan) {
    return plan->entry->spec;
}

const stoa_value *stoa_plan_partition(const stoa_plan *plan, int32_t split) {
    STOA_ASSERT(split >= 0 && split < plan->split_count);
    return plan->access != NULL ? NULL : plan->parts.items[split]->partition;
}

int64_t stoa_plan_row_count(const stoa_plan *plan) {
    return plan->row_count;
}

int32_t stoa_plan_skipped_count(const stoa_plan *plan) {
    return plan->skipped_count;
}

void stoa_plan_explain_gone(const stoa_plan *plan, stoa_error *err) {
    stoa_wrap(err,
              "a file of snapshot %" PRId64 " of table '%s' is gone, as such that was "
              "given up longer ago than the grace: begin again with the current one",
              plan->entry->snapshot.snapshot_id, plan->entry->name);
}

/* Under the plan's lock, which is held while a file is fetched: whoever asks for it next waits. */
static stoa_status find_path(stoa_plan *plan, const stoa_part *part, const stoa_context *context,
                             char **out, stoa_error *err) {
    char *uri = NULL;
    const char *local = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_database_path(plan->database, part->path, &uri, err));
    local = stoa_vfs_local_path(uri);
    if (local == NULL) {
        STOA_CHECK(stoa_database_stage(plan->database, plan->pool, &plan->stage, err));
        status = stoa_stage_add(plan->stage, uri, false, context, &local, err);
        if (status == STOA_NOT_FOUND) {
            stoa_plan_explain_gone(plan, err);
        }
        STOA_CHECK(status);
    }
    STOA_CHECK(stoa_pool_copy_string(plan->pool, local, out, err));

done:
    stoa_pool_free_string(plan->database->pool, uri);
    return status;
}

stoa_status stoa_plan_parquet_path(stoa_plan *plan, int32_t split, const stoa_context *context,
                                   const char **out, stoa_error *err) {
    STOA_ASSERT(split >= 0 && split < plan->split_count);
    stoa_status status = STOA_OK;
    *out = NULL;
    const stoa_part *part = plan->access != NULL ? NULL : plan->parts.items[split];
    if (part == NULL || part->path == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the part is no file of rows");
    }
    (void)pthread_mutex_lock(&plan->lock);
    if (plan->paths[split] == NULL) {
        status = find_path(plan, part, context, &plan->paths[split], err);
    }
    *out = plan->paths[split];
    (void)pthread_mutex_unlock(&plan->lock);
    return status;
}

const struct ArrowArray *const *stoa_plan_memory_batches(const stoa_plan *plan, int32_t split,
                                                         int64_t *out_count) {
    STOA_ASSERT(split >= 0 && split < plan->split_count);
    bool in_memory = plan->access == NULL && plan->batches[split] != NULL;
    *out_count = in_memory ? 1 : 0;
    return in_memory ? &plan->batches[split] : NULL;
}

stoa_database *stoa_plan_database(const stoa_plan *plan) {
    return plan->database;
}

void stoa_plan_rewrite_base(const stoa_plan *plan, stoa_view **out_view, stoa_entry **out_entry) {
    *out_view = plan->view;
    *out_entry = plan->entry;
}

int64_t stoa_plan_part_id(const stoa_plan *plan, int32_t split) {
    return plan->parts.items[split]->id;
}
