/* Reading the catalog: views, schemas, snapshots, lists of files. Each question is one read
 * transaction on the reading connection, under its lock; everything read is checked (checksums of
 * rows, counts against sums), because a damaged catalog must not become a wrong answer. */
#include <string.h>

#include "table/internal.h"
#include "table/names.h"
#include "table/sqlite.h"

stoa_status stoa_catalog_begin_read(stoa_catalog *catalog, stoa_error *err) {
    (void)pthread_mutex_lock(&catalog->read_lock);
    stoa_status status = STOA_OK;
    if (catalog->file_systems != NULL) {
        status = stoa_catalog_object_refresh(catalog, err);
    }
    if (status == STOA_OK) {
        status = stoa_sqlite_run(&catalog->reader, STOA_SQL_BEGIN, err, "");
    }
    if (status != STOA_OK) {
        (void)pthread_mutex_unlock(&catalog->read_lock);
    }
    return status;
}

/* Statements that a failure left in the middle of their rows would hold the transaction open. */
void stoa_catalog_end_read(stoa_catalog *catalog) {
    for (int i = 0; i < STOA_SQL_COUNT; i++) {
        if (catalog->reader.statements[i] != NULL) {
            (void)sqlite3_reset(catalog->reader.statements[i]);
        }
    }
    STOA_IGNORE(stoa_sqlite_run(&catalog->reader, STOA_SQL_ROLLBACK, NULL, ""));
    (void)pthread_mutex_unlock(&catalog->read_lock);
}

static stoa_status read_number(stoa_catalog *catalog, stoa_sql which, const char *key, int64_t *out,
                               stoa_error *err) {
    sqlite3_stmt *statement = NULL;
    bool row = false;
    STOA_TRY(
        stoa_sqlite_prepare(&catalog->reader, which, &statement, err, key == NULL ? "" : "t", key));
    STOA_TRY(stoa_sqlite_step(statement, &row, err));
    if (!row) {
        return stoa_fail(err, STOA_CORRUPT, "the catalog has no '%s'", key == NULL ? "" : key);
    }
    if (which == STOA_SQL_META_GET) {
        STOA_TRY(stoa_sqlite_intact(statement, 1, err));
    }
    stoa_status status = stoa_sqlite_i64(statement, 0, INT64_MIN, INT64_MAX, out, err);
    (void)sqlite3_reset(statement);
    return status;
}

/* Under read_lock. */
static stoa_status read_data_version(stoa_catalog *catalog, int64_t *out, stoa_error *err) {
    if (catalog->file_systems == NULL) {
        return read_number(catalog, STOA_SQL_DATA_VERSION, NULL, out, err);
    }
    *out = catalog->generation;
    return STOA_OK;
}

stoa_status stoa_catalog_data_version(stoa_catalog *catalog, int64_t *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&catalog->read_lock);
    if (catalog->file_systems != NULL) {
        status = stoa_catalog_object_refresh(catalog, err);
    }
    if (status == STOA_OK) {
        status = read_data_version(catalog, out, err);
    }
    (void)pthread_mutex_unlock(&catalog->read_lock);
    return status;
}

stoa_status stoa_catalog_commit_before(stoa_catalog *catalog, int64_t time_ms,
                                       int64_t *out_commit_id, stoa_error *err) {
    *out_commit_id = 0;
    if (catalog->file_systems == NULL) {
        return STOA_OK;
    }
    sqlite3_stmt *statement = NULL;
    bool row = false;
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_COMMIT_BEFORE, &statement, err, "ii",
                                   time_ms, INT64_MAX));
    STOA_CHECK(stoa_sqlite_step(statement, &row, err));
    if (row) {
        status = stoa_sqlite_i64(statement, 0, 0, INT64_MAX, out_commit_id, err);
    }

done:
    stoa_catalog_end_read(catalog);
    return status;
}

stoa_status stoa_catalog_commit_id(stoa_catalog *catalog, int64_t *out, stoa_error *err) {
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = read_number(catalog, STOA_SQL_META_GET, "commit_id", out, err);
    stoa_catalog_end_read(catalog);
    return status;
}

