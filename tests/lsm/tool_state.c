/* A state table from outside, in bulk; for the oracle tests.
 *
 *     tool_lsm_state DATABASE create TABLE SCHEMA KEY MERGE CODEC
 *     tool_lsm_state DATABASE run TABLE < SCRIPT
 *
 * "" is no merge operator and no codec. Lines of a script are words; files are Arrow IPC of one batch:
 *
 *     put|merge|delete FILE            a batch
 *     rows put|merge|delete FILE       the same row by row, as cells
 *     range FILE FROM TO               deletes from row 0 to row 1, by their first so many columns
 *     scan OUT FILE FROM TO INCLUDED REVERSE LIMIT     as range; FILE may be -
 *     count FILE FROM TO INCLUDED      prints the number of rows
 *     many|gets FILE OUT               rows of keys, all at once or one by one; where there is none: nulls.
 *                                      Prints a 1 for each key that is there, else a 0
 *     flush, compact
 *
 * Errors go to standard error as "status: message" and end the program with status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/state.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "base/bits.h"
#include "lsm/cell.h"
#include "lsm/store.h"
#include "lsm/stripe.h"
#include "vfs/vfs.h"

enum { WORDS_MAX = 8, COLUMNS_MAX = 32, LINE_BYTES = 4096, MEMTABLE_BYTES = 64 << 10 };

struct tool {
    stoa_database *database;
    stoa_context context;
    stoa_fs_registry *files;
    stoa_state *state;
    char *words[WORDS_MAX];
};

/* ---- Files ------------------------------------------------------------------------------------ */

static stoa_status read_batch(struct tool *tool, const char *path, struct ArrowSchema *schema,
                              struct ArrowArray *out, stoa_error *err) {
    struct ArrowArrayStream stream = {.release = NULL};
    stoa_file *file = NULL;
    *schema = (struct ArrowSchema){.release = NULL};
    *out = (struct ArrowArray){.release = NULL};
    STOA_TRY(stoa_vfs_open(tool->files, path, STOA_OPEN_READ, &tool->context, &file, err));
    STOA_TRY(stoa_ipc_read(&tool->context, file, &stream, err));
    stoa_status status = stoa_stream_schema(&stream, schema, err);
    if (status == STOA_OK) {
        status = stoa_stream_next(&stream, out, err);
    }
    stoa_arrow_stream_release(&stream);
    return status;
}

/* Takes the stream. */
static stoa_status write_stream(struct tool *tool, const char *path,
                                struct ArrowArrayStream *stream, stoa_error *err) {
    struct ArrowSchema schema = {.release = NULL};
    struct ArrowArray batch = {.release = NULL};
    stoa_ipc_writer *writer = NULL;
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(tool->files, path, STOA_OPEN_REPLACE, &tool->context, &file, err));
    STOA_CHECK(stoa_stream_schema(stream, &schema, err));
    STOA_CHECK(stoa_ipc_writer_create(&tool->context, file, &schema, &(stoa_ipc_options){0},
                                      &writer, err));
    do {
        stoa_arrow_array_release(&batch);
        STOA_CHECK(stoa_stream_next(stream, &batch, err));
        if (batch.release != NULL) {
            STOA_CHECK(stoa_ipc_writer_write(writer, &batch, err));
        }
    } while (batch.release != NULL);
    status = stoa_ipc_writer_finish(writer, err);

done:
    stoa_arrow_array_release(&batch);
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(stream);
    return status;
}

/* ---- Cells ------------------------------------------------------------------------------------ */

static const stoa_field *key_field(const struct tool *tool, int32_t part) {
    const int32_t column = stoa_state_key_column(tool->state, part);
    return column < 0 ? NULL : &stoa_state_schema(tool->state)->root.children[column];
}

/* Row `row` of a batch of all columns, or (`keys_only`) of the key's in its order. */
static void cells_of(const struct tool *tool, bool keys_only, const struct ArrowArray *batch,
                     int64_t row, stoa_cell *out) {
    const stoa_schema *schema = stoa_state_schema(tool->state);
    for (int32_t i = 0; i < batch->n_children && i < COLUMNS_MAX; i++) {
        const stoa_field *field = keys_only ? key_field(tool, i) : &schema->root.children[i];
        stoa_cell_from_array(&field->type, batch->children[i], row, &out[i]);
    }
}

