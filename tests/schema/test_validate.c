/* Validation: every kind of failure with its row, column, expected, found and value; and what lies
 * under nulls is nobody's data. */
#include "world.h"

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/schema.h"
#include "schema/validate.h"

/* A batch for the Arrow twin of a schema's text, made by hand through its root builder. */
struct batch {
    stoa_pool *pool;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    stoa_builder *root;
    struct ArrowArray array;
};

static void batch_open(struct batch *batch, stoa_pool *pool, const char *source_text) {
    stoa_error err = STOA_ERROR_NONE;
    *batch = (struct batch){.pool = pool};
    batch->schema = world_schema(pool, source_text);
    ok(stoa_schema_to_arrow(pool, batch->schema, &batch->arrow, &err));
    ok(stoa_builder_create(pool, &batch->arrow, &batch->root, &err));
}

static stoa_builder *column(struct batch *batch, int64_t index) {
    return stoa_builder_child(batch->root, index);
}

static void put_i64(stoa_builder *builder, int64_t value) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_builder_append_i64(builder, value, &err));
}

static void put_null(stoa_builder *builder) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_builder_append_null(builder, &err));
}

static void put_bytes(stoa_builder *builder, const char *text, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_builder_append_bytes(builder, text, size, &err));
}

static void end(stoa_builder *builder) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_builder_finish_value(builder, &err));
}

static void batch_finish(struct batch *batch) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_builder_finish(batch->root, &batch->array, &err));
}

static void batch_close(struct batch *batch) {
    stoa_arrow_array_release(&batch->array);
    stoa_builder_close(batch->root);
    stoa_arrow_schema_release(&batch->arrow);
    stoa_schema_close(batch->schema);
}

/* message NULL: the batch fits. */
static void expect(struct batch *batch, const char *target_text, const char *message) {
    const stoa_schema *target = world_schema(batch->pool, target_text);
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = stoa_batch_validate(target, &batch->arrow, &batch->array, &err);
    if (message == NULL) {
        ok(status);
    } else {
        assert_int_equal(status, STOA_INVALID);
        assert_string_equal(err.message, message);
    }
    stoa_schema_close(target);
}

static void nulls_in_required_columns_are_named_by_row(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "a long, b long");
    for (int i = 0; i < 3000; i++) {
        put_i64(column(&batch, 0), i);
        if (i == 2017) {
            put_null(column(&batch, 1));
        } else {
            put_i64(column(&batch, 1), i);
        }
        end(batch.root);
    }
    batch_finish(&batch);
    expect(&batch, "a long not null, b long", NULL);
    expect(&batch, "a long, b long not null",
           "row 2017, column 'b': expected long not null but found null");

    const stoa_schema *target = world_schema(*state, "a long, b long not null");
    stoa_error err = STOA_ERROR_NONE;
    assert_int_equal(stoa_batch_validate(target, &batch.arrow, &batch.array, &err), STOA_INVALID);
    assert_int_equal(err.row, 2017);
    assert_int_equal(err.column_index, 1);
    assert_string_equal(err.column, "b");
    struct ArrowArray slice;
    ok(stoa_arrow_slice(*state, &batch.array, 2000, 100, &slice, &err));
    assert_int_equal(stoa_batch_validate(target, &batch.arrow, &slice, &err), STOA_INVALID);
    assert_int_equal(err.row, 17);
    stoa_arrow_array_release(&slice);
    stoa_schema_close(target);
    batch_close(&batch);
}

