/* Calls that go on in the background. Each is the twin of the call without `_async`: the same
 * arguments, and in place of the answer a future, which gives it (stoa_future_wait), stops the call
 * (stoa_future_cancel) and is closed by the caller.
 *
 * What the arguments point to, results included, must stay until the future is done; texts and
 * structs are not copied. The work is done by the database's own threads (stoa_database_sched).
 * Closing the database cancels what still runs and waits for it.
 *
 * Errors   of the start alone: STOA_NO_MEMORY, STOA_LIMIT; all others are the future's. What a call
 *          takes over (a batch, a stream) is taken also when it cannot be started. */
#ifndef STOA_ASYNC_H
#define STOA_ASYNC_H

#include <stoa/load.h>
#include <stoa/query.h>
#include <stoa/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

STOA_API STOA_MUST_USE stoa_status stoa_load_async(stoa_database *database, const char *table,
                                                   const char *const *paths, size_t path_count,
                                                   const stoa_load_options *options,
                                                   stoa_load_report *out_report, stoa_future **out,
                                                   stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_export_async(stoa_database *database,
                                                     struct ArrowArrayStream *rows,
                                                     stoa_file_format format, const char *path,
                                                     const stoa_context *context, int64_t *out_rows,
                                                     stoa_future **out, stoa_error *err);
/// The stream is there when the future is done; its batches are then read as ever, or by
/// stoa_stream_next_async.
STOA_API STOA_MUST_USE stoa_status stoa_query_async(stoa_database *database, const char *sql,
                                                    const stoa_context *context,
                                                    struct ArrowArrayStream *out_rows,
                                                    stoa_future **out, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_session_run_async(stoa_database *database,
                                                          stoa_session *session, const char *sql,
                                                          const stoa_context *context,
                                                          struct ArrowArrayStream *out_rows,
                                                          stoa_result_info *out_info,
                                                          stoa_future **out, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_scan_async(stoa_database *database, const char *table,
                                                   const stoa_scan_options *options,
                                                   struct ArrowArrayStream *out_rows,
                                                   stoa_future **out, stoa_error *err);
/// The next batch of a stream, which nobody else reads until the future is done. Cancelling it ends
/// the stream, if that was made by one of these calls; another goes on until its own token is
/// triggered, and closing the database waits for that.
STOA_API STOA_MUST_USE stoa_status stoa_stream_next_async(stoa_database *database,
                                                          struct ArrowArrayStream *stream,
                                                          struct ArrowArray *out_batch,
                                                          stoa_future **out, stoa_error *err);
/// Takes `batch`, also on error.
STOA_API STOA_MUST_USE stoa_status stoa_sink_write_async(stoa_database *database, stoa_sink *sink,
                                                         const struct ArrowSchema *schema,
                                                         struct ArrowArray *batch,
                                                         stoa_future **out, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_sink_commit_async(stoa_database *database, stoa_sink *sink,
                                                          int64_t *out_rows, stoa_future **out,
                                                          stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_transaction_commit_async(stoa_database *database,
                                                                 stoa_transaction *transaction,
                                                                 stoa_future **out,
                                                                 stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_table_expire_async(stoa_database *database,
                                                           const char *table,
                                                           int64_t keep_newer_than_ms,
                                                           int64_t *out_removed_files,
                                                           stoa_future **out, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status
stoa_database_verify_async(stoa_database *database, const char *table, const stoa_context *context,
                           stoa_damage_function function, void *user, int64_t *out_files,
                           uint64_t *out_bytes, stoa_future **out, stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
