/* Scans over keys and columns of every type: the newest rows that are no deletions, in the order of the
 * keys' bytes, for any way to spread them over memtables and files. And what a scan does when memory
 * runs out or a call fails, at every place. */
#include "lsm/scan.h"

#include "base/bits.h"
#include "run_history.h"

enum { ROUNDS = 100, COUNT_MAX = 2500, FILES_MAX = 256 };

static const struct {
    const char *schema;
    const char *key;
} TABLES[] = {
    {"k boolean not null, l int8 not null, a long", "k desc, l"},
    {"k int not null, a long, b string, c boolean, d decimal(30, 3), e uuid, f fixed(3)", "k"},
    {"k long not null, a list<int>, b map<string, double>, c struct<d: int, e: list<string>>",
     "k desc"},
    {"k uint64 not null, a binary, b timestamp, c float", "k"},
    {"k double not null, a string, b interval", "k"},
    {"k float not null, l uint16 not null, m boolean not null, a string", "l desc, k, m"},
    {"k string not null, a int, b boolean", "k"},
    {"k binary not null, l string not null, a time", "k, l desc"},
    {"k decimal(30, 2) not null, l date not null, a timestamp", "l, k desc"},
    {"k decimal(9, 2) not null, l uint32 not null, a long", "k, l"},
    {"k uuid not null, l time not null, a duration", "k, l"},
    {"k fixed(5) not null, l timestamp not null, a list<struct<b: int, c: string>>", "l desc, k"},
};

/* A view of a history: up to two memtables, files of level 0, then levels. */
static stoa_state_view *make_view(struct history *history, support_random *random) {
    static stoa_table_file *files[FILES_MAX];
    stoa_memtable *memtables[2];
    stoa_version *empty, *version;
    stoa_state_view *view;
    stoa_error err;
    int64_t end = history->piece_count, file_count = 0;
    int32_t memtable_count = (int32_t)support_random_below(random, 3), level = 0;
    const int32_t places = memtable_count + 1 + (int32_t)support_random_below(random, 5);
    for (int32_t i = 0; i < places; i++) {
        const bool is_last = i + 1 == places;
        const int64_t first = is_last ? 0
                                      : (int64_t)support_random_below(random, (uint64_t)end + 1);
        if (i < memtable_count) {
            memtables[i] = history_memtable(history, first, end);
        } else {
            file_count += history_level(history, random, first, end,
                                        level == 0 ? 1
                                                   : 1 + (int64_t)support_random_below(random, 6),
                                        level, files + file_count);
            level += support_random_bool(random) || level > 0;
        }
        end = first;
    }
    assert_ok(stoa_version_create(history->world->pool, &empty, &err), err);
    assert_ok(stoa_version_apply(empty, NULL, 0, files, file_count, &version, &err), err);
    assert_ok(stoa_state_view_create(history->world->pool, history->definition, version, &view,
                                     &err),
              err);
    for (int32_t i = 0; i < memtable_count; i++) {
        stoa_state_view_add(view, memtables[i]);
        stoa_memtable_close(memtables[i]);
    }
    for (int64_t i = 0; i < file_count; i++) {
        stoa_table_file_release(files[i]);
    }
    stoa_version_release(empty);
    stoa_version_release(version);
    return view;
}

/* Leaves the rows that a predicate takes. */
static int64_t model_filter(const struct history *history, const stoa_predicate *predicate,
                            int64_t *rows, int64_t count) {
    uint8_t *bits = rows_allocate(stoa_bitmap_bytes(history->count) + 1);
    int64_t kept = 0;
    stoa_error err;
    assert_ok(stoa_predicate_select(predicate, history->schema, &history->batch,
                                    history->world->pool, bits, &err),
              err);
    for (int64_t i = 0; i < count; i++) {
        if (stoa_bit_get(bits, rows[i])) {
            rows[kept++] = rows[i];
        }
    }
    free(bits);
    return kept;
}

/* The rows that a reader sees, by going through all versions in order. */
static int64_t model(const struct history *history, uint64_t snapshot, bool reverse,
                     int64_t *rows) {
    int64_t *order = history_order(history, 0, history->count);
    int64_t count = 0;
    for (int64_t i = 0, next; i < history->count; i = next) {
        int64_t newest = -1;
        for (next = i;
             next < history->count && history_compare_keys(history, order[i], order[next]) == 0;
             next++) {
            if (newest < 0 && history->sequences[order[next]] <= snapshot) {
                newest = order[next];
            }
        }
        if (newest >= 0 && history->operations[newest] == STOA_OPERATION_PUT) {
            rows[count++] = newest;
        }
    }
    for (int64_t i = 0; reverse && i < count / 2; i++) {
        const int64_t swap = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = swap;
    }
    free(order);
    return count;
}

