/* Gets over views of random histories, against the history itself: versions, deletions, ranges of them,
 * merges, times to live, snapshots, in memtables and files of all levels. */
#include "arrow/array.h"
#include "base/bits.h"
#include "lsm/get.h"
#include "lsm/key_bytes.h"
#include "view_history.h"

enum { ROUNDS = 60, LOOKS = 200 };

static void check_bytes(const stoa_cell *cell, const char *text) {
    assert_int_equal(cell->size, strlen(text));
    assert_memory_equal(cell->bytes, text, cell->size);
}

static void check_row(int32_t id, const struct history_row *expected, const stoa_cell *cells) {
    const struct history_event event = {.id = id};
    char text[32];
    stoa_cell key[HISTORY_COLUMNS];
    history_cells(&event, text, key);
    check_bytes(&cells[0], text);
    assert_int_equal(cells[1].i, id);
    assert_int_equal(cells[2].is_null, !expected->has_amount);
    assert_int_equal(cells[3].is_null, !expected->has_text);
    assert_int_equal(cells[5].is_null, !expected->has_amount);
    if (expected->has_amount) {
        assert_int_equal(cells[2].i, expected->amount);
        assert_true(cells[5].f == (double)expected->amount / 4);
    }
    if (expected->has_text) {
        check_bytes(&cells[3], expected->text);
    }
    assert_int_equal(cells[4].i, expected->seen_ms * 1000);
}

/* All columns, and some of them in another order. */
static void look(support_random *random, const struct history *history, stoa_row *row,
                 stoa_row *part) {
    const int32_t id = (int32_t)support_random_below(random, HISTORY_KEYS);
    const stoa_view_reading reading = {
        .view = history->view,
        .snapshot = support_random_bool(random)
                        ? UINT64_MAX
                        : support_random_below(random, (uint64_t)history->event_count + 2),
        .now_ms = (int64_t)support_random_below(random, 1500),
    };
    const stoa_buffer *key = &history->keys[id];
    struct history_row expected;
    bool found;
    stoa_error err;
    history_look(history, id, reading.snapshot, reading.now_ms, &expected);
    assert_ok(stoa_view_get(&reading, key->data, key->size, row, &found, &err), err);
    assert_int_equal(found, expected.is_there);
    if (found) {
        check_row(id, &expected, stoa_row_cells(row));
    }
    assert_ok(stoa_view_get(&reading, key->data, key->size, part, &found, &err), err);
    assert_int_equal(found, expected.is_there);
    if (found) {
        const stoa_cell *cells = stoa_row_cells(part);
        assert_int_equal(cells[0].i, expected.seen_ms * 1000);
        assert_int_equal(cells[1].i, id);
        assert_int_equal(cells[2].i, id);
    }
}

/* Keys in any order, some of them twice. */
static void make_keys(support_random *random, const struct history *history, int64_t count,
                      int32_t *ids, stoa_keys *keys) {
    stoa_error err;
    stoa_keys_init(keys, history->world.pool);
    if (!history->definition->key.is_number) {
        assert_ok(stoa_buffer_append(&keys->offsets, &(uint32_t){0}, sizeof(uint32_t), &err), err);
    }
    for (int64_t i = 0; i < count; i++) {
        ids[i] = (int32_t)support_random_below(random, HISTORY_KEYS);
        const stoa_buffer *key = &history->keys[ids[i]];
        if (history->definition->key.is_number) {
            const uint64_t number = stoa_key_get_number(key->data, (int32_t)key->size);
            assert_ok(stoa_buffer_append(&keys->numbers, &number, sizeof number, &err), err);
        } else {
            assert_ok(stoa_buffer_append(&keys->bytes, key->data, key->size, &err), err);
            const uint32_t end = (uint32_t)keys->bytes.size;
            assert_ok(stoa_buffer_append(&keys->offsets, &end, sizeof end, &err), err);
        }
        keys->count++;
    }
}

static void look_at_many(support_random *random, const struct history *history) {
    enum { MOST = 100 };
    int32_t ids[MOST];
    uint8_t found[MOST / 8 + 1] = {0};
    const stoa_view_reading reading = {
        .view = history->view,
        .snapshot = support_random_below(random, (uint64_t)history->event_count + 2),
        .now_ms = (int64_t)support_random_below(random, 1500),
    };
    struct ArrowArray out;
    stoa_keys keys;
    stoa_error err;
    make_keys(random, history, (int64_t)support_random_below(random, MOST), ids, &keys);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    const stoa_many_keys wanted = {.keys = &view};
    assert_ok(stoa_view_get_many(&reading, history->world.pool, &wanted, &out, found, &err), err);
    assert_int_equal(out.length, view.count);
    assert_ok(stoa_arrow_validate(&history->arrow, &out, STOA_ARROW_CHECK_FULL, &err), err);
    for (int64_t i = 0; i < view.count; i++) {
        struct history_row expected;
        stoa_cell cells[HISTORY_COLUMNS];
        history_look(history, ids[i], reading.snapshot, reading.now_ms, &expected);
        assert_int_equal(stoa_bit_get(found, i), expected.is_there);
        for (int32_t c = 0; c < HISTORY_COLUMNS; c++) {
            stoa_cell_from_array(&history->schema->root.children[c].type, out.children[c], i,
                                 &cells[c]);
            assert_true(expected.is_there || cells[c].is_null);
        }
        if (expected.is_there) {
            check_row(ids[i], &expected, cells);
        }
    }
    stoa_arrow_array_release(&out);
    stoa_keys_release(&keys);
}

static void gets_see_what_was_written(void **state) {
    static const int32_t columns[] = {4, 1, 1};
    support_random random = support_random_open("lsm.prop_get");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct history history;
        stoa_row *row, *part;
        stoa_error err;
        history_open(&random, round % 6, &history);
        assert_ok(stoa_row_create_for(history.world.pool, history.definition, NULL, 0, &row, &err),
                  err);
        assert_ok(stoa_row_create_for(history.world.pool, history.definition, columns, 3, &part,
                                      &err),
                  err);
        for (int i = 0; i < LOOKS; i++) {
            look(&random, &history, row, part);
        }
        for (int i = 0; i < LOOKS / 20; i++) {
            look_at_many(&random, &history);
        }
        stoa_row_close(row);
        stoa_row_close(part);
        history_close(&history);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets_see_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
