/* Rows in log records: random rows of random schemas there and back, one row by either road, deletions,
 * bytes that are cut off or damaged. */
#include "arrow/array.h"
#include "base/bits.h"
#include "lsm/rows_codec.h"
#include "rows.h"

enum { ROUNDS = 150, COLUMNS_MAX = 9, TEXT_BYTES = 2048 };

struct world {
    stoa_pool *pool;
    support_random random;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout layout;
};

/* ---- Random schemas -------------------------------------------------------------------------- */

static void add_type(support_random *random, int depth, char *out) {
    static const char *const types[] =
        {"boolean", "int8",          "int16",          "int",      "long",
         "uint8",   "uint16",        "uint32",         "uint64",   "float",
         "double",  "decimal(9, 2)", "decimal(30, 4)", "date",     "time_ms",
         "time",    "timestamp",     "timestamp_ns",   "duration", "interval",
         "string",  "binary",        "fixed[3]",       "uuid",     "unknown"};
    char first[TEXT_BYTES], second[TEXT_BYTES];
    const uint64_t pick = support_random_below(random, depth > 0 ? 35 : 25);
    if (pick < 25) {
        strcpy(out, types[pick]);
        return;
    }
    add_type(random, depth - 1, first);
    add_type(random, depth - 1, second);
    if (pick < 29) {
        (void)snprintf(out, TEXT_BYTES, "list<%.900s>", first);
    } else if (pick < 31) {
        (void)snprintf(out, TEXT_BYTES, "map<string, %.900s>", first);
    } else {
        (void)snprintf(out, TEXT_BYTES, "struct<a: %.900s, b: %.900s>", first, second);
    }
}

/* Two columns of the key, of which one may be a text, and others. */
static void make_schema(struct world *world, int depth) {
    static const char *const keys[] = {"long",           "string",  "int8",
                                       "decimal(30, 4)", "boolean", "uuid"};
    const stoa_key_column columns[] = {{2, true}, {1, false}};
    char text[16 * TEXT_BYTES], type[TEXT_BYTES];
    stoa_error err;
    int length = snprintf(text, sizeof text, "k1 %s not null, k2 %s not null",
                          keys[support_random_below(&world->random, 6)],
                          keys[support_random_below(&world->random, 6)]);
    const int count = (int)support_random_below(&world->random, COLUMNS_MAX);
    for (int i = 0; i < count; i++) {
        add_type(&world->random, depth, type);
        const bool required = strcmp(type, "unknown") != 0 && support_random_bool(&world->random);
        length += snprintf(text + length, sizeof text - (size_t)length, ", c%d %s%s", i, type,
                           required ? " not null" : "");
    }
    assert_ok(stoa_schema_parse(world->pool, text, &world->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err), err);
    assert_ok(stoa_key_format_init(&world->key, world->schema, columns, 2, &err), err);
    stoa_arena_init(&world->arena, world->pool);
    assert_ok(stoa_stripe_layout_init(&world->layout, &world->arena, world->schema, &world->key,
                                      &err),
              err);
}

static void make_world(struct world *world, int depth, int64_t rows_max) {
    make_schema(world, depth);
    const struct rows_options options = {(int)support_random_below(&world->random, 4) * 25,
                                         support_random_below(&world->random, 3) * 7, 4, 12, false};
    rows_batch(support_random_u64(&world->random), world->schema, &options,
               (int64_t)support_random_below(&world->random, (uint64_t)rows_max + 1),
               &world->batch);
}

static void drop_world(struct world *world) {
    stoa_arrow_array_release(&world->batch);
    stoa_arrow_schema_release(&world->arrow);
    stoa_arena_release(&world->arena);
    stoa_schema_close(world->schema);
}

/* ---- There and back -------------------------------------------------------------------------- */

/* Of exactly the size that was said, in memory whose end a sanitizer guards. */
static uint8_t *encode(struct world *world, bool keys_only, const struct ArrowArray *batch,
                       int64_t first, int64_t count, size_t *out_size) {
    stoa_error err;
    assert_ok(stoa_rows_size(&world->layout, keys_only, batch, first, count, out_size, &err), err);
    uint8_t *bytes = rows_allocate(*out_size);
    memset(bytes, 0xA5, *out_size);
    assert_ptr_equal(stoa_rows_write(&world->layout, keys_only, batch, first, count, bytes),
                     bytes + *out_size);
    return bytes;
}

