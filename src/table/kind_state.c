/* Tables of the kind state: records with a key, in the store of src/lsm. The catalog has their names and a
 * copy of their schemas; what is kept of them, their rows and files are the store's, and where it has
 * other columns than the catalog says (a process ended between the two) those are the table's.
 *
 * A plan reads all tables at one moment, and a transaction's plans the same one. Its splits are ranges of
 * keys with about as many rows. kind_state_write.c has the way in. */
#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "lsm/scan.h"
#include "lsm/scan_range.h"
#include "schema/schema.h"
#include "table/kind_state.h"
#include "table/plan.h"
#include "table/state_home.h"

enum {
    SPLIT_ROWS = 128 * 1024, /* about, of one split */
    SPLITS_PER_THREAD = 8,   /* at most: enough that threads end at about the same time */
    BATCH_ROWS = 64 * 1024
};

/* ---- plans ----------------------------------------------------------------------------------- */

/* In the plan's arena. */
struct state_plan {
    stoa_store_pin *pin;
    stoa_view_reading reading;
    stoa_key_range *ranges; /* one a split */
};

static stoa_status pin_store(stoa_database *database, stoa_store_pin **out, stoa_error *err) {
    stoa_store *store = NULL;
    STOA_TRY(stoa_state_home_read(database, &store, err));
    return stoa_store_pin_create(store, out, err);
}

static stoa_status find_reading(const stoa_store_pin *pin, const stoa_entry *entry,
                                stoa_view_reading *out, stoa_error *err) {
    stoa_status status = stoa_store_pin_reading(pin, entry->id, out, err);
    if (status == STOA_NOT_FOUND) {
        return stoa_fail(err, STOA_CONFLICT, "table '%s' was dropped by somebody else",
                         entry->name);
    }
    return status;
}

/* What a transaction reads of all state tables; without one, as it is now. The caller's. */
static stoa_status pin_for(stoa_database *database, stoa_transaction *transaction,
                           stoa_store_pin **out, stoa_error *err) {
    if (transaction != NULL && transaction->state_pin != NULL) {
        *out = stoa_store_pin_retain(transaction->state_pin);
        return STOA_OK;
    }
    STOA_TRY(pin_store(database, out, err));
    if (transaction != NULL) {
        transaction->state_pin = stoa_store_pin_retain(*out);
    }
    return STOA_OK;
}

/* The table as it is with the columns that the store has. */
static stoa_status adopt_schema(stoa_entry **entry, const stoa_schema *stored, stoa_error *err) {
    stoa_entry *old = *entry;
    if (stoa_schema_same(old->schema, stored)) {
        return STOA_OK;
    }
    const stoa_entry_facts facts = {old->id,       old->name, old->kind_name, stored,
                                    old->snapshot, old->spec};
    STOA_TRY(stoa_entry_create(old->pool, &facts, entry, err));
    stoa_entry_release(old);
    return STOA_OK;
}

static stoa_status state_pin(stoa_plan *plan, stoa_transaction *transaction, stoa_error *err) {
    struct state_plan *kept = NULL;
    STOA_TRY(stoa_arena_allocate(&plan->arena, sizeof *kept, (void **)&kept, err));
    *kept = (struct state_plan){0};
    STOA_TRY(pin_for(plan->database, transaction, &kept->pin, err));
    plan->kept = kept;
    STOA_TRY(find_reading(kept->pin, plan->entry, &kept->reading, err));
    return adopt_schema(&plan->entry, kept->reading.view->definition->schema, err);
}

static stoa_status state_schema(stoa_database *database, stoa_transaction *transaction,
                                const stoa_entry *entry, const stoa_schema **out,
                                stoa_error *err) {
    stoa_store_pin *pin = NULL;
    stoa_view_reading reading;
    STOA_TRY(pin_for(database, transaction, &pin, err));
    const stoa_status status = find_reading(pin, entry, &reading, err);
    if (status == STOA_OK) {
        *out = stoa_schema_retain(reading.view->definition->schema);
    }
    stoa_store_pin_release(pin);
    return status;
}

static void state_unpin(stoa_plan *plan) {
    struct state_plan *kept = plan->kept;
    stoa_store_pin_release(kept->pin);
}

