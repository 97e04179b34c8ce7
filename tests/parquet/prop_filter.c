/* Reading with a predicate gives exactly the rows that stoa_predicate_select finds when everything is
 * read: random schemas, rows and predicates, columns of the predicate projected or not, with ranges, on
 * several threads, whatever is known of row groups and pages. */
#include <stoa/sched.h>

#include "base/bits.h"
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

static const char *const SCHEMAS[] = {
    "a long not null, b int8, c string, d double, e boolean, f decimal(25,3), g uuid, h uint16",
    "a list<int>, b map<string, double>, c struct<x: int, y: list<string>, z: string>, d long",
    "a struct<b: struct<c: int16, d: struct<e: boolean, f: fixed[5]>>>, g list<boolean>, h float",
    "a duration, b binary, c time_ms, d date, e uint8, f uint32, g uint64, h float, i time_ns",
    "a boolean not null, b string not null, c decimal(38,10) not null, d list<string> not null",
    "a decimal(9,2), b decimal(18,4), c timestamptz_ns, d timestamp, e unknown, f int not null",
};
enum { SCHEMA_COUNT = sizeof SCHEMAS / sizeof *SCHEMAS, FIELDS_MAX = 24, VALUES_MAX = 24 };

struct known {
    const stoa_field *field;
    const struct ArrowArray *array; /* of all rows: canonical, from the first row on */
    bool comparable;
};

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    stoa_arena arena;
    support_random *random;
    stoa_file *file;
    stoa_file_operations operations; /* of the file, perhaps without its map */
    stoa_parquet_reader *reader; /* for its schema */
    struct ArrowSchema arrow;
    struct ArrowArray rows;
    struct known fields[FIELDS_MAX];
    int field_count;
};

static uint64_t below(struct world *world, uint64_t bound) {
    return support_random_below(world->random, bound);
}

/* -- files ------------------------------------------------------------------------------------ */

static void write_file(struct world *world, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema;
    struct ArrowArray rows, view;
    const struct rows_options kind = {(int)below(world, 4) * 25, below(world, 2) ? 12 : 0,
                                      (int)below(world, 4), 12, below(world, 2) == 0};
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.codec = (stoa_parquet_codec)below(world, 5);
    options.row_group_rows = 1 + (int64_t)below(world, 3000);
    options.page_bytes = 1 + (size_t)below(world, 5000);
    options.dictionary_bytes = below(world, 3) > 0 ? 1 << 20 : 64;
    assert_ok(stoa_schema_parse(world->pool, text, &schema, &err), err);
    int32_t bloom_fields[FIELDS_MAX];
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_type_kind type = schema->root.children[i].type.kind;
        if ((type == STOA_TYPE_STRING || type == STOA_TYPE_BINARY || type == STOA_TYPE_DOUBLE ||
             type == STOA_TYPE_FLOAT || type == STOA_TYPE_DECIMAL || type == STOA_TYPE_LONG ||
             type == STOA_TYPE_INT || type == STOA_TYPE_UUID) &&
            below(world, 2)) {
            bloom_fields[options.bloom_count++] = schema->root.children[i].id;
        }
    }
    options.bloom_fields = bloom_fields;
    rows_batch(support_random_u64(world->random), schema, &kind, (int64_t)below(world, 6000), &rows);
    rows_view(&rows, 0, rows.length, true, &view);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", schema, &options, &view,
                         NULL, &err),
              err);
    rows.release(&rows);
    stoa_schema_close(schema);
}

static void find_fields(struct world *world, const stoa_type *type,
                        const struct ArrowArray *array) {
    for (int32_t i = 0; i < type->child_count && world->field_count < FIELDS_MAX; i++) {
        const stoa_field *field = &type->children[i];
        const bool nested = field->type.kind == STOA_TYPE_LIST ||
                            field->type.kind == STOA_TYPE_MAP ||
                            field->type.kind == STOA_TYPE_STRUCT;
        world->fields[world->field_count++] =
            (struct known){field, array->children[i], !nested};
        if (field->type.kind == STOA_TYPE_STRUCT) {
            find_fields(world, &field->type, array->children[i]);
        }
    }
}