static void check_scan(const struct history *history, support_random *random,
                       stoa_state_view *view) {
    stoa_pool *pool = history->world->pool;
    const stoa_view_reading reading =
        {.view = view,
         .snapshot =
             support_random_bool(random)
                 ? UINT64_MAX
                 : history->sequences[support_random_below(random, (uint64_t)history->count)]};
    static const char *const wheres[] = {NULL, "a is not null", "a is null or k is null"};
    const char *where = wheres[support_random_below(random, 3)];
    stoa_view_scan_options options = {.context = {.pool = pool},
                                      .reverse = support_random_bool(random)};
    int64_t *rows = rows_allocate((size_t)history->count * sizeof *rows);
    int64_t count = model(history, reading.snapshot, options.reverse, rows);
    stoa_view_scan *scan;
    struct ArrowArray found, expected;
    stoa_arena arena;
    stoa_error err;
    stoa_arena_init(&arena, pool);
    if (where != NULL) {
        const stoa_field *field = stoa_schema_column(history->schema, "a");
        if (field->type.kind == STOA_TYPE_LONG || field->type.kind == STOA_TYPE_INT) {
            where = support_random_bool(random) ? "a > 1000000" : "a < 0 and (a > -9 or a <> 77)";
        }
        assert_ok(stoa_predicate_parse(&arena, history->schema, where, &options.predicate, &err),
                  err);
        count = model_filter(history, options.predicate, rows, count);
    }
    int64_t at = 0, counted;
    assert_ok(stoa_view_scan_create(&reading, &options, &scan, &err), err);
    for (;; at += found.length, stoa_arrow_array_release(&found)) {
        const int64_t max_rows = 1 + (int64_t)support_random_below(random, 1500);
        assert_ok(stoa_view_scan_next(scan, max_rows, &found, &err), err);
        if (found.release == NULL) {
            break;
        }
        assert_true(found.length > 0 && found.length <= max_rows && at + found.length <= count);
        assert_ok(stoa_arrow_validate(&history->arrow, &found, STOA_ARROW_CHECK_FULL, &err), err);
        assert_ok(stoa_arrow_take(pool, &history->arrow, &history->batch, rows + at, found.length,
                                  &expected, &err),
                  err);
        assert_ok(stoa_arrow_compare(&history->arrow, &expected, &history->arrow, &found, &err),
                  err);
        stoa_arrow_array_release(&expected);
    }
    assert_int_equal(at, count);
    stoa_view_scan_close(scan);
    assert_ok(stoa_view_scan_count(&reading, &options, NULL, &counted, &err), err);
    assert_int_equal(counted, count);
    stoa_arena_release(&arena);
    free(rows);
}

static void keys_of_every_type_are_in_order(void **state) {
    support_random random = support_random_open("lsm.prop_scan_types");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t table = (size_t)round % (sizeof TABLES / sizeof *TABLES);
        const struct history_options options = {
            .schema = TABLES[table].schema,
            .table = {.key = TABLES[table].key},
            .count = 1 + (int64_t)support_random_below(&random, COUNT_MAX),
            .distinct = round % 3 == 0 ? 0 : 1 + support_random_below(&random, 2000),
            .delete_percent = round % 2 == 0 ? 0 : 20,
        };
        support_world world;
        struct history history;
        support_world_open(&world);
        history_open(&world, &random, &options, &history);
        stoa_state_view *view = make_view(&history, &random);
        for (int i = 0; i < 4; i++) {
            check_scan(&history, &random, view);
        }
        stoa_state_view_release(view);
        history_close(&history);
        support_world_close(&world);
    }
}

/* ---- Faults ----------------------------------------------------------------------------------- */

struct fault {
    struct history *history;
    stoa_state_view *view;
    const stoa_predicate *predicate;
    bool reverse;
};

/* A scan in memory of its own, which fails at some allocation. */
static stoa_status scan_all(support_world *world, void *user, stoa_error *err) {
    const struct fault *fault = user;
    const stoa_view_reading reading = {.view = fault->view, .snapshot = UINT64_MAX};
    const stoa_view_scan_options options = {.context = {.pool = world->pool},
                                            .predicate = fault->predicate,
                                            .reverse = fault->reverse};
    stoa_view_scan *scan = NULL;
    struct ArrowArray found;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_view_scan_create(&reading, &options, &scan, err));
    do {
        STOA_CHECK(stoa_view_scan_next(scan, 50, &found, err));
        const bool is_end = found.release == NULL;
        stoa_arrow_array_release(&found);
        if (is_end) {
            break;
        }
    } while (true);

done:
    stoa_view_scan_close(scan);
    return status;
}

static void check_memory(const char *schema) {
    support_random random = support_random_open("lsm.prop_scan_types");
    const struct history_options options = {
        .schema = schema,
        .table = {.key = "k", .merge = "b max"},
        .count = 160,
        .distinct = 60,
        .delete_percent = 10,
        .merge_percent = 20,
    };
    support_world world;
    struct history history;
    stoa_arena arena;
    stoa_error err;
    support_world_open(&world);
    history_open(&world, &random, &options, &history);
    stoa_arena_init(&arena, world.pool);
    struct fault fault = {.history = &history, .view = make_view(&history, &random)};
    assert_true(support_fail_each_allocation(NULL, scan_all, NULL, &fault) > 20);
    fault.reverse = true;
    assert_ok(stoa_predicate_parse(&arena, history.schema, "b > 0", &fault.predicate, &err), err);
    assert_true(support_fail_each_allocation(NULL, scan_all, NULL, &fault) > 20);
    stoa_state_view_release(fault.view);
    stoa_arena_release(&arena);
    history_close(&history);
    support_world_close(&world);
}

static void memory_that_runs_out_is_said(void **state) {
    (void)state;
    check_memory("k string not null, a list<int>, b long");
    check_memory("k int not null, a string, b long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_every_type_are_in_order),
        cmocka_unit_test(memory_that_runs_out_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
