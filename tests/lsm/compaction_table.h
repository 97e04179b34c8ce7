/* A table for tests of compactions: a log of operations as the reference, files of any part of it, and
 * the same slow reading for both, which looks at every version of a key. */
#ifndef STOA_TESTS_LSM_COMPACTION_TABLE_H
#define STOA_TESTS_LSM_COMPACTION_TABLE_H

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "lsm/compaction.h"
#include "lsm/output.h"
#include "support.h"

#define COMPACTION_DIRECTORY "test:/t"
enum {
    COMPACTION_KEYS = 60,
    COMPACTION_TEXT = 4,         /* bytes of an appended text */
    COMPACTION_ROWS_MAX = 40000, /* of all files */
    COMPACTION_TTL_MS = 1000,
    COMPACTION_FILES_MAX = 256,
    COMPACTION_LONG = 400 /* appended texts of one key */
};

/* One operation. A null number or time: -1. */
struct logged {
    uint64_t sequence;
    int32_t key;
    stoa_operation operation;
    int64_t number;
    int64_t time_ms;
    char text[COMPACTION_TEXT * 64];
    bool is_range; /* of deletions, from `key` up to, without, `key_end` */
    int32_t key_end;
};

struct logged_rows {
    struct logged *rows;
    int64_t count;
    int64_t capacity;
};

static inline struct logged *logged_add(struct logged_rows *rows) {
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity == 0 ? 64 : 2 * rows->capacity;
        rows->rows = realloc(rows->rows, (size_t)rows->capacity * sizeof *rows->rows);
        assert_non_null(rows->rows);
    }
    struct logged *row = &rows->rows[rows->count++];
    *row = (struct logged){0};
    return row;
}

static inline void logged_release(struct logged_rows *rows) {
    free(rows->rows);
    *rows = (struct logged_rows){0};
}

/// Random operations: puts, deletions, with `has_merges` operands, sometimes ranges of deletions. Times
/// lie around the moment at which those before have expired.
static inline void logged_make(support_random *random, int64_t count, bool has_merges,
                               int64_t now_ms, struct logged_rows *out) {
    const bool has_ranges = support_random_bool(random);
    const uint64_t deletions = support_random_bool(random) ? 25 : 0;
    uint64_t sequence = 0;
    for (int64_t i = 0; i < count; i++) {
        struct logged *row = logged_add(out);
        const uint64_t what = support_random_below(random, 100);
        row->sequence = sequence += 1 + support_random_below(random, 2);
        row->key = (int32_t)support_random_below(random, COMPACTION_KEYS);
        row->number = (int64_t)support_random_below(random, 40) - 1;
        row->time_ms = support_random_bool(random)
                           ? -1
                           : now_ms - 2 * COMPACTION_TTL_MS +
                                 (int64_t)support_random_below(random, 3 * COMPACTION_TTL_MS);
        (void)snprintf(row->text, sizeof row->text, "%03d,", (int)(i % 1000));
        row->operation = what < deletions          ? STOA_OPERATION_DELETE
                         : what < 60 && has_merges ? STOA_OPERATION_MERGE
                                                   : STOA_OPERATION_PUT;
        row->is_range = has_ranges && what >= 97;
        row->key_end = row->key + 1 + (int32_t)support_random_below(random, COMPACTION_KEYS / 2);
    }
}

/* What a key has at a snapshot. */
struct answer {
    bool is_found;
    bool has_number;
    int64_t number;
    int64_t time_ms;
    char text[COMPACTION_TEXT * COMPACTION_LONG];
};

static const struct logged *logged_newest(const struct logged_rows *rows, int32_t key,
                                          uint64_t below, uint64_t snapshot) {
    const struct logged *found = NULL;
    for (int64_t i = 0; i < rows->count; i++) {
        const struct logged *row = &rows->rows[i];
        if (!row->is_range && row->key == key && row->sequence <= snapshot &&
            (row->sequence < below || below == UINT64_MAX) &&
            (found == NULL || row->sequence > found->sequence)) {
            found = row;
        }
    }
    return found;
}

static inline uint64_t logged_cover(const struct logged_rows *rows, int32_t key,
                                    uint64_t snapshot) {
    uint64_t cover = 0;
    for (int64_t i = 0; i < rows->count; i++) {
        const struct logged *row = &rows->rows[i];
        if (row->is_range && row->key <= key && key < row->key_end && row->sequence <= snapshot &&
            row->sequence > cover) {
            cover = row->sequence;
        }
    }
    return cover;
}

/* Operands go in from the newest: numbers are added, texts put before, the newest time counts. */
static inline void answer_add(struct answer *answer, const struct logged *row) {
    const size_t size = strlen(row->text);
    if (row->number >= 0) {
        answer->number += row->number;
        answer->has_number = true;
    }
    assert_true(size + strlen(answer->text) < sizeof answer->text);
    memmove(answer->text + size, answer->text, strlen(answer->text) + 1);
    memcpy(answer->text, row->text, size);
    answer->time_ms = answer->time_ms < 0 ? row->time_ms : answer->time_ms;
}

