/* Keys for commands: a file that the user can protect, because what stands among a command's words is
 * seen by everybody. Texts are cut in place and keys decoded into the list; both are wiped. */
#include <openssl/crypto.h>

#include "parquet/crypto.h"

enum { FILE_BYTES_MAX = 1 << 20, LINE_BYTES_MIN = 37 /* of a key with a name */ };

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* 32, 48 or 64 digits. */
static bool parse_key(const char *text, stoa_parquet_key *out) {
    const size_t digits = strlen(text);
    if (digits != 32 && digits != 48 && digits != 64) {
        return false;
    }
    for (size_t i = 0; i < digits; i += 2) {
        const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out->bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    out->size = digits / 2;
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Cuts the blanks around a text off. */
static char *trim(char *text) {
    size_t size;
    while (is_blank(*text)) {
        text++;
    }
    for (size = strlen(text); size > 0 && (is_blank(text[size - 1]) || text[size - 1] == '\r');) {
        text[--size] = '\0';
    }
    return text;
}

/* Cuts the last word off; names before it may hold blanks. NULL where there is but one. */
static char *cut_last(char *text) {
    size_t at = strlen(text);
    while (at > 0 && !is_blank(text[at - 1])) {
        at--;
    }
    if (at == 0) {
        return NULL;
    }
    text[at - 1] = '\0';
    return text + at;
}

/* What a line begins with. */
enum kind { KIND_FOOTER, KIND_COLUMN, KIND_ID, KIND_PREFIX, KIND_NONE };

static enum kind take_word(char **line) {
    static const char *const words[] = {"footer", "column", "id", "aad-prefix"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t size = strlen(words[i]);
        if (strncmp(*line, words[i], size) == 0 && is_blank((*line)[size])) {
            *line = trim(*line + size);
            return (enum kind)i;
        }
    }
    return KIND_NONE;
}

static stoa_status add_named(stoa_buffer *list, char *text, bool *is_good, stoa_error *err) {
    stoa_parquet_named_key named = {0};
    const char *digits = cut_last(text);
    *is_good = digits != NULL && parse_key(digits, &named.key);
    named.name = trim(text);
    *is_good = *is_good && named.name[0] != '\0';
    const stoa_status status = *is_good ? stoa_buffer_append(list, &named, sizeof named, err)
                                        : STOA_OK;
    OPENSSL_cleanse(&named, sizeof named);
    return status;
}

static stoa_status parse_line(stoa_parquet_key_file *out, char *line, bool *is_good,
                              stoa_error *err) {
    stoa_parquet_keys *keys = &out->keys;
    line = trim(line);
    *is_good = true;
    if (line[0] == '\0' || line[0] == '#') {
        return STOA_OK;
    }
    switch (take_word(&line)) {
    case KIND_FOOTER: *is_good = parse_key(line, &keys->footer); return STOA_OK;
    case KIND_COLUMN: return add_named(&out->columns, line, is_good, err);
    case KIND_ID: return add_named(&out->ids, line, is_good, err);
    case KIND_PREFIX:
        keys->aad_prefix = (const uint8_t *)line;
        keys->aad_prefix_size = strlen(line);
        return STOA_OK;
    case KIND_NONE: break;
    }
    *is_good = false;
    return STOA_OK;
}

static stoa_status parse(stoa_parquet_key_file *out, stoa_error *err) {
    char *at = (char *)out->bytes.data, *end = at + out->bytes.size - 1;
    for (int number = 1; at < end; number++) {
        char *line = at;
        bool is_good;
        char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        *stop = '\0';
        at = stop + 1;
        STOA_TRY(parse_line(out, line, &is_good, err));
        if (!is_good) {
            return stoa_fail(err, STOA_INVALID,
                             "line %d of the file with keys: expected 'footer HEX', 'column PATH "
                             "HEX', 'id TEXT HEX' or 'aad-prefix TEXT', keys of 16, 24 or 32 bytes",
                             number);
        }
    }
    out->keys.columns = (const void *)out->columns.data;
    out->keys.column_count = (int32_t)(out->columns.size / sizeof(stoa_parquet_named_key));
    out->keys.ids = (const void *)out->ids.data;
    out->keys.id_count = (int32_t)(out->ids.size / sizeof(stoa_parquet_named_key));
    return STOA_OK;
}

stoa_status stoa_parquet_key_file_read(stoa_pool *pool, stoa_file *file, stoa_parquet_key_file *out,
                                       stoa_error *err) {
    stoa_status status = STOA_OK;
    uint64_t size;
    *out = (stoa_parquet_key_file){0};
    stoa_buffer_init(&out->bytes, pool);
    stoa_buffer_init(&out->columns, pool);
    stoa_buffer_init(&out->ids, pool);
    STOA_CHECK(stoa_file_size(file, &size, err));
    if (size > FILE_BYTES_MAX) {
        status = stoa_fail(err, STOA_LIMIT, "a file with keys of %" PRIu64 " bytes is too long",
                           size);
        goto done;
    }
    /* Nothing grows, so no copy of a key stays behind. */
    const size_t list_bytes = (size_t)size / LINE_BYTES_MIN * sizeof(stoa_parquet_named_key) + 1;
    STOA_CHECK(stoa_buffer_reserve_exact(&out->bytes, (size_t)size + 1, err));
    STOA_CHECK(stoa_buffer_reserve_exact(&out->columns, list_bytes, err));
    STOA_CHECK(stoa_buffer_reserve_exact(&out->ids, list_bytes, err));
    STOA_CHECK(stoa_file_read(file, 0, out->bytes.data, (size_t)size, err));
    out->bytes.data[size] = '\0';
    out->bytes.size = (size_t)size + 1;
    STOA_CHECK(parse(out, err));

done:
    if (status != STOA_OK) {
        stoa_parquet_key_file_release(out);
    }
    return status;
}

static void wipe(stoa_buffer *buffer) {
    if (buffer->data != NULL) {
        OPENSSL_cleanse(buffer->data, buffer->capacity);
    }
    stoa_buffer_release(buffer);
}

void stoa_parquet_key_file_release(stoa_parquet_key_file *file) {
    wipe(&file->bytes);
    wipe(&file->columns);
    wipe(&file->ids);
    OPENSSL_cleanse(&file->keys, sizeof file->keys);
    file->keys = (stoa_parquet_keys){0};
}
