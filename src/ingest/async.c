/* The twins of calls that last: the arguments go into a future of the database's scheduler, whose
 * token takes the place of the caller's in the call's context. */
#include <stoa/async.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "sched/sched.h"
#include "table/table.h"

/* All that the calls take; each uses what it needs. */
struct call {
    stoa_database *database;
    const char *text; /* a table, or SQL */
    union {
        struct {
            const char *const *paths;
            size_t path_count;
            stoa_load_options options;
            stoa_load_report *report;
        } load;
        struct {
            struct ArrowArrayStream rows;
            stoa_file_format format;
            int64_t *out_rows;
        } export;
        struct {
            stoa_session *session;
            struct ArrowArrayStream *rows;
            stoa_result_info *info;
            stoa_scan_options options;
        } query;
        struct {
            struct ArrowArrayStream *stream;
            struct ArrowArray *batch;
        } next;
        struct {
            stoa_sink *sink;
            const struct ArrowSchema *schema;
            struct ArrowArray batch;
            int64_t *out_rows;
        } sink;
        struct {
            stoa_transaction *transaction;
        } commit;
        struct {
            int64_t keep_newer_than_ms;
            int64_t *out_removed;
        } expire;
        struct {
            stoa_damage_function function;
            void *user;
            int64_t *out_files;
            uint64_t *out_bytes;
        } verify;
    };
};

static stoa_status submit(stoa_async_function function, const struct call *call,
                          const stoa_context *context, stoa_future **out, stoa_error *err) {
    stoa_context own = context != NULL ? *context : (stoa_context){0};
    stoa_database_fill_context(call->database, &own);
    return stoa_sched_submit_async(stoa_database_sched(call->database), function, call,
                                   sizeof *call, &own, out, err);
}

static stoa_status run_load(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    call->load.options.context = *context;
    return stoa_load(call->database, call->text, call->load.paths, call->load.path_count,
                     &call->load.options, call->load.report, err);
}

stoa_status stoa_load_async(stoa_database *database, const char *table, const char *const *paths,
                            size_t path_count, const stoa_load_options *options,
                            stoa_load_report *out_report, stoa_future **out, stoa_error *err) {
    static const stoa_load_options defaults = STOA_LOAD_DEFAULT;
    struct call call = {.database = database, .text = table};
    call.load.paths = paths;
    call.load.path_count = path_count;
    call.load.options = options == NULL ? defaults : *options;
    call.load.report = out_report;
    return submit(run_load, &call, &call.load.options.context, out, err);
}

static stoa_status run_export(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    return stoa_export(call->database, &call->export.rows, call->export.format, call->text, context,
                       call->export.out_rows, err);
}

stoa_status stoa_export_async(stoa_database *database, struct ArrowArrayStream *rows,
                              stoa_file_format format, const char *path,
                              const stoa_context *context, int64_t *out_rows, stoa_future **out,
                              stoa_error *err) {
    struct call call = {.database = database, .text = path};
    call.export.rows = *rows;
    call.export.format = format;
    call.export.out_rows = out_rows;
    *rows = (struct ArrowArrayStream){0};
    stoa_status status = submit(run_export, &call, context, out, err);
    if (status != STOA_OK) {
        stoa_arrow_stream_release(&call.export.rows);
    }
    return status;
}

/* A stream looks at the token of its call for as long as it lives, which is longer than the future:
 * so it keeps the token. */
static stoa_status run_query(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    STOA_TRY(stoa_query(call->database, call->text, context, call->query.rows, err));
    stoa_stream_set_cancel(call->query.rows, context->cancel);
    return STOA_OK;
}

stoa_status stoa_query_async(stoa_database *database, const char *sql, const stoa_context *context,
                             struct ArrowArrayStream *out_rows, stoa_future **out,
                             stoa_error *err) {
    struct call call = {.database = database, .text = sql};
    call.query.rows = out_rows;
    *out_rows = (struct ArrowArrayStream){0};
    return submit(run_query, &call, context, out, err);
}

static stoa_status run_session(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    STOA_TRY(stoa_session_run(call->query.session, call->text, context, call->query.rows,
                              call->query.info, err));
    stoa_stream_set_cancel(call->query.rows, context->cancel);
    return STOA_OK;
}

stoa_status stoa_session_run_async(stoa_database *database, stoa_session *session, const char *sql,
                                   const stoa_context *context, struct ArrowArrayStream *out_rows,
                                   stoa_result_info *out_info, stoa_future **out, stoa_error *err) {
    struct call call = {.database = database, .text = sql};
    call.query.session = session;
    call.query.rows = out_rows;
    call.query.info = out_info;
    *out_rows = (struct ArrowArrayStream){0};
    return submit(run_session, &call, context, out, err);
}

