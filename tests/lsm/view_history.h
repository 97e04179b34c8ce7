/* Views for tests: a history of random writes, cut into memtables and files of several levels, and what
 * a reader must see of it, found by going through the history backwards. */
#ifndef STOA_TESTS_LSM_VIEW_HISTORY_H
#define STOA_TESTS_LSM_VIEW_HISTORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "base/bytes.h"
#include "lsm/cell.h"
#include "lsm/row_cells.h"
#include "lsm/view.h"
#include "schema/schema.h"
#include "support.h"

enum { HISTORY_KEYS = 120, HISTORY_EVENTS = 600, HISTORY_COLUMNS = 6, HISTORY_TEXT = 4096 };

typedef enum history_kind {
    HISTORY_PUT,
    HISTORY_DELETE,
    HISTORY_MERGE,
    HISTORY_RANGE
} history_kind;

struct history_event {
    history_kind kind;
    int32_t id;
    int32_t to; /* of a range; -1: to the end */
    bool has_amount;
    int64_t amount;
    char letter; /* 0: null */
    int64_t seen_ms;
};

struct history {
    support_world world;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    stoa_definition *definition;
    stoa_buffer keys[HISTORY_KEYS];
    struct history_event events[HISTORY_EVENTS]; /* sequence number: index + 1 */
    int32_t event_count;
    stoa_state_view *view;
};

/* What a get gives. */
struct history_row {
    bool is_there;
    bool has_amount;
    int64_t amount;
    bool has_text;
    char text[HISTORY_TEXT];
    int64_t seen_ms;
};

/// Cells of an event's row in the order of the schema. `text` is what they point to.
static inline void history_cells(const struct history_event *event, char text[32],
                                 stoa_cell cells[HISTORY_COLUMNS]) {
    memset(cells, 0, HISTORY_COLUMNS * sizeof *cells);
    snprintf(text, 16, "name/%03d", event->id / 4);
    text[16] = event->letter;
    cells[0] = (stoa_cell){.bytes = text, .size = strlen(text)};
    cells[1] = (stoa_cell){.i = event->id};
    cells[2] = (stoa_cell){.is_null = !event->has_amount, .i = event->amount};
    cells[3] = (stoa_cell){.is_null = event->letter == 0, .bytes = text + 16, .size = 1};
    cells[4] = (stoa_cell){.i = event->seen_ms * 1000};
    cells[5] = (stoa_cell){.is_null = !event->has_amount, .f = (double)event->amount / 4};
}

/// Those of its key, in the order of the key.
static inline void history_key_cells(const struct history *history,
                                     const struct history_event *event, char text[32],
                                     stoa_cell parts[HISTORY_COLUMNS]) {
    stoa_cell cells[HISTORY_COLUMNS];
    history_cells(event, text, cells);
    for (int32_t i = 0; i < history->definition->key.part_count; i++) {
        parts[i] = cells[history->definition->key.parts[i].column];
    }
}

/* ---- What must be seen ----------------------------------------------------------------------- */

static inline bool history_covers(const struct history *history, const struct history_event *range,
                                  int32_t id) {
    const stoa_buffer *key = &history->keys[id], *from = &history->keys[range->id];
    return stoa_bytes_compare(from->data, from->size, key->data, key->size) <= 0 &&
           (range->to < 0 || stoa_bytes_compare(key->data, key->size, history->keys[range->to].data,
                                                history->keys[range->to].size) < 0);
}

static inline bool history_expired(const struct history *history, int64_t seen_ms, int64_t now_ms) {
    return history->definition->ttl_column >= 0 && seen_ms + history->definition->ttl_ms <= now_ms;
}

static inline void history_fold(const struct history_event *event, struct history_row *row) {
    if (event->has_amount) {
        row->amount += event->amount;
        row->has_amount = true;
    }
    if (event->letter != 0) {
        const size_t size = strlen(row->text);
        memmove(row->text + 1, row->text, size + 1);
        row->text[0] = event->letter; /* events come from the newest to the oldest */
        row->has_text = true;
    }
    if (!row->is_there || event->seen_ms > row->seen_ms) {
        row->seen_ms = event->seen_ms;
    }
    row->is_there = true;
}

static inline void history_look(const struct history *history, int32_t id, uint64_t snapshot,
                                int64_t now_ms, struct history_row *row) {
    *row = (struct history_row){0};
    int64_t i = snapshot < (uint64_t)history->event_count ? (int64_t)snapshot
                                                          : history->event_count;
    while (i-- > 0) {
        const struct history_event *event = &history->events[i];
        if (event->kind == HISTORY_RANGE ? !history_covers(history, event, id) : event->id != id) {
            continue;
        }
        if (event->kind == HISTORY_MERGE) {
            history_fold(event, row);
            continue;
        }
        if (event->kind == HISTORY_PUT && !history_expired(history, event->seen_ms, now_ms)) {
            history_fold(event, row);
        }
        break;
    }
    row->is_there = row->is_there && !history_expired(history, row->seen_ms, now_ms);
}

