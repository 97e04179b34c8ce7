/* Tables of plain Parquet files: a part is a file, and the catalog says which files are live.
 *
 * A file is written under a temporary name in tmp/<token>, synced by the Parquet writer, renamed to
 * its final name tables/<id>/<token>-<n>.parquet (of a partitioned table below the folder of its
 * partition, "status=new"), and its folder is synced before any catalog names it. A crash at any point
 * leaves at most files whose token belongs to nobody alive; clean.c finds them. A sink that is given
 * up removes its files with the last reference to their parts. */
#include <stdio.h>
#include <string.h>

#include "parquet/fan_out.h"
#include "parquet/writer.h"
#include "table/internal.h"

enum { FOLDER_TRIES = 8 }; /* while somebody removes the folder as an empty one */

struct codec {
    const char *name;
    stoa_parquet_codec codec;
};

static const struct codec codecs[] = {
    {"zstd", STOA_PARQUET_ZSTD}, {"snappy", STOA_PARQUET_SNAPPY}, {"lz4_raw", STOA_PARQUET_LZ4_RAW},
    {"gzip", STOA_PARQUET_GZIP}, {"brotli", STOA_PARQUET_BROTLI},  {"none", STOA_PARQUET_NONE},
};

static const struct codec *find_codec(const char *name) {
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (strcmp(codecs[i].name, name) == 0) {
            return &codecs[i];
        }
    }
    return NULL;
}

const char *stoa_parquet_codec_name(const char *name) {
    const struct codec *found = find_codec(name);
    return found == NULL ? NULL : found->name;
}

/* One file being written. */
struct table_file {
    stoa_file *file;
    stoa_parquet_writer *writer;
    char *temporary; /* the URI of `file` */
    char *folder;    /* of its partition; NULL: none */
    const stoa_value *partition;
    char name[64];
};

struct parquet_sink_writer {
    const stoa_sink *sink;
    stoa_pool *pool;
    stoa_parquet_options options;
    const stoa_schema *schema; /* of the files */
    struct table_file *file;   /* NULL between files; without partitions */
    stoa_fan_out *fan;         /* with partitions */
    stoa_part_vector parts;
};

static stoa_status close_now(void *file, stoa_error *err) {
    (void)err;
    stoa_file_close(file);
    return STOA_OK;
}

/* Closing what was just removed gives back all its pages, which takes as long as writing some of
 * them did: whoever cancelled does not wait for it. */
static void close_in_background(struct parquet_sink_writer *writer, struct table_file *file) {
    if (file->file != NULL) {
        stoa_group_spawn(&writer->sink->database->closings, close_now, file->file);
        file->file = NULL;
    }
}

static void give_up_file(void *user, void *state) {
    struct parquet_sink_writer *writer = user;
    struct table_file *file = state;
    stoa_parquet_writer_close(file->writer);
    if (file->temporary != NULL) {
        STOA_IGNORE(
            stoa_vfs_remove(writer->sink->database->file_systems, file->temporary, NULL, NULL));
        stoa_pool_free_string(writer->pool, file->temporary);
    }
    close_in_background(writer, file);
    stoa_pool_free_string(writer->pool, file->folder);
    stoa_pool_free(writer->pool, file, sizeof *file);
}

static void parquet_writer_close(void *state) {
    struct parquet_sink_writer *writer = state;
    stoa_fan_out_close(writer->fan);
    if (writer->file != NULL) {
        give_up_file(writer, writer->file);
    }
    stoa_part_vector_release(&writer->parts);
    stoa_schema_close(writer->schema);
    stoa_pool_free(writer->pool, writer, sizeof *writer);
}

/* Where files appear whole or not at all, a file is written under its final name at once. */
static bool is_written_whole(const stoa_database *database) {
    return stoa_vfs_has(database->file_systems, database->directory, STOA_FS_WHOLE_WRITES);
}

/* "tables/<id>" and below it the folder of the file's partition, into a string from the pool. */
static stoa_status final_folder(const struct parquet_sink_writer *writer,
                                const struct table_file *file, char **out, stoa_error *err) {
    char folder[64];
    stoa_table_folder(writer->sink->entry->id, folder);
    return file->folder == NULL ? stoa_pool_copy_string(writer->pool, folder, out, err)
                                : stoa_vfs_join(writer->pool, folder, file->folder, out, err);
}

