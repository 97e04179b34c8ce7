/* S3 as a file system: what stands behind "s3:".
 *
 *     s3_url       names, and where a bucket is
 *     s3_request   one request or many side by side: signed, repeated, judged
 *     s3_stat, s3_list, s3_read      looking and reading
 *     s3_write, s3_upload            objects, whole or in parts; they appear at `sync`
 *     s3_change, s3_copy             removal, renaming, conditional replacement
 *
 * Settings and client are made by the first call that needs them, so that a registry costs nothing
 * and missing credentials are an error of who uses them.
 *
 * Source: Amazon S3 API Reference, version 2006-03-01 */
#include "vfs/s3.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"

enum { QUOTA = 500, PART_BYTES_DEFAULT = 8 << 20, PART_BYTES_MIN = 5 << 20 };
static const size_t part_bytes_max = (size_t)1 << 30;
static const uint64_t copy_bytes_max = UINT64_C(5) << 30; /* of one CopyObject, by S3's rules */

static stoa_status connect_locked(struct s3_fs *fs, stoa_error *err) {
    stoa_aws_settings settings = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_aws_settings_load(fs->pool, &fs->options, &settings, err));
    const stoa_http_options http = {.connections = fs->options.connections,
                                    .ca_file = settings.ca_file};
    STOA_CHECK(stoa_http_client_create(fs->pool, &http, &fs->client, err));
    fs->settings = settings;
    settings = (stoa_aws_settings){0};
    fs->is_ready = true;

done:
    stoa_aws_settings_release(&settings);
    return status;
}

stoa_status stoa_s3_connect(struct s3_fs *fs, stoa_error *err) {
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = fs->is_ready ? STOA_OK : connect_locked(fs, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

void stoa_s3_draw_tag(struct s3_fs *fs, char out[S3_TAG_BYTES]) {
    uint64_t draw = atomic_fetch_add_explicit(&fs->random, 1, memory_order_relaxed);
    uint64_t high = stoa_hash_u64(draw ^ (uint64_t)stoa_clock_monotonic_ns());
    uint64_t low = stoa_hash_u64(draw ^ (uint64_t)stoa_clock_unix_ms() << 20);
    (void)snprintf(out, S3_TAG_BYTES, "%016" PRIx64 "%016" PRIx64, high, low);
}

void stoa_s3_reference(struct s3_fs *fs) {
    (void)pthread_mutex_lock(&fs->lock);
    fs->references++;
    (void)pthread_mutex_unlock(&fs->lock);
}

static void free_options(struct s3_fs *fs) {
    /* Texts of options are copies; the secret ones are overwritten. */
    char *const texts[] = {(char *)fs->options.access_key_id, (char *)fs->options.secret_access_key,
                           (char *)fs->options.session_token, (char *)fs->options.profile,
                           (char *)fs->options.region,        (char *)fs->options.endpoint,
                           (char *)fs->options.ca_file};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stoa_aws_secret_free(fs->pool, texts[i]);
    }
}

void stoa_s3_unreference(struct s3_fs *fs) {
    (void)pthread_mutex_lock(&fs->lock);
    bool is_last = --fs->references == 0;
    (void)pthread_mutex_unlock(&fs->lock);
    if (!is_last) {
        return;
    }
    stoa_pool *pool = fs->pool;
    stoa_http_client_close(fs->client);
    stoa_aws_settings_release(&fs->settings);
    free_options(fs);
    while (fs->buckets != NULL) {
        struct s3_bucket *bucket = fs->buckets;
        fs->buckets = bucket->next;
        stoa_pool_free(pool, bucket, sizeof *bucket);
    }
    (void)pthread_mutex_destroy(&fs->lock);
    stoa_pool_free(pool, fs, sizeof *fs);
}

static stoa_status s3_open(void *state, const char *path, stoa_open_mode mode,
                           const stoa_context *context, stoa_file **out, stoa_error *err) {
    *out = NULL;
    switch (mode) {
    case STOA_OPEN_READ: return stoa_s3_open_read(state, path, context, out, err);
    case STOA_OPEN_APPEND:
    case STOA_OPEN_UPDATE:
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "objects in S3 are written whole: there is no "
                         "appending to one or changing it");
    default: return stoa_s3_open_write(state, path, mode, context, out, err);
    }
}

