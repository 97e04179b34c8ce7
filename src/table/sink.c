/* Sinks: the one way in. Whatever the kind, a batch is first validated and brought into the schema's
 * canonical layout (here, once); the kind's writers then turn it into parts, and the commit hands
 * all parts to the transaction. Writers share nothing but the short list of finished parts. */
#include <stdlib.h>
#include <string.h>

#include "schema/schema.h"
#include "schema/validate.h"
#include "table/internal.h"

struct stoa_sink_writer {
    stoa_sink *sink;
    int32_t number; /* in the order of opening */
    void *state;    /* the kind's; NULL after finish */
};

enum { FILE_BYTES_DEFAULT = 512 * 1024 * 1024, ROW_GROUP_ROWS_MAX = 1 << 30 };

static stoa_status fail_done(const stoa_sink *sink, stoa_error *err) {
    return sink->entry == NULL
               ? stoa_fail(err, STOA_INVALID, "the sink's database was closed")
               : stoa_fail(err, STOA_INVALID, "the sink of table '%s' is committed already",
                           sink->entry->name);
}

/* ---- writers ---- */

stoa_status stoa_sink_writer_open(stoa_sink *sink, stoa_sink_writer **out, stoa_error *err) {
    stoa_sink_writer *writer = NULL;
    *out = NULL;
    if (sink->done) {
        return fail_done(sink, err);
    }
    stoa_pool *pool = sink->database->pool;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *writer, (void **)&writer, err));
    writer->sink = sink;
    (void)pthread_mutex_lock(&sink->lock);
    sink->open_writers++;
    writer->number = sink->writer_count++;
    (void)pthread_mutex_unlock(&sink->lock);
    stoa_status status = sink->kind->writer_open(sink, &writer->state, err);
    if (status != STOA_OK) {
        stoa_sink_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

/* Takes `batch` on error. */
static stoa_status check_writer(const stoa_sink_writer *writer, struct ArrowArray *batch,
                                stoa_error *err) {
    stoa_status status = stoa_cancel_check(writer->sink->context.cancel, err);
    if (status == STOA_OK && writer->state == NULL) {
        status = stoa_fail(err, STOA_INVALID, "the writer is finished");
    }
    if (status != STOA_OK) {
        stoa_arrow_array_release(batch);
    }
    return status;
}

stoa_status stoa_sink_writer_write(stoa_sink_writer *writer, const struct ArrowSchema *schema,
                                   struct ArrowArray *batch, stoa_error *err) {
    stoa_sink *sink = writer->sink;
    struct ArrowArray canonical = {0};
    STOA_TRY(check_writer(writer, batch, err));
    STOA_TRY(stoa_batch_conform(sink->context.pool, sink->schema, schema, batch, &canonical, err));
    return sink->kind->writer_write(writer->state, &canonical, err);
}

stoa_status stoa_sink_writer_write_conformed(stoa_sink_writer *writer, struct ArrowArray *batch,
                                             stoa_error *err) {
    STOA_TRY(check_writer(writer, batch, err));
    return writer->sink->kind->writer_write(writer->state, batch, err);
}

stoa_status stoa_sink_writer_finish(stoa_sink_writer *writer, stoa_error *err) {
    stoa_sink *sink = writer->sink;
    if (writer->state == NULL) {
        return STOA_OK;
    }
    stoa_part_vector made = {.pool = sink->database->pool};
    stoa_status status = sink->kind->writer_finish(writer->state, &made, err);
    for (int64_t i = 0; i < made.count; i++) {
        made.items[i]->writer = writer->number;
        made.items[i]->deletes = sink->deletes;
        made.items[i]->merges = sink->merges;
        made.items[i]->expects = sink->expects;
    }
    if (status == STOA_OK) {
        (void)pthread_mutex_lock(&sink->lock);
        status = stoa_part_vector_append(&sink->parts, &made, err);
        (void)pthread_mutex_unlock(&sink->lock);
    }
    stoa_part_vector_release(&made);
    sink->kind->writer_close(writer->state);
    writer->state = NULL;
    return status;
}

void stoa_sink_writer_close(stoa_sink_writer *writer) {
    if (writer == NULL) {
        return;
    }
    stoa_sink *sink = writer->sink;
    if (writer->state != NULL) {
        sink->kind->writer_close(writer->state);
    }
    (void)pthread_mutex_lock(&sink->lock);
    sink->open_writers--;
    (void)pthread_mutex_unlock(&sink->lock);
    stoa_pool_free(sink->database->pool, writer, sizeof *writer);
}

/* ---- opening ---- */

struct renumbering {
    stoa_arena *arena;
    int32_t next_id;
};

/* Nested as deep as a schema may be, which stoa_schema_create limits. */
static stoa_status renumber(struct renumbering *run, const stoa_field *source, int32_t count,
                            stoa_field **out, stoa_error *err) {
    stoa_field *fields = NULL;
    STOA_TRY(stoa_arena_allocate_array(run->arena, (size_t)count, sizeof *fields, (void **)&fields,
                                       err));
    for (int32_t i = 0; i < count; i++) {
        fields[i] = source[i];
        fields[i].id = run->next_id++;
    }
    for (int32_t i = 0; i < count; i++) {
        stoa_field *children = NULL;
        STOA_TRY(
            renumber(run, source[i].type.children, source[i].type.child_count, &children, err));
        fields[i].type.children = children;
    }
    *out = fields;
    return STOA_OK;
}

/* ---- partitions ---- */

static stoa_status parse_partitions(stoa_sink *sink, const char *table, const char *text,
                                    const stoa_schema *schema, stoa_error *err) {
    stoa_status status = stoa_partition_spec_parse(sink->pool, schema, text, &sink->spec, err);
    stoa_wrap(status == STOA_OK ? NULL : err, "partitions of table '%s'", table);
    return status;
}

/* The old text over the new columns, where no other is given. */
static stoa_status succeed_partitions(stoa_sink *sink, const char *wanted, stoa_error *err) {
    const stoa_entry *old = sink->entry;
    stoa_buffer text;
    stoa_buffer_init(&text, sink->pool);
    stoa_status status = STOA_OK;
    if (wanted == NULL && old->spec != NULL) {
        STOA_CHECK(stoa_partition_spec_print(old->spec, old->schema, &text, err));
        STOA_CHECK(stoa_buffer_text(&text, &wanted, err));
    }
    if (wanted != NULL) {
        STOA_CHECK(parse_partitions(sink, old->name, wanted, sink->schema, err));
    }
    if (sink->replace_schema || stoa_partition_spec_equal(sink->spec, old->spec)) {
        goto done;
    }
    const stoa_schema *made = NULL; /* the same columns: a spec goes with a version of them */
    STOA_CHECK(stoa_schema_create_version(sink->pool, old->schema->root.children,
                                          old->schema->root.child_count,
                                          old->schema->schema_id + 1, old->schema->field_id_max,
                                          &made, err));
    stoa_schema_close(sink->schema);
    sink->schema = made;
    sink->replace_schema = true;

done:
    stoa_buffer_release(&text);
    return status;
}

static stoa_status keep_partitions(stoa_sink *sink, const char *wanted, stoa_error *err) {
    stoa_partition_spec *spec = stoa_partition_spec_retain(sink->entry->spec);
    if (wanted != NULL) {
        stoa_status status = parse_partitions(sink, sink->entry->name, wanted, sink->schema, err);
        if (status == STOA_OK && !stoa_partition_spec_equal(sink->spec, spec)) {
            status = stoa_fail(err, STOA_INVALID,
                               "table '%s' has other partitions than '%s'; only overwriting "
                               "replaces them",
                               sink->entry->name, wanted);
        }
        stoa_partition_spec_close(spec);
        return status;
    }
    sink->spec = spec;
    return STOA_OK;
}

/* A schema that takes another's place: the same columns keep their ids, other columns get ids that
 * the table has never used. */
static stoa_status succeed_schema(stoa_sink *sink, const stoa_schema *wanted, stoa_error *err) {
    const stoa_schema *old = sink->entry->schema;
    if (stoa_type_equal(&old->root, &wanted->root, false)) {
        return STOA_OK;
    }
    stoa_pool *pool = sink->database->pool;
    stoa_arena arena;
    stoa_arena_init(&arena, pool);
    struct renumbering run = {&arena, old->field_id_max + 1};
    stoa_field *columns = NULL;
    const stoa_schema *made = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(renumber(&run, wanted->root.children, wanted->root.child_count, &columns, err));
    STOA_CHECK(stoa_schema_create_version(pool, columns, wanted->root.child_count,
                                          old->schema_id + 1, old->field_id_max, &made, err));
    stoa_schema_close(sink->schema);
    sink->schema = made;
    sink->replace_schema = true;

done:
    stoa_arena_release(&arena);
    return status;
}

static stoa_status check_options(stoa_sink *sink, const stoa_sink_options *options,
                                 stoa_error *err) {
    if (options->row_group_rows < 0 || options->row_group_rows > ROW_GROUP_ROWS_MAX) {
        return stoa_fail(err, STOA_INVALID,
                         "expected row groups of 1 to %d rows but found %" PRId64,
                         ROW_GROUP_ROWS_MAX, options->row_group_rows);
    }
    if (options->file_bytes < 0) {
        return stoa_fail(err, STOA_INVALID, "expected files of at least 1 byte but found %" PRId64,
                         options->file_bytes);
    }
    if (options->codec != NULL && stoa_parquet_codec_name(options->codec) == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a codec (zstd, snappy, lz4_raw, gzip, brotli, none) "
                         "but found '%.40s'",
                         options->codec);
    }
    sink->codec = options->codec == NULL ? NULL : stoa_parquet_codec_name(options->codec);
    sink->row_group_rows = options->row_group_rows;
    sink->file_bytes = options->file_bytes == 0 ? FILE_BYTES_DEFAULT : options->file_bytes;
    return STOA_OK;
}

