/* Rows of cells: what is refused, and that their keys are those of the same rows in a batch. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lsm/memtable.h"
#include "lsm/row_cells.h"
#include "table_rows.h"

static const char SCHEMA[] =
    "b boolean, i8 int8 not null, i16 int16, i int, l long, u8 uint8, u16 uint16 not null, "
    "u32 uint32, u64 uint64, f float, d double not null, dec decimal(20, 2), small decimal(4, 1), "
    "day date, t time_ms, t9 time_ns, ts timestamp, s string, bin binary not null, "
    "fix fixed(3), id uuid, nothing unknown";
enum { COLUMNS = 22 };

struct world {
    stoa_pool *pool;
    const stoa_schema *schema;
    stoa_arena arena;
    stoa_key_format key;
    stoa_stripe_layout layout;
};

static void world_open(struct world *world, const char *text, const stoa_key_column *columns,
                       int32_t count) {
    stoa_error err;
    world->pool = support_pool_open();
    assert_ok(stoa_schema_parse(world->pool, text, &world->schema, &err), err);
    assert_ok(stoa_key_format_init(&world->key, world->schema, columns, count, &err), err);
    stoa_arena_init(&world->arena, world->pool);
    assert_ok(stoa_stripe_layout_init(&world->layout, &world->arena, world->schema, &world->key,
                                      &err),
              err);
}

static void world_close(struct world *world) {
    stoa_arena_release(&world->arena);
    stoa_schema_close(world->schema);
    support_pool_close(world->pool);
}

static void refused(const struct world *world, const char *column, stoa_cell cell,
                    stoa_status status, const char *message) {
    const stoa_field *field = stoa_schema_column(world->schema, column);
    stoa_cell_rule rule;
    stoa_error err;
    assert_non_null(field);
    stoa_cell_rule_init(&rule, field);
    assert_fails(stoa_cell_rule_check(&rule, &cell, &err), status, message, err);
    assert_string_equal(err.column, column);
}

static void taken(const struct world *world, const char *column, stoa_cell cell) {
    stoa_cell_rule rule;
    stoa_error err;
    stoa_cell_rule_init(&rule, stoa_schema_column(world->schema, column));
    assert_ok(stoa_cell_rule_check(&rule, &cell, &err), err);
}

static void cells_are_checked(void **state) {
    struct world world;
    __int128 digits = 99999;
    (void)state;
    world_open(&world, SCHEMA, (const stoa_key_column[]){{2, false}}, 1);
    refused(&world, "i8", (stoa_cell){.is_null = true}, STOA_INVALID,
            "column 'i8': expected int8 but found null");
    refused(&world, "b", (stoa_cell){.i = 2}, STOA_INVALID,
            "column 'b': expected boolean but found 2");
    refused(&world, "i8", (stoa_cell){.i = 128}, STOA_INVALID,
            "column 'i8': expected int8 but found 128");
    refused(&world, "i", (stoa_cell){.i = INT64_MIN}, STOA_INVALID,
            "expected int but found -9223372036854775808");
    refused(&world, "u16", (stoa_cell){.i = -1}, STOA_INVALID,
            "column 'u16': expected uint16 but found -1");
    refused(&world, "t", (stoa_cell){.i = 86400000}, STOA_INVALID,
            "expected time_ms but found 86400000");
    refused(&world, "t9", (stoa_cell){.i = INT64_C(86400000000000)}, STOA_INVALID,
            "expected time_ns but found 86400000000000");
    refused(&world, "f", (stoa_cell){.f = DBL_MAX}, STOA_INVALID, "expected float but found 1.79");
    refused(&world, "dec", (stoa_cell){.bytes = "x", .size = 1}, STOA_INVALID,
            "column 'dec': expected the 16 bytes of a decimal(20, 2) but found 1");
    refused(&world, "small", (stoa_cell){.bytes = &digits, .size = 16}, STOA_INVALID,
            "column 'small': expected decimal(4, 1) but found more digits");
    refused(&world, "fix", (stoa_cell){.bytes = "abcd", .size = 4}, STOA_INVALID,
            "column 'fix': expected the 3 bytes of a fixed[3] but found 4");
    refused(&world, "s", (stoa_cell){.bytes = "ab\xff", .size = 3}, STOA_INVALID,
            "column 's': expected UTF-8 but found another byte at 2");
    refused(&world, "bin", (stoa_cell){.bytes = "", .size = (size_t)INT32_MAX + 1}, STOA_LIMIT,
            "expected at most 2147483647 bytes but found 2147483648");
    refused(&world, "nothing", (stoa_cell){.i = 1}, STOA_INVALID,
            "column 'nothing': expected null, which is all that the type has");
    taken(&world, "u64", (stoa_cell){.i = -1});
    taken(&world, "f", (stoa_cell){.f = HUGE_VAL});
    taken(&world, "bin", (stoa_cell){.bytes = "\xff", .size = 1});
    taken(&world, "s", (stoa_cell){0});
    taken(&world, "nothing", (stoa_cell){.is_null = true});
    digits = -9999;
    taken(&world, "small", (stoa_cell){.bytes = &digits, .size = 16});
    world_close(&world);
}

static void nested_columns_come_in_batches(void **state) {
    struct world world;
    stoa_memtable *table;
    stoa_error err;
    const stoa_cell cells[2] = {{.i = 1}, {.is_null = true}};
    (void)state;
    world_open(&world, "id long not null, tags list<string>", (const stoa_key_column[]){{1, false}},
               1);
    refused(&world, "tags", cells[0], STOA_UNSUPPORTED,
            "column 'tags': a cell of type list<string>: give it in a batch");
    assert_ok(stoa_memtable_create(world.pool, &world.layout, &table, &err), err);
    assert_fails(stoa_memtable_stage_row(table, cells, STOA_OPERATION_DELETE, 1, &err),
                 STOA_UNSUPPORTED, "column 'tags': rows of nested columns come in batches", err);
    assert_int_equal(stoa_memtable_row_count(table), 0);
    stoa_memtable_close(table);
    world_close(&world);
}

/* ---- Rows of every type ---------------------------------------------------------------------- */

