/* See fan_runs.h. */
#include "parquet/fan_runs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "vfs/vfs.h"

/* Folders are a process's own, so a number of the process makes a name. */
static _Atomic uint64_t last_number;

stoa_status stoa_fan_run_begin(stoa_fan_run *run, stoa_fs_registry *file_systems,
                               const stoa_context *context, const char *folder,
                               const struct ArrowSchema *schema, stoa_error *err) {
    const stoa_ipc_options options = {.format = STOA_IPC_STREAM, .codec = STOA_IPC_LZ4};
    char name[48];
    uint64_t number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed);
    (void)snprintf(name, sizeof name, "run-%" PRIu64 ".arrows", number);
    stoa_buffer_init(&run->pieces, context->pool);
    STOA_TRY(stoa_vfs_make_directories(file_systems, folder, context, err));
    STOA_TRY(stoa_vfs_join(context->pool, folder, name, &run->path, err));
    STOA_TRY(stoa_vfs_open(file_systems, run->path, STOA_OPEN_CREATE, context, &run->file, err));
    return stoa_ipc_writer_create(context, run->file, schema, &options, &run->writer, err);
}

stoa_status stoa_fan_run_write(stoa_fan_run *run, int32_t partition,
                               const struct ArrowArray *batch, stoa_error *err) {
    STOA_TRY(stoa_buffer_append(&run->pieces, &partition, sizeof partition, err));
    return stoa_ipc_writer_write(run->writer, batch, err);
}

static void close_writing(stoa_fan_run *run) {
    stoa_ipc_writer_close(run->writer);
    run->writer = NULL;
    stoa_file_close(run->file);
    run->file = NULL;
}

stoa_status stoa_fan_run_turn(stoa_fan_run *run, stoa_fs_registry *file_systems,
                              const stoa_context *context, stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(stoa_ipc_writer_finish(run->writer, err));
    close_writing(run);
    STOA_TRY(stoa_vfs_open(file_systems, run->path, STOA_OPEN_READ, context, &file, err));
    return stoa_ipc_read(context, file, &run->rows, err);
}

stoa_status stoa_fan_run_next(stoa_fan_run *run, int32_t partition, struct ArrowArray *out,
                              stoa_error *err) {
    const int32_t *pieces = (const int32_t *)(const void *)run->pieces.data;
    *out = (struct ArrowArray){0};
    if (run->piece * sizeof *pieces == run->pieces.size || pieces[run->piece] != partition) {
        return STOA_OK;
    }
    run->piece++;
    STOA_TRY(stoa_stream_next(&run->rows, out, err));
    return out->release != NULL ? STOA_OK
                                : stoa_fail(err, STOA_CORRUPT,
                                            "temporary file '%s' ends before its last rows",
                                            run->path);
}

void stoa_fan_run_release(stoa_fan_run *run, stoa_fs_registry *file_systems, stoa_pool *pool) {
    close_writing(run);
    stoa_arrow_stream_release(&run->rows);
    if (run->path != NULL) {
        STOA_IGNORE(stoa_vfs_remove(file_systems, run->path, NULL, NULL));
    }
    stoa_pool_free_string(pool, run->path);
    stoa_buffer_release(&run->pieces);
    *run = (stoa_fan_run){0};
}