static stoa_status check_capability(const stoa_entry *entry, uint32_t needed, const char *what,
                                    stoa_error *err) {
    if (entry->kind == NULL || (entry->kind->capabilities & needed) != needed) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "table '%s': %s is not offered for tables of kind "
                         "'%s'",
                         entry->name, what, entry->kind_name);
    }
    return STOA_OK;
}

static stoa_status check_mode(const stoa_entry *entry, stoa_write_mode mode, stoa_error *err) {
    switch (mode) {
    case STOA_OVERWRITE: return check_capability(entry, STOA_CAN_OVERWRITE, "overwriting", err);
    case STOA_UPSERT:
        return check_capability(entry, STOA_CAN_UPSERT, "writing by key ('upsert')", err);
    case STOA_MERGE: return check_capability(entry, STOA_CAN_UPSERT, "merging by key", err);
    default: return check_capability(entry, STOA_CAN_APPEND, "appending", err);
    }
}

/* Gives back all but the handle. */
static void end(void *owner) {
    stoa_sink *sink = owner;
    stoa_sink_writer_close(sink->writer);
    sink->writer = NULL;
    STOA_ASSERT(sink->open_writers == 0);
    stoa_part_vector_release(&sink->parts);
    stoa_pool_free(sink->pool, sink->removed, (size_t)sink->removed_count * sizeof *sink->removed);
    sink->removed = NULL;
    sink->removed_count = 0;
    stoa_pool_free(sink->pool, sink->sorting, (size_t)sink->sorting_count * sizeof *sink->sorting);
    sink->sorting = NULL;
    sink->sorting_count = 0;
    stoa_schema_close(sink->schema);
    sink->schema = NULL;
    stoa_partition_spec_close(sink->spec);
    sink->spec = NULL;
    stoa_definition_release(sink->definition);
    sink->definition = NULL;
    stoa_entry_release(sink->entry);
    sink->entry = NULL;
    stoa_transaction_close(sink->own_transaction);
    sink->own_transaction = NULL;
    stoa_database_unpin(sink->database, sink->view);
    sink->view = NULL;
    sink->done = true;
}

