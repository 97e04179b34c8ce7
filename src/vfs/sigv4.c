/* AWS Signature Version 4, by the rules of S3.
 *
 *     canonical request   method, path, sorted query, sorted headers, names of headers, body's hash
 *     string to sign      algorithm, time, scope (day/region/service), hash of the above
 *     key                 HMAC over HMACs of day, region, service, from the secret
 *     signature           HMAC of the string to sign
 *
 * S3 differs from the other services in that the path is percent-encoded once and not normalised:
 * "a//b" and "a/../b" are keys. So path and query are signed as the URL has them; only the order
 * of parameters, and the '=' of one without a value, are put right here.
 *
 * Derived keys and texts are on the stack or in a buffer that is wiped. */
#include "vfs/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { DIGEST_BYTES = 32, DAY_BYTES = 8 };

/* A part of a text: one header's or one parameter's name and value. */
struct pair {
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
    size_t order; /* equal names stay as they came */
};

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size, bool folds) {
    size_t shared = a_size < b_size ? a_size : b_size;
    for (size_t i = 0; i < shared; i++) {
        unsigned char x = (unsigned char)(folds ? lower(a[i]) : a[i]);
        unsigned char y = (unsigned char)(folds ? lower(b[i]) : b[i]);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return a_size == b_size ? 0 : a_size < b_size ? -1 : 1;
}

static int compare_headers(const void *a, const void *b) {
    const struct pair *x = a;
    const struct pair *y = b;
    int names = compare_bytes(x->name, x->name_size, y->name, y->name_size, true);
    return names != 0 ? names : x->order < y->order ? -1 : 1;
}

static int compare_parameters(const void *a, const void *b) {
    const struct pair *x = a;
    const struct pair *y = b;
    int names = compare_bytes(x->name, x->name_size, y->name, y->name_size, false);
    return names != 0 ? names
                      : compare_bytes(x->value, x->value_size, y->value, y->value_size, false);
}

static void print_hex(const uint8_t *bytes, size_t size, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

void stoa_sigv4_hash(const void *bytes, size_t size, char out[STOA_SIGV4_HASH_BYTES]) {
    uint8_t digest[DIGEST_BYTES];
    (void)SHA256(bytes, size, digest);
    print_hex(digest, sizeof digest, out);
}

void stoa_sigv4_date(int64_t unix_s, char out[STOA_SIGV4_DATE_BYTES]) {
    int64_t days = unix_s / 86400 - (unix_s % 86400 < 0);
    int64_t second = unix_s - days * 86400;
    stoa_civil date = stoa_civil_from_days(days);
    char text[64];
    int length = snprintf(text, sizeof text, "%04u%02u%02uT%02u%02u%02uZ",
                          (unsigned)(date.year % 10000), (unsigned)date.month, (unsigned)date.day,
                          (unsigned)(second / 3600), (unsigned)(second / 60 % 60),
                          (unsigned)(second % 60));
    STOA_ASSERT(length == STOA_SIGV4_DATE_BYTES - 1);
    memcpy(out, text, STOA_SIGV4_DATE_BYTES - 1);
    out[length < STOA_SIGV4_DATE_BYTES ? length : STOA_SIGV4_DATE_BYTES - 1] = '\0';
}

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

stoa_status stoa_sigv4_encode(stoa_buffer *out, const char *text, size_t size, bool keeps_slashes,
                              stoa_error *err) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        if (is_unreserved(text[i]) || (keeps_slashes && text[i] == '/')) {
            STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)text[i], err));
        } else {
            uint8_t byte = (uint8_t)text[i];
            const char code[3] = {'%', digits[byte >> 4], digits[byte & 15]};
            STOA_TRY(stoa_buffer_append(out, code, sizeof code, err));
        }
    }
    return STOA_OK;
}