static void names_and_types_must_match(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "id int, Name string, key fixed[16], at timestamp, d decimal(9, 2)");
    batch_finish(&batch);
    const char *rest = ", key fixed[16], at timestamp, d decimal(9, 2)";
    char text[200];
    (void)snprintf(text, sizeof text, "name string, id long%s", rest);
    expect(&batch, text, NULL); /* order is free, case too where it is clear, numbers widen */
    (void)snprintf(text, sizeof text, "id int, Name string, extra date%s", rest);
    expect(&batch, text, NULL);
    (void)snprintf(text, sizeof text, "id int, Name string, extra date not null%s", rest);
    expect(&batch, text, "column 'extra': expected date not null but found no column of that name");
    (void)snprintf(text, sizeof text, "id int%s", rest);
    expect(&batch, text,
           "column 'Name': expected a column of the table but found a name that it does not have");
    (void)snprintf(text, sizeof text, "id int16, Name string%s", rest);
    expect(&batch, text, "column 'id': expected int16 but found int");
    (void)snprintf(text, sizeof text, "id uint64, Name string%s", rest);
    expect(&batch, text, "column 'id': expected uint64 but found int");
    (void)snprintf(text, sizeof text, "id double, Name binary%s", rest);
    expect(&batch, text, "column 'Name': expected binary but found string");
    (void)snprintf(text, sizeof text, "id list<int>, Name string%s", rest);
    expect(&batch, text, "column 'id': expected list<int> but found int");
    const char *begin = "id int, Name string, ";
    (void)snprintf(text, sizeof text, "%skey uuid, at timestamp, d decimal(9, 2)", begin);
    expect(&batch, text, "column 'key': expected uuid but found fixed[16]");
    (void)snprintf(text, sizeof text, "%skey fixed[16], at timestamptz, d decimal(9, 2)", begin);
    expect(&batch, text, "column 'at': expected timestamptz but found timestamp");
    (void)snprintf(text, sizeof text, "%skey fixed[16], at timestamp_ms, d decimal(9, 2)", begin);
    expect(&batch, text, "column 'at': expected timestamp_ms but found timestamp");
    (void)snprintf(text, sizeof text, "%skey fixed[16], at timestamp_ns, d decimal(11, 4)", begin);
    expect(&batch, text, NULL);
    (void)snprintf(text, sizeof text, "%skey fixed[16], at timestamp, d decimal(10, 4)", begin);
    expect(&batch, text, "column 'd': expected decimal(10, 4) but found decimal(9, 2)");
    batch_close(&batch);
}

static void two_names_for_one_column_are_refused(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "a int, A int");
    batch_finish(&batch);
    expect(&batch, "a int, A int", NULL);
    expect(&batch, "a int",
           "column 'A': expected a column of the table but found a name that stands for the same "
           "column as another");
    batch_close(&batch);
    batch_open(&batch, *state, "a int");
    batch_finish(&batch);
    expect(&batch, "a int, A int", NULL); /* the second is missing, not a copy of the first */
    expect(&batch, "a int, A int not null",
           "column 'A': expected int not null but found no column of that name");
    batch_close(&batch);
}

static void strings_must_be_utf8(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "s string");
    put_bytes(column(&batch, 0), "caf\xC3\xA9", 5);
    end(batch.root);
    put_bytes(column(&batch, 0), "ok\xFFno", 5);
    end(batch.root);
    batch_finish(&batch);
    expect(&batch, "s string", "row 1, column 's': expected a UTF-8 string but found 'ok\\xffno'");
    batch_close(&batch);
    /* Valid bytes throughout, cut inside a character: each half is wrong. */
    batch_open(&batch, *state, "s string");
    put_bytes(column(&batch, 0), "caf\xC3", 4);
    end(batch.root);
    put_bytes(column(&batch, 0), "\xA9", 1);
    end(batch.root);
    batch_finish(&batch);
    expect(&batch, "s string", "row 0, column 's': expected a UTF-8 string but found 'caf\\xc3'");
    batch_close(&batch);
}

static void decimals_stay_within_their_digits(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "total decimal(8, 2)");
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_builder_append_i128(column(&batch, 0), 12345678, &err));
    end(batch.root);
    batch_finish(&batch);
    expect(&batch, "total decimal(8, 2)", NULL);
    /* The type promises fewer digits than the values have. */
    stoa_arrow_schema_release(&batch.arrow);
    const stoa_schema *narrow = world_schema(*state, "total decimal(5, 2)");
    ok(stoa_schema_to_arrow(*state, narrow, &batch.arrow, &err));
    stoa_schema_close(narrow);
    expect(&batch, "total decimal(5, 2)",
           "row 0, column 'total': expected decimal(5, 2) but found 123456.78");
    expect(&batch, "total decimal(7, 4)",
           "row 0, column 'total': expected decimal(7, 4) but found 123456.78");
    batch_close(&batch);
}

static void times_lie_within_the_day(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "t time");
    put_i64(column(&batch, 0), INT64_C(86399999999));
    end(batch.root);
    put_i64(column(&batch, 0), INT64_C(86400000000));
    end(batch.root);
    batch_finish(&batch);
    expect(&batch, "t time",
           "row 1, column 't': expected time but found 86400000000 us, which is outside the day");
    batch_close(&batch);
}

static void finer_units_must_hold_the_value(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "t timestamp_s");
    put_i64(column(&batch, 0), INT64_C(9223372036854));
    end(batch.root);
    put_i64(column(&batch, 0), INT64_C(-9223372036855));
    end(batch.root);
    batch_finish(&batch);
    expect(&batch, "t timestamp_ms", NULL);
    expect(
        &batch, "t timestamp",
        "row 1, column 't': expected timestamp but found -9223372036855 s, which its unit cannot "
        "hold");
    batch_close(&batch);
}