static stoa_status sink_create(stoa_database *database, stoa_transaction *transaction,
                               const stoa_context *context, stoa_sink **out, stoa_error *err) {
    stoa_sink *sink = NULL;
    STOA_TRY(stoa_pool_allocate_array(database->pool, 1, sizeof *sink, (void **)&sink, err));
    sink->database = database;
    sink->pool = database->pool;
    sink->context = *context;
    stoa_database_fill_context(database, &sink->context);
    sink->parts.pool = database->pool;
    sink->transaction = transaction;
    (void)pthread_mutex_init(&sink->lock, NULL);
    *out = sink;
    STOA_TRY(
        stoa_resource_enter(sink->pool, STOA_RESOURCE_SINK, "", end, sink, &sink->resource, err));
    if (transaction == NULL) {
        STOA_TRY(stoa_transaction_begin(database, &sink->own_transaction, err));
        sink->transaction = sink->own_transaction;
    }
    return STOA_OK;
}

/* What cannot be written is said before rows are read for it. */
static stoa_status check_writable(const stoa_sink *sink, stoa_error *err) {
    if (!stoa_entry_in_process(sink->database, sink->entry)) {
        STOA_TRY(stoa_database_check_writable(sink->database, err));
    }
    return sink->kind->access != NULL ? sink->kind->access->check_writable(sink->database, err)
                                      : STOA_OK;
}

