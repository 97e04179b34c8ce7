/* The files of a snapshot as the catalog has them: their columns' counts and bounds, their partitions. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "table/internal.h"
#include "table/sqlite.h"

/* Files are removed by their paths, so a path from a damaged catalog must not lead elsewhere. Two dots
 * within a name are a partition's value. */
stoa_status stoa_catalog_check_path(const char *path, stoa_error *err) {
    bool inside = strncmp(path, "tables/", 7) == 0;
    for (const char *part = path; part != NULL && inside; part = strchr(part, '/')) {
        part += *part == '/';
        inside = strncmp(part, "..", 2) != 0 || (part[2] != '/' && part[2] != '\0');
    }
    if (!inside) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: expected a file below 'tables/' but found "
                         "'%.100s'",
                         path);
    }
    return STOA_OK;
}

static stoa_status read_bound(stoa_part *part, const stoa_field *field, sqlite3_stmt *row,
                              int index, const stoa_value **out, stoa_error *err) {
    *out = NULL;
    if (field == NULL || sqlite3_column_type(row, index) != SQLITE_BLOB) {
        return STOA_OK;
    }
    const void *bytes = sqlite3_column_blob(row, index);
    size_t size = (size_t)sqlite3_column_bytes(row, index);
    return stoa_bound_read(&part->arena, &field->type, bytes == NULL ? "" : bytes, size, out, err);
}

enum { COLUMNS_AT_FIRST = 8 };

static stoa_status grow_columns(stoa_part *part, int32_t *capacity, stoa_error *err) {
    int32_t wanted = *capacity == 0 ? COLUMNS_AT_FIRST : *capacity * 2;
    stoa_field_summary *columns = NULL;
    STOA_TRY(stoa_arena_allocate_array(&part->arena, (size_t)wanted, sizeof *columns,
                                       (void **)&columns, err));
    if (part->column_count > 0) {
        memcpy(columns, part->columns, (size_t)part->column_count * sizeof *columns);
    }
    part->columns = columns;
    *capacity = wanted;
    return STOA_OK;
}

/* A field of the file's partition, that stands as a column: see insert_partition. */
static stoa_status read_partition(const stoa_partition_spec *spec, stoa_part *part,
                                  sqlite3_stmt *row, stoa_error *err) {
    const stoa_field_summary *column = &part->columns[part->column_count];
    int32_t index = column->field_id - STOA_CATALOG_PARTITION_ID;
    if (spec == NULL || index != part->partition_count || index >= spec->field_count) {
        return stoa_fail(err, STOA_CORRUPT, "catalog: a file has a partition field %d too many",
                         (int)index);
    }
    stoa_value *value = &part->partition[part->partition_count++];
    const stoa_field field = {.type = spec->fields[index].type};
    const stoa_value *bound = NULL;
    STOA_TRY(read_bound(part, &field, row, 4, &bound, err));
    *value = (stoa_value){.type = field.type,
                          .is_null = column->null_count != 0,
                          .f = column->may_have_nan ? (double)NAN : 0};
    if (bound != NULL) {
        *value = *bound;
    } else if (!value->is_null && !column->may_have_nan) {
        return stoa_fail(err, STOA_CORRUPT, "catalog: partition field %d of a file has no value",
                         (int)index);
    }
    return STOA_OK;
}

static stoa_status check_partition(const stoa_partition_spec *spec, const stoa_part *part,
                                   stoa_error *err) {
    int32_t expected = spec == NULL ? 0 : spec->field_count;
    return part->partition_count == expected
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT,
                           "catalog: expected %d partition fields of file '%s' but found %d",
                           (int)expected, part->path, (int)part->partition_count);
}

