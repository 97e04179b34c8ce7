/* Reading a manifest: `CURRENT`, then the records of the log that it names.
 *
 * A record that is not whole ends the log if nothing whole follows: the writer died, or is not done
 * with it. Every record is synced before the next is written, so one that is not whole before a whole
 * one is damage, and so is one among those that were durable before `CURRENT` named the manifest. */
#include <stdio.h>

#include "lsm/manifest_internal.h"

enum {
    CURRENT_BYTES_MAX = 64,
    WINDOW_BYTES = 256 << 10,
    REREADS = 2,
    /* Sums of what may be records behind a torn one, in times of the bytes there are: an answer in
     * bounded time, whatever stands there. */
    SEARCH_FACTOR = 16
};

/* ---- Names ----------------------------------------------------------------------------------- */

static const char PREFIX[] = "MANIFEST-";
enum { PREFIX_BYTES = sizeof PREFIX - 1, DIGITS = 16 };

stoa_status stoa_manifest_uri(const stoa_manifest_place *place, uint64_t number, char **out,
                              stoa_error *err) {
    char name[PREFIX_BYTES + DIGITS + 1];
    (void)snprintf(name, sizeof name, "%s%016" PRIx64, PREFIX, number);
    return stoa_vfs_join(place->context.pool, place->directory, name, out, err);
}

/* Half of all numbers are enough, and no number behind one of those wraps around. */
static bool parse_digits(const char *digits, uint64_t *out) {
    *out = 0;
    for (int i = 0; i < DIGITS; i++) {
        const char c = digits[i];
        const bool is_number = c >= '0' && c <= '9';
        if (!is_number && (c < 'a' || c > 'f')) {
            return false;
        }
        *out = *out << 4 | (uint64_t)(is_number ? c - '0' : c - 'a' + 10);
    }
    return *out != 0 && *out <= INT64_MAX;
}

bool stoa_manifest_parse_name(const char *name, size_t size, uint64_t *out) {
    return size == PREFIX_BYTES + DIGITS && memcmp(name, PREFIX, PREFIX_BYTES) == 0 &&
           parse_digits(name + PREFIX_BYTES, out);
}

static stoa_status parse_current(const stoa_buffer *text, uint64_t *out, stoa_error *err) {
    const char *bytes = (const char *)text->data;
    return text->size > 0 && bytes[text->size - 1] == '\n' &&
                   stoa_manifest_parse_name(bytes, text->size - 1, out)
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT, "expected the name of a manifest and a line's end");
}

stoa_status stoa_manifest_current_read(const stoa_manifest_place *place, uint64_t *out,
                                       stoa_error *err) {
    char *uri = NULL;
    stoa_buffer text;
    STOA_TRY(stoa_vfs_join(place->context.pool, place->directory, "CURRENT", &uri, err));
    stoa_status status = stoa_vfs_read_all(place->file_systems, uri, &place->context,
                                           CURRENT_BYTES_MAX, place->context.pool, &text, err);
    if (status == STOA_LIMIT) {
        status = err == NULL ? STOA_CORRUPT : (err->status = STOA_CORRUPT);
    }
    if (status == STOA_OK) {
        status = parse_current(&text, out, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "'%s'", uri);
        }
    }
    stoa_buffer_release(&text);
    stoa_pool_free_string(place->context.pool, uri);
    return status;
}

stoa_status stoa_manifest_current_write(const stoa_manifest_place *place, uint64_t number,
                                        stoa_error *err) {
    char text[PREFIX_BYTES + DIGITS + 2];
    char *uri = NULL;
    const int size = snprintf(text, sizeof text, "%s%016" PRIx64 "\n", PREFIX, number);
    STOA_TRY(stoa_vfs_join(place->context.pool, place->directory, "CURRENT", &uri, err));
    const stoa_status status = stoa_vfs_replace(place->file_systems, uri, &place->context, text,
                                                (size_t)size, err);
    stoa_pool_free_string(place->context.pool, uri);
    return status;
}