struct row {
    stoa_cell cells[COLUMNS];
    char bytes[COLUMNS][48];
};

static int64_t random_between_bounds(support_random *random, const stoa_cell_rule *rule) {
    switch (support_random_below(random, 4)) {
    case 0: return rule->lower;
    case 1: return (int64_t)((uint64_t)rule->lower + rule->span);
    default: break;
    }
    const uint64_t any = support_random_u64(random);
    return (int64_t)((uint64_t)rule->lower +
                     (rule->span == UINT64_MAX ? any : any % (rule->span + 1)));
}

static double random_double(support_random *random) {
    static const double SOME[] = {0.0, -0.0, 1.5, -1.5, HUGE_VAL, -HUGE_VAL, 1e30, -1e-30};
    return SOME[support_random_below(random, sizeof SOME / sizeof *SOME)];
}

static int32_t column_count(const struct world *world) {
    return world->schema->root.child_count;
}

static void random_row(support_random *random, const struct world *world, struct row *out) {
    for (int32_t i = 0; i < column_count(world); i++) {
        stoa_cell *cell = &out->cells[i];
        stoa_cell_rule rule;
        __int128 decimal = support_random_between(random, -9999, 9999);
        stoa_cell_rule_init(&rule, &world->schema->root.children[i]);
        *cell = (stoa_cell){.is_null = rule.class == STOA_CELL_NULL ||
                                       (!rule.required && support_random_below(random, 4) == 0)};
        if (cell->is_null) {
            continue;
        }
        cell->i = rule.class == STOA_CELL_WHOLE ? random_between_bounds(random, &rule) : 0;
        cell->f = rule.class == STOA_CELL_FLOAT || rule.class == STOA_CELL_DOUBLE
                      ? random_double(random)
                      : 0;
        if (rule.class >= STOA_CELL_DECIMAL) {
            const bool is_text = rule.class >= STOA_CELL_STRING;
            cell->size = is_text ? support_random_below(random, 48) : rule.size;
            for (size_t at = 0; at < sizeof out->bytes[i]; at++) {
                out->bytes[i][at] = (char)support_random_below(random, is_text ? 3 : 256);
            }
            if (rule.class == STOA_CELL_DECIMAL) {
                memcpy(out->bytes[i], &decimal, sizeof decimal);
            }
            cell->bytes = out->bytes[i];
        }
    }
}

static void check_cell(const stoa_cell *found, const stoa_cell *expected) {
    assert_int_equal(found->is_null, expected->is_null);
    if (!expected->is_null) {
        assert_int_equal(found->i, expected->i);
        assert_true(found->f == expected->f || found->f == (double)(float)expected->f);
        assert_int_equal(found->size, expected->size);
        assert_true(expected->size == 0 ||
                    memcmp(found->bytes, expected->bytes, expected->size) == 0);
    }
}

static void check_row(const struct world *world, stoa_memtable *table, const struct row *expected,
                      uint64_t sequence) {
    stoa_memtable_row row;
    stoa_buffer key;
    stoa_keys keys;
    stoa_cell cells[COLUMNS];
    stoa_error err;
    uint8_t number[8];
    size_t size;
    stoa_buffer_init(&key, world->pool);
    stoa_keys_init(&keys, world->pool);
    assert_ok(stoa_cells_key(&world->key, expected->cells, false, world->key.part_count, &key,
                             &err),
              err);
    assert_ok(stoa_memtable_get(table, key.data, key.size, sequence, &row, &err), err);
    assert_non_null(row.piece);
    assert_int_equal(stoa_memtable_sequence(&row), sequence);
    stoa_memtable_cells(table, &row, NULL, column_count(world), cells);
    for (int32_t i = 0; i < column_count(world); i++) {
        check_cell(&cells[i], &expected->cells[i]);
    }
    /* The key that its batch would have. */
    assert_ok(stoa_keys_append(&world->key, &row.piece->batch, row.row, 1, &keys, &err), err);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    const uint8_t *bytes = stoa_keys_bytes(&world->key, &view, 0, number, &size);
    assert_int_equal(size, key.size);
    assert_memory_equal(bytes, key.data, size);
    stoa_keys_release(&keys);
    stoa_buffer_release(&key);
}

