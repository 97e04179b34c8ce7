/* Statements over tables in memory and of Parquet files: the same text, the same answers. */
#include "sql_world.h"

static sql_world world;

static int in_memory(void **state) {
    (void)state;
    sql_world_open(&world, true);
    return 0;
}
static int in_directory(void **state) {
    (void)state;
    sql_world_open(&world, false);
    return 0;
}
static int end(void **state) {
    (void)state;
    sql_world_close(&world);
    return 0;
}

static void rows_that_are_inserted_are_selected(void **state) {
    (void)state;
    sql_expect(&world, "CREATE TABLE t (a BIGINT NOT NULL, b VARCHAR, c DECIMAL(5,2))", "");
    sql_expect(&world, "SELECT count(*) FROM t", "0\n");
    sql_change(&world, "INSERT INTO t VALUES (1, 'one', 1.25), (2, NULL, NULL)", 2);
    sql_change(&world, "INSERT INTO T (b, a) SELECT 'n' || i, i FROM range(3, 6) r(i)", 3);
    sql_change(&world, "INSERT INTO t BY NAME SELECT 'six' AS b, 6 AS a", 1);
    sql_change(&world, "INSERT INTO t VALUES (7, DEFAULT, 7)", 1);
    sql_change(&world, "WITH x AS (SELECT 8 AS v) INSERT INTO t SELECT v, 'cte', v FROM x", 1);
    sql_expect(&world, "SELECT * FROM t ORDER BY a",
               "1 | one | 1.25\n2 | NULL | NULL\n3 | n3 | NULL\n4 | n4 | NULL\n5 | n5 | NULL\n"
               "6 | six | NULL\n7 | NULL | 7.00\n8 | cte | 8.00\n");
    sql_expect(&world, "SELECT x.a, y.b FROM t x JOIN main.t y ON x.a = y.a + 1 WHERE y.a = 1",
               "2 | one\n");
}

static void tables_are_made_from_queries(void **state) {
    (void)state;
    sql_change(&world, "CREATE TABLE n AS SELECT i, i % 3 AS k FROM range(10) r(i)", 10);
    sql_change(&world, "CREATE TABLE m (x, y) AS SELECT i, k FROM n WHERE i < 4", 4);
    sql_expect(&world, "SELECT y, sum(x) FROM m GROUP BY y ORDER BY y", "0 | 3\n1 | 1\n2 | 2\n");
    sql_fails(&world, "CREATE TABLE n AS SELECT 1", STOA_EXISTS, "'n'");
    sql_change(&world, "CREATE TABLE IF NOT EXISTS n AS SELECT 1", 0);
    sql_change(&world, "CREATE OR REPLACE TABLE n AS SELECT 'x' AS only", 1);
    sql_expect(&world, "SELECT * FROM n", "x\n");
    sql_change(&world, "CREATE TABLE e AS SELECT * FROM m WITH NO DATA", 0);
    sql_expect(&world, "SELECT count(*), max(x) FROM e", "0 | NULL\n");
    sql_expect(&world, "SHOW TABLES", "e\nm\nn\n");
    sql_expect(&world, "CREATE OR REPLACE TABLE m (z DATE)", "");
    sql_expect(&world, "SELECT column_name, column_type FROM (DESCRIBE m)", "z | DATE\n");
    sql_expect(&world, "DROP TABLE e, m", "");
    sql_expect(&world, "DROP TABLE IF EXISTS e", "");
    sql_fails(&world, "DROP TABLE e", STOA_NOT_FOUND, "'e'");
    sql_expect(&world, "ALTER TABLE n RENAME TO \"new name\"", "");
    sql_expect(&world, "SELECT * FROM \"new name\"", "x\n");
    sql_expect(&world, "SHOW ALL TABLES", "stoa | main | new name | [only] | [VARCHAR] | false\n");
}