stoa_status stoa_manifest_remove(const stoa_manifest_place *place, uint64_t number,
                                 stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_manifest_uri(place, number, &uri, err));
    const stoa_status status = stoa_vfs_remove(place->file_systems, uri, &place->context, err);
    stoa_pool_free_string(place->context.pool, uri);
    return status;
}

/* ---- Records --------------------------------------------------------------------------------- */

static stoa_status fail_at(const stoa_manifest_log *log, uint64_t byte, const char *problem,
                           stoa_error *err) {
    (void)stoa_fail(err, STOA_CORRUPT, "'%s': edit %" PRIu64 " at byte %" PRIu64 ": %s",
                    stoa_file_uri(log->file), log->record_count + 1, byte, problem);
    stoa_error_set_file(err, stoa_file_uri(log->file), (int64_t)byte);
    return STOA_CORRUPT;
}

/* Bytes [at, at + size) of the file, which is `end` bytes long; valid until the next call. */
static stoa_status look(stoa_manifest_log *log, uint64_t at, size_t size, uint64_t end,
                        const uint8_t **out, stoa_error *err) {
    const uint64_t there = log->window_at + log->window.size;
    if (at < log->window_at || at > there || there - at < size) {
        const uint64_t left = end - at;
        const size_t wanted = size > WINDOW_BYTES   ? size
                              : left < WINDOW_BYTES ? (size_t)left
                                                    : WINDOW_BYTES;
        stoa_buffer_clear(&log->window);
        STOA_TRY(stoa_buffer_reserve(&log->window, wanted, err));
        STOA_TRY(stoa_file_read(log->file, at, log->window.data, wanted, err));
        log->window.size = wanted;
        log->window_at = at;
    }
    *out = log->window.data + (at - log->window_at);
    return STOA_OK;
}

/* Whether a record begins at `bytes`, of which there are `left`, judging by its first words. */
static bool may_be_record(const stoa_manifest_record *record, uint64_t left) {
    return record->size % STOA_MANIFEST_ALIGNMENT == 0 && record->size <= left - sizeof *record;
}

/* Whether a later record of the log is whole, somewhere behind the one that is not. */
static stoa_status find_later(stoa_manifest_log *log, uint64_t end, bool *out, stoa_error *err) {
    const uint64_t left = end - log->size;
    const uint8_t *bytes;
    uint64_t summed = 0;
    *out = false;
    STOA_TRY(look(log, log->size, (size_t)left, end, &bytes, err));
    for (uint64_t at = STOA_MANIFEST_ALIGNMENT; !*out && at + sizeof(stoa_manifest_record) <= left;
         at += STOA_MANIFEST_ALIGNMENT) {
        stoa_manifest_record record;
        memcpy(&record, bytes + at, sizeof record);
        if (record.index <= log->record_count || record.index - log->record_count > left ||
            !may_be_record(&record, left - at)) {
            continue;
        }
        summed += record.size;
        *out = summed > SEARCH_FACTOR * left ||
               record.crc == stoa_manifest_crc(log->number, &record, bytes + at + sizeof record);
    }
    return STOA_OK;
}

/* The payload of the next record; NULL where it is not whole. */
static stoa_status next_payload(stoa_manifest_log *log, uint64_t end, const uint8_t **out,
                                size_t *out_size, stoa_error *err) {
    const uint64_t left = end - log->size;
    const uint8_t *bytes;
    stoa_manifest_record record;
    *out = NULL;
    if (left < sizeof record) {
        return STOA_OK;
    }
    STOA_TRY(look(log, log->size, sizeof record, end, &bytes, err));
    memcpy(&record, bytes, sizeof record);
    if (!may_be_record(&record, left)) {
        return STOA_OK;
    }
    STOA_TRY(look(log, log->size, sizeof record + record.size, end, &bytes, err));
    if (record.crc != stoa_manifest_crc(log->number, &record, bytes + sizeof record)) {
        return STOA_OK;
    }
    if (record.index != log->record_count + 1) {
        return fail_at(log, log->size, "a record that belongs elsewhere", err);
    }
    *out = bytes + sizeof record;
    *out_size = record.size;
    return STOA_OK;
}

