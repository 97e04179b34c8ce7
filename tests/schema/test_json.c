/* Iceberg's JSON of schemas: what the specification shows, what is written, what is refused. */
#include "world.h"

static void expect(void **state, const char *json, const char *text, int32_t id_max) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    char printed[512];
    ok(stoa_schema_from_json(*state, json, strlen(json), &schema, &err));
    (void)stoa_schema_print(schema, printed, sizeof printed);
    assert_string_equal(printed, text);
    assert_int_equal(schema->field_id_max, id_max);
    stoa_schema_close(schema);
}

static void refuse(void **state, const char *json, stoa_status wanted, const char *message) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    assert_fails(stoa_schema_from_json(*state, json, strlen(json), &schema, &err), wanted, message,
                 err);
    assert_null(schema);
}

/* Shapes of the specification's Appendix C, with values of our own. */
static void the_specifications_shapes_are_read(void **state) {
    expect(state,
           "{\"type\": \"struct\", \"schema-id\": 3, \"identifier-field-ids\": [1], \"fields\": ["
           "{\"id\": 1, \"name\": \"id\", \"required\": true, \"type\": \"uuid\","
           " \"initial-default\": \"00000000-0000-0000-0000-000000000001\"},"
           "{\"id\": 2, \"name\": \"data\", \"required\": false, \"doc\": \"it's\", \"type\":"
           " {\"type\": \"list\", \"element-id\": 3, \"element-required\": true,"
           "  \"element\": \"string\"}}]}",
           "id uuid not null, data list<string not null> 'it''s'", 3);
    expect(state,
           "{\"type\": \"struct\", \"fields\": ["
           "{\"id\": 9, \"name\": \"m\", \"required\": false, \"type\": {\"type\": \"map\","
           " \"key-id\": 4, \"key\": \"string\", \"value-id\": 5, \"value-required\": false,"
           " \"value\": {\"type\": \"struct\", \"fields\": ["
           "  {\"id\": 12, \"name\": \"d\", \"required\": true, \"type\": \"decimal(9,2)\"},"
           "  {\"id\": 13, \"name\": \"f\", \"required\": false, \"type\": \"fixed[16]\"}]}}}]}",
           "m map<string, struct<d: decimal(9, 2) not null, f: fixed[16]>>", 13);
    static const char *const TYPES[] =
        {"boolean",        "int",    "long",      "float",       "double",
         "date",           "time",   "timestamp", "timestamptz", "timestamp_ns",
         "timestamptz_ns", "string", "uuid",      "binary",      "unknown"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        char json[200];
        char text[60];
        (void)snprintf(json, sizeof json,
                       "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"a\","
                       "\"required\":false,\"type\":\"%s\"}]}",
                       TYPES[i]);
        (void)snprintf(text, sizeof text, "a %s", TYPES[i]);
        expect(state, json, text, 1);
    }
}

static void schemas_are_written_in_full(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer json;
    const char *view = NULL;
    const stoa_schema *schema =
        world_schema(*state,
                     "\"a \"\"q\"\"\" int not null 'tab\tdoc', l list<struct<x: uint8 not null>>, "
                     "m map<string, decimal(5, 2)>");
    stoa_buffer_init(&json, *state);
    ok(stoa_schema_to_json(schema, &json, &err));
    ok(stoa_buffer_text(&json, &view, &err));
    assert_string_equal(
        view, "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"a \\\"q\\\"\","
              "\"required\":true,\"type\":\"int\",\"doc\":\"tab\\tdoc\"},"
              "{\"id\":2,\"name\":\"l\",\"required\":false,\"type\":{\"type\":\"list\","
              "\"element-id\":4,\"element\":{\"type\":\"struct\",\"fields\":[{\"id\":5,\"name\":"
              "\"x\",\"required\":true,\"type\":\"uint8\"}]},\"element-required\":false}},"
              "{\"id\":3,\"name\":\"m\",\"required\":false,\"type\":{\"type\":\"map\",\"key-id\":6,"
              "\"key\":\"string\",\"value-id\":7,\"value\":\"decimal(5, 2)\","
              "\"value-required\":false}}]}");
    const stoa_schema *again = NULL;
    ok(stoa_schema_from_json(*state, view, strlen(view), &again, &err));
    assert_true(stoa_type_equal(&schema->root, &again->root, true));
    assert_string_equal(again->root.children[0].doc, "tab\tdoc");
    stoa_schema_close(again);
    stoa_schema_close(schema);
    stoa_buffer_release(&json);
}

