/* Files of a store, described by the readers that the store itself uses. Called by `stoa inspect`. */
#include "lsm/describe.h"

#include <stdio.h>
#include <string.h>

#include "lsm/manifest_internal.h"
#include "lsm/sstable_format.h"
#include "lsm/table_options.h"
#include "lsm/wal_read.h"

struct description {
    const stoa_context *context;
    stoa_fs_registry *file_systems;
    const char *directory;
    uint64_t number;
    bool with_parts;
    stoa_buffer *out;
};

static stoa_status put_hex(stoa_buffer *out, const char *name, const uint8_t *bytes, size_t size,
                           stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(out, err, ", \"%s\": \"", name));
    for (size_t i = 0; i < size; i++) {
        STOA_TRY(stoa_buffer_append_format(out, err, "%02x", bytes[i]));
    }
    return stoa_buffer_append_byte(out, '"', err);
}

/* ---- manifests ------------------------------------------------------------------------------- */

static stoa_status put_file(const stoa_manifest_file *file, stoa_buffer *out, stoa_error *err) {
    const stoa_table_file_info *info = &file->info;
    STOA_TRY(stoa_buffer_append_format(out, err,
                                       "{\"table\": %" PRId64 ", \"number\": %" PRIu64
                                       ", \"level\": %" PRId32 ", \"bytes\": %" PRIu64
                                       ", \"rows\": %" PRId64 ", \"deletions\": %" PRId64
                                       ", \"sequence_min\": %" PRIu64
                                       ", \"sequence_max\": %" PRIu64,
                                       file->table_id, info->number, info->level, info->bytes,
                                       info->row_count, info->delete_count, info->sequence_min,
                                       info->sequence_max));
    STOA_TRY(put_hex(out, "first_key", info->first_key.data, info->first_key.size, err));
    STOA_TRY(put_hex(out, "last_key", info->last_key.data, info->last_key.size, err));
    return stoa_buffer_append_byte(out, '}', err);
}

/* Definitions are JSON themselves. */
static stoa_status put_contents(const stoa_manifest_state *state, stoa_buffer *out,
                                stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(out, err,
                                       ", \"log_segment\": %" PRIu64 ", \"next_file\": %" PRIu64
                                       ", \"last_sequence\": %" PRIu64
                                       ", \"flushed_sequence\": %" PRIu64 ", \"tables\": [",
                                       state->log_segment, state->next_file, state->last_sequence,
                                       state->flushed_sequence));
    for (int32_t i = 0; i < state->table_count; i++) {
        STOA_TRY(stoa_buffer_append_format(out, err, "%s{\"id\": %" PRId64 ", \"definition\": %s}",
                                           i > 0 ? ", " : "", state->tables[i].id,
                                           state->tables[i].definition));
    }
    STOA_TRY(stoa_buffer_append_text(out, "], \"files\": [", err));
    for (int64_t i = 0; i < state->file_count; i++) {
        STOA_TRY(stoa_buffer_append_text(out, i > 0 ? ", " : "", err));
        STOA_TRY(put_file(&state->files[i], out, err));
    }
    return stoa_buffer_append_text(out, "]}", err);
}

static stoa_status describe_manifest(const struct description *it, stoa_error *err) {
    const stoa_manifest_place place = {*it->context, it->file_systems, it->directory};
    stoa_manifest_log log = {0};
    stoa_manifest_contents contents;
    STOA_TRY(stoa_manifest_log_open(&log, &place, it->number, err));
    stoa_manifest_contents_init(&contents, it->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_manifest_log_read(&log, it->context->cancel, &contents, err));
    STOA_CHECK(stoa_buffer_append_format(it->out, err,
                                         "{\"format\": \"manifest\", \"version\": %d, \"number\": "
                                         "%" PRIu64 ", \"bytes\": %" PRIu64 ", \"edits\": %" PRIu64
                                         ", \"torn\": %s",
                                         STOA_MANIFEST_VERSION, it->number, log.size,
                                         log.record_count, log.is_torn ? "true" : "false"));
    STOA_CHECK(put_contents(&contents.state, it->out, err));

done:
    stoa_manifest_contents_release(&contents);
    stoa_manifest_log_release(&log);
    return status;
}

