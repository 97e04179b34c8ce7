/* Edits as bytes: fields of a tag, a size and what they hold, numbers as varints.
 *
 * A field that this version does not know is refused by its tag, for who goes on without it may lose
 * files; tags from FIELD_OPTIONAL on are kept for what may be passed over. */
#include "lsm/manifest_format.h"

#include <stddef.h>

#include "base/bytes.h"
#include "base/hash.h"

enum field_tag {
    FIELD_END = 0, /* zeros up to a multiple of 8 */
    FIELD_TABLE = 1,
    FIELD_DROPPED = 2,
    FIELD_REMOVED = 3,
    FIELD_ADDED = 4,
    FIELD_LOG_SEGMENT = 5,
    FIELD_NEXT_FILE = 6,
    FIELD_LAST_SEQUENCE = 7,
    FIELD_FLUSHED_SEQUENCE = 8,
    FIELD_KNOWN, /* one more than the last */
    FIELD_OPTIONAL = 128
};

enum { FIELD_HEAD_BYTES = 5, FILE_NUMBERS = 11 };

/* ---- Header and records ---------------------------------------------------------------------- */

uint32_t stoa_manifest_crc(uint64_t number, const stoa_manifest_record *record,
                           const uint8_t *payload) {
    uint32_t crc = stoa_crc32c(0, &number, sizeof number);
    crc = stoa_crc32c(crc, &record->index, sizeof record->index);
    crc = stoa_crc32c(crc, &record->size, sizeof record->size);
    return stoa_crc32c(crc, payload, record->size);
}

stoa_status stoa_manifest_header_encode(uint64_t number, uint64_t base_records, stoa_buffer *out,
                                        stoa_error *err) {
    stoa_manifest_header header = {.magic = STOA_MANIFEST_MAGIC,
                                   .version = STOA_MANIFEST_VERSION,
                                   .number = number,
                                   .base_records = base_records};
    header.crc = stoa_crc32c(0, &header, offsetof(stoa_manifest_header, crc));
    return stoa_buffer_append(out, &header, sizeof header, err);
}

stoa_status stoa_manifest_header_decode(const uint8_t *bytes, size_t size, uint64_t number,
                                        uint64_t *out_base_records, stoa_error *err) {
    stoa_manifest_header header = {0};
    memcpy(&header, bytes, size < sizeof header ? size : sizeof header);
    if (size < offsetof(stoa_manifest_header, zero) ||
        memcmp(header.magic, STOA_MANIFEST_MAGIC, sizeof header.magic) != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "at byte 0: expected a manifest but found something else");
    }
    if (size < sizeof header ||
        header.crc != stoa_crc32c(0, &header, offsetof(stoa_manifest_header, crc))) {
        return stoa_fail(err, STOA_CORRUPT, "at byte 0: the header fails its checksum");
    }
    if (header.version > STOA_MANIFEST_VERSION) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "expected version %d of the format at most but found %" PRIu32,
                         STOA_MANIFEST_VERSION, header.version);
    }
    if (header.version == 0 || header.zero != 0 || header.zero_too != 0) {
        return stoa_fail(err, STOA_CORRUPT, "at byte 0: the header does not hold together");
    }
    if (header.number != number) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected manifest %016" PRIx64 " but found %016" PRIx64, number,
                         header.number);
    }
    *out_base_records = header.base_records;
    return STOA_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

size_t stoa_manifest_file_bytes(const stoa_manifest_file *file) {
    enum { TYPICAL_NUMBERS = 36 };
    return FIELD_HEAD_BYTES + TYPICAL_NUMBERS + file->info.first_key.size +
           file->info.last_key.size;
}

size_t stoa_manifest_table_bytes(const stoa_manifest_table *table) {
    enum { TYPICAL_NUMBERS = 2 };
    return sizeof(stoa_manifest_record) + FIELD_HEAD_BYTES + TYPICAL_NUMBERS +
           strlen(table->definition) + 1;
}

/* Room for a field of so many varints and bytes; what it holds is put behind its head. */
static stoa_status begin_field(stoa_buffer *out, size_t numbers, size_t bytes, stoa_error *err) {
    STOA_TRY(
        stoa_buffer_reserve(out, FIELD_HEAD_BYTES + numbers * STOA_VARINT_BYTES_MAX + bytes, err));
    out->size += FIELD_HEAD_BYTES;
    return STOA_OK;
}