/* Rows and bytes as the files and memtables have them, older versions and deletions among them. */
static void estimate(const stoa_state_view *view, int64_t *out_rows, uint64_t *out_bytes) {
    *out_rows = 0;
    *out_bytes = 0;
    for (int32_t i = 0; i < view->memtable_count; i++) {
        const int64_t rows = stoa_memtable_row_count(view->memtables[i]);
        *out_rows += rows;
        *out_bytes += rows > 0 ? stoa_memtable_bytes(view->memtables[i]) : 0;
    }
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < view->version->levels[level].count; i++) {
            *out_rows += view->version->levels[level].files[i]->info.row_count;
            *out_bytes += view->version->levels[level].files[i]->info.bytes;
        }
    }
}

static stoa_status copy_key(stoa_arena *arena, const stoa_key_format *format,
                            const stoa_keys_view *keys, int64_t index, const uint8_t **out,
                            size_t *out_size, stoa_error *err) {
    uint8_t number[8];
    const char *copy = NULL;
    const uint8_t *key = stoa_keys_bytes(format, keys, index, number, out_size);
    STOA_TRY(stoa_arena_copy_text(arena, (const char *)key, *out_size, &copy, err));
    *out = (const uint8_t *)copy;
    return STOA_OK;
}

/* Cuts `whole` at the keys. */
static stoa_status make_ranges(stoa_plan *plan, const stoa_key_range *whole, const stoa_keys *keys,
                               stoa_error *err) {
    struct state_plan *kept = plan->kept;
    const stoa_key_format *format = &kept->reading.view->definition->key;
    const stoa_keys_view view = stoa_keys_view_of(keys);
    const size_t count = (size_t)keys->count + 1;
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, count, sizeof *kept->ranges,
                                       (void **)&kept->ranges, err));
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, count, sizeof *plan->splits,
                                       (void **)&plan->splits, err));
    kept->ranges[0] = *whole;
    for (size_t i = 1; i < count; i++) {
        stoa_key_range *before = &kept->ranges[i - 1];
        kept->ranges[i] = *before;
        STOA_TRY(copy_key(&plan->arena, format, &view, (int64_t)i - 1, &before->to,
                          &before->to_size, err));
        before->to_end = false;
        kept->ranges[i].from = before->to;
        kept->ranges[i].from_size = before->to_size;
    }
    plan->split_count = (int32_t)count;
    return STOA_OK;
}

/* Whether its constants are of the columns' types. As deep as whoever made it let it be. */
static bool predicate_fits(const stoa_predicate *predicate, const stoa_schema *schema) {
    for (int32_t i = 0; i < predicate->child_count; i++) {
        if (!predicate_fits(predicate->children[i], schema)) {
            return false;
        }
    }
    if (predicate->kind < STOA_PREDICATE_EQUAL) {
        return true;
    }
    const stoa_field *field = stoa_schema_field(schema, predicate->field_id);
    for (int32_t i = 0; field != NULL && i < predicate->value_count; i++) {
        const stoa_type *type = &predicate->values[i].type;
        if (!predicate->values[i].is_null &&
            (type->kind != field->type.kind || type->unit != field->type.unit ||
             type->scale != field->type.scale)) {
            return false;
        }
    }
    return field != NULL;
}

/* A predicate may have been made before the columns were changed. */
static stoa_status check_predicate(const stoa_plan *plan, stoa_error *err) {
    return plan->exact == NULL || predicate_fits(plan->exact, plan->entry->schema)
               ? STOA_OK
               : stoa_fail(err, STOA_CONFLICT,
                           "the columns of table '%s' were changed by somebody else",
                           plan->entry->name);
}

