/* Random predicates over random batches: selection equals a slow evaluation row by row in three
 * values; "no part of this can match" never contradicts it, whatever true bounds are given; and a
 * predicate that is printed and parsed selects the same rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <random_batch.h>
#include <support.h>

#include "arrow/array.h"
#include "base/bits.h"
#include "schema/predicate.h"
#include "schema/schema.h"
#include "schema/validate.h"

enum { ROWS_MAX = 150, FIELDS_MAX = 40, VALUES_MAX = 30 };

typedef enum truth { IS_FALSE, IS_TRUE, IS_UNKNOWN } truth;

struct world {
    stoa_pool *pool;
    stoa_arena arena;
    support_random *random;
    const stoa_schema *schema;
    struct ArrowArray batch;
    /* Comparable fields, and the way to each: at most two steps down. */
    int field_count;
    const stoa_field *fields[FIELDS_MAX];
    const struct ArrowArray *steps[FIELDS_MAX][4];
    int step_counts[FIELDS_MAX];
};

/* -- slow and obvious ------------------------------------------------------------------------- */

static stoa_value value_at(const struct world *world, int field, int64_t row) {
    stoa_value null = {.type = world->fields[field]->type, .is_null = true};
    int64_t at = row;
    for (int i = 0; i + 1 < world->step_counts[field]; i++) {
        const struct ArrowArray *parent = world->steps[field][i];
        if (stoa_arrow_is_null(parent, at)) {
            return null;
        }
        at += parent->offset;
    }
    stoa_value value;
    stoa_value_from_array(&world->fields[field]->type,
                          world->steps[field][world->step_counts[field] - 1], at, &value);
    return value;
}

static int field_index(const struct world *world, int32_t id) {
    for (int i = 0; i < world->field_count; i++) {
        if (world->fields[i]->id == id) {
            return i;
        }
    }
    fail_msg("no field %d", id);
    return -1;
}

static truth compare(stoa_predicate_kind kind, const stoa_value *value,
                     const stoa_value *constant) {
    if (value->is_null || constant->is_null) {
        return IS_UNKNOWN;
    }
    int order = stoa_value_compare(value, constant);
    switch (kind) {
    case STOA_PREDICATE_EQUAL: return order == 0;
    case STOA_PREDICATE_NOT_EQUAL: return order != 0;
    case STOA_PREDICATE_LESS: return order < 0;
    case STOA_PREDICATE_LESS_EQUAL: return order <= 0;
    case STOA_PREDICATE_GREATER: return order > 0;
    case STOA_PREDICATE_GREATER_EQUAL: return order >= 0;
    default:
        return value->size >= constant->size &&
               (constant->size == 0 || memcmp(value->bytes, constant->bytes, constant->size) == 0);
    }
}

static truth evaluate(const struct world *world, const stoa_predicate *predicate, int64_t row) {
    bool unknown = false;
    stoa_value value;
    switch (predicate->kind) {
    case STOA_PREDICATE_TRUE: return IS_TRUE;
    case STOA_PREDICATE_FALSE: return IS_FALSE;
    case STOA_PREDICATE_NOT: {
        truth child = evaluate(world, predicate->children[0], row);
        return child == IS_UNKNOWN ? IS_UNKNOWN : child == IS_TRUE ? IS_FALSE : IS_TRUE;
    }
    case STOA_PREDICATE_AND:
    case STOA_PREDICATE_OR: {
        truth decides = predicate->kind == STOA_PREDICATE_AND ? IS_FALSE : IS_TRUE;
        for (int32_t i = 0; i < predicate->child_count; i++) {
            truth child = evaluate(world, predicate->children[i], row);
            if (child == decides) {
                return decides;
            }
            unknown = unknown || child == IS_UNKNOWN;
        }
        return unknown ? IS_UNKNOWN : decides == IS_TRUE ? IS_FALSE : IS_TRUE;
    }
    default: break;
    }
    value = value_at(world, field_index(world, predicate->field_id), row);
    switch (predicate->kind) {
    case STOA_PREDICATE_IS_NULL: return value.is_null;
    case STOA_PREDICATE_IS_NOT_NULL: return !value.is_null;
    case STOA_PREDICATE_IN:
        for (int32_t i = 0; i < predicate->value_count; i++) {
            truth one = compare(STOA_PREDICATE_EQUAL, &value, &predicate->values[i]);
            if (one == IS_TRUE) {
                return IS_TRUE;
            }
            unknown = unknown || one == IS_UNKNOWN;
        }
        return unknown || value.is_null ? IS_UNKNOWN : IS_FALSE;
    default: return compare(predicate->kind, &value, &predicate->values[0]);
    }
}