static stoa_operation operation_of(const char *word) {
    return strcmp(word, "put") == 0     ? STOA_OPERATION_PUT
           : strcmp(word, "merge") == 0 ? STOA_OPERATION_MERGE
                                        : STOA_OPERATION_DELETE;
}

static stoa_status write_batch(struct tool *tool, stoa_error *err) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    STOA_TRY(read_batch(tool, tool->words[1], &schema, &batch, err));
    const stoa_operation operation = operation_of(tool->words[0]);
    const stoa_status status =
        operation == STOA_OPERATION_PUT
            ? stoa_state_put_batch(tool->state, &schema, &batch, STOA_DURABILITY_DEFAULT, err)
        : operation == STOA_OPERATION_MERGE
            ? stoa_state_merge_batch(tool->state, &schema, &batch, STOA_DURABILITY_DEFAULT, err)
            : stoa_state_delete_batch(tool->state, &schema, &batch, STOA_DURABILITY_DEFAULT, err);
    stoa_arrow_schema_release(&schema);
    return status;
}

static stoa_status write_rows(struct tool *tool, stoa_error *err) {
    const stoa_operation operation = operation_of(tool->words[1]);
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_cell cells[COLUMNS_MAX];
    STOA_TRY(read_batch(tool, tool->words[2], &schema, &batch, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < batch.length && status == STOA_OK; i++) {
        cells_of(tool, operation == STOA_OPERATION_DELETE, &batch, i, cells);
        status = operation == STOA_OPERATION_PUT
                     ? stoa_state_put(tool->state, cells, STOA_DURABILITY_DEFAULT, err)
                 : operation == STOA_OPERATION_MERGE
                     ? stoa_state_merge(tool->state, cells, STOA_DURABILITY_DEFAULT, err)
                     : stoa_state_delete(tool->state, cells, STOA_DURABILITY_DEFAULT, err);
    }
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&schema);
    return status;
}

/* ---- Ranges ----------------------------------------------------------------------------------- */

struct bounds {
    struct ArrowSchema schema;
    struct ArrowArray batch; /* what the cells point to */
    stoa_cell from[COLUMNS_MAX], to[COLUMNS_MAX];
    int32_t from_count, to_count;
};

/* Of three words: a file (or -), and how many columns of its rows count. */
static stoa_status read_bounds(struct tool *tool, char *const *words, struct bounds *out,
                               stoa_error *err) {
    memset(out, 0, sizeof *out);
    if (strcmp(words[0], "-") == 0) {
        return STOA_OK;
    }
    STOA_TRY(read_batch(tool, words[0], &out->schema, &out->batch, err));
    out->from_count = atoi(words[1]);
    out->to_count = atoi(words[2]);
    cells_of(tool, true, &out->batch, 0, out->from);
    cells_of(tool, true, &out->batch, 1, out->to);
    return STOA_OK;
}

static void release_bounds(struct bounds *bounds) {
    stoa_arrow_array_release(&bounds->batch);
    stoa_arrow_schema_release(&bounds->schema);
}

static stoa_state_scan_options scan_of(const struct bounds *bounds, const char *included) {
    return (stoa_state_scan_options){.from = bounds->from,
                                     .from_count = bounds->from_count,
                                     .to = bounds->to,
                                     .to_count = bounds->to_count,
                                     .to_included = atoi(included) != 0};
}

static stoa_status delete_range(struct tool *tool, stoa_error *err) {
    struct bounds bounds;
    stoa_status status = read_bounds(tool, tool->words + 1, &bounds, err);
    if (status == STOA_OK) {
        status = stoa_state_delete_range(tool->state, bounds.from, bounds.from_count, bounds.to,
                                         bounds.to_count, STOA_DURABILITY_DEFAULT, err);
    }
    release_bounds(&bounds);
    return status;
}