/* Appends the parameters in the order of their names, then values, each with its '='. */
static stoa_status append_query(stoa_buffer *out, const char *query, stoa_error *err) {
    stoa_buffer pairs = {.pool = out->pool};
    stoa_status status = STOA_OK;
    for (const char *at = query; *at != '\0';) {
        size_t size = strcspn(at, "&");
        const char *equals = memchr(at, '=', size);
        size_t name_size = equals == NULL ? size : (size_t)(equals - at);
        struct pair pair = {at, name_size, "", 0, 0};
        if (equals != NULL) {
            pair.value = equals + 1;
            pair.value_size = size - name_size - 1;
        }
        if (size > 0) {
            STOA_CHECK(stoa_buffer_append(&pairs, &pair, sizeof pair, err));
        }
        at += size + (at[size] == '&' ? 1 : 0);
    }
    struct pair *list = (struct pair *)(void *)pairs.data;
    size_t count = pairs.size / sizeof *list;
    if (count > 0) {
        qsort(list, count, sizeof *list, compare_parameters);
    }
    for (size_t i = 0; i < count; i++) {
        STOA_CHECK(stoa_buffer_append_text(out, i == 0 ? "" : "&", err));
        STOA_CHECK(stoa_buffer_append(out, list[i].name, list[i].name_size, err));
        STOA_CHECK(stoa_buffer_append_byte(out, '=', err));
        STOA_CHECK(stoa_buffer_append(out, list[i].value, list[i].value_size, err));
    }

done:
    stoa_buffer_release(&pairs);
    return status;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

/* Takes a "Name: value" apart, without the spaces around the value. */
static struct pair split_header(const char *header, size_t order) {
    size_t name_size = strcspn(header, ":");
    const char *value = header + name_size + (header[name_size] == ':' ? 1 : 0);
    while (is_space(*value)) {
        value++;
    }
    size_t value_size = strlen(value);
    while (value_size > 0 && is_space(value[value_size - 1])) {
        value_size--;
    }
    return (struct pair){header, name_size, value, value_size, order};
}

static stoa_status append_name(stoa_buffer *out, const struct pair *pair, stoa_error *err) {
    for (size_t i = 0; i < pair->name_size; i++) {
        STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)lower(pair->name[i]), err));
    }
    return STOA_OK;
}

/* Runs of spaces become one. */
static stoa_status append_value(stoa_buffer *out, const struct pair *pair, stoa_error *err) {
    for (size_t i = 0; i < pair->value_size; i++) {
        if (!is_space(pair->value[i]) || !is_space(pair->value[i - 1])) {
            char c = pair->value[i];
            STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)(c == '\t' ? ' ' : c), err));
        }
    }
    return STOA_OK;
}

/* `list` is sorted: "name:value,value\n"… into `out`, and "name;name" into `names`. */
static stoa_status append_headers(stoa_buffer *out, stoa_buffer *names, const struct pair *list,
                                  size_t count, stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        const struct pair *pair = &list[i];
        bool repeats = i > 0 && compare_bytes(pair->name, pair->name_size, list[i - 1].name,
                                              list[i - 1].name_size, true) == 0;
        if (repeats) {
            STOA_TRY(stoa_buffer_append_byte(out, ',', err));
        } else {
            STOA_TRY(stoa_buffer_append_text(out, i == 0 ? "" : "\n", err));
            STOA_TRY(append_name(out, pair, err));
            STOA_TRY(stoa_buffer_append_byte(out, ':', err));
            STOA_TRY(stoa_buffer_append_text(names, i == 0 ? "" : ";", err));
            STOA_TRY(append_name(names, pair, err));
        }
        STOA_TRY(append_value(out, pair, err));
    }
    return STOA_OK;
}

static stoa_status append_canonical(const stoa_sigv4_request *request, stoa_buffer *out,
                                    stoa_buffer *names, stoa_error *err) {
    stoa_buffer pairs = {.pool = out->pool};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < request->header_count; i++) {
        struct pair pair = split_header(request->headers[i], i);
        STOA_CHECK(stoa_buffer_append(&pairs, &pair, sizeof pair, err));
    }
    struct pair *list = (struct pair *)(void *)pairs.data;
    if (request->header_count > 0) {
        qsort(list, request->header_count, sizeof *list, compare_headers);
    }
    STOA_CHECK(stoa_buffer_append_format(out, err, "%s\n%s\n", request->method, request->path));
    STOA_CHECK(append_query(out, request->query, err));
    STOA_CHECK(stoa_buffer_append_byte(out, '\n', err));
    STOA_CHECK(append_headers(out, names, list, request->header_count, err));
    STOA_CHECK(stoa_buffer_append_text(out, "\n\n", err));
    STOA_CHECK(stoa_buffer_append(out, names->data, names->size, err));
    STOA_CHECK(stoa_buffer_append_format(out, err, "\n%s", request->payload_hash));