/* -- random predicates ------------------------------------------------------------------------ */

static bool comparable(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: return false;
    default: return true;
    }
}

static void find_fields(struct world *world, const stoa_type *type, const struct ArrowArray *array,
                        const struct ArrowArray **steps, int depth) {
    for (int32_t i = 0; i < type->child_count && world->field_count < FIELDS_MAX; i++) {
        const stoa_field *field = &type->children[i];
        steps[depth] = array->children[i];
        if (comparable(&field->type)) {
            int at = world->field_count++;
            world->fields[at] = field;
            world->step_counts[at] = depth + 1;
            memcpy(world->steps[at], steps, sizeof world->steps[at]);
        } else if (field->type.kind == STOA_TYPE_STRUCT && depth < 3) {
            find_fields(world, &field->type, array->children[i], steps, depth + 1);
        }
    }
}

static uint64_t below(struct world *world, uint64_t bound) {
    return support_random_below(world->random, bound);
}

static void *take(struct world *world, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    void *memory = NULL;
    assert_ok(stoa_arena_allocate(&world->arena, size, &memory, &err), err);
    return memory;
}

/* Mostly a value of the data, so that predicates hold and fail; sometimes one beside it. */
static stoa_value constant_for(struct world *world, int field) {
    stoa_value null = {.type = world->fields[field]->type, .is_null = true};
    if (world->batch.length == 0 || below(world, 20) == 0) {
        return null;
    }
    stoa_value value = value_at(world, field, (int64_t)below(world, (uint64_t)world->batch.length));
    if (value.is_null || below(world, 3) != 0) {
        return value;
    }
    switch (value.type.kind) {
    case STOA_TYPE_INT8:
    case STOA_TYPE_INT16:
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT8:
    case STOA_TYPE_UINT16: value.i = value.i > 0 ? value.i - 1 : value.i; break;
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE:
        value.f = below(world, 2) ? (double)NAN : below(world, 2) ? -0.0 : (double)INFINITY;
        break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        while (value.size > 0 && (value.bytes[--value.size] & 0xC0) == 0x80) {
        }
        break;
    default: break;
    }
    return value;
}

static const stoa_predicate *random_leaf(struct world *world) {
    stoa_predicate *leaf = take(world, sizeof *leaf);
    int field = (int)below(world, (uint64_t)world->field_count);
    const stoa_type *type = &world->fields[field]->type;
    bool text = type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY;
    leaf->field_id = world->fields[field]->id;
    leaf->kind = (stoa_predicate_kind)((uint64_t)STOA_PREDICATE_EQUAL +
                                       below(world, text ? 10 : 9));
    if (leaf->kind == STOA_PREDICATE_IS_NULL || leaf->kind == STOA_PREDICATE_IS_NOT_NULL) {
        return leaf;
    }
    leaf->value_count = leaf->kind == STOA_PREDICATE_IN
                            ? (int32_t)below(world, below(world, 4) == 0 ? VALUES_MAX : 4)
                            : 1;
    stoa_value *values = take(world, VALUES_MAX * sizeof *values);
    for (int32_t i = 0; i < leaf->value_count; i++) {
        values[i] = constant_for(world, field);
    }
    leaf->values = values;
    return leaf;
}

static const stoa_predicate *random_predicate(struct world *world, int depth) {
    if (depth == 0 || below(world, 4) == 0) {
        if (below(world, 20) == 0) {
            stoa_predicate *decided = take(world, sizeof *decided);
            decided->kind = below(world, 2) ? STOA_PREDICATE_TRUE : STOA_PREDICATE_FALSE;
            return decided;
        }
        return random_leaf(world);
    }
    stoa_predicate *node = take(world, sizeof *node);
    node->kind = (stoa_predicate_kind)((uint64_t)STOA_PREDICATE_AND + below(world, 3));
    node->child_count = node->kind == STOA_PREDICATE_NOT ? 1 : (int32_t)below(world, 4);
    const stoa_predicate **children = take(world, 4 * sizeof *children);
    for (int32_t i = 0; i < node->child_count; i++) {
        children[i] = random_predicate(world, depth - 1);
    }
    node->children = children;
    return node;
}

