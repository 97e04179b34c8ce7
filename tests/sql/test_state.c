/* SQL over tables of the kind state: read, inserted by key, changed and deleted. */
#include <stoa/state.h>

#include "sql_world.h"

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

static void make(const char *table, const char *columns, const char *key) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    const stoa_state_table_options options = {.key = key};
    assert_ok(stoa_schema_parse(world.pool, columns, &schema, &err), err);
    assert_ok(stoa_state_create(world.db, table, schema, &options, &err), err);
    stoa_schema_close(schema);
}

static void flush(const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *state = NULL;
    assert_ok(stoa_state_open(world.db, table, &state, &err), err);
    assert_ok(stoa_state_flush(state, &err), err);
    stoa_state_close(state);
}

static void fails(const char *sql, stoa_status status, const char *part) {
    stoa_error err = STOA_ERROR_NONE;
    assert_fails(sql_try(&world, sql, &err), status, part, err);
}

static void an_insert_replaces_the_row_of_its_key(void **state) {
    (void)state;
    make("t", "user long not null, name string, total double", "user");
    sql_expect(&world, "SELECT * FROM t", "");
    sql_expect(&world, "INSERT INTO t VALUES (2, 'b', 2.5), (1, 'a', 1.5)", "");
    assert_int_equal(world.info.rows_changed, 2);
    sql_expect(&world, "INSERT INTO t (user, name) VALUES (1, 'a name of more than twelve bytes')",
               "");
    sql_expect(&world, "SELECT * FROM t ORDER BY user",
               "1 | a name of more than twelve bytes | NULL\n2 | b | 2.5\n");
    sql_expect(&world, "INSERT INTO t SELECT user + 10, upper(name), total FROM t", "");
    sql_expect(&world, "SELECT user, name FROM t WHERE user > 10 ORDER BY user",
               "11 | A NAME OF MORE THAN TWELVE BYTES\n12 | B\n");
    sql_expect(&world, "SELECT count(*), count(total), sum(user) FROM t", "4 | 2 | 26\n");
    fails("INSERT INTO t VALUES (NULL, 'x', 1)", STOA_INVALID, "user");
    sql_expect(&world, "SELECT count(*) FROM t", "4\n");
}

static void conditions_go_down_to_keys_and_columns(void **state) {
    (void)state;
    make("t", "a string not null, b int not null, v long, seen timestamp_ms, l list<string>",
         "a, b desc");
    sql_expect(&world,
               "INSERT INTO t SELECT 'key ' || i % 1000, i // 1000, i, "
               "TIMESTAMP '2024-01-01' + to_milliseconds(i), ['item', 'a longer item ' || i] "
               "FROM range(200000) r(i)",
               "");
    for (int round = 0; round < 2; round++) {
        sql_expect(&world, "SELECT v FROM t WHERE a = 'key 7' AND b = 100", "100007\n");
        sql_expect(&world, "SELECT count(*), min(b), max(b) FROM t WHERE a = 'key 7'",
                   "200 | 0 | 199\n");
        sql_expect(&world, "SELECT count(*) FROM t WHERE a = 'key 7' AND b < 50", "50\n");
        sql_expect(&world, "SELECT count(*) FROM t WHERE a >= 'key 998' AND b >= 190", "20\n");
        sql_expect(&world, "SELECT count(*) FROM t WHERE a IN ('key 1', 'key 2', 'nobody')",
                   "400\n");
        sql_expect(&world, "SELECT a, l FROM t WHERE v = 123456",
                   "key 456 | [item, a longer item 123456]\n");
        sql_expect(&world,
                   "SELECT count(*) FROM t WHERE seen < TIMESTAMP '2024-01-01 00:00:00.010001'",
                   "11\n");
        sql_expect(&world, "SELECT count(*) FROM t JOIN t AS u USING (a, b) WHERE t.v < 10",
                   "10\n");
        sql_expect(&world, "SELECT v FROM t ORDER BY v DESC LIMIT 2", "199999\n199998\n");
        flush("t");
    }
}

