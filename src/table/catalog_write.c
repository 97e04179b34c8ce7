/* Writing the catalog: the steps of a commit, between stoa_catalog_begin and stoa_catalog_end.
 *
 * Here stands who wins. A change was made over a base that may not be the newest state any more:
 *
 *     append              goes on top of whatever is there, as long as the columns are the same
 *     rewrite of files    goes on top too, as long as those files are still there
 *     overwrite, new schema, drop, rename    only if nobody has changed the table since
 *
 * Everything else is STOA_CONFLICT, and nothing of the commit happens. */
#include <string.h>

#include "base/checked.h"
#include "base/clock.h"
#include "schema/schema.h"
#include "table/internal.h"
#include "table/names.h"
#include "table/sqlite.h"

/* The row of a table as it stands now. */
struct head {
    int64_t schema_id;
    stoa_snapshot snapshot;
};

static stoa_status read_snapshot(stoa_sqlite *writer, int64_t table_id, stoa_snapshot *out,
                                 stoa_error *err) {
    sqlite3_stmt *row = NULL;
    bool found = false;
    int64_t bytes = 0;
    STOA_TRY(stoa_sqlite_prepare(writer, STOA_SQL_SNAPSHOT, &row, err, "ii", table_id,
                                 out->snapshot_id));
    STOA_TRY(stoa_sqlite_step(row, &found, err));
    if (!found) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: table %" PRId64 " has lost its snapshot %" PRId64, table_id,
                         out->snapshot_id);
    }
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sqlite_intact(row, 9, err));
    STOA_CHECK(stoa_sqlite_i64(row, 3, INT64_MIN, INT64_MAX, &out->time_ms, err));
    STOA_CHECK(stoa_sqlite_i64(row, 6, 0, INT64_MAX, &out->totals.row_count, err));
    STOA_CHECK(stoa_sqlite_i64(row, 7, 0, INT64_MAX, &out->totals.part_count, err));
    STOA_CHECK(stoa_sqlite_i64(row, 8, 0, INT64_MAX, &bytes, err));
    out->totals.byte_count = (uint64_t)bytes;

done:
    (void)sqlite3_reset(row);
    return status;
}

/* Reads the head and refuses what is no base any more for any change at all. */
static stoa_status read_head(stoa_sqlite *writer, const stoa_change *change, struct head *out,
                             stoa_error *err) {
    const stoa_entry *base = change->base;
    sqlite3_stmt *row = NULL;
    bool found = false;
    *out = (struct head){0};
    STOA_TRY(stoa_sqlite_prepare(writer, STOA_SQL_TABLE, &row, err, "i", base->id));
    STOA_TRY(stoa_sqlite_step(row, &found, err));
    stoa_status status = STOA_OK;
    if (!found || sqlite3_column_type(row, 7) != SQLITE_NULL) {
        status = stoa_fail(err, STOA_CONFLICT, "table '%s' was dropped by somebody else",
                           base->name);
        goto done;
    }
    const char *name = NULL;
    STOA_CHECK(stoa_sqlite_intact(row, 8, err));
    STOA_CHECK(stoa_sqlite_text(row, 1, &name, err));
    STOA_CHECK(stoa_sqlite_i64(row, 4, 0, INT32_MAX, &out->schema_id, err));
    STOA_CHECK(stoa_sqlite_i64(row, 5, 0, INT64_MAX, &out->snapshot.snapshot_id, err));
    if (strcmp(name, base->name) != 0) {
        status = stoa_fail(err, STOA_CONFLICT, "table '%s' was renamed to '%s' by somebody else",
                           base->name, name);
    } else if (out->schema_id != base->schema->schema_id) {
        status = stoa_fail(err, STOA_CONFLICT,
                           "the columns of table '%s' were changed by somebody "
                           "else",
                           base->name);
    } else if ((change->replaced || change->now == NULL) &&
               out->snapshot.snapshot_id != base->snapshot.snapshot_id) {
        status = stoa_fail(err, STOA_CONFLICT,
                           "table '%s' was changed by somebody else: expected "
                           "snapshot %" PRId64 " but found %" PRId64,
                           base->name, base->snapshot.snapshot_id, out->snapshot.snapshot_id);
    }

done:
    (void)sqlite3_reset(row);
    if (status == STOA_OK && out->snapshot.snapshot_id != 0) {
        status = read_snapshot(writer, base->id, &out->snapshot, err);
    }
    return status;
}

