/* The catalog's tables and every statement over them.
 *
 * Each row carries a checksum over its other columns (`stoa_checksum` in sqlite.c): SQLite keeps none
 * over its pages, and a flipped bit in a number or a name must not become an answer. No
 * statement changes a row whose checksum does not match. Whole rows that vanish are found by the
 * counts in `stoa_meta` and in each snapshot.
 *
 * A file is live in the snapshots s with added_snapshot <= s < removed_snapshot. Snapshot ids are
 * commit ids, which grow through the whole catalog, so that one commit has the same id in every
 * table it wrote. Names of dropped tables and expired snapshots stay, marked with the commit that
 * did it, until no reader of an earlier commit is left.
 *
 * `iceberg_tables` and `iceberg_namespace_properties` are names that Iceberg's SQL catalog uses in a
 * file like this one; nothing here may take them. */
#include "table/sqlite.h"

const char stoa_catalog_layout[] =
    "CREATE TABLE stoa_meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE stoa_table("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL, name_folded TEXT UNIQUE, kind TEXT NOT NULL,"
    " schema_id INTEGER NOT NULL, snapshot_id INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " dropped_commit INTEGER, checksum INTEGER NOT NULL);"
    "CREATE TABLE stoa_schema("
    " table_id INTEGER NOT NULL REFERENCES stoa_table(id) ON DELETE CASCADE,"
    " schema_id INTEGER NOT NULL, json TEXT NOT NULL, checksum INTEGER NOT NULL,"
    " PRIMARY KEY(table_id, schema_id)) WITHOUT ROWID;"
    "CREATE TABLE stoa_snapshot("
    " table_id INTEGER NOT NULL REFERENCES stoa_table(id) ON DELETE CASCADE,"
    " snapshot_id INTEGER NOT NULL, parent_id INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " operation TEXT NOT NULL, schema_id INTEGER NOT NULL, row_count INTEGER NOT NULL,"
    " file_count INTEGER NOT NULL, byte_count INTEGER NOT NULL, expired_commit INTEGER,"
    " checksum INTEGER NOT NULL, PRIMARY KEY(table_id, snapshot_id)) WITHOUT ROWID;"
    "CREATE INDEX stoa_snapshot_expired ON stoa_snapshot(expired_commit)"
    " WHERE expired_commit IS NOT NULL;"
    "CREATE TABLE stoa_file("
    " id INTEGER PRIMARY KEY,"
    " table_id INTEGER NOT NULL REFERENCES stoa_table(id) ON DELETE CASCADE,"
    " path TEXT NOT NULL UNIQUE, row_count INTEGER NOT NULL, byte_count INTEGER NOT NULL,"
    " content_hash INTEGER NOT NULL, added_snapshot INTEGER NOT NULL, removed_snapshot INTEGER,"
    " checksum INTEGER NOT NULL);"
    "CREATE INDEX stoa_file_of_table ON stoa_file(table_id, added_snapshot);"
    "CREATE TABLE stoa_file_column("
    " file_id INTEGER NOT NULL REFERENCES stoa_file(id) ON DELETE CASCADE,"
    " field_id INTEGER NOT NULL, value_count INTEGER NOT NULL, null_count INTEGER NOT NULL,"
    " may_have_nan INTEGER NOT NULL, lower BLOB, upper BLOB, checksum INTEGER NOT NULL,"
    " PRIMARY KEY(file_id, field_id)) WITHOUT ROWID;"
    "INSERT INTO stoa_meta VALUES('commit_id', 0, stoa_checksum('commit_id', 0));"
    "INSERT INTO stoa_meta VALUES('table_count', 0, stoa_checksum('table_count', 0));"
    "INSERT INTO stoa_meta VALUES('snapshot_count', 0, stoa_checksum('snapshot_count', 0));";

const char stoa_catalog_object_layout[] =
    "CREATE TABLE IF NOT EXISTS stoa_commit(commit_id INTEGER PRIMARY KEY,"
    " time_ms INTEGER NOT NULL, checksum INTEGER NOT NULL);";

#define TABLE_COLUMNS                                                                              \
    "id, name, name_folded, kind, schema_id, snapshot_id, created_ms, dropped_commit"
#define TABLE_CHECK "checksum = stoa_checksum(" TABLE_COLUMNS ")"
#define SNAPSHOT_FACTS                                                                             \
    "table_id, snapshot_id, parent_id, time_ms, operation, schema_id, row_count, file_count, "     \
    "byte_count"
#define SNAPSHOT_COLUMNS SNAPSHOT_FACTS ", expired_commit"
#define SNAPSHOT_CHECK "checksum = stoa_checksum(" SNAPSHOT_COLUMNS ")"
#define FILE_FACTS "id, table_id, path, row_count, byte_count, content_hash, added_snapshot"
#define FILE_CHECK "checksum = stoa_checksum(" FILE_FACTS ", removed_snapshot)"
#define LIVE_IN "added_snapshot <= ?2 AND (removed_snapshot IS NULL OR removed_snapshot > ?2)"

