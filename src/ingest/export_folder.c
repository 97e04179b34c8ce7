/* Exporting to a folder of Parquet files by partition, as Hive and Spark lay them out.
 *
 * Everything is written and synced in a folder of a temporary name beside the target, which takes the
 * target's name at the end. A folder that is to be replaced takes another temporary name for that
 * moment: a crash between the two renames leaves both, and nothing under the target's name. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/load.h>

#include "base/error.h"
#include "ingest/parquet_options.h"
#include "parquet/fan_out.h"
#include "parquet/writer.h"
#include "schema/validate.h"
#include "table/table.h"

struct folder_file {
    stoa_file *file;
    stoa_parquet_writer *writer;
    char *folder;
};

struct folder_export {
    stoa_database *database;
    stoa_fs_registry *registry;
    stoa_context context;
    const char *path;   /* as it was given */
    const char *target; /* what a link leads to is replaced, and the link stays */
    char *temporary; /* NULL once it has its name */
    stoa_parquet_options options;
    stoa_arena arena; /* of the options */
    struct ArrowSchema arrow;
    const stoa_schema *schema;
    const stoa_schema *file_schema;
    stoa_partition_spec *spec;
    stoa_fan_out *fan;
    int64_t file_count;
    int64_t row_count;
};

/* ---- files ----------------------------------------------------------------------------------- */

static void give_up(void *user, void *state) {
    struct folder_export *export = user;
    struct folder_file *file = state;
    stoa_parquet_writer_close(file->writer);
    stoa_file_close(file->file);
    stoa_pool_free_string(export->context.pool, file->folder);
    stoa_pool_free(export->context.pool, file, sizeof *file);
}

static stoa_status begin(void *user, const char *folder, const stoa_value *values, void **out,
                         stoa_error *err) {
    struct folder_export *export = user;
    stoa_pool *pool = export->context.pool;
    struct folder_file *file = NULL;
    char *path = NULL;
    char name[48];
    stoa_status status = STOA_OK;
    (void)values;
    (void)snprintf(name, sizeof name, "part-%05" PRId64 ".parquet", export->file_count++);
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *file, (void **)&file, err));
    STOA_CHECK(stoa_vfs_join(pool, export->temporary, folder, &file->folder, err));
    STOA_CHECK(
        stoa_vfs_make_directories(export->registry, file->folder, &export->context, err));
    STOA_CHECK(stoa_vfs_join(pool, file->folder, name, &path, err));
    STOA_CHECK(stoa_vfs_open(export->registry, path, STOA_OPEN_CREATE, &export->context,
                             &file->file, err));
    STOA_CHECK(stoa_parquet_writer_create(&export->context, file->file, export->file_schema,
                                          &export->options, &file->writer, err));
    *out = file;

done:
    stoa_pool_free_string(pool, path);
    if (status != STOA_OK) {
        give_up(export, file);
    }
    return status;
}

static stoa_status write_rows(void *user, void *state, struct ArrowArray *batch, bool *out_full,
                              stoa_error *err) {
    (void)user;
    *out_full = false;
    return stoa_parquet_writer_write(((struct folder_file *)state)->writer, batch, err);
}

static stoa_status end(void *user, void *state, stoa_error *err) {
    struct folder_export *export = user;
    struct folder_file *file = state;
    stoa_parquet_summary summary = {0};
    stoa_status status = stoa_parquet_writer_finish(file->writer, &summary, err);
    stoa_parquet_summary_release(&summary);
    if (status == STOA_OK) {
        status = stoa_vfs_sync_directory(export->registry, file->folder, &export->context, err);
    }
    give_up(export, file);
    return status;
}

static stoa_status scratch(void *user, const char **out, stoa_error *err) {
    return stoa_database_temporary_directory(((struct folder_export *)user)->database, out, err);
}

/* ---- the target ------------------------------------------------------------------------------ */

/* In `buffer` of PATH_MAX bytes where a local file or folder is there, else as it is. */
static const char *resolve(const char *path, char *buffer) {
    const char *local = stoa_vfs_local_path(path);
    return local != NULL && realpath(local, buffer) != NULL ? buffer : path;
}

