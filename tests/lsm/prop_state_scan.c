/* Bounds of scans against comparing keys part by part, for keys of every shape: also where a bound is a
 * beginning of other keys, or has bytes 0x00 and 0xFF. */
#include "lsm/cell.h"
#include "store_support.h"

enum { ROUNDS = 24, ROWS = 120, BOUNDS = 60, PARTS = 3, TEXT_MAX = 3 };

static const struct {
    const char *schema;
    const char *key;
    int32_t parts;
} TABLES[] = {
    {"a string not null, v int", "a", 1},
    {"a binary not null, b int not null, v int", "a, b", 2},
    {"a int not null, b binary not null, v int", "a, b", 2},
    {"a int8 not null, b int8 not null, v int", "a, b", 2},
    {"a binary not null, b int8 not null, c binary not null, v int", "a desc, b, c", 3},
    {"a int8 not null, b binary not null, v int", "a, b desc", 2},
};
enum { TABLE_COUNT = sizeof TABLES / sizeof TABLES[0] };

struct part {
    bool is_text;
    bool descending;
    uint8_t text[TEXT_MAX];
    size_t size;
    int64_t number;
};

struct table {
    stoa_state *state;
    int32_t parts;
    bool is_text[PARTS];
    bool descending[PARTS];
    struct part rows[ROWS][PARTS];
};

static void random_part(support_random *random, bool is_text, bool descending, struct part *out) {
    static const uint8_t letters[] = {0x00, 0xFF, 'a', 'b', 0x01};
    *out = (struct part){.is_text = is_text, .descending = descending};
    out->number = support_random_between(random, -4, 4);
    if (is_text) {
        out->size = support_random_below(random, TEXT_MAX + 1);
        for (size_t i = 0; i < out->size; i++) {
            out->text[i] = letters[support_random_below(random, sizeof letters)];
        }
    }
}

static void random_key(support_random *random, const struct table *table, bool is_utf8,
                       struct part *out) {
    for (int32_t i = 0; i < table->parts; i++) {
        random_part(random, table->is_text[i], table->descending[i], &out[i]);
        for (size_t k = 0; is_utf8 && k < out[i].size; k++) {
            out[i].text[k] &= 0x7F;
        }
    }
}

static void cells_of(const struct part *parts, int32_t count, stoa_cell *out) {
    for (int32_t i = 0; i < count; i++) {
        out[i] = parts[i].is_text ? (stoa_cell){.bytes = parts[i].text, .size = parts[i].size}
                                  : (stoa_cell){.i = parts[i].number};
    }
}

/* By the first `count` parts. */
static int compare(const struct part *left, const struct part *right, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        int order = left[i].is_text
                        ? memcmp(left[i].text, right[i].text,
                                 left[i].size < right[i].size ? left[i].size : right[i].size)
                        : (left[i].number > right[i].number) - (left[i].number < right[i].number);
        if (order == 0 && left[i].is_text) {
            order = (left[i].size > right[i].size) - (left[i].size < right[i].size);
        }
        if (order != 0) {
            return left[i].descending ? -order : order;
        }
    }
    return 0;
}

/* Opens table `kind` with random rows, a part of them in a file. Of equal keys one counts. */
static void fill(struct store_test *store, support_random *random, int kind, struct table *table,
                 int64_t *out_count) {
    const stoa_state_table_options options = {.key = TABLES[kind].key};
    const stoa_schema *schema;
    stoa_error err;
    *table = (struct table){.parts = TABLES[kind].parts};
    assert_ok(stoa_schema_parse(store->pool, TABLES[kind].schema, &schema, &err), err);
    for (int32_t i = 0; i < table->parts; i++) {
        const stoa_type_kind type = schema->root.children[i].type.kind;
        const char *name = strstr(TABLES[kind].key, schema->root.children[i].name);
        table->is_text[i] = type == STOA_TYPE_STRING || type == STOA_TYPE_BINARY;
        table->descending[i] = strncmp(name + 1, " desc", 5) == 0;
    }
    assert_ok(stoa_store_create_table(store->store, 100 + kind, schema, &options, &err), err);
    assert_ok(stoa_store_open_table(store->store, 100 + kind, &table->state, &err), err);
    *out_count = 0;
    for (int i = 0; i < ROWS; i++) {
        stoa_cell cells[PARTS + 1];
        bool is_new = true;
        random_key(random, table, kind == 0, table->rows[i]);
        cells_of(table->rows[i], table->parts, cells);
        cells[table->parts] = (stoa_cell){.i = i};
        assert_ok(stoa_state_put(table->state, cells, STOA_DURABILITY_DEFAULT, &err), err);
        for (int k = 0; k < i && is_new; k++) {
            is_new = compare(table->rows[i], table->rows[k], table->parts) != 0;
        }
        *out_count += is_new;
        if (i == ROWS / 2) {
            assert_ok(stoa_state_flush(table->state, &err), err);
        }
    }
    stoa_schema_close(schema);
}

