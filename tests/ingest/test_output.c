/* Detection of formats, text output and its quoting, output files that appear whole, the checks of
 * JSON. */
#include <stdio.h>
#include <string.h>

#include <stoa/database.h>
#include <stoa/schema.h>

#include "arrow/access.h"
#include "arrow/array.h"
#include "arrow/builder.h"
#include "base/error.h"
#include "ingest/check.h"
#include "ingest/detect.h"
#include "ingest/output_file.h"
#include "ingest/text_writer.h"
#include "support.h"

typedef struct stage {
    support_world world;
    stoa_database *db;
    stoa_context context;
} stage;

static void scene_open(stage *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    support_world_open(&out->world);
    options.create = true;
    options.parent_pool = out->world.pool;
    options.file_systems = out->world.registry;
    options.threads = 1;
    assert_ok(stoa_database_open(":memory:", &options, &out->db, &err), err);
    out->context = (stoa_context){.pool = out->world.pool};
}

static void scene_close(stage *scene) {
    stoa_database_close(scene->db);
    support_world_close(&scene->world);
}

static void put(stage *scene, const char *uri, const void *bytes, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(scene->world.registry, uri, STOA_OPEN_REPLACE, NULL, &file, &err), err);
    assert_ok(stoa_file_write(file, bytes, size, &err), err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
}

static void expect_content(stage *scene, const char *uri, const char *expected) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = NULL;
    char bytes[4096];
    size_t size = 0;
    assert_ok(stoa_vfs_open(scene->world.registry, uri, STOA_OPEN_READ, NULL, &file, &err), err);
    assert_ok(stoa_file_read_some(file, 0, bytes, sizeof bytes - 1, &size, &err), err);
    bytes[size] = '\0';
    stoa_file_close(file);
    assert_string_equal(bytes, expected);
}

/* "a\tb\n" and "{"a":1}\n", packed by other programs. */
#define GZIP \
    "\x1F\x8B\x08\x00\x00\x00\x00\x00\x02\x03\x4B\xE4\x4C\xE2\x02\x00\xCE\x94\x11\x1A" \
    "\x04\x00\x00\x00"
#define ZSTD \
    "\x28\xB5\x2F\xFD\x20\x08\x41\x00\x00\x7B\x22\x61\x22\x3A\x31\x7D\x0A"
#define LZ4 \
    "\x04\x22\x4D\x18\x60\x40\x82\x08\x00\x00\x80\x7B\x22\x61\x22\x3A\x31\x7D\x0A\x00" \
    "\x00\x00\x00"

static void the_format_is_told_by_content_then_by_name(void **state) {
    (void)state;
    static const struct {
        const char *uri;
        const char *bytes;
        size_t size;
        stoa_file_format format;
        stoa_packing packing;
    } cases[] = {
        {"test:/a.csv", "PAR1....", 8, STOA_FORMAT_PARQUET, STOA_PACKING_NONE},
        {"test:/a.csv", "ARROW1..", 8, STOA_FORMAT_ARROW_FILE, STOA_PACKING_NONE},
        {"test:/a.csv", "\xFF\xFF\xFF\xFF....", 8, STOA_FORMAT_ARROW_STREAM, STOA_PACKING_NONE},
        {"test:/a.CSV", "a,b", 3, STOA_FORMAT_CSV, STOA_PACKING_NONE},
        {"test:/a.tsv.gz", GZIP, sizeof GZIP - 1, STOA_FORMAT_TSV, STOA_PACKING_GZIP},
        {"test:/a.csv.gz", "a,b", 3, STOA_FORMAT_CSV, STOA_PACKING_NONE},
        {"test:/a.jsonl.zst", ZSTD, sizeof ZSTD - 1, STOA_FORMAT_JSONL, STOA_PACKING_ZSTD},
        {"test:/packed", LZ4, sizeof LZ4 - 1, STOA_FORMAT_JSONL, STOA_PACKING_LZ4},
        {"test:/a", " \n[1]", 5, STOA_FORMAT_JSON, STOA_PACKING_NONE},
        {"test:/a", "{}", 2, STOA_FORMAT_JSONL, STOA_PACKING_NONE},
    };
    stage scene;
    scene_open(&scene);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_ingest_kind kind;
        put(&scene, cases[i].uri, cases[i].bytes, cases[i].size);
        assert_ok(stoa_ingest_detect(scene.world.registry, cases[i].uri, NULL, &scene.context,
                                     &kind, &err),
                  err);
        assert_int_equal(kind.format, cases[i].format);
        assert_int_equal(kind.packing, cases[i].packing);
    }
    scene_close(&scene);
}