#define FIELD(members) "{\"type\":\"struct\",\"fields\":[{" members "}]}"

static void what_is_wrong_is_named(void **state) {
    refuse(state, "", STOA_INVALID, "line 1");
    refuse(state, "[]", STOA_INVALID, "expected a schema's JSON object but found an array");
    refuse(state, "{\"type\":\"struct\",\"type\":\"struct\"}", STOA_INVALID, "duplicate");
    refuse(state, "{\"fields\":[]}", STOA_INVALID, "member 'type': expected \"struct\"");
    refuse(state, "{\"type\":\"struct\"}", STOA_INVALID,
           "member 'fields': expected an array but found nothing");
    refuse(state, FIELD("\"name\":\"a\",\"required\":true,\"type\":\"int\""), STOA_INVALID,
           "column 'a': member 'id': expected an integer but found nothing");
    refuse(state, FIELD("\"id\":1.5,\"name\":\"a\",\"required\":true,\"type\":\"int\""),
           STOA_INVALID, "column 'a': member 'id': expected an integer but found a number");
    refuse(state, FIELD("\"id\":0,\"name\":\"a\",\"required\":true,\"type\":\"int\""), STOA_INVALID,
           "member 'id': expected an id from 1 to 2147483647 but found 0");
    refuse(state, FIELD("\"id\":1,\"name\":\"a\",\"required\":1,\"type\":\"int\""), STOA_INVALID,
           "member 'required': expected true or false but found an integer");
    refuse(state, FIELD("\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"list<int>\""),
           STOA_INVALID, "column 'a': expected a type at byte 0 but found 'list'");
    refuse(state, FIELD("\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"variant\""),
           STOA_UNSUPPORTED, "column 'a': type variant is not supported");
    refuse(state,
           FIELD("\"id\":1,\"name\":\"a\",\"required\":true,\"type\":{\"type\":\"list\","
                 "\"element-id\":1,\"element-required\":true,\"element\":\"int\"}"),
           STOA_INVALID, "fields 'a' and 'element' have the same id 1");
    refuse(state, FIELD("\"id\":1,\"name\":\"\",\"required\":true,\"type\":\"int\""), STOA_INVALID,
           "expected a name for every field");
}

static void nesting_is_bounded(void **state) {
    enum { LEVELS = 5000, LEVEL_BYTES = 80 };
    static char json[LEVELS * LEVEL_BYTES];
    size_t length = (size_t)snprintf(json, sizeof json,
                                     "{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"a\","
                                     "\"required\":false,\"type\":");
    for (int levels = 100; levels <= LEVELS; levels += LEVELS - 100) {
        size_t end = length;
        for (int i = 0; i < levels; i++) {
            end += (size_t)
                snprintf(json + end, sizeof json - end,
                         "{\"type\":\"list\",\"element-id\":%d,\"element-required\":true,"
                         "\"element\":",
                         i + 2);
        }
        refuse(state, json, STOA_INVALID, ""); /* cut off */
        (void)snprintf(json + end, sizeof json - end, "\"int\"");
        end += 5;
        memset(json + end, '}', (size_t)levels);
        end += (size_t)levels;
        (void)snprintf(json + end, sizeof json - end, "}]}");
        refuse(state, json, levels == 100 ? STOA_LIMIT : STOA_INVALID,
               levels == 100 ? "deeper than 64 levels" : "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_specifications_shapes_are_read),
        WORLD_TEST(schemas_are_written_in_full),
        WORLD_TEST(what_is_wrong_is_named),
        WORLD_TEST(nesting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