static void put_number(stoa_buffer *out, uint64_t number) {
    out->size += stoa_store_varint(out->data + out->size, number);
}

static void put_bytes(stoa_buffer *out, const void *bytes, size_t size) {
    if (size > 0) {
        memcpy(out->data + out->size, bytes, size);
        out->size += size;
    }
}

static stoa_status end_field(stoa_buffer *out, size_t from, enum field_tag tag, stoa_error *err) {
    const size_t size = out->size - from - FIELD_HEAD_BYTES;
    if (size > UINT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "expected less than 4 GiB in one edit");
    }
    out->data[from] = (uint8_t)tag;
    stoa_store_u32(out->data + from + 1, (uint32_t)size);
    return STOA_OK;
}

static stoa_status append_table(const stoa_manifest_table *table, stoa_buffer *out,
                                stoa_error *err) {
    const size_t from = out->size;
    const size_t size = strlen(table->definition) + 1;
    STOA_TRY(begin_field(out, 1, size, err));
    put_number(out, (uint64_t)table->id);
    put_bytes(out, table->definition, size);
    return end_field(out, from, FIELD_TABLE, err);
}

static stoa_status append_removal(const stoa_manifest_removal *removal, stoa_buffer *out,
                                  stoa_error *err) {
    const size_t from = out->size;
    STOA_TRY(begin_field(out, 2, 0, err));
    put_number(out, (uint64_t)removal->table_id);
    put_number(out, removal->number);
    return end_field(out, from, FIELD_REMOVED, err);
}

static stoa_status append_file(const stoa_manifest_file *file, stoa_buffer *out, stoa_error *err) {
    const stoa_table_file_info *info = &file->info;
    const size_t from = out->size;
    STOA_TRY(begin_field(out, FILE_NUMBERS, info->first_key.size + info->last_key.size, err));
    put_number(out, (uint64_t)file->table_id);
    put_number(out, info->number);
    put_number(out, (uint64_t)info->level);
    put_number(out, info->bytes);
    put_number(out, (uint64_t)info->row_count);
    put_number(out, (uint64_t)info->delete_count);
    put_number(out, info->sequence_min);
    put_number(out, info->sequence_max);
    put_number(out, stoa_zigzag(info->expires_ms));
    put_number(out, info->first_key.size);
    put_bytes(out, info->first_key.data, info->first_key.size);
    put_number(out, info->last_key.size);
    put_bytes(out, info->last_key.data, info->last_key.size);
    return end_field(out, from, FIELD_ADDED, err);
}

/* A field of one number; 0 where it may be left out is. */
static stoa_status append_number(enum field_tag tag, uint64_t number, stoa_buffer *out,
                                 stoa_error *err) {
    const size_t from = out->size;
    if (number == 0) {
        return STOA_OK;
    }
    STOA_TRY(begin_field(out, 1, 0, err));
    put_number(out, number);
    return end_field(out, from, tag, err);
}

static stoa_status append_fields(const stoa_manifest_edit *edit, stoa_buffer *out,
                                 stoa_error *err) {
    for (int32_t i = 0; i < edit->dropped_count; i++) {
        STOA_TRY(append_number(FIELD_DROPPED, (uint64_t)edit->dropped[i], out, err));
    }
    for (int32_t i = 0; i < edit->table_count; i++) {
        STOA_TRY(append_table(&edit->tables[i], out, err));
    }
    for (int64_t i = 0; i < edit->removed_count; i++) {
        STOA_TRY(append_removal(&edit->removed[i], out, err));
    }
    for (int64_t i = 0; i < edit->added_count; i++) {
        STOA_TRY(append_file(&edit->added[i], out, err));
    }
    STOA_TRY(append_number(FIELD_LOG_SEGMENT, edit->log_segment, out, err));
    STOA_TRY(append_number(FIELD_NEXT_FILE, edit->next_file, out, err));
    STOA_TRY(append_number(FIELD_LAST_SEQUENCE, edit->last_sequence, out, err));
    STOA_TRY(append_number(FIELD_FLUSHED_SEQUENCE, edit->flushed_sequence, out, err));
    const size_t rest = out->size % STOA_MANIFEST_ALIGNMENT;
    return stoa_buffer_append_fill(out, 0, rest == 0 ? 0 : STOA_MANIFEST_ALIGNMENT - rest, err);
}

