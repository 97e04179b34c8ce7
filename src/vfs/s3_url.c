/* Names and addresses: "//bucket/key", and where on the network a bucket is.
 *
 * A key is taken as it is: "a//b", "a/../b" and "%2F" are three names that mean themselves. In path
 * style the bucket is the first part of the path, in virtual-host style the first of the host name;
 * names that are no host name, and over TLS those with dots (the certificate's '*' stands for one
 * label), go into the path. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "vfs/s3.h"
#include "vfs/sigv4.h"

static bool is_bucket_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

stoa_status stoa_s3_name_parse(const char *path, struct s3_name *out, stoa_error *err) {
    const char *bucket = path + (strncmp(path, "//", 2) == 0 ? 2 : 0);
    size_t size = bucket == path ? 0 : strcspn(bucket, "/");
    bool is_good = size > 0 && size < S3_BUCKET_BYTES && bucket[0] != '.';
    for (size_t i = 0; i < size && is_good; i++) {
        is_good = is_bucket_character(bucket[i]);
    }
    if (!is_good) {
        return stoa_fail(err, STOA_INVALID,
                         "expected '//bucket/key' with a bucket's name of letters, digits, '-' and "
                         "'.' after the scheme");
    }
    memcpy(out->bucket, bucket, size);
    out->bucket[size] = '\0';
    out->key = bucket + size + (bucket[size] == '/' ? 1 : 0);
    out->key_size = strlen(out->key);
    size_t bad = 0;
    if (out->key_size > S3_KEY_BYTES_MAX) {
        return stoa_fail(err, STOA_INVALID, "the key has %zu bytes, and S3's have at most %d",
                         out->key_size, S3_KEY_BYTES_MAX);
    }
    if (!stoa_utf8_valid(out->key, out->key_size, &bad)) {
        return stoa_fail(err, STOA_INVALID, "S3's keys are UTF-8, and this one is not at byte %zu",
                         bad);
    }
    return STOA_OK;
}

bool stoa_s3_name_is_directory(const struct s3_name *name) {
    return name->key_size == 0 || name->key[name->key_size - 1] == '/';
}

void stoa_s3_bucket_find(struct s3_fs *fs, const char *name, struct s3_bucket *out) {
    *out = (struct s3_bucket){0};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    (void)snprintf(out->region, sizeof out->region, "%s", fs->settings.region);
    (void)pthread_mutex_lock(&fs->lock);
    for (const struct s3_bucket *bucket = fs->buckets; bucket != NULL; bucket = bucket->next) {
        if (strcmp(bucket->name, name) == 0) {
            *out = *bucket;
            break;
        }
    }
    (void)pthread_mutex_unlock(&fs->lock);
}

stoa_status stoa_s3_bucket_note(struct s3_fs *fs, const struct s3_bucket *bucket, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(fs->pool, 1, sizeof(struct s3_bucket), &memory, err));
    struct s3_bucket *fresh = memory;
    *fresh = *bucket;
    (void)pthread_mutex_lock(&fs->lock);
    struct s3_bucket *known = fs->buckets;
    while (known != NULL && strcmp(known->name, bucket->name) != 0) {
        known = known->next;
    }
    if (known != NULL) {
        fresh->next = known->next;
        *known = *fresh;
    } else {
        fresh->next = fs->buckets;
        fs->buckets = fresh;
        fresh = NULL;
    }
    (void)pthread_mutex_unlock(&fs->lock);
    stoa_pool_free(fs->pool, fresh, sizeof *fresh);
    return STOA_OK;
}

/* 3 to 63 small letters, digits, '-' and '.', as a host name wants them. */
static bool is_host_name(const char *bucket, bool allows_dots) {
    size_t size = strlen(bucket);
    if (size < 3 || size > 63 || bucket[0] == '-' || bucket[size - 1] == '-' ||
        bucket[size - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = bucket[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!is_plain && (c != '.' || !allows_dots || bucket[i + 1] == '.')) {
            return false;
        }
    }
    return true;
}

static bool is_virtual(const struct s3_fs *fs, const char *bucket) {
    const stoa_aws_settings *settings = &fs->settings;
    bool is_tls = settings->endpoint == NULL || strncasecmp(settings->endpoint, "https", 5) == 0;
    if (settings->addressing == STOA_S3_ADDRESSING_PATH ||
        (settings->addressing == STOA_S3_ADDRESSING_AUTO && settings->endpoint != NULL)) {
        return false;
    }
    return is_host_name(bucket, !is_tls);
}

/* The port that a scheme has by itself is not part of the header "Host", so not of the origin. */
static void drop_port(char *origin) {
    static const char *const schemes[][2] = {{"https://", ":443"}, {"http://", ":80"}};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(origin);
        size_t port = strlen(schemes[i][1]);
        if (strncasecmp(origin, schemes[i][0], strlen(schemes[i][0])) == 0 && length > port &&
            strcmp(origin + length - port, schemes[i][1]) == 0) {
            origin[length - port] = '\0';
        }
    }
}