static stoa_status read_columns(stoa_catalog *catalog, const stoa_entry *entry, stoa_part *part,
                                stoa_error *err) {
    sqlite3_stmt *row = NULL;
    int32_t capacity = 0;
    const stoa_schema *schema = entry->schema;
    if (entry->spec != NULL) {
        STOA_TRY(stoa_arena_allocate_array(&part->arena, (size_t)entry->spec->field_count,
                                           sizeof *part->partition, (void **)&part->partition,
                                           err));
    }
    STOA_TRY(
        stoa_sqlite_prepare(&catalog->reader, STOA_SQL_FILE_COLUMNS, &row, err, "i", part->id));
    for (;;) {
        bool more = false;
        int64_t id = 0, nan = 0;
        STOA_TRY(stoa_sqlite_step(row, &more, err));
        if (!more) {
            return check_partition(entry->spec, part, err);
        }
        if (part->column_count == capacity) {
            STOA_TRY(grow_columns(part, &capacity, err));
        }
        stoa_field_summary *column = &part->columns[part->column_count];
        STOA_TRY(stoa_sqlite_intact(row, 6, err));
        STOA_TRY(stoa_sqlite_i64(row, 0, 1, INT32_MAX, &id, err));
        STOA_TRY(stoa_sqlite_i64(row, 1, -1, INT64_MAX, &column->value_count, err));
        STOA_TRY(stoa_sqlite_i64(row, 2, -1, INT64_MAX, &column->null_count, err));
        STOA_TRY(stoa_sqlite_i64(row, 3, 0, 1, &nan, err));
        column->field_id = (int32_t)id;
        column->may_have_nan = nan != 0;
        if (column->field_id >= STOA_CATALOG_PARTITION_ID) {
            STOA_TRY(read_partition(entry->spec, part, row, err));
            continue;
        }
        const stoa_field *field = stoa_schema_field(schema, column->field_id);
        STOA_TRY(read_bound(part, field, row, 4, &column->lower, err));
        STOA_TRY(read_bound(part, field, row, 5, &column->upper, err));
        part->column_count++;
    }
}

/* A row of FILE_FACTS with its check after them. */
static stoa_status read_file(stoa_catalog *catalog, stoa_database *database,
                             const stoa_entry *entry, sqlite3_stmt *row, stoa_part **out,
                             stoa_error *err) {
    stoa_part *part = NULL;
    const char *path = NULL;
    int64_t bytes = 0;
    int64_t hash = 0;
    STOA_TRY(stoa_part_create(database, catalog->pool, &part, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sqlite_intact(row, 7, err));
    STOA_CHECK(stoa_sqlite_i64(row, 0, 1, INT64_MAX, &part->id, err));
    STOA_CHECK(stoa_sqlite_text(row, 2, &path, err));
    STOA_CHECK(stoa_catalog_check_path(path, err));
    STOA_CHECK(stoa_sqlite_i64(row, 3, 0, INT64_MAX, &part->row_count, err));
    STOA_CHECK(stoa_sqlite_i64(row, 4, 0, INT64_MAX, &bytes, err));
    STOA_CHECK(stoa_sqlite_i64(row, 5, INT64_MIN, INT64_MAX, &hash, err));
    STOA_CHECK(stoa_sqlite_i64(row, 6, 1, INT64_MAX, &part->added_snapshot_id, err));
    part->byte_count = (uint64_t)bytes;
    part->content_hash = (uint64_t)hash;
    STOA_CHECK(stoa_arena_copy_text(&part->arena, path, strlen(path), &part->path, err));
    STOA_CHECK(read_columns(catalog, entry, part, err));
    *out = part;
    return STOA_OK;

done:
    stoa_part_release(part);
    return status;
}

static stoa_status check_totals(const stoa_entry *entry, const stoa_part_vector *parts,
                                stoa_error *err) {
    stoa_part_totals sum = {0, parts->count, 0};
    const stoa_part_totals *told = &entry->snapshot.totals;
    bool fits = true;
    for (int64_t i = 0; i < parts->count && fits; i++) {
        fits = stoa_add_i64(sum.row_count, parts->items[i]->row_count, &sum.row_count) &&
               stoa_add_u64(sum.byte_count, parts->items[i]->byte_count, &sum.byte_count);
    }
    if (!fits || sum.row_count != told->row_count || sum.part_count != told->part_count ||
        sum.byte_count != told->byte_count) {
        return stoa_fail(err, STOA_CORRUPT,
                         "catalog: table '%s', snapshot %" PRId64 ": expected %" PRId64
                         " rows in %" PRId64 " files but found %" PRId64 " in %" PRId64,
                         entry->name, entry->snapshot.snapshot_id, told->row_count,
                         told->part_count, sum.row_count, sum.part_count);
    }
    return STOA_OK;
}

stoa_status stoa_catalog_read_files(stoa_catalog *catalog, stoa_database *database,
                                    const stoa_entry *entry, stoa_part_vector *parts,
                                    stoa_error *err) {
    sqlite3_stmt *files = NULL;
    STOA_TRY(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_FILES, &files, err, "ii", entry->id,
                                 entry->snapshot.snapshot_id));
    for (;;) {
        bool row = false;
        stoa_part *part = NULL;
        STOA_TRY(stoa_sqlite_step(files, &row, err));
        if (!row) {
            return check_totals(entry, parts, err);
        }
        STOA_TRY(read_file(catalog, database, entry, files, &part, err));
        stoa_status status = stoa_part_vector_push(parts, part, err);
        if (status != STOA_OK) {
            stoa_part_release(part);
            return status;
        }
    }
}
