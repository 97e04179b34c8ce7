/* Stripes of one schema read under a later one: random schemas, random legal changes of fields at any
 * depth, every row against the row that was written, looked up by field ids; changes that are refused. */
#include "arrow/array.h"
#include "base/bits.h"
#include "lsm/key_kernel.h"
#include "lsm/stripe_read.h"
#include "rows.h"
#include "schema/schema.h"

enum { ROUNDS = 150, SEGMENTS_MAX = 96, FIELDS_MAX = 64 };

static const char *const SCHEMAS[] = {
    "k long not null, a int, b int8 not null, c string, d float, e boolean, f decimal(9, 3), g uuid, "
    "h uint16, i uint8 not null, j timestamp, l double",
    "k string not null, a list<int>, b map<string, float>, c struct<x: int8, y: list<string>, z: "
    "decimal(12, 2)>, d unknown",
    "k int not null, a list<list<struct<p: decimal(9, 2), q: binary, r: uint8>>>, b unknown, "
    "c struct<x: struct<y: float, z: int>> not null, d interval, e fixed[5], g uint64",
};

struct world {
    stoa_pool *pool;
    support_random random;
    const stoa_schema *old;
    const stoa_schema *present;
    stoa_key_format old_key;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout old_layout;
    stoa_stripe_layout layout;
    stoa_stripe_schema mapping;
    struct ArrowArray batch;
    stoa_buffer bytes;
    stoa_stripe_part parts[SEGMENTS_MAX];
    stoa_stripe_slot slots[SEGMENTS_MAX];
    stoa_stripe stripe;
    int32_t next_id;
};

static uint64_t below(struct world *world, uint64_t bound) {
    return support_random_below(&world->random, bound);
}