stoa_status stoa_manifest_edit_encode(const stoa_manifest_edit *edit, uint64_t number,
                                      uint64_t index, stoa_buffer *out, stoa_error *err) {
    const size_t from = out->size;
    stoa_manifest_record record = {.index = index};
    STOA_ASSERT(from % STOA_MANIFEST_ALIGNMENT == 0);
    stoa_status status = stoa_buffer_append(out, &record, sizeof record, err);
    if (status == STOA_OK) {
        status = append_fields(edit, out, err);
    }
    if (status == STOA_OK && out->size - from - sizeof record > UINT32_MAX) {
        status = stoa_fail(err, STOA_LIMIT, "expected less than 4 GiB in one edit");
    }
    if (status != STOA_OK) {
        out->size = from;
        return status;
    }
    record.size = (uint32_t)(out->size - from - sizeof record);
    record.crc = stoa_manifest_crc(number, &record, out->data + from + sizeof record);
    memcpy(out->data + from, &record, sizeof record);
    return STOA_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct field {
    uint8_t tag;
    size_t position; /* in the payload */
    stoa_byte_reader bytes;
};

static stoa_status fail_field(const struct field *field, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "field %d at byte %zu of the edit is damaged",
                     (int)field->tag, field->position);
}

/* FIELD_END at the end of the payload. */
static stoa_status next_field(stoa_byte_reader *payload, struct field *out, stoa_error *err) {
    const size_t left = stoa_byte_reader_left(payload);
    static const uint8_t zeros[STOA_MANIFEST_ALIGNMENT];
    uint32_t size;
    *out = (struct field){.tag = FIELD_END, .position = payload->position};
    if (left == 0 || payload->data[payload->position] == FIELD_END) {
        return left < sizeof zeros && memcmp(payload->data + payload->position, zeros, left) == 0
                   ? STOA_OK
                   : fail_field(out, err);
    }
    if (!stoa_byte_reader_get(payload, &out->tag, sizeof out->tag) ||
        !stoa_byte_reader_get(payload, &size, sizeof size)) {
        return fail_field(out, err);
    }
    const uint8_t *bytes = stoa_byte_reader_take(payload, size);
    out->bytes = stoa_byte_reader_of(bytes, size);
    if (bytes == NULL) {
        return fail_field(out, err);
    }
    return out->tag < FIELD_KNOWN || out->tag >= FIELD_OPTIONAL
               ? STOA_OK
               : stoa_fail(
                     err, STOA_UNSUPPORTED,
                     "field %d at byte %zu of the edit is not known; a newer version wrote it",
                     (int)out->tag, out->position);
}

static bool get_number(struct field *field, uint64_t most, uint64_t *out) {
    return stoa_byte_reader_varint(&field->bytes, out) && *out <= most;
}

static bool get_id(struct field *field, int64_t *out) {
    uint64_t number = 0;
    const bool is_id = get_number(field, INT64_MAX, &number) && number > 0;
    *out = (int64_t)number;
    return is_id;
}

/* Borrowed from the payload. */
static bool get_key(struct field *field, stoa_buffer *out) {
    uint64_t size;
    if (!get_number(field, STOA_KEY_BYTES_MAX, &size)) {
        return false;
    }
    const uint8_t *bytes = stoa_byte_reader_take(&field->bytes, (size_t)size);
    *out = (stoa_buffer){.data = (uint8_t *)(uintptr_t)bytes, .size = (size_t)size};
    return bytes != NULL;
}

static bool get_file(struct field *field, stoa_manifest_file *out) {
    stoa_table_file_info *info = &out->info;
    uint64_t level, rows, deletes, expires;
    *out = (stoa_manifest_file){0};
    if (!get_id(field, &out->table_id) || !get_number(field, UINT64_MAX, &info->number) ||
        !get_number(field, STOA_LEVELS - 1, &level) ||
        !get_number(field, UINT64_MAX, &info->bytes) || !get_number(field, INT64_MAX, &rows) ||
        !get_number(field, INT64_MAX, &deletes) ||
        !get_number(field, UINT64_MAX, &info->sequence_min) ||
        !get_number(field, UINT64_MAX, &info->sequence_max) ||
        !get_number(field, UINT64_MAX, &expires) || !get_key(field, &info->first_key) ||
        !get_key(field, &info->last_key)) {
        return false;
    }
    info->level = (int32_t)level;
    info->row_count = (int64_t)rows;
    info->delete_count = (int64_t)deletes;
    info->expires_ms = stoa_unzigzag(expires);
    return true;
}