static stoa_status read_schema(stoa_catalog *catalog, int64_t table_id, int64_t schema_id,
                               const stoa_schema **out, stoa_partition_spec **out_spec,
                               stoa_error *err) {
    sqlite3_stmt *statement = NULL;
    bool row = false;
    const char *json = NULL;
    STOA_TRY(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_SCHEMA, &statement, err, "ii", table_id,
                                 schema_id));
    STOA_TRY(stoa_sqlite_step(statement, &row, err));
    if (!row) {
        return stoa_fail(err, STOA_CORRUPT,
                         "the catalog has no schema %" PRId64 " of table %" PRId64, schema_id,
                         table_id);
    }
    STOA_TRY(stoa_sqlite_intact(statement, 1, err));
    STOA_TRY(stoa_sqlite_text(statement, 0, &json, err));
    size_t size = (size_t)sqlite3_column_bytes(statement, 0);
    stoa_status status = stoa_schema_from_json(catalog->pool, json, size, out, err);
    if (status == STOA_OK) {
        status = stoa_partition_spec_from_json(catalog->pool, *out, json, size, out_spec, err);
        if (status != STOA_OK) {
            stoa_schema_close(*out);
            *out = NULL;
        }
    }
    if (status == STOA_INVALID) { /* what a person wrote is invalid; what we wrote is damaged */
        status = STOA_CORRUPT;
        stoa_wrap(err, "schema %" PRId64 " of table %" PRId64, schema_id, table_id);
        if (err != NULL) {
            err->status = STOA_CORRUPT;
        }
    }
    (void)sqlite3_reset(statement);
    return status;
}

/* A row of SNAPSHOT_FACTS with its check after them. */
static stoa_status parse_snapshot(sqlite3_stmt *row, stoa_snapshot *out, stoa_error *err) {
    int64_t schema_id = 0, bytes = 0;
    const char *operation = NULL;
    STOA_TRY(stoa_sqlite_intact(row, 9, err));
    STOA_TRY(stoa_sqlite_i64(row, 1, 1, INT64_MAX, &out->snapshot_id, err));
    STOA_TRY(stoa_sqlite_i64(row, 2, 0, INT64_MAX, &out->parent_id, err));
    STOA_TRY(stoa_sqlite_i64(row, 3, INT64_MIN, INT64_MAX, &out->time_ms, err));
    STOA_TRY(stoa_sqlite_text(row, 4, &operation, err));
    STOA_TRY(stoa_sqlite_i64(row, 5, 0, INT32_MAX, &schema_id, err));
    STOA_TRY(stoa_sqlite_i64(row, 6, 0, INT64_MAX, &out->totals.row_count, err));
    STOA_TRY(stoa_sqlite_i64(row, 7, 0, INT64_MAX, &out->totals.part_count, err));
    STOA_TRY(stoa_sqlite_i64(row, 8, 0, INT64_MAX, &bytes, err));
    out->schema_id = (int32_t)schema_id;
    out->totals.byte_count = (uint64_t)bytes;
    out->operation = stoa_snapshot_operation_parse(operation);
    if (out->operation == STOA_SNAPSHOT_NONE) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: expected a snapshot's operation but found "
                         "'%.40s'",
                         operation);
    }
    return STOA_OK;
}

static stoa_status read_snapshot(stoa_catalog *catalog, int64_t table_id, int64_t snapshot_id,
                                 bool *out_found, bool *out_expired, stoa_snapshot *out,
                                 stoa_error *err) {
    sqlite3_stmt *statement = NULL;
    STOA_TRY(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_SNAPSHOT, &statement, err, "ii",
                                 table_id, snapshot_id));
    STOA_TRY(stoa_sqlite_step(statement, out_found, err));
    if (!*out_found) {
        return STOA_OK;
    }
    *out_expired = sqlite3_column_type(statement, 10) != SQLITE_NULL;
    stoa_status status = parse_snapshot(statement, out, err);
    (void)sqlite3_reset(statement);
    return status;
}

static bool entry_unchanged(const stoa_entry *entry, const char *name, const char *kind,
                            int64_t schema_id, int64_t snapshot_id) {
    return entry->snapshot.snapshot_id == snapshot_id && entry->schema->schema_id == schema_id &&
           strcmp(entry->name, name) == 0 && strcmp(entry->kind_name, kind) == 0;
}

