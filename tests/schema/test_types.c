/* The table of docs/design/types.md against the code: every row is true, and no type is missing. */
#include "world.h"

#include "mem/arena.h"
#include "parquet/schema_twin.h"

enum { CELLS = 5, CELL_BYTES = 120 };

static char cells[CELLS][CELL_BYTES];

/* "| `a` | `b` | c |" */
static bool read_row(const char *line) {
    if (strncmp(line, "| `", 3) != 0) {
        return false;
    }
    line++;
    for (int i = 0; i < CELLS; i++) {
        const char *end = strchr(line, '|');
        assert_non_null(end);
        size_t size = (size_t)(end - line);
        assert_true(size >= 2 && size < CELL_BYTES);
        memcpy(cells[i], line + 1, size - 2);
        cells[i][size - 2] = '\0';
        line = end + 1;
    }
    return true;
}

/* What stands between backquotes. */
static const char *code_of(char *cell) {
    char *begin = strchr(cell, '`');
    assert_non_null(begin);
    char *end = strchr(begin + 1, '`');
    assert_non_null(end);
    *end = '\0';
    return begin + 1;
}

static void check_arrow(stoa_pool *pool, const stoa_schema *schema) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    ok(stoa_schema_to_arrow(pool, schema, &arrow, &err));
    assert_string_equal(arrow.children[0]->format, code_of(cells[1]));
    const stoa_schema *again = NULL;
    ok(stoa_schema_from_arrow(pool, &arrow, &again, &err));
    assert_true(stoa_type_equal(&schema->root, &again->root, true));
    stoa_schema_close(again);
    stoa_arrow_schema_release(&arrow);
}

static void check_parquet(stoa_pool *pool, const stoa_schema *schema) {
    static const char *const NAMES[] = {[STOA_PARQUET_BOOLEAN] = "BOOLEAN",
                                        [STOA_PARQUET_INT32] = "INT32",
                                        [STOA_PARQUET_INT64] = "INT64",
                                        [STOA_PARQUET_FLOAT] = "FLOAT",
                                        [STOA_PARQUET_DOUBLE] = "DOUBLE",
                                        [STOA_PARQUET_BYTE_ARRAY] = "BYTE_ARRAY",
                                        [STOA_PARQUET_FIXED] = "FIXED_LEN_BYTE_ARRAY"};
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    const stoa_leaf *leaves = NULL;
    int32_t count = 0;
    stoa_arena_init(&arena, pool);
    ok(stoa_leaves_create(&arena, schema, &leaves, &count, &err));
    if (schema->root.children[0].type.child_count == 0) {
        assert_int_equal(count, 1);
        size_t size = strcspn(cells[2], ",:");
        assert_int_equal(size, strlen(NAMES[leaves[0].physical]));
        assert_memory_equal(cells[2], NAMES[leaves[0].physical], size);
        if (leaves[0].multiplier != 1) {
            assert_non_null(strstr(cells[2], "widening"));
        }
    }
    stoa_arena_release(&arena);
}

static void check_duckdb(stoa_pool *pool, const stoa_schema *schema) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer out;
    const char *text = NULL;
    stoa_buffer_init(&out, pool);
    stoa_status status = stoa_type_to_duckdb(&schema->root.children[0].type, &out, &err);
    if (strcmp(cells[3], "refused") == 0) {
        assert_int_equal(status, STOA_UNSUPPORTED);
    } else {
        ok(status);
        ok(stoa_buffer_text(&out, &text, &err));
        assert_string_equal(text, code_of(cells[3]));
    }
    stoa_buffer_release(&out);
}

static void check_json(stoa_pool *pool, const stoa_schema *schema, const char *type) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer json;
    const char *text = NULL;
    char member[CELL_BYTES + 20];
    stoa_buffer_init(&json, pool);
    ok(stoa_schema_to_json(schema, &json, &err));
    ok(stoa_buffer_text(&json, &text, &err));
    if (schema->root.children[0].type.child_count == 0) {
        (void)snprintf(member, sizeof member, "\"type\":\"%s\"}]", type);
        assert_non_null(strstr(text, member));
    }
    stoa_buffer_release(&json);
}

/* The primitive types that Iceberg's specification names. */
static void check_iceberg(const stoa_type *type) {
    static const char *const NAMES[] =
        {"unknown",        "boolean",   "int",         "long",
         "float",          "double",    "decimal",     "date",
         "time",           "timestamp", "timestamptz", "timestamp_ns",
         "timestamptz_ns", "string",    "uuid",        "fixed",
         "binary",         "list",      "map",         "struct"};
    char printed[CELL_BYTES];
    (void)stoa_type_print(type, printed, sizeof printed);
    printed[strcspn(printed, "(<[")] = '\0';
    bool known = false;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        known = known || strcmp(printed, NAMES[i]) == 0;
    }
    assert_string_equal(cells[4], known ? "exact" : "own name");
}

static void every_row_is_true(void **state) {
    FILE *file = fopen("docs/design/types.md", "r");
    assert_non_null(file);
    bool seen[STOA_TYPE_STRUCT + 1][4] = {{false}};
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        if (!read_row(line)) {
            continue;
        }
        const char *type = code_of(cells[0]);
        char text[CELL_BYTES + 4];
        (void)snprintf(text, sizeof text, "c %s", type);
        const stoa_schema *schema = world_schema(*state, text);
        const stoa_type *found = &schema->root.children[0].type;
        char printed[CELL_BYTES];
        (void)stoa_type_print(found, printed, sizeof printed);
        assert_string_equal(printed, type);
        seen[found->kind][found->unit] = true;
        check_arrow(*state, schema);
        check_parquet(*state, schema);
        check_duckdb(*state, schema);
        check_json(*state, schema, type);
        check_iceberg(found);
        stoa_schema_close(schema);
    }
    (void)fclose(file);
    for (int kind = 0; kind <= STOA_TYPE_STRUCT; kind++) {
        bool units = kind == STOA_TYPE_TIME || kind == STOA_TYPE_TIMESTAMP ||
                     kind == STOA_TYPE_TIMESTAMP_TZ || kind == STOA_TYPE_DURATION;
        for (int unit = kind == STOA_TYPE_TIME ? 1 : 0; unit < (units ? 4 : 1); unit++) {
            if (!seen[kind][unit]) {
                fail_msg("kind %d, unit %d has no row", kind, unit);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {WORLD_TEST(every_row_is_true)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
