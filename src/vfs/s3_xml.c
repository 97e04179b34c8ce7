/* Answers of S3: pages of listings, errors, and the few fields of other ones.
 *
 * Expat reads, with limits around it: who answers may be anybody who listens on a port. A document
 * type is refused, so there are no entities but XML's own five. Elements are told by their path and
 * text, which is all that S3's flat answers need. */
#include "vfs/s3_xml.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
    DEPTH_MAX = 16,
    PATH_BYTES_MAX = 1024,
    TEXT_BYTES_MAX = 8192,    /* a key of 1,024 bytes, each "%XX", fits twice */
    ELEMENTS_MAX = 64 * 1024, /* a page of 1,000 objects has some 10,000 */
    CHUNK_BYTES = 16 * 1024
};

struct parse {
    XML_Parser parser;
    stoa_s3_xml_function function;
    void *user;
    char path[PATH_BYTES_MAX];
    size_t path_size;
    size_t starts[DEPTH_MAX]; /* where each level's name begins in `path` */
    size_t depth;
    size_t elements;
    stoa_buffer text;
    stoa_status status;
    stoa_error *err;
};

static void stop(struct parse *parse, const char *what) {
    if (parse->status == STOA_OK) {
        parse->status = stoa_fail(parse->err, STOA_CORRUPT, "the answer has %s", what);
    }
    (void)XML_StopParser(parse->parser, XML_FALSE);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes) {
    struct parse *parse = user;
    (void)attributes;
    size_t size = strlen(name);
    if (parse->depth == DEPTH_MAX || size > PATH_BYTES_MAX - parse->path_size - 2) {
        stop(parse, "elements within elements without end");
        return;
    }
    if (++parse->elements > ELEMENTS_MAX) {
        stop(parse, "too many elements");
        return;
    }
    parse->starts[parse->depth++] = parse->path_size;
    if (parse->path_size > 0) {
        parse->path[parse->path_size++] = '/';
    }
    memcpy(parse->path + parse->path_size, name, size + 1);
    parse->path_size += size;
    stoa_buffer_clear(&parse->text);
}

static void on_text(void *user, const XML_Char *text, int size) {
    struct parse *parse = user;
    if (parse->text.size + (size_t)size > TEXT_BYTES_MAX) {
        stop(parse, "a text without end");
        return;
    }
    if (parse->status == STOA_OK) {
        parse->status = stoa_buffer_append(&parse->text, text, (size_t)size, parse->err);
    }
}

static void on_end(void *user, const XML_Char *name) {
    struct parse *parse = user;
    (void)name;
    if (parse->status == STOA_OK) {
        const char *text = NULL;
        parse->status = stoa_buffer_text(&parse->text, &text, parse->err);
        if (parse->status == STOA_OK) {
            parse->status = parse->function(parse->user, parse->path, text, parse->err);
        }
    }
    if (parse->status != STOA_OK) {
        (void)XML_StopParser(parse->parser, XML_FALSE);
        return;
    }
    STOA_ASSERT(parse->depth > 0);
    parse->path_size = parse->starts[--parse->depth];
    parse->path[parse->path_size] = '\0';
    stoa_buffer_clear(&parse->text);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int has_subset) {
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    stop(user, "a document type");
}

static stoa_status feed(struct parse *parse, const char *bytes, size_t size, stoa_error *err) {
    for (size_t done = 0; parse->status == STOA_OK;) {
        size_t chunk = size - done < CHUNK_BYTES ? size - done : CHUNK_BYTES;
        bool is_last = done + chunk == size;
        if (XML_Parse(parse->parser, bytes + done, (int)chunk, is_last) == XML_STATUS_ERROR &&
            parse->status == STOA_OK) {
            enum XML_Error error = XML_GetErrorCode(parse->parser);
            if (error == XML_ERROR_NO_MEMORY) {
                return stoa_fail(err, STOA_NO_MEMORY, "no memory to read XML");
            }
            return stoa_fail(err, STOA_CORRUPT, "the answer is no XML: %s at byte %zu",
                             XML_ErrorString(error),
                             (size_t)XML_GetCurrentByteIndex(parse->parser));
        }
        done += chunk;
        if (is_last) {
            break;
        }
    }
    return parse->status;
}

stoa_status stoa_s3_xml_read(stoa_pool *pool, const void *bytes, size_t size,
                             stoa_s3_xml_function function, void *user, stoa_error *err) {
    struct parse parse = {.function = function, .user = user, .text = {.pool = pool}, .err = err};
    parse.parser = XML_ParserCreate("UTF-8");
    if (parse.parser == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory to read XML");
    }
    XML_SetUserData(parse.parser, &parse);
    XML_SetElementHandler(parse.parser, on_start, on_end);
    XML_SetCharacterDataHandler(parse.parser, on_text);
    XML_SetStartDoctypeDeclHandler(parse.parser, on_doctype);
    stoa_status status = feed(&parse, size == 0 ? "" : bytes, size, err);
    XML_ParserFree(parse.parser);
    stoa_buffer_release(&parse.text);
    return status;
}