/* Counts the rows of a scan, and checks that each lies within the bounds and behind the one before. */
static int64_t scan(struct store_test *store, const struct table *table,
                    const stoa_state_scan_options *options) {
    const stoa_schema *schema = stoa_state_schema(table->state);
    struct ArrowArrayStream rows;
    struct ArrowArray batch;
    int64_t count = 0;
    int32_t before = -1;
    stoa_error err;
    (void)store;
    assert_ok(stoa_state_scan(table->state, options, &rows, &err), err);
    for (;;) {
        assert_ok(stoa_stream_next(&rows, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        for (int64_t row = 0; row < batch.length; row++, count++) {
            stoa_cell value;
            stoa_cell_from_array(&schema->root.children[table->parts].type,
                                 batch.children[table->parts], row, &value);
            if (before >= 0) {
                const int order = compare(table->rows[before], table->rows[value.i], table->parts);
                assert_true(options->reverse ? order > 0 : order < 0);
            }
            before = (int32_t)value.i;
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&rows);
    return count;
}

static bool is_within(const struct part *row, const struct part *from, int32_t from_count,
                      const struct part *to, int32_t to_count, bool to_included) {
    const int behind = compare(row, to, to_count);
    return compare(row, from, from_count) >= 0 &&
           (to_count == 0 || (to_included ? behind <= 0 : behind < 0));
}

/* Rows that are the last of their key. */
static bool is_last(const struct table *table, int row) {
    for (int i = row + 1; i < ROWS; i++) {
        if (compare(table->rows[row], table->rows[i], table->parts) == 0) {
            return false;
        }
    }
    return true;
}

static void check_bounds(struct store_test *store, support_random *random, int kind,
                         const struct table *table) {
    struct part from[PARTS], to[PARTS];
    stoa_cell from_cells[PARTS], to_cells[PARTS];
    int64_t expected = 0;
    random_key(random, table, kind == 0, from);
    random_key(random, table, kind == 0, to);
    cells_of(from, table->parts, from_cells);
    cells_of(to, table->parts, to_cells);
    const uint64_t choices = (uint64_t)table->parts + 1;
    const stoa_state_scan_options options = {
        .from = from_cells,
        .from_count = (int32_t)support_random_below(random, choices),
        .to = to_cells,
        .to_count = (int32_t)support_random_below(random, choices),
        .to_included = support_random_bool(random),
        .reverse = support_random_bool(random),
    };
    for (int i = 0; i < ROWS; i++) {
        expected += is_last(table, i) && is_within(table->rows[i], from, options.from_count, to,
                                                   options.to_count, options.to_included);
    }
    assert_int_equal(scan(store, table, &options), expected);
    stoa_state_scan_options limited = options;
    limited.limit = 5;
    assert_int_equal(scan(store, table, &limited), expected < 5 ? expected : 5);
}

static void test_scans_give_the_rows_between_their_bounds(void **state) {
    support_random random = support_random_open("lsm.prop_state_scan");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct store_test store;
        struct table table;
        int64_t count;
        stoa_pool *pool = support_pool_open();
        store_test_begin(&store, pool);
        store.settings.no_background = true;
        store_test_open(&store);
        fill(&store, &random, round % TABLE_COUNT, &table, &count);
        assert_int_equal(scan(&store, &table, &(stoa_state_scan_options){0}), count);
        for (int i = 0; i < BOUNDS; i++) {
            check_bounds(&store, &random, round % TABLE_COUNT, &table);
        }
        stoa_state_close(table.state);
        store_test_end(&store);
        support_pool_close(pool);
    }
}

static void test_what_a_scan_cannot_do_is_told(void **state) {
    struct store_test store;
    struct ArrowArrayStream rows;
    const stoa_cell null = {.is_null = true};
    stoa_pool *pool = support_pool_open();
    stoa_error err;
    (void)state;
    store_test_begin(&store, pool);
    store_test_open(&store);
    assert_fails(stoa_state_scan(store.totals, &(stoa_state_scan_options){.columns = "nobody"},
                                 &rows, &err),
                 STOA_NOT_FOUND, "nobody", err);
    assert_fails(stoa_state_scan(store.totals, &(stoa_state_scan_options){.where = "total >"},
                                 &rows, &err),
                 STOA_INVALID, "", err);
    assert_fails(stoa_state_scan(store.totals,
                                 &(stoa_state_scan_options){.from = &null, .from_count = 1}, &rows,
                                 &err),
                 STOA_INVALID, "user", err);
    assert_fails(stoa_state_scan(store.totals,
                                 &(stoa_state_scan_options){.from = &null, .from_count = 2}, &rows,
                                 &err),
                 STOA_INVALID, "expected at most", err);
    store_test_end(&store);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scans_give_the_rows_between_their_bounds),
        cmocka_unit_test(test_what_a_scan_cannot_do_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