static inline void logged_get(const struct logged_rows *rows, int32_t key, uint64_t snapshot,
                              int64_t now_ms, struct answer *answer) {
    const uint64_t cover = logged_cover(rows, key, snapshot);
    *answer = (struct answer){.time_ms = -1};
    uint64_t below = UINT64_MAX;
    for (;;) {
        const struct logged *row = logged_newest(rows, key, below, snapshot);
        if (row == NULL || row->sequence < cover || row->operation == STOA_OPERATION_DELETE) {
            break;
        }
        answer->is_found = true;
        answer_add(answer, row);
        below = row->sequence;
        if (row->operation == STOA_OPERATION_PUT || below == 0) {
            break;
        }
    }
    if (answer->is_found && answer->time_ms >= 0 && answer->time_ms + COMPACTION_TTL_MS <= now_ms) {
        *answer = (struct answer){.time_ms = -1};
    }
}

/* ---- The table ------------------------------------------------------------------------------- */

struct compaction_table {
    support_world *world;
    stoa_definition *definition;
    struct ArrowSchema arrow;
    stoa_merge_programs *programs;
    bool has_text; /* in the key */
    bool has_ttl;
    _Atomic uint64_t file_number;
};

static inline void compaction_table_close(struct compaction_table *table) {
    stoa_merge_programs_close(table->programs);
    stoa_definition_release(table->definition);
    stoa_arrow_schema_release(&table->arrow);
}

/* Numbers of one byte: sums do not fit often. */
static inline stoa_status compaction_table_parse(struct compaction_table *table,
                                                 const stoa_schema **out, stoa_error *err) {
    return stoa_schema_parse(table->world->pool,
                             table->has_text
                                 ? "name string not null, id int not null, number int8, "
                                   "time timestamp_ms, text string not null"
                                 : "id int not null, number int8, time timestamp_ms, "
                                   "text string not null",
                             out, err);
}

/// Asserts nothing, as faults may hit it; what it leaves on error is closed as well.
static inline stoa_status compaction_table_open(support_world *world, bool has_text, bool has_ttl,
                                                struct compaction_table *table, stoa_error *err) {
    const stoa_state_table_options options = {
        .key = has_text ? "name, id" : "id",
        .merge = "number add, text append",
        .ttl_column = has_ttl ? "time" : NULL,
        .ttl_ms = has_ttl ? COMPACTION_TTL_MS : 0,
    };
    const stoa_schema *schema = NULL;
    stoa_status status = STOA_OK;
    *table = (struct compaction_table){.world = world, .has_text = has_text, .has_ttl = has_ttl};
    STOA_CHECK(compaction_table_parse(table, &schema, err));
    STOA_CHECK(stoa_schema_to_arrow(world->pool, schema, &table->arrow, err));
    STOA_CHECK(stoa_definition_create(world->pool, schema, &options, &table->definition, err));
    STOA_CHECK(stoa_merge_programs_create(world->pool, &table->programs, err));
    STOA_CHECK(stoa_vfs_make_directories(world->registry, COMPACTION_DIRECTORY, NULL, err));

done:
    stoa_schema_close(schema);
    return status;
}

static inline uint64_t compaction_new_file(void *user) {
    struct compaction_table *table = user;
    return atomic_fetch_add(&table->file_number, 1) + 1;
}

static inline void compaction_name(int32_t key, char out[16]) {
    (void)snprintf(out, 16, "name/%02d", key / 4);
}

static inline stoa_status compaction_key(const struct compaction_table *table, int32_t key,
                                         stoa_buffer *out, stoa_error *err) {
    char name[16];
    stoa_value values[2] = {{.type = {.kind = STOA_TYPE_INT}, .i = key}};
    if (table->has_text) {
        compaction_name(key, name);
        values[1] = values[0];
        values[0] = (stoa_value){.type = {.kind = STOA_TYPE_STRING},
                                 .bytes = (const uint8_t *)name,
                                 .size = strlen(name)};
    }
    stoa_buffer_clear(out);
    return stoa_key_encode(&table->definition->key, values, table->has_text ? 2 : 1, out, err);
}

/* ---- Files from a log ------------------------------------------------------------------------ */

struct compaction_part {
    const struct compaction_table *table;
    const struct logged **rows;
    int64_t count;
};

