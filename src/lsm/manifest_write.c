/* Writing a manifest: whole, from a state, or an edit behind others. */
#include "lsm/manifest_internal.h"

enum { WRITE_BYTES = 256 << 10, FILES_PER_RECORD = 256 };

/* ---- Whole manifests ------------------------------------------------------------------------- */

/* What is being written; a record each for the numbers, every table and some files. */
struct output {
    stoa_manifest_writer *writer;
    uint64_t number;
    stoa_buffer bytes;
};

static stoa_status flush(struct output *out, size_t least, stoa_error *err) {
    if (out->bytes.size < least) {
        return STOA_OK;
    }
    STOA_TRY(stoa_file_write(out->writer->file, out->bytes.data, out->bytes.size, err));
    out->writer->size += out->bytes.size;
    stoa_buffer_clear(&out->bytes);
    return STOA_OK;
}

static stoa_status add_record(struct output *out, const stoa_manifest_edit *edit, stoa_error *err) {
    STOA_TRY(stoa_manifest_edit_encode(edit, out->number, out->writer->record_count + 1,
                                       &out->bytes, err));
    out->writer->record_count++;
    return flush(out, WRITE_BYTES, err);
}

static stoa_status add_state(struct output *out, const stoa_manifest_state *state,
                             stoa_error *err) {
    STOA_TRY(add_record(out,
                        &(stoa_manifest_edit){.log_segment = state->log_segment,
                                              .next_file = state->next_file,
                                              .last_sequence = state->last_sequence,
                                              .flushed_sequence = state->flushed_sequence},
                        err));
    for (int32_t i = 0; i < state->table_count; i++) {
        STOA_TRY(add_record(out,
                            &(stoa_manifest_edit){.tables = &state->tables[i], .table_count = 1},
                            err));
    }
    for (int64_t i = 0; i < state->file_count; i += FILES_PER_RECORD) {
        const int64_t left = state->file_count - i;
        const stoa_manifest_edit edit = {.added = &state->files[i],
                                         .added_count = left < FILES_PER_RECORD ? left
                                                                                : FILES_PER_RECORD};
        STOA_TRY(add_record(out, &edit, err));
    }
    return STOA_OK;
}

static stoa_status write_all(struct output *out, const stoa_manifest_state *state,
                             const stoa_manifest_edit *edit, stoa_error *err) {
    const uint64_t file_records = ((uint64_t)state->file_count + FILES_PER_RECORD - 1) /
                                  FILES_PER_RECORD;
    const uint64_t records = 1 + (uint64_t)state->table_count + file_records + (edit != NULL);
    STOA_TRY(stoa_manifest_header_encode(out->number, records, &out->bytes, err));
    STOA_TRY(add_state(out, state, err));
    if (edit != NULL) {
        STOA_TRY(add_record(out, edit, err));
    }
    STOA_ASSERT(out->writer->record_count == records);
    STOA_TRY(flush(out, 0, err));
    return stoa_file_sync(out->writer->file, err);
}

stoa_status stoa_manifest_writer_create(stoa_manifest_writer *writer,
                                        const stoa_manifest_place *place, uint64_t number,
                                        const stoa_manifest_state *state,
                                        const stoa_manifest_edit *edit, stoa_error *err) {
    struct output out = {.writer = writer,
                         .number = number,
                         .bytes = {.pool = place->context.pool}};
    char *uri = NULL;
    stoa_status status = STOA_OK;
    *writer = (stoa_manifest_writer){0};
    STOA_TRY(stoa_manifest_uri(place, number, &uri, err));
    /* One of the same number is what a crash left, which nobody names. */
    STOA_CHECK(stoa_vfs_open(place->file_systems, uri, STOA_OPEN_REPLACE, &place->context,
                             &writer->file, err));
    STOA_CHECK(write_all(&out, state, edit, err));
    STOA_CHECK(
        stoa_vfs_sync_directory(place->file_systems, place->directory, &place->context, err));

done:
    stoa_buffer_release(&out.bytes);
    stoa_pool_free_string(place->context.pool, uri);
    if (status != STOA_OK && writer->file != NULL) {
        stoa_manifest_writer_close(writer);
        STOA_IGNORE(stoa_manifest_remove(place, number, NULL)); /* nobody names it */
    }
    return status;
}

/* ---- Edits ----------------------------------------------------------------------------------- */

stoa_status stoa_manifest_writer_open(stoa_manifest_writer *writer,
                                      const stoa_manifest_place *place,
                                      const stoa_manifest_log *log, stoa_error *err) {
    char *uri = NULL;
    *writer = (stoa_manifest_writer){.record_count = log->record_count, .size = log->size};
    STOA_TRY(stoa_manifest_uri(place, log->number, &uri, err));
    stoa_status status = stoa_vfs_open(place->file_systems, uri, STOA_OPEN_APPEND, &place->context,
                                       &writer->file, err);
    stoa_pool_free_string(place->context.pool, uri);
    if (status == STOA_OK) {
        /* Who wrote the last edit may have died before its sync. */
        status = stoa_file_sync(writer->file, err);
    }
    if (status != STOA_OK) {
        stoa_manifest_writer_close(writer);
    }
    return status;
}

/* An edit that failed may be in the file as far as this machine knows, while the disk does not have
 * it: whoever opens the manifest next is not to find it and believe it. Where this fails too, they may.
 * A handle whose sync failed does nothing any more, so this takes another. */
static void take_back(const stoa_manifest_place *place, uint64_t number, uint64_t size) {
    stoa_file *file = NULL;
    char *uri = NULL;
    if (stoa_manifest_uri(place, number, &uri, NULL) == STOA_OK &&
        stoa_vfs_open(place->file_systems, uri, STOA_OPEN_APPEND, &place->context, &file, NULL) ==
            STOA_OK) {
        STOA_IGNORE(stoa_file_truncate(file, size, NULL));
    }
    stoa_file_close(file);
    stoa_pool_free_string(place->context.pool, uri);
}

stoa_status stoa_manifest_writer_add(stoa_manifest_writer *writer, const stoa_manifest_place *place,
                                     uint64_t number, const stoa_manifest_edit *edit,
                                     stoa_error *err) {
    stoa_buffer bytes = {.pool = place->context.pool};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_manifest_edit_encode(edit, number, writer->record_count + 1, &bytes, err));
    status = stoa_file_write(writer->file, bytes.data, bytes.size, err);
    if (status == STOA_OK) {
        status = stoa_file_sync(writer->file, err);
    }
    if (status != STOA_OK) {
        stoa_manifest_writer_close(writer);
        take_back(place, number, writer->size);
        goto done;
    }
    writer->record_count++;
    writer->size += bytes.size;

done:
    stoa_buffer_release(&bytes);
    return status;
}

void stoa_manifest_writer_close(stoa_manifest_writer *writer) {
    stoa_file_close(writer->file);
    writer->file = NULL;
}