static stoa_status aim(stoa_sink *sink, const char *table, const stoa_sink_options *options,
                       stoa_error *err) {
    sink->create = options->mode == STOA_CREATE;
    sink->replace = options->mode == STOA_OVERWRITE;
    sink->merges = options->mode == STOA_MERGE;
    sink->operation = sink->replace ? STOA_SNAPSHOT_OVERWRITE : STOA_SNAPSHOT_APPEND;
    if (sink->create) {
        STOA_TRY(stoa_transaction_check_free(sink->transaction, table, err));
        if (options->partition != NULL && options->schema != NULL) {
            STOA_TRY(parse_partitions(sink, table, options->partition, options->schema, err));
        }
        STOA_TRY(stoa_entry_for_new(sink->database, table, options->kind, options->schema,
                                    sink->spec, &sink->entry, err));
        STOA_TRY(stoa_entry_define(sink->database, sink->entry, options->state, &sink->definition,
                                   err));
    } else {
        STOA_TRY(stoa_transaction_lookup(sink->transaction, table, &sink->entry, NULL, err));
        STOA_TRY(check_mode(sink->entry, options->mode, err));
    }
    sink->kind = sink->entry->kind;
    sink->schema = stoa_schema_retain(sink->entry->schema);
    STOA_TRY(check_writable(sink, err));
    if (options->partition != NULL) {
        STOA_TRY(check_capability(sink->entry, STOA_CAN_PARTITION, "partitioning", err));
    }
    if (!sink->create && options->schema != NULL && !sink->replace &&
        !stoa_type_equal(&options->schema->root, &sink->schema->root, false)) {
        return stoa_fail(err, STOA_INVALID,
                         "table '%s' has other columns than the schema given; "
                         "only overwriting replaces them",
                         sink->entry->name);
    }
    if (sink->replace && options->schema != NULL) {
        STOA_TRY(succeed_schema(sink, options->schema, err));
    }
    if (sink->replace_schema && sink->kind->access != NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "table '%s': overwriting does not replace the columns of tables of kind "
                         "'%s'; drop it and make it anew",
                         sink->entry->name, sink->entry->kind_name);
    }
    return sink->create    ? STOA_OK
           : sink->replace ? succeed_partitions(sink, options->partition, err)
                           : keep_partitions(sink, options->partition, err);
}

stoa_status stoa_sink_open(stoa_database *database, const char *table,
                           const stoa_sink_options *options, stoa_sink **out, stoa_error *err) {
    static const stoa_sink_options defaults;
    options = options == NULL ? &defaults : options;
    *out = NULL;
    stoa_sink *sink = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(sink_create(database, options->transaction, &options->context, &sink, err));
    STOA_CHECK(check_options(sink, options, err));
    (void)pthread_mutex_lock(&sink->transaction->lock);
    status = aim(sink, table, options, err);
    (void)pthread_mutex_unlock(&sink->transaction->lock);
    STOA_CHECK(status);
    *out = sink;
    return STOA_OK;

done:
    stoa_sink_close(sink);
    return status;
}