static void open_world(struct world *world, support_random *random, int round) {
    stoa_error err = STOA_ERROR_NONE;
    *world = (struct world){.pool = support_pool_open(), .random = random};
    world->context.pool = world->pool;
    stoa_arena_init(&world->arena, world->pool);
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    write_file(world, SCHEMAS[round % SCHEMA_COUNT]);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->file, &err),
              err);
    world->operations = *world->file->operations;
    world->operations.map = round % 2 == 0 ? world->operations.map : NULL;
    world->file->operations = &world->operations;
    assert_ok(stoa_parquet_reader_open(&world->context, world->file, 0, &world->reader, &err), err);
    assert_ok(read_back(&world->context, world->file, &STOA_PARQUET_READ_ALL, &world->arrow,
                        &world->rows, &err),
              err);
    if (world->rows.release != NULL) {
        find_fields(world, &stoa_parquet_reader_schema(world->reader)->root, &world->rows);
    }
}

static void close_world(struct world *world) {
    stoa_arrow_array_release(&world->rows);
    stoa_arrow_schema_release(&world->arrow);
    stoa_parquet_reader_close(world->reader);
    stoa_file_close(world->file);
    stoa_arena_release(&world->arena);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

/* -- predicates ------------------------------------------------------------------------------- */

static void *take(struct world *world, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    void *memory = NULL;
    assert_ok(stoa_arena_allocate(&world->arena, size, &memory, &err), err);
    return memory;
}

/* Mostly a value of the data, so that predicates hold and fail; sometimes one beside it. */
static stoa_value constant_for(struct world *world, const struct known *known) {
    stoa_value value = {.type = known->field->type, .is_null = true};
    if (below(world, 20) != 0) {
        stoa_value_from_array(&known->field->type, known->array,
                              (int64_t)below(world, (uint64_t)known->array->length), &value);
    }
    if (!value.is_null && below(world, 4) == 0) {
        const bool is_float = value.type.kind == STOA_TYPE_FLOAT ||
                              value.type.kind == STOA_TYPE_DOUBLE;
        value.f = is_float ? (below(world, 2) ? (double)NAN : -0.0) : value.f;
        value.size = value.type.kind == STOA_TYPE_STRING ? value.size / 2 : value.size;
    }
    return value;
}

static const stoa_predicate *random_leaf(struct world *world) {
    stoa_predicate *leaf = take(world, sizeof *leaf);
    const struct known *known = &world->fields[below(world, (uint64_t)world->field_count)];
    const stoa_type_kind type = known->field->type.kind;
    const bool text = type == STOA_TYPE_STRING || type == STOA_TYPE_BINARY;
    leaf->field_id = known->field->id;
    leaf->kind = known->comparable
                     ? (stoa_predicate_kind)((uint64_t)STOA_PREDICATE_EQUAL +
                                             below(world, text ? 10 : 9))
                     : (stoa_predicate_kind)((uint64_t)STOA_PREDICATE_IS_NULL + below(world, 2));
    if (leaf->kind == STOA_PREDICATE_IS_NULL || leaf->kind == STOA_PREDICATE_IS_NOT_NULL) {
        return leaf;
    }
    stoa_value *values = take(world, VALUES_MAX * sizeof *values);
    leaf->values = values;
    leaf->value_count = leaf->kind == STOA_PREDICATE_IN
                            ? (int32_t)below(world, below(world, 3) == 0 ? VALUES_MAX : 4)
                            : 1;
    for (int32_t i = 0; i < leaf->value_count; i++) {
        values[i] = constant_for(world, known);
    }
    return leaf;
}

static const stoa_predicate *random_predicate(struct world *world, int depth) {
    stoa_predicate *node = take(world, sizeof *node);
    if (depth == 0 || below(world, 3) == 0) {
        node->kind = below(world, 2) ? STOA_PREDICATE_TRUE : STOA_PREDICATE_FALSE;
        return below(world, 30) == 0 ? node : random_leaf(world);
    }
    node->kind = (stoa_predicate_kind)((uint64_t)STOA_PREDICATE_AND + below(world, 3));
    node->child_count = node->kind == STOA_PREDICATE_NOT ? 1 : (int32_t)below(world, 4);
    const stoa_predicate **children = take(world, 4 * sizeof *children);
    for (int32_t i = 0; i < node->child_count; i++) {
        children[i] = random_predicate(world, depth - 1);
    }
    node->children = children;
    return node;
}

/* -- the property ----------------------------------------------------------------------------- */

struct counts {
    int64_t rows;
    int64_t selected;
};

/* Rows of the ranges (NULL: of all) that make the predicate true. */
static int64_t wanted_rows(struct world *world, const stoa_parquet_read_options *options,
                           int64_t *out) {
    stoa_error err = STOA_ERROR_NONE;
    const int64_t length = world->rows.length;
    uint8_t *bits = calloc(1, (size_t)length / 8 + 1);
    int64_t count = 0;
    assert_ok(stoa_predicate_select(options->predicate, stoa_parquet_reader_schema(world->reader),
                                    &world->rows, world->pool, bits, &err),
              err);
    for (int64_t row = 0; row < length; row++) {
        bool inside = options->ranges == NULL;
        for (int32_t i = 0; i < options->range_count && !inside; i++) {
            inside = row >= options->ranges[i].first &&
                     row - options->ranges[i].first < options->ranges[i].count;
        }
        if (inside && stoa_bit_get(bits, row)) {
            out[count++] = row;
        }
    }
    free(bits);
    return count;
}

static void check_read(struct world *world, const stoa_parquet_read_options *options,
                       struct counts *counts) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_read_options everything = *options;
    struct ArrowSchema schema, all_schema;
    struct ArrowArray found, all, expected;
    int64_t *rows = malloc((size_t)(world->rows.length + 1) * sizeof *rows);
    const int64_t count = wanted_rows(world, options, rows);
    everything.predicate = NULL;
    everything.ranges = NULL;
    everything.range_count = 0;
    everything.batch_rows = 0;
    assert_ok(read_back(&world->context, world->file, options, &schema, &found, &err), err);
    if (count == 0) {
        assert_null(found.release);
    } else {
        assert_ok(read_back(&world->context, world->file, &everything, &all_schema, &all, &err),
                  err);
        assert_non_null(found.release);
        assert_int_equal(found.length, count);
        assert_ok(stoa_arrow_take(world->pool, &all_schema, &all, rows, count, &expected, &err),
                  err);
        assert_ok(stoa_arrow_compare(&all_schema, &expected, &schema, &found, &err), err);
        stoa_arrow_array_release(&expected);
        stoa_arrow_array_release(&all);
        stoa_arrow_schema_release(&all_schema);
    }
    counts->rows += world->rows.length;
    counts->selected += count;
    free(rows);
    stoa_arrow_array_release(&found);
    stoa_arrow_schema_release(&schema);
}