stoa_status stoa_catalog_free_name(stoa_catalog *catalog, int64_t commit_id,
                                   const stoa_change *change, stoa_error *err) {
    if (change->base == NULL || (change->now != NULL && !change->renamed)) {
        return STOA_OK;
    }
    struct head head;
    const stoa_entry *base = change->base;
    STOA_TRY(read_head(&catalog->writer, change, &head, err));
    if (change->now != NULL) {
        return stoa_sqlite_run(&catalog->writer, STOA_SQL_TABLE_UPDATE, err, "itniin", base->id,
                               base->name, head.schema_id, head.snapshot.snapshot_id);
    }
    return stoa_sqlite_run(&catalog->writer, STOA_SQL_TABLE_UPDATE, err, "itniii", base->id,
                           base->name, head.schema_id, head.snapshot.snapshot_id, commit_id);
}

static stoa_status check_name_free(stoa_sqlite *writer, const stoa_entry *now, stoa_error *err) {
    sqlite3_stmt *row = NULL;
    bool found = false;
    STOA_TRY(stoa_sqlite_prepare(writer, STOA_SQL_TABLE_BY_NAME, &row, err, "t", now->folded));
    STOA_TRY(stoa_sqlite_step(row, &found, err));
    (void)sqlite3_reset(row);
    return found ? stoa_fail(err, STOA_EXISTS, "table '%s' exists already", now->name) : STOA_OK;
}

static stoa_status insert_schema(stoa_catalog *catalog, const stoa_entry *now, stoa_error *err) {
    stoa_buffer json;
    stoa_buffer_init(&json, catalog->pool);
    const char *text = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_to_json(now->schema, &json, err));
    if (now->spec != NULL) {
        STOA_CHECK(stoa_partition_spec_to_json(now->spec, &json, err));
        STOA_CHECK(stoa_catalog_raise_format(&catalog->writer, STOA_CATALOG_PARTITIONS, err));
    }
    STOA_CHECK(stoa_buffer_text(&json, &text, err));
    STOA_CHECK(stoa_sqlite_run(&catalog->writer, STOA_SQL_SCHEMA_INSERT, err, "iit", now->id,
                               (int64_t)now->schema->schema_id, text));

done:
    stoa_buffer_release(&json);
    return status;
}

static stoa_status read_number(stoa_sqlite *writer, stoa_sql which, const char *types,
                               const char *key, int64_t *out, stoa_error *err) {
    sqlite3_stmt *row = NULL;
    bool found = false;
    STOA_TRY(stoa_sqlite_prepare(writer, which, &row, err, types, key));
    STOA_TRY(stoa_sqlite_step(row, &found, err));
    if (!found) {
        return stoa_fail(err, STOA_CORRUPT, "the catalog has no '%s'", key);
    }
    stoa_status status = STOA_OK;
    if (which == STOA_SQL_META_GET) {
        status = stoa_sqlite_intact(row, 1, err);
    }
    if (status == STOA_OK) {
        status = stoa_sqlite_i64(row, 0, 0, INT64_MAX - 1, out, err);
    }
    (void)sqlite3_reset(row);
    return status;
}

/* Counts go on from what they were and are not taken anew: a row that was lost must stay missed. */
static stoa_status count_more(stoa_sqlite *writer, const char *key, int64_t more, stoa_error *err) {
    int64_t count = 0;
    STOA_TRY(read_number(writer, STOA_SQL_META_GET, "t", key, &count, err));
    return stoa_sqlite_run(writer, STOA_SQL_META_SET, err, "ti", key, count + more);
}

static stoa_status insert_table(stoa_catalog *catalog, const stoa_entry *now, stoa_error *err) {
    STOA_TRY(stoa_sqlite_run(&catalog->writer, STOA_SQL_TABLE_INSERT, err, "itttiii", now->id,
                             now->name, now->folded, now->kind_name,
                             (int64_t)now->schema->schema_id, INT64_C(0), stoa_clock_unix_ms()));
    STOA_TRY(insert_schema(catalog, now, err));
    return count_more(&catalog->writer, "table_count", 1, err);
}