static stoa_status run_scan(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    call->query.options.context = *context;
    STOA_TRY(stoa_scan(call->database, call->text, &call->query.options, call->query.rows, err));
    stoa_stream_set_cancel(call->query.rows, context->cancel);
    return STOA_OK;
}

stoa_status stoa_scan_async(stoa_database *database, const char *table,
                            const stoa_scan_options *options, struct ArrowArrayStream *out_rows,
                            stoa_future **out, stoa_error *err) {
    static const stoa_scan_options defaults = STOA_SCAN_DEFAULT;
    struct call call = {.database = database, .text = table};
    call.query.options = options == NULL ? defaults : *options;
    call.query.rows = out_rows;
    *out_rows = (struct ArrowArrayStream){0};
    return submit(run_scan, &call, &call.query.options.context, out, err);
}

static stoa_status run_next(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    return stoa_stream_next(call->next.stream, call->next.batch, err);
}

stoa_status stoa_stream_next_async(stoa_database *database, struct ArrowArrayStream *stream,
                                   struct ArrowArray *out_batch, stoa_future **out,
                                   stoa_error *err) {
    struct call call = {.database = database};
    call.next.stream = stream;
    call.next.batch = out_batch;
    *out_batch = (struct ArrowArray){0};
    stoa_cancel *cancel = stoa_stream_cancel(stream);
    STOA_TRY(submit(run_next, &call, NULL, out, err));
    stoa_future_also_trigger(*out, cancel);
    return STOA_OK;
}

static stoa_status run_sink_write(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    stoa_status status = stoa_cancel_check(context->cancel, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(&call->sink.batch);
        return status;
    }
    return stoa_sink_write(call->sink.sink, call->sink.schema, &call->sink.batch, err);
}

stoa_status stoa_sink_write_async(stoa_database *database, stoa_sink *sink,
                                  const struct ArrowSchema *schema, struct ArrowArray *batch,
                                  stoa_future **out, stoa_error *err) {
    struct call call = {.database = database};
    call.sink.sink = sink;
    call.sink.schema = schema;
    call.sink.batch = *batch;
    *batch = (struct ArrowArray){0};
    stoa_status status = submit(run_sink_write, &call, NULL, out, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(&call.sink.batch);
    }
    return status;
}

static stoa_status run_sink_commit(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    return stoa_sink_commit(call->sink.sink, call->sink.out_rows, err);
}

stoa_status stoa_sink_commit_async(stoa_database *database, stoa_sink *sink, int64_t *out_rows,
                                   stoa_future **out, stoa_error *err) {
    struct call call = {.database = database};
    call.sink.sink = sink;
    call.sink.out_rows = out_rows;
    return submit(run_sink_commit, &call, NULL, out, err);
}

static stoa_status run_commit(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    return stoa_transaction_commit(call->commit.transaction, err);
}

stoa_status stoa_transaction_commit_async(stoa_database *database, stoa_transaction *transaction,
                                          stoa_future **out, stoa_error *err) {
    struct call call = {.database = database};
    call.commit.transaction = transaction;
    return submit(run_commit, &call, NULL, out, err);
}

static stoa_status run_expire(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    return stoa_table_expire(call->database, call->text, call->expire.keep_newer_than_ms,
                             call->expire.out_removed, err);
}

stoa_status stoa_table_expire_async(stoa_database *database, const char *table,
                                    int64_t keep_newer_than_ms, int64_t *out_removed_files,
                                    stoa_future **out, stoa_error *err) {
    struct call call = {.database = database, .text = table};
    call.expire.keep_newer_than_ms = keep_newer_than_ms;
    call.expire.out_removed = out_removed_files;
    return submit(run_expire, &call, NULL, out, err);
}

static stoa_status run_verify(void *arguments, const stoa_context *context, stoa_error *err) {
    struct call *call = arguments;
    return stoa_database_verify(call->database, call->text, context, call->verify.function,
                                call->verify.user, call->verify.out_files, call->verify.out_bytes,
                                err);
}

stoa_status stoa_database_verify_async(stoa_database *database, const char *table,
                                       const stoa_context *context, stoa_damage_function function,
                                       void *user, int64_t *out_files, uint64_t *out_bytes,
                                       stoa_future **out, stoa_error *err) {
    struct call call = {.database = database, .text = table};
    call.verify.function = function;
    call.verify.user = user;
    call.verify.out_files = out_files;
    call.verify.out_bytes = out_bytes;
    return submit(run_verify, &call, context, out, err);
}