static void nested_values_are_found_in_their_row(void **state) {
    struct batch batch;
    batch_open(&batch, *state,
               "tags list<string>, place struct<lat: double, at: list<int>>, "
               "m map<string, int>");
    for (int64_t row = 0; row < 6; row++) {
        stoa_builder *tags = column(&batch, 0);
        if (row % 2 == 1) {
            put_null(tags);
        } else {
            for (int64_t i = 0; i < row; i++) {
                if (row == 4 && i == 2) {
                    put_null(stoa_builder_child(tags, 0));
                } else {
                    put_bytes(stoa_builder_child(tags, 0), "x", 1);
                }
            }
            end(tags);
        }
        stoa_builder *place = column(&batch, 1);
        stoa_error err = STOA_ERROR_NONE;
        if (row == 0) {
            put_null(place);
        } else {
            if (row == 5) {
                put_null(stoa_builder_child(place, 0));
            } else {
                ok(stoa_builder_append_f64(stoa_builder_child(place, 0), 0.5, &err));
            }
            stoa_builder *at = stoa_builder_child(place, 1);
            put_i64(stoa_builder_child(at, 0), row);
            if (row == 3) {
                put_null(stoa_builder_child(at, 0));
            }
            end(at);
            end(place);
        }
        stoa_builder *map = column(&batch, 2);
        stoa_builder *entries = stoa_builder_child(map, 0);
        put_bytes(stoa_builder_child(entries, 0), "k", 1);
        if (row == 2) {
            put_null(stoa_builder_child(entries, 1));
        } else {
            put_i64(stoa_builder_child(entries, 1), row);
        }
        end(entries);
        end(map);
        end(batch.root);
    }
    batch_finish(&batch);
    const char *place = "place struct<lat: double, at: list<int>>";
    const char *map = "m map<string, int>";
    char text[300];
    (void)snprintf(text, sizeof text, "tags list<string>, %s, %s", place, map);
    expect(&batch, text, NULL);
    (void)snprintf(text, sizeof text, "tags list<string not null>, %s, %s", place, map);
    expect(&batch, text, "row 4, column 'tags[]': expected string not null but found null");
    expect(&batch,
           "tags list<string>, place struct<lat: double not null, at: list<int>>, "
           "m map<string, int>",
           "row 5, column 'place.lat': expected double not null but found null");
    expect(&batch,
           "tags list<string>, place struct<lat: double, at: list<int not null>>, "
           "m map<string, int>",
           "row 3, column 'place.at[]': expected int not null but found null");
    (void)snprintf(text, sizeof text, "tags list<string>, %s, m map<string, int not null>", place);
    expect(&batch, text, "row 2, column 'm.value': expected int not null but found null");
    (void)snprintf(text, sizeof text, "tags list<string>, %s not null, %s", place, map);
    expect(&batch, text,
           "row 0, column 'place': expected struct<lat: double, at: list<int>> not null but found "
           "null");
    expect(&batch, "tags list<string>, place struct<lat: double>, m map<string, int>",
           "column 'place.at': expected a column of the table but found a name that it does not "
           "have");
    expect(&batch, "tags list<long>, place struct<lat: double, at: list<int>>, m map<string, int>",
           "column 'tags[]': expected long but found string");
    batch_close(&batch);
}

/* Arrow lets anything lie under a null. */
static void what_lies_under_a_null_is_nobodys(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "s struct<t: string not null, u: time>, v string");
    stoa_builder *place = column(&batch, 0);
    for (int row = 0; row < 3; row++) {
        put_bytes(stoa_builder_child(place, 0), row == 1 ? "\xFF" : "a", 1);
        put_i64(stoa_builder_child(place, 1), row == 1 ? INT64_C(1) << 40 : 5);
        end(place);
        put_bytes(column(&batch, 1), row == 1 ? "\xFE" : "b", 1);
        end(batch.root);
    }
    batch_finish(&batch);
    const char *text = "s struct<t: string not null, u: time>, v string";
    expect(&batch, text, "row 1, column 's.t': expected a UTF-8 string but found '\\xff'");
    static const uint8_t WITHOUT_ROW_1 = 0x05;
    for (int i = 0; i < 2; i++) {
        assert_null(batch.array.children[i]->buffers[0]);
        batch.array.children[i]->buffers[0] = &WITHOUT_ROW_1;
        batch.array.children[i]->null_count = 1;
    }
    expect(&batch, text, NULL);
    for (int i = 0; i < 2; i++) {
        batch.array.children[i]->buffers[0] = NULL;
    }
    batch_close(&batch);
}