/* The database's path of a file that lies, or will lie, in its table's folder. */
static stoa_status final_path(const struct parquet_sink_writer *writer,
                              const struct table_file *file, char **out, stoa_error *err) {
    char *folder = NULL;
    STOA_TRY(final_folder(writer, file, &folder, err));
    stoa_status status = stoa_vfs_join(writer->pool, folder, file->name, out, err);
    stoa_pool_free_string(writer->pool, folder);
    return status;
}

static stoa_status temporary_path(struct parquet_sink_writer *writer, const char *name, char **out,
                                  stoa_error *err) {
    stoa_database *database = writer->sink->database;
    const stoa_lease *lease = NULL;
    char folder[64], path[160];
    char *directory = NULL;
    STOA_TRY(stoa_database_writer_lease(database, &lease, err));
    (void)snprintf(folder, sizeof folder, "tmp/%s", stoa_lease_token(lease));
    STOA_TRY(stoa_database_path(database, folder, &directory, err));
    stoa_status status = stoa_vfs_make_directories(database->file_systems, directory,
                                                   &writer->sink->context, err);
    stoa_pool_free_string(database->pool, directory);
    STOA_TRY(status);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return stoa_pool_copy_string(writer->pool, path, out, err);
}

/* A new file's name, and the URI under which it is written. */
static stoa_status name_unfinished(struct parquet_sink_writer *writer, struct table_file *file,
                                   stoa_error *err) {
    stoa_database *database = writer->sink->database;
    char *path = NULL;
    STOA_TRY(stoa_database_file_name(database, file->name, err));
    STOA_TRY(is_written_whole(database) ? final_path(writer, file, &path, err)
                                        : temporary_path(writer, file->name, &path, err));
    stoa_status status = stoa_database_path(database, path, &file->temporary, err);
    stoa_pool_free_string(writer->pool, path);
    return status;
}

static stoa_status start_file(void *user, const char *folder, const stoa_value *partition,
                              void **out, stoa_error *err) {
    struct parquet_sink_writer *writer = user;
    const stoa_sink *sink = writer->sink;
    struct table_file *file = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate_array(writer->pool, 1, sizeof *file, (void **)&file, err));
    file->partition = partition;
    STOA_CHECK(stoa_pool_copy_string(writer->pool, folder, &file->folder, err));
    STOA_CHECK(name_unfinished(writer, file, err));
    STOA_CHECK(stoa_vfs_open(sink->database->file_systems, file->temporary, STOA_OPEN_CREATE,
                             &sink->context, &file->file, err));
    STOA_CHECK(stoa_parquet_writer_create(&sink->context, file->file, writer->schema,
                                          &writer->options, &file->writer, err));
    *out = file;
    return STOA_OK;

done:
    give_up_file(writer, file);
    return status;
}

/* The folder is made when its first file is; somebody else may have made or removed it. */
static stoa_status move_into_place(struct parquet_sink_writer *writer,
                                   const struct table_file *file, const stoa_part *part,
                                   stoa_error *err) {
    stoa_database *database = writer->sink->database;
    char *target = NULL, *folder = NULL, *directory = NULL;
    if (is_written_whole(database)) {
        return STOA_OK;
    }
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_database_path(database, part->path, &target, err));
    status = stoa_vfs_rename(database->file_systems, file->temporary, target,
                             &writer->sink->context, err);
    for (int tries = 0; status == STOA_NOT_FOUND && tries < FOLDER_TRIES; tries++) {
        stoa_pool_free_string(writer->pool, folder);
        stoa_pool_free_string(database->pool, directory);
        folder = directory = NULL;
        STOA_CHECK(final_folder(writer, file, &folder, err));
        STOA_CHECK(stoa_database_path(database, folder, &directory, err));
        STOA_CHECK(stoa_vfs_make_directories(database->file_systems, directory,
                                             &writer->sink->context, err));
        status = stoa_vfs_rename(database->file_systems, file->temporary, target,
                                 &writer->sink->context, err);
    }

done:
    stoa_pool_free_string(writer->pool, folder);
    stoa_pool_free_string(database->pool, target);
    stoa_pool_free_string(database->pool, directory);
    return status;
}

