/* Scans over views of random histories, against the history itself: any part of the keys, forward and
 * backward, at any snapshot, with any columns and predicate, in batches of any size; in parts, and
 * counted. */
#include "lsm/scan.h"

#include "arrow/array.h"
#include "schema/pick.h"
#include "view_history.h"

enum { ROUNDS = 60, LOOKS = 12 };

static const char *const PREDICATES[] = {
    NULL,
    NULL,
    "amount > 20",
    "id < 30",
    "id >= 100 and seen > timestamp '1970-01-01 00:00:00.5'",
    "amount is null or text like 'a%'",
    "name = 'name/007'",
    "share between -1.5 and 3 and not (id in (1, 5, 9))",
    "text > 'c' and seen < timestamp '1970-01-01 00:00:00.3'",
    "amount > 100000",
};

/* What one scan is asked for, and what it has to give. */
struct look {
    const struct history *history;
    stoa_view_reading reading;
    stoa_key_range range;
    stoa_view_scan_options options;
    int32_t columns[HISTORY_COLUMNS];
    struct ArrowSchema schema;
    struct ArrowArray expected;
};

static int compare_ids(const void *left, const void *right, void *user) {
    const struct history *history = user;
    const stoa_buffer *a = &history->keys[*(const int32_t *)left];
    const stoa_buffer *b = &history->keys[*(const int32_t *)right];
    return stoa_bytes_compare(a->data, a->size, b->data, b->size);
}

static void append_row(const struct history *history, int32_t id, const struct history_row *row,
                       stoa_builder *builder) {
    const struct history_event event = {.id = id};
    char text[32];
    stoa_cell cells[HISTORY_COLUMNS];
    stoa_error err;
    history_cells(&event, text, cells);
    cells[2] = (stoa_cell){.is_null = !row->has_amount, .i = row->amount};
    cells[3] = (stoa_cell){.is_null = !row->has_text,
                           .bytes = row->text,
                           .size = strlen(row->text)};
    cells[4] = (stoa_cell){.i = row->seen_ms * 1000};
    cells[5] = (stoa_cell){.is_null = !row->has_amount, .f = (double)row->amount / 4};
    for (int32_t i = 0; i < HISTORY_COLUMNS; i++) {
        assert_ok(stoa_cell_append(stoa_builder_child(builder, i),
                                   &history->schema->root.children[i], &cells[i], &err),
                  err);
    }
    assert_ok(stoa_builder_finish_rows(builder, 1, &err), err);
}