/* ---- Files and memtables --------------------------------------------------------------------- */

static inline stoa_key_range history_range(const struct history *history, int32_t index) {
    const struct history_event *event = &history->events[index];
    const stoa_buffer *from = &history->keys[event->id];
    return (stoa_key_range){
        .from = from->data,
        .from_size = from->size,
        .to = event->to < 0 ? NULL : history->keys[event->to].data,
        .to_size = event->to < 0 ? 0 : history->keys[event->to].size,
        .to_end = event->to < 0,
        .sequence = (uint64_t)index + 1,
    };
}

static inline stoa_memtable *history_memtable(const struct history *history, int32_t first,
                                              int32_t end) {
    stoa_memtable *memtable;
    stoa_error err;
    assert_ok(stoa_memtable_create(history->world.pool, &history->definition->layout, &memtable,
                                   &err),
              err);
    for (int32_t i = first; i < end; i++) {
        const struct history_event *event = &history->events[i];
        char text[32];
        stoa_cell cells[HISTORY_COLUMNS];
        if (event->kind == HISTORY_RANGE) {
            const stoa_key_range range = history_range(history, i);
            assert_ok(stoa_memtable_stage_range(memtable, &range, &err), err);
        } else {
            if (event->kind == HISTORY_DELETE) {
                history_key_cells(history, event, text, cells);
            } else {
                history_cells(event, text, cells);
            }
            assert_ok(stoa_memtable_stage_row(memtable, cells, (stoa_operation)event->kind,
                                              (uint64_t)i + 1, &err),
                      err);
        }
        stoa_memtable_publish(memtable);
    }
    return memtable;
}

/* Rows of one file: events by their number, in order. */
struct history_rows {
    const struct history *history;
    int32_t events[HISTORY_EVENTS];
    int64_t count;
};

static inline int history_order(const void *left, const void *right, void *user) {
    const struct history *history = user;
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    const stoa_buffer *x = &history->keys[history->events[a].id];
    const stoa_buffer *y = &history->keys[history->events[b].id];
    const int order = stoa_bytes_compare(x->data, x->size, y->data, y->size);
    return order != 0 ? order : (a < b) - (a > b);
}