struct entries {
    bool any;
    bool database; /* there is a catalog */
};

static stoa_status note_entry(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    struct entries *found = user;
    (void)info, (void)err;
    found->any = true;
    found->database = found->database || strcmp(name, "catalog.db") == 0;
    return STOA_OK;
}

static bool is_within(const char *path, const char *folder) {
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 &&
           (length == 0 || folder[length - 1] == '/' || path[length] == '/' || path[length] == '\0');
}

/* Whether replacing the target would take the database, or some of its files, with it. */
static bool holds_database(const struct folder_export *export) {
    char buffer[PATH_MAX];
    const char *database = resolve(stoa_database_uri(export->database), buffer);
    return is_within(database, export->target) || is_within(export->target, database);
}

/* Nothing, or an empty folder; else `overwrite`, and then no file and no database. */
static stoa_status check_target(const struct folder_export *export, bool overwrite,
                                stoa_error *err) {
    stoa_file_info info;
    struct entries found = {0};
    bool exists = false;
    if (stoa_vfs_has(export->registry, export->path, STOA_FS_NO_DIRECTORIES)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "'%s': a folder appears whole only where folders can be renamed; export to "
                         "a local one",
                         export->path);
    }
    STOA_TRY(stoa_vfs_exists(export->registry, export->path, &export->context, &exists, err));
    if (!exists) {
        return STOA_OK;
    }
    STOA_TRY(stoa_vfs_stat(export->registry, export->path, &export->context, &info, err));
    if (!info.is_directory) {
        return stoa_fail(err, STOA_EXISTS, "'%s' is a file, and partitions need a folder",
                         export->path);
    }
    STOA_TRY(stoa_vfs_list(export->registry, export->path, &export->context, note_entry, &found,
                           err));
    if (found.any && !overwrite) {
        return stoa_fail(err, STOA_EXISTS, "folder '%s' is not empty; --overwrite replaces it",
                         export->path);
    }
    if (found.database || (found.any && holds_database(export))) {
        return stoa_fail(err, STOA_EXISTS, "folder '%s' holds a database, which is not replaced",
                         export->path);
    }
    return STOA_OK;
}

static stoa_status sync_parent(const struct folder_export *export, stoa_error *err) {
    char *parent = NULL;
    STOA_TRY(stoa_vfs_parent(export->context.pool, export->target, &parent, err));
    stoa_status status = stoa_vfs_sync_directory(export->registry, parent, &export->context, err);
    stoa_pool_free_string(export->context.pool, parent);
    return status;
}

/* Without `overwrite` the rename itself refuses a folder that somebody else filled meanwhile. */
static stoa_status publish(struct folder_export *export, bool overwrite, stoa_error *err) {
    stoa_pool *pool = export->context.pool;
    char *old = NULL;
    bool exists = false;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_exists(export->registry, export->target, &export->context, &exists, err));
    if (exists && overwrite) {
        STOA_CHECK(stoa_vfs_temporary_name(pool, export->target, &old, err));
        STOA_CHECK(stoa_vfs_rename(export->registry, export->target, old, &export->context, err));
    }
    status = stoa_vfs_rename(export->registry, export->temporary, export->target, &export->context,
                             err);
    if (status != STOA_OK) {
        if (old != NULL) {
            STOA_IGNORE(stoa_vfs_rename(export->registry, old, export->target, NULL, NULL));
        }
        goto done;
    }
    stoa_pool_free_string(pool, export->temporary);
    export->temporary = NULL;
    STOA_CHECK(sync_parent(export, err));
    if (old != NULL) {
        status = stoa_vfs_remove_tree(export->registry, old, NULL, err);
    }

done:
    stoa_pool_free_string(pool, old);
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static stoa_status read_options(struct folder_export *export,
                                const stoa_parquet_export_options *wanted, stoa_error *err) {
    stoa_parquet_export_options options = wanted == NULL ? (stoa_parquet_export_options){0}
                                                         : *wanted;
    options.sort = NULL;
    STOA_TRY(stoa_parquet_options_read(&options, export->file_schema, &export->arena,
                                       &export->options, err));
    if (wanted != NULL && wanted->sort != NULL) {
        STOA_TRY(stoa_parquet_sorting_read(wanted->sort, export->schema, export->spec,
                                           &export->arena, &export->options.sorting,
                                           &export->options.sorting_count, err));
    }
    export->options.row_groups_in_flight = 1; /* of many files at once */
    return STOA_OK;
}