static void rows_are_deleted_and_updated(void **state) {
    (void)state;
    sql_expect(&world, "CREATE TABLE t AS SELECT i AS a, 'n' || i AS b FROM range(1000) r(i)", "");
    sql_change(&world, "INSERT INTO t SELECT i, NULL FROM range(1000, 2000) r(i)", 1000);
    sql_change(&world, "DELETE FROM t WHERE a >= 1500 OR a = 3", 501);
    sql_expect(&world, "SELECT count(*), sum(a), count(b) FROM t", "1499 | 1124247 | 999\n");
    sql_change(&world, "DELETE FROM t WHERE b IS NULL AND b = 'x'", 0);
    sql_change(&world, "DELETE FROM t AS x WHERE x.a IN (SELECT max(a) FROM t)", 1);
    sql_change(&world, "UPDATE t SET b = upper(b) || '!', a = -a WHERE a < 2 -- two rows", 2);
    sql_change(&world, "UPDATE t x SET b = NULL WHERE x.a = 2", 1);
    sql_expect(&world, "SELECT a, b FROM t WHERE a < 5 ORDER BY a",
               "-1 | N1!\n0 | N0!\n2 | NULL\n4 | n4\n");
    sql_change(&world, "UPDATE t SET b = DEFAULT", 1498);
    sql_expect(&world, "SELECT count(b), count(*) FROM t", "0 | 1498\n");
    sql_change(&world, "DELETE FROM t", 1498);
    sql_expect(&world, "SELECT count(*) FROM t", "0\n");
    sql_change(&world, "DELETE FROM t WHERE a = 1", 0);
    sql_change(&world, "INSERT INTO t VALUES (1, 'x')", 1);
    sql_change(&world, "TRUNCATE TABLE t", 1);
    sql_expect(&world, "SELECT * FROM t", "");
}

static void names_may_hold_anything(void **state) {
    (void)state;
    sql_expect(&world,
               "CREATE TABLE \"we.ird \"\"t\"\" ü\" (\"a b\" INT, \"c\"\"d\" INT, \"é\" INT)", "");
    sql_change(&world, "INSERT INTO \"we.ird \"\"t\"\" ü\" (\"é\", \"a b\") VALUES (3, 1)", 1);
    sql_change(&world, "UPDATE \"we.ird \"\"t\"\" ü\" SET \"c\"\"d\" = \"a b\" + 1", 1);
    sql_expect(&world, "SELECT * FROM \"WE.IRD \"\"t\"\" ü\" WHERE \"é\" = 3", "1 | 2 | 3\n");
    sql_expect(&world, "SHOW TABLES", "we.ird \"t\" ü\n");
}

static void bad_statements_say_what_and_where(void **state) {
    (void)state;
    sql_expect(&world, "CREATE TABLE orders (id BIGINT NOT NULL, total DECIMAL(5,2))", "");
    sql_fails(&world, "SELEKT 1", STOA_INVALID, "syntax error at or near \"SELEKT\"\nSELEKT 1\n^");
    sql_fails(&world, "SELECT *\nFROM orders\nWHERE bogus = 1", STOA_INVALID,
              "WHERE bogus = 1\n      ^");
    sql_fails(&world, "SELECT * FROM ordes", STOA_INVALID, "'orders'");
    sql_fails(&world, "INSERT INTO orders VALUES (1)", STOA_INVALID, "expected 2 values");
    sql_fails(&world, "INSERT INTO orders VALUES (1, 12345)", STOA_INVALID,
              "column 'total': expected decimal(5, 2) but found '12345'");
    sql_fails(&world, "INSERT INTO orders VALUES ('x', 1)", STOA_INVALID,
              "column 'id': expected long but found 'x'");
    sql_fails(&world, "INSERT INTO orders VALUES (NULL, 1)", STOA_INVALID, "column 'id'");
    sql_fails(&world, "INSERT INTO orders (total) VALUES (1)", STOA_INVALID, "column 'id'");
    sql_fails(&world, "INSERT INTO orders (id, nope) VALUES (1, 1)", STOA_INVALID, "'nope'");
    sql_fails(&world, "INSERT INTO orders (id, id) VALUES (1, 1)", STOA_INVALID, "twice");
    sql_fails(&world, "INSERT INTO nope VALUES (1)", STOA_NOT_FOUND, "'nope'");
    sql_fails(&world, "UPDATE orders SET nope = 1", STOA_INVALID, "'nope'");
    sql_fails(&world, "SELECT 1; SELECT 2", STOA_INVALID, "one statement");
    sql_fails(&world, " ; ", STOA_INVALID, "no statement");
    sql_fails(&world, "SELECT 'open", STOA_INVALID, "string");
    sql_fails(&world, "SELECT * FROM 'nothing-here.csv'", STOA_IO, "nothing-here.csv");
    sql_expect(&world, "SELECT count(*) FROM orders", "0\n");
}