static stoa_status fill_part(struct parquet_sink_writer *writer, const struct table_file *file,
                             const stoa_parquet_summary *summary, stoa_part *part,
                             stoa_error *err) {
    char *path = NULL;
    part->row_count = summary->row_count;
    part->byte_count = summary->file_bytes;
    part->content_hash = summary->content_hash;
    STOA_TRY(final_path(writer, file, &path, err));
    stoa_status status = stoa_arena_copy_text(&part->arena, path, strlen(path), &part->path, err);
    stoa_pool_free_string(writer->pool, path);
    STOA_TRY(status);
    return file->partition == NULL
               ? stoa_part_set_columns(part, summary->columns, summary->column_count, err)
               : stoa_part_set_partition(part, writer->sink->spec, file->partition,
                                         summary->columns, summary->column_count, err);
}

static stoa_status make_part(struct parquet_sink_writer *writer, struct table_file *file,
                             const stoa_parquet_summary *summary, stoa_error *err) {
    stoa_database *database = writer->sink->database;
    stoa_part *part = NULL;
    STOA_TRY(stoa_part_create(database, database->pool, &part, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(fill_part(writer, file, summary, part, err));
    STOA_CHECK(stoa_part_vector_reserve(&writer->parts, 1, err));
    STOA_CHECK(move_into_place(writer, file, part, err));
    atomic_store_explicit(&part->unlisted, true, memory_order_relaxed);
    stoa_pool_free_string(writer->pool, file->temporary);
    file->temporary = NULL;
    return stoa_part_vector_push(&writer->parts, part, err);

done:
    stoa_part_release(part);
    return status;
}

static stoa_status end_file(void *user, void *state, stoa_error *err) {
    struct parquet_sink_writer *writer = user;
    struct table_file *file = state;
    stoa_parquet_summary summary = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_parquet_writer_finish(file->writer, &summary, err));
    stoa_parquet_writer_close(file->writer);
    file->writer = NULL;
    stoa_file_close(file->file);
    file->file = NULL;
    STOA_CHECK(make_part(writer, file, &summary, err));

done:
    stoa_parquet_summary_release(&summary);
    give_up_file(writer, file); /* what is left of it */
    return status;
}

/* Takes `batch`, also on error. */
static stoa_status write_file(void *user, void *state, struct ArrowArray *batch, bool *out_full,
                              stoa_error *err) {
    const struct parquet_sink_writer *writer = user;
    const struct table_file *file = state;
    STOA_TRY(stoa_parquet_writer_write(file->writer, batch, err));
    *out_full = stoa_parquet_writer_bytes(file->writer) >= (uint64_t)writer->sink->file_bytes;
    return STOA_OK;
}

static stoa_status find_scratch(void *user, const char **out, stoa_error *err) {
    struct parquet_sink_writer *writer = user;
    return stoa_database_temporary_directory(writer->sink->database, out, err);
}

static stoa_status open_fan_out(struct parquet_sink_writer *writer, stoa_error *err) {
    const stoa_sink *sink = writer->sink;
    const stoa_fan_out_target target = {.user = writer,
                                        .begin = start_file,
                                        .write = write_file,
                                        .end = end_file,
                                        .give_up = give_up_file,
                                        .scratch = find_scratch};
    const stoa_fan_out_options options = {.spec = sink->spec,
                                          .schema = sink->schema,
                                          .file_systems = sink->database->file_systems,
                                          .context = sink->context,
                                          .row_group_rows = writer->options.row_group_rows,
                                          .row_group_bytes = writer->options.row_group_bytes};
    writer->options.row_groups_in_flight = 1; /* of many files at once */
    STOA_TRY(
        stoa_partition_file_schema(writer->pool, sink->spec, sink->schema, &writer->schema, err));
    return stoa_fan_out_create(&options, &target, &writer->fan, err);
}

static stoa_status parquet_writer_open(const stoa_sink *sink, void **out, stoa_error *err) {
    struct parquet_sink_writer *writer = NULL;
    stoa_pool *pool = sink->database->pool;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *writer, (void **)&writer, err));
    writer->sink = sink;
    writer->pool = pool;
    writer->parts.pool = pool;
    writer->options = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    writer->options.stores_plainly = true; /* the table's schema says what they are */
    if (sink->codec != NULL) {
        writer->options.codec = find_codec(sink->codec)->codec;
    }
    if (sink->row_group_rows > 0) {
        writer->options.row_group_rows = sink->row_group_rows;
    }
    writer->options.sorting = sink->sorting;
    writer->options.sorting_count = sink->sorting_count;
    /* The only writer of a sink runs ahead of its encoding; several have their callers' threads. */
    writer->options.row_groups_in_flight = sink->writer_count > 1 ? 1 : 0;
    stoa_status status = STOA_OK;
    if (sink->spec != NULL) {
        status = open_fan_out(writer, err);
    } else {
        writer->schema = stoa_schema_retain(sink->schema);
    }
    if (status != STOA_OK) {
        parquet_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

static stoa_status end_current(struct parquet_sink_writer *writer, stoa_error *err) {
    struct table_file *file = writer->file;
    writer->file = NULL;
    return file == NULL ? STOA_OK : end_file(writer, file, err);
}

static stoa_status parquet_writer_write(void *state, struct ArrowArray *batch, stoa_error *err) {
    struct parquet_sink_writer *writer = state;
    stoa_status status = STOA_OK;
    bool full = false;
    if (writer->fan != NULL) {
        return stoa_fan_out_write(writer->fan, batch, err);
    }
    if (batch->length == 0) {
        goto done;
    }
    if (writer->file == NULL) {
        void *file = NULL;
        STOA_CHECK(start_file(writer, NULL, NULL, &file, err));
        writer->file = file;
    }
    STOA_TRY(write_file(writer, writer->file, batch, &full, err));
    return full ? end_current(writer, err) : STOA_OK;

done:
    stoa_arrow_array_release(batch);
    return status;
}

static stoa_status parquet_writer_finish(void *state, stoa_part_vector *out, stoa_error *err) {
    struct parquet_sink_writer *writer = state;
    if (writer->fan != NULL) {
        STOA_TRY(stoa_fan_out_finish(writer->fan, err));
    }
    STOA_TRY(end_current(writer, err));
    return stoa_part_vector_append(out, &writer->parts, err);
}

/* All folders from the one that holds `path` up to the table's, but for those that hold `synced` too,
 * which was the one before. */
static stoa_status settle_folders(const stoa_sink *sink, const char *path, const char *synced,
                                  stoa_error *err) {
    char folder[64];
    char *copy = NULL;
    stoa_pool *pool = sink->database->pool;
    stoa_status status = STOA_OK;
    stoa_table_folder(sink->entry->id, folder);
    STOA_TRY(stoa_pool_copy_string(pool, path, &copy, err));
    size_t size = strlen(copy);
    for (char *end = strrchr(copy, '/'); end != NULL && end > copy + strlen(folder);
         end = strrchr(copy, '/')) {
        *end = '\0';
        size_t length = (size_t)(end - copy);
        if (synced != NULL && strncmp(synced, copy, length) == 0 && synced[length] == '/') {
            break;
        }
        STOA_CHECK(stoa_database_sync_folder(sink->database, copy, err));
    }

done:
    stoa_pool_free(pool, copy, size + 1);
    return status;
}

static stoa_status parquet_settle(const stoa_sink *sink, stoa_error *err) {
    char folder[64];
    for (int64_t i = 0; i < sink->parts.count && sink->spec != NULL; i++) {
        STOA_TRY(settle_folders(sink, sink->parts.items[i]->path,
                                i == 0 ? NULL : sink->parts.items[i - 1]->path, err));
    }
    stoa_table_folder(sink->entry->id, folder);
    STOA_TRY(stoa_database_sync_folder(sink->database, folder, err));
    return stoa_database_sync_folder(sink->database, "tables", err);
}

const stoa_table_kind stoa_table_kind_parquet = {
    .name = "parquet",
    .capabilities = STOA_CAN_SCAN | STOA_CAN_APPEND | STOA_CAN_OVERWRITE | STOA_CAN_DELETE |
                    STOA_CAN_UPDATE | STOA_CAN_SNAPSHOTS | STOA_CAN_PARQUET_FILES |
                    STOA_CAN_PARTITION,
    .durable = true,
    .writer_open = parquet_writer_open,
    .writer_write = parquet_writer_write,
    .writer_finish = parquet_writer_finish,
    .writer_close = parquet_writer_close,
    .settle = parquet_settle,
};
