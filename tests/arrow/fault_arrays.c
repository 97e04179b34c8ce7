/* Every nth allocation fails, in everything that makes arrays, schemas and streams. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/layout.h"
#include "arrow/print.h"
#include "arrow/schema.h"
#include "arrow/stream.h"
#include "support.h"

/* "+s" of a dictionary, a map of lists, a view, a nullable boolean. */
static stoa_status schema_make(stoa_pool *pool, struct ArrowSchema *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_arrow_schema_init(pool, "+s", "", false, 4, out, err));
    struct ArrowSchema **fields = out->children;
    STOA_CHECK(stoa_arrow_schema_init(pool, "c", "d", true, 0, fields[0], err));
    STOA_CHECK(stoa_arrow_schema_add_dictionary(pool, fields[0], err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "u", "", true, 0, fields[0]->dictionary, err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "+m", "m", true, 1, fields[1], err));
    struct ArrowSchema *entries = fields[1]->children[0];
    STOA_CHECK(stoa_arrow_schema_init(pool, "+s", "entries", false, 2, entries, err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "u", "key", false, 0, entries->children[0], err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "+w:2", "value", true, 1, entries->children[1], err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "d:20,2", "item", true, 0,
                                      entries->children[1]->children[0], err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "vu", "v", true, 0, fields[2], err));
    STOA_CHECK(stoa_arrow_schema_init(pool, "b", "b", true, 0, fields[3], err));
    static const char *const keys[] = {"k"};
    static const char *const values[] = {"v"};
    STOA_CHECK(stoa_arrow_schema_set_metadata(pool, fields[3], keys, values, 1, err));
    STOA_CHECK(stoa_arrow_schema_rename(pool, fields[3], "flag", err));

done:
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

static stoa_status map_append(stoa_builder *map, int row, stoa_error *err) {
    stoa_builder *entry = stoa_builder_child(map, 0);
    stoa_builder *pair = stoa_builder_child(entry, 1);
    for (int i = 0; i < row % 3; i++) {
        STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(entry, 0), "key", 3, err));
        STOA_TRY(stoa_builder_append_i64(stoa_builder_child(pair, 0), row, err));
        STOA_TRY(stoa_builder_append_null(stoa_builder_child(pair, 0), err));
        STOA_TRY(stoa_builder_finish_value(pair, err));
        STOA_TRY(stoa_builder_finish_value(entry, err));
    }
    return stoa_builder_finish_value(map, err);
}

static stoa_status rows_append(stoa_builder *builder, stoa_error *err) {
    static const char *const words[] = {"short", "a text that is longer than a view holds", ""};
    for (int row = 0; row < 70; row++) {
        const char *word = words[row % 3];
        if (row % 5 == 4) {
            STOA_TRY(stoa_builder_append_null(builder, err));
            continue;
        }
        STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(builder, 0), word, strlen(word),
                                           err));
        STOA_TRY(map_append(stoa_builder_child(builder, 1), row, err));
        STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(builder, 2), word, strlen(word),
                                           err));
        STOA_TRY(stoa_builder_append_bool(stoa_builder_child(builder, 3), row % 2 == 0, err));
        STOA_TRY(stoa_builder_finish_value(builder, err));
    }
    return STOA_OK;
}

static stoa_status batch_make(stoa_pool *pool, const struct ArrowSchema *schema,
                              struct ArrowArray *out, stoa_error *err) {
    stoa_builder *builder;
    STOA_TRY(stoa_builder_create(pool, schema, &builder, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(rows_append(builder, err));
    STOA_CHECK(stoa_builder_finish(builder, out, err));

done:
    stoa_builder_close(builder);
    return status;
}

static stoa_status work(support_world *world, const struct ArrowSchema *schema,
                        struct ArrowArray *batch, stoa_error *err) {
    struct ArrowArray slice = {0}, taken = {0}, joined = {0};
    stoa_buffer text;
    stoa_buffer_init(&text, world->pool);
    stoa_status status = STOA_OK;
    static const int64_t rows[] = {5, -1, 0, 0, 6};
    const struct ArrowArray *parts[] = {&slice, &taken, batch};
    STOA_CHECK(stoa_arrow_slice_array(world->pool, batch, 3, 20, &slice, err));
    STOA_CHECK(stoa_arrow_take(world->pool, schema, &slice, rows, 5, &taken, err));
    STOA_CHECK(stoa_arrow_concat(world->pool, schema, parts, 3, &joined, err));
    STOA_CHECK(stoa_arrow_validate(schema, &joined, STOA_ARROW_CHECK_FULL, err));
    STOA_CHECK(stoa_arrow_value_print(schema, &joined, 9, STOA_PRINT_TEXT, &text, err));
    STOA_CHECK(stoa_arrow_type_print(schema, &text, err));

done:
    stoa_buffer_release(&text);
    stoa_arrow_array_release(&slice);
    stoa_arrow_array_release(&taken);
    stoa_arrow_array_release(&joined);
    return status;
}

static stoa_status arrays(support_world *world, void *user, stoa_error *err) {
    (void)user;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(schema_make(world->pool, &schema, err));
    STOA_CHECK(batch_make(world->pool, &schema, &batch, err));
    status = work(world, &schema, &batch, err);
    if (status != STOA_OK) {
        /* Whatever failed, the batch is as it was: shared or not, but whole. */
        stoa_error other = STOA_ERROR_NONE;
        assert_ok(stoa_arrow_validate(&schema, &batch, STOA_ARROW_CHECK_FULL, &other), other);
        assert_int_equal(batch.length, 70);
    }

done:
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&schema);
    return status;
}

static stoa_status streams(support_world *world, void *user, stoa_error *err) {
    (void)user;
    struct ArrowSchema schema = {0}, copy = {0}, kept = {0};
    struct ArrowArray batches[2] = {{0}, {0}}, next = {0};
    struct ArrowArrayStream stream = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(schema_make(world->pool, &schema, err));
    STOA_CHECK(batch_make(world->pool, &schema, &batches[0], err));
    STOA_CHECK(batch_make(world->pool, &schema, &batches[1], err));
    STOA_CHECK(stoa_arrow_schema_copy(world->pool, &schema, &kept, err));
    STOA_CHECK(stoa_stream_from_batches(world->pool, &schema, batches, 2, &stream, err));
    STOA_CHECK(stoa_stream_schema(&stream, &copy, err));
    for (int i = 0; i < 3; i++) {
        STOA_CHECK(stoa_stream_next(&stream, &next, err));
        assert_int_equal(next.release != NULL, i < 2);
        stoa_arrow_array_release(&next);
    }
    assert_true(stoa_arrow_schema_equal(&kept, &copy, true, NULL));

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_schema_release(&copy);
    stoa_arrow_schema_release(&kept);
    stoa_arrow_array_release(&batches[0]);
    stoa_arrow_array_release(&batches[1]);
    stoa_arrow_stream_release(&stream);
    return status;
}

static void arrays_survive_every_failed_allocation(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, arrays, NULL, NULL) > 50);
}

static void streams_survive_every_failed_allocation(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, streams, NULL, NULL) > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_survive_every_failed_allocation),
        cmocka_unit_test(streams_survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
