/* Recognising files. Parquet, Arrow and the compressions begin with fixed bytes; texts do not, so
 * there the name decides, and for a name that says nothing the first character. */
#include "ingest/detect.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "vfs/vfs.h"

enum { PEEK_BYTES = 512 };

struct name {
    const char *text;
    stoa_file_format format;
};

static const struct name names[] = {
    {"parquet", STOA_FORMAT_PARQUET},  {"pq", STOA_FORMAT_PARQUET},
    {"arrow", STOA_FORMAT_ARROW_FILE}, {"feather", STOA_FORMAT_ARROW_FILE},
    {"ipc", STOA_FORMAT_ARROW_FILE},   {"arrows", STOA_FORMAT_ARROW_STREAM},
    {"csv", STOA_FORMAT_CSV},          {"tsv", STOA_FORMAT_TSV},
    {"tab", STOA_FORMAT_TSV},          {"json", STOA_FORMAT_JSON},
    {"jsonl", STOA_FORMAT_JSONL},      {"ndjson", STOA_FORMAT_JSONL},
};

static bool find_name(const char *text, size_t size, stoa_file_format *out) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].text) == size && strncasecmp(names[i].text, text, size) == 0) {
            *out = names[i].format;
            return true;
        }
    }
    return false;
}

stoa_status stoa_file_format_parse(const char *text, stoa_file_format *out, stoa_error *err) {
    if (find_name(text, strlen(text), out)) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_INVALID,
                     "expected a format of parquet, arrow, arrows, csv, tsv, json or jsonl but "
                     "found '%s'",
                     text);
}

/* The ending of a name, a compression's own ending left out: "a.csv.gz" ends in "csv". */
static const char *ending_of(const char *uri, size_t *out_size) {
    size_t length = strlen(uri);
    (void)stoa_packing_of_name(uri, &length);
    size_t start = length;
    while (start > 0 && uri[start - 1] != '.' && uri[start - 1] != '/') {
        start--;
    }
    *out_size = start > 0 && uri[start - 1] == '.' ? length - start : 0;
    return uri + start;
}

static bool format_of_content(const uint8_t *bytes, size_t size, stoa_file_format *out) {
    if (size >= 4 && (memcmp(bytes, "PAR1", 4) == 0 || memcmp(bytes, "PARE", 4) == 0)) {
        *out = STOA_FORMAT_PARQUET;
        return true;
    }
    if (size >= 6 && memcmp(bytes, "ARROW1", 6) == 0) {
        *out = STOA_FORMAT_ARROW_FILE;
        return true;
    }
    if (size >= 4 && memcmp(bytes, "\xFF\xFF\xFF\xFF", 4) == 0) {
        *out = STOA_FORMAT_ARROW_STREAM;
        return true;
    }
    return false;
}

/* A text without a telling name: brackets begin JSON, anything else could be anything. */
static bool format_of_text(const uint8_t *bytes, size_t size, stoa_file_format *out) {
    size_t i = 0;
    while (i < size && isspace(bytes[i])) {
        i++;
    }
    if (i < size && bytes[i] == '[') {
        *out = STOA_FORMAT_JSON;
        return true;
    }
    if (i < size && bytes[i] == '{') {
        *out = STOA_FORMAT_JSONL;
        return true;
    }
    return false;
}

/* The first bytes of what a file holds unpacked, and its packing. A file that says it is compressed
 * and is not whole is told by its name alone; reading it says what is wrong. */
static stoa_status peek(stoa_fs_registry *registry, const char *uri, uint8_t *bytes,
                        size_t *out_size, stoa_packing *out_packing, const stoa_context *context,
                        stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(registry, uri, STOA_OPEN_READ, context, &file, err));
    stoa_status status = stoa_file_read_some(file, 0, bytes, PEEK_BYTES, out_size, err);
    *out_packing = status == STOA_OK ? stoa_packing_recognise(bytes, *out_size) : STOA_PACKING_NONE;
    if (*out_packing != STOA_PACKING_NONE) {
        stoa_packing packing;
        stoa_file *packed = file;
        file = NULL;
        status = stoa_compressed_open(context, packed, &packing, &file, err);
        if (status == STOA_OK &&
            stoa_file_read_some(file, 0, bytes, PEEK_BYTES, out_size, NULL) != STOA_OK) {
            *out_size = 0;
        }
    }
    stoa_file_close(file);
    return status;
}

stoa_status stoa_ingest_detect(stoa_fs_registry *registry, const char *uri, const char *format,
                               const stoa_context *context, stoa_ingest_kind *out,
                               stoa_error *err) {
    uint8_t bytes[PEEK_BYTES];
    size_t size = 0;
    STOA_TRY(peek(registry, uri, bytes, &size, &out->packing, context, err));
    if (size == 0 && out->packing == STOA_PACKING_NONE) {
        stoa_fail(err, STOA_INVALID, "'%s' is empty", uri);
        stoa_error_set_file(err, uri, 0);
        return STOA_INVALID;
    }
    if (size >= 4 && (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0)) {
        stoa_fail(err, STOA_INVALID, "'%s': expected UTF-8 text but found UTF-16", uri);
        stoa_error_set_file(err, uri, 0);
        return STOA_INVALID;
    }
    if (format != NULL) {
        STOA_TRY(stoa_file_format_parse(format, &out->format, err));
        stoa_file_format content;
        /* "arrow" means either of its formats: the bytes say which. */
        if ((out->format == STOA_FORMAT_ARROW_FILE || out->format == STOA_FORMAT_ARROW_STREAM) &&
            format_of_content(bytes, size, &content)) {
            out->format = content;
        }
        return STOA_OK;
    }
    size_t ending_size = 0;
    const char *ending = ending_of(uri, &ending_size);
    if (format_of_content(bytes, size, &out->format) ||
        find_name(ending, ending_size, &out->format) || format_of_text(bytes, size, &out->format)) {
        return STOA_OK;
    }
    stoa_fail(
        err, STOA_INVALID,
        "cannot tell the format of '%s': say --format parquet, arrow, csv, tsv, json or jsonl",
        uri);
    stoa_error_set_file(err, uri, 0);
    return STOA_INVALID;
}