/* ---- segments of the log --------------------------------------------------------------------- */

/* The records that are whole, up to the first that is not. */
static stoa_status put_records(const struct description *it, stoa_wal_reader *reader,
                               uint64_t *out_count, stoa_wal_found *out_found, stoa_error *err) {
    stoa_wal_record record;
    for (*out_count = 0;; ++*out_count) {
        const uint64_t offset = reader->offset;
        STOA_TRY(stoa_cancel_check(it->context->cancel, err));
        STOA_TRY(stoa_wal_reader_next(reader, out_found, &record, err));
        if (*out_found != STOA_WAL_FOUND_RECORD) {
            return STOA_OK;
        }
        if (it->with_parts) {
            STOA_TRY(stoa_buffer_append_format(it->out, err,
                                               "%s{\"offset\": %" PRIu64 ", \"bytes\": %zu}",
                                               *out_count > 0 ? ", " : ", \"records\": [", offset,
                                               record.size));
        }
    }
}

static stoa_status describe_segment(const struct description *it, stoa_error *err) {
    stoa_wal_reader reader = {0};
    stoa_wal_found found = STOA_WAL_FOUND_NOTHING;
    uint64_t count = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_wal_reader_open(&reader, it->context, it->file_systems, it->directory,
                                    it->number, err));
    STOA_CHECK(stoa_buffer_append_format(it->out, err,
                                         "{\"format\": \"log\", \"version\": %d, \"segment\": "
                                         "%" PRIu64 ", \"file_bytes\": %" PRIu64,
                                         STOA_WAL_VERSION, it->number, reader.file_bytes));
    if (reader.has_begun) {
        STOA_CHECK(put_records(it, &reader, &count, &found, err));
    }
    STOA_CHECK(stoa_buffer_append_format(it->out, err,
                                         "%s, \"record_count\": %" PRIu64
                                         ", \"record_end\": %" PRIu64 ", \"ended\": %s}",
                                         it->with_parts && count > 0 ? "]" : "", count,
                                         reader.offset,
                                         found == STOA_WAL_FOUND_END ? "true" : "false"));

done:
    stoa_wal_reader_close(&reader);
    return status;
}

/* ---- SSTables -------------------------------------------------------------------------------- */

static stoa_status put_stripe(const stoa_sst_member *member, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(
        stoa_buffer_append_format(out, err,
                                  "{\"offset\": %" PRIu64 ", \"rows\": %" PRIu32
                                  ", \"deletions\": %" PRIu32 ", \"merges\": %" PRIu32
                                  ", \"sequence_min\": %" PRIu64 ", \"sequence_max\": %" PRIu64,
                                  member->offset, member->stripe.row_count, member->delete_count,
                                  member->merge_count, member->sequence_min, member->sequence_max));
    STOA_TRY(put_hex(out, "first_key", member->first_key, member->first_key_size, err));
    STOA_TRY(put_hex(out, "last_key", member->last_key, member->last_key_size, err));
    return stoa_buffer_append_byte(out, '}', err);
}

static stoa_status put_table(const struct description *it, const stoa_sst *table, int64_t table_id,
                             stoa_error *err) {
    const stoa_sst_summary *summary = stoa_sst_summary_of(table);
    STOA_TRY(stoa_buffer_append_format(it->out, err,
                                       "{\"format\": \"sstable\", \"number\": %" PRIu64
                                       ", \"table\": %" PRId64 ", \"bytes\": %" PRIu64
                                       ", \"rows\": %" PRId64 ", \"deletions\": %" PRId64
                                       ", \"ranges\": %" PRId64 ", \"sequence_min\": %" PRIu64
                                       ", \"sequence_max\": %" PRIu64
                                       ", \"stripe_count\": %" PRId64,
                                       it->number, table_id, summary->file_bytes,
                                       summary->row_count, summary->delete_count,
                                       summary->range_count, summary->sequence_min,
                                       summary->sequence_max, summary->stripe_count));
    for (int64_t i = 0; it->with_parts && i < summary->stripe_count; i++) {
        STOA_TRY(stoa_buffer_append_text(it->out, i > 0 ? ", " : ", \"stripes\": [", err));
        STOA_TRY(put_stripe(stoa_sst_member_at(table, i), it->out, err));
    }
    const bool has_list = it->with_parts && summary->stripe_count > 0;
    return stoa_buffer_append_text(it->out, has_list ? "]}" : "}", err);
}