/* -- what is known of the rows from `begin` to `end` ------------------------------------------- */

/* The last byte of a cut upper bound is raised, as writers do; 0xFF cannot be. */
static void cut(struct world *world, stoa_value *bound, bool upper) {
    if (bound->type.kind != STOA_TYPE_BINARY || bound->size < 2 ||
        (upper && bound->bytes[0] == 0xFF)) {
        return;
    }
    uint8_t *first = take(world, 1);
    first[0] = (uint8_t)(bound->bytes[0] + (upper ? 1 : 0));
    bound->bytes = first;
    bound->size = 1;
}

static void summarize(struct world *world, int field, int64_t begin, int64_t end,
                      stoa_field_summary *out) {
    stoa_value *bounds = take(world, 2 * sizeof *bounds);
    bool found = false;
    *out = (stoa_field_summary){.field_id = world->fields[field]->id, .value_count = end - begin};
    for (int64_t row = begin; row < end; row++) {
        stoa_value value = value_at(world, field, row);
        if (value.is_null) {
            out->null_count++;
            continue;
        }
        bool real = value.type.kind == STOA_TYPE_FLOAT || value.type.kind == STOA_TYPE_DOUBLE;
        if (real && isnan(value.f)) {
            out->may_have_nan = true;
            continue;
        }
        if (!found || stoa_value_compare(&value, &bounds[0]) < 0) {
            bounds[0] = value;
        }
        if (!found || stoa_value_compare(&value, &bounds[1]) > 0) {
            bounds[1] = value;
        }
        found = true;
    }
    out->lower = found ? &bounds[0] : NULL;
    out->upper = found ? &bounds[1] : NULL;
    if (found && below(world, 3) == 0) {
        cut(world, &bounds[0], false);
        cut(world, &bounds[1], true);
    }
    /* Then forget some of it. */
    out->lower = below(world, 6) == 0 ? NULL : out->lower;
    out->upper = below(world, 6) == 0 ? NULL : out->upper;
    out->may_have_nan = out->may_have_nan || below(world, 4) == 0;
    out->null_count = below(world, 6) == 0 ? -1 : out->null_count;
    out->value_count = below(world, 8) == 0 ? -1 : out->value_count;
}

/* -- the properties --------------------------------------------------------------------------- */

struct counts {
    int64_t selected;
    int64_t refused;
    int64_t asked;
};

static void check_match(struct world *world, const stoa_predicate *predicate,
                        struct counts *counts) {
    int64_t length = world->batch.length;
    for (int i = 0; i < 4; i++) {
        int64_t begin = support_random_between(world->random, 0, length);
        int64_t end = support_random_between(world->random, begin,
                                             i % 2 == 0 ? (begin + 3 < length ? begin + 3 : length)
                                                        : length);
        stoa_field_summary summaries[FIELDS_MAX];
        int32_t count = 0;
        for (int field = 0; field < world->field_count; field++) {
            if (below(world, 10) != 0) {
                summarize(world, field, begin, end, &summaries[count++]);
            }
        }
        counts->asked++;
        if (stoa_predicate_may_match(predicate, world->schema, summaries, count)) {
            continue;
        }
        counts->refused++;
        for (int64_t row = begin; row < end; row++) {
            assert_int_not_equal(evaluate(world, predicate, row), IS_TRUE);
        }
    }
}

