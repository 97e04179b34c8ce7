/* Tables of plain Parquet files: a part is a file, and the catalog says which files are live.
 *
 * A file is written under a temporary name in tmp/<token>, synced by the Parquet writer, renamed to
 * its final name tables/<id>/<token>-<n>.parquet, and its folder is synced before any catalog names
 * it. A crash at any point leaves at most files whose token belongs to nobody alive; clean.c finds
 * them. A sink that is given up removes its files with the last reference to their parts. */
#include <stdio.h>
#include <string.h>

#include "parquet/writer.h"
#include "table/internal.h"

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

struct parquet_sink_writer {
    const stoa_sink *sink;
    stoa_pool *pool;
    stoa_parquet_options options;
    stoa_file *file; /* NULL between files */
    stoa_parquet_writer *writer;
    char *temporary; /* the URI of `file` */
    char name[64];
    int64_t rows; /* in `file` */
    stoa_part_vector parts;
};

static stoa_status close_now(void *file, stoa_error *err) {
    (void)err;
    stoa_file_close(file);
    return STOA_OK;
}

/* Closing what was just removed gives back all its pages, which takes as long as writing some of
 * them did: whoever cancelled does not wait for it. */
static void close_in_background(struct parquet_sink_writer *writer) {
    if (writer->file != NULL) {
        stoa_group_spawn(&writer->sink->database->closings, close_now, writer->file);
        writer->file = NULL;
    }
}

static void give_up_file(struct parquet_sink_writer *writer) {
    stoa_parquet_writer_close(writer->writer);
    writer->writer = NULL;
    if (writer->temporary != NULL) {
        STOA_IGNORE(
            stoa_vfs_remove(writer->sink->database->file_systems, writer->temporary, NULL, NULL));
        stoa_pool_free_string(writer->pool, writer->temporary);
        writer->temporary = NULL;
    }
    close_in_background(writer);
}

static void parquet_writer_close(void *state) {
    struct parquet_sink_writer *writer = state;
    give_up_file(writer);
    stoa_part_vector_release(&writer->parts);
    stoa_pool_free(writer->pool, writer, sizeof *writer);
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
    if (sink->codec != NULL) {
        writer->options.codec = find_codec(sink->codec)->codec;
    }
    if (sink->row_group_rows > 0) {
        writer->options.row_group_rows = sink->row_group_rows;
    }
    /* The only writer of a sink runs ahead of its encoding; several have their callers' threads. */
    writer->options.row_groups_in_flight = sink->writer_count > 1 ? 1 : 0;
    *out = writer;
    return STOA_OK;
}

/* Where files appear whole or not at all, a file is written under its final name at once. */
static bool is_written_whole(const stoa_database *database) {
    return stoa_vfs_has(database->file_systems, database->directory, STOA_FS_WHOLE_WRITES);
}

/* A new file's name, and the URI under which it is written. */
static stoa_status name_unfinished(struct parquet_sink_writer *writer, stoa_error *err) {
    stoa_database *database = writer->sink->database;
    const stoa_lease *lease = NULL;
    char folder[64], path[160];
    char *directory = NULL;
    STOA_TRY(stoa_database_file_name(database, writer->name, err));
    if (is_written_whole(database)) {
        stoa_table_folder(writer->sink->entry->id, folder);
    } else {
        STOA_TRY(stoa_database_writer_lease(database, &lease, err));
        (void)snprintf(folder, sizeof folder, "tmp/%s", stoa_lease_token(lease));
        STOA_TRY(stoa_database_path(database, folder, &directory, err));
        stoa_status status = stoa_vfs_make_directories(database->file_systems, directory,
                                                       &writer->sink->context, err);
        stoa_pool_free_string(database->pool, directory);
        STOA_TRY(status);
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, writer->name);
    return stoa_database_path(database, path, &writer->temporary, err);
}

static stoa_status start_file(struct parquet_sink_writer *writer, stoa_error *err) {
    const stoa_sink *sink = writer->sink;
    stoa_database *database = sink->database;
    STOA_TRY(name_unfinished(writer, err));
    STOA_TRY(stoa_vfs_open(database->file_systems, writer->temporary, STOA_OPEN_CREATE,
                           &sink->context, &writer->file, err));
    writer->rows = 0;
    return stoa_parquet_writer_create(&sink->context, writer->file, sink->schema, &writer->options,
                                      &writer->writer, err);
}