static stoa_status entry_facts_check(const stoa_entry_facts *facts, stoa_error *err) {
    if (facts->snapshot.snapshot_id != 0 && facts->snapshot.schema_id > facts->schema->schema_id) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: table '%s' has schema %d but its snapshot has "
                         "schema %d",
                         facts->name, facts->schema->schema_id, facts->snapshot.schema_id);
    }
    return STOA_OK;
}

/* A row of TABLE_COLUMNS with its check after them. Adds nothing for a dropped table. */
static stoa_status add_table(stoa_catalog *catalog, const stoa_view *previous, sqlite3_stmt *row,
                             stoa_view *view, stoa_error *err) {
    stoa_entry_facts facts = {0};
    int64_t schema_id = 0, snapshot_id = 0;
    char folded[STOA_TABLE_NAME_BYTES_MAX + 1];
    const stoa_schema *schema = NULL;
    STOA_TRY(stoa_sqlite_intact(row, 8, err));
    if (sqlite3_column_type(row, 2) == SQLITE_NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_sqlite_i64(row, 0, 1, INT64_MAX, &facts.id, err));
    STOA_TRY(stoa_sqlite_text(row, 1, &facts.name, err));
    STOA_TRY(stoa_sqlite_text(row, 3, &facts.kind_name, err));
    STOA_TRY(stoa_sqlite_i64(row, 4, 0, INT32_MAX, &schema_id, err));
    STOA_TRY(stoa_sqlite_i64(row, 5, 0, INT64_MAX, &snapshot_id, err));
    if (stoa_table_name_check(facts.name, NULL) != STOA_OK) {
        return stoa_fail(err, STOA_CORRUPT, "catalog: table %" PRId64 " has no valid name",
                         facts.id);
    }
    stoa_table_name_fold(facts.name, folded);
    stoa_entry *old = previous == NULL ? NULL : stoa_view_find(previous, folded);
    bool same_table = old != NULL && old->id == facts.id;
    if (same_table && entry_unchanged(old, facts.name, facts.kind_name, schema_id, snapshot_id)) {
        return stoa_view_add(view, stoa_entry_retain(old), err);
    }
    if (same_table && old->schema->schema_id == schema_id) {
        schema = stoa_schema_retain(old->schema);
        facts.spec = stoa_partition_spec_retain(old->spec);
    } else {
        STOA_TRY(read_schema(catalog, facts.id, schema_id, &schema, &facts.spec, err));
    }
    stoa_status status = STOA_OK;
    stoa_entry *entry = NULL;
    facts.schema = schema;
    if (snapshot_id != 0) {
        bool found = false, expired = false;
        STOA_CHECK(
            read_snapshot(catalog, facts.id, snapshot_id, &found, &expired, &facts.snapshot, err));
        if (!found) {
            status = stoa_fail(err, STOA_CORRUPT,
                               "catalog: table '%s' has lost its snapshot %" PRId64, facts.name,
                               snapshot_id);
            goto done;
        }
    }
    STOA_CHECK(entry_facts_check(&facts, err));
    STOA_CHECK(stoa_entry_create(catalog->pool, &facts, &entry, err));
    STOA_CHECK(stoa_view_add(view, entry, err));

done:
    stoa_partition_spec_close(facts.spec);
    stoa_schema_close(schema);
    return status;
}

stoa_status stoa_catalog_read_view(stoa_catalog *catalog, const stoa_view *previous,
                                   stoa_view *view, int64_t *out_data_version, stoa_error *err) {
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    sqlite3_stmt *tables = NULL;
    int64_t expected = 0, found = 0;
    bool row = false;
    STOA_CHECK(read_number(catalog, STOA_SQL_META_GET, "commit_id", &view->commit_id, err));
    STOA_CHECK(read_number(catalog, STOA_SQL_META_GET, "table_count", &expected, err));
    STOA_CHECK(read_data_version(catalog, out_data_version, err));
    STOA_CHECK(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_TABLES, &tables, err, ""));
    for (;;) {
        STOA_CHECK(stoa_sqlite_step(tables, &row, err));
        if (!row) {
            break;
        }
        found++;
        STOA_CHECK(add_table(catalog, previous, tables, view, err));
    }
    if (found != expected) {
        status = stoa_fail(err, STOA_CORRUPT,
                           "catalog: expected %" PRId64 " tables but found %" PRId64, expected,
                           found);
    }

