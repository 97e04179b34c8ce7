/* A segment is read through a window of its file, by plain reads: they see what a writer stores in its
 * map, and what was copied out cannot change while its checksum is computed. */
#include "lsm/wal_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW_BYTES = 1 << 20, NAME_DIGITS = 16 };

/* ---- Names ----------------------------------------------------------------------------------- */

static bool parse_name(const char *name, uint64_t *out) {
    *out = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        const char c = name[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) {
            return false;
        }
        *out = *out << 4 | (uint64_t)digit;
    }
    return strcmp(name + NAME_DIGITS, ".log") == 0;
}

static stoa_status add_number(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    uint64_t number;
    if (info->is_directory || !parse_name(name, &number)) {
        return STOA_OK;
    }
    if (number >> STOA_WAL_NUMBER_BITS != 0) {
        return stoa_fail(err, STOA_CORRUPT, "'%s' is no number of a log segment", name);
    }
    return stoa_buffer_append(user, &number, sizeof number, err);
}

static int compare_numbers(const void *a, const void *b) {
    const uint64_t left = stoa_load_u64(a), right = stoa_load_u64(b);
    return (left > right) - (left < right);
}

stoa_status stoa_wal_list(const stoa_context *context, stoa_fs_registry *file_systems,
                          const char *directory, stoa_buffer *numbers, stoa_error *err) {
    STOA_TRY(stoa_vfs_list(file_systems, directory, context, add_number, numbers, err));
    if (numbers->size > 0) {
        qsort(numbers->data, numbers->size / sizeof(uint64_t), sizeof(uint64_t), compare_numbers);
    }
    return STOA_OK;
}

stoa_status stoa_wal_uri(stoa_pool *pool, const char *directory, uint64_t number, char **out,
                         stoa_error *err) {
    char name[32];
    (void)snprintf(name, sizeof name, STOA_WAL_NAME, number);
    return stoa_vfs_join(pool, directory, name, out, err);
}

static stoa_status fail_damaged(const stoa_wal_reader *reader, stoa_error *err, const char *what) {
    const stoa_status status = stoa_fail(err, STOA_CORRUPT, "log segment '%s': byte 0: %s",
                                         stoa_file_uri(reader->file), what);
    stoa_error_set_file(err, stoa_file_uri(reader->file), 0);
    return status;
}

/* A power cut may leave an earlier header in a file that is used again. A new file gets its name when its
 * header is on the disk, and a header lies within a sector, so hardly anything leaves half of one: see
 * judge_header. */
static stoa_status read_header(stoa_wal_reader *reader, bool *out_begun, stoa_error *err) {
    stoa_wal_header header = {0};
    size_t got = 0;
    *out_begun = false;
    STOA_TRY(stoa_file_read_some(reader->file, 0, &header, sizeof header, &got, err));
    if (memcmp(header.magic, STOA_WAL_MAGIC, sizeof header.magic) != 0) {
        return fail_damaged(reader, err, "it is not a segment of a log");
    }
    if (header.crc != stoa_wal_header_crc(&header)) {
        return fail_damaged(reader, err, "the checksum of the header is wrong");
    }
    if (header.version > STOA_WAL_VERSION) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "log segment '%s': expected a version up to %d but found %" PRIu32,
                         stoa_file_uri(reader->file), STOA_WAL_VERSION, header.version);
    }
    if (header.number > reader->number) {
        return stoa_fail(err, STOA_CONFLICT,
                         "log segment '%s' was released before it was read: it is used again",
                         stoa_file_uri(reader->file));
    }
    if (header.bytes > STOA_WAL_SEGMENT_MAX || header.bytes % STOA_WAL_ALIGNMENT != 0 ||
        header.bytes < sizeof header + sizeof(stoa_wal_head)) {
        return fail_damaged(reader, err, "the header says an impossible size");
    }
    reader->header = header;
    *out_begun = header.number == reader->number;
    return STOA_OK;
}

void stoa_wal_reader_close(stoa_wal_reader *reader) {
    stoa_file_close(reader->file);
    reader->file = NULL;
    stoa_buffer_release(&reader->window);
}

void stoa_wal_reader_refresh(stoa_wal_reader *reader) {
    reader->window.size = 0;
}

/* At least `size` bytes at `at`, and how many there are; NULL when the segment does not have so many. */
static stoa_status fetch(stoa_wal_reader *reader, uint64_t at, size_t size, const uint8_t **out,
                         size_t *out_size, stoa_error *err) {
    const uint64_t bytes = reader->file_bytes < reader->header.bytes ? reader->file_bytes
                                                                     : reader->header.bytes;
    stoa_buffer *window = &reader->window;
    *out = NULL;
    *out_size = 0;
    if (at > bytes || bytes - at < size) {
        return STOA_OK;
    }
    if (at < reader->window_at || at + size > reader->window_at + window->size) {
        size_t wanted = size < WINDOW_BYTES ? WINDOW_BYTES : size;
        wanted = wanted < bytes - at ? wanted : (size_t)(bytes - at);
        window->size = 0;
        STOA_TRY(stoa_buffer_reserve(window, wanted, err));
        STOA_TRY(stoa_file_read(reader->file, at, window->data, wanted, err));
        window->size = wanted;
        reader->window_at = at;
    }
    *out = window->data + (at - reader->window_at);
    *out_size = (size_t)(reader->window_at + window->size - at);
    return STOA_OK;
}