static inline void history_batch(const struct history_rows *rows, struct ArrowArray *out) {
    const struct history *history = rows->history;
    stoa_builder *builder;
    stoa_error err;
    assert_ok(stoa_builder_create(history->world.pool, &history->arrow, &builder, &err), err);
    for (int64_t i = 0; i < rows->count; i++) {
        char text[32];
        stoa_cell cells[HISTORY_COLUMNS];
        history_cells(&history->events[rows->events[i]], text, cells);
        for (int32_t c = 0; c < HISTORY_COLUMNS; c++) {
            assert_ok(stoa_cell_append(stoa_builder_child(builder, c),
                                       &history->schema->root.children[c], &cells[c], &err),
                      err);
        }
    }
    assert_ok(stoa_builder_finish_rows(builder, rows->count, &err), err);
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

static inline void history_write(support_random *random, const struct history_rows *rows,
                                 stoa_sst_writer *writer) {
    stoa_pool *pool = rows->history->world.pool;
    const stoa_stripe_layout *layout = &rows->history->definition->layout;
    struct ArrowArray batch;
    stoa_keys keys;
    static const stoa_compression codecs[] = {STOA_COMPRESSION_NONE, STOA_COMPRESSION_LZ4_RAW,
                                              STOA_COMPRESSION_ZSTD};
    const stoa_compression codec = codecs[support_random_below(random, 3)];
    stoa_stripe_encoder *encoder;
    stoa_sst_stripe stripe;
    stoa_error err;
    uint64_t sequences[HISTORY_EVENTS];
    uint8_t operations[HISTORY_EVENTS];
    for (int64_t i = 0; i < rows->count; i++) {
        sequences[i] = (uint64_t)rows->events[i] + 1;
        operations[i] = (uint8_t)rows->history->events[rows->events[i]].kind;
    }
    history_batch(rows, &batch);
    stoa_keys_init(&keys, pool);
    assert_ok(stoa_keys_append(layout->key, &batch, 0, batch.length, &keys, &err), err);
    assert_ok(stoa_stripe_encoder_create(pool, layout, codec, &encoder, &err), err);
    stoa_sst_stripe_init(&stripe, pool);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    for (int64_t first = 0; first < rows->count;) {
        const int64_t most = 1 + (int64_t)support_random_below(random, 90);
        const int64_t count = rows->count - first < most ? rows->count - first : most;
        const stoa_stripe_rows part = {&view, first, sequences + first, operations + first, &batch,
                                       first, count};
        assert_ok(stoa_sst_stripe_encode(encoder, layout, &part, &stripe, &err), err);
        assert_ok(stoa_sst_writer_add(writer, &stripe, &err), err);
        first += count;
    }
    stoa_sst_stripe_release(&stripe);
    stoa_stripe_encoder_close(encoder);
    stoa_keys_release(&keys);
    stoa_arrow_array_release(&batch);
}

/// Writes rows and the ranges of events [first, end) as file `number`, and opens it.
static inline stoa_table_file *history_file(support_random *random, const struct history_rows *rows,
                                            int32_t first, int32_t end, int32_t level,
                                            uint64_t number) {
    const struct history *history = rows->history;
    const stoa_context context = {.pool = history->world.pool};
    stoa_table_file_info info = {.number = number, .level = level};
    char uri[64];
    stoa_file *file;
    stoa_sst_writer *writer;
    stoa_sst_summary summary;
    stoa_sst *sst;
    stoa_table_file *out;
    stoa_error err;
    snprintf(uri, sizeof uri, "test:/%" PRIu64 ".sst", number);
    assert_ok(stoa_vfs_open(history->world.registry, uri, STOA_OPEN_CREATE, &context, &file, &err),
              err);
    assert_ok(stoa_sst_writer_create(&context, file, &history->definition->layout,
                                     (int32_t)support_random_below(random, 12) - 1, &writer, &err),
              err);
    history_write(random, rows, writer);
    for (int32_t i = first; i < end; i++) {
        if (history->events[i].kind == HISTORY_RANGE) {
            const stoa_key_range range = history_range(history, i);
            assert_ok(stoa_sst_writer_add_range(writer, &range, &err), err);
        }
    }
    assert_ok(stoa_sst_writer_finish(writer, &summary, &err), err);
    stoa_sst_writer_close(writer);
    stoa_file_close(file);
    assert_ok(stoa_vfs_open(history->world.registry, uri, STOA_OPEN_READ, &context, &file, &err),
              err);
    assert_ok(stoa_sst_open(&context, file, &history->definition->layout, &sst, &err), err);
    assert_ok(stoa_sst_verify(sst, &err), err);
    stoa_sst_close(sst); /* whoever reads it next opens its segments */
    assert_ok(stoa_vfs_open(history->world.registry, uri, STOA_OPEN_READ, &context, &file, &err),
              err);
    assert_ok(stoa_sst_open(&context, file, &history->definition->layout, &sst, &err), err);
    info.bytes = summary.file_bytes;
    info.row_count = summary.row_count;
    info.delete_count = summary.delete_count;
    info.sequence_min = summary.sequence_min;
    info.sequence_max = summary.sequence_max;
    stoa_buffer_init(&info.first_key, context.pool);
    stoa_buffer_init(&info.last_key, context.pool);
    assert_ok(stoa_sst_bounds(sst, &info.first_key, &info.last_key, &err), err);
    assert_ok(stoa_table_file_create(context.pool, history->world.registry, uri, &info, sst, &out,
                                     &err),
              err);
    return out;
}

struct history_files {
    stoa_table_file *files[64];
    int64_t count;
};

/// Events [first, end) as files of a level: several where the level has no ranges and may be cut.
static inline void history_level(support_random *random, const struct history *history,
                                 int32_t first, int32_t end, int32_t level,
                                 struct history_files *out) {
    struct history_rows all = {.history = history}, part = {.history = history};
    bool has_ranges = false;
    for (int32_t i = first; i < end; i++) {
        if (history->events[i].kind == HISTORY_RANGE) {
            has_ranges = true;
        } else {
            all.events[all.count++] = i;
        }
    }
    qsort_r(all.events, (size_t)all.count, sizeof *all.events, history_order,
            (void *)(uintptr_t)history);
    const int64_t most = has_ranges || level == 0 ? HISTORY_EVENTS
                                                  : 1 + (int64_t)support_random_below(random, 200);
    for (int64_t i = 0; i < all.count || (i == 0 && has_ranges);) {
        part.count = 0;
        while (i < all.count && (part.count < most || history->events[all.events[i]].id ==
                                                          history->events[all.events[i - 1]].id)) {
            part.events[part.count++] = all.events[i++];
        }
        out->files[out->count] = history_file(random, &part, first, end, level,
                                              (uint64_t)out->count + 1);
        out->count++;
        if (all.count == 0) {
            break;
        }
    }
}

/* ---- Making ---------------------------------------------------------------------------------- */

static inline void history_keys(struct history *history) {
    for (int32_t id = 0; id < HISTORY_KEYS; id++) {
        const struct history_event event = {.id = id};
        char text[32];
        stoa_cell parts[HISTORY_COLUMNS];
        stoa_error err;
        history_key_cells(history, &event, text, parts);
        stoa_buffer_init(&history->keys[id], history->world.pool);
        assert_ok(stoa_cells_key(&history->definition->key, parts, true,
                                 history->definition->key.part_count, &history->keys[id], &err),
                  err);
    }
}

static inline void history_events(support_random *random, struct history *history) {
    history->event_count = 1 + (int32_t)support_random_below(random, HISTORY_EVENTS);
    for (int32_t i = 0; i < history->event_count; i++) {
        const uint64_t die = support_random_below(random, 100);
        history->events[i] = (struct history_event){
            .kind = die < 50   ? HISTORY_PUT
                    : die < 60 ? HISTORY_DELETE
                    : die < 97 ? HISTORY_MERGE
                               : HISTORY_RANGE,
            .id = (int32_t)support_random_below(random, HISTORY_KEYS),
            .to = (int32_t)support_random_below(random, HISTORY_KEYS + 10),
            .has_amount = support_random_below(random, 4) > 0,
            .amount = support_random_between(random, -50, 50),
            .letter = (char)(support_random_bool(random) ? 'a' + i % 26 : 0),
            .seen_ms = (int64_t)support_random_below(random, 1000),
        };
        if (history->events[i].to >= HISTORY_KEYS) {
            history->events[i].to = -1;
        }
    }
}

/* The newest events are in memtables, those before them in files of level 0, the oldest below. */
static inline void history_view(support_random *random, struct history *history) {
    struct history_files files = {.count = 0};
    stoa_memtable *memtables[4];
    stoa_version *empty, *version;
    stoa_error err;
    const int32_t memtable_count = (int32_t)support_random_below(random, 4);
    const int32_t places = memtable_count + 1 + (int32_t)support_random_below(random, 8);
    int32_t end = history->event_count;
    int32_t level = 0;
    for (int32_t i = 0; i < places; i++) {
        const int32_t first = i == places - 1 || level == STOA_LEVELS - 1
                                  ? 0
                                  : (int32_t)support_random_below(random, (uint64_t)end + 1);
        if (i < memtable_count) {
            memtables[i] = history_memtable(history, first, end);
        } else {
            history_level(random, history, first, end, level, &files);
            level += support_random_bool(random) || level > 0;
        }
        end = first;
    }
    assert_ok(stoa_version_create(history->world.pool, &empty, &err), err);
    assert_ok(stoa_version_apply(empty, NULL, 0, files.files, files.count, &version, &err), err);
    assert_ok(stoa_state_view_create(history->world.pool, history->definition, version,
                                     &history->view, &err),
              err);
    for (int32_t i = 0; i < memtable_count; i++) {
        stoa_state_view_add(history->view, memtables[i]);
        stoa_memtable_close(memtables[i]);
    }
    for (int64_t i = 0; i < files.count; i++) {
        stoa_table_file_release(files.files[i]);
    }
    stoa_version_release(empty);
    stoa_version_release(version);
}

/// Columns: name, id, amount (sum), text (one after the other), seen (the greatest), share (sum). `shape`
/// chooses the key: 0 the id alone, 1 name and id, 2 the id from the greatest on, then the name; from 3
/// on the same with a time to live of 100 ms.
static inline void history_open(support_random *random, int shape, struct history *history) {
    static const char *const keys[] = {"id", "name, id", "id desc, name desc"};
    const stoa_state_table_options options = {
        .key = keys[shape % 3],
        .merge = shape % 3 == 0 ? "amount add, text append, seen max, share add, name min"
                                : "amount add, text append, seen max, share add",
        .ttl_column = shape < 3 ? NULL : "seen",
        .ttl_ms = shape < 3 ? 0 : 100,
    };
    stoa_error err;
    memset(history, 0, sizeof *history);
    support_world_open(&history->world);
    assert_ok(stoa_schema_parse(history->world.pool,
                                "name string not null, id int not null, amount long, text string, "
                                "seen timestamp not null, share double",
                                &history->schema, &err),
              err);
    assert_ok(stoa_schema_to_arrow(history->world.pool, history->schema, &history->arrow, &err),
              err);
    assert_ok(stoa_definition_create(history->world.pool, history->schema, &options,
                                     &history->definition, &err),
              err);
    history_keys(history);
    history_events(random, history);
    history_view(random, history);
}

static inline void history_close(struct history *history) {
    stoa_state_view_release(history->view);
    for (int32_t id = 0; id < HISTORY_KEYS; id++) {
        stoa_buffer_release(&history->keys[id]);
    }
    stoa_definition_release(history->definition);
    stoa_arrow_schema_release(&history->arrow);
    stoa_schema_close(history->schema);
    support_world_close(&history->world);
}

#endif