static void assert_columns(struct world *world, bool keys_only, const struct ArrowArray *expected,
                           const struct ArrowArray *found) {
    stoa_error err;
    assert_ok(stoa_arrow_validate(&world->arrow, found, STOA_ARROW_CHECK_LAYOUT, &err), err);
    assert_int_equal(found->length, expected->length);
    for (int32_t i = 0; i < world->schema->root.child_count; i++) {
        const stoa_field *field = &world->schema->root.children[i];
        if (!keys_only || world->layout.column_nodes[i] < 0) {
            struct ArrowArray column = *expected->children[i]; /* with the batch's offset in it */
            column.offset += expected->offset;
            column.length = expected->length;
            column.null_count = -1;
            assert_ok(stoa_arrow_compare(world->arrow.children[i], &column,
                                         world->arrow.children[i], found->children[i], &err),
                      err);
        } else if (!field->required) {
            assert_int_equal(stoa_arrow_null_count(world->arrow.children[i], found->children[i]),
                             found->length);
        }
    }
}

static void rows_come_back(void **state) {
    static struct world world;
    stoa_error err;
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_rows_codec rows");
    for (int round = 0; round < ROUNDS; round++) {
        make_world(&world, 3, round % 10 == 0 ? 3000 : 40);
        const int64_t length = world.batch.length;
        const int64_t first = (int64_t)support_random_below(&world.random, (uint64_t)length + 1);
        const int64_t count = (int64_t)support_random_below(&world.random,
                                                            (uint64_t)(length - first) + 1);
        struct ArrowArray view, found;
        rows_view(&world.batch, first, count, support_random_bool(&world.random), &view);
        for (int keys_only = 0; keys_only < 2; keys_only++) {
            size_t size, view_size;
            uint8_t *bytes = encode(&world, keys_only, &world.batch, first, count, &size);
            uint8_t *same = encode(&world, keys_only, &view, 0, count, &view_size);
            assert_int_equal(size, view_size);
            assert_memory_equal(bytes, same, size);
            assert_ok(stoa_rows_read(&world.layout, world.pool, keys_only, count, bytes, size,
                                     &found, &err),
                      err);
            assert_columns(&world, keys_only, &view, &found);
            stoa_arrow_array_release(&found);
            free(bytes);
            free(same);
        }
        stoa_arrow_array_release(&view);
        drop_world(&world);
    }
    support_pool_close(world.pool);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

static stoa_cell cell_at(const stoa_field *field, const struct ArrowArray *array, int64_t at) {
    const uint8_t *values = field->type.kind == STOA_TYPE_UNKNOWN ? NULL : array->buffers[1];
    const int width = stoa_stripe_type(&field->type).value_bytes;
    stoa_cell cell = {0};
    if (values == NULL ||
        (!field->required && array->buffers[0] != NULL && !stoa_bit_get(array->buffers[0], at))) {
        cell.is_null = true;
        cell.i = 77; /* not to be looked at */
        return cell;
    }
    switch (field->type.kind) {
    case STOA_TYPE_BOOLEAN: cell.i = stoa_bit_get(values, at); break;
    case STOA_TYPE_FLOAT: cell.f = (double)((const float *)(const void *)values)[at]; break;
    case STOA_TYPE_DOUBLE: cell.f = ((const double *)(const void *)values)[at]; break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: {
        const int32_t *offsets = (const int32_t *)(const void *)values;
        cell.bytes = (const uint8_t *)array->buffers[2] + offsets[at];
        cell.size = (size_t)(offsets[at + 1] - offsets[at]);
        break;
    }
    default:
        if (width == 1 || width == 2 || width == 4 || width == 8) {
            memcpy(&cell.i, values + at * width, (size_t)width);
        }
        cell.bytes = values + at * width;
        cell.size = (size_t)width;
    }
    return cell;
}

/* What is read is written the same; of less there is no row, and of other bytes none or another. */
static void check_row_read(struct world *world, bool keys_only, const uint8_t *bytes, size_t size) {
    stoa_cell cells[COLUMNS_MAX + 2];
    stoa_error err;
    assert_ok(stoa_row_read(&world->layout, keys_only, bytes, size, cells, &err), err);
    assert_int_equal(stoa_row_size(&world->layout, keys_only, cells), size);
    uint8_t *copy = rows_allocate(size);
    assert_ptr_equal(stoa_row_write(&world->layout, keys_only, cells, copy), copy + size);
    assert_memory_equal(copy, bytes, size);
    for (size_t i = 0; i < size; i++) {
        uint8_t *cut = rows_allocate(i); /* so that reading past its end is seen */
        memcpy(cut, bytes, i);
        assert_fails(stoa_row_read(&world->layout, keys_only, cut, i, cells, &err), STOA_CORRUPT,
                     "expected", err);
        free(cut);
        copy[i] = (uint8_t)support_random_u64(&world->random);
        const stoa_status status = stoa_row_read(&world->layout, keys_only, copy, size, cells,
                                                 &err);
        assert_true(status == STOA_OK || status == STOA_CORRUPT);
        copy[i] = bytes[i];
    }
    free(copy);
}

static void a_row_of_cells_is_a_batch_of_one(void **state) {
    static struct world world;
    stoa_cell cells[COLUMNS_MAX + 2];
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_rows_codec cells");
    for (int round = 0; round < ROUNDS; round++) {
        make_world(&world, 0, 30);
        for (int64_t row = 0; row < 2 * world.batch.length; row++) {
            const bool keys_only = row % 2 == 1;
            const int32_t count = keys_only ? 2 : world.schema->root.child_count;
            for (int32_t i = 0; i < count; i++) {
                const int32_t column = keys_only ? world.key.parts[i].column : i;
                const struct ArrowArray *array = world.batch.children[column];
                cells[i] = cell_at(&world.schema->root.children[column], array,
                                   array->offset + row / 2);
            }
            size_t size;
            uint8_t *bytes = encode(&world, keys_only, &world.batch, row / 2, 1, &size);
            assert_int_equal(stoa_row_size(&world.layout, keys_only, cells), size);
            uint8_t *found = rows_allocate(size);
            assert_ptr_equal(stoa_row_write(&world.layout, keys_only, cells, found), found + size);
            assert_memory_equal(found, bytes, size);
            check_row_read(&world, keys_only, bytes, size);
            free(found);
            free(bytes);
        }
        drop_world(&world);
    }
    support_pool_close(world.pool);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void read_damaged(struct world *world, bool keys_only, int64_t count, const uint8_t *bytes,
                         size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArray found;
    uint8_t *copy = rows_allocate(size); /* so that reading past its end is seen */
    memcpy(copy, bytes, size);
    const stoa_status status = stoa_rows_read(&world->layout, world->pool, keys_only, count, copy,
                                              size, &found, &err);
    free(copy);
    if (status == STOA_OK) {
        assert_ok(stoa_arrow_validate(&world->arrow, &found, STOA_ARROW_CHECK_LAYOUT, &err), err);
        stoa_arrow_array_release(&found);
        return;
    }
    assert_int_equal(status, STOA_CORRUPT);
    assert_null(found.release);
    assert_true(err.offset >= 0 && err.offset <= (int64_t)size);
}

static void damage_is_found_or_harmless(void **state) {
    static struct world world;
    stoa_error err;
    struct ArrowArray found;
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_rows_codec damage");
    for (int round = 0; round < ROUNDS; round++) {
        make_world(&world, 2, 20);
        size_t size;
        const bool keys_only = support_random_bool(&world.random);
        const int64_t count = world.batch.length;
        uint8_t *bytes = encode(&world, keys_only, &world.batch, 0, count, &size);
        for (size_t cut = 0; cut < size; cut += 1 + size / 50) {
            assert_fails(stoa_rows_read(&world.layout, world.pool, keys_only, count, bytes, cut,
                                        &found, &err),
                         STOA_CORRUPT, "expected", err);
            assert_null(found.release);
        }
        for (int i = 0; i < 60 && size > 0; i++) {
            const size_t at = (size_t)support_random_below(&world.random, size);
            const uint8_t before = bytes[at];
            bytes[at] = (uint8_t)support_random_u64(&world.random);
            read_damaged(&world, keys_only, count, bytes, size);
            bytes[at] = before;
        }
        read_damaged(&world, keys_only, count + 1, bytes, size);
        read_damaged(&world, keys_only, INT32_MAX, bytes, size);
        assert_fails(stoa_rows_read(&world.layout, world.pool, keys_only, INT64_MAX, bytes, size,
                                    &found, &err),
                     STOA_CORRUPT, "2^31 rows", err);
        free(bytes);
        drop_world(&world);
    }
    support_pool_close(world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(a_row_of_cells_is_a_batch_of_one),
        cmocka_unit_test(damage_is_found_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
