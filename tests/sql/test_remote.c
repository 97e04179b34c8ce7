/* Statements that name files by URI, of the memory file system and of a program's own scheme. */
#include "sql_world.h"

#include <dirent.h>

#include "table/table.h"

static const uint8_t gzip_csv[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0xd4, 0x49, 0xe2, 0x32, 0xd4,
    0xa9, 0xe0, 0x32, 0xd2, 0xa9, 0xe4, 0x02, 0x00, 0xc2, 0x96, 0x7e, 0x9d, 0x0c, 0x00, 0x00, 0x00,
};
static const uint8_t bzip2_csv[] = {
    0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xbc, 0xc7, 0x28,
    0x45, 0x00, 0x00, 0x04, 0x59, 0x80, 0x00, 0x10, 0x00, 0x04, 0x30, 0x00, 0x30,
    0x00, 0x00, 0x60, 0x20, 0x00, 0x31, 0x0c, 0x08, 0x23, 0x41, 0x9a, 0x8e, 0x04,
    0x22, 0x17, 0x8b, 0xb9, 0x22, 0x9c, 0x28, 0x48, 0x5e, 0x63, 0x94, 0x22, 0x80,
};
static const uint8_t xz_csv[] = {
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00,
    0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x0b, 0x61,
    0x2c, 0x62, 0x0a, 0x31, 0x2c, 0x78, 0x0a, 0x32, 0x2c, 0x79, 0x0a, 0x00, 0x4c, 0xe0,
    0xb7, 0x6e, 0x5d, 0x13, 0x21, 0x73, 0x00, 0x01, 0x24, 0x0c, 0xa6, 0x18, 0xd8, 0xd8,
    0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
};

static stoa_error err;

static void put(sql_world *world, const char *uri, const void *bytes, size_t size) {
    stoa_fs_registry *registry = stoa_database_file_systems(world->db);
    char directory[256];
    err = (stoa_error)STOA_ERROR_NONE;
    (void)snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(uri, '/') - uri), uri);
    assert_ok(stoa_vfs_make_directories(registry, directory, NULL, &err), err);
    assert_ok(stoa_vfs_replace(registry, uri, NULL, bytes, size, &err), err);
}

static void put_text(sql_world *world, const char *uri, const char *text) {
    put(world, uri, text, strlen(text));
}

static int set_up(void **state) {
    sql_world *world = test_calloc(1, sizeof *world);
    sql_world_open(world, false);
    put_text(world, "memory:/d/one.csv", "a,b\n1,x\n2,y\n");
    put_text(world, "memory:/d/two.csv", "a,b\n3,z\n");
    put_text(world, "memory:/d/rows.json", "[{\"a\": 7}, {\"a\": 8}]");
    put_text(world, "memory:/lake/y=2023/m=1/f.csv", "v\n10\n");
    put_text(world, "memory:/lake/y=2024/m=2/f.csv", "v\n20\n");
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    sql_world_close(*state);
    test_free(*state);
    return 0;
}

static void a_uri_stands_where_a_table_does(void **state) {
    sql_world *world = *state;
    sql_expect(world, "SELECT a, b FROM 'memory:/d/one.csv' ORDER BY a", "1 | x\n2 | y\n");
    sql_expect(world, "FROM 'memory:/d/one.csv' SELECT sum(a)", "3\n");
    sql_expect(world,
               "SELECT o.b, t.b FROM 'memory:/d/one.csv' o JOIN 'memory:/d/two.csv' AS t ON o.a + "
               "1 <> t.a ORDER BY 1",
               "x | z\n");
    sql_expect(world, "SELECT count(*) FROM 'memory:/d/one.csv' x, 'memory:/d/two.csv' y", "2\n");
    sql_expect(world,
               "SELECT (SELECT max(a) FROM 'memory:/d/two.csv'), a FROM (FROM "
               "'memory:/d/one.csv') WHERE b = 'y'",
               "3 | 2\n");
    sql_expect(world, "WITH c AS (SELECT a FROM 'memory:/d/rows.json') SELECT sum(a) FROM c",
               "15\n");
}