static stoa_status insert_column(stoa_catalog *catalog, int64_t file_id,
                                 const stoa_field_summary *column, stoa_error *err) {
    stoa_buffer lower, upper;
    stoa_buffer_init(&lower, catalog->pool);
    stoa_buffer_init(&upper, catalog->pool);
    stoa_status status = STOA_OK;
    if (column->lower != NULL) {
        STOA_CHECK(stoa_bound_write(column->lower, &lower, err));
    }
    if (column->upper != NULL) {
        STOA_CHECK(stoa_bound_write(column->upper, &upper, err));
    }
    const void *low = column->lower == NULL ? NULL : lower.size == 0 ? "" : (void *)lower.data;
    const void *high = column->upper == NULL ? NULL : upper.size == 0 ? "" : (void *)upper.data;
    STOA_CHECK(stoa_sqlite_run(&catalog->writer, STOA_SQL_FILE_COLUMN_INSERT, err, "iiiiibb",
                               file_id, (int64_t)column->field_id, column->value_count,
                               column->null_count, (int64_t)column->may_have_nan, low,
                               (int)lower.size, high, (int)upper.size));

done:
    stoa_buffer_release(&lower);
    stoa_buffer_release(&upper);
    return status;
}

/* A field of the partition stands as a column whose bounds are its value: both NULL for a null, and for
 * NaN, which `may_have_nan` tells. */
static stoa_status insert_partition(stoa_catalog *catalog, int64_t file_id, int32_t index,
                                    const stoa_part *part, stoa_error *err) {
    stoa_field_summary summary = stoa_part_summary_of_value(
        part, STOA_CATALOG_PARTITION_ID + index, &part->partition[index]);
    return insert_column(catalog, file_id, &summary, err);
}

/* Ids are drawn and not counted: a plan names the files that it rewrites by their ids, and an id that
 * came back after a deletion would name another file. */
static stoa_status insert_file(stoa_catalog *catalog, int64_t table_id, int64_t commit_id,
                               const stoa_part *part, stoa_error *err) {
    int64_t id = stoa_random_id();
    STOA_TRY(stoa_sqlite_run(&catalog->writer, STOA_SQL_FILE_INSERT, err, "iitiiii", id, table_id,
                             part->path, part->row_count, (int64_t)part->byte_count,
                             (int64_t)part->content_hash, commit_id));
    for (int32_t i = 0; i < part->column_count; i++) {
        STOA_TRY(insert_column(catalog, id, &part->columns[i], err));
    }
    for (int32_t i = 0; i < part->partition_count; i++) {
        STOA_TRY(insert_partition(catalog, id, i, part, err));
    }
    return STOA_OK;
}

static stoa_status remove_files(stoa_catalog *catalog, int64_t commit_id, const stoa_change *change,
                                stoa_part_totals *totals, stoa_error *err) {
    sqlite3_stmt *row = NULL;
    for (int64_t i = 0; i < change->removed_count; i++) {
        bool found = false;
        int64_t rows = 0, bytes = 0;
        STOA_TRY(stoa_sqlite_prepare(&catalog->writer, STOA_SQL_FILE_REMOVE, &row, err, "iii",
                                     change->removed[i], change->base->id, commit_id));
        STOA_TRY(stoa_sqlite_step(row, &found, err));
        if (!found) {
            return stoa_fail(err, STOA_CONFLICT,
                             "rows of table '%s' that this would change were "
                             "changed by somebody else",
                             change->base->name);
        }
        STOA_TRY(stoa_sqlite_i64(row, 0, 0, totals->row_count, &rows, err));
        STOA_TRY(stoa_sqlite_i64(row, 1, 0, (int64_t)totals->byte_count, &bytes, err));
        (void)sqlite3_reset(row);
        totals->row_count -= rows;
        totals->byte_count -= (uint64_t)bytes;
        totals->part_count--;
    }
    return STOA_OK;
}

static stoa_status add_totals(const stoa_part_totals *added, stoa_part_totals *totals,
                              stoa_error *err) {
    if (!stoa_add_i64(totals->row_count, added->row_count, &totals->row_count) ||
        !stoa_add_u64(totals->byte_count, added->byte_count, &totals->byte_count) ||
        totals->byte_count > INT64_MAX) {
        return stoa_fail(err, STOA_LIMIT, "the table has more rows than can be counted");
    }
    totals->part_count += added->part_count;
    return STOA_OK;
}