static stoa_status state_split(stoa_plan *plan, stoa_error *err) {
    struct state_plan *kept = plan->kept;
    const stoa_state_view *view = kept->reading.view;
    uint64_t bytes = 0;
    stoa_key_range range;
    stoa_keys keys;
    stoa_buffer bounds;
    stoa_keys_init(&keys, plan->pool);
    stoa_buffer_init(&bounds, plan->pool);
    stoa_status status = STOA_OK;
    bool known = false;
    estimate(view, &plan->row_estimate, &bytes);
    STOA_CHECK(check_predicate(plan, err));
    STOA_CHECK(
        stoa_key_range_of_predicate(&view->definition->key, plan->exact, &bounds, &range, err));
    const char *copy = NULL;
    STOA_CHECK(stoa_arena_copy_text(&plan->arena, bounds.size > 0 ? (const char *)bounds.data : "",
                                    bounds.size, &copy, err));
    range.to = (const uint8_t *)copy;
    range.from = (const uint8_t *)copy + range.to_size;
    const int64_t most = (int64_t)SPLITS_PER_THREAD * stoa_database_threads(plan->database);
    const int64_t wanted = plan->row_estimate / SPLIT_ROWS + 1;
    if (wanted > 1) {
        STOA_CHECK(stoa_view_scan_split(view, &range, wanted < most ? wanted : most, &keys, err));
    }
    STOA_CHECK(make_ranges(plan, &range, &keys, err));
    for (int32_t i = 0; i < plan->split_count; i++) {
        plan->splits[i] = (stoa_split){-1, bytes / (uint64_t)plan->split_count, false, i};
    }
    plan->row_count = -1;
    if (plan->exact == NULL) {
        STOA_CHECK(
            stoa_view_scan_count_known(&kept->reading, plan->pool, &known, &plan->row_count, err));
        plan->row_count = known ? plan->row_count : -1;
        plan->row_estimate = known ? plan->row_count : plan->row_estimate;
    }

done:
    stoa_keys_release(&keys);
    stoa_buffer_release(&bounds);
    return status;
}

/* ---- streams --------------------------------------------------------------------------------- */

struct state_stream {
    stoa_plan *plan;
    stoa_pool *pool;
    stoa_view_scan *scan;
};

static stoa_status stream_next(void *state, struct ArrowArray *out, stoa_error *err) {
    const struct state_stream *stream = state;
    stoa_status status = stoa_view_scan_next(stream->scan, BATCH_ROWS, out, err);
    stoa_wrap(status == STOA_OK ? NULL : err, "table '%s'", stream->plan->entry->name);
    return status;
}

static void stream_close(void *state) {
    struct state_stream *stream = state;
    stoa_view_scan_close(stream->scan);
    stoa_plan_close(stream->plan);
    stoa_pool_free(stream->pool, stream, sizeof *stream);
}

static stoa_status open_scan(const stoa_plan *plan, int32_t split, const int32_t *columns,
                             int32_t column_count, const stoa_context *context,
                             stoa_view_scan **out, stoa_error *err) {
    const struct state_plan *kept = plan->kept;
    stoa_view_scan_options options = {.context = *context,
                                      .columns = columns,
                                      .column_count = column_count,
                                      .predicate = plan->exact};
    options.context.progress = NULL;
    stoa_status status = stoa_view_scan_create(&kept->reading, &options, out, err);
    if (status == STOA_OK) {
        status = stoa_view_scan_seek(*out, &kept->ranges[split], err);
    }
    if (status != STOA_OK) {
        stoa_view_scan_close(*out);
        *out = NULL;
    }
    return status;
}

static stoa_status stream_schema(const stoa_plan *plan, stoa_pool *pool, const int32_t *columns,
                                 int32_t column_count, struct ArrowSchema *out, stoa_error *err) {
    const stoa_schema *schema = NULL;
    if (columns == NULL) {
        return stoa_schema_to_arrow(pool, plan->entry->schema, out, err);
    }
    STOA_TRY(stoa_schema_project(pool, plan->entry->schema, columns, column_count, &schema, err));
    stoa_status status = stoa_schema_to_arrow(pool, schema, out, err);
    stoa_schema_close(schema);
    return status;
}

static stoa_status state_open(stoa_plan *plan, int32_t split, const int32_t *columns,
                              int32_t column_count, const stoa_context *context,
                              struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {stream_next, stream_close};
    stoa_pool *pool = context->pool;
    struct state_stream *stream = NULL;
    struct ArrowSchema schema = {0};
    out->release = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *stream, (void **)&stream, err));
    *stream = (struct state_stream){.plan = stoa_plan_retain(plan), .pool = pool};
    stoa_status status = open_scan(plan, split, columns, column_count, context, &stream->scan, err);
    if (status == STOA_OK) {
        status = stream_schema(plan, pool, columns, column_count, &schema, err);
    }
    if (status != STOA_OK) {
        stream_close(stream);
        return status;
    }
    return stoa_stream_create(pool, &schema, &operations, stream, out, err);
}

