/* What a URI of http or https names.
 *
 * A URI as people write it becomes one as servers take it: bytes that may not stand in a URI (spaces,
 * controls, quotes, anything beyond ASCII) are percent-encoded, a '%' is kept before two hexadecimal
 * digits and encoded elsewhere, so that what was encoded is not encoded again. '+' stays '+'. What
 * follows '#' is not sent. Sources: RFC 3986, section 2. */
#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "vfs/http_curl.h"
#include "vfs/http_fs.h"
#include "vfs/http_url.h"

static bool is_plain(unsigned char c) {
    return c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL;
}

static stoa_status append_encoded(stoa_buffer *out, const char *text, size_t size,
                                  stoa_error *err) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_escape = c == '%' && i + 2 < size && isxdigit((unsigned char)text[i + 1]) &&
                         isxdigit((unsigned char)text[i + 2]);
        if (is_plain(c) && (c != '%' || is_escape)) {
            STOA_TRY(stoa_buffer_append_byte(out, c, err));
        } else {
            const uint8_t escape[] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
            STOA_TRY(stoa_buffer_append(out, escape, sizeof escape, err));
        }
    }
    return STOA_OK;
}

static uint8_t hex_value(char digit) {
    return (uint8_t)(isdigit((unsigned char)digit) ? digit - '0'
                                                   : tolower((unsigned char)digit) - 'a' + 10);
}

/* User and password are the one part that is decoded: they are sent in a header. */
static stoa_status copy_decoded(stoa_pool *pool, const char *text, size_t size, char **out,
                                stoa_error *err) {
    stoa_buffer decoded = {.pool = pool};
    const char *view = NULL;
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (text[i] == '%' && i + 2 < size && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            byte = (uint8_t)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
            i += 2;
        }
        if (byte < ' ') {
            status = stoa_fail(err, STOA_INVALID, "user or password holds a control character");
            goto done;
        }
        STOA_CHECK(stoa_buffer_append_byte(&decoded, byte, err));
    }
    STOA_CHECK(stoa_buffer_text(&decoded, &view, err));
    STOA_CHECK(stoa_pool_copy_string(pool, view, out, err));

done:
    stoa_buffer_release(&decoded);
    return status;
}

static stoa_status take_user(struct http_target *target, const char *info, size_t size,
                             stoa_error *err) {
    const char *colon = memchr(info, ':', size);
    size_t user_size = colon != NULL ? (size_t)(colon - info) : size;
    STOA_TRY(copy_decoded(target->pool, info, user_size, &target->user, err));
    return colon != NULL
               ? copy_decoded(target->pool, colon + 1, size - user_size - 1, &target->password, err)
               : STOA_OK;
}

static stoa_status build_url(struct http_target *target, const char *scheme, const char *path,
                             stoa_error *err) {
    stoa_buffer url = {.pool = target->pool};
    const char *view = NULL;
    stoa_status status = STOA_OK;
    if (strncmp(path, "//", 2) != 0) {
        return stoa_fail(err, STOA_INVALID, "expected %s://host/path", scheme);
    }
    const char *authority = path + 2;
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    if (at != NULL) {
        STOA_TRY(take_user(target, authority, (size_t)(at - authority), err));
        length -= (size_t)(at + 1 - authority);
        authority = at + 1;
    }
    if (length == 0 || authority[0] == ':') {
        return stoa_fail(err, STOA_INVALID, "expected %s://host/path: there is no host", scheme);
    }
    const char *rest = authority + length;
    STOA_CHECK(stoa_buffer_append_text(&url, scheme, err));
    STOA_CHECK(stoa_buffer_append_text(&url, "://", err));
    STOA_CHECK(stoa_buffer_append(&url, authority, length, err));
    STOA_CHECK(stoa_buffer_append_text(&url, rest[0] == '/' ? "" : "/", err));
    STOA_CHECK(append_encoded(&url, rest, strcspn(rest, "#"), err));
    STOA_CHECK(stoa_buffer_text(&url, &view, err));
    STOA_CHECK(stoa_pool_copy_string(target->pool, view, &target->url, err));

done:
    stoa_buffer_release(&url);
    return status;
}

static stoa_status find_trust(struct http_target *target, stoa_error *err) {
    const struct http_fs *fs = target->fs;
    const struct stoa_curl *curl = NULL;
    if (fs->lacks_origin) {
        return stoa_fail(err, STOA_INVALID,
                         "STOA_HTTP_USER or STOA_HTTP_BEARER is set, but STOA_HTTP_ORIGIN does not "
                         "say for which server");
    }
    if (fs->origin == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_curl_load(&curl, err));
    return stoa_http_url_same_origin(curl, fs->origin, target->url, &target->is_trusted, err);
}

stoa_status stoa_http_target_init(struct http_target *target, struct http_fs *fs,
                                  const char *scheme, const char *path, stoa_pool *pool,
                                  stoa_error *err) {
    *target = (struct http_target){.fs = fs, .pool = pool};
    stoa_status status = build_url(target, scheme, path, err);
    if (status == STOA_OK) {
        status = find_trust(target, err);
    }
    if (status != STOA_OK) {
        stoa_http_target_release(target);
    }
    return status;
}

void stoa_http_target_release(struct http_target *target) {
    stoa_pool_free_string(target->pool, target->url);
    stoa_pool_free_string(target->pool, target->user);
    stoa_pool_free_string(target->pool, target->password);
    *target = (struct http_target){0};
}

stoa_http_request stoa_http_target_request(const struct http_target *target, const char *method,
                                           struct http_headers *headers) {
    const struct http_fs *fs = target->fs;
    headers->count = 0;
    /* A URI's own user goes before the options', whole: their headers may be another's. */
    bool uses_options = target->is_trusted && target->user == NULL;
    for (size_t i = 0; uses_options && i < fs->header_count; i++) {
        headers->line[headers->count++] = fs->headers[i];
    }
    return (stoa_http_request){
        .method = method,
        .url = target->url,
        .headers = headers->line,
        .header_count = headers->count,
        .user = uses_options ? fs->user : target->user,
        .password = uses_options ? fs->password : target->password,
        .follows_redirects = true,
    };
}
