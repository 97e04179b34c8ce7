/* Histories of a table for tests of what reads several runs: random versions of random keys, each a row
 * of one batch with a sequence number and an operation, and any part of them as a memtable, as a file
 * or as a level of files. */
#ifndef STOA_TESTS_LSM_RUN_HISTORY_H
#define STOA_TESTS_LSM_RUN_HISTORY_H

#include "arrow/array.h"
#include "base/bytes.h"
#include "lsm/merge_operator.h"
#include "lsm/view.h"
#include "rows.h"

enum { HISTORY_FILES_MAX = 64, HISTORY_PIECE_MAX = 90 };

struct history {
    support_world *world;
    const stoa_schema *schema;
    stoa_definition *definition;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_keys keys;
    uint64_t *sequences;
    uint8_t *operations;
    int64_t *piece_ends; /* rows of one operation with numbers that follow each other */
    int64_t piece_count;
    int64_t count;
    int file_number;
};

struct history_options {
    const char *schema;
    stoa_state_table_options table;
    int64_t count;
    uint64_t distinct; /* values of each column */
    int delete_percent;
    int merge_percent;
};

static inline stoa_operation history_operation(support_random *random,
                                               const struct history_options *options) {
    const int percent = (int)support_random_below(random, 100);
    return percent < options->delete_percent                            ? STOA_OPERATION_DELETE
           : percent < options->delete_percent + options->merge_percent ? STOA_OPERATION_MERGE
                                                                        : STOA_OPERATION_PUT;
}

/* Columns of the key as their keys say them: floats without what has no order. */
static inline void history_set_key_columns(struct history *history) {
    const stoa_key_format *format = &history->definition->key;
    const stoa_keys_view keys = stoa_keys_view_of(&history->keys);
    struct ArrowArray parts[STOA_KEY_PARTS_MAX];
    stoa_error err;
    if (keys.count == 0) {
        return;
    }
    assert_ok(stoa_keys_decode(format, history->world->pool, &keys, parts, &err), err);
    for (int32_t i = 0; i < format->part_count; i++) {
        struct ArrowArray *column = history->batch.children[format->parts[i].column];
        stoa_arrow_array_release(column);
        *column = parts[i];
    }
}