static void patterns_mean_all_their_files(void **state) {
    sql_world *world = *state;
    sql_expect(world, "SELECT a FROM 'memory:/d/*.csv' ORDER BY a", "1\n2\n3\n");
    sql_expect(world, "SELECT y, m, v FROM 'memory:/lake/**/*.csv' ORDER BY v",
               "2023 | 1 | 10\n2024 | 2 | 20\n");
    sql_fails(world, "SELECT * FROM 'memory:/d/no*.csv'", STOA_NOT_FOUND,
              "no file matches 'memory:/d/no*.csv'");
}

static void functions_take_uris_and_lists_of_them(void **state) {
    sql_world *world = *state;
    sql_expect(world, "SELECT sum(a) FROM read_csv('memory:/d/one.csv', header = true)", "3\n");
    sql_expect(world,
               "SELECT sum(a) FROM read_csv(['memory:/d/one.csv', 'memory:/d/t*.csv'], delim = "
               "',')",
               "6\n");
    sql_expect(world, "SELECT sum(a) FROM read_json_auto('memory:/d/rows.json')", "15\n");
    sql_expect(world, "SELECT size FROM read_blob('memory:/d/two.csv')", "8\n");
}

static void other_strings_stay_as_they_are(void **state) {
    sql_world *world = *state;
    sql_expect(world, "SELECT 'memory:/d/one.csv', 'https://no.such/x'",
               "memory:/d/one.csv | https://no.such/x\n");
    sql_expect(world,
               "SELECT a FROM 'memory:/d/one.csv' WHERE b <> 'memory:/d/two.csv' AND a IN "
               "(1, 5) AND b IS DISTINCT FROM 'memory:/d/one.csv'",
               "1\n");
    sql_expect(world, "SELECT trim(LEADING 'm' FROM 'memory:/d/one.csv')", "emory:/d/one.csv\n");
    sql_expect(world, "SELECT * FROM (VALUES ('memory:/d/one.csv')) t(x)", "memory:/d/one.csv\n");
    sql_expect(world, "SELECT unnest FROM unnest(['memory:/d/one.csv'])", "memory:/d/one.csv\n");
    sql_expect(world, "SELECT 1 AS \"memory:/x\" -- FROM 'memory:/no'", "1\n");
    sql_expect(world, "SELECT length('it''s: FROM ''memory:/no''')", "23\n");
}

static void packed_files_are_read_by_what_they_hold(void **state) {
    sql_world *world = *state;
    put(world, "memory:/p/one.csv.gz", gzip_csv, sizeof gzip_csv);
    put(world, "memory:/p/gz_by_content.csv", gzip_csv, sizeof gzip_csv);
    put(world, "memory:/p/one.csv.bz2", bzip2_csv, sizeof bzip2_csv);
    put(world, "memory:/p/one.csv.xz", xz_csv, sizeof xz_csv);
    sql_expect(world, "SELECT sum(a) FROM 'memory:/p/one.csv.gz'", "3\n");
    sql_expect(world, "SELECT sum(a) FROM 'memory:/p/gz_by_content.csv'", "3\n");
    sql_expect(world, "SELECT sum(a) FROM 'memory:/p/one.csv.bz2'", "3\n");
    sql_expect(world, "SELECT sum(a) FROM read_csv('memory:/p/*')", "12\n");
}

static void parquet_is_known_by_ending_and_by_content(void **state) {
    sql_world *world = *state;
    char sql[SUPPORT_PATH_BYTES + 128];
    char path[SUPPORT_PATH_BYTES + 32];
    stoa_buffer bytes;
    (void)snprintf(path, sizeof path, "%s/x.parquet", world->directory);
    (void)snprintf(sql, sizeof sql, "COPY (SELECT 42 AS a) TO '%s' (FORMAT parquet)", path);
    sql_expect(world, sql, NULL);
    assert_ok(stoa_vfs_read_all(stoa_database_file_systems(world->db), path, NULL, 1 << 20,
                                world->pool, &bytes, &err),
              err);
    put(world, "memory:/q/x.parquet", bytes.data, bytes.size);
    put(world, "memory:/q/no_ending", bytes.data, bytes.size);
    stoa_buffer_release(&bytes);
    sql_expect(world, "SELECT a FROM 'memory:/q/x.parquet'", "42\n");
    sql_expect(world, "SELECT a FROM 'memory:/q/no_ending'", "42\n");
    sql_expect(world, "SELECT a FROM read_parquet('memory:/q/x.parquet')", "42\n");
}

