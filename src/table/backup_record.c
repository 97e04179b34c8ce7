/* See backup_record.h. The text is lines; its last one is the hash of all before it:
 *
 *     stoa-backup 1
 *     generation 3
 *     …
 *     file <hash> <bytes> <mark> <path>
 *     end <files>
 *     checksum <hash> */
#include "table/backup_record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, MARK_DIGITS = 16 };

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool part_is_sound(const char *part, size_t size) {
    return size > 0 && strspn(part, ".") < size;
}

bool stoa_backup_path_is_sound(const char *path) {
    size_t begin = 0, at = 0;
    for (; path[at] != '\0'; at++) {
        const unsigned char c = (unsigned char)path[at];
        if (c < 0x20 || c == 0x7F || at >= STOA_BACKUP_PATH_BYTES_MAX) {
            return false;
        }
        if (c == '/') {
            if (!part_is_sound(path + begin, at - begin)) {
                return false;
            }
            begin = at + 1;
        }
    }
    return part_is_sound(path + begin, at - begin);
}

static int compare_path(const void *path, const void *file) {
    return strcmp(path, ((const stoa_backup_file *)file)->path);
}

const stoa_backup_file *stoa_backup_record_find(const stoa_backup_record *record,
                                                const char *path) {
    return record->file_count == 0 ? NULL
                                   : bsearch(path, record->files, (size_t)record->file_count,
                                             sizeof *record->files, compare_path);
}

/* ---- Printing -------------------------------------------------------------------------------- */

static stoa_status print_file(const stoa_backup_file *file, stoa_buffer *out, stoa_error *err) {
    if (!stoa_backup_path_is_sound(file->path)) {
        return stoa_fail(err, STOA_UNSUPPORTED, "a file has a name that no backup takes: '%.100s'",
                         file->path);
    }
    return stoa_buffer_append_format(out, err,
                                     "file %016" PRIx64 "%016" PRIx64 " %" PRIu64 " %016" PRIx64
                                     " %s\n",
                                     file->hash.high, file->hash.low, file->bytes, file->mark,
                                     file->path);
}

stoa_status stoa_backup_record_print(const stoa_backup_record *record, stoa_buffer *out,
                                     stoa_error *err) {
    const size_t begin = out->size;
    STOA_TRY(stoa_buffer_append_format(
        out, err,
        "stoa-backup %d\ngeneration %" PRId64 "\ntime %" PRId64 "\ncommit %" PRId64
        "\ntables %" PRId64 "\nrows %" PRId64 "\nnew-objects %" PRId64 "\nnew-bytes %" PRIu64 "\n",
        (int)VERSION, record->generation, record->time_ms, record->commit_id, record->table_count,
        record->row_count, record->new_object_count, record->new_bytes));
    for (int64_t i = 0; i < record->file_count; i++) {
        STOA_ASSERT(i == 0 || strcmp(record->files[i - 1].path, record->files[i].path) < 0);
        STOA_TRY(print_file(&record->files[i], out, err));
    }
    STOA_TRY(stoa_buffer_append_format(out, err, "end %" PRId64 "\n", record->file_count));
    const stoa_hash128 hash = stoa_hash128_of(out->data + begin, out->size - begin);
    return stoa_buffer_append_format(out, err, "checksum %016" PRIx64 "%016" PRIx64 "\n", hash.high,
                                     hash.low);
}

/* ---- Parsing --------------------------------------------------------------------------------- */

/* Text that ends with a NUL, read line by line. */
struct reader {
    char *at;
    const char *end;
    int64_t line;
};

static stoa_status corrupt(const struct reader *reader, const char *problem, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "line %" PRId64 ": %s", reader->line, problem);
}

/* The next line, which becomes a text of its own. */
static stoa_status next_line(struct reader *reader, char **out, stoa_error *err) {
    reader->line++;
    char *line = reader->at;
    char *end = memchr(line, '\n', (size_t)(reader->end - line));
    if (end == NULL) {
        return corrupt(reader, "expected a line but the record ends", err);
    }
    if (memchr(line, '\0', (size_t)(end - line)) != NULL) {
        return corrupt(reader, "a zero byte", err);
    }
    *end = '\0';
    reader->at = end + 1;
    *out = line;
    return STOA_OK;
}

