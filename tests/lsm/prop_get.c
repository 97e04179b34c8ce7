/* Gets over views of random histories, against the history itself: versions, deletions, ranges of them,
 * merges, times to live, snapshots, in memtables and files of all levels. */
#include "lsm/get.h"
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