static stoa_status aim_rewrite(stoa_sink *sink, stoa_plan *plan, const int32_t *splits,
                               int32_t split_count, const char *operation, stoa_error *err) {
    stoa_pool *pool = sink->database->pool;
    sink->operation = stoa_snapshot_operation_parse(operation);
    if (sink->operation == STOA_SNAPSHOT_NONE) {
        return stoa_fail(err, STOA_INVALID, "expected an operation (delete, update) but found '%s'",
                         operation == NULL ? "" : operation);
    }
    stoa_view *view = NULL;
    stoa_entry *entry = NULL;
    stoa_plan_rewrite_base(plan, &view, &entry);
    stoa_database_pin_again(sink->database, view);
    sink->view = view;
    sink->entry = stoa_entry_retain(entry);
    sink->schema = stoa_schema_retain(entry->schema);
    sink->spec = stoa_partition_spec_retain(entry->spec);
    sink->kind = entry->kind;
    uint32_t needed = sink->operation == STOA_SNAPSHOT_UPDATE ? STOA_CAN_UPDATE : STOA_CAN_DELETE;
    STOA_TRY(check_capability(entry, needed, stoa_snapshot_operation_name(sink->operation), err));
    STOA_TRY(check_writable(sink, err));
    if (sink->kind->access != NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "table '%s': rows of kind '%s' are changed by key",
                         entry->name, entry->kind_name);
    }
    STOA_TRY(stoa_pool_allocate_array(pool, (size_t)split_count, sizeof *sink->removed,
                                      (void **)&sink->removed, err));
    sink->removed_count = split_count;
    for (int32_t i = 0; i < split_count; i++) {
        sink->removed[i] = stoa_plan_part_id(plan, splits[i]);
    }
    return STOA_OK;
}