static void what_cannot_be_told_is_an_error(void **state) {
    (void)state;
    stage scene;
    scene_open(&scene);
    stoa_error err = STOA_ERROR_NONE;
    stoa_ingest_kind kind;
    put(&scene, "test:/what", "hello", 5);
    assert_fails(stoa_ingest_detect(scene.world.registry, "test:/what", NULL, &scene.context,
                                    &kind, &err),
                 STOA_INVALID, "cannot tell the format", err);
    put(&scene, "test:/empty.csv", "", 0);
    assert_fails(stoa_ingest_detect(scene.world.registry, "test:/empty.csv", NULL, &scene.context,
                                    &kind, &err),
                 STOA_INVALID, "empty", err);
    put(&scene, "test:/wide.csv", "\xFF\xFE" "a\0,\0", 6);
    assert_fails(stoa_ingest_detect(scene.world.registry, "test:/wide.csv", NULL, &scene.context,
                                    &kind, &err),
                 STOA_INVALID, "UTF-16", err);
    assert_fails(stoa_ingest_detect(scene.world.registry, "test:/what", "xml", &scene.context,
                                    &kind, &err),
                 STOA_INVALID, "'xml'", err);
    scene_close(&scene);
}

static stoa_status check_json(stage *scene, const char *text, size_t size, uint64_t *mark,
                              stoa_error *err) {
    stoa_file *file = NULL;
    put(scene, "test:/t.json", text, size);
    STOA_TRY(stoa_vfs_open(scene->world.registry, "test:/t.json", STOA_OPEN_READ, NULL, &file, err));
    stoa_status status = stoa_ingest_check_json(file, &scene->context, mark, err);
    stoa_file_close(file);
    return status;
}

static void json_may_nest_only_so_deep(void **state) {
    (void)state;
    stage scene;
    scene_open(&scene);
    stoa_error err = STOA_ERROR_NONE;
    uint64_t mark = 9;
    char text[2048];
    memset(text, '[', sizeof text);
    assert_ok(check_json(&scene, text, 1000, &mark, &err), err);
    assert_int_equal(mark, 0);
    assert_fails(check_json(&scene, text, 1001, &mark, &err), STOA_LIMIT, "line 1", err);
    /* Brackets within strings do not count, nor does a quote after a backslash end one. */
    memcpy(text, "\"\\\"", 3);
    assert_ok(check_json(&scene, text, sizeof text, &mark, &err), err);
    assert_ok(check_json(&scene, "\xEF\xBB\xBF[]", 5, &mark, &err), err);
    assert_int_equal(mark, 3);
    scene_close(&scene);
}

/* One batch of (n long, s string): 1 and `text`, null and null. */
static void write_text(stage *scene, stoa_file_format format, const char *text, const char *uri) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    struct ArrowSchema arrow = {0};
    struct ArrowArray batch = {0};
    stoa_builder *builder = NULL;
    stoa_ingest_output output = {0};
    assert_ok(stoa_schema_parse(scene->world.pool, "n long, \"s,\" string", &schema, &err), err);
    assert_ok(stoa_schema_to_arrow(scene->world.pool, schema, &arrow, &err), err);
    assert_ok(stoa_builder_create(scene->world.pool, &arrow, &builder, &err), err);
    assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), 1, &err), err);
    assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, 1), text, strlen(text), &err),
              err);
    assert_ok(stoa_builder_append_null(stoa_builder_child(builder, 0), &err), err);
    assert_ok(stoa_builder_append_null(stoa_builder_child(builder, 1), &err), err);
    assert_ok(stoa_builder_finish_rows(builder, 2, &err), err);
    assert_ok(stoa_builder_finish(builder, &batch, &err), err);
    assert_ok(stoa_ingest_output_open(scene->db, uri, &scene->context, &output, &err), err);
    assert_ok(stoa_text_write_begin(format, &arrow, &output.pending, &err), err);
    assert_ok(stoa_text_write_batch(format, &arrow, &batch, true, &output.pending, &err), err);
    assert_ok(stoa_text_write_end(format, 2, &output.pending, &err), err);
    assert_ok(stoa_ingest_output_publish(&output, &err), err);
    stoa_ingest_output_release(&output);
    stoa_builder_close(builder);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&arrow);
    stoa_schema_close(schema);
}