/* Its zero is the first there is, and the last byte. */
static bool get_table(struct field *field, stoa_manifest_table *out) {
    if (!get_id(field, &out->id)) {
        return false;
    }
    const size_t size = stoa_byte_reader_left(&field->bytes);
    const uint8_t *text = stoa_byte_reader_take(&field->bytes, size);
    out->definition = (const char *)text;
    return size > 0 && memchr(text, 0, size) == text + size - 1;
}

/* The lists of an edit while they are filled. */
struct lists {
    stoa_manifest_edit *edit;
    stoa_manifest_table *tables;
    int64_t *dropped;
    stoa_manifest_removal *removed;
    stoa_manifest_file *added;
};

static stoa_status take_field(struct lists *lists, struct field *field, stoa_error *err) {
    stoa_manifest_edit *edit = lists->edit;
    bool is_whole = false;
    switch (field->tag) {
    case FIELD_TABLE: is_whole = get_table(field, &lists->tables[edit->table_count++]); break;
    case FIELD_DROPPED: is_whole = get_id(field, &lists->dropped[edit->dropped_count++]); break;
    case FIELD_REMOVED: {
        stoa_manifest_removal *removal = &lists->removed[edit->removed_count++];
        is_whole = get_id(field, &removal->table_id) &&
                   get_number(field, UINT64_MAX, &removal->number);
        break;
    }
    case FIELD_ADDED: is_whole = get_file(field, &lists->added[edit->added_count++]); break;
    case FIELD_LOG_SEGMENT: is_whole = get_number(field, UINT64_MAX, &edit->log_segment); break;
    case FIELD_NEXT_FILE: is_whole = get_number(field, UINT64_MAX, &edit->next_file); break;
    case FIELD_LAST_SEQUENCE: is_whole = get_number(field, UINT64_MAX, &edit->last_sequence); break;
    case FIELD_FLUSHED_SEQUENCE:
        is_whole = get_number(field, UINT64_MAX, &edit->flushed_sequence);
        break;
    default: return STOA_OK; /* may be passed over */
    }
    return is_whole && stoa_byte_reader_left(&field->bytes) == 0 ? STOA_OK : fail_field(field, err);
}

/* How many fields of each kind there are: what the lists need. */
static stoa_status count_fields(const uint8_t *payload, size_t size, size_t counts[FIELD_OPTIONAL],
                                stoa_error *err) {
    stoa_byte_reader reader = stoa_byte_reader_of(payload, size);
    struct field field;
    do {
        STOA_TRY(next_field(&reader, &field, err));
        counts[field.tag < FIELD_OPTIONAL ? field.tag : FIELD_END]++;
    } while (field.tag != FIELD_END);
    return counts[FIELD_TABLE] <= INT32_MAX && counts[FIELD_DROPPED] <= INT32_MAX
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT, "expected less than 2^31 tables in an edit");
}

stoa_status stoa_manifest_edit_decode(stoa_arena *arena, const uint8_t *payload, size_t size,
                                      stoa_manifest_edit *out, stoa_error *err) {
    size_t counts[FIELD_OPTIONAL] = {0};
    struct lists lists = {.edit = out};
    *out = (stoa_manifest_edit){0};
    STOA_TRY(count_fields(payload, size, counts, err));
    STOA_TRY(stoa_arena_allocate_array(arena, counts[FIELD_TABLE], sizeof *lists.tables,
                                       (void **)&lists.tables, err));
    STOA_TRY(stoa_arena_allocate_array(arena, counts[FIELD_DROPPED], sizeof *lists.dropped,
                                       (void **)&lists.dropped, err));
    STOA_TRY(stoa_arena_allocate_array(arena, counts[FIELD_REMOVED], sizeof *lists.removed,
                                       (void **)&lists.removed, err));
    STOA_TRY(stoa_arena_allocate_array(arena, counts[FIELD_ADDED], sizeof *lists.added,
                                       (void **)&lists.added, err));
    out->tables = lists.tables;
    out->dropped = lists.dropped;
    out->removed = lists.removed;
    out->added = lists.added;
    stoa_byte_reader reader = stoa_byte_reader_of(payload, size);
    struct field field;
    STOA_TRY(next_field(&reader, &field, err));
    while (field.tag != FIELD_END) {
        STOA_TRY(take_field(&lists, &field, err));
        STOA_TRY(next_field(&reader, &field, err));
    }
    return STOA_OK;
}