static stoa_status prepare(struct folder_export *export, struct ArrowArrayStream *rows,
                           const stoa_folder_export_options *wanted, stoa_error *err) {
    stoa_pool *pool = export->context.pool;
    const stoa_fan_out_target target = {.user = export,
                                        .begin = begin,
                                        .write = write_rows,
                                        .end = end,
                                        .give_up = give_up,
                                        .scratch = scratch};
    STOA_TRY(stoa_stream_schema(rows, &export->arrow, err));
    STOA_TRY(stoa_schema_from_arrow(pool, &export->arrow, &export->schema, err));
    STOA_TRY(stoa_partition_spec_parse(pool, export->schema, wanted->partition, &export->spec, err));
    STOA_TRY(stoa_partition_file_schema(pool, export->spec, export->schema, &export->file_schema,
                                        err));
    STOA_TRY(read_options(export, wanted->parquet, err));
    const stoa_fan_out_options options = {.spec = export->spec,
                                          .schema = export->schema,
                                          .file_systems = export->registry,
                                          .context = export->context,
                                          .row_group_rows = export->options.row_group_rows,
                                          .row_group_bytes = export->options.row_group_bytes};
    STOA_TRY(stoa_fan_out_create(&options, &target, &export->fan, err));
    STOA_TRY(stoa_vfs_temporary_name(pool, export->target, &export->temporary, err));
    return stoa_vfs_make_directories(export->registry, export->temporary, &export->context, err);
}

static stoa_status write_all(struct folder_export *export, struct ArrowArrayStream *rows,
                             stoa_error *err) {
    for (;;) {
        struct ArrowArray batch = {0}, plain = {0};
        STOA_TRY(stoa_cancel_check(export->context.cancel, err));
        STOA_TRY(stoa_stream_next(rows, &batch, err));
        if (batch.release == NULL) {
            return stoa_fan_out_finish(export->fan, err);
        }
        export->row_count += batch.length;
        STOA_TRY(stoa_batch_conform(export->context.pool, export->schema, &export->arrow, &batch,
                                    &plain, err));
        STOA_TRY(stoa_fan_out_write(export->fan, &plain, err));
    }
}

static void release(struct folder_export *export) {
    stoa_fan_out_close(export->fan);
    if (export->temporary != NULL) {
        STOA_IGNORE(stoa_vfs_remove_tree(export->registry, export->temporary, NULL, NULL));
        stoa_pool_free_string(export->context.pool, export->temporary);
    }
    stoa_partition_spec_close(export->spec);
    stoa_schema_close(export->file_schema);
    stoa_schema_close(export->schema);
    stoa_arrow_schema_release(&export->arrow);
    stoa_arena_release(&export->arena);
}

stoa_status stoa_export_folder(stoa_database *database, struct ArrowArrayStream *rows,
                               const char *path, const stoa_folder_export_options *options,
                               const stoa_context *context, int64_t *out_rows, stoa_error *err) {
    char target[PATH_MAX];
    struct folder_export export = {.database = database,
                                   .registry = stoa_database_file_systems(database),
                                   .context = context == NULL ? (stoa_context){0} : *context,
                                   .path = path,
                                   .target = resolve(path, target)};
    stoa_status status = STOA_OK;
    stoa_database_fill_context(database, &export.context);
    stoa_arena_init(&export.arena, export.context.pool);
    export.context.progress = NULL;
    STOA_CHECK(check_target(&export, options->overwrite, err));
    STOA_CHECK(prepare(&export, rows, options, err));
    STOA_CHECK(write_all(&export, rows, err));
    STOA_CHECK(publish(&export, options->overwrite, err));
    if (out_rows != NULL) {
        *out_rows = export.row_count;
    }

done:
    release(&export);
    stoa_arrow_stream_release(rows);
    return status;
}