stoa_status stoa_s3_url_make(struct s3_fs *fs, const struct s3_call *call,
                             const struct s3_bucket *bucket, char origin[S3_ORIGIN_BYTES],
                             stoa_buffer *path, stoa_error *err) {
    const char *endpoint = fs->settings.endpoint;
    const char *suffix = strncmp(bucket->region, "cn-", 3) == 0 ? ".cn" : "";
    char own[S3_ORIGIN_BYTES];
    bool hosts_bucket = is_virtual(fs, bucket->name);
    int length;
    if (endpoint == NULL) {
        length = snprintf(own, sizeof own, "https://s3.%s.amazonaws.com%s", bucket->region, suffix);
    } else {
        length = snprintf(own, sizeof own, "%s", endpoint);
    }
    if (length > 0 && (size_t)length < sizeof own && hosts_bucket) {
        int scheme = (int)(strstr(own, "://") - own) + 3;
        length = snprintf(origin, S3_ORIGIN_BYTES, "%.*s%s.%s", scheme, own, bucket->name,
                          own + scheme);
    } else {
        length = snprintf(origin, S3_ORIGIN_BYTES, "%s", own);
    }
    if (bucket->origin[0] != '\0') {
        /* The host of a redirect names the bucket where ours does. */
        length = snprintf(origin, S3_ORIGIN_BYTES, "%s", bucket->origin);
    }
    if (length < 0 || length >= S3_ORIGIN_BYTES) {
        return stoa_fail(err, STOA_INVALID, "the endpoint is longer than %d bytes",
                         S3_ORIGIN_BYTES - 1);
    }
    drop_port(origin);
    STOA_TRY(stoa_buffer_append_byte(path, '/', err));
    if (!hosts_bucket) {
        STOA_TRY(stoa_buffer_append_text(path, bucket->name, err));
    }
    if (call->is_bucket) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_append_text(path, hosts_bucket ? "" : "/", err));
    return stoa_sigv4_encode(path, call->name->key, call->name->key_size, true, err);
}

/* The host name in an origin, without its port. */
static void host_of(const char *origin, const char **out, size_t *out_size) {
    const char *host = strstr(origin, "://");
    host = host == NULL ? origin : host + 3;
    *out = host;
    *out_size = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":/?#");
}

static bool is_within(const char *host, size_t size, const char *domain, size_t domain_size) {
    return size >= domain_size &&
           strncasecmp(host + size - domain_size, domain, domain_size) == 0 &&
           (size == domain_size || host[size - domain_size - 1] == '.');
}

bool stoa_s3_redirect_origin(const struct s3_fs *fs, const char *origin, const char *location,
                             char out[S3_ORIGIN_BYTES]) {
    static const char *const own[] = {"amazonaws.com", "amazonaws.com.cn"};
    const char *host, *domain;
    size_t host_size, domain_size;
    const char *authority = strstr(location, "://");
    if (authority == NULL) {
        return false;
    }
    size_t length = (size_t)(authority - location) + 3 + strcspn(authority + 3, "/?#");
    bool is_tls = strncasecmp(location, "https://", 8) == 0;
    bool is_plain = strncasecmp(location, "http://", 7) == 0 &&
                    strncasecmp(origin, "http://", 7) == 0;
    if ((!is_tls && !is_plain) || length >= S3_ORIGIN_BYTES ||
        memchr(location, '@', length) != NULL) {
        return false;
    }
    memcpy(out, location, length);
    out[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)out[i] <= ' ' || (unsigned char)out[i] >= 0x7F) {
            return false;
        }
    }
    host_of(out, &host, &host_size);
    if (fs->settings.endpoint == NULL) {
        return is_within(host, host_size, own[0], strlen(own[0])) ||
               is_within(host, host_size, own[1], strlen(own[1]));
    }
    host_of(fs->settings.endpoint, &domain, &domain_size);
    return is_within(host, host_size, domain, domain_size);
}