static void *allocate(struct world *world, size_t size) {
    stoa_error err;
    void *memory = NULL;
    assert_ok(stoa_arena_allocate_array(&world->arena, size, 1, &memory, &err), err);
    return memory;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void widen(struct world *world, stoa_type *type) {
    const bool is_double = below(world, 3) == 0;
    switch (type->kind) {
    case STOA_TYPE_INT8: type->kind = is_double ? STOA_TYPE_FLOAT : STOA_TYPE_INT16; break;
    case STOA_TYPE_UINT8: type->kind = is_double ? STOA_TYPE_INT16 : STOA_TYPE_UINT64; break;
    case STOA_TYPE_UINT16: type->kind = is_double ? STOA_TYPE_DOUBLE : STOA_TYPE_UINT32; break;
    case STOA_TYPE_INT: type->kind = is_double ? STOA_TYPE_DOUBLE : STOA_TYPE_LONG; break;
    case STOA_TYPE_FLOAT: type->kind = STOA_TYPE_DOUBLE; break;
    case STOA_TYPE_DECIMAL:
        type->precision += 10 + (int32_t)below(world, 10);
        type->scale += is_double ? 4 : 0;
        break;
    case STOA_TYPE_UNKNOWN: type->kind = is_double ? STOA_TYPE_DATE : STOA_TYPE_STRING; break;
    default: break;
    }
}

static stoa_field new_field(struct world *world) {
    static const stoa_type_kind kinds[] = {STOA_TYPE_INT, STOA_TYPE_STRING, STOA_TYPE_BOOLEAN,
                                           STOA_TYPE_DOUBLE, STOA_TYPE_UNKNOWN};
    char *name = allocate(world, 16);
    stoa_field field = {.id = ++world->next_id,
                        .name = name,
                        .type = {.kind = kinds[below(world, 5)]}};
    (void)snprintf(name, 16, "n%d", (int)field.id);
    if (below(world, 4) == 0) {
        stoa_field *children = allocate(world, sizeof *children);
        *children = new_field(world);
        field.type = (stoa_type){.kind = STOA_TYPE_STRUCT, .child_count = 1, .children = children};
    }
    return field;
}

static void change_type(struct world *world, stoa_type *type);

/* Fields renamed, no longer required, changed within; `keeps` is how many stay in any case. */
static int32_t change_fields(struct world *world, const stoa_field *fields, int32_t count,
                             int32_t keeps, stoa_field *out) {
    int32_t made = 0;
    for (int32_t i = 0; i < count; i++) {
        if (i >= keeps && below(world, 6) == 0) {
            continue;
        }
        out[made] = fields[i];
        if (below(world, 3) == 0) {
            char *name = allocate(world, 16);
            (void)snprintf(name, 16, "r%d", (int)fields[i].id);
            out[made].name = name;
        }
        if (i > 0 || keeps == 0) {
            out[made].required = fields[i].required && below(world, 2) == 0;
            change_type(world, &out[made].type);
        }
        made++;
    }
    for (uint64_t i = below(world, 3); i > 0 || made == 0; i -= i > 0) {
        out[made++] = new_field(world);
    }
    for (int32_t i = made - 1; i > 0; i--) { /* any order */
        const int32_t other = (int32_t)below(world, (uint64_t)i + 1);
        const stoa_field field = out[i];
        out[i] = out[other];
        out[other] = field;
    }
    return made;
}

static void change_type(struct world *world, stoa_type *type) {
    if (type->child_count == 0) {
        if (below(world, 2) == 0) {
            widen(world, type);
        }
        return;
    }
    stoa_field *children = allocate(world, FIELDS_MAX * sizeof *children);
    if (type->kind == STOA_TYPE_STRUCT) {
        type->child_count = change_fields(world, type->children, type->child_count, 0, children);
    } else {
        for (int32_t i = 0; i < type->child_count; i++) {
            children[i] = type->children[i];
            if (type->kind == STOA_TYPE_LIST || i > 0) {
                change_type(world, &children[i].type);
            }
        }
    }
    type->children = children;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void encode(struct world *world, int64_t count) {
    stoa_error err;
    stoa_stripe_encoder *encoder;
    stoa_keys keys;
    uint64_t *numbers = rows_allocate((size_t)count * sizeof *numbers);
    uint8_t *operations = rows_allocate((size_t)count);
    stoa_keys_init(&keys, world->pool);
    assert_ok(stoa_buffer_append(&keys.offsets, &(uint32_t){0}, 4, &err), err);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t end = i + 1;
        numbers[i] = i;
        assert_ok(stoa_buffer_append_byte(&keys.bytes, (uint8_t)(i / 32), &err), err);
        assert_ok(stoa_buffer_append(&keys.offsets, &end, sizeof end, &err), err);
    }
    stoa_keys_view view = stoa_keys_view_of(&keys);
    view.count = count;
    view.numbers = numbers;
    const stoa_stripe_rows rows = {&view, 0, numbers, operations, &world->batch, 0, count};
    stoa_buffer_clear(&world->bytes);
    assert_ok(stoa_stripe_encoder_create(world->pool, &world->old_layout, STOA_COMPRESSION_NONE,
                                         &encoder, &err),
              err);
    assert_ok(stoa_stripe_encode(encoder, &rows, &world->bytes, world->parts,
                                 &world->stripe.prefix_size, &err),
              err);
    stoa_stripe_encoder_close(encoder);
    stoa_keys_release(&keys);
    free(numbers);
    free(operations);
}

static void open_round(struct world *world, int round) {
    static const stoa_key_column columns[] = {{1, false}};
    stoa_error err;
    stoa_field fields[FIELDS_MAX];
    stoa_arena_init(&world->arena, world->pool);
    assert_ok(stoa_schema_parse(world->pool, SCHEMAS[round % 3], &world->old, &err), err);
    world->next_id = world->old->field_id_max;
    const int32_t count = change_fields(world, world->old->root.children,
                                        world->old->root.child_count, 1, fields);
    assert_ok(stoa_schema_create_version(world->pool, fields, count, 2, world->next_id,
                                         &world->present, &err),
              err);
    assert_ok(stoa_key_format_init(&world->old_key, world->old, columns, 1, &err), err);
    assert_ok(stoa_key_format_init(&world->key, world->present, columns, 1, &err), err);
    assert_ok(stoa_stripe_layout_init(&world->old_layout, &world->arena, world->old,
                                      &world->old_key, &err),
              err);
    assert_ok(stoa_stripe_layout_init(&world->layout, &world->arena, world->present, &world->key,
                                      &err),
              err);
    assert_true(world->old_layout.segment_count <= SEGMENTS_MAX);
    const struct rows_options options = {(int)below(world, 4) * 25, below(world, 3) * 7, 4, 12,
                                         below(world, 2) == 0};
    const int64_t rows = 1 + (int64_t)below(world, 300);
    rows_batch(support_random_u64(&world->random), world->old, &options, rows, &world->batch);
    encode(world, rows);
    assert_ok(stoa_stripe_schema_init(&world->mapping, world->pool, &world->layout, world->old,
                                      &err),
              err);
    memset(world->slots, 0, sizeof world->slots);
    world->stripe = (stoa_stripe){.layout = &world->mapping.file,
                                  .schema = &world->mapping,
                                  .bytes = world->bytes.data,
                                  .parts = world->parts,
                                  .slots = world->slots,
                                  .row_count = (uint32_t)rows};
}

static void close_round(struct world *world) {
    stoa_arrow_array_release(&world->batch);
    stoa_stripe_schema_release(&world->mapping);
    stoa_arena_release(&world->arena);
    stoa_schema_close(world->present);
    stoa_schema_close(world->old);
}

/* ---- What is expected ------------------------------------------------------------------------ */

static bool is_null(const struct ArrowArray *array, int64_t row) {
    return array->n_buffers == 0 || (array->null_count != 0 && array->buffers[0] != NULL &&
                                     !stoa_bit_get(array->buffers[0], array->offset + row));
}

static const stoa_field *find_field(const stoa_type *type, int32_t id, int32_t *out_position) {
    for (int32_t i = 0; type != NULL && i < type->child_count; i++) {
        if (type->children[i].id == id) {
            *out_position = i;
            return &type->children[i];
        }
    }
    return NULL;
}

static void check_leaf(const stoa_type *to, const struct ArrowArray *found, int64_t row,
                       const stoa_type *from, const struct ArrowArray *source, int64_t source_row) {
    stoa_value value, written;
    if (to->kind == STOA_TYPE_INTERVAL) {
        const uint8_t *values = found->buffers[1], *others = source->buffers[1];
        assert_memory_equal(values + 16 * (found->offset + row),
                            others + 16 * (source->offset + source_row), 16);
        return;
    }
    stoa_value_from_array(to, found, row, &value);
    stoa_value_from_array(from, source, source_row, &written);
    if (to->kind == STOA_TYPE_FLOAT || to->kind == STOA_TYPE_DOUBLE) {
        const bool was_float = from->kind == STOA_TYPE_FLOAT || from->kind == STOA_TYPE_DOUBLE;
        const double expected = was_float ? written.f : (double)written.i;
        assert_true(isnan(expected) ? isnan(value.f) : value.f == expected);
        assert_int_equal(signbit(expected), signbit(value.f));
    } else if (to->kind == STOA_TYPE_DECIMAL) {
        __int128 expected = written.decimal;
        for (int32_t i = from->scale; i < to->scale; i++) {
            expected *= 10;
        }
        assert_true(value.decimal == expected);
    } else if (value.bytes != NULL || written.bytes != NULL) {
        assert_int_equal(value.size, written.size);
        assert_true(value.size == 0 || memcmp(value.bytes, written.bytes, value.size) == 0);
    } else {
        assert_int_equal(value.i, written.i);
    }
}

static void check_value(const stoa_field *to, const struct ArrowArray *found, int64_t row,
                        const stoa_field *from, const struct ArrowArray *source,
                        int64_t source_row);

static void check_items(const stoa_field *to, const struct ArrowArray *found, int64_t row,
                        const stoa_field *from, const struct ArrowArray *source,
                        int64_t source_row) {
    const int32_t *ends = (const int32_t *)found->buffers[1] + found->offset + row;
    const int32_t *others = (const int32_t *)source->buffers[1] + source->offset + source_row;
    const struct ArrowArray *items = found->children[0], *written = source->children[0];
    assert_int_equal(ends[1] - ends[0], others[1] - others[0]);
    for (int32_t i = 0; i < ends[1] - ends[0]; i++) {
        for (int32_t child = 0; child < to->type.child_count; child++) {
            const bool is_map = to->type.kind == STOA_TYPE_MAP;
            check_value(&to->type.children[child], is_map ? items->children[child] : items,
                        ends[0] + i + (is_map ? items->offset : 0), &from->type.children[child],
                        is_map ? written->children[child] : written,
                        others[0] + i + (is_map ? written->offset : 0));
        }
    }
}

/* `from` NULL: there was no such field. */
static void check_value(const stoa_field *to, const struct ArrowArray *found, int64_t row,
                        const stoa_field *from, const struct ArrowArray *source,
                        int64_t source_row) {
    const bool was_null = from == NULL || is_null(source, source_row);
    assert_int_equal(is_null(found, row), was_null);
    if (was_null) {
        return;
    }
    if (to->type.kind == STOA_TYPE_LIST || to->type.kind == STOA_TYPE_MAP) {
        check_items(to, found, row, from, source, source_row);
        return;
    }
    if (to->type.kind != STOA_TYPE_STRUCT) {
        check_leaf(&to->type, found, row, &from->type, source, source_row);
        return;
    }
    for (int32_t i = 0; i < to->type.child_count; i++) {
        int32_t position = 0;
        const stoa_field *child = find_field(&from->type, to->type.children[i].id, &position);
        check_value(&to->type.children[i], found->children[i], found->offset + row, child,
                    child == NULL ? NULL : source->children[position], source->offset + source_row);
    }
}

static void check_column(struct world *world, int32_t column,
                         const stoa_stripe_selection *selection) {
    stoa_error err;
    struct ArrowArray found;
    struct ArrowSchema arrow;
    int32_t position = 0;
    const stoa_field *field = &world->present->root.children[column];
    const stoa_field *from = find_field(&world->old->root, field->id, &position);
    assert_ok(stoa_stripe_column(&world->stripe, world->pool, column, selection, &found, &err),
              err);
    assert_ok(stoa_field_to_arrow(world->pool, field, &arrow, &err), err);
    assert_ok(stoa_arrow_validate(&arrow, &found, STOA_ARROW_CHECK_LAYOUT, &err), err);
    assert_int_equal(found.length, selection->count);
    for (int64_t i = 0; i < selection->count; i++) {
        const int64_t row = selection->rows != NULL ? selection->rows[i] : selection->first + i;
        check_value(field, &found, i, from, from == NULL ? NULL : world->batch.children[position],
                    world->batch.offset + row);
    }
    stoa_arrow_schema_release(&arrow);
    stoa_arrow_array_release(&found);
}

/* Leaves select as on the rows that were read, or say that they do not apply. */
static void check_select(struct world *world, int32_t column) {
    stoa_error err;
    const stoa_field *field = &world->present->root.children[column];
    const stoa_stripe_selection all = {NULL, 0, world->stripe.row_count};
    const bool is_leaf = field->type.child_count == 0 && field->type.kind != STOA_TYPE_INTERVAL;
    uint8_t bits[STOA_STRIPE_ROWS / 8], expected[STOA_STRIPE_ROWS / 8];
    struct ArrowArray read = {0}, *columns[1] = {&read};
    const void *no_buffers[1] = {NULL};
    stoa_value value;
    bool is_applied;
    assert_ok(stoa_stripe_column(&world->stripe, world->pool, column, &all, &read, &err), err);
    const struct ArrowArray batch = {.length = read.length,
                                     .n_buffers = 1,
                                     .buffers = no_buffers,
                                     .n_children = 1,
                                     .children = columns};
    const stoa_schema schema = {
        .root = {.kind = STOA_TYPE_STRUCT, .child_count = 1, .children = field}};
    stoa_predicate leaf = {.kind = STOA_PREDICATE_IS_NULL, .field_id = field->id, .values = &value};
    for (int i = 0; i < (is_leaf ? 6 : 2); i++) {
        if (i > 1) {
            stoa_value_from_array(&field->type, &read, (int64_t)below(world, (uint64_t)read.length),
                                  &value);
        }
        leaf.value_count = i > 1;
        leaf.kind = i == 0   ? STOA_PREDICATE_IS_NULL
                    : i == 1 ? STOA_PREDICATE_IS_NOT_NULL
                             : (stoa_predicate_kind)(STOA_PREDICATE_EQUAL + i - 2);
        assert_ok(stoa_stripe_select(&world->stripe, world->pool, column, &leaf, bits, &is_applied,
                                     &err),
                  err);
        assert_true(is_applied || i > 1 || field->type.kind == STOA_TYPE_UNKNOWN);
        assert_ok(stoa_predicate_select(&leaf, &schema, &batch, world->pool, expected, &err), err);
        if (is_applied) {
            assert_memory_equal(bits, expected, stoa_bitmap_bytes(read.length));
        }
    }
    stoa_arrow_array_release(&read);
}

/* A bound of the file is the same bound of the table. */
static void check_bounds(struct world *world, int32_t column) {
    int32_t position = 0;
    const stoa_field *field = &world->present->root.children[column];
    const stoa_field *from = find_field(&world->old->root, field->id, &position);
    const stoa_stripe_selection all = {NULL, 0, world->stripe.row_count};
    struct ArrowArray read = {0};
    stoa_error err;
    uint64_t bound = 0, expected = 0;
    assert_int_equal(stoa_stripe_schema_column(&world->mapping, column),
                     from == NULL || (from->type.kind == STOA_TYPE_UNKNOWN &&
                                      field->type.kind != STOA_TYPE_UNKNOWN)
                         ? -1
                         : position);
    if (from == NULL) {
        assert_false(stoa_stripe_schema_bound(&world->mapping, column, &bound));
        return;
    }
    const uint8_t width = stoa_key_width(&field->type), old_width = stoa_key_width(&from->type);
    if (width == 0 || width > 8 || old_width == 0 || old_width > 8) {
        return;
    }
    assert_ok(stoa_stripe_column(&world->stripe, world->pool, column, &all, &read, &err), err);
    for (int64_t row = 0; row < all.count; row++) {
        if (!is_null(&read, row)) {
            const struct ArrowArray *source = world->batch.children[position];
            stoa_key_numbers(&from->type, source, source->offset + world->batch.offset + row, 1,
                             &bound);
            assert_true(stoa_stripe_schema_bound(&world->mapping, column, &bound));
            stoa_key_numbers(&field->type, &read, row, 1, &expected);
            assert_int_equal(bound, expected);
        }
    }
    stoa_arrow_array_release(&read);
}

static void older_rows_are_read(void **state) {
    static struct world world;
    (void)state;
    world.pool = support_pool_open();
    world.random = support_random_open("lsm.prop_stripe_schema");
    stoa_buffer_init(&world.bytes, world.pool);
    for (int round = 0; round < ROUNDS; round++) {
        open_round(&world, round);
        const uint32_t count = world.stripe.row_count;
        uint32_t *rows = rows_allocate(count * sizeof *rows);
        for (uint32_t i = 0; i < count; i++) {
            rows[i] = (uint32_t)below(&world, count);
        }
        const uint32_t first = (uint32_t)below(&world, count + 1);
        const stoa_stripe_selection selections[] = {{NULL, 0, count},
                                                    {NULL, first, count - first},
                                                    {rows, 0, count}};
        for (int32_t column = 0; column < world.present->root.child_count; column++) {
            if (world.layout.column_nodes[column] < 0) {
                continue;
            }
            for (size_t i = 0; i < sizeof selections / sizeof *selections; i++) {
                check_column(&world, column, &selections[i]);
            }
            check_select(&world, column);
            check_bounds(&world, column);
        }
        free(rows);
        close_round(&world);
    }
    stoa_buffer_release(&world.bytes);
    support_pool_close(world.pool);
}

/* Ids follow the order of appearance, so both texts have the same. */
static void other_changes_are_refused(void **state) {
    static const struct {
        const char *old, *present;
        stoa_status status;
        const char *message;
    } cases[] = {
        {"k int not null, a int", "k long not null, a int", STOA_INVALID, "of another type"},
        {"k int not null, a int", "k int not null, a int not null", STOA_INVALID, "is required"},
        {"k int not null", "k int not null, a int not null", STOA_INVALID, "written without it"},
        {"k int not null, a long", "k int not null, a int", STOA_INVALID, "but found int"},
        {"k int not null, a string", "k int not null, a binary", STOA_INVALID, "but found binary"},
        {"k int not null, a list<int>", "k int not null, a struct<x: int>", STOA_INVALID,
         "list<int>"},
        {"k int not null, a decimal(9, 2)", "k int not null, a decimal(10, 4)", STOA_INVALID,
         "decimal(9, 2)"},
        {"k int not null, a timestamp_s", "k int not null, a timestamp_us", STOA_UNSUPPORTED,
         "unit"},
        {"k int not null, a struct<x: int>", "k int not null, a struct<x: int not null>",
         STOA_INVALID, "'x' is required"},
    };
    static const stoa_key_column columns[] = {{1, false}};
    stoa_pool *pool = support_pool_open();
    stoa_error err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const stoa_schema *old, *present;
        stoa_key_format key;
        stoa_arena arena;
        stoa_stripe_layout layout;
        stoa_stripe_schema mapping;
        stoa_arena_init(&arena, pool);
        assert_ok(stoa_schema_parse(pool, cases[i].old, &old, &err), err);
        assert_ok(stoa_schema_parse(pool, cases[i].present, &present, &err), err);
        assert_ok(stoa_key_format_init(&key, present, columns, 1, &err), err);
        assert_ok(stoa_stripe_layout_init(&layout, &arena, present, &key, &err), err);
        assert_fails(stoa_stripe_schema_init(&mapping, pool, &layout, old, &err), cases[i].status,
                     cases[i].message, err);
        stoa_arena_release(&arena);
        stoa_schema_close(old);
        stoa_schema_close(present);
    }
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_rows_are_read),
        cmocka_unit_test(other_changes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