stoa_status stoa_s3_xml_escape(stoa_buffer *out, const char *text, stoa_error *err) {
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '&' || c == '<' || c == '>' || c == '\r' || c == '\n' || c == '\t') {
            STOA_TRY(stoa_buffer_append_format(out, err, "&#%u;", (unsigned)c));
        } else {
            STOA_TRY(stoa_buffer_append_byte(out, c, err));
        }
    }
    return STOA_OK;
}

static int hex_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

stoa_status stoa_s3_decode(stoa_buffer *out, const char *text, stoa_error *err) {
    for (const char *at = text; *at != '\0'; at++) {
        uint8_t byte = *at == '+' ? ' ' : (uint8_t)*at;
        if (*at == '%') {
            int high = hex_value(at[1]);
            int low = high < 0 ? -1 : hex_value(at[2]);
            if (low < 0 || (high == 0 && low == 0)) {
                return stoa_fail(err, STOA_CORRUPT,
                                 "the key '%.200s' of a listing has %s at byte %zu", text,
                                 low < 0 ? "a '%' without two digits" : "a NUL",
                                 (size_t)(at - text));
            }
            byte = (uint8_t)(high * 16 + low);
            at += 2;
        }
        STOA_TRY(stoa_buffer_append_byte(out, byte, err));
    }
    return STOA_OK;
}

static void copy_clean(char *out, size_t capacity, const char *text) {
    size_t size = 0;
    for (; text[size] != '\0' && size + 1 < capacity; size++) {
        unsigned char c = (unsigned char)text[size];
        out[size] = c < 0x20 || c == 0x7F ? ' ' : (char)c;
    }
    /* Not in the middle of a character. */
    while (text[size] != '\0' && size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80) {
        size--;
    }
    out[size] = '\0';
}

static stoa_status take_refusal(void *user, const char *path, const char *text, stoa_error *err) {
    stoa_s3_refusal *refusal = user;
    (void)err;
    if (strcmp(path, "Error/Code") == 0) {
        copy_clean(refusal->code, sizeof refusal->code, text);
    } else if (strcmp(path, "Error/Message") == 0) {
        copy_clean(refusal->message, sizeof refusal->message, text);
    } else if (strcmp(path, "Error/Region") == 0) {
        copy_clean(refusal->region, sizeof refusal->region, text);
    }
    return STOA_OK;
}

bool stoa_s3_refusal_read(stoa_pool *pool, const void *bytes, size_t size, stoa_s3_refusal *out) {
    *out = (stoa_s3_refusal){0};
    if (stoa_s3_xml_read(pool, bytes, size, take_refusal, out, NULL) != STOA_OK) {
        *out = (stoa_s3_refusal){0};
    }
    return out->code[0] != '\0';
}

static bool read_digits(const char **at, int count, int64_t *out) {
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *out = *out * 10 + (*(*at)++ - '0');
    }
    return true;
}

int64_t stoa_s3_time_parse(const char *text) {
    static const char *const separators[] = {"-", "-", "T", ":", ":", ""};
    int64_t parts[6];
    for (int i = 0; i < 6; i++) {
        if (!read_digits(&text, i == 0 ? 4 : 2, &parts[i]) ||
            (separators[i][0] != '\0' && *text++ != separators[i][0])) {
            return 0;
        }
    }
    if (parts[1] < 1 || parts[1] > 12 || parts[2] < 1 || parts[2] > 31) {
        return 0;
    }
    int64_t days = stoa_days_from_civil(
        (stoa_civil){parts[0], (int32_t)parts[1], (int32_t)parts[2]});
    int64_t ms = 0;
    if (*text == '.') {
        text++;
        for (int64_t unit = 100; *text >= '0' && *text <= '9'; text++, unit /= 10) {
            ms += (*text - '0') * unit;
        }
    }
    return (((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]) * 1000 + ms;
}

int64_t stoa_s3_date_parse(const char *text) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, year, hour, minute, second;
    char month[4] = "";
    if (text == NULL || sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d", &day, month, &year, &hour,
                               &minute, &second) != 6) {
        return 0;
    }
    const char *found = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (found == NULL || (found - months) % 3 != 0 || day < 1 || day > 31 || year < 1970) {
        return 0;
    }
    int64_t days = stoa_days_from_civil(
        (stoa_civil){year, (int32_t)((found - months) / 3) + 1, day});
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
}

struct page {
    stoa_s3_entry_function function;
    void *user;
    stoa_buffer key;
    stoa_buffer etag;
    stoa_buffer *token;
    stoa_s3_entry entry;
    bool is_page;
    bool is_encoded;
    bool is_truncated;
};

static stoa_status take_text(stoa_buffer *out, const char *text, stoa_error *err) {
    const char *ignored;
    stoa_buffer_clear(out);
    STOA_TRY(stoa_buffer_append_text(out, text, err));
    return stoa_buffer_text(out, &ignored, err);
}