stoa_status stoa_sink_open_delete(stoa_database *database, stoa_transaction *transaction,
                                  const char *table, const stoa_context *context, stoa_sink **out,
                                  stoa_error *err) {
    stoa_sink_options options = {.mode = STOA_APPEND, .transaction = transaction};
    options.context = context == NULL ? options.context : *context;
    stoa_sink *sink = NULL;
    const stoa_schema *keys = NULL;
    *out = NULL;
    STOA_TRY(stoa_sink_open(database, table, &options, &sink, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(check_capability(sink->entry, STOA_CAN_UPSERT, "deleting by key", err));
    STOA_CHECK(sink->kind->access->key_schema(database, sink->entry, &keys, err));
    stoa_schema_close(sink->schema);
    sink->schema = keys;
    sink->deletes = true;
    sink->expects = true;
    sink->operation = STOA_SNAPSHOT_DELETE;
    *out = sink;
    return STOA_OK;

done:
    stoa_sink_close(sink);
    return status;
}

void stoa_sink_expect_unchanged(stoa_sink *sink) {
    STOA_ASSERT(sink->writer_count == 0);
    sink->expects = true;
}

stoa_status stoa_sink_open_rewrite(stoa_plan *plan, stoa_transaction *transaction,
                                   const int32_t *splits, int32_t split_count,
                                   const char *operation, const stoa_context *context,
                                   stoa_sink **out, stoa_error *err) {
    static const stoa_context nothing;
    *out = NULL;
    stoa_sink *sink = NULL;
    stoa_status status = STOA_OK;
    stoa_database *database = stoa_plan_database(plan);
    STOA_CHECK(
        sink_create(database, transaction, context == NULL ? &nothing : context, &sink, err));
    sink->file_bytes = FILE_BYTES_DEFAULT;
    STOA_CHECK(aim_rewrite(sink, plan, splits, split_count, operation, err));
    if (sink->own_transaction != NULL) {
        /* The change is made over the plan's state, not over a newer one. */
        stoa_database_pin_again(database, sink->view);
        sink->own_transaction->view = sink->view;
    }
    *out = sink;
    return STOA_OK;

done:
    stoa_sink_close(sink);
    return status;
}

const stoa_partition_spec *stoa_sink_partitions(const stoa_sink *sink) {
    return sink->spec;
}

stoa_status stoa_sink_set_sorting(stoa_sink *sink, const stoa_parquet_sorting_option *sorting,
                                  int32_t count, stoa_error *err) {
    STOA_ASSERT(sink->writer_count == 0 && sink->sorting == NULL);
    if (count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(sink->pool, (size_t)count, sizeof *sorting,
                                      (void **)&sink->sorting, err));
    memcpy(sink->sorting, sorting, (size_t)count * sizeof *sorting);
    sink->sorting_count = count;
    return STOA_OK;
}

const stoa_schema *stoa_sink_schema(const stoa_sink *sink) {
    return sink->schema;
}

stoa_status stoa_sink_write(stoa_sink *sink, const struct ArrowSchema *schema,
                            struct ArrowArray *batch, stoa_error *err) {
    if (sink->writer == NULL) {
        stoa_status status = stoa_sink_writer_open(sink, &sink->writer, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(batch);
            return status;
        }
    }
    return stoa_sink_writer_write(sink->writer, schema, batch, err);
}

static stoa_status finish_writers(stoa_sink *sink, stoa_error *err) {
    if (sink->writer != NULL) {
        STOA_TRY(stoa_sink_writer_finish(sink->writer, err));
        stoa_sink_writer_close(sink->writer);
        sink->writer = NULL;
    }
    (void)pthread_mutex_lock(&sink->lock);
    int32_t open = sink->open_writers;
    (void)pthread_mutex_unlock(&sink->lock);
    if (open > 0) {
        return stoa_fail(err, STOA_INVALID, "%" PRId32 " writers of table '%s' are still open",
                         open, sink->entry->name);
    }
    return STOA_OK;
}

static int compare_parts(const void *left, const void *right) {
    const stoa_part *a = *(stoa_part *const *)left, *b = *(stoa_part *const *)right;
    return a->writer != b->writer ? (a->writer < b->writer ? -1 : 1) : (a->id < b->id) - (a->id > b->id);
}

/* Of rows with one key the last counts: writers in the order in which they were opened, and of each its
 * parts as it made them (their ids count down). */
static void order_parts(stoa_sink *sink) {
    if (sink->parts.count > 1) {
        qsort(sink->parts.items, (size_t)sink->parts.count, sizeof(stoa_part *), compare_parts);
    }
}

static stoa_status hand_over(stoa_sink *sink, stoa_error *err) {
    if (sink->kind->access != NULL) {
        order_parts(sink);
    }
    if (sink->kind->settle != NULL && sink->parts.count > 0) {
        STOA_TRY(sink->kind->settle(sink, err));
    }
    stoa_staged_write write = {
        .entry = sink->entry,
        .definition = sink->definition,
        .create = sink->create,
        .replace = sink->replace,
        .schema = sink->replace_schema ? sink->schema : NULL,
        .spec = sink->spec,
        .operation = sink->operation,
        .added = &sink->parts,
        .removed = sink->removed,
        .removed_count = sink->removed_count,
    };
    STOA_TRY(stoa_transaction_stage(sink->transaction, &write, err));
    return sink->own_transaction == NULL ? STOA_OK
                                         : stoa_transaction_commit(sink->own_transaction, err);
}

stoa_status stoa_sink_commit(stoa_sink *sink, int64_t *out_rows, stoa_error *err) {
    if (out_rows != NULL) {
        *out_rows = 0;
    }
    if (sink->done) {
        return fail_done(sink, err);
    }
    STOA_TRY(stoa_cancel_check(sink->context.cancel, err));
    STOA_TRY(finish_writers(sink, err));
    int64_t rows = stoa_part_vector_totals(&sink->parts).row_count;
    sink->done = true; /* whatever comes of it: a second try would find its parts gone */
    STOA_TRY(hand_over(sink, err));
    if (out_rows != NULL) {
        *out_rows = rows;
    }
    return STOA_OK;
}

void stoa_sink_close(stoa_sink *sink) {
    if (sink == NULL) {
        return;
    }
    stoa_pool *pool = sink->pool;
    stoa_resource_leave(sink->resource);
    end(sink);
    (void)pthread_mutex_destroy(&sink->lock);
    stoa_pool_free(pool, sink, sizeof *sink);
}