static void failures_name_the_uri_and_its_place(void **state) {
    sql_world *world = *state;
    put_text(world, "memory:/d/wrong.parquet", "no parquet at all, but long enough for a footer");
    sql_fails(world, "SELECT 1, * FROM 'memory:/d/none.csv'", STOA_NOT_FOUND,
              "cannot open 'memory:/d/none.csv'");
    stoa_status status = sql_try(world, "SELECT 1, * FROM 'memory:/d/none.csv'", &err);
    assert_int_equal(status, STOA_NOT_FOUND);
    assert_int_equal(err.query_offset, 17);
    assert_non_null(strstr(err.message, "\nSELECT 1, * FROM 'memory:/d/none.csv'\n"));
    sql_fails(world, "SELECT * FROM 'gs://bucket/x.csv'", STOA_UNSUPPORTED, "'gs:'");
    status = sql_try(world, "SELECT * FROM 'memory:/d/wrong.parquet'", &err);
    assert_int_not_equal(status, STOA_OK);
    assert_non_null(strstr(err.message, "memory:/d/wrong.parquet"));
    assert_null(strstr(err.message, world->directory));
    /* Behind a URI, places in the text are still those of the text. */
    status = sql_try(world, "SELECT * FROM 'memory:/d/one.csv' WHERE nothing = 1", &err);
    assert_int_equal(status, STOA_INVALID);
    assert_int_equal(err.query_offset, 40);
}

static void uris_meet_tables_and_make_them(void **state) {
    sql_world *world = *state;
    sql_expect(world, "CREATE TABLE t AS SELECT * FROM 'memory:/d/*.csv'", NULL);
    sql_expect(world,
               "SELECT count(*) FROM t JOIN 'memory:/d/one.csv' o ON t.a = o.a WHERE t.a > 1",
               "1\n");
    sql_expect(world, "INSERT INTO t SELECT * FROM read_csv('memory:/d/two.csv')", NULL);
    sql_expect(world, "SELECT count(*) FROM t", "4\n");
}

static void what_stays_names_no_uri(void **state) {
    sql_world *world = *state;
    sql_fails(world, "CREATE TEMP VIEW v AS SELECT * FROM 'memory:/d/one.csv'", STOA_UNSUPPORTED,
              "'memory:/d/one.csv' is fetched for one statement");
    sql_fails(world, "CREATE TEMP MACRO m() AS TABLE SELECT * FROM 'memory:/d/one.csv'",
              STOA_UNSUPPORTED, "create a table of it");
    sql_expect(world, "CREATE TEMP TABLE t AS SELECT * FROM 'memory:/d/one.csv'", NULL);
    sql_expect(world, "SELECT sum(a) FROM t", "3\n");
    sql_expect(world, "CREATE TEMP TABLE view AS SELECT * FROM 'memory:/d/two.csv'", NULL);
}

static int count_staged(const char *directory) {
    DIR *opened = opendir(directory);
    int count = 0;
    for (struct dirent *entry = opened == NULL ? NULL : readdir(opened); entry != NULL;
         entry = readdir(opened)) {
        count += strncmp(entry->d_name, "staged-", 7) == 0 ? 1 : 0;
    }
    if (opened != NULL) {
        (void)closedir(opened);
    }
    return count;
}

static void nothing_is_left_behind(void **state) {
    sql_world *world = *state;
    const char *directory = NULL;
    struct ArrowArrayStream stream;
    assert_ok(stoa_database_temporary_directory(world->db, &directory, &err), err);
    assert_ok(stoa_session_run(world->session, "SELECT * FROM 'memory:/d/one.csv'", NULL, &stream,
                               &world->info, &err),
              err);
    assert_int_equal(count_staged(directory), 1);
    assert_ok(sql_read(world, &stream, &err), err);
    assert_int_equal(count_staged(directory), 0);
    assert_int_not_equal(sql_try(world, "SELECT no FROM 'memory:/d/one.csv'", &err), STOA_OK);
    assert_int_equal(count_staged(directory), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_uri_stands_where_a_table_does),
        TEST(patterns_mean_all_their_files),
        TEST(functions_take_uris_and_lists_of_them),
        TEST(other_strings_stay_as_they_are),
        TEST(packed_files_are_read_by_what_they_hold),
        TEST(parquet_is_known_by_ending_and_by_content),
        TEST(failures_name_the_uri_and_its_place),
        TEST(uris_meet_tables_and_make_them),
        TEST(what_stays_names_no_uri),
        TEST(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