/* Digits without a sign or leading zeros, up to `stop`. */
static bool take_number(const char **text, char stop, uint64_t *out) {
    const char *at = *text;
    uint64_t value = 0;
    if (*at < '0' || *at > '9' || (*at == '0' && at[1] >= '0' && at[1] <= '9')) {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    *text = at + (*at != '\0');
    return *at == stop;
}

static bool take_digits(const char **text, uint64_t *out) {
    *out = 0;
    for (int i = 0; i < MARK_DIGITS; i++, ++*text) {
        const char c = **text;
        const bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && (c < 'a' || c > 'f')) {
            return false;
        }
        *out = *out << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static bool take_char(const char **text, char c) {
    const bool fits = **text == c;
    *text += fits;
    return fits;
}

/* "<name> <number>" */
static stoa_status read_field(struct reader *reader, const char *name, bool may_be_unknown,
                              int64_t *out, stoa_error *err) {
    char *line = NULL;
    uint64_t value = 0;
    const size_t size = strlen(name);
    STOA_TRY(next_line(reader, &line, err));
    if (strncmp(line, name, size) != 0 || line[size] != ' ') {
        return stoa_fail(err, STOA_CORRUPT, "line %" PRId64 ": expected '%s'", reader->line, name);
    }
    const char *text = line + size + 1;
    if (may_be_unknown && strcmp(text, "-1") == 0) {
        *out = -1;
        return STOA_OK;
    }
    if (!take_number(&text, '\0', &value) || value > INT64_MAX) {
        return corrupt(reader, "expected a number", err);
    }
    *out = (int64_t)value;
    return STOA_OK;
}

static stoa_status read_fields(struct reader *reader, stoa_backup_record *out, stoa_error *err) {
    int64_t version = 0, new_bytes = 0;
    STOA_TRY(read_field(reader, "stoa-backup", false, &version, err));
    if (version != VERSION) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "the record has format version %" PRId64 ", this library reads %d",
                         version, (int)VERSION);
    }
    STOA_TRY(read_field(reader, "generation", false, &out->generation, err));
    STOA_TRY(read_field(reader, "time", false, &out->time_ms, err));
    STOA_TRY(read_field(reader, "commit", false, &out->commit_id, err));
    STOA_TRY(read_field(reader, "tables", false, &out->table_count, err));
    STOA_TRY(read_field(reader, "rows", true, &out->row_count, err));
    STOA_TRY(read_field(reader, "new-objects", false, &out->new_object_count, err));
    STOA_TRY(read_field(reader, "new-bytes", false, &new_bytes, err));
    out->new_bytes = (uint64_t)new_bytes;
    return STOA_OK;
}

/* Behind "file ". */
static stoa_status read_file(const struct reader *reader, const char *text, stoa_backup_record *out,
                             stoa_error *err) {
    stoa_backup_file *file = &out->files[out->file_count];
    if (!take_digits(&text, &file->hash.high) || !take_digits(&text, &file->hash.low) ||
        !take_char(&text, ' ') || !take_number(&text, ' ', &file->bytes) ||
        !take_digits(&text, &file->mark) || !take_char(&text, ' ') ||
        !stoa_backup_path_is_sound(text)) {
        return corrupt(reader, "expected a file's hash, size, mark and path", err);
    }
    if (out->file_count > 0 && strcmp(out->files[out->file_count - 1].path, text) >= 0) {
        return corrupt(reader, "files that are not in the order of their paths", err);
    }
    if (file->bytes > INT64_MAX - out->bytes) {
        return corrupt(reader, "more bytes than there can be", err);
    }
    file->path = text;
    out->bytes += file->bytes;
    out->file_count++;
    return STOA_OK;
}

static stoa_status read_files(struct reader *reader, int64_t most, stoa_backup_record *out,
                              stoa_error *err) {
    char *line = NULL;
    for (;;) {
        STOA_TRY(next_line(reader, &line, err));
        if (strncmp(line, "file ", 5) != 0) {
            break;
        }
        STOA_ASSERT(out->file_count < most);
        STOA_TRY(read_file(reader, line + 5, out, err));
    }
    (void)most;
    const char *text = line + 4;
    uint64_t count = 0;
    return strncmp(line, "end ", 4) == 0 && take_number(&text, '\0', &count) &&
                   count == (uint64_t)out->file_count
               ? STOA_OK
               : corrupt(reader, "expected the count of the files", err);
}

/* The last line, before anything else is believed; `*out_size` is what it is about. */
static stoa_status check_hash(const char *text, size_t size, size_t *out_size, stoa_error *err) {
    enum { LINE_BYTES = 9 + STOA_HASH128_DIGITS + 1 };
    stoa_hash128 told;
    if (size < LINE_BYTES || text[size - 1] != '\n' ||
        memcmp(text + size - LINE_BYTES, "checksum ", 9) != 0) {
        return stoa_fail(err, STOA_CORRUPT, "expected a checksum as the last line: it was cut");
    }
    const char *digits = text + size - LINE_BYTES + 9;
    const stoa_hash128 found = stoa_hash128_of(text, size - LINE_BYTES);
    if (!take_digits(&digits, &told.high) || !take_digits(&digits, &told.low) ||
        told.high != found.high || told.low != found.low) {
        return stoa_fail(err, STOA_CORRUPT, "it fails its checksum");
    }
    *out_size = size - LINE_BYTES;
    return STOA_OK;
}

static int64_t count_lines(const char *text, size_t size) {
    int64_t count = 0;
    for (const char *at = text; (at = memchr(at, '\n', size - (size_t)(at - text))) != NULL; at++) {
        count++;
    }
    return count;
}

stoa_status stoa_backup_record_parse(stoa_pool *pool, const char *text, size_t size,
                                     stoa_backup_record *out, stoa_error *err) {
    const char *copy = NULL;
    *out = (stoa_backup_record){0};
    stoa_arena_init(&out->arena, pool);
    STOA_TRY(check_hash(text, size, &size, err));
    STOA_TRY(stoa_arena_copy_text(&out->arena, text, size, &copy, err));
    const int64_t lines = count_lines(copy, size);
    STOA_TRY(stoa_arena_allocate_array(&out->arena, (size_t)lines, sizeof *out->files,
                                       (void **)&out->files, err));
    struct reader reader = {.at = (char *)(uintptr_t)copy, .end = copy + size};
    STOA_TRY(read_fields(&reader, out, err));
    STOA_TRY(read_files(&reader, lines, out, err));
    return reader.at == reader.end ? STOA_OK : corrupt(&reader, "something behind the end", err);
}

void stoa_backup_record_release(stoa_backup_record *record) {
    stoa_arena_release(&record->arena);
    *record = (stoa_backup_record){0};
}
