/* The twins of schemas from the command line, for the oracle tests.
 *
 *     tool_schema_twins conform IN OUT [SCHEMA]   an Arrow IPC file into the canonical layout of
 *                                                 SCHEMA, or of what its own types mean
 *     tool_schema_twins duckdb SCHEMA             DuckDB's type of each column, one a line
 *     tool_schema_twins json SCHEMA               Iceberg's JSON
 *
 * `conform` prints the schema in its text form. Exit code 1 with a message when the input is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/ipc.h"
#include "schema/schema.h"
#include "schema/validate.h"

struct tool {
    stoa_context context;
    stoa_fs_registry *registry;
};

static stoa_status print_schema(struct tool *tool, const stoa_schema *schema, stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, tool->context.pool);
    size_t length = stoa_schema_print(schema, NULL, 0);
    STOA_TRY(stoa_buffer_resize(&text, length + 1, err));
    (void)stoa_schema_print(schema, (char *)text.data, length + 1);
    (void)printf("%s\n", (const char *)text.data);
    stoa_buffer_release(&text);
    return STOA_OK;
}

static stoa_status conform_batches(struct tool *tool, struct ArrowArrayStream *stream,
                                   const struct ArrowSchema *arrow, const stoa_schema *schema,
                                   stoa_ipc_writer *writer, stoa_error *err) {
    for (;;) {
        struct ArrowArray batch = {0};
        struct ArrowArray made = {0};
        STOA_TRY(stoa_stream_next(stream, &batch, err));
        if (batch.release == NULL) {
            return stoa_ipc_writer_finish(writer, err);
        }
        STOA_TRY(stoa_batch_conform(tool->context.pool, schema, arrow, &batch, &made, err));
        stoa_status status = stoa_ipc_writer_write(writer, &made, err);
        stoa_arrow_array_release(&made);
        STOA_TRY(status);
    }
}

static stoa_status conform(struct tool *tool, const char *in, const char *out, const char *text,
                           stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema arrow = {0};
    struct ArrowSchema canonical = {0};
    const stoa_schema *schema = NULL;
    stoa_ipc_writer *writer = NULL;
    stoa_file *source = NULL;
    stoa_file *target = NULL;
    stoa_ipc_options options = {.format = STOA_IPC_FILE};
    stoa_pool *pool = tool->context.pool;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(tool->registry, in, STOA_OPEN_READ, &tool->context, &source, err));
    STOA_CHECK(stoa_ipc_read(&tool->context, source, &stream, err));
    STOA_CHECK(stoa_stream_schema(&stream, &arrow, err));
    STOA_CHECK(text == NULL ? stoa_schema_from_arrow(pool, &arrow, &schema, err)
                            : stoa_schema_parse(pool, text, &schema, err));
    STOA_CHECK(print_schema(tool, schema, err));
    STOA_CHECK(stoa_schema_to_arrow(pool, schema, &canonical, err));
    STOA_CHECK(stoa_vfs_open(tool->registry, out, STOA_OPEN_REPLACE, &tool->context, &target, err));
    STOA_CHECK(stoa_ipc_writer_create(&tool->context, target, &canonical, &options, &writer, err));
    STOA_CHECK(conform_batches(tool, &stream, &arrow, schema, writer, err));
done:
    stoa_ipc_writer_close(writer);
    stoa_file_close(target);
    stoa_schema_close(schema);
    stoa_arrow_schema_release(&canonical);
    stoa_arrow_schema_release(&arrow);
    stoa_arrow_stream_release(&stream);
    return status;
}

static stoa_status describe(struct tool *tool, const char *text, bool json, stoa_error *err) {
    const stoa_schema *schema = NULL;
    stoa_buffer out;
    stoa_buffer_init(&out, tool->context.pool);
    STOA_TRY(stoa_schema_parse(tool->context.pool, text, &schema, err));
    stoa_status status = STOA_OK;
    if (json) {
        STOA_CHECK(stoa_schema_to_json(schema, &out, err));
    }
    for (int32_t i = 0; !json && i < schema->root.child_count; i++) {
        STOA_CHECK(stoa_type_to_duckdb(&schema->root.children[i].type, &out, err));
        STOA_CHECK(stoa_buffer_append_text(&out, "\n", err));
    }
    (void)fwrite(out.data, 1, out.size, stdout);
done:
    stoa_buffer_release(&out);
    stoa_schema_close(schema);
    return status;
}

int main(int count, char **words) {
    stoa_error err = STOA_ERROR_NONE;
    struct tool tool = {0};
    if (count < 3 || stoa_pool_create((size_t)1 << 30, NULL, &tool.context.pool, &err) != STOA_OK ||
        stoa_fs_registry_create(tool.context.pool, &tool.registry, &err) != STOA_OK) {
        (void)fprintf(stderr, "usage: tool_schema_twins conform IN OUT [SCHEMA] | duckdb SCHEMA | "
                              "json SCHEMA\n");
        return 2;
    }
    stoa_status status = strcmp(words[1], "conform") == 0 && count > 3
                             ? conform(&tool, words[2], words[3], count > 4 ? words[4] : NULL, &err)
                             : describe(&tool, words[2], strcmp(words[1], "json") == 0, &err);
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_name(status), err.message);
    }
    stoa_fs_registry_close(tool.registry);
    size_t left = stoa_pool_used(tool.context.pool);
    stoa_pool_close(tool.context.pool);
    if (left != 0) {
        (void)fprintf(stderr, "leaked %zu bytes\n", left);
        return 3;
    }
    return status == STOA_OK ? 0 : 1;
}