static stoa_status insert_snapshot(stoa_catalog *catalog, int64_t commit_id,
                                   const stoa_change *change, const struct head *head,
                                   stoa_error *err) {
    stoa_part_totals totals = head->snapshot.totals;
    stoa_part_totals added = stoa_part_vector_totals(&change->added);
    int64_t id = change->now->id;
    if (change->replaced) {
        totals = (stoa_part_totals){0};
        STOA_TRY(
            stoa_sqlite_run(&catalog->writer, STOA_SQL_FILE_REMOVE_ALL, err, "ii", id, commit_id));
    }
    STOA_TRY(remove_files(catalog, commit_id, change, &totals, err));
    STOA_TRY(add_totals(&added, &totals, err));
    int64_t time_ms = stoa_clock_unix_ms();
    time_ms = time_ms < head->snapshot.time_ms ? head->snapshot.time_ms : time_ms;
    STOA_TRY(stoa_sqlite_run(&catalog->writer, STOA_SQL_SNAPSHOT_INSERT, err, "iiiitiiii", id,
                             commit_id, head->snapshot.snapshot_id, time_ms,
                             stoa_snapshot_operation_name(change->operation),
                             (int64_t)change->now->schema->schema_id, totals.row_count,
                             totals.part_count, (int64_t)totals.byte_count));
    STOA_TRY(count_more(&catalog->writer, "snapshot_count", 1, err));
    for (int64_t i = 0; i < change->added.count; i++) {
        STOA_TRY(insert_file(catalog, id, commit_id, change->added.items[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_catalog_apply(stoa_catalog *catalog, int64_t commit_id, const stoa_change *change,
                               stoa_error *err) {
    if (change->now == NULL) {
        return STOA_OK; /* freeing its name was all */
    }
    const stoa_entry *now = change->now;
    struct head head = {0};
    if (change->base == NULL) {
        STOA_TRY(check_name_free(&catalog->writer, now, err));
        STOA_TRY(insert_table(catalog, now, err));
    } else {
        STOA_TRY(read_head(&catalog->writer, change, &head, err));
        if (change->renamed) {
            STOA_TRY(check_name_free(&catalog->writer, now, err));
        }
        if (now->schema->schema_id != head.schema_id) {
            STOA_TRY(insert_schema(catalog, now, err));
        }
    }
    int64_t snapshot_id = head.snapshot.snapshot_id;
    if (change->wrote) {
        STOA_TRY(insert_snapshot(catalog, commit_id, change, &head, err));
        snapshot_id = commit_id;
    }
    return stoa_sqlite_run(&catalog->writer, STOA_SQL_TABLE_UPDATE, err, "ittiin", now->id,
                           now->name, now->folded, (int64_t)now->schema->schema_id, snapshot_id);
}

stoa_status stoa_catalog_expire(stoa_catalog *catalog, int64_t commit_id, int64_t table_id,
                                int64_t keep_newer_than_ms, int64_t *out_count, stoa_error *err) {
    STOA_TRY(stoa_sqlite_run(&catalog->writer, STOA_SQL_EXPIRE, err, "iii", table_id,
                             keep_newer_than_ms, commit_id));
    *out_count = sqlite3_changes(catalog->writer.handle);
    return STOA_OK;
}

/* Rows of a dropped table's snapshots go with the table, so they are counted before and after. */
stoa_status stoa_catalog_forget(stoa_catalog *catalog, int64_t horizon, stoa_error *err) {
    stoa_sqlite *writer = &catalog->writer;
    int64_t tables[2] = {0, 0}, snapshots[2] = {0, 0};
    STOA_TRY(read_number(writer, STOA_SQL_TABLE_COUNT, "", "tables", &tables[0], err));
    STOA_TRY(read_number(writer, STOA_SQL_SNAPSHOT_COUNT, "", "snapshots", &snapshots[0], err));
    STOA_TRY(stoa_sqlite_run(writer, STOA_SQL_FORGET_FILES, err, "i", horizon));
    STOA_TRY(stoa_sqlite_run(writer, STOA_SQL_FORGET_SNAPSHOTS, err, "i", horizon));
    STOA_TRY(stoa_sqlite_run(writer, STOA_SQL_FORGET_TABLES, err, "i", horizon));
    STOA_TRY(read_number(writer, STOA_SQL_TABLE_COUNT, "", "tables", &tables[1], err));
    STOA_TRY(read_number(writer, STOA_SQL_SNAPSHOT_COUNT, "", "snapshots", &snapshots[1], err));
    if (catalog->file_systems != NULL) {
        STOA_TRY(stoa_sqlite_run(writer, STOA_SQL_COMMIT_TIME_FORGET, err, "i", horizon));
    }
    STOA_TRY(count_more(writer, "table_count", tables[1] - tables[0], err));
    return count_more(writer, "snapshot_count", snapshots[1] - snapshots[0], err);
}