/* Files that no snapshot needs (?1 is the horizon): of a dropped table, or with no snapshot left in
 * [added, removed). A table's current snapshot counts however it is marked, and so does everything
 * whose row is damaged: from such rows nothing is concluded that removes a file. */
#define GARBAGE                                                                                    \
    "FROM stoa_file f JOIN stoa_table t ON t.id = f.table_id"                                      \
    " WHERE f.checksum = stoa_checksum(f.id, f.table_id, f.path, f.row_count, f.byte_count,"       \
    "  f.content_hash, f.added_snapshot, f.removed_snapshot)"                                      \
    " AND t.checksum = stoa_checksum(t.id, t.name, t.name_folded, t.kind, t.schema_id,"            \
    "  t.snapshot_id, t.created_ms, t.dropped_commit)"                                             \
    " AND (t.dropped_commit <= ?1 OR ("                                                            \
    "  f.removed_snapshot IS NOT NULL AND f.removed_snapshot <= t.snapshot_id AND NOT EXISTS("     \
    "   SELECT 1 FROM stoa_snapshot s WHERE s.table_id = f.table_id"                               \
    "   AND s.snapshot_id >= f.added_snapshot AND s.snapshot_id < f.removed_snapshot"              \
    "   AND (s.expired_commit IS NULL OR s.expired_commit > ?1 OR s.checksum <> stoa_checksum("    \
    "    s.table_id, s.snapshot_id, s.parent_id, s.time_ms, s.operation, s.schema_id,"             \
    "    s.row_count, s.file_count, s.byte_count, s.expired_commit)))))"