/* Bytes that the record of a head at `at` has with it; 0 when there can be none. */
static uint64_t record_bytes(const stoa_wal_reader *reader, uint64_t at,
                             const stoa_wal_head *head) {
    const bool is_end = head->size == STOA_WAL_END;
    if (head->place != (at ^ reader->header.salt) || head->size == 0 ||
        (!is_end && head->size > STOA_WAL_PAYLOAD_MAX)) {
        return 0;
    }
    const uint64_t bytes = sizeof *head + (is_end ? 0 : stoa_wal_pad(head->size));
    return bytes <= reader->header.bytes - at ? bytes : 0;
}

static stoa_status find_at(stoa_wal_reader *reader, uint64_t at, stoa_wal_found *out,
                           stoa_wal_record *record, stoa_error *err) {
    const uint8_t *bytes;
    size_t there;
    stoa_wal_head head;
    *out = STOA_WAL_FOUND_NOTHING;
    STOA_TRY(fetch(reader, at, sizeof head, &bytes, &there, err));
    if (bytes == NULL) {
        return STOA_OK;
    }
    memcpy(&head, bytes, sizeof head);
    const uint64_t size = record_bytes(reader, at, &head);
    STOA_TRY(fetch(reader, at, (size_t)size, &bytes, &there, err));
    if (size == 0 || bytes == NULL ||
        stoa_wal_crc(reader->header.crc, &head, bytes + sizeof head, (size_t)size - sizeof head) !=
            head.crc) {
        return STOA_OK;
    }
    *record = (stoa_wal_record){bytes + sizeof head, head.size, at + size, head.durable};
    *out = head.size == STOA_WAL_END ? STOA_WAL_FOUND_END : STOA_WAL_FOUND_RECORD;
    return STOA_OK;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Whether the first record has the checksum that a header with this one of its own gives it. */
static stoa_status has_record(stoa_wal_reader *reader, uint32_t seed, bool *out, stoa_error *err) {
    stoa_wal_reader look = *reader;
    stoa_wal_found found = STOA_WAL_FOUND_NOTHING;
    stoa_wal_record record;
    stoa_wal_head head;
    const uint8_t *bytes;
    size_t there;
    look.header.crc = seed;
    STOA_TRY(fetch(&look, look.offset, sizeof head, &bytes, &there, err));
    if (bytes != NULL) {
        memcpy(&head, bytes, sizeof head);
        look.header.salt = head.place ^ look.offset;
        STOA_TRY(find_at(&look, look.offset, &found, &record, err));
    }
    reader->window = look.window;
    reader->window_at = look.window_at;
    *out = *out || found != STOA_WAL_FOUND_NOTHING;
    return STOA_OK;
}

/* A header that fails its checksum may be torn on a disk whose sectors are: then it is parts of the file's
 * earlier header and of the new one, which agree in magic, version and length. Whatever was synced in the
 * segment was so after its header. A record that fits either checksum tells that the header was whole. */
static stoa_status judge_header(stoa_wal_reader *reader, stoa_error *err) {
    stoa_wal_header *header = &reader->header;
    size_t got = 0;
    bool was_whole = false;
    STOA_TRY(stoa_file_read_some(reader->file, 0, header, sizeof *header, &got, err));
    if (got < sizeof *header || memcmp(header->magic, STOA_WAL_MAGIC, sizeof header->magic) != 0 ||
        header->version != STOA_WAL_VERSION || header->zero != 0 || header->zeros != 0 ||
        header->more_zeros != 0 || header->bytes != reader->file_bytes ||
        header->number > reader->number) {
        return STOA_OK;
    }
    const uint32_t stored = header->crc, computed = stoa_wal_header_crc(header);
    STOA_TRY(has_record(reader, stored, &was_whole, err));
    STOA_TRY(has_record(reader, computed, &was_whole, err));
    reader->may_be_torn = stored != computed && !was_whole;
    return STOA_OK;
}

stoa_status stoa_wal_reader_open(stoa_wal_reader *reader, const stoa_context *context,
                                 stoa_fs_registry *file_systems, const char *directory,
                                 uint64_t number, stoa_error *err) {
    char *uri = NULL;
    stoa_status status = STOA_OK;
    *reader = (stoa_wal_reader){.number = number, .offset = sizeof(stoa_wal_header)};
    stoa_buffer_init(&reader->window, context->pool);
    STOA_CHECK(stoa_wal_uri(context->pool, directory, number, &uri, err));
    STOA_CHECK(stoa_vfs_open(file_systems, uri, STOA_OPEN_READ, context, &reader->file, err));
    STOA_CHECK(stoa_file_size(reader->file, &reader->file_bytes, err));
    status = read_header(reader, &reader->has_begun, err);
    if (status == STOA_CORRUPT) { /* it may be being stored: a moment later it is there */
        stoa_error_clear(err);
        status = read_header(reader, &reader->has_begun, err);
    }
    if (status == STOA_CORRUPT) {
        stoa_error ignored;
        STOA_IGNORE(judge_header(reader, &ignored)); /* in doubt it is damaged */
    }

done:
    stoa_pool_free_string(context->pool, uri);
    if (status != STOA_OK) {
        stoa_wal_reader_close(reader);
    }
    return status;
}

stoa_status stoa_wal_reader_next(stoa_wal_reader *reader, stoa_wal_found *out,
                                 stoa_wal_record *record, stoa_error *err) {
    STOA_TRY(find_at(reader, reader->offset, out, record, err));
    if (*out != STOA_WAL_FOUND_NOTHING) {
        reader->offset = record->end;
    }
    return STOA_OK;
}

stoa_status stoa_wal_reader_look(stoa_wal_reader *reader, bool *out_stored, uint64_t *out_bytes,
                                 stoa_error *err) {
    const uint8_t *bytes;
    size_t there;
    stoa_wal_head head;
    *out_stored = false;
    *out_bytes = 0;
    STOA_TRY(fetch(reader, reader->offset, sizeof head, &bytes, &there, err));
    if (bytes != NULL) {
        memcpy(&head, bytes, sizeof head);
        *out_stored = head.crc != 0 || head.size != 0;
        *out_bytes = record_bytes(reader, reader->offset, &head);
    }
    return STOA_OK;
}

/* The next place from `at` on where a head of this segment may stand; the segment's end: none. */
static stoa_status find_place(stoa_wal_reader *reader, uint64_t *at, stoa_error *err) {
    const uint8_t *bytes;
    size_t there;
    while (true) {
        STOA_TRY(fetch(reader, *at, sizeof(stoa_wal_head), &bytes, &there, err));
        if (bytes == NULL) {
            *at = reader->header.bytes;
            return STOA_OK;
        }
        for (size_t i = 0; i + sizeof(stoa_wal_head) <= there; i += STOA_WAL_ALIGNMENT) {
            if (stoa_load_u64(bytes + i + offsetof(stoa_wal_head, place)) ==
                (*at ^ reader->header.salt)) {
                return STOA_OK;
            }
            *at += STOA_WAL_ALIGNMENT;
        }
    }
}

/* The next whole record from `*at` on, the segment's end: none. A payload could be made of heads that all
 * claim to be long. The salt, which nobody is told, keeps them from being looked at; the budget holds for
 * somebody who has read it. */
static stoa_status find_whole(stoa_wal_reader *reader, uint64_t *at, uint64_t *budget,
                              stoa_wal_record *record, stoa_error *err) {
    while (true) {
        stoa_wal_found found;
        bool stored;
        uint64_t bytes;
        STOA_TRY(find_place(reader, at, err));
        if (*at >= reader->header.bytes || *budget == 0) {
            *at = reader->header.bytes;
            return STOA_OK;
        }
        STOA_TRY(find_at(reader, *at, &found, record, err));
        if (found != STOA_WAL_FOUND_NOTHING) {
            return STOA_OK;
        }
        const uint64_t kept = reader->offset;
        reader->offset = *at;
        const stoa_status status = stoa_wal_reader_look(reader, &stored, &bytes, err);
        reader->offset = kept;
        STOA_TRY(status);
        *budget -= bytes < *budget ? bytes : *budget;
        *at += STOA_WAL_ALIGNMENT;
    }
}

stoa_status stoa_wal_reader_skip(stoa_wal_reader *reader, uint64_t *budget, bool *out_found,
                                 stoa_error *err) {
    stoa_wal_record record;
    uint64_t at = reader->offset + STOA_WAL_ALIGNMENT;
    STOA_TRY(find_whole(reader, &at, budget, &record, err));
    *out_found = at < reader->header.bytes;
    if (*out_found) {
        reader->offset = at;
    }
    return STOA_OK;
}

stoa_status stoa_wal_reader_scan(stoa_wal_reader *reader, uint64_t from,
                                 stoa_wal_evidence *evidence, stoa_error *err) {
    uint64_t budget = stoa_wal_reader_budget(reader);
    for (uint64_t at = from;;) {
        stoa_wal_record record;
        STOA_TRY(find_whole(reader, &at, &budget, &record, err));
        if (at >= reader->header.bytes) {
            return STOA_OK;
        }
        evidence->first = evidence->records == 0 ? stoa_wal_pack(reader->number, at)
                                                 : evidence->first;
        evidence->records++;
        evidence->bytes += record.end - at;
        evidence->durable_max = record.durable > evidence->durable_max ? record.durable
                                                                       : evidence->durable_max;
        at = record.end;
    }
}
