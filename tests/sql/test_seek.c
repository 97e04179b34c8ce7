/* Statements that want few rows of a Parquet table are answered through our reader, and as by the
 * engine's: the same text with a limit that cuts nothing takes the engine's road. */
#include "sql_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { LIMIT_NONE = 100000000 };

static sql_world world;

static int open_world(void **state) {
    (void)state;
    sql_world_open(&world, false);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    sql_world_close(&world);
    return 0;
}

static void report_says(const char *sql, const char *text) {
    const char *report = stoa_session_scan_report(world.session);
    if (strstr(report, text) == NULL) {
        fail_msg("%s\nexpected %s in the report\n%s", sql, text, report);
    }
}

/* Values of all types that the road takes, with nulls, NaN, both zeros and strings of all lengths. */
static void make_values(const char *create) {
    char sql[2048];
    (void)snprintf(
        sql, sizeof sql,
        "%s SELECT i AS id, (i * 7919 %% 1000)::INTEGER AS k, "
        "CASE WHEN i %% 7 = 0 THEN NULL ELSE repeat('text ', (i %% 9)::INT) || i %% 500 END AS s, "
        "CASE WHEN i %% 11 = 0 THEN 'nan'::DOUBLE WHEN i %% 13 = 0 THEN -0.0 "
        "WHEN i %% 17 = 0 THEN NULL ELSE (i %% 100)::DOUBLE - 50 END AS d, "
        "TIMESTAMP '2024-01-01 00:00:00.000001' + to_microseconds(i) AS us, "
        "(TIMESTAMP '2024-01-01' + to_milliseconds(i))::TIMESTAMP_MS AS ms, "
        "(TIMESTAMP '2024-01-01' + to_seconds(i))::TIMESTAMP_S AS sec, "
        "TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i) AS tz, "
        "(i %% 1000)::DECIMAL(9, 2) / 4 AS dec, (i * 1000003)::DECIMAL(30, 4) AS wide, "
        "i %% 3 = 0 AS b, DATE '2000-01-01' + (i %% 3000)::INT AS day, "
        "(i %% 20)::UTINYINT AS u8, (i %% 100 - 50)::FLOAT AS f, "
        "CASE WHEN i %% 5 = 0 THEN NULL ELSE ('\\x01' || repeat('b', (i %% 30)::INT))::BLOB END "
        "AS bin, "
        "md5(i::VARCHAR)::UUID AS uuid, TIME '00:00:01' + to_microseconds(i) AS t "
        "FROM range(210000) r(i)",
        create);
    sql_expect(&world, sql, "");
}

static int open_values(void **state) {
    (void)open_world(state);
    make_values("CREATE TABLE v AS");
    return 0;
}

/* By both roads, and the same. */
static void same_by_both(const char *columns, const char *where) {
    char sql[1024], limited[1200];
    const char *found = NULL;
    stoa_error err = STOA_ERROR_NONE;
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM v WHERE %s ORDER BY ALL", columns, where);
    (void)snprintf(limited, sizeof limited, "%s LIMIT %d", sql, LIMIT_NONE);
    sql_expect(&world, limited, NULL);
    report_says(limited, "\"road\": \"parquet\"");
    assert_ok(stoa_buffer_text(&world.rows, &found, &err), err);
    char *rows = strdup(found);
    assert_non_null(rows);
    sql_expect(&world, sql, rows);
    report_says(sql, "\"road\": \"stoa\"");
    free(rows);
}

static void few_rows_are_the_same_by_both_roads(void **state) {
    (void)state;
    static const char *const conditions[] = {
        "id = 77",
        "k IN (5, 77, 999) AND b",
        "id BETWEEN 1000 AND 1100",
        "id >= 65530 AND id < 65550",
        "s = 'text text text 480'",
        "s LIKE 'text text text text 4%' AND k = 31",
        "d = 0 AND k < 30",
        "d > 40 AND k = 64",
        "d <> 3 AND k = 64",
        "d IS NULL AND k = 17",
        "us = TIMESTAMP '2024-01-01 00:00:00.000101'",
        "tz = TIMESTAMPTZ '2024-01-01 00:01:00+00'",
        "dec = 12.25",
        "wide IS NOT NULL AND k = 3",
        "day = DATE '2001-01-01'",
        "u8 = 19 AND k = 3 AND NOT b",
        "f = -50 AND k = 500",
        "t = TIME '00:00:01.000100'",
        "k = 1 OR k = 2",
        "(k = 1 AND d > 10) OR s = '3'",
    };
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        same_by_both("*", conditions[i]);
        same_by_both("s, typeof(ms), typeof(sec), ms, sec", conditions[i]);
        same_by_both("count(*), sum(id)", conditions[i]);
        same_by_both("s, count(*), max(bin), min(uuid)", "k = 7 GROUP BY s");
    }
}