static void check_select(struct world *world, const stoa_predicate *predicate,
                         struct counts *counts) {
    stoa_error err = STOA_ERROR_NONE;
    uint8_t selection[ROWS_MAX / 8 + 2];
    memset(selection, 0xA5, sizeof selection);
    assert_ok(stoa_predicate_select(predicate, world->schema, &world->batch, world->pool, selection,
                                    &err),
              err);
    for (int64_t row = 0; row < world->batch.length; row++) {
        bool wanted = evaluate(world, predicate, row) == IS_TRUE;
        if (stoa_bit_get(selection, row) != wanted) {
            stoa_buffer text;
            const char *view = "";
            stoa_buffer_init(&text, world->pool);
            (void)!stoa_predicate_print(predicate, world->schema, &text, NULL);
            (void)!stoa_buffer_text(&text, &view, NULL);
            fail_msg("row %lld: expected %d: %s", (long long)row, wanted, view);
        }
        counts->selected += wanted;
    }
    assert_int_equal(selection[stoa_bitmap_bytes(world->batch.length)], 0xA5);

    stoa_buffer text;
    const char *view = NULL;
    const stoa_predicate *again = NULL;
    uint8_t other[ROWS_MAX / 8 + 2] = {0};
    stoa_buffer_init(&text, world->pool);
    stoa_status status = stoa_predicate_print(predicate, world->schema, &text, &err);
    if (status == STOA_UNSUPPORTED) { /* a zero byte in a string */
        stoa_buffer_release(&text);
        return;
    }
    assert_ok(status, err);
    assert_ok(stoa_buffer_text(&text, &view, &err), err);
    assert_ok(stoa_predicate_parse(&world->arena, world->schema, view, &again, &err), err);
    assert_ok(stoa_predicate_select(again, world->schema, &world->batch, world->pool, other, &err),
              err);
    if (memcmp(other, selection, stoa_bitmap_bytes(world->batch.length)) != 0) {
        fail_msg("read again it selects other rows: %s", view);
    }
    stoa_buffer_release(&text);
}

static void one_world(support_random *random, struct counts *counts) {
    stoa_error err = STOA_ERROR_NONE;
    struct world world = {.pool = support_pool_open(), .random = random};
    support_batch_options options = {.decimal_width_max = 16,
                                     .no_negative_scales = true,
                                     .no_dictionaries = true,
                                     .depth = 2,
                                     .column_count = 6};
    struct ArrowSchema arrow;
    struct ArrowArray raw;
    struct ArrowArray whole;
    stoa_arena_init(&world.arena, world.pool);
    support_random_schema(random, world.pool, &options, &arrow);
    int64_t rows = (int64_t)support_random_below(random, ROWS_MAX);
    support_random_batch(random, world.pool, &arrow, &options, rows, &raw);
    assert_ok(stoa_schema_from_arrow(world.pool, &arrow, &world.schema, &err), err);
    assert_ok(stoa_batch_conform(world.pool, world.schema, &arrow, &raw, &whole, &err), err);
    int64_t offset = support_random_between(random, 0, rows);
    assert_ok(stoa_arrow_slice(world.pool, &whole, offset, rows - offset, &world.batch, &err), err);
    const struct ArrowArray *steps[4] = {&world.batch};
    if (world.batch.offset == 0) {
        find_fields(&world, &world.schema->root, &world.batch, steps, 0);
    } else { /* a struct's own offset counts for its columns: the root is a step of the way */
        steps[0] = &world.batch;
        find_fields(&world, &world.schema->root, &world.batch, steps, 1);
    }
    for (int i = 0; i < 40 && world.field_count > 0; i++) {
        const stoa_predicate *predicate = random_predicate(&world, (int)below(&world, 4));
        check_select(&world, predicate, counts);
        check_match(&world, predicate, counts);
    }
    stoa_arrow_array_release(&world.batch);
    stoa_arrow_array_release(&whole);
    stoa_arrow_schema_release(&arrow);
    stoa_schema_close(world.schema);
    stoa_arena_release(&world.arena);
    support_pool_close(world.pool);
}

static void fast_answers_equal_slow_ones(void **state) {
    (void)state;
    support_random random = support_random_open("schema.prop_predicate");
    struct counts counts = {0};
    for (int i = 0; i < 150; i++) {
        one_world(&random, &counts);
    }
    /* The properties would hold for answers that say nothing. */
    print_message("%lld rows selected, %lld of %lld parts refused\n", (long long)counts.selected,
                  (long long)counts.refused, (long long)counts.asked);
    assert_true(counts.selected > 10000);
    assert_true(counts.refused > counts.asked / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fast_answers_equal_slow_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
