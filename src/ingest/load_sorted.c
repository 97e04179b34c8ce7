/* Loading sorted: the rows go into a table of their own first, which the engine reads in order, spilling
 * what does not fit into memory; then into the table that is meant, whose partitions keep the order.
 * All of it is one transaction, in which the first table is dropped again: nobody ever sees it, and its
 * files go with it. */
#include <stdio.h>
#include <string.h>

#include "ingest/load.h"
#include "ingest/parquet_options.h"
#include "schema/schema.h"
#include "sql/detached.h"
#include "sql/stored.h"

struct sorted_load {
    stoa_database *database;
    const char *table;
    const stoa_load_options *options;
    stoa_context context;
    stoa_transaction *transaction;
    char gathered[64]; /* the table of the rows as they come */
    const char *kind;  /* its kind */
    stoa_text *order;  /* of ORDER BY */
    char *columns;     /* in text form; NULL: the files' */
    size_t columns_size;
    const stoa_schema *schema;
};

/* The target's columns, where they are not given and not the files' own. */
static stoa_status find_columns(struct sorted_load *load, stoa_error *err) {
    const stoa_schema *schema = NULL;
    if (load->options->schema != NULL || load->options->mode == STOA_CREATE) {
        return STOA_OK;
    }
    STOA_TRY(stoa_table_find(load->database, load->transaction, load->table, &schema, NULL, NULL,
                             err));
    load->columns_size = stoa_schema_print(schema, NULL, 0) + 1;
    stoa_status status = stoa_pool_allocate(load->context.pool, load->columns_size,
                                            (void **)&load->columns, err);
    if (status == STOA_OK) {
        (void)stoa_schema_print(schema, load->columns, load->columns_size);
    }
    stoa_schema_close(schema);
    return status;
}

static stoa_status gather(struct sorted_load *load, const stoa_ingest_tuning *tuning,
                          const char *const *paths, size_t path_count, stoa_load_report *out,
                          stoa_error *err) {
    stoa_load_options options = *load->options;
    options.mode = STOA_CREATE;
    options.kind = load->kind;
    options.codec = strcmp(load->kind, "parquet") == 0 ? "lz4_raw" : NULL;
    options.partition = NULL;
    options.sort = NULL;
    options.schema = load->columns != NULL ? load->columns : options.schema;
    stoa_ingest_tuning own = *tuning;
    own.transaction = load->transaction;
    STOA_TRY(stoa_ingest_load(load->database, load->gathered, paths, path_count, &options, &own,
                              out, err));
    return stoa_table_find(load->database, load->transaction, load->gathered, &load->schema, NULL,
                           NULL, err);
}

static stoa_status write_query(const struct sorted_load *load, struct sql_text *text,
                               stoa_error *err) {
    bool parquet = strcmp(load->kind, "parquet") == 0;
    STOA_TRY(stoa_sql_text_add(text, "SELECT ", err));
    for (int32_t i = 0; i < load->schema->root.child_count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(stoa_sql_add_stored(text, &load->schema->root.children[i], parquet, err));
        STOA_TRY(stoa_sql_text_add(text, " AS ", err));
        STOA_TRY(stoa_sql_text_identifier(text, load->schema->root.children[i].name, err));
    }
    STOA_TRY(stoa_sql_text_add(text, " FROM ", err));
    STOA_TRY(stoa_sql_text_identifier(text, load->gathered, err));
    STOA_TRY(stoa_sql_text_add(text, " ORDER BY ", err));
    return stoa_sql_text_add(text, stoa_text_view(load->order, NULL), err);
}

static stoa_status open_rows(const struct sorted_load *load, struct ArrowArrayStream *out,
                             stoa_error *err) {
    struct detached *detached = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_sql_check_carried(load->schema, err));
    STOA_CHECK(stoa_sql_detached_open(load->database, load->transaction, &load->context, &detached,
                                      err));
    STOA_CHECK(write_query(load, stoa_sql_detached_text(detached), err));
    STOA_CHECK(stoa_sql_detached_prepare(detached, NULL, err));
    return stoa_sql_detached_stream(detached, load->schema, NULL, out, err);

done:
    stoa_sql_detached_close(detached);
    return status;
}