/* NaN is greater than all numbers, and in no statistics. */
static void rows_with_nan_are_found(void **state) {
    (void)state;
    sql_expect(&world, "SELECT count(*), min(d) FROM v WHERE d > 49 AND k = 11", "19 | nan\n");
}

static void rows_of_partitions_and_of_many_files_too(void **state) {
    (void)state;
    make_values("CREATE TABLE v PARTITIONED BY (u8) AS");
    same_by_both("*", "k = 64");
    same_by_both("u8, id", "k IN (501, 502, 503) AND id BETWEEN 5 AND 90000");
    sql_expect(&world, "SELECT count(*) FROM v WHERE u8 IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)",
               "126000\n");
    report_says("the column of folders", "\"road\": \"parquet\"");
}

static void what_wants_more_is_left_to_the_engine(void **state) {
    (void)state;
    static const char *const others[] = {
        "SELECT count(*) FROM v",
        "SELECT count(*) FROM v WHERE k > 500",
        "SELECT count(*) FROM v WHERE k <> 5",
        "SELECT count(*) FROM v WHERE k = 5 OR d > 3",
        "SELECT id FROM v WHERE k = 5 ORDER BY id LIMIT 3",
        "SELECT count(*) FROM v a JOIN v b USING (id) WHERE a.k = 5",
        "SELECT count(*) FROM v WHERE ms = TIMESTAMP '2024-01-01 00:00:00.005'",
        "SELECT count(*) FROM small WHERE k = 5",
        "SELECT count(*) FROM nested WHERE k = 5",
    };
    sql_expect(&world, "CREATE TABLE small AS SELECT * FROM v WHERE id < 5000", "");
    sql_expect(&world, "CREATE TABLE nested AS SELECT k, [k] AS l FROM v", "");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        sql_expect(&world, others[i], NULL);
        report_says(others[i], "\"road\": \"parquet\"");
    }
}

static void values_of_parameters_find_rows(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_statement *statement;
    struct ArrowArrayStream stream;
    assert_ok(stoa_session_prepare(world.session, "SELECT count(*) FROM v WHERE k = $1", &statement,
                                   &err),
              err);
    for (int64_t k = 0; k < 3; k++) {
        assert_ok(stoa_statement_bind_i64(statement, 1, k, &err), err);
        assert_ok(stoa_statement_run(statement, NULL, &stream, NULL, &err), err);
        assert_ok(sql_read(&world, &stream, &err), err);
        report_says("k = $1", "\"road\": \"stoa\"");
    }
    stoa_statement_close(statement);
}

static void a_stream_may_be_left_in_the_middle(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    assert_ok(stoa_session_run(world.session, "SELECT s, bin FROM v WHERE k BETWEEN 0 AND 900",
                               NULL, &stream, NULL, &err),
              err);
    assert_ok(stoa_stream_next(&stream, &batch, &err), err);
    assert_non_null(batch.release);
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
}

/* Of the only table's only file, a byte of the first column. */
static void damage_file(void) {
    char folder[2 * SUPPORT_PATH_BYTES], path[3 * SUPPORT_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/tables", world.directory);
    path[0] = '\0';
    for (int depth = 0; depth < 2; depth++) { /* tables/<id>/<file> */
        DIR *listing = opendir(folder);
        assert_non_null(listing);
        for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
            if (entry->d_name[0] != '.') {
                (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            }
        }
        (void)closedir(listing);
        (void)snprintf(folder, sizeof folder, "%.*s", (int)sizeof folder - 1, path);
    }
    int file = open(path, O_RDWR);
    unsigned char byte;
    assert_true(file >= 0);
    assert_int_equal(pread(file, &byte, 1, 700), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, 700), 1);
    (void)close(file);
}

static void damage_is_noticed(void **state) {
    (void)state;
    make_values("CREATE TABLE v AS");
    damage_file();
    sql_fails(&world, "SELECT sum(length(s)) FROM v WHERE id BETWEEN 5 AND 900", STOA_CORRUPT,
              "'id'");
    sql_expect(&world, "SELECT 1", "1\n");
}

int main(void) {
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(few_rows_are_the_same_by_both_roads),
        cmocka_unit_test(rows_with_nan_are_found),
        cmocka_unit_test(what_wants_more_is_left_to_the_engine),
        cmocka_unit_test(values_of_parameters_find_rows),
        cmocka_unit_test(a_stream_may_be_left_in_the_middle),
    };
    const struct CMUnitTest own[] = {
        cmocka_unit_test_setup_teardown(rows_of_partitions_and_of_many_files_too, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(damage_is_noticed, open_world, close_world),
    };
    return cmocka_run_group_tests(shared, open_values, close_world) +
           cmocka_run_group_tests(own, NULL, NULL);
}