static void broken_offsets_are_found_before_they_are_used(void **state) {
    struct batch batch;
    batch_open(&batch, *state, "s string");
    for (int row = 0; row < 3; row++) {
        put_bytes(column(&batch, 0), "abc", 3);
        end(batch.root);
    }
    batch_finish(&batch);
    static const int32_t OFFSETS[] = {0, 7, 6, 9};
    const void *right = batch.array.children[0]->buffers[1];
    batch.array.children[0]->buffers[1] = OFFSETS;
    expect(&batch, "s string",
           "row 1, column 's': expected offsets that rise but found one below the one before it");
    batch.array.children[0]->buffers[1] = right;
    batch_close(&batch);
}

static void dictionaries_are_judged_by_what_is_used(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = *state;
    struct batch batch;
    batch_open(&batch, pool, "v string");
    put_bytes(column(&batch, 0), "good", 4);
    end(batch.root);
    put_bytes(column(&batch, 0), "\xFF", 1);
    end(batch.root);
    put_null(column(&batch, 0));
    end(batch.root);
    batch_finish(&batch);
    /* Its column becomes the dictionary of another batch, built by hand. */
    struct ArrowSchema arrow;
    ok(stoa_arrow_schema_init(pool, "+s", "", false, 1, &arrow, &err));
    ok(stoa_arrow_schema_init(pool, "c", "v", true, 0, arrow.children[0], &err));
    ok(stoa_arrow_schema_add_dictionary(pool, arrow.children[0], &err));
    ok(stoa_arrow_schema_init(pool, "u", "", true, 0, arrow.children[0]->dictionary, &err));
    static int8_t indices[] = {0, 0, 0, 0, 0};
    const void *buffers[] = {NULL, indices};
    const void *no_buffers[] = {NULL};
    struct ArrowArray keys = {.length = 5,
                              .n_buffers = 2,
                              .buffers = buffers,
                              .dictionary = batch.array.children[0],
                              .release = batch.array.release};
    struct ArrowArray *columns[] = {&keys};
    struct ArrowArray array = {.length = 5,
                               .n_buffers = 1,
                               .buffers = no_buffers,
                               .n_children = 1,
                               .children = columns,
                               .release = batch.array.release};
    const stoa_schema *optional = world_schema(pool, "v string");
    const stoa_schema *required = world_schema(pool, "v string not null");
    ok(stoa_batch_validate(optional, &arrow, &array, &err));
    ok(stoa_batch_validate(required, &arrow, &array, &err));
    indices[3] = 2;
    ok(stoa_batch_validate(optional, &arrow, &array, &err));
    assert_fails(stoa_batch_validate(required, &arrow, &array, &err), STOA_INVALID,
                 "row 3, column 'v': expected string not null but found null", err);
    indices[3] = 1;
    assert_fails(stoa_batch_validate(optional, &arrow, &array, &err), STOA_INVALID,
                 "row 3, column 'v': expected a UTF-8 string but found '\\xff'", err);
    assert_int_equal(err.row, 3);
    indices[3] = 3;
    assert_fails(stoa_batch_validate(optional, &arrow, &array, &err), STOA_INVALID,
                 "row 3, column 'v': expected a dictionary index below 3 but found 3", err);
    indices[3] = -1;
    assert_fails(stoa_batch_validate(optional, &arrow, &array, &err), STOA_INVALID, "but found -1",
                 err);
    stoa_schema_close(optional);
    stoa_schema_close(required);
    stoa_arrow_schema_release(&arrow);
    batch_close(&batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(nulls_in_required_columns_are_named_by_row),
        WORLD_TEST(names_and_types_must_match),
        WORLD_TEST(two_names_for_one_column_are_refused),
        WORLD_TEST(strings_must_be_utf8),
        WORLD_TEST(decimals_stay_within_their_digits),
        WORLD_TEST(times_lie_within_the_day),
        WORLD_TEST(finer_units_must_hold_the_value),
        WORLD_TEST(nested_values_are_found_in_their_row),
        WORLD_TEST(what_lies_under_a_null_is_nobodys),
        WORLD_TEST(broken_offsets_are_found_before_they_are_used),
        WORLD_TEST(dictionaries_are_judged_by_what_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
