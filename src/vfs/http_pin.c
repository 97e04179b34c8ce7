/* Which version of a file is read: entity tag, time of modification and size, compared on every
 * answer, so that bytes of two versions are never mixed. RFC 9110, section 8.8.
 *
 * A weak tag ("W/…") says only that two versions mean the same; a server may not honour it in
 * If-Match, so it is compared here and a change of time or size beside it counts as a change. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "vfs/http_fields.h"
#include "vfs/http_fs.h"

bool stoa_http_pin_is_strong(const struct http_pin *pin) {
    return pin->etag[0] == '"';
}

/* One that is longer than anybody's is kept as its hash. */
static void copy_tag(char out[HTTP_TAG_BYTES], const char *text) {
    size_t size = text != NULL ? strlen(text) : 0;
    if (size >= HTTP_TAG_BYTES) {
        (void)snprintf(out, HTTP_TAG_BYTES, "#%016" PRIx64, stoa_hash64(text, size));
        return;
    }
    memcpy(out, text != NULL ? text : "", size);
    out[size] = '\0';
}

void stoa_http_pin_read(struct http_pin *pin, const stoa_http_response *response) {
    *pin = (struct http_pin){0};
    copy_tag(pin->etag, stoa_http_header(response, "etag"));
    copy_tag(pin->modified, stoa_http_header(response, "last-modified"));
}

static stoa_status check_text(char *known, const char *seen, const char *what, stoa_error *err) {
    if (known[0] == '\0') {
        memcpy(known, seen, HTTP_TAG_BYTES);
        return STOA_OK;
    }
    if (seen[0] == '\0' || strcmp(known, seen) == 0) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_CONFLICT,
                     "it was changed while it was read: its %s was %.64s and is %.64s", what, known,
                     seen);
}

/* "W/" on one side only is no difference: some servers weaken the tag of a range. */
static const char *tag_text(const char *tag) {
    return strncmp(tag, "W/", 2) == 0 ? tag + 2 : tag;
}

stoa_status stoa_http_pin_check(struct http_pin *pin, const struct http_pin *seen,
                                stoa_error *err) {
    bool same_tag = pin->etag[0] != '\0' && strcmp(tag_text(pin->etag), tag_text(seen->etag)) == 0;
    if (!same_tag) {
        STOA_TRY(check_text(pin->etag, seen->etag, "ETag", err));
    }
    /* Servers behind one name may tell different times of the same bytes; a strong tag decides. */
    if (!same_tag || !stoa_http_pin_is_strong(pin)) {
        STOA_TRY(check_text(pin->modified, seen->modified, "time of modification", err));
    }
    if (seen->has_size && pin->has_size && seen->size != pin->size) {
        return stoa_fail(err, STOA_CONFLICT,
                         "it was changed while it was read: it had %" PRIu64
                         " bytes and has %" PRIu64,
                         pin->size, seen->size);
    }
    if (seen->has_size) {
        pin->size = seen->size;
        pin->has_size = true;
    }
    return STOA_OK;
}

void stoa_http_pin_info(const struct http_pin *pin, stoa_file_info *out) {
    *out = (stoa_file_info){.size = pin->has_size ? pin->size : 0};
    (void)stoa_http_date_parse(pin->modified, &out->modified_ms);
    char text[2 * HTTP_TAG_BYTES];
    if (pin->etag[0] != '\0') {
        (void)snprintf(text, sizeof text, "%s", pin->etag);
    } else if (pin->modified[0] != '\0') {
        (void)snprintf(text, sizeof text, "%" PRIu64 "-%s", out->size, pin->modified);
    } else {
        return; /* nothing says that it is still the same */
    }
    if (strlen(text) < sizeof out->version) {
        (void)snprintf(out->version, sizeof out->version, "%.63s", text);
    } else {
        (void)snprintf(out->version, sizeof out->version, "#%016" PRIx64,
                       stoa_hash64(text, strlen(text)));
    }
}