static inline stoa_status append_row(stoa_builder *builder, const struct compaction_table *table,
                                     const struct logged *row, stoa_error *err) {
    int64_t column = 0;
    char name[16];
    if (table->has_text) {
        compaction_name(row->key, name);
        STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(builder, column++), name,
                                           strlen(name), err));
    }
    STOA_TRY(stoa_builder_append_i64(stoa_builder_child(builder, column++), row->key, err));
    const int64_t values[2] = {row->number, row->time_ms};
    for (int i = 0; i < 2; i++) {
        stoa_builder *child = stoa_builder_child(builder, column++);
        STOA_TRY(values[i] < 0 ? stoa_builder_append_null(child, err)
                               : stoa_builder_append_i64(child, values[i], err));
    }
    STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(builder, column), row->text,
                                       strlen(row->text), err));
    return stoa_builder_finish_value(builder, err);
}

static inline stoa_status compaction_fill(void *user, stoa_output_rows *rows, stoa_error *err) {
    const struct compaction_part *part = user;
    stoa_builder *builder = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_builder_create(part->table->world->pool, &part->table->arrow, &builder, err));
    for (int64_t i = 0; i < part->count; i++) {
        const uint8_t operation = (uint8_t)part->rows[i]->operation;
        STOA_CHECK(append_row(builder, part->table, part->rows[i], err));
        STOA_CHECK(stoa_buffer_append(&rows->sequences, &part->rows[i]->sequence, 8, err));
        STOA_CHECK(stoa_buffer_append_byte(&rows->operations, operation, err));
    }
    STOA_CHECK(stoa_builder_finish(builder, &rows->batch, err));
    STOA_CHECK(stoa_keys_append(&part->table->definition->key, &rows->batch, 0, part->count,
                                &rows->keys, err));

done:
    stoa_builder_close(builder);
    return status;
}