done:
    stoa_catalog_end_read(catalog);
    return status;
}

stoa_status stoa_catalog_load_entry(stoa_catalog *catalog, stoa_database *database,
                                    stoa_entry *entry, stoa_error *err) {
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    stoa_part_vector parts = {.pool = catalog->pool};
    if (!atomic_load_explicit(&entry->loaded, memory_order_relaxed)) {
        STOA_CHECK(stoa_catalog_read_files(catalog, database, entry, &parts, err));
        entry->parts = parts;
        parts = (stoa_part_vector){.pool = catalog->pool};
        /* Pairs with the acquire in stoa_entry_parts. */
        atomic_store_explicit(&entry->loaded, true, memory_order_release);
    }

done:
    stoa_part_vector_release(&parts);
    stoa_catalog_end_read(catalog);
    return status;
}

stoa_status stoa_catalog_read_snapshot(stoa_catalog *catalog, const stoa_entry *table,
                                       int64_t snapshot_id, stoa_entry **out, stoa_error *err) {
    *out = NULL;
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    bool found = false, expired = false;
    const stoa_schema *schema = NULL;
    stoa_entry_facts facts = {.id = table->id, .name = table->name, .kind_name = table->kind_name};
    STOA_CHECK(
        read_snapshot(catalog, table->id, snapshot_id, &found, &expired, &facts.snapshot, err));
    if (!found || expired) {
        status = stoa_fail(err, STOA_NOT_FOUND, "table '%s' has no snapshot %" PRId64 "%s",
                           table->name, snapshot_id, expired ? " any more: it was expired" : "");
        goto done;
    }
    STOA_CHECK(
        read_schema(catalog, table->id, facts.snapshot.schema_id, &schema, &facts.spec, err));
    facts.schema = schema;
    STOA_CHECK(stoa_entry_create(catalog->pool, &facts, out, err));

done:
    stoa_partition_spec_close(facts.spec);
    stoa_schema_close(schema);
    stoa_catalog_end_read(catalog);
    return status;
}

/* Appends the snapshot to the list, when it is one of the table's that is not expired. */
static stoa_status note_snapshot(sqlite3_stmt *row, int64_t table_id, int64_t *last_id,
                                 stoa_buffer *list, stoa_error *err) {
    stoa_snapshot snapshot = {0};
    STOA_TRY(parse_snapshot(row, &snapshot, err));
    if (sqlite3_column_int64(row, 0) != table_id) {
        return STOA_OK;
    }
    /* Only the oldest end is ever forgotten, so each one follows the one before. */
    if (*last_id != 0 && snapshot.parent_id != *last_id) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: expected snapshot %" PRId64 " of table %" PRId64
                         " to follow %" PRId64 " but found %" PRId64,
                         snapshot.snapshot_id, table_id, *last_id, snapshot.parent_id);
    }
    *last_id = snapshot.snapshot_id;
    bool expired = sqlite3_column_type(row, 10) != SQLITE_NULL;
    return expired ? STOA_OK : stoa_buffer_append(list, &snapshot, sizeof snapshot, err);
}

/* All tables' rows are read: a row whose table changed into another by damage, or that was lost at
 * the old end of a history, would leave no gap in this table's. */
static stoa_status gather_snapshots(stoa_catalog *catalog, int64_t table_id, stoa_buffer *list,
                                    stoa_error *err) {
    sqlite3_stmt *row = NULL;
    int64_t expected = 0, found = 0, last_id = 0;
    STOA_TRY(read_number(catalog, STOA_SQL_META_GET, "snapshot_count", &expected, err));
    STOA_TRY(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_SNAPSHOTS, &row, err, ""));
    for (;; found++) {
        bool more = false;
        STOA_TRY(stoa_sqlite_step(row, &more, err));
        if (!more) {
            break;
        }
        STOA_TRY(note_snapshot(row, table_id, &last_id, list, err));
    }
    if (expected != found) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: expected %" PRId64 " snapshots but found %" PRId64, expected,
                         found);
    }
    return STOA_OK;
}