static inline void history_open(support_world *world, support_random *random,
                                const struct history_options *options, struct history *history) {
    const struct rows_options values = {20, options->distinct, 4, 12, false};
    stoa_error err;
    *history = (struct history){.world = world, .count = options->count};
    assert_ok(stoa_schema_parse(world->pool, options->schema, &history->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(world->pool, history->schema, &history->arrow, &err), err);
    assert_ok(stoa_definition_create(world->pool, history->schema, &options->table,
                                     &history->definition, &err),
              err);
    rows_batch(support_random_u64(random), history->schema, &values, options->count,
               &history->batch);
    stoa_keys_init(&history->keys, world->pool);
    assert_ok(stoa_keys_append(&history->definition->key, &history->batch, 0, options->count,
                               &history->keys, &err),
              err);
    history_set_key_columns(history);
    history->sequences = rows_allocate((size_t)options->count * sizeof(uint64_t));
    history->operations = rows_allocate((size_t)options->count);
    history->piece_ends = rows_allocate((size_t)(options->count + 1) * sizeof(int64_t));
    uint64_t sequence = 1 + support_random_below(random, 100);
    for (int64_t first = 0, end; first < options->count; first = end) {
        const stoa_operation operation = history_operation(random, options);
        const uint64_t size = 1 + support_random_below(random, support_random_below(random, 3) == 0
                                                                   ? HISTORY_PIECE_MAX
                                                                   : 4);
        end = first + (int64_t)size < options->count ? first + (int64_t)size : options->count;
        for (int64_t i = first; i < end; i++) {
            history->sequences[i] = sequence++;
            history->operations[i] = (uint8_t)operation;
        }
        sequence += support_random_below(random, 3); /* numbers may be left out */
        history->piece_ends[history->piece_count++] = end;
    }
}

static inline void history_close(struct history *history) {
    free(history->sequences);
    free(history->operations);
    free(history->piece_ends);
    stoa_keys_release(&history->keys);
    stoa_arrow_array_release(&history->batch);
    stoa_arrow_schema_release(&history->arrow);
    stoa_definition_release(history->definition);
    stoa_schema_close(history->schema);
}

/// A row's key as bytes.
static inline const uint8_t *history_key(const struct history *history, int64_t row,
                                         uint8_t number[8], size_t *out_size) {
    const stoa_keys_view keys = stoa_keys_view_of(&history->keys);
    return stoa_keys_bytes(&history->definition->key, &keys, row, number, out_size);
}

static inline int history_compare_keys(const struct history *history, int64_t left, int64_t right) {
    uint8_t a_number[8], b_number[8];
    size_t a_size, b_size;
    const uint8_t *a = history_key(history, left, a_number, &a_size);
    const uint8_t *b = history_key(history, right, b_number, &b_size);
    return stoa_bytes_compare(a, a_size, b, b_size);
}

static const struct history *history_sorted; /* what qsort's function looks at */

static inline int history_compare_rows(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    const int order = history_compare_keys(history_sorted, a, b);
    return order != 0 ? order : (a < b) - (a > b);
}

/// Rows [first, end) by key, the newest version of a key first. The caller frees them.
static inline int64_t *history_order(const struct history *history, int64_t first, int64_t end) {
    int64_t *order = rows_allocate((size_t)(end - first + 1) * sizeof *order);
    for (int64_t i = first; i < end; i++) {
        order[i - first] = i;
    }
    history_sorted = history;
    qsort(order, (size_t)(end - first), sizeof *order, history_compare_rows);
    return order;
}

/// Rows of pieces [first, end) as a memtable.
static inline stoa_memtable *history_memtable(struct history *history, int64_t first, int64_t end) {
    stoa_memtable *table;
    stoa_error err;
    assert_ok(stoa_memtable_create(history->world->pool, &history->definition->layout, &table,
                                   &err),
              err);
    for (int64_t piece = first; piece < end; piece++) {
        const int64_t at = piece == 0 ? 0 : history->piece_ends[piece - 1];
        struct ArrowArray rows;
        assert_ok(stoa_arrow_slice(history->world->pool, &history->batch, at,
                                   history->piece_ends[piece] - at, &rows, &err),
                  err);
        assert_ok(stoa_memtable_append(table, &rows, (stoa_operation)history->operations[at],
                                       history->sequences[at], &err),
                  err);
    }
    return table;
}

/* Sorted rows as a file. */
static inline stoa_status history_write(struct history *history, const char *uri,
                                        const int64_t *order, int64_t count, int64_t stripe_rows,
                                        stoa_sst_summary *summary, stoa_error *err) {
    support_world *world = history->world;
    const stoa_stripe_layout *layout = &history->definition->layout;
    const stoa_context context = {.pool = world->pool};
    stoa_status status = STOA_OK;
    stoa_file *file = NULL;
    stoa_sst_writer *writer = NULL;
    stoa_stripe_encoder *encoder = NULL;
    stoa_sst_stripe stripe;
    stoa_keys keys;
    struct ArrowArray batch = {0};
    uint64_t *sequences = rows_allocate((size_t)count * sizeof *sequences);
    uint8_t *operations = rows_allocate((size_t)count);
    stoa_sst_stripe_init(&stripe, world->pool);
    stoa_keys_init(&keys, world->pool);
    for (int64_t i = 0; i < count; i++) {
        sequences[i] = history->sequences[order[i]];
        operations[i] = history->operations[order[i]];
    }
    STOA_CHECK(
        stoa_arrow_take(world->pool, &history->arrow, &history->batch, order, count, &batch, err));
    STOA_CHECK(stoa_keys_append(&history->definition->key, &batch, 0, count, &keys, err));
    STOA_CHECK(stoa_vfs_open(world->registry, uri, STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(stoa_sst_writer_create(&context, file, layout, -1, &writer, err));
    STOA_CHECK(
        stoa_stripe_encoder_create(world->pool, layout, STOA_COMPRESSION_NONE, &encoder, err));
    for (int64_t first = 0; first < count; first += stripe_rows) {
        const stoa_keys_view view = stoa_keys_view_of(&keys);
        const int64_t left = count - first;
        const stoa_stripe_rows rows = {&view,
                                       first,
                                       sequences + first,
                                       operations + first,
                                       &batch,
                                       first,
                                       left < stripe_rows ? left : stripe_rows};
        STOA_CHECK(stoa_sst_stripe_encode(encoder, layout, &rows, &stripe, err));
        STOA_CHECK(stoa_sst_writer_add(writer, &stripe, err));
    }
    STOA_CHECK(stoa_sst_writer_finish(writer, summary, err));

done:
    stoa_arrow_array_release(&batch);
    stoa_keys_release(&keys);
    stoa_sst_stripe_release(&stripe);
    stoa_stripe_encoder_close(encoder);
    stoa_sst_writer_close(writer);
    stoa_file_close(file);
    free(sequences);
    free(operations);
    return status;
}

/// Sorted rows as a file of a level.
static inline stoa_table_file *history_file(struct history *history, const int64_t *order,
                                            int64_t count, int64_t stripe_rows, int32_t level) {
    support_world *world = history->world;
    const stoa_context context = {.pool = world->pool};
    stoa_table_file_info info = {.number = (uint64_t)++history->file_number, .level = level};
    stoa_sst_summary summary;
    stoa_table_file *out;
    stoa_file *file;
    stoa_sst *table;
    stoa_error err;
    char uri[64];
    snprintf(uri, sizeof uri, "test:/%016" PRIx64 ".sst", info.number);
    assert_ok(history_write(history, uri, order, count, stripe_rows, &summary, &err), err);
    assert_ok(stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, &context, &file, &err), err);
    assert_ok(stoa_sst_open(&context, file, &history->definition->layout, &table, &err), err);
    info.bytes = summary.file_bytes;
    info.row_count = summary.row_count;
    info.sequence_min = summary.sequence_min;
    info.sequence_max = summary.sequence_max;
    stoa_buffer_init(&info.first_key, world->pool);
    stoa_buffer_init(&info.last_key, world->pool);
    assert_ok(stoa_sst_bounds(table, &info.first_key, &info.last_key, &err), err);
    assert_ok(stoa_table_file_create(world->pool, world->registry, uri, &info, table, &out, &err),
              err);
    return out;
}

/// Rows of pieces [first, end) as up to `file_count` files one after the other; returns how many.
static inline int64_t history_level(struct history *history, support_random *random, int64_t first,
                                    int64_t end, int64_t file_count, int32_t level,
                                    stoa_table_file **out) {
    const int64_t at = first == 0 ? 0 : history->piece_ends[first - 1];
    const int64_t count = (end == 0 ? 0 : history->piece_ends[end - 1]) - at;
    int64_t *order = history_order(history, at, at + count);
    int64_t files = 0;
    for (int64_t begin = 0, stop; begin < count; begin = stop) {
        stop = files + 1 >= file_count
                   ? count
                   : begin + 1 + (int64_t)support_random_below(random, (uint64_t)(count - begin));
        while (stop < count && history_compare_keys(history, order[stop - 1], order[stop]) == 0) {
            stop++;
        }
        out[files++] = history_file(history, order + begin, stop - begin,
                                    1 + (int64_t)support_random_below(random, 200), level);
    }
    free(order);
    return files;
}

#endif
