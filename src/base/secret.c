/* Masks what is secret in URIs: user info ("https://me:password@host/"), and the signatures that
 * object stores put into queries ("?X-Amz-Signature=…", "?sig=…"). The name of a parameter decides,
 * by what it contains, so that one too many is masked rather than one too few. */
#include "base/secret.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct writer {
    char *text; /* of STOA_URI_SHOWN_BYTES */
    size_t size;
    bool found;
};

static void put(struct writer *writer, const char *bytes, size_t size) {
    size_t left = STOA_URI_SHOWN_BYTES - 1 - writer->size;
    size = size < left ? size : left;
    memcpy(writer->text + writer->size, bytes, size);
    writer->size += size;
}

static void put_mask(struct writer *writer) {
    put(writer, "***", 3);
    writer->found = true;
}

static bool is_secret_name(const char *name, size_t size) {
    static const char *const parts[] = {"sig",  "token", "key",  "secret",
                                        "pass", "pwd",   "cred", "auth"};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        size_t length = strlen(parts[p]);
        for (size_t i = 0; i + length <= size; i++) {
            if (strncasecmp(name + i, parts[p], length) == 0) {
                return true;
            }
        }
    }
    return false;
}

static size_t span_until(const char *text, size_t size, const char *stops) {
    size_t i = 0;
    while (i < size && strchr(stops, text[i]) == NULL) {
        i++;
    }
    return i;
}

/* The password of "user:password@", or all before '@' where there is no ':' (a token that stands for
 * a user). Returns how much of `text` that was. */
static size_t put_user(struct writer *writer, const char *text, size_t size) {
    size_t length = span_until(text, size, "/?#");
    const char *at = memrchr(text, '@', length);
    if (at == NULL) {
        return 0;
    }
    const char *colon = memchr(text, ':', (size_t)(at - text));
    if (colon != NULL) {
        put(writer, text, (size_t)(colon + 1 - text));
    }
    put_mask(writer);
    return (size_t)(at - text);
}

static void put_query(struct writer *writer, const char *query, size_t size) {
    while (size > 0) {
        size_t length = span_until(query, size, "&;");
        const char *equals = memchr(query, '=', length);
        if (equals != NULL && is_secret_name(query, (size_t)(equals - query))) {
            put(writer, query, (size_t)(equals + 1 - query));
            put_mask(writer);
        } else {
            put(writer, query, length);
        }
        length += length < size ? 1 : 0;
        put(writer, query + length - 1, length > 0 && strchr("&;", query[length - 1]) ? 1 : 0);
        query += length;
        size -= length;
    }
}

/* A URI of `size` bytes; its "://" is at `colon`. */
static void put_uri(struct writer *writer, const char *uri, size_t size, size_t colon) {
    size_t done = colon + 3;
    put(writer, uri, done);
    done += put_user(writer, uri + done, size - done);
    size_t path = span_until(uri + done, size - done, "?");
    path += done + path < size ? 1 : 0;
    put(writer, uri + done, path);
    put_query(writer, uri + done + path, size - done - path);
}

/* Where the scheme begins that ends before `colon`; `colon` itself when there is none. */
static size_t scheme_begin(const char *text, size_t colon) {
    size_t begin = colon;
    while (begin > 0 &&
           (isalnum((unsigned char)text[begin - 1]) || strchr("+-.", text[begin - 1]) != NULL)) {
        begin--;
    }
    return begin;
}

const char *stoa_secret_show(const char *uri, char buffer[STOA_URI_SHOWN_BYTES]) {
    struct writer writer = {.text = buffer};
    const char *colon = strstr(uri, "://");
    if (colon == NULL || colon == uri || scheme_begin(uri, (size_t)(colon - uri)) != 0) {
        return uri;
    }
    put_uri(&writer, uri, strlen(uri), (size_t)(colon - uri));
    buffer[writer.size] = '\0';
    return writer.found ? buffer : uri;
}

/* Replaces `size` bytes at `at` by the writer's text; what does not fit falls off the end. */
static size_t replace(char *text, size_t room, size_t at, size_t size,
                      const struct writer *writer) {
    size_t rest = strlen(text + at + size);
    size_t put_size = writer->size < room - 1 - at ? writer->size : room - 1 - at;
    size_t kept = rest < room - 1 - at - put_size ? rest : room - 1 - at - put_size;
    memmove(text + at + put_size, text + at + size, kept);
    memcpy(text + at, writer->text, put_size);
    text[at + put_size + kept] = '\0';
    return at + put_size;
}

void stoa_secret_mask(char *text, size_t size) {
    char buffer[STOA_URI_SHOWN_BYTES];
    size_t from = 0;
    for (;;) {
        struct writer writer = {.text = buffer};
        const char *colon = strstr(text + from, "://");
        if (colon == NULL) {
            return;
        }
        size_t begin = scheme_begin(text, (size_t)(colon - text));
        size_t length = strcspn(text + begin, " \t\r\n'\"`<>");
        put_uri(&writer, text + begin, length, (size_t)(colon - text) - begin);
        from = writer.found ? replace(text, size, begin, length, &writer) : begin + length;
    }
}