static stoa_status state_key_schema(stoa_database *database, const stoa_entry *entry,
                                    const stoa_schema **out, stoa_error *err) {
    stoa_store *store = NULL;
    stoa_state *state = NULL;
    *out = NULL;
    STOA_TRY(stoa_state_home_read(database, &store, err));
    STOA_TRY(stoa_store_open_table(store, entry->id, &state, err));
    stoa_status status = stoa_state_key_schema(state, database->pool, out, err);
    stoa_state_close(state);
    return status;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* A table without a store yet was made by this process's own transaction: nothing is known of it. */
static stoa_status state_describe(stoa_database *database, const stoa_entry *entry,
                                  stoa_table_info *out, stoa_error *err) {
    stoa_store_pin *pin = NULL;
    stoa_view_reading reading;
    bool known = false;
    int64_t rows = 0;
    uint64_t bytes = 0;
    stoa_error own = STOA_ERROR_NONE;
    out->row_count = -1;
    out->file_count = 0;
    stoa_status status = pin_store(database, &pin, &own);
    if (status == STOA_OK) {
        status = stoa_store_pin_reading(pin, entry->id, &reading, &own);
    }
    if (status == STOA_OK) {
        estimate(reading.view, &rows, &bytes);
        out->byte_count = bytes;
        for (int32_t level = 0; level < STOA_LEVELS; level++) {
            out->file_count += reading.view->version->levels[level].count;
        }
        status = stoa_view_scan_count_known(&reading, database->pool, &known, &rows, &own);
        out->row_count = known ? rows : -1;
    }
    stoa_store_pin_release(pin);
    if (status == STOA_OK || status == STOA_NOT_FOUND) {
        return STOA_OK;
    }
    if (err != NULL) {
        *err = own;
    }
    return status;
}

static stoa_status state_files(stoa_database *database, const stoa_entry *entry,
                               stoa_file_function function, void *user, stoa_error *err) {
    stoa_store_pin *pin = NULL;
    stoa_view_reading reading;
    stoa_status status = STOA_OK;
    STOA_TRY(pin_store(database, &pin, err));
    STOA_CHECK(find_reading(pin, entry, &reading, err));
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        const stoa_level *files = &reading.view->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            char path[48];
            const stoa_table_file_info *info = &files->files[i]->info;
            (void)snprintf(path, sizeof path, "state/%016" PRIx64 ".sst", info->number);
            STOA_CHECK(
                function(user, &(stoa_file_entry){path, info->row_count, info->bytes, 0}, err));
        }
    }

done:
    stoa_store_pin_release(pin);
    return status;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const stoa_access_method access_method = {
    .pin = state_pin,
    .unpin = state_unpin,
    .split = state_split,
    .open = state_open,
    .create = stoa_kind_state_create,
    .remove = stoa_kind_state_remove,
    .write = stoa_kind_state_write,
    .check_writable = stoa_kind_state_check_writable,
    .schema = state_schema,
    .key_schema = state_key_schema,
    .describe = state_describe,
    .files = state_files,
    .verify = stoa_kind_state_verify,
};

const stoa_table_kind stoa_table_kind_state = {
    .name = "state",
    .capabilities = STOA_CAN_SCAN | STOA_CAN_APPEND | STOA_CAN_OVERWRITE | STOA_CAN_DELETE |
                    STOA_CAN_UPDATE | STOA_CAN_UPSERT | STOA_CAN_STREAM | STOA_CAN_ALTER,
    .durable = true,
    .anywhere = true,
    .access = &access_method,
    .writer_open = stoa_kind_state_writer_open,
    .writer_write = stoa_kind_state_writer_write,
    .writer_finish = stoa_kind_state_writer_finish,
    .writer_close = stoa_kind_state_writer_close,
};
