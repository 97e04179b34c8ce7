/* Any way to spread a history over memtables, files and levels merges to the same rows: all versions,
 * by key and from the newest to the oldest, which sorting the whole history gives too; and gathering
 * them gives their keys, numbers, operations and columns. */
#include "lsm/gather.h"
#include "lsm/merge.h"

#include "base/bits.h"
#include "run_history.h"

enum { ROUNDS = 150, RUNS_MAX = 9 };

static const struct {
    const char *schema;
    const char *key;
} TABLES[] = {
    {"k int not null, a long, b string, c boolean", "k"},
    {"k long not null, a list<int>, b map<string, double>, c struct<d: int, e: list<string>>", "k"},
    {"k string not null, a decimal(30, 3), b uuid, c boolean, d float", "k"},
    {"k binary not null, l int16 not null, a fixed(3), b list<struct<c: int, d: string>>",
     "k desc, l"},
    {"k decimal(30, 2) not null, l date not null, a timestamp, b int8, c time", "l, k desc"},
    {"k boolean not null, l uint8 not null, a double", "k, l desc"},
};

struct runs {
    stoa_run runs[RUNS_MAX];
    int32_t count;
    stoa_table_file *files[RUNS_MAX][HISTORY_FILES_MAX];
};

/* The history in `count` runs, the newest first. */
static void make_runs(struct history *history, support_random *random, int32_t count,
                      struct runs *out) {
    int64_t end = history->piece_count;
    *out = (struct runs){.count = count};
    for (int32_t i = 0; i < count; i++) {
        const int64_t first = i + 1 == count
                                  ? 0
                                  : (int64_t)support_random_below(random, (uint64_t)end + 1);
        stoa_run *run = &out->runs[i];
        if (support_random_below(random, 3) == 0) {
            run->memtable = history_memtable(history, first, end);
        } else {
            run->file_count = history_level(history, random, first, end,
                                            1 + (int64_t)support_random_below(random, 5), 0,
                                            out->files[i]);
            run->files = out->files[i];
        }
        end = first;
    }
}

static void drop_runs(struct runs *runs) {
    for (int32_t i = 0; i < runs->count; i++) {
        stoa_memtable_close(runs->runs[i].memtable);
        for (int64_t j = 0; j < runs->runs[i].file_count; j++) {
            stoa_table_file_release(runs->files[i][j]);
        }
    }
}

static int64_t row_of_sequence(const struct history *history, uint64_t sequence) {
    int64_t low = 0, high = history->count;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (history->sequences[middle] <= sequence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    assert_int_equal(history->sequences[low], sequence);
    return low;
}

/* What was gathered is rows order[0..count) of the history. */
static void check_gathered(const struct history *history, stoa_gather *gather, const int64_t *order,
                           int64_t count) {
    stoa_pool *pool = history->world->pool;
    struct ArrowArray expected, found;
    uint64_t *sequences = rows_allocate((size_t)count * sizeof *sequences);
    uint8_t *operations = rows_allocate((size_t)count);
    stoa_error err;
    assert_int_equal(stoa_gather_row_count(gather), count);
    assert_ok(stoa_gather_sequences(gather, sequences, &err), err);
    assert_ok(stoa_gather_operations(gather, operations, &err), err);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(sequences[i], history->sequences[order[i]]);
        assert_int_equal(operations[i], history->operations[order[i]]);
    }
    assert_ok(stoa_gather_batch(gather, pool, NULL, 0, &found, &err), err);
    assert_ok(stoa_arrow_take(pool, &history->arrow, &history->batch, order, count, &expected,
                              &err),
              err);
    assert_ok(stoa_arrow_validate(&history->arrow, &found, STOA_ARROW_CHECK_FULL, &err), err);
    assert_ok(stoa_arrow_compare(&history->arrow, &expected, &history->arrow, &found, &err), err);
    stoa_arrow_array_release(&expected);
    stoa_arrow_array_release(&found);
    free(sequences);
    free(operations);
}

/* Keeps some rows of what was gathered, and looks at these. */
static void check_kept(const struct history *history, support_random *random, stoa_gather *gather,
                       int64_t *order, int64_t count) {
    uint8_t *bits = rows_allocate(stoa_bitmap_bytes(count) + 1);
    const uint64_t one_in = 1 + support_random_below(random, 5);
    int64_t kept = 0;
    stoa_error err;
    for (int64_t i = 0; i < count; i++) {
        if (support_random_below(random, one_in) == 0) {
            stoa_bit_set(bits, i);
            order[kept++] = order[i];
        }
    }
    assert_ok(stoa_gather_keep(gather, bits, &err), err);
    check_gathered(history, gather, order, kept);
    free(bits);
}