static void random_read(struct world *world, struct counts *counts) {
    const int64_t length = world->rows.length;
    int32_t ids[FIELDS_MAX];
    stoa_parquet_row_range ranges[3];
    stoa_parquet_read_options options = {.predicate = random_predicate(world, 3),
                                         .batch_rows = below(world, 2)
                                                           ? 0
                                                           : 1 + (int64_t)below(world, 5000)};
    if (below(world, 2)) {
        options.field_ids = ids;
        for (int i = 0; i < world->field_count; i++) {
            if (below(world, 3) == 0) {
                ids[options.field_count++] = world->fields[i].field->id;
            }
        }
    }
    for (int64_t at = 0; below(world, 2) && options.range_count < 3;) {
        const int64_t first = at + (int64_t)below(world, (uint64_t)length / 3 + 1);
        const int64_t rows = 1 + (int64_t)below(world, (uint64_t)length / 3 + 1);
        if (first + rows > length) {
            break;
        }
        ranges[options.range_count++] = (stoa_parquet_row_range){first, rows};
        options.ranges = ranges;
        at = first + rows;
    }
    check_read(world, &options, counts);
}

static void a_predicate_gives_the_rows_that_it_selects(void **state) {
    (void)state;
    struct counts counts = {0};
    support_random random = support_random_open("filter");
    for (int round = 0; round < 12 * SCHEMA_COUNT; round++) {
        struct world world;
        stoa_error err = STOA_ERROR_NONE;
        const stoa_sched_options sched = {.threads = 3};
        open_world(&world, &random, round);
        if (round % 3 == 2) {
            assert_ok(stoa_sched_create(world.pool, &sched, &world.context.sched, &err), err);
        }
        for (int i = 0; i < 12 && world.field_count > 0; i++) {
            random_read(&world, &counts);
        }
        stoa_sched_close(world.context.sched);
        close_world(&world);
    }
    assert_true(counts.selected > counts.rows / 20 && counts.selected < counts.rows * 19 / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_predicate_gives_the_rows_that_it_selects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