stoa_status stoa_catalog_read_snapshots(stoa_catalog *catalog, stoa_pool *pool, int64_t table_id,
                                        stoa_snapshot **out, int64_t *out_count, stoa_error *err) {
    *out = NULL;
    *out_count = 0;
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    stoa_buffer list;
    stoa_buffer_init(&list, pool);
    STOA_CHECK(gather_snapshots(catalog, table_id, &list, err));
    STOA_CHECK(stoa_pool_allocate(pool, list.size, (void **)out, err));
    if (list.size > 0) {
        memcpy(*out, list.data, list.size);
    }
    *out_count = (int64_t)(list.size / sizeof **out);

done:
    stoa_buffer_release(&list);
    stoa_catalog_end_read(catalog);
    return status;
}

stoa_status stoa_catalog_check(stoa_catalog *catalog, stoa_error *err) {
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    sqlite3_stmt *row = NULL;
    const char *text = NULL;
    bool more = false;
    STOA_CHECK(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_CHECK, &row, err, ""));
    STOA_CHECK(stoa_sqlite_step(row, &more, err));
    if (more && stoa_sqlite_text(row, 0, &text, NULL) == STOA_OK && strcmp(text, "ok") == 0) {
        goto done;
    }
    status = stoa_fail(err, STOA_CORRUPT, "catalog: %s", text == NULL ? "no answer" : text);

done:
    stoa_catalog_end_read(catalog);
    return status;
}

static stoa_status ask(stoa_catalog *catalog, stoa_sql which, const char *types, int64_t number,
                       const char *text, bool *out, stoa_error *err) {
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    sqlite3_stmt *statement = NULL;
    if (types[0] == 'i') {
        STOA_CHECK(stoa_sqlite_prepare(&catalog->reader, which, &statement, err, "i", number));
    } else {
        STOA_CHECK(stoa_sqlite_prepare(&catalog->reader, which, &statement, err, types, text));
    }
    STOA_CHECK(stoa_sqlite_step(statement, out, err));
    if (which == STOA_SQL_HAS_GARBAGE) {
        *out = *out && sqlite3_column_int(statement, 0) != 0;
    }

done:
    stoa_catalog_end_read(catalog);
    return status;
}

stoa_status stoa_catalog_names_file(stoa_catalog *catalog, const char *path, bool *out,
                                    stoa_error *err) {
    return ask(catalog, STOA_SQL_FILE_BY_PATH, "t", 0, path, out, err);
}

stoa_status stoa_catalog_names_table(stoa_catalog *catalog, int64_t table_id, bool *out,
                                     stoa_error *err) {
    return ask(catalog, STOA_SQL_TABLE, "i", table_id, NULL, out, err);
}

stoa_status stoa_catalog_has_garbage(stoa_catalog *catalog, bool *out, stoa_error *err) {
    return ask(catalog, STOA_SQL_HAS_GARBAGE, "", 0, NULL, out, err);
}

stoa_status stoa_catalog_garbage(stoa_catalog *catalog, int64_t horizon,
                                 stoa_catalog_file_function function, void *user, stoa_error *err) {
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    sqlite3_stmt *row = NULL;
    STOA_CHECK(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_GARBAGE, &row, err, "i", horizon));
    for (;;) {
        bool more = false;
        int64_t table_id = 0;
        const char *path = NULL;
        STOA_CHECK(stoa_sqlite_step(row, &more, err));
        if (!more) {
            break;
        }
        STOA_CHECK(stoa_sqlite_i64(row, 0, INT64_MIN, INT64_MAX, &table_id, err));
        STOA_CHECK(stoa_sqlite_text(row, 1, &path, err));
        STOA_CHECK(stoa_catalog_check_path(path, err));
        STOA_CHECK(function(user, table_id, path, err));
    }

done:
    stoa_catalog_end_read(catalog);
    return status;
}
