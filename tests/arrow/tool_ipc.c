/* Arrow IPC from the command line, for the oracle tests.
 *
 *     tool_arrow_ipc copy IN OUT [file] [lz4|zstd] [align=N] [rows=N] [mapped]
 *     tool_arrow_ipc describe IN
 *     tool_arrow_ipc count IN [mapped]
 *     tool_arrow_ipc random SEED OUT [options of copy]
 *     tool_arrow_ipc compare LEFT RIGHT [mapped]
 *
 * IN and OUT may be "-". rows=N cuts the batches into slices of N rows. Exit codes: 0 done, 1 the
 * input is wrong (message on standard error, as "status: message"), 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/array.h"
#include "arrow/ipc.h"
#include "arrow/schema.h"
#include "arrow/stream.h"
#include "random_batch.h"

struct options {
    stoa_ipc_options ipc;
    bool mapped;
    int64_t rows;
};

struct tool {
    stoa_context context;
    stoa_fs_registry *registry;
};

static stoa_status open_file(struct tool *tool, const char *path, bool reads, stoa_file **out,
                             stoa_error *err) {
    if (path[0] == '-' && path[1] == '\0') {
        return stoa_file_from_descriptor(tool->context.pool, reads ? STDIN_FILENO : STDOUT_FILENO,
                                         reads ? "standard input" : "standard output", out, err);
    }
    return stoa_vfs_open(tool->registry, path, reads ? STOA_OPEN_READ : STOA_OPEN_REPLACE,
                         &tool->context, out, err);
}

static stoa_status open_stream(struct tool *tool, const char *path, bool mapped,
                               struct ArrowArrayStream *out, stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(open_file(tool, path, true, &file, err));
    return mapped ? stoa_ipc_read_mapped(&tool->context, file, out, err)
                  : stoa_ipc_read(&tool->context, file, out, err);
}

static stoa_status write_batch(struct tool *tool, stoa_ipc_writer *writer, struct ArrowArray *batch,
                               int64_t rows, stoa_error *err) {
    if (rows <= 0) {
        return stoa_ipc_writer_write(writer, batch, err);
    }
    for (int64_t at = 0; at < batch->length; at += rows) {
        struct ArrowArray slice = {0};
        int64_t count = batch->length - at < rows ? batch->length - at : rows;
        STOA_TRY(stoa_arrow_slice(tool->context.pool, batch, at, count, &slice, err));
        stoa_status status = stoa_ipc_writer_write(writer, &slice, err);
        stoa_arrow_array_release(&slice);
        STOA_TRY(status);
    }
    return STOA_OK;
}

static stoa_status copy_batches(struct tool *tool, struct ArrowArrayStream *stream,
                                stoa_ipc_writer *writer, int64_t rows, stoa_error *err) {
    for (;;) {
        struct ArrowArray batch = {0};
        STOA_TRY(stoa_stream_next(stream, &batch, err));
        if (batch.release == NULL) {
            return stoa_ipc_writer_finish(writer, err);
        }
        stoa_status status = write_batch(tool, writer, &batch, rows, err);
        stoa_arrow_array_release(&batch);
        STOA_TRY(status);
    }
}

static stoa_status copy(struct tool *tool, const char *in, const char *out,
                        const struct options *options, stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    stoa_ipc_writer *writer = NULL;
    stoa_file *target = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(open_stream(tool, in, options->mapped, &stream, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    STOA_CHECK(open_file(tool, out, false, &target, err));
    STOA_CHECK(
        stoa_ipc_writer_create(&tool->context, target, &schema, &options->ipc, &writer, err));
    STOA_CHECK(copy_batches(tool, &stream, writer, options->rows, err));

done:
    stoa_ipc_writer_close(writer);
    stoa_file_close(target);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
    return status;
}

static stoa_status describe(struct tool *tool, const char *in, stoa_error *err) {
    stoa_buffer json;
    stoa_file *file = NULL;
    stoa_buffer_init(&json, tool->context.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(open_file(tool, in, true, &file, err));
    STOA_CHECK(stoa_ipc_describe(&tool->context, file, &json, err));
    (void)fwrite(json.data, 1, json.size, stdout);
    (void)fputc('\n', stdout);

done:
    stoa_file_close(file);
    stoa_buffer_release(&json);
    return status;
}

static stoa_status count(struct tool *tool, const char *in, bool mapped, stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    int64_t batches = 0;
    int64_t rows = 0;
    STOA_TRY(open_stream(tool, in, mapped, &stream, err));
    stoa_status status = STOA_OK;
    for (;;) {
        struct ArrowArray batch = {0};
        STOA_CHECK(stoa_stream_next(&stream, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        batches++;
        rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
    (void)printf("%" PRId64 " batches, %" PRId64 " rows\n", batches, rows);

done:
    stoa_arrow_stream_release(&stream);
    return status;
}

/* A few random batches of one random schema. */
static stoa_status write_random(struct tool *tool, const char *seed, const char *out,
                                const struct options *options, stoa_error *err) {
    enum { BATCHES = 3, ROWS_MAX = 300 };
    /* The file format holds one dictionary and its extensions; random ones differ. */
    const support_batch_options kinds = {.no_dictionaries = options->ipc.format == STOA_IPC_FILE};
    support_random random = {strtoull(seed, NULL, 10)};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    stoa_ipc_writer *writer = NULL;
    stoa_file *target = NULL;
    stoa_status status = STOA_OK;
    support_random_schema(&random, tool->context.pool, &kinds, &schema);
    STOA_CHECK(open_file(tool, out, false, &target, err));
    STOA_CHECK(
        stoa_ipc_writer_create(&tool->context, target, &schema, &options->ipc, &writer, err));
    for (int i = 0; i < BATCHES; i++) {
        int64_t rows = support_random_between(&random, 0, ROWS_MAX);
        support_random_batch(&random, tool->context.pool, &schema, &kinds, rows, &batch);
        STOA_CHECK(write_batch(tool, writer, &batch, options->rows, err));
        stoa_arrow_array_release(&batch);
    }
    STOA_CHECK(stoa_ipc_writer_finish(writer, err));

done:
    stoa_ipc_writer_close(writer);
    stoa_file_close(target);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&schema);
    return status;
}