static inline int compare_logged(const void *left, const void *right) {
    const struct logged *a = *(const struct logged *const *)left;
    const struct logged *b = *(const struct logged *const *)right;
    return a->key != b->key ? (a->key > b->key) - (a->key < b->key)
                            : (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

static inline stoa_status add_logged_range(struct compaction_table *table, stoa_output *output,
                                           const struct logged *row, stoa_error *err) {
    stoa_buffer from, to;
    stoa_buffer_init(&from, table->world->pool);
    stoa_buffer_init(&to, table->world->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(compaction_key(table, row->key, &from, err));
    STOA_CHECK(compaction_key(table, row->key_end, &to, err));
    const stoa_key_range range = {from.data, from.size, to.data, to.size, false, row->sequence};
    STOA_CHECK(stoa_output_add_range(output, &range, err));

done:
    stoa_buffer_release(&from);
    stoa_buffer_release(&to);
    return status;
}

static inline stoa_status write_logged(struct compaction_table *table, stoa_output *output,
                                       const struct logged *rows, int64_t count,
                                       int64_t stripe_rows, const struct logged **order,
                                       stoa_error *err) {
    int64_t listed = 0;
    for (int64_t i = 0; i < count; i++) {
        if (rows[i].is_range) {
            STOA_TRY(add_logged_range(table, output, &rows[i], err));
        } else {
            order[listed++] = &rows[i];
        }
    }
    qsort((void *)order, (size_t)listed, sizeof *order, compare_logged);
    for (int64_t i = 0; i < listed; i += stripe_rows) {
        struct compaction_part part = {table, order + i,
                                       listed - i < stripe_rows ? listed - i : stripe_rows};
        const stoa_output_source source = {compaction_fill, NULL, &part};
        STOA_TRY(stoa_output_add(output, &source, err));
        /* The part lies on the stack: what was added is done before the next. */
    }
    return STOA_OK;
}

/// Operations of a log, by key, as files of a level; adds them to a list.
static inline stoa_status compaction_write(struct compaction_table *table,
                                           const struct logged *rows, int64_t count, int32_t level,
                                           uint64_t file_bytes, int64_t stripe_rows,
                                           stoa_table_file **files, int64_t *file_count,
                                           stoa_error *err) {
    const stoa_output_options options = {
        .context = {.pool = table->world->pool},
        .file_systems = table->world->registry,
        .directory = COMPACTION_DIRECTORY,
        .definition = table->definition,
        .level = level,
        .file_bytes = file_bytes,
        .new_file = compaction_new_file,
        .new_file_user = table,
    };
    stoa_table_file *const *made;
    stoa_output *output = NULL;
    int64_t made_count = 0;
    const struct logged **order = calloc((size_t)count + 1, sizeof *order);
    stoa_status status = STOA_OK;
    assert_non_null(order);
    STOA_CHECK(stoa_output_create(&options, &output, err));
    STOA_CHECK(write_logged(table, output, rows, count, stripe_rows, order, err));
    STOA_CHECK(stoa_output_finish(output, &made, &made_count, err));
    for (int64_t i = 0; i < made_count; i++) {
        files[(*file_count)++] = stoa_table_file_retain(made[i]);
    }

done:
    stoa_output_close(output);
    free((void *)order);
    return status;
}

/* ---- Files back to rows ---------------------------------------------------------------------- */

static inline int32_t compaction_key_id(const uint8_t *key, size_t size) {
    /* The last part of the key: a whole number, its sign turned. */
    uint32_t id = 0;
    assert_true(size >= 4);
    for (size_t i = size - 4; i < size; i++) {
        id = id << 8 | key[i];
    }
    return (int32_t)(id ^ UINT32_C(1) << 31);
}

static inline int64_t number_at(const struct ArrowArray *array, int64_t row, int width) {
    if (array->buffers[0] != NULL && !stoa_bit_get(array->buffers[0], array->offset + row)) {
        return -1;
    }
    const uint8_t *value = (const uint8_t *)array->buffers[1] + (array->offset + row) * width;
    return width == 1 ? (int8_t)*value : stoa_load_i64(value);
}

static inline void dump_stripe(const struct compaction_table *table, const stoa_stripe *stripe,
                               struct logged_rows *out) {
    stoa_pool *pool = table->world->pool;
    const stoa_key_format *format = &table->definition->key;
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    const stoa_segment *sequences, *operations;
    const int32_t first = table->has_text ? 2 : 1;
    struct ArrowArray columns[3];
    stoa_keys keys;
    stoa_error err;
    stoa_keys_init(&keys, pool);
    assert_ok(stoa_stripe_keys(stripe, &all, &keys, &err), err);
    assert_ok(stoa_stripe_segment(stripe, STOA_STRIPE_SEQUENCES, stripe->row_count, &sequences,
                                  &err),
              err);
    assert_ok(stoa_stripe_segment(stripe, STOA_STRIPE_OPERATIONS, stripe->row_count, &operations,
                                  &err),
              err);
    for (int32_t i = 0; i < 3; i++) {
        assert_ok(stoa_stripe_column(stripe, pool, first + i, &all, &columns[i], &err), err);
    }
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    for (uint32_t i = 0; i < stripe->row_count; i++) {
        uint8_t number[8];
        size_t size;
        struct logged *row = logged_add(out);
        const uint8_t *key = stoa_keys_bytes(format, &view, i, number, &size);
        row->key = compaction_key_id(key, size);
        row->sequence = (uint64_t)stoa_segment_number(sequences, i);
        row->operation = (stoa_operation)stoa_segment_number(operations, i);
        if (row->operation == STOA_OPERATION_DELETE) {
            continue;
        }
        row->number = number_at(&columns[0], i, 1);
        row->time_ms = number_at(&columns[1], i, 8);
        const int32_t *ends = (const int32_t *)columns[2].buffers[1] + columns[2].offset + i;
        const size_t bytes = (size_t)(ends[1] - ends[0]);
        assert_true(bytes < sizeof row->text);
        memcpy(row->text, (const char *)columns[2].buffers[2] + ends[0], bytes);
    }
    for (int32_t i = 0; i < 3; i++) {
        stoa_arrow_array_release(&columns[i]);
    }
    stoa_keys_release(&keys);
}

static inline int32_t range_bound(const uint8_t *key, size_t size) {
    return size < 4 ? 0 : compaction_key_id(key, size);
}

/// All rows and ranges of a file.
static inline void compaction_dump_file(const struct compaction_table *table,
                                        const stoa_table_file *file, struct logged_rows *out) {
    const stoa_range_set *ranges = stoa_sst_ranges(file->sst);
    for (int64_t i = 0; i < stoa_sst_summary_of(file->sst)->stripe_count; i++) {
        dump_stripe(table, stoa_sst_stripe_at(file->sst, i), out);
    }
    for (int64_t i = 0; i < ranges->count; i++) {
        const stoa_key_range *range = &ranges->ranges[i];
        struct logged *row = logged_add(out);
        row->is_range = true;
        row->sequence = range->sequence;
        row->key = range_bound(range->from, range->from_size);
        row->key_end = range->to_end ? INT32_MAX : range_bound(range->to, range->to_size);
    }
}

static inline void compaction_dump(const struct compaction_table *table,
                                   const stoa_version *version, struct logged_rows *out) {
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < version->levels[level].count; i++) {
            compaction_dump_file(table, version->levels[level].files[i], out);
        }
    }
}

static inline stoa_status compaction_count_file(void *user, const char *name,
                                                const stoa_file_info *info, stoa_error *err) {
    (void)name, (void)info, (void)err;
    ++*(int64_t *)user;
    return STOA_OK;
}

/// Files in the table's directory.
static inline int64_t compaction_files_in(const support_world *world) {
    int64_t count = 0;
    stoa_error err;
    assert_ok(stoa_vfs_list(world->registry, COMPACTION_DIRECTORY, NULL, compaction_count_file,
                            &count, &err),
              err);
    return count;
}

#endif