static void a_transaction_reads_one_moment_and_commits_at_once(void **state) {
    (void)state;
    make("t", "k long not null, v long", "k");
    make("u", "k long not null, v long", "k");
    sql_expect(&world, "INSERT INTO t VALUES (1, 1), (2, 2)", "");
    sql_expect(&world, "BEGIN", "");
    sql_expect(&world, "INSERT INTO u SELECT * FROM t", "");
    sql_expect(&world, "INSERT INTO t VALUES (3, 3)", "");
    fails("SELECT * FROM t", STOA_UNSUPPORTED, "'t'");
    sql_expect(&world, "ROLLBACK", "");
    sql_expect(&world, "SELECT count(*) FROM t", "2\n");
    sql_expect(&world, "BEGIN", "");
    sql_expect(&world, "INSERT INTO u SELECT * FROM t", "");
    sql_expect(&world, "INSERT INTO t VALUES (3, 3)", "");
    sql_expect(&world, "COMMIT", "");
    sql_expect(&world, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)", "3 | 2\n");
    sql_expect(&world, "CREATE TABLE p AS SELECT * FROM t", "");
    sql_expect(&world, "BEGIN", "");
    sql_expect(&world, "INSERT INTO p VALUES (4, 4)", "");
    sql_expect(&world, "INSERT INTO t VALUES (4, 4)", "");
    fails("COMMIT", STOA_UNSUPPORTED, "'p'");
    sql_expect(&world, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM p)", "3 | 3\n");
}

static void rows_are_deleted_and_updated_by_key(void **state) {
    (void)state;
    make("t", "k long not null, name string, v long", "k");
    sql_expect(&world, "INSERT INTO t SELECT i, 'n' || i, i * 10 FROM range(100) r(i)", "");
    sql_expect(&world, "DELETE FROM t WHERE k >= 10", "");
    assert_int_equal(world.info.rows_changed, 90);
    sql_expect(&world, "DELETE FROM t WHERE v = 5", "");
    assert_int_equal(world.info.rows_changed, 0);
    sql_expect(&world, "UPDATE t SET v = v + 1, name = upper(name) WHERE k < 3", "");
    assert_int_equal(world.info.rows_changed, 3);
    sql_expect(&world, "SELECT * FROM t WHERE k < 4 ORDER BY k",
               "0 | N0 | 1\n1 | N1 | 11\n2 | N2 | 21\n3 | n3 | 30\n");
    sql_expect(&world, "UPDATE t AS x SET k = x.k + 1 WHERE x.k >= 5", ""); /* keys move up */
    assert_int_equal(world.info.rows_changed, 5);
    sql_expect(&world, "SELECT k, v FROM t WHERE k >= 4 ORDER BY k",
               "4 | 40\n6 | 50\n7 | 60\n8 | 70\n9 | 80\n10 | 90\n");
    fails("UPDATE t SET v = 'text' WHERE k = 1", STOA_INVALID, "v");
    fails("UPDATE t SET k = NULL WHERE k = 1", STOA_INVALID, "k");
    fails("UPDATE t SET nobody = 1", STOA_INVALID, "nobody");
    sql_expect(&world, "UPDATE t SET v = (SELECT max(v) FROM t) WHERE k IN (SELECT min(k) FROM t)",
               "");
    sql_expect(&world, "SELECT v FROM t WHERE k = 0", "90\n");
    flush("t");
    sql_expect(&world, "DELETE FROM t WHERE name = 'n9'", "");
    sql_expect(&world, "SELECT count(*) FROM t", "9\n");
    sql_expect(&world, "TRUNCATE t", "");
    sql_expect(&world, "SELECT count(*) FROM t", "0\n");
}

static void who_changes_a_row_first_wins(void **state) {
    (void)state;
    make("t", "k long not null, v long", "k");
    sql_expect(&world, "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)", "");
    stoa_error err = STOA_ERROR_NONE;
    stoa_session *other = NULL;
    assert_ok(stoa_session_open(world.db, &other, &err), err);
    sql_expect(&world, "BEGIN", "");
    sql_expect(&world, "UPDATE t SET v = v + 1 WHERE k = 1", "");
    assert_ok(sql_try_with(&world, other, "UPDATE t SET v = v + 5 WHERE k = 2", NULL, &err), err);
    sql_expect(&world, "COMMIT", "");
    sql_expect(&world, "BEGIN", "");
    sql_expect(&world, "UPDATE t SET v = v + 1 WHERE k = 1", "");
    assert_ok(sql_try_with(&world, other, "DELETE FROM t WHERE k = 1", NULL, &err), err);
    fails("COMMIT", STOA_CONFLICT, "somebody else");
    sql_expect(&world, "SELECT * FROM t ORDER BY k", "2 | 25\n3 | 30\n");
    stoa_session_close(other);
}