static void the_position_counts_from_the_users_first_byte(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    sql_expect(&world, "CREATE TABLE t (a INT)", "");
    assert_fails(sql_try(&world, "  SELECT nope FROM t", &err), STOA_INVALID, "nope", err);
    assert_int_equal(err.query_offset, 9);
    assert_fails(sql_try(&world, "INSERT INTO t SELECT nope FROM t", &err), STOA_INVALID, "nope",
                 err);
    assert_int_equal(err.query_offset, 21);
    assert_fails(sql_try(&world, "DELETE FROM t WHERE nope = 1", &err), STOA_INVALID, "nope", err);
    assert_int_equal(err.query_offset, 20);
    sql_change(&world, "INSERT INTO t VALUES (1)", 1);
    assert_fails(sql_try(&world, "DELETE FROM t WHERE nope = 1", &err), STOA_INVALID, "nope", err);
    assert_int_equal(err.query_offset, 20);
    assert_fails(sql_try(&world, "CREATE TABLE u (a INT, b NOPE)", &err), STOA_INVALID, "NOPE",
                 err);
}

static void what_is_not_offered_is_named(void **state) {
    (void)state;
    static const char *const statements[][2] = {
        {"INSERT INTO t VALUES (1) RETURNING a", "RETURNING"},
        {"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "ON CONFLICT"},
        {"INSERT OR REPLACE INTO t VALUES (1)", "INSERT OR REPLACE"},
        {"DELETE FROM t USING u WHERE t.a = u.a", "DELETE … USING"},
        {"UPDATE t SET a = u.a FROM u", "UPDATE … FROM"},
        {"UPDATE t SET (a, b) = (1, 2)", "SET (a, b)"},
        {"CREATE OR REPLACE TABLE x (a INT PRIMARY KEY)", "OR REPLACE with PRIMARY KEY"},
        {"CREATE TABLE x (a INT PRIMARY KEY, b INT) PARTITIONED BY (b)", "partitioning"},
        {"ALTER TABLE t ADD COLUMN b INT PRIMARY KEY", "PRIMARY KEY"},
        {"CREATE TABLE x (a INT UNIQUE)", "UNIQUE"},
        {"CREATE TABLE x (a INT CHECK (a > 1))", "CHECK"},
        {"CREATE TABLE x (a INT REFERENCES t (a))", "REFERENCES"},
        {"CREATE TABLE x (a INT, b INT GENERATED ALWAYS AS (a + 1))", "GENERATED"},
        {"CREATE TABLE x (a INT DEFAULT 3)", "DEFAULT"},
        {"CREATE INDEX i ON t (a)", "CREATE INDEX"},
        {"CREATE VIEW v AS SELECT 1", "CREATE VIEW"},
        {"CREATE SCHEMA s", "CREATE SCHEMA"},
        {"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "MERGE"},
        {"ATTACH 'x.duckdb'", "ATTACH"},
        {"COPY t FROM 'x.csv'", "COPY … FROM"},
        {"ALTER TABLE t SET SCHEMA x", "ALTER TABLE"},
        {"ALTER TABLE t ADD COLUMN b INT", "a kind that cannot change its columns"},
        {"ALTER TABLE t ADD COLUMN b INT DEFAULT 3", "DEFAULT"},
        {"ALTER TABLE t ALTER a TYPE BIGINT USING a + 1", "USING"},
        {"ALTER TABLE t ALTER a SET DEFAULT 3", "ALTER COLUMN"},
        {"ALTER TABLE t DROP COLUMN IF EXISTS a", "IF EXISTS"},
        {"SET memory_limit = '8GB'", "setting"},
        {"SET threads TO 8", "setting"},
        {"PRAGMA memory_limit = '8GB'", "setting"},
        {"PREPARE p AS SELECT 1", "PREPARE"},
    };
    sql_expect(&world, "CREATE TABLE t (a INT)", "");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        sql_fails(&world, statements[i][0], STOA_UNSUPPORTED, statements[i][1]);
    }
    sql_fails(&world, "SELECT '1010'::BIT AS bits", STOA_UNSUPPORTED, "'bits'");
    sql_expect(&world, "UPDATE t SET a = 1 WHERE a IS DISTINCT FROM 1", "");
}

static void what_is_temporary_stays_in_the_session(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_session *other;
    sql_expect(&world, "CREATE TABLE t AS SELECT 1 AS a", "");
    sql_expect(&world, "CREATE TEMP VIEW v AS SELECT a + 1 AS b FROM t", "");
    sql_expect(&world, "CREATE TEMP TABLE mine AS SELECT * FROM v", "");
    sql_expect(&world, "INSERT INTO mine VALUES (5)", NULL);
    sql_expect(&world, "UPDATE mine SET b = 6 WHERE b = 5", NULL);
    sql_expect(&world, "SELECT * FROM mine ORDER BY b", "2\n6\n");
    sql_change(&world, "INSERT INTO t VALUES (10)", 1);
    sql_expect(&world, "SELECT sum(b) FROM v", "13\n");
    sql_expect(&world, "SHOW TABLES", "mine\nt\nv\n");
    assert_ok(stoa_session_open(world.db, &other, &err), err);
    assert_fails(sql_try_with(&world, other, "SELECT * FROM mine", NULL, &err), STOA_INVALID,
                 "mine", err);
    stoa_session_close(other);
    sql_expect(&world, "DROP TABLE mine", "");
    sql_expect(&world, "SHOW TABLES", "t\nv\n");
}

static void files_are_read_and_written_by_name(void **state) {
    (void)state;
    char sql[1200];
    char folder[SUPPORT_PATH_BYTES];
    support_temp_directory(folder);
    sql_expect(&world, "CREATE TABLE t AS SELECT i AS a, 'x' || i AS b FROM range(5) r(i)", "");
    snprintf(sql, sizeof sql, "COPY t TO '%s/t.csv'", folder);
    sql_change(&world, sql, 5);
    snprintf(sql, sizeof sql, "SELECT sum(t.a), count(f.b) FROM t JOIN '%s/t.csv' f USING (a)",
             folder);
    sql_expect(&world, sql, "10 | 5\n");
    snprintf(sql, sizeof sql, "COPY (SELECT * FROM t WHERE a > 2) TO '%s/t.parquet'", folder);
    sql_change(&world, sql, 2);
    snprintf(sql, sizeof sql, "INSERT INTO t SELECT * FROM '%s/t.parquet'", folder);
    sql_change(&world, sql, 2);
}

static void names_of_columns_are_unique(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    assert_ok(stoa_session_run(world.session, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS A", NULL,
                               &stream, NULL, &err),
              err);
    assert_ok(stoa_stream_schema(&stream, &schema, &err), err);
    assert_string_equal(schema.children[0]->name, "a");
    assert_string_equal(schema.children[1]->name, "a_1");
    assert_string_equal(schema.children[2]->name, "a_1_1");
    assert_string_equal(schema.children[3]->name, "A");
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
}

#define BOTH(name)                                                                                 \
    {#name " (memory)", name, in_memory, end, NULL}, {                                             \
        #name " (parquet)", name, in_directory, end, NULL                                          \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(rows_that_are_inserted_are_selected),
        BOTH(tables_are_made_from_queries),
        BOTH(rows_are_deleted_and_updated),
        BOTH(names_may_hold_anything),
        BOTH(bad_statements_say_what_and_where),
        BOTH(the_position_counts_from_the_users_first_byte),
        BOTH(what_is_not_offered_is_named),
        BOTH(what_is_temporary_stays_in_the_session),
        BOTH(files_are_read_and_written_by_name),
        BOTH(names_of_columns_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