static void text_is_quoted_where_it_must_be(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *csv;
        const char *tsv;
        const char *json;
    } cases[] = {
        {"plain", "plain", "plain", "plain"},
        {"", "\"\"", "\"\"", ""},
        {"a,b", "\"a,b\"", "a,b", "a,b"},
        {"a\tb", "a\tb", "\"a\tb\"", "a\\tb"},
        {"\"", "\"\"\"\"", "\"\"\"\"", "\\\""},
        {"x\"\"y", "\"x\"\"\"\"y\"", "\"x\"\"\"\"y\"", "x\\\"\\\"y"},
        {"two\nlines", "\"two\nlines\"", "\"two\nlines\"", "two\\nlines"},
        {" edge", "\" edge\"", "\" edge\"", " edge"},
        {"ü🂡", "ü🂡", "ü🂡", "ü🂡"},
    };
    stage scene;
    scene_open(&scene);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        (void)snprintf(expected, sizeof expected, "n,\"s,\"\n1,%s\n,\n", cases[i].csv);
        write_text(&scene, STOA_FORMAT_CSV, cases[i].text, "test:/out");
        expect_content(&scene, "test:/out", expected);
        (void)snprintf(expected, sizeof expected, "n\ts,\n1\t%s\n\t\n", cases[i].tsv);
        write_text(&scene, STOA_FORMAT_TSV, cases[i].text, "test:/out");
        expect_content(&scene, "test:/out", expected);
        (void)snprintf(expected, sizeof expected,
                       "[\n{\"n\":1,\"s,\":\"%s\"},\n{\"n\":null,\"s,\":null}\n]\n", cases[i].json);
        write_text(&scene, STOA_FORMAT_JSON, cases[i].text, "test:/out");
        expect_content(&scene, "test:/out", expected);
    }
    scene_close(&scene);
}

static void an_output_that_is_not_published_leaves_what_was_there(void **state) {
    (void)state;
    stage scene;
    scene_open(&scene);
    stoa_error err = STOA_ERROR_NONE;
    stoa_ingest_output output = {0};
    put(&scene, "test:/out", "before", 6);
    assert_ok(stoa_ingest_output_open(scene.db, "test:/out", &scene.context, &output, &err), err);
    assert_ok(stoa_ingest_output_write(&output, "after", 5, &err), err);
    stoa_ingest_output_release(&output);
    stoa_ingest_output_release(&output);
    expect_content(&scene, "test:/out", "before");
    scene_close(&scene);
}

static stoa_status publish_prepare(support_world *world, void *user, stoa_error *err) {
    (void)user;
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(world->registry, "test:/out", STOA_OPEN_REPLACE, NULL, &file, err));
    stoa_status status = stoa_file_write(file, "before", 6, err);
    if (status == STOA_OK) {
        status = stoa_file_sync(file, err);
    }
    stoa_file_close(file);
    return status;
}

static stoa_status publish_scenario(support_world *world, void *user, stoa_error *err) {
    (void)user;
    stoa_database *db = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    stoa_ingest_output output = {0};
    stoa_context context = {.pool = world->pool};
    stoa_status status = STOA_OK;
    options.create = true;
    options.parent_pool = world->pool;
    options.file_systems = world->registry;
    options.threads = 1;
    STOA_CHECK(stoa_database_open(":memory:", &options, &db, err));
    STOA_CHECK(stoa_ingest_output_open(db, "test:/out", &context, &output, err));
    STOA_CHECK(stoa_ingest_output_write(&output, "after", 5, err));
    STOA_CHECK(stoa_ingest_output_publish(&output, err));

done:
    stoa_ingest_output_release(&output);
    stoa_database_close(db);
    return status;
}

static void publish_check(support_world *world, void *user, stoa_status status) {
    (void)user;
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = NULL;
    char bytes[16] = {0};
    size_t size = 0;
    assert_ok(stoa_vfs_open(world->registry, "test:/out", STOA_OPEN_READ, NULL, &file, &err), err);
    assert_ok(stoa_file_read_some(file, 0, bytes, sizeof bytes - 1, &size, &err), err);
    stoa_file_close(file);
    if (status == STOA_OK) {
        assert_string_equal(bytes, "after");
    } else { /* the rename may have come before the call that failed */
        assert_true(strcmp(bytes, "before") == 0 || strcmp(bytes, "after") == 0);
    }
}

static void every_failing_call_leaves_the_old_file_or_the_new(void **state) {
    (void)state;
    assert_true(support_fail_each_call(publish_prepare, publish_scenario, publish_check, NULL) > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_format_is_told_by_content_then_by_name),
        cmocka_unit_test(what_cannot_be_told_is_an_error),
        cmocka_unit_test(json_may_nest_only_so_deep),
        cmocka_unit_test(text_is_quoted_where_it_must_be),
        cmocka_unit_test(an_output_that_is_not_published_leaves_what_was_there),
        cmocka_unit_test(every_failing_call_leaves_the_old_file_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