/* One block: its rows are the next of `order`. Some of them go into the gathering. */
static int64_t check_block(const struct history *history, const stoa_merge_block *block,
                           const int64_t *order, int64_t at, stoa_gather *gather,
                           uint64_t gather_one_in, support_random *random, int64_t *gathered,
                           int64_t *gathered_count) {
    int64_t rows = 0;
    stoa_error err;
    for (int64_t i = 0; i < block->span_count; i++) {
        const stoa_merge_span *span = &block->spans[i];
        stoa_run_window *window = block->windows[span->run];
        const uint64_t *sequences;
        assert_true(span->count > 0 && span->first + span->count <= window->count);
        assert_ok(stoa_run_window_sequences(window, &sequences, &err), err);
        for (uint32_t j = 0; j < span->count; j++, rows++) {
            const int64_t row = row_of_sequence(history, sequences[span->first + j]);
            assert_int_equal(row, order[at + rows]);
            const bool continues = at + rows > 0 &&
                                   history_compare_keys(history, row, order[at + rows - 1]) == 0;
            assert_int_equal(continues, j == 0 && span->continues);
            uint8_t a_number[8], b_number[8];
            size_t a_size, b_size;
            const uint8_t *a = stoa_keys_bytes(&history->definition->key, &window->keys,
                                               span->first + j, a_number, &a_size);
            const uint8_t *b = history_key(history, row, b_number, &b_size);
            assert_int_equal(stoa_bytes_compare(a, a_size, b, b_size), 0);
            assert_true(window->sequence_max >= history->sequences[row]);
            assert_true(!window->has_only_puts || history->operations[row] == STOA_OPERATION_PUT);
            if (support_random_below(random, gather_one_in) == 0) {
                assert_ok(stoa_gather_add_window(gather, window, span->first + j, 1, &err), err);
                gathered[(*gathered_count)++] = row;
            }
        }
    }
    assert_int_equal(rows, block->row_count);
    return rows;
}

/* The rows of `order` in [first, end) are what the merge gives within `range`. */
static void check_merge(const struct history *history, support_random *random, stoa_merge *merge,
                        const stoa_key_range *range, const int64_t *order, int64_t first,
                        int64_t end) {
    stoa_gather *gather;
    stoa_error err;
    int64_t *gathered = rows_allocate((size_t)history->count * sizeof *gathered);
    int64_t gathered_count = 0, at = first;
    const int64_t max_rows = 1 + (int64_t)support_random_below(random, 700);
    const uint64_t one_in = 1 + support_random_below(random, 4);
    assert_ok(stoa_gather_create(history->world->pool, &history->definition->layout, &gather, &err),
              err);
    assert_ok(stoa_merge_seek(merge, range, &err), err);
    for (;;) {
        stoa_merge_block block;
        assert_ok(stoa_merge_next(merge, max_rows, &block, &err), err);
        assert_true(block.row_count <= max_rows && at + block.row_count <= end);
        if (block.row_count == 0) {
            break;
        }
        at += check_block(history, &block, order + first, at - first, gather, one_in, random,
                          gathered, &gathered_count);
        if (support_random_below(random, 3) == 0) {
            assert_ok(stoa_gather_finish_rows(gather, &err), err);
            check_gathered(history, gather, gathered, gathered_count);
            check_kept(history, random, gather, gathered, gathered_count);
            stoa_gather_clear(gather);
            gathered_count = 0;
        }
    }
    assert_int_equal(at, end);
    stoa_gather_close(gather);
    free(gathered);
}

/* A range between the keys of two rows, or open, and the rows of `order` in it. */
static void check_range(const struct history *history, support_random *random, stoa_merge *merge,
                        const int64_t *order) {
    uint8_t from_number[8], to_number[8];
    stoa_key_range range = {.to_end = support_random_below(random, 4) == 0};
    int64_t first = 0, end = history->count;
    if (history->count > 0 && support_random_below(random, 4) > 0) {
        const int64_t row = (int64_t)support_random_below(random, (uint64_t)history->count);
        range.from = history_key(history, row, from_number, &range.from_size);
        if (support_random_below(random, 4) == 0) {
            range.from_size = support_random_below(random, range.from_size + 1);
        }
    }
    if (history->count > 0 && !range.to_end) {
        const int64_t row = (int64_t)support_random_below(random, (uint64_t)history->count);
        range.to = history_key(history, row, to_number, &range.to_size);
    }
    for (int64_t i = 0; i < history->count; i++) {
        uint8_t number[8];
        size_t size;
        const uint8_t *key = history_key(history, order[i], number, &size);
        first += stoa_bytes_compare(key, size, range.from, range.from_size) < 0;
        end -= !range.to_end && stoa_bytes_compare(key, size, range.to, range.to_size) >= 0;
    }
    check_merge(history, random, merge, &range, order, first, end < first ? first : end);
}

static void runs_merge_to_their_rows(void **state) {
    support_random random = support_random_open("lsm.prop_merge");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const int table = round % (int)(sizeof TABLES / sizeof *TABLES);
        const struct history_options options = {
            .schema = TABLES[table].schema,
            .table = {.key = TABLES[table].key},
            .count = (int64_t)support_random_below(&random, round % 10 == 0 ? 4 : 3000),
            .distinct = round % 3 == 0 ? 0 : 1 + support_random_below(&random, 2000),
            .delete_percent = 10,
            .merge_percent = 10,
        };
        support_world world;
        struct history history;
        static struct runs runs;
        stoa_merge *merge;
        stoa_error err;
        support_world_open(&world);
        history_open(&world, &random, &options, &history);
        make_runs(&history, &random, 1 + (int32_t)support_random_below(&random, RUNS_MAX), &runs);
        int64_t *order = history_order(&history, 0, history.count);
        assert_ok(stoa_merge_create(world.pool, &history.definition->layout, runs.runs, runs.count,
                                    &merge, &err),
                  err);
        check_merge(&history, &random, merge, NULL, order, 0, history.count);
        for (int i = 0; i < 4; i++) {
            check_range(&history, &random, merge, order);
        }
        stoa_merge_close(merge);
        free(order);
        drop_runs(&runs);
        history_close(&history);
        support_world_close(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_merge_to_their_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