static stoa_status tell_entry(struct page *page, stoa_error *err) {
    stoa_buffer decoded = {.pool = page->key.pool};
    stoa_status status = STOA_OK;
    if (page->key.size == 0 || strlen((const char *)page->key.data) != page->key.size) {
        status = stoa_fail(err, STOA_CORRUPT, "the listing has an entry without a key");
        goto done;
    }
    const char *key = (const char *)page->key.data;
    if (page->is_encoded) {
        STOA_CHECK(stoa_s3_decode(&decoded, key, err));
        STOA_CHECK(stoa_buffer_text(&decoded, &key, err));
    }
    page->entry.key = key;
    page->entry.etag = page->etag.size == 0 ? "" : (const char *)page->etag.data;
    STOA_CHECK(page->function(page->user, &page->entry, err));

done:
    stoa_buffer_release(&decoded);
    stoa_buffer_clear(&page->key);
    stoa_buffer_clear(&page->etag);
    page->entry = (stoa_s3_entry){0};
    return status;
}

static stoa_status take_size(const char *text, uint64_t *out, stoa_error *err) {
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || *out > INT64_MAX) {
        return stoa_fail(err, STOA_CORRUPT, "the listing has a size '%.40s'", text);
    }
    return STOA_OK;
}

static stoa_status take_page(void *user, const char *path, const char *text, stoa_error *err) {
    struct page *page = user;
    static const char root[] = "ListBucketResult";
    if (strncmp(path, root, sizeof root - 1) != 0) {
        return STOA_OK;
    }
    path += sizeof root - 1;
    page->is_page = true;
    if (strcmp(path, "/Contents/Key") == 0 || strcmp(path, "/CommonPrefixes/Prefix") == 0) {
        return take_text(&page->key, text, err);
    }
    if (strcmp(path, "/Contents/ETag") == 0) {
        return take_text(&page->etag, text, err);
    }
    if (strcmp(path, "/Contents/Size") == 0) {
        return take_size(text, &page->entry.size, err);
    }
    if (strcmp(path, "/Contents/LastModified") == 0) {
        page->entry.modified_ms = stoa_s3_time_parse(text);
    } else if (strcmp(path, "/IsTruncated") == 0) {
        page->is_truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "/NextContinuationToken") == 0) {
        return take_text(page->token, text, err);
    } else if (strcmp(path, "/Contents") == 0 || strcmp(path, "/CommonPrefixes") == 0) {
        page->entry.is_prefix = path[2] == 'o' && path[3] == 'm';
        return tell_entry(page, err);
    }
    return STOA_OK;
}

struct search {
    const char *path;
    stoa_buffer *out;
    bool is_found;
};

static stoa_status take_if_found(void *user, const char *path, const char *text, stoa_error *err) {
    struct search *search = user;
    if (search->is_found || strcmp(path, search->path) != 0) {
        return STOA_OK;
    }
    search->is_found = true;
    return take_text(search->out, text, err);
}

/* Some servers tell it before the keys, some behind them: so it is looked for first. */
static stoa_status find_encoding(struct page *page, const void *bytes, size_t size,
                                 stoa_error *err) {
    stoa_buffer text = {.pool = page->key.pool};
    struct search search = {.path = "ListBucketResult/EncodingType", .out = &text};
    stoa_status status = stoa_s3_xml_read(text.pool, bytes, size, take_if_found, &search, err);
    page->is_encoded = status == STOA_OK && search.is_found &&
                       strcmp((const char *)text.data, "url") == 0;
    stoa_buffer_release(&text);
    return status;
}

stoa_status stoa_s3_page_read(stoa_pool *pool, const void *bytes, size_t size,
                              stoa_s3_entry_function function, void *user, stoa_buffer *token,
                              stoa_error *err) {
    struct page page = {.function = function,
                        .user = user,
                        .key = {.pool = pool},
                        .etag = {.pool = pool},
                        .token = token};
    stoa_buffer_clear(token);
    stoa_status status = find_encoding(&page, bytes, size, err);
    if (status == STOA_OK) {
        status = stoa_s3_xml_read(pool, bytes, size, take_page, &page, err);
    }
    if (status == STOA_OK && !page.is_page) {
        status = stoa_fail(err, STOA_CORRUPT,
                           "expected a ListBucketResult but found another answer");
    }
    if (status == STOA_OK && page.is_truncated && token->size == 0) {
        status = stoa_fail(err, STOA_CORRUPT, "the listing goes on but does not say where");
    }
    if (!page.is_truncated) {
        stoa_buffer_clear(token);
    }
    stoa_buffer_release(&page.key);
    stoa_buffer_release(&page.etag);
    return status;
}

stoa_status stoa_s3_text_read(stoa_pool *pool, const void *bytes, size_t size, const char *path,
                              stoa_buffer *out, stoa_error *err) {
    struct search search = {.path = path, .out = out};
    STOA_TRY(stoa_s3_xml_read(pool, bytes, size, take_if_found, &search, err));
    return search.is_found
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT, "expected a %s but found another answer", path);
}