static stoa_status apply(const stoa_manifest_log *log, stoa_manifest_contents *contents,
                         const uint8_t *payload, size_t size, stoa_error *err) {
    stoa_manifest_change change;
    stoa_manifest_edit edit;
    stoa_arena arena;
    stoa_arena_init(&arena, contents->pool);
    stoa_status status = stoa_manifest_edit_decode(&arena, payload, size, &edit, err);
    if (status == STOA_OK) {
        status = stoa_manifest_change_prepare(&change, contents, &edit, err);
    }
    if (status == STOA_OK) {
        stoa_manifest_change_apply(&change, contents);
    } else {
        stoa_wrap(err, "'%s': edit %" PRIu64 " at byte %" PRIu64, stoa_file_uri(log->file),
                  log->record_count + 1, log->size);
    }
    stoa_arena_release(&arena);
    return status;
}

/* What a record that is not whole means: nothing more to read, or damage. It is read again before
 * it is called damage, since a writer may have gone on meanwhile. */
static stoa_status judge(stoa_manifest_log *log, uint64_t end, int *rereads, bool *out_again,
                         stoa_error *err) {
    bool is_damage = log->record_count < log->base_records;
    if (!is_damage) {
        STOA_TRY(find_later(log, end, &is_damage, err));
    }
    *out_again = is_damage && *rereads > 0;
    log->is_torn = !is_damage;
    if (*out_again) {
        --*rereads;
        stoa_buffer_clear(&log->window);
        return STOA_OK;
    }
    return is_damage ? fail_at(log, log->size, "it fails its checksum, and others follow", err)
                     : STOA_OK;
}

stoa_status stoa_manifest_log_read(stoa_manifest_log *log, const stoa_cancel *cancel,
                                   stoa_manifest_contents *contents, stoa_error *err) {
    int rereads = REREADS;
    bool goes_on = true;
    uint64_t end;
    STOA_TRY(stoa_file_size(log->file, &end, err));
    stoa_buffer_clear(&log->window);
    log->is_torn = false;
    while (goes_on && log->size < end) {
        const uint8_t *payload;
        size_t size = 0;
        STOA_TRY(stoa_cancel_check(cancel, err));
        STOA_TRY(next_payload(log, end, &payload, &size, err));
        if (payload == NULL) {
            STOA_TRY(judge(log, end, &rereads, &goes_on, err));
            continue;
        }
        STOA_TRY(apply(log, contents, payload, size, err));
        log->record_count++;
        log->size += sizeof(stoa_manifest_record) + size;
    }
    return log->record_count < log->base_records
               ? fail_at(log, log->size, "the manifest ends early", err)
               : STOA_OK;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static stoa_status read_header(stoa_manifest_log *log, stoa_error *err) {
    uint8_t bytes[sizeof(stoa_manifest_header)];
    size_t size = 0;
    STOA_TRY(stoa_file_read_some(log->file, 0, bytes, sizeof bytes, &size, err));
    const stoa_status status = stoa_manifest_header_decode(bytes, size, log->number,
                                                           &log->base_records, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "'%s'", stoa_file_uri(log->file));
    }
    log->size = sizeof bytes;
    return status;
}

stoa_status stoa_manifest_log_open(stoa_manifest_log *log, const stoa_manifest_place *place,
                                   uint64_t number, stoa_error *err) {
    char *uri = NULL;
    *log = (stoa_manifest_log){.number = number, .window = {.pool = place->context.pool}};
    STOA_TRY(stoa_manifest_uri(place, number, &uri, err));
    stoa_status status = stoa_vfs_open(place->file_systems, uri, STOA_OPEN_READ, &place->context,
                                       &log->file, err);
    stoa_pool_free_string(place->context.pool, uri);
    if (status == STOA_OK) {
        status = read_header(log, err);
    }
    if (status != STOA_OK) {
        stoa_manifest_log_release(log);
    }
    return status;
}

void stoa_manifest_log_release(stoa_manifest_log *log) {
    stoa_file_close(log->file);
    log->file = NULL;
    stoa_buffer_release(&log->window);
}