/* The table that a manifest has the file in. */
static stoa_status find_definition(const struct description *it, const stoa_manifest_state *state,
                                   int64_t *out_table, stoa_definition **out, stoa_error *err) {
    for (int64_t i = 0; i < state->file_count; i++) {
        if (state->files[i].info.number != it->number) {
            continue;
        }
        *out_table = state->files[i].table_id;
        for (int32_t t = 0; t < state->table_count; t++) {
            if (state->tables[t].id == *out_table) {
                return stoa_definition_parse(it->context->pool, state->tables[t].definition, out,
                                             err);
            }
        }
    }
    return stoa_fail(err, STOA_NOT_FOUND,
                     "the manifest in '%s' does not name file %016" PRIx64
                     ": nobody uses it any more",
                     it->directory, it->number);
}

static stoa_status describe_table(const struct description *it, const char *path, stoa_error *err) {
    const stoa_manifest_options options = {.context = *it->context,
                                           .file_systems = it->file_systems,
                                           .directory = it->directory,
                                           .read_only = true};
    stoa_manifest *manifest = NULL;
    stoa_definition *definition = NULL;
    stoa_file *file = NULL;
    stoa_sst *table = NULL;
    int64_t table_id = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_manifest_open(&options, &manifest, err));
    STOA_CHECK(find_definition(it, stoa_manifest_state_of(manifest), &table_id, &definition, err));
    STOA_CHECK(stoa_vfs_open(it->file_systems, path, STOA_OPEN_READ, it->context, &file, err));
    STOA_CHECK(stoa_sst_open(it->context, file, &definition->layout, &table, err));
    STOA_CHECK(put_table(it, table, table_id, err));

done:
    stoa_sst_close(table);
    stoa_definition_release(definition);
    stoa_manifest_close(manifest);
    return status;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool begins_with(const uint8_t *bytes, size_t size, const char *magic) {
    return size >= STOA_STORE_MAGIC_BYTES && memcmp(bytes, magic, STOA_STORE_MAGIC_BYTES) == 0;
}

bool stoa_store_file_recognise(const uint8_t *bytes, size_t size) {
    return begins_with(bytes, size, STOA_MANIFEST_MAGIC) ||
           begins_with(bytes, size, STOA_WAL_MAGIC) || begins_with(bytes, size, STOA_SST_MAGIC);
}

/* 16 digits, hexadecimal. */
static bool parse_number(const char *digits, uint64_t *out) {
    *out = 0;
    for (int i = 0; i < 16; i++) {
        const char *digit = memchr("0123456789abcdef", digits[i], 16);
        if (digit == NULL) {
            return false;
        }
        *out = *out << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    return true;
}

stoa_status stoa_store_file_describe(const stoa_context *context, stoa_fs_registry *file_systems,
                                     const char *path, bool with_parts, stoa_buffer *out,
                                     stoa_error *err) {
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const size_t length = strlen(name);
    struct description it = {context, file_systems, ".", 0, with_parts, out};
    char *directory = NULL;
    if (slash != NULL) {
        STOA_TRY(stoa_pool_copy_string(context->pool, path, &directory, err));
        directory[slash - path] = '\0';
        it.directory = slash == path ? "/" : directory;
    }
    stoa_status status;
    if (length == 25 && memcmp(name, "MANIFEST-", 9) == 0 && parse_number(name + 9, &it.number)) {
        status = describe_manifest(&it, err);
    } else if (length == 20 && parse_number(name, &it.number) && strcmp(name + 16, ".log") == 0) {
        status = describe_segment(&it, err);
    } else if (length == 20 && parse_number(name, &it.number) && strcmp(name + 16, ".sst") == 0) {
        status = describe_table(&it, path, err);
    } else {
        status = stoa_fail(err, STOA_INVALID,
                           "'%s' is a file of a state store, but has not the name of one: expected "
                           "MANIFEST-NUMBER, NUMBER.log or NUMBER.sst with 16 digits",
                           path);
    }
    stoa_pool_free(context->pool, directory, directory == NULL ? 0 : strlen(path) + 1);
    return status;
}