/* Refused for its last required column, when those before it were looked at. */
static void refuse_row(const struct world *world, stoa_memtable *table, const struct row *row) {
    struct row bad = *row;
    int32_t last = column_count(world) - 1;
    stoa_error err;
    while (!world->schema->root.children[last].required) {
        last--;
    }
    bad.cells[last].is_null = true;
    assert_fails(stoa_memtable_stage_row(table, bad.cells, STOA_OPERATION_PUT, 1, &err),
                 STOA_INVALID, "but found null", err);
    stoa_memtable_discard(table);
}

static void rows_come_back(const char *schema, const stoa_key_column *columns, int32_t count) {
    enum { ROWS = 300 };
    static struct row rows[ROWS];
    support_random random = support_random_open("lsm.row_cells");
    struct world world;
    stoa_memtable *table;
    stoa_error err;
    world_open(&world, schema, columns, count);
    assert_ok(stoa_memtable_create(world.pool, &world.layout, &table, &err), err);
    for (int i = 0; i < ROWS; i++) {
        random_row(&random, &world, &rows[i]);
        refuse_row(&world, table, &rows[i]);
        assert_ok(stoa_memtable_stage_row(table, rows[i].cells, STOA_OPERATION_MERGE,
                                          (uint64_t)i * 3 + 1, &err),
                  err);
        stoa_memtable_publish(table);
        for (int back = 0; back < 3 && back <= i; back++) {
            check_row(&world, table, &rows[i - back], (uint64_t)(i - back) * 3 + 1);
        }
    }
    for (int i = 0; i < ROWS; i++) {
        check_row(&world, table, &rows[i], (uint64_t)i * 3 + 1);
    }
    stoa_memtable_close(table);
    world_close(&world);
}

static void rows_of_every_type(void **state) {
    (void)state;
    rows_come_back(SCHEMA, (const stoa_key_column[]){{2, false}}, 1);
    rows_come_back(SCHEMA, (const stoa_key_column[]){{7, true}, {2, false}}, 2);
    rows_come_back(SCHEMA, (const stoa_key_column[]){{11, false}}, 1);
    rows_come_back(SCHEMA, (const stoa_key_column[]){{19, true}, {11, true}}, 2);
    rows_come_back(SCHEMA, (const stoa_key_column[]){{2, true}, {19, false}}, 2);
    rows_come_back("id long not null, b boolean not null, i8 int8 not null, u16 uint16 not null, "
                   "day date not null, f float not null, dec decimal(20, 2) not null, "
                   "fix fixed[3] not null, u uuid not null, d double not null",
                   (const stoa_key_column[]){{1, false}}, 1);
}

/* One long text does not make all that come after it take as much. */
static void long_texts(void **state) {
    enum { LONG_BYTES = 3 << 20, ROWS = 1000 };
    struct world world;
    stoa_memtable *table;
    stoa_memtable_row row;
    stoa_error err;
    (void)state;
    world_open(&world, "id string not null, text string", (const stoa_key_column[]){{1, false}}, 1);
    assert_ok(stoa_memtable_create(world.pool, &world.layout, &table, &err), err);
    char *text = malloc(LONG_BYTES);
    memset(text, 'x', LONG_BYTES);
    for (int i = 0; i < ROWS; i++) {
        const stoa_cell cells[2] = {{.bytes = "a", .size = i % 2 == 0 ? 1 : 0},
                                    {.bytes = text, .size = i % 100 == 7 ? LONG_BYTES : 10}};
        const stoa_cell key = {.bytes = "a", .size = 1};
        const bool is_key = i % 100 == 50;
        assert_ok(stoa_memtable_stage_row(table, is_key ? &key : cells,
                                          is_key ? STOA_OPERATION_DELETE : STOA_OPERATION_PUT,
                                          (uint64_t)i + 1, &err),
                  err);
        stoa_memtable_publish(table);
    }
    assert_true(stoa_memtable_bytes(table) < 10 * (LONG_BYTES + (size_t)(8 << 20)));
    assert_ok(stoa_memtable_get(table, (const uint8_t *)"", 0, UINT64_MAX, &row, &err), err);
    assert_int_equal(stoa_memtable_sequence(&row), ROWS);
    free(text);
    stoa_memtable_close(table);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_checked),
        cmocka_unit_test(nested_columns_come_in_batches),
        cmocka_unit_test(rows_of_every_type),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