/* Directories are beginnings of keys: there is nothing to make, and nothing to sync. */
static stoa_status do_nothing(void *state, const char *path, const stoa_context *context,
                              stoa_error *err) {
    struct s3_name name;
    (void)state;
    (void)context;
    return stoa_s3_name_parse(path, &name, err);
}

static void s3_close(void *state) {
    stoa_s3_unreference(state);
}

static const stoa_fs_operations operations = {
    .open = s3_open,
    .stat = stoa_s3_stat,
    .list = stoa_s3_list,
    .make_directory = do_nothing,
    .remove = stoa_s3_remove,
    .rename = stoa_s3_rename,
    .sync_directory = do_nothing,
    .put_if = stoa_s3_put_if,
    .list_tree = stoa_s3_list_tree,
    .remove_tree = stoa_s3_remove_tree,
    .close = s3_close,
    .features = STOA_FS_WHOLE_WRITES | STOA_FS_NO_DIRECTORIES | STOA_FS_REMOTE,
};

static stoa_status check_options(const stoa_s3_options *options, stoa_error *err) {
    if (options->part_bytes != 0 &&
        (options->part_bytes < PART_BYTES_MIN || options->part_bytes > part_bytes_max)) {
        return stoa_fail(err, STOA_INVALID, "expected parts of 5 MiB to 1 GiB but found %zu bytes",
                         options->part_bytes);
    }
    if (options->max_attempts < 0 || options->max_attempts > 100) {
        return stoa_fail(err, STOA_INVALID, "expected 1 to 100 attempts but found %d",
                         (int)options->max_attempts);
    }
    if ((options->access_key_id == NULL) != (options->secret_access_key == NULL)) {
        return stoa_fail(err, STOA_INVALID,
                         "expected an access key id with its secret access key "
                         "but found one of the two");
    }
    return STOA_OK;
}

static stoa_status copy_options(struct s3_fs *fs, const stoa_s3_options *options, stoa_error *err) {
    fs->options = *options;
    fs->options.access_key_id = fs->options.secret_access_key = fs->options.session_token = NULL;
    fs->options.profile = fs->options.region = fs->options.endpoint = fs->options.ca_file = NULL;
    const struct {
        const char *from;
        const char **to;
    } texts[] = {
        {options->access_key_id, &fs->options.access_key_id},
        {options->secret_access_key, &fs->options.secret_access_key},
        {options->session_token, &fs->options.session_token},
        {options->profile, &fs->options.profile},
        {options->region, &fs->options.region},
        {options->endpoint, &fs->options.endpoint},
        {options->ca_file, &fs->options.ca_file},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *copy = NULL;
        STOA_TRY(stoa_pool_copy_string(fs->pool, texts[i].from, &copy, err));
        *texts[i].to = copy;
    }
    return STOA_OK;
}

stoa_status stoa_fs_s3_create(stoa_pool *pool, const stoa_s3_options *options, stoa_fs *out,
                              stoa_error *err) {
    static const stoa_s3_options nothing = STOA_S3_DEFAULT;
    void *memory = NULL;
    *out = (stoa_fs){0};
    options = options == NULL ? &nothing : options;
    STOA_TRY(check_options(options, err));
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct s3_fs), &memory, err));
    struct s3_fs *fs = memory;
    fs->pool = pool;
    fs->references = 1;
    fs->part_bytes = options->part_bytes == 0 ? PART_BYTES_DEFAULT : options->part_bytes;
    fs->copy_bytes_max = copy_bytes_max;
    atomic_init(&fs->retry_quota, QUOTA);
    atomic_init(&fs->skew_ms, 0);
    atomic_init(&fs->random,
                stoa_hash_u64((uint64_t)stoa_clock_monotonic_ns()) ^ (uint64_t)(uintptr_t)fs);
    (void)pthread_mutex_init(&fs->lock, NULL);
    stoa_status status = copy_options(fs, options, err);
    if (status != STOA_OK) {
        stoa_s3_unreference(fs);
        return status;
    }
    *out = (stoa_fs){&operations, fs};
    return STOA_OK;
}
