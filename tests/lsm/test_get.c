/* Gets: what rows refuse, nested columns, failures of memory and files on the way. */
#include "lsm/get.h"

#include "arrow/array.h"
#include "base/bits.h"
#include "lsm/cell.h"
#include "lsm/key_cells.h"
#include "rows.h"
#include "view_history.h"

enum { NESTED_ROWS = 50 };

static void rows_have_no_nested_columns(void **state) {
    const stoa_state_table_options options = {.key = "k"};
    const stoa_schema *schema;
    stoa_definition *definition;
    stoa_row *row;
    stoa_error err;
    stoa_pool *pool = support_pool_open();
    (void)state;
    assert_ok(stoa_schema_parse(pool, "k long not null, v int, l list<int>", &schema, &err), err);
    assert_ok(stoa_definition_create(pool, schema, &options, &definition, &err), err);
    assert_fails(stoa_row_create_for(pool, definition, NULL, 0, &row, &err), STOA_UNSUPPORTED,
                 "column 'l'", err);
    assert_ok(stoa_row_create_for(pool, definition, (const int32_t[]){1, 0}, 2, &row, &err), err);
    stoa_row_close(row);
    stoa_definition_release(definition);
    stoa_schema_close(schema);
    support_pool_close(pool);
}

static void rows_belong_to_a_definition(void **state) {
    const stoa_state_table_options options = {.key = "id"};
    support_random random = support_random_open("lsm.test_get");
    struct history history;
    stoa_definition *other;
    stoa_row *row;
    stoa_error err;
    bool found;
    (void)state;
    history_open(&random, 0, &history);
    const stoa_view_reading reading = {.view = history.view, .snapshot = UINT64_MAX};
    assert_ok(stoa_definition_create(history.world.pool, history.schema, &options, &other, &err),
              err);
    assert_ok(stoa_row_create_for(history.world.pool, other, NULL, 0, &row, &err), err);
    assert_fails(stoa_view_get(&reading, history.keys[0].data, history.keys[0].size, row, &found,
                               &err),
                 STOA_INVALID, "has changed", err);
    assert_false(found);
    stoa_row_close(row);
    stoa_definition_release(other);
    history_close(&history);
}

/* Cells point into what the view has, which the row keeps. */
static void rows_keep_what_they_point_to(void **state) {
    support_random random = {7};
    struct history history;
    stoa_row *row;
    stoa_error err;
    bool found = false;
    struct history_row expected = {0};
    int32_t id = -1;
    (void)state;
    history_open(&random, 1, &history);
    assert_ok(stoa_row_create_for(history.world.pool, history.definition, NULL, 0, &row, &err),
              err);
    const stoa_view_reading reading = {.view = history.view, .snapshot = UINT64_MAX};
    for (int32_t i = 0; i < HISTORY_KEYS && !found; i++) {
        history_look(&history, i, UINT64_MAX, 0, &expected);
        assert_ok(stoa_view_get(&reading, history.keys[i].data, history.keys[i].size, row, &found,
                                &err),
                  err);
        id = i;
    }
    stoa_state_view_release(history.view);
    history.view = NULL;
    assert_true(found);
    const stoa_cell *cells = stoa_row_cells(row);
    assert_int_equal(cells[1].i, id);
    assert_memory_equal(cells[0].bytes, "name/", 5);
    assert_int_equal(cells[3].is_null, !expected.has_text);
    if (expected.has_text) {
        assert_memory_equal(cells[3].bytes, expected.text, cells[3].size);
    }
    stoa_row_close(row);
    history_close(&history);
}

/* ---- Nested columns -------------------------------------------------------------------------- */

struct nested {
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    stoa_definition *definition;
    stoa_version *version;
    stoa_memtable *memtable;
    stoa_state_view *view;
    struct ArrowArray batch;
    stoa_keys keys;
};

static void nested_open(stoa_pool *pool, struct nested *nested) {
    const stoa_state_table_options options = {.key = "k", .merge = "l union"};
    const struct rows_options rows = {25, 5, 4, 12, false};
    struct ArrowArray copy;
    stoa_error err;
    assert_ok(stoa_schema_parse(pool,
                                "k long not null, l list<int>, m map<string, int>, "
                                "s struct<a: int, b: list<string>> not null, v string",
                                &nested->schema, &err),
              err);
    assert_ok(stoa_schema_to_arrow(pool, nested->schema, &nested->arrow, &err), err);
    assert_ok(stoa_definition_create(pool, nested->schema, &options, &nested->definition, &err),
              err);
    rows_batch(7, nested->schema, &rows, NESTED_ROWS, &nested->batch);
    for (int64_t i = 0; i < NESTED_ROWS; i++) {
        const int64_t key = i * 3;
        memcpy((uint8_t *)(uintptr_t)nested->batch.children[0]->buffers[1] +
                   (size_t)(nested->batch.children[0]->offset + i) * sizeof key,
               &key, sizeof key);
    }
    stoa_keys_init(&nested->keys, pool);
    assert_ok(stoa_keys_append(&nested->definition->key, &nested->batch, 0, NESTED_ROWS,
                               &nested->keys, &err),
              err);
    assert_ok(stoa_memtable_create(pool, &nested->definition->layout, &nested->memtable, &err),
              err);
    const struct ArrowArray *part = &nested->batch;
    assert_ok(stoa_arrow_concat(pool, &nested->arrow, &part, 1, &copy, &err), err);
    assert_ok(stoa_memtable_append(nested->memtable, &copy, STOA_OPERATION_PUT, 1, &err), err);
    assert_ok(stoa_version_create(pool, &nested->version, &err), err);
    assert_ok(stoa_state_view_create(pool, nested->definition, nested->version, &nested->view,
                                     &err),
              err);
    stoa_state_view_add(nested->view, nested->memtable);
}