static stoa_status scan(struct tool *tool, stoa_error *err) {
    struct ArrowArrayStream stream = {.release = NULL};
    struct bounds bounds;
    stoa_status status = read_bounds(tool, tool->words + 2, &bounds, err);
    if (status == STOA_OK) {
        stoa_state_scan_options options = scan_of(&bounds, tool->words[5]);
        options.reverse = atoi(tool->words[6]) != 0;
        options.limit = atoi(tool->words[7]);
        status = stoa_state_scan(tool->state, &options, &stream, err);
    }
    release_bounds(&bounds);
    return status == STOA_OK ? write_stream(tool, tool->words[1], &stream, err) : status;
}

static stoa_status count(struct tool *tool, stoa_error *err) {
    struct bounds bounds;
    int64_t rows = 0;
    stoa_status status = read_bounds(tool, tool->words + 1, &bounds, err);
    if (status == STOA_OK) {
        const stoa_state_scan_options options = scan_of(&bounds, tool->words[4]);
        status = stoa_state_count(tool->state, &options, &rows, err);
    }
    release_bounds(&bounds);
    (void)printf("%lld\n", (long long)rows);
    return status;
}

/* ---- Gets ------------------------------------------------------------------------------------- */

/* Takes both. */
static stoa_status write_one(struct tool *tool, struct ArrowSchema *schema,
                             struct ArrowArray *batch, stoa_error *err) {
    struct ArrowArrayStream stream = {.release = NULL};
    STOA_TRY(stoa_stream_from_batches(tool->context.pool, schema, batch, 1, &stream, err));
    return write_stream(tool, tool->words[2], &stream, err);
}

static stoa_status get_many(struct tool *tool, stoa_error *err) {
    struct ArrowSchema schema, row_schema;
    struct ArrowArray keys, rows;
    uint8_t *found = NULL;
    STOA_TRY(read_batch(tool, tool->words[1], &schema, &keys, err));
    const int64_t length = keys.length;
    const size_t bytes = stoa_bitmap_bytes(length) + 1;
    stoa_status status = stoa_pool_allocate(tool->context.pool, bytes, (void **)&found, err);
    if (status == STOA_OK) {
        status = stoa_state_get_many(tool->state, &schema, &keys, NULL, NULL, &row_schema, &rows,
                                     found, err);
        for (int64_t i = 0; i < length && status == STOA_OK; i++) {
            (void)fputc(stoa_bit_get(found, i) ? '1' : '0', stdout);
        }
        (void)fputc('\n', stdout);
        stoa_pool_free(tool->context.pool, found, bytes);
    }
    stoa_arrow_schema_release(&schema);
    return status == STOA_OK ? write_one(tool, &row_schema, &rows, err) : status;
}

/* A row of the nullable form of the table's columns. */
static stoa_status append_row(const struct tool *tool, stoa_builder *builder, const stoa_row *row,
                              bool found, stoa_error *err) {
    const stoa_schema *schema = stoa_state_schema(tool->state);
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        static const stoa_cell none = {.is_null = true};
        STOA_TRY(stoa_cell_append(stoa_builder_child(builder, i), &schema->root.children[i],
                                  found ? &stoa_row_cells(row)[i] : &none, err));
    }
    return stoa_builder_finish_value(builder, err);
}