static stoa_status pump(const struct sorted_load *load, struct ArrowArrayStream *rows,
                        stoa_sink *sink, stoa_error *err) {
    struct ArrowSchema schema = {0};
    STOA_TRY(stoa_stream_schema(rows, &schema, err));
    stoa_status status = STOA_OK;
    for (;;) {
        struct ArrowArray batch = {0};
        STOA_CHECK(stoa_cancel_check(load->context.cancel, err));
        STOA_CHECK(stoa_stream_next(rows, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(stoa_sink_write(sink, &schema, &batch, err));
    }
    status = stoa_sink_commit(sink, NULL, err);

done:
    stoa_arrow_schema_release(&schema);
    return status;
}

/* The sink's partitions are the target's, which may have been there before. */
static stoa_status tell_order(const struct sorted_load *load, stoa_sink *sink, stoa_error *err) {
    const stoa_parquet_sorting_option *sorting = NULL;
    int32_t count = 0;
    stoa_arena arena;
    stoa_arena_init(&arena, load->context.pool);
    stoa_status status = stoa_parquet_sorting_read(load->options->sort, stoa_sink_schema(sink),
                                                   stoa_sink_partitions(sink), &arena, &sorting,
                                                   &count, err);
    if (status == STOA_OK) {
        status = stoa_sink_set_sorting(sink, sorting, count, err);
    }
    stoa_arena_release(&arena);
    return status;
}

static stoa_status write_sorted(const struct sorted_load *load, stoa_error *err) {
    const stoa_load_options *options = load->options;
    struct ArrowArrayStream rows = {0};
    stoa_sink *sink = NULL;
    const bool gives_schema = options->mode == STOA_CREATE || options->mode == STOA_OVERWRITE;
    stoa_sink_options target = {.mode = options->mode,
                                .kind = options->kind,
                                .schema = gives_schema ? load->schema : NULL,
                                .transaction = load->transaction,
                                .context = load->context,
                                .codec = options->codec,
                                .partition = options->partition};
    target.context.progress = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(open_rows(load, &rows, err));
    STOA_CHECK(stoa_sink_open(load->database, load->table, &target, &sink, err));
    STOA_CHECK(tell_order(load, sink, err));
    STOA_CHECK(pump(load, &rows, sink, err));

done:
    stoa_sink_close(sink);
    stoa_arrow_stream_release(&rows);
    return status;
}

static stoa_status prepare(struct sorted_load *load, stoa_error *err) {
    (void)snprintf(load->gathered, sizeof load->gathered, "__stoa_sorting_%p", (void *)load);
    load->kind = strcmp(stoa_database_uri(load->database), ":memory:") == 0 ? "memory" : "parquet";
    STOA_TRY(stoa_text_create(load->context.pool, &load->order, err));
    stoa_status status = stoa_sort_to_sql(load->options->sort, load->order, err);
    stoa_wrap(status == STOA_OK ? NULL : err, "--sort");
    STOA_TRY(status);
    STOA_TRY(stoa_transaction_begin(load->database, &load->transaction, err));
    if (load->options->mode == STOA_CREATE &&
        stoa_table_exists(load->database, load->transaction, load->table)) {
        return stoa_fail(err, STOA_EXISTS,
                         "table '%s' exists: load with --mode append or overwrite", load->table);
    }
    return find_columns(load, err);
}

stoa_status stoa_ingest_load_sorted(stoa_database *database, const char *table,
                                    const char *const *paths, size_t path_count,
                                    const stoa_load_options *options,
                                    const stoa_ingest_tuning *tuning, stoa_load_report *out,
                                    stoa_error *err) {
    struct sorted_load load = {.database = database,
                               .table = table,
                               .options = options,
                               .context = options->context};
    stoa_load_report report = {0};
    stoa_status status = STOA_OK;
    *out = report;
    stoa_database_fill_context(database, &load.context);
    STOA_CHECK(prepare(&load, err));
    STOA_CHECK(gather(&load, tuning, paths, path_count, &report, err));
    STOA_CHECK(write_sorted(&load, err));
    STOA_CHECK(stoa_table_drop_in(database, load.transaction, load.gathered, err));
    STOA_CHECK(stoa_transaction_commit(load.transaction, err));
    *out = report;

done:
    stoa_schema_close(load.schema);
    stoa_pool_free(load.context.pool, load.columns, load.columns_size);
    stoa_text_close(load.order);
    stoa_transaction_close(load.transaction);
    return status;
}