done:
    stoa_buffer_release(&pairs);
    return status;
}

static bool keyed_hash(const void *key, size_t key_size, const void *bytes, size_t size,
                       uint8_t out[DIGEST_BYTES]) {
    unsigned length = 0;
    return HMAC(EVP_sha256(), key, (int)key_size, bytes, size, out, &length) != NULL &&
           length == DIGEST_BYTES;
}

/* The signing key of a day, a region and a service. */
static stoa_status derive_key(const stoa_sigv4_request *request, const char *secret,
                              stoa_pool *pool, uint8_t out[DIGEST_BYTES], stoa_error *err) {
    static const char end[] = "aws4_request";
    size_t size = strlen(secret) + 4;
    void *first = NULL;
    STOA_TRY(stoa_pool_allocate(pool, size, &first, err));
    memcpy(first, "AWS4", 4);
    memcpy((char *)first + 4, secret, size - 4);
    bool is_done = size <= INT32_MAX && keyed_hash(first, size, request->date, DAY_BYTES, out) &&
                   keyed_hash(out, DIGEST_BYTES, request->region, strlen(request->region), out) &&
                   keyed_hash(out, DIGEST_BYTES, request->service, strlen(request->service), out) &&
                   keyed_hash(out, DIGEST_BYTES, end, sizeof end - 1, out);
    OPENSSL_cleanse(first, size);
    stoa_pool_free(pool, first, size);
    return is_done ? STOA_OK : stoa_fail(err, STOA_INTERNAL, "libcrypto made no HMAC");
}

stoa_status stoa_sigv4_authorize(const stoa_sigv4_request *request, const char *access_key_id,
                                 const char *secret_access_key, stoa_buffer *out, stoa_error *err) {
    stoa_buffer canonical = {.pool = out->pool};
    stoa_buffer names = {.pool = out->pool};
    stoa_buffer text = {.pool = out->pool};
    uint8_t key[DIGEST_BYTES] = {0};
    uint8_t digest[DIGEST_BYTES];
    char hash[STOA_SIGV4_HASH_BYTES];
    stoa_status status = STOA_OK;

    STOA_CHECK(append_canonical(request, &canonical, &names, err));
    stoa_sigv4_hash(canonical.data, canonical.size, hash);
    STOA_CHECK(stoa_buffer_append_format(&text, err,
                                         "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s",
                                         request->date, request->date, request->region,
                                         request->service, hash));
    STOA_CHECK(derive_key(request, secret_access_key, out->pool, key, err));
    if (!keyed_hash(key, sizeof key, text.data, text.size, digest)) {
        status = stoa_fail(err, STOA_INTERNAL, "libcrypto made no HMAC");
        goto done;
    }
    print_hex(digest, sizeof digest, hash);
    STOA_CHECK(stoa_buffer_append_format(out, err,
                                         "Authorization: AWS4-HMAC-SHA256 "
                                         "Credential=%s/%.8s/%s/%s/aws4_request, "
                                         "SignedHeaders=%.*s, Signature=%s",
                                         access_key_id, request->date, request->region,
                                         request->service, (int)names.size,
                                         (const char *)names.data, hash));

done:
    OPENSSL_cleanse(key, sizeof key);
    /* A session token is among the headers. */
    if (canonical.data != NULL) {
        OPENSSL_cleanse(canonical.data, canonical.capacity);
    }
    stoa_buffer_release(&canonical);
    stoa_buffer_release(&names);
    stoa_buffer_release(&text);
    return status;
}