/* The folder is made when its first file is; somebody else may have made or removed it. */
static stoa_status move_into_place(struct parquet_sink_writer *writer, const stoa_part *part,
                                   stoa_error *err) {
    stoa_database *database = writer->sink->database;
    char folder[64];
    char *target = NULL, *directory = NULL;
    if (is_written_whole(database)) {
        return STOA_OK;
    }
    stoa_table_folder(writer->sink->entry->id, folder);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_database_path(database, part->path, &target, err));
    status = stoa_vfs_rename(database->file_systems, writer->temporary, target,
                             &writer->sink->context, err);
    if (status == STOA_NOT_FOUND) {
        STOA_CHECK(stoa_database_path(database, folder, &directory, err));
        STOA_CHECK(stoa_vfs_make_directories(database->file_systems, directory,
                                             &writer->sink->context, err));
        status = stoa_vfs_rename(database->file_systems, writer->temporary, target,
                                 &writer->sink->context, err);
    }

done:
    stoa_pool_free_string(database->pool, target);
    stoa_pool_free_string(database->pool, directory);
    return status;
}

static stoa_status make_part(struct parquet_sink_writer *writer,
                             const stoa_parquet_summary *summary, stoa_error *err) {
    stoa_database *database = writer->sink->database;
    stoa_part *part = NULL;
    char folder[64], path[160];
    stoa_table_folder(writer->sink->entry->id, folder);
    (void)snprintf(path, sizeof path, "%s/%s", folder, writer->name);
    STOA_TRY(stoa_part_create(database, database->pool, &part, err));
    stoa_status status = STOA_OK;
    part->row_count = summary->row_count;
    part->byte_count = summary->file_bytes;
    part->content_hash = summary->content_hash;
    STOA_CHECK(stoa_arena_copy_text(&part->arena, path, strlen(path), &part->path, err));
    STOA_CHECK(stoa_part_set_columns(part, summary->columns, summary->column_count, err));
    STOA_CHECK(stoa_part_vector_reserve(&writer->parts, 1, err));
    STOA_CHECK(move_into_place(writer, part, err));
    atomic_store_explicit(&part->unlisted, true, memory_order_relaxed);
    stoa_pool_free_string(writer->pool, writer->temporary);
    writer->temporary = NULL;
    return stoa_part_vector_push(&writer->parts, part, err);

done:
    stoa_part_release(part);
    return status;
}

static stoa_status end_file(struct parquet_sink_writer *writer, stoa_error *err) {
    if (writer->writer == NULL) {
        return STOA_OK;
    }
    stoa_parquet_summary summary = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_parquet_writer_finish(writer->writer, &summary, err));
    stoa_parquet_writer_close(writer->writer);
    writer->writer = NULL;
    stoa_file_close(writer->file);
    writer->file = NULL;
    STOA_CHECK(make_part(writer, &summary, err));

done:
    stoa_parquet_summary_release(&summary);
    return status;
}

static stoa_status parquet_writer_write(void *state, struct ArrowArray *batch, stoa_error *err) {
    struct parquet_sink_writer *writer = state;
    stoa_status status = STOA_OK;
    if (batch->length == 0) {
        goto done;
    }
    if (writer->writer == NULL) {
        STOA_CHECK(start_file(writer, err));
    }
    STOA_TRY(stoa_parquet_writer_write(writer->writer, batch, err));
    if (stoa_parquet_writer_bytes(writer->writer) >= (uint64_t)writer->sink->file_bytes) {
        return end_file(writer, err);
    }
    return STOA_OK;

done:
    if (status != STOA_OK) {
        give_up_file(writer);
    }
    stoa_arrow_array_release(batch);
    return status;
}

static stoa_status parquet_writer_finish(void *state, stoa_part_vector *out, stoa_error *err) {
    struct parquet_sink_writer *writer = state;
    STOA_TRY(end_file(writer, err));
    return stoa_part_vector_append(out, &writer->parts, err);
}

static stoa_status parquet_settle(const stoa_sink *sink, stoa_error *err) {
    char folder[64];
    stoa_table_folder(sink->entry->id, folder);
    STOA_TRY(stoa_database_sync_folder(sink->database, folder, err));
    return stoa_database_sync_folder(sink->database, "tables", err);
}

const stoa_table_kind stoa_table_kind_parquet = {
    .name = "parquet",
    .capabilities = STOA_CAN_SCAN | STOA_CAN_APPEND | STOA_CAN_OVERWRITE | STOA_CAN_DELETE |
                    STOA_CAN_UPDATE | STOA_CAN_SNAPSHOTS | STOA_CAN_PARQUET_FILES,
    .durable = true,
    .writer_open = parquet_writer_open,
    .writer_write = parquet_writer_write,
    .writer_finish = parquet_writer_finish,
    .writer_close = parquet_writer_close,
    .settle = parquet_settle,
};