static void a_primary_key_makes_a_state_table(void **state) {
    (void)state;
    sql_expect(&world, "CREATE TABLE t (user BIGINT PRIMARY KEY, total DOUBLE)", "");
    sql_expect(&world, "INSERT INTO t VALUES (1, 1), (2, 2)", "");
    sql_expect(&world, "INSERT INTO t VALUES (1, 3)", "");
    sql_expect(&world, "SELECT * FROM t ORDER BY user", "1 | 3.0\n2 | 2.0\n");
    sql_expect(&world,
               "CREATE TABLE IF NOT EXISTS u (v DECIMAL(9, 2), \"a, b\" VARCHAR, "
               "primary key (\"a, b\", v))",
               "");
    sql_expect(&world, "INSERT INTO u VALUES (1.5, 'x'), (1.5, 'x'), (2, 'x')", "");
    sql_expect(&world, "SELECT * FROM u ORDER BY v", "1.50 | x\n2.00 | x\n");
    fails("INSERT INTO u VALUES (NULL, 'y')", STOA_INVALID, "v");
    fails("CREATE TABLE w (a INT, PRIMARY KEY (b))", STOA_INVALID, "b");
    fails("CREATE TABLE w (a INT PRIMARY KEY, b INT PRIMARY KEY)", STOA_INVALID, "primary key");
    sql_expect(&world, "BEGIN", "");
    sql_expect(&world, "CREATE TABLE w (a INT PRIMARY KEY)", "");
    sql_expect(&world, "INSERT INTO w VALUES (1)", "");
    sql_expect(&world, "COMMIT", "");
    sql_expect(&world, "SELECT * FROM w", "1\n");
}

static void columns_are_altered(void **state) {
    (void)state;
    make("t", "user long not null, count int not null, ratio float", "user");
    sql_expect(&world, "INSERT INTO t VALUES (1, 7, 0.5)", "");
    sql_expect(&world, "ALTER TABLE t ADD COLUMN \"a place\" STRUCT(lat DOUBLE, lon DOUBLE)", "");
    sql_expect(&world, "ALTER TABLE t ADD note VARCHAR", "");
    sql_expect(&world, "ALTER TABLE t ALTER COLUMN count SET DATA TYPE BIGINT", "");
    sql_expect(&world, "ALTER TABLE t ALTER count DROP NOT NULL", "");
    sql_expect(&world, "ALTER TABLE t RENAME COLUMN count TO total", "");
    sql_expect(&world, "ALTER TABLE t DROP COLUMN ratio", "");
    sql_expect(&world, "ALTER TABLE IF EXISTS nobody DROP COLUMN ratio", "");
    sql_expect(&world, "INSERT INTO t VALUES (2, NULL, {lat: 1, lon: 2}, 'x')", "");
    sql_expect(&world, "UPDATE t SET total = total + 4000000000 WHERE total > 5", "");
    sql_expect(&world, "SELECT user, total, \"a place\".lon, note FROM t ORDER BY user",
               "1 | 4000000007 | NULL | NULL\n2 | NULL | 2.0 | x\n");
    fails("ALTER TABLE t DROP user", STOA_INVALID, "of the key");
    fails("ALTER TABLE t ALTER total TYPE SMALLINT", STOA_INVALID, "total");
    fails("ALTER TABLE t ADD COLUMN note INT", STOA_INVALID, "note");
    fails("ALTER TABLE t ADD COLUMN", STOA_INVALID, "the statement ends");
    fails("ALTER TABLE t ALTER total TYPE BIGINT, b INT", STOA_INVALID, "a type alone");
    fails("ALTER TABLE t ADD COLUMN b NOTYPE", STOA_INVALID, "NOTYPE");
    sql_expect(&world, "BEGIN", "");
    fails("ALTER TABLE t DROP note", STOA_UNSUPPORTED, "within a transaction");
    sql_expect(&world, "ROLLBACK", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_insert_replaces_the_row_of_its_key),
        TEST(conditions_go_down_to_keys_and_columns),
        TEST(a_transaction_reads_one_moment_and_commits_at_once),
        TEST(rows_are_deleted_and_updated_by_key),
        TEST(who_changes_a_row_first_wins),
        TEST(a_primary_key_makes_a_state_table),
        TEST(columns_are_altered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