/* One side of a comparison: all rows of a file in one batch. */
struct side {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray whole;
};

static stoa_status side_open(struct tool *tool, const char *path, bool mapped, struct side *out,
                             stoa_error *err) {
    enum { BATCHES_MAX = 4096 };
    static struct ArrowArray batches[BATCHES_MAX];
    const struct ArrowArray *pointers[BATCHES_MAX];
    int64_t count_of = 0;
    STOA_TRY(open_stream(tool, path, mapped, &out->stream, err));
    STOA_TRY(stoa_stream_schema(&out->stream, &out->schema, err));
    stoa_status status = STOA_OK;
    for (; count_of < BATCHES_MAX; count_of++) {
        STOA_CHECK(stoa_stream_next(&out->stream, &batches[count_of], err));
        if (batches[count_of].release == NULL) {
            break;
        }
        pointers[count_of] = &batches[count_of];
    }
    STOA_CHECK(
        stoa_arrow_concat(tool->context.pool, &out->schema, pointers, count_of, &out->whole, err));

done:
    for (int64_t i = 0; i < count_of; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
    return status;
}

static void side_close(struct side *side) {
    stoa_arrow_array_release(&side->whole);
    stoa_arrow_schema_release(&side->schema);
    stoa_arrow_stream_release(&side->stream);
}

static stoa_status compare(struct tool *tool, const char *left_path, const char *right_path,
                           bool mapped, stoa_error *err) {
    struct side left = {0};
    struct side right = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(side_open(tool, left_path, mapped, &left, err));
    STOA_CHECK(side_open(tool, right_path, mapped, &right, err));
    if (!stoa_arrow_schema_equal(&left.schema, &right.schema, true, err)) {
        status = STOA_INVALID;
        goto done;
    }
    STOA_CHECK(stoa_arrow_compare(&left.schema, &left.whole, &right.schema, &right.whole, err));

done:
    side_close(&left);
    side_close(&right);
    return status;
}

static bool parse_option(const char *text, struct options *out) {
    if (strcmp(text, "file") == 0) {
        out->ipc.format = STOA_IPC_FILE;
    } else if (strcmp(text, "lz4") == 0) {
        out->ipc.codec = STOA_IPC_LZ4;
    } else if (strcmp(text, "zstd") == 0) {
        out->ipc.codec = STOA_IPC_ZSTD;
    } else if (strncmp(text, "align=", 6) == 0) {
        out->ipc.alignment_bytes = (uint32_t)strtoul(text + 6, NULL, 10);
    } else if (strncmp(text, "rows=", 5) == 0) {
        out->rows = strtoll(text + 5, NULL, 10);
    } else if (strcmp(text, "mapped") == 0) {
        out->mapped = true;
    } else {
        return false;
    }
    return true;
}

static int run(struct tool *tool, int count_of, char **words, stoa_error *err) {
    struct options options = {0};
    bool two = count_of > 3 && (strcmp(words[1], "copy") == 0 || strcmp(words[1], "random") == 0 ||
                                strcmp(words[1], "compare") == 0);
    for (int i = two ? 4 : 3; i < count_of; i++) {
        if (!parse_option(words[i], &options)) {
            return 2;
        }
    }
    if (two && strcmp(words[1], "copy") == 0) {
        return copy(tool, words[2], words[3], &options, err) == STOA_OK ? 0 : 1;
    }
    if (two && strcmp(words[1], "random") == 0) {
        return write_random(tool, words[2], words[3], &options, err) == STOA_OK ? 0 : 1;
    }
    if (two) {
        return compare(tool, words[2], words[3], options.mapped, err) == STOA_OK ? 0 : 1;
    }
    if (count_of > 2 && strcmp(words[1], "describe") == 0) {
        return describe(tool, words[2], err) == STOA_OK ? 0 : 1;
    }
    if (count_of > 2 && strcmp(words[1], "count") == 0) {
        return count(tool, words[2], options.mapped, err) == STOA_OK ? 0 : 1;
    }
    return 2;
}

int main(int count_of, char **words) {
    stoa_error err = STOA_ERROR_NONE;
    struct tool tool = {0};
    if (stoa_pool_create((size_t)1 << 30, NULL, &tool.context.pool, &err) != STOA_OK ||
        stoa_fs_registry_create(tool.context.pool, &tool.registry, &err) != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    int code = run(&tool, count_of, words, &err);
    if (code == 2) {
        (void)fprintf(stderr,
                      "usage: tool_arrow_ipc copy IN OUT [options] | describe IN | count IN | "
                      "random SEED OUT | compare LEFT RIGHT\n");
    } else if (code == 1) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_name(err.status), err.message);
    }
    stoa_fs_registry_close(tool.registry);
    if (stoa_pool_used(tool.context.pool) != 0) {
        (void)fprintf(stderr, "leaked %zu bytes\n", stoa_pool_used(tool.context.pool));
        code = 3;
    }
    stoa_pool_close(tool.context.pool);
    return code;
}