static stoa_status get_each(struct tool *tool, stoa_builder *builder, const struct ArrowArray *keys,
                            stoa_error *err) {
    stoa_cell key[COLUMNS_MAX];
    stoa_row *row = NULL;
    bool found = false;
    STOA_TRY(stoa_row_create(tool->state, NULL, &row, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < keys->length && status == STOA_OK; i++) {
        cells_of(tool, true, keys, i, key);
        status = stoa_state_get(tool->state, key, NULL, row, &found, err);
        if (status == STOA_OK) {
            status = append_row(tool, builder, row, found, err);
            (void)fputc(found ? '1' : '0', stdout);
        }
    }
    (void)fputc('\n', stdout);
    stoa_row_close(row);
    return status;
}

static stoa_status get_rows(struct tool *tool, stoa_error *err) {
    struct ArrowSchema schema, row_schema = {.release = NULL};
    struct ArrowArray keys, rows;
    stoa_builder *builder = NULL;
    STOA_TRY(read_batch(tool, tool->words[1], &schema, &keys, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_schema_to_arrow(tool->context.pool, stoa_state_schema(tool->state), &row_schema, err));
    for (int64_t i = 0; i < row_schema.n_children; i++) {
        row_schema.children[i]->flags |= ARROW_FLAG_NULLABLE;
    }
    STOA_CHECK(stoa_builder_create(tool->context.pool, &row_schema, &builder, err));
    STOA_CHECK(get_each(tool, builder, &keys, err));
    STOA_CHECK(stoa_builder_finish(builder, &rows, err));
    status = write_one(tool, &row_schema, &rows, err);

done:
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&row_schema);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_array_release(&keys);
    return status;
}

/* ---- Scripts ---------------------------------------------------------------------------------- */

static stoa_status flush(struct tool *tool, stoa_error *err) {
    return stoa_state_flush(tool->state, err);
}

static stoa_status compact(struct tool *tool, stoa_error *err) {
    return stoa_state_compact(tool->state, NULL, 0, NULL, 0, NULL, err);
}

static const struct command {
    const char *name;
    int words;
    stoa_status (*run)(struct tool *tool, stoa_error *err);
} commands[] = {
    {"put", 2, write_batch}, {"merge", 2, write_batch},  {"delete", 2, write_batch},
    {"rows", 3, write_rows}, {"range", 4, delete_range}, {"scan", 8, scan},
    {"count", 5, count},     {"many", 3, get_many},      {"gets", 3, get_rows},
    {"flush", 1, flush},     {"compact", 1, compact},
};

static stoa_status run_line(struct tool *tool, char *line, stoa_error *err) {
    int count_of_words = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL && count_of_words < WORDS_MAX;
         word = strtok_r(NULL, " \n", &rest)) {
        tool->words[count_of_words++] = word;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands && count_of_words > 0; i++) {
        if (strcmp(tool->words[0], commands[i].name) == 0 && count_of_words == commands[i].words) {
            return commands[i].run(tool, err);
        }
    }
    return stoa_fail(err, STOA_INVALID, "no such line of a script");
}

static stoa_status run_script(struct tool *tool, const char *table, stoa_error *err) {
    char line[LINE_BYTES];
    const stoa_state_options options = {.memtable_bytes = MEMTABLE_BYTES,
                                        .log_segment_bytes = MEMTABLE_BYTES};
    STOA_TRY(stoa_state_configure(tool->database, &options, err));
    STOA_TRY(stoa_state_open(tool->database, table, &tool->state, err));
    while (fgets(line, sizeof line, stdin) != NULL) {
        STOA_TRY(run_line(tool, line, err));
    }
    return STOA_OK;
}

static stoa_status create(struct tool *tool, char **arguments, stoa_error *err) {
    const stoa_schema *schema = NULL;
    STOA_TRY(stoa_schema_parse(tool->context.pool, arguments[1], &schema, err));
    const stoa_state_table_options options = {.key = arguments[2],
                                              .merge = arguments[3][0] == '\0' ? NULL
                                                                               : arguments[3],
                                              .codec = arguments[4][0] == '\0' ? NULL
                                                                               : arguments[4]};
    const stoa_status status = stoa_state_create(tool->database, arguments[0], schema, &options,
                                                 err);
    stoa_schema_close(schema);
    return status;
}

int main(int argc, char **argv) {
    struct tool tool = {.database = NULL};
    stoa_error err = STOA_ERROR_NONE;
    const bool creates = argc == 8 && strcmp(argv[2], "create") == 0;
    if (!creates && (argc != 4 || strcmp(argv[2], "run") != 0)) {
        (void)fprintf(stderr, "expected DATABASE create|run TABLE …\n");
        return 2;
    }
    stoa_status status = stoa_database_open(argv[1], &(stoa_database_options){.create = true},
                                            &tool.database, &err);
    if (status == STOA_OK) {
        tool.context.pool = stoa_database_pool(tool.database);
        status = stoa_fs_registry_create(tool.context.pool, &tool.files, &err);
    }
    if (status == STOA_OK) {
        status = creates ? create(&tool, argv + 3, &err) : run_script(&tool, argv[3], &err);
    }
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_name(status), err.message);
    }
    stoa_state_close(tool.state);
    stoa_fs_registry_close(tool.files);
    stoa_database_close(tool.database);
    return status == STOA_OK ? 0 : 1;
}