const char *const stoa_sql_texts[STOA_SQL_COUNT] = {
    [STOA_SQL_BEGIN] = "BEGIN",
    [STOA_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STOA_SQL_COMMIT] = "COMMIT",
    [STOA_SQL_ROLLBACK] = "ROLLBACK",
    [STOA_SQL_DATA_VERSION] = "PRAGMA data_version",
    [STOA_SQL_META_GET] =
        "SELECT value, checksum = stoa_checksum(key, value) FROM stoa_meta WHERE key = ?1",
    [STOA_SQL_META_SET] = "UPDATE stoa_meta SET value = ?2, checksum = stoa_checksum(?1, ?2)"
                          " WHERE key = ?1",
    [STOA_SQL_TABLES] = "SELECT " TABLE_COLUMNS ", " TABLE_CHECK " FROM stoa_table ORDER BY id",
    [STOA_SQL_TABLE] = "SELECT " TABLE_COLUMNS ", " TABLE_CHECK " FROM stoa_table WHERE id = ?1",
    [STOA_SQL_TABLE_BY_NAME] = "SELECT id FROM stoa_table WHERE name_folded = ?1",
    [STOA_SQL_TABLE_COUNT] = "SELECT count(*) FROM stoa_table",
    [STOA_SQL_TABLE_INSERT] = "INSERT INTO stoa_table VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL,"
                              " stoa_checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL))",
    [STOA_SQL_TABLE_UPDATE] =
        "UPDATE stoa_table SET name = ?2, name_folded = ?3, schema_id = ?4, snapshot_id = ?5,"
        " dropped_commit = ?6, checksum ="
        " stoa_checksum(id, ?2, ?3, kind, ?4, ?5, created_ms, ?6) WHERE id = ?1",
    [STOA_SQL_SCHEMA] = "SELECT json, checksum = stoa_checksum(table_id, schema_id, json)"
                        " FROM stoa_schema WHERE table_id = ?1 AND schema_id = ?2",
    /* Replaces: a copy of state tables that is put back has versions that others were given after. */
    [STOA_SQL_SCHEMA_INSERT] =
        "INSERT OR REPLACE INTO stoa_schema VALUES(?1, ?2, ?3, stoa_checksum(?1, ?2, ?3))",
    [STOA_SQL_SNAPSHOT] = "SELECT " SNAPSHOT_FACTS ", " SNAPSHOT_CHECK ", expired_commit"
                          " FROM stoa_snapshot WHERE table_id = ?1 AND snapshot_id = ?2",
    [STOA_SQL_SNAPSHOTS] = "SELECT " SNAPSHOT_FACTS ", " SNAPSHOT_CHECK ", expired_commit"
                           " FROM stoa_snapshot ORDER BY snapshot_id",
    [STOA_SQL_SNAPSHOT_COUNT] = "SELECT count(*) FROM stoa_snapshot",
    [STOA_SQL_SNAPSHOT_INSERT] =
        "INSERT INTO stoa_snapshot VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL,"
        " stoa_checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL))",
    [STOA_SQL_FILES] = "SELECT " FILE_FACTS ", " FILE_CHECK
                       " FROM stoa_file WHERE table_id = ?1 AND " LIVE_IN
                       " ORDER BY added_snapshot, path",
    [STOA_SQL_FILE_COLUMNS] =
        "SELECT field_id, value_count, null_count, may_have_nan, lower, upper, checksum ="
        " stoa_checksum(file_id, field_id, value_count, null_count, may_have_nan, lower, upper)"
        " FROM stoa_file_column WHERE file_id = ?1 ORDER BY field_id",
    [STOA_SQL_FILE_INSERT] = "INSERT INTO stoa_file VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL,"
                             " stoa_checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL))",
    [STOA_SQL_FILE_COLUMN_INSERT] =
        "INSERT INTO stoa_file_column VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " stoa_checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7))",
    [STOA_SQL_FILE_REMOVE] = "UPDATE stoa_file SET removed_snapshot = ?3,"
                             " checksum = stoa_checksum(" FILE_FACTS ", ?3)"
                             " WHERE id = ?1 AND table_id = ?2 AND removed_snapshot IS NULL"
                             " AND " FILE_CHECK " RETURNING row_count, byte_count",
    [STOA_SQL_FILE_REMOVE_ALL] = "UPDATE stoa_file SET removed_snapshot = ?2,"
                                 " checksum = stoa_checksum(" FILE_FACTS ", ?2)"
                                 " WHERE table_id = ?1 AND removed_snapshot IS NULL"
                                 " AND " FILE_CHECK,
    [STOA_SQL_FILE_BY_PATH] = "SELECT id FROM stoa_file WHERE path = ?1",
    [STOA_SQL_EXPIRE] = "UPDATE stoa_snapshot SET expired_commit = ?3,"
                        " checksum = stoa_checksum(" SNAPSHOT_FACTS
                        ", ?3) WHERE table_id = ?1 AND time_ms < ?2"
                        " AND expired_commit IS NULL AND " SNAPSHOT_CHECK
                        " AND snapshot_id <> (SELECT snapshot_id FROM stoa_table WHERE id = ?1)",
    [STOA_SQL_GARBAGE] = "SELECT f.table_id, f.path " GARBAGE,
    [STOA_SQL_LIVE_TABLES] =
        "SELECT t.id, t.kind, coalesce(s.row_count, 0), t.checksum = stoa_checksum(t.id, t.name,"
        "  t.name_folded, t.kind, t.schema_id, t.snapshot_id, t.created_ms, t.dropped_commit)"
        " FROM stoa_table t LEFT JOIN stoa_snapshot s"
        "  ON s.table_id = t.id AND s.snapshot_id = t.snapshot_id"
        " WHERE t.name_folded IS NOT NULL ORDER BY t.id",
    [STOA_SQL_LIVE_FILES] = "SELECT path, byte_count, content_hash, " FILE_CHECK
                            " FROM stoa_file WHERE id NOT IN (SELECT f.id " GARBAGE ")"
                            " ORDER BY path",
    [STOA_SQL_HAS_GARBAGE] =
        "SELECT EXISTS(SELECT 1 FROM stoa_table WHERE dropped_commit IS NOT NULL)"
        " OR EXISTS(SELECT 1 FROM stoa_snapshot WHERE expired_commit IS NOT NULL)",
    [STOA_SQL_FORGET_FILES] = "DELETE FROM stoa_file WHERE id IN (SELECT f.id " GARBAGE ")",
    [STOA_SQL_FORGET_SNAPSHOTS] =
        "DELETE FROM stoa_snapshot WHERE expired_commit <= ?1 AND " SNAPSHOT_CHECK
        " AND snapshot_id <>"
        " (SELECT t.snapshot_id FROM stoa_table t WHERE t.id = stoa_snapshot.table_id)",
    [STOA_SQL_FORGET_TABLES] = "DELETE FROM stoa_table WHERE dropped_commit <= ?1 AND " TABLE_CHECK,
    [STOA_SQL_CHECK] = "PRAGMA integrity_check(1)",
    [STOA_SQL_COMMIT_TIME_INSERT] =
        "INSERT OR REPLACE INTO stoa_commit VALUES(?1, ?2, stoa_checksum(?1, ?2))",
    /* Clocks differ: a commit after one that is younger is no older than that. */
    [STOA_SQL_COMMIT_BEFORE] =
        "SELECT coalesce(max(commit_id), 0) FROM stoa_commit"
        " WHERE time_ms < ?1 AND checksum = stoa_checksum(commit_id, time_ms)"
        " AND commit_id < coalesce((SELECT min(commit_id) FROM stoa_commit"
        "  WHERE time_ms >= ?1 AND checksum = stoa_checksum(commit_id, time_ms)), ?2)",
    [STOA_SQL_COMMIT_TIME_FORGET] = "DELETE FROM stoa_commit WHERE commit_id < ?1",
};