/* The rows of a range as the history has them, all columns, in ascending order. */
static void model_rows(const struct look *look, struct ArrowArray *out) {
    const struct history *history = look->history;
    int32_t ids[HISTORY_KEYS];
    stoa_builder *builder;
    stoa_error err;
    for (int32_t id = 0; id < HISTORY_KEYS; id++) {
        ids[id] = id;
    }
    qsort_r(ids, HISTORY_KEYS, sizeof *ids, compare_ids, (void *)(uintptr_t)history);
    assert_ok(stoa_builder_create(history->world.pool, &history->arrow, &builder, &err), err);
    for (int32_t i = 0; i < HISTORY_KEYS; i++) {
        const stoa_buffer *key = &history->keys[ids[i]];
        static struct history_row row;
        history_look(history, ids[i], look->reading.snapshot, look->reading.now_ms, &row);
        if (row.is_there &&
            stoa_bytes_compare(key->data, key->size, look->range.from, look->range.from_size) >=
                0 &&
            (look->range.to_end ||
             stoa_bytes_compare(key->data, key->size, look->range.to, look->range.to_size) < 0)) {
            append_row(history, ids[i], &row, builder);
        }
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

static void turn(const struct look *look, const struct ArrowSchema *schema,
                 struct ArrowArray *rows) {
    int64_t order[HISTORY_KEYS];
    struct ArrowArray turned;
    stoa_error err;
    for (int64_t i = 0; i < rows->length; i++) {
        order[i] = rows->length - 1 - i;
    }
    assert_ok(stoa_arrow_take(look->history->world.pool, schema, rows, order, rows->length, &turned,
                              &err),
              err);
    stoa_arrow_array_release(rows);
    *rows = turned;
}

/* Some of the columns in any order, or all. */
static void choose_columns(support_random *random, struct look *look) {
    if (support_random_bool(random)) {
        return;
    }
    for (int32_t i = 0; i < HISTORY_COLUMNS; i++) {
        const int32_t at = (int32_t)support_random_below(random, (uint64_t)i + 1);
        look->columns[i] = look->columns[at];
        look->columns[at] = i;
    }
    look->options.columns = look->columns;
    look->options.column_count = (int32_t)support_random_below(random, HISTORY_COLUMNS + 1);
}

static void choose_range(support_random *random, struct look *look) {
    const stoa_buffer *from = &look->history->keys[support_random_below(random, HISTORY_KEYS)];
    const stoa_buffer *to = &look->history->keys[support_random_below(random, HISTORY_KEYS)];
    look->range = (stoa_key_range){.from = from->data,
                                   .from_size = support_random_below(random, 3) == 0
                                                    ? support_random_below(random, from->size + 1)
                                                    : from->size,
                                   .to = to->data,
                                   .to_size = to->size,
                                   .to_end = support_random_below(random, 3) == 0};
}

static void choose(support_random *random, const struct history *history, stoa_arena *arena,
                   struct look *look) {
    const char *text =
        PREDICATES[support_random_below(random, sizeof PREDICATES / sizeof *PREDICATES)];
    stoa_error err;
    *look = (struct look){
        .history = history,
        .reading = {.view = history->view,
                    .snapshot = support_random_bool(random)
                                    ? UINT64_MAX
                                    : support_random_below(random,
                                                           (uint64_t)history->event_count + 2),
                    .now_ms = (int64_t)support_random_below(random, 1500)},
        .options = {.context = {.pool = history->world.pool},
                    .reverse = support_random_bool(random)},
    };
    choose_columns(random, look);
    choose_range(random, look);
    if (text != NULL) {
        assert_ok(stoa_predicate_parse(arena, history->schema, text, &look->options.predicate,
                                       &err),
                  err);
    }
    model_rows(look, &look->expected);
    assert_ok(stoa_batch_pick(history->world.pool, history->schema, look->options.predicate,
                              look->options.columns, look->options.column_count, &look->expected,
                              &err),
              err);
}

/* Everything that is left of a scan, in one array. */
static void drain(support_random *random, stoa_view_scan *scan, stoa_pool *pool,
                  struct ArrowArray *out) {
    struct ArrowArray parts[HISTORY_KEYS + 1];
    const struct ArrowArray *arrays[HISTORY_KEYS + 1];
    int64_t count = 0;
    stoa_error err;
    for (;; count++) {
        const int64_t max_rows = 1 + (int64_t)support_random_below(random, 200);
        assert_ok(stoa_view_scan_next(scan, max_rows, &parts[count], &err), err);
        if (parts[count].release == NULL) {
            break;
        }
        assert_true(count < HISTORY_KEYS && parts[count].length > 0 &&
                    parts[count].length <= max_rows);
        assert_ok(stoa_arrow_validate(stoa_view_scan_schema(scan), &parts[count],
                                      STOA_ARROW_CHECK_FULL, &err),
                  err);
        arrays[count] = &parts[count];
    }
    assert_ok(stoa_arrow_concat(pool, stoa_view_scan_schema(scan), arrays, count, out, &err), err);
    for (int64_t i = 0; i < count; i++) {
        stoa_arrow_array_release(&parts[i]);
    }
}

static void check_drained(support_random *random, const struct look *look, stoa_view_scan *scan,
                          const struct ArrowArray *expected) {
    struct ArrowArray found;
    stoa_error err;
    drain(random, scan, look->history->world.pool, &found);
    assert_int_equal(found.length, expected->length);
    assert_ok(stoa_arrow_compare(stoa_view_scan_schema(scan), expected, stoa_view_scan_schema(scan),
                                 &found, &err),
              err);
    stoa_arrow_array_release(&found);
}

/* The whole range, and again after having gone somewhere else. */
static void check_scan(support_random *random, struct look *look) {
    stoa_view_scan *scan;
    stoa_error err;
    assert_ok(stoa_view_scan_create(&look->reading, &look->options, &scan, &err), err);
    if (look->options.reverse) {
        turn(look, stoa_view_scan_schema(scan), &look->expected);
    }
    if (support_random_bool(random)) {
        struct ArrowArray some;
        assert_ok(stoa_view_scan_next(scan, 1 + (int64_t)support_random_below(random, 9), &some,
                                      &err),
                  err);
        stoa_arrow_array_release(&some);
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(stoa_view_scan_seek(scan, &look->range, &err), err);
        check_drained(random, look, scan, &look->expected);
    }
    stoa_view_scan_close(scan);
}

/* The parts of a range, one after the other, are the range. */
static void check_parts(support_random *random, struct look *look) {
    stoa_pool *pool = look->history->world.pool;
    const stoa_key_format *format = &look->history->definition->key;
    const int64_t parts = 1 + (int64_t)support_random_below(random, 6);
    struct ArrowArray found[8];
    const struct ArrowArray *arrays[8];
    struct ArrowArray all;
    uint8_t from[8], to[8];
    stoa_view_scan *scan;
    stoa_keys keys;
    stoa_error err;
    stoa_keys_init(&keys, pool);
    assert_ok(stoa_view_scan_split(look->history->view, &look->range, parts, &keys, &err), err);
    assert_true(keys.count < parts);
    look->options.reverse = false;
    assert_ok(stoa_view_scan_create(&look->reading, &look->options, &scan, &err), err);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    for (int64_t i = 0; i <= keys.count; i++) {
        stoa_key_range range = look->range;
        if (i > 0) {
            range.from = stoa_keys_bytes(format, &view, i - 1, from, &range.from_size);
        }
        if (i < keys.count) {
            range.to = stoa_keys_bytes(format, &view, i, to, &range.to_size);
            range.to_end = false;
        }
        assert_ok(stoa_view_scan_seek(scan, &range, &err), err);
        drain(random, scan, pool, &found[i]);
        arrays[i] = &found[i];
    }
    assert_ok(stoa_arrow_concat(pool, stoa_view_scan_schema(scan), arrays, keys.count + 1, &all,
                                &err),
              err);
    assert_int_equal(all.length, look->expected.length);
    assert_ok(stoa_arrow_compare(stoa_view_scan_schema(scan), &look->expected,
                                 stoa_view_scan_schema(scan), &all, &err),
              err);
    stoa_arrow_array_release(&all);
    for (int64_t i = 0; i <= keys.count; i++) {
        stoa_arrow_array_release(&found[i]);
    }
    stoa_keys_release(&keys);
    stoa_view_scan_close(scan);
}

static void check_count(struct look *look) {
    struct ArrowArray all;
    int64_t count;
    stoa_error err;
    model_rows(look, &all);
    assert_ok(stoa_batch_pick(look->history->world.pool, look->history->schema,
                              look->options.predicate, NULL, 0, &all, &err),
              err);
    assert_ok(stoa_view_scan_count(&look->reading, &look->options, &look->range, &count, &err),
              err);
    assert_int_equal(count, all.length);
    stoa_arrow_array_release(&all);
}

static void scans_see_the_history(void **state) {
    support_random random = support_random_open("lsm.prop_scan");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        static struct history history;
        stoa_arena arena;
        history_open(&random, round % 6, &history);
        stoa_arena_init(&arena, history.world.pool);
        for (int i = 0; i < LOOKS; i++) {
            struct look look;
            choose(&random, &history, &arena, &look);
            check_parts(&random, &look);
            look.options.reverse = support_random_bool(&random);
            check_scan(&random, &look);
            check_count(&look);
            look.range = (stoa_key_range){.to_end = true};
            check_count(&look);
            stoa_arrow_array_release(&look.expected);
        }
        stoa_arena_release(&arena);
        history_close(&history);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_see_the_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
