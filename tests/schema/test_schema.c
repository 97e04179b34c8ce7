/* Schemas: ids, look-ups, projection, ownership, and what create refuses. */
#include "world.h"

static void ids_are_given_level_by_level(void **state) {
    const stoa_schema *schema =
        world_schema(*state, "id long, tags list<string>, place struct<lat: double, at: "
                             "struct<x: int>>, m map<string, struct<p: int>>, last int");
    static const char *const COLUMNS[] = {"id", "tags", "place", "m", "last"};
    for (int32_t i = 0; i < 5; i++) {
        assert_int_equal(schema->root.children[i].id, i + 1);
        assert_int_equal(stoa_schema_column_index(schema, COLUMNS[i]), i);
    }
    /* then each column's own, in order, again siblings first */
    static const char *const NESTED[] = {"element", "lat", "at", "x", "key", "value", "p"};
    for (int32_t i = 0; i < 7; i++) {
        assert_string_equal(stoa_schema_field(schema, 6 + i)->name, NESTED[i]);
    }
    assert_int_equal(schema->field_id_max, 12);
    assert_null(stoa_schema_field(schema, 13));
    assert_null(stoa_schema_field(schema, 0));
    assert_null(stoa_schema_field(schema, -1));
    assert_true(stoa_schema_field(schema, 10)->required); /* a map's key always is */
    stoa_schema_close(schema);
}

static void columns_are_found_without_case_when_that_is_clear(void **state) {
    const stoa_schema *schema = world_schema(*state, "Id long, a int, A int, B int");
    assert_ptr_equal(stoa_schema_column(schema, "Id"), &schema->root.children[0]);
    assert_ptr_equal(stoa_schema_column(schema, "ID"), &schema->root.children[0]);
    assert_ptr_equal(stoa_schema_column(schema, "A"), &schema->root.children[2]);
    assert_ptr_equal(stoa_schema_column(schema, "b"), &schema->root.children[3]);
    assert_null(stoa_schema_column(schema, "i"));
    assert_null(stoa_schema_column(schema, "idd"));
    assert_int_equal(stoa_schema_column_index(schema, ""), -1);
    stoa_schema_close(schema);
    schema = world_schema(*state, "ab int, aB int");
    assert_null(stoa_schema_column(schema, "AB"));
    stoa_schema_close(schema);
}

static void projection_keeps_ids_and_their_maximum(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = world_schema(*state, "a int, b list<int>, c string");
    const stoa_schema *part = NULL;
    const int32_t columns[] = {2, 0};
    ok(stoa_schema_project(*state, schema, columns, 2, &part, &err));
    stoa_schema_close(schema);
    assert_int_equal(part->root.child_count, 2);
    assert_int_equal(part->root.children[0].id, 3);
    assert_int_equal(part->root.children[1].id, 1);
    assert_int_equal(part->field_id_max, 4);
    assert_null(stoa_schema_field(part, 2));
    const stoa_schema *none = NULL;
    ok(stoa_schema_project(*state, part, NULL, 0, &none, &err));
    assert_int_equal(none->root.child_count, 0);
    assert_null(stoa_schema_column(none, "a"));
    const int32_t outside[] = {2};
    const stoa_schema *wrong = NULL;
    assert_int_equal(stoa_schema_project(*state, part, outside, 1, &wrong, &err), STOA_INVALID);
    assert_string_equal(err.message, "expected a column from 0 to 1 but found 2");
    stoa_schema_close(none);
    stoa_schema_close(part);
}

static void the_last_owner_frees(void **state) {
    const stoa_schema *schema = world_schema(*state, "a int");
    assert_ptr_equal(stoa_schema_retain(schema), schema);
    stoa_schema_close(schema);
    assert_string_equal(schema->root.children[0].name, "a");
    stoa_schema_close(schema);
    assert_null(stoa_schema_retain(NULL));
    stoa_schema_close(NULL);
}

static void ids_given_must_be_positive_and_differ(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    stoa_field element = {.id = 7, .name = "x", .type = {.kind = STOA_TYPE_INT}};
    stoa_field columns[] = {
        {.id = 7, .name = "a", .type = {.kind = STOA_TYPE_INT}},
        {.id = 3,
         .name = "b",
         .type = {.kind = STOA_TYPE_LIST, .child_count = 1, .children = &element}},
    };
    assert_int_equal(stoa_schema_create(*state, columns, 2, true, &schema, &err), STOA_INVALID);
    assert_string_equal(err.message, "fields 'a' and 'element' have the same id 7");
    element.id = 0;
    assert_int_equal(stoa_schema_create(*state, columns, 2, true, &schema, &err), STOA_INVALID);
    assert_string_equal(err.message, "field 'element': expected an id of 1 and more but found 0");
    element.id = 8;
    ok(stoa_schema_create_version(*state, columns, 2, 4, 100, &schema, &err));
    assert_int_equal(schema->schema_id, 4);
    assert_int_equal(schema->field_id_max, 100);
    stoa_schema_close(schema);
    ok(stoa_schema_create(*state, columns, 2, true, &schema, &err));
    assert_int_equal(schema->field_id_max, 8);
    stoa_schema_close(schema);
}

static void shapes_of_nested_types_are_checked(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    stoa_field columns[] = {{.name = "a", .type = {.kind = STOA_TYPE_LIST}}};
    assert_int_equal(stoa_schema_create(*state, columns, 1, false, &schema, &err), STOA_INVALID);
    assert_string_equal(err.message, "field 'a': expected 1 nested fields but found 0");
    columns[0].type = (stoa_type){.kind = STOA_TYPE_TIME, .unit = STOA_TYPE_SECONDS};
    assert_int_equal(stoa_schema_create(*state, columns, 1, false, &schema, &err), STOA_INVALID);
    columns[0].type = (stoa_type){.kind = (stoa_type_kind)99};
    assert_int_equal(stoa_schema_create(*state, columns, 1, false, &schema, &err), STOA_INVALID);
}

static void many_columns_are_found(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    enum { COUNT = 5000 };
    static stoa_field columns[COUNT];
    static char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "c%d", i);
        columns[i] = (stoa_field){.name = names[i], .type = {.kind = STOA_TYPE_INT}};
    }
    const stoa_schema *schema = NULL;
    ok(stoa_schema_create(*state, columns, COUNT, false, &schema, &err));
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(stoa_schema_column_index(schema, names[i]), i);
        assert_ptr_equal(stoa_schema_field(schema, i + 1), &schema->root.children[i]);
    }
    stoa_schema_close(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(ids_are_given_level_by_level),
        WORLD_TEST(columns_are_found_without_case_when_that_is_clear),
        WORLD_TEST(projection_keeps_ids_and_their_maximum),
        WORLD_TEST(the_last_owner_frees),
        WORLD_TEST(ids_given_must_be_positive_and_differ),
        WORLD_TEST(shapes_of_nested_types_are_checked),
        WORLD_TEST(many_columns_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