static void nested_close(struct nested *nested) {
    stoa_keys_release(&nested->keys);
    stoa_arrow_array_release(&nested->batch);
    stoa_state_view_release(nested->view);
    stoa_version_release(nested->version);
    stoa_memtable_close(nested->memtable);
    stoa_definition_release(nested->definition);
    stoa_arrow_schema_release(&nested->arrow);
    stoa_schema_close(nested->schema);
}

static void many_keys_have_nested_columns(void **state) {
    struct nested nested;
    struct ArrowArray out, expected;
    stoa_error err;
    uint8_t found[NESTED_ROWS / 8 + 1];
    int64_t indices[NESTED_ROWS];
    stoa_pool *pool = support_pool_open();
    (void)state;
    nested_open(pool, &nested);
    for (int64_t i = 0; i < NESTED_ROWS; i++) {
        uint64_t *numbers = (uint64_t *)(void *)nested.keys.numbers.data;
        indices[i] = i % 7 == 3 ? -1 : i;
        numbers[i] = i % 7 == 3 ? 12345 : numbers[i];
    }
    const stoa_keys_view keys = stoa_keys_view_of(&nested.keys);
    const stoa_view_reading reading = {.view = nested.view, .snapshot = UINT64_MAX};
    const stoa_many_keys wanted = {&keys, (const int32_t[]){4, 3, 2, 1}, 4};
    assert_ok(stoa_view_get_many(&reading, pool, &wanted, &out, found, &err), err);
    for (int32_t c = 0; c < 4; c++) {
        const struct ArrowSchema *type = nested.arrow.children[wanted.columns[c]];
        assert_ok(stoa_arrow_take(pool, type, nested.batch.children[wanted.columns[c]], indices,
                                  NESTED_ROWS, &expected, &err),
                  err);
        assert_ok(stoa_arrow_compare(type, &expected, type, out.children[c], &err), err);
        stoa_arrow_array_release(&expected);
    }
    for (int64_t i = 0; i < NESTED_ROWS; i++) {
        assert_int_equal(stoa_bit_get(found, i), indices[i] >= 0);
    }
    stoa_arrow_array_release(&out);
    nested_close(&nested);
    support_pool_close(pool);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

/* Gets of all keys, one by one and together; the view is not what fails. */
static stoa_status get_all(support_world *world, void *user, stoa_error *err) {
    const struct history *history = user;
    const stoa_view_reading reading = {.view = history->view, .snapshot = UINT64_MAX};
    stoa_status status = STOA_OK;
    stoa_row *row = NULL;
    STOA_CHECK(stoa_row_create_for(world->pool, history->definition, NULL, 0, &row, err));
    for (int32_t id = 0; id < HISTORY_KEYS; id += 7) {
        bool found;
        STOA_CHECK(stoa_view_get(&reading, history->keys[id].data, history->keys[id].size, row,
                                 &found, err));
    }
    for (int32_t id = 0; id < HISTORY_KEYS; id += 50) {
        const uint32_t offsets[2] = {0, (uint32_t)history->keys[id].size};
        const stoa_keys_view keys = {.count = 1,
                                     .bytes = history->keys[id].data,
                                     .offsets = offsets};
        const stoa_many_keys wanted = {.keys = &keys};
        struct ArrowArray out;
        uint8_t found;
        STOA_CHECK(stoa_view_get_many(&reading, world->pool, &wanted, &out, &found, err));
        stoa_arrow_array_release(&out);
    }

done:
    stoa_row_close(row);
    return status;
}

static void faults_are_told(void **state) {
    support_random random = {42};
    struct history history;
    (void)state;
    history_open(&random, 1, &history);
    assert_true(support_fail_each_allocation(NULL, get_all, NULL, &history) > 10);
    history_close(&history);
}

/* The key of an empty text is no bytes, which a buffer that was never filled has at no address. */
static void empty_keys_have_cells(void **state) {
    const stoa_state_table_options options = {.key = "k"};
    const int32_t columns[] = {0};
    const stoa_schema *schema;
    stoa_definition *definition;
    stoa_cell cell = {.is_null = true};
    stoa_cell_storage storage;
    stoa_buffer bytes;
    stoa_error err;
    stoa_pool *pool = support_pool_open();
    (void)state;
    stoa_buffer_init(&bytes, pool);
    assert_ok(stoa_schema_parse(pool, "k string not null, v int", &schema, &err), err);
    assert_ok(stoa_definition_create(pool, schema, &options, &definition, &err), err);
    assert_ok(stoa_key_cells(&definition->key, NULL, 0, columns, 1, &cell, &storage, &bytes, &err),
              err);
    assert_false(cell.is_null);
    assert_int_equal(cell.size, 0);
    stoa_buffer_release(&bytes);
    stoa_definition_release(definition);
    stoa_schema_close(schema);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_no_nested_columns),
        cmocka_unit_test(rows_belong_to_a_definition),
        cmocka_unit_test(rows_keep_what_they_point_to),
        cmocka_unit_test(many_keys_have_nested_columns),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(empty_keys_have_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
