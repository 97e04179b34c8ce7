/* The parts of the S3 file system among themselves. How it works: s3.c.
 *
 * Lock: `fs->lock` guards `references`, `is_ready` until it is true, and the list of buckets. What
 * is made while connecting is not changed afterwards. It is not held during requests. */
#ifndef STOA_VFS_S3_H
#define STOA_VFS_S3_H

#include <pthread.h>
#include <stdatomic.h>

#include "vfs/aws_settings.h"
#include "vfs/http_client.h"
#include "vfs/s3_xml.h"
#include "vfs/vfs.h"

enum {
    S3_BUCKET_BYTES = 256,
    S3_REGION_BYTES = 72,
    S3_ORIGIN_BYTES = 384,
    S3_KEY_BYTES_MAX = 1024,
    S3_ETAG_BYTES = 64, /* longer ones do not fit stoa_file_info.version */
    S3_TAG_BYTES = 33,  /* of a random number that marks a write as ours */
    S3_HEADERS_MAX = 8,
    S3_WAVE_CALLS = 64,   /* requests signed and sent together: they must be sent within minutes */
    S3_PARTS_MAX = 10000, /* of one upload, by S3's rules */
    S3_PARTS_IN_FLIGHT = 4
};

/* Where a bucket turned out to be. */
struct s3_bucket {
    struct s3_bucket *next;
    char name[S3_BUCKET_BYTES];
    char region[S3_REGION_BYTES];
    char origin[S3_ORIGIN_BYTES]; /* "https://host" of a redirect; "": as the settings say */
};

struct s3_fs {
    pthread_mutex_t lock;
    stoa_pool *pool;
    size_t references; /* the handle and open files */
    stoa_s3_options options;
    bool is_ready;
    stoa_aws_settings settings;
    stoa_http_client *client;
    struct s3_bucket *buckets;
    size_t part_bytes;
    uint64_t copy_bytes_max;     /* above it, copies go in parts */
    _Atomic int64_t skew_ms;     /* the server's clock minus ours */
    _Atomic int32_t retry_quota; /* attempts to repeat cost of it, successes give back */
    _Atomic uint64_t random;
};

/* "//bucket/key" taken apart; `key` is a part of the path, "" for the bucket itself. */
struct s3_name {
    char bucket[S3_BUCKET_BYTES];
    const char *key;
    size_t key_size;
};
stoa_status stoa_s3_name_parse(const char *path, struct s3_name *out, stoa_error *err);
/* True for "" and "a/": what can only be a directory. */
bool stoa_s3_name_is_directory(const struct s3_name *name);

/* One request: what to ask, and then what came. */
struct s3_call {
    const char *method;
    const struct s3_name *name;
    bool is_bucket;    /* about the bucket; the key is not part of the URL */
    const char *query; /* percent-encoded; NULL: none */
    const char *headers[S3_HEADERS_MAX];
    size_t header_count;
    const void *body;
    size_t body_size;
    void *buffer; /* as in stoa_http_request */
    size_t buffer_size;
    size_t body_limit;
    int32_t wanted_status;
    bool fails_late;      /* may answer 200 and then an <Error> */
    int32_t attempts_max; /* 0: by the settings */

    stoa_http_response response;
    stoa_s3_refusal refusal;
    stoa_status status;
    stoa_error error;
    bool is_done;
    bool has_skewed;
    int32_t redirects;
    char region[S3_REGION_BYTES]; /* that the last attempt was signed for */
    char payload_hash[80];
    stoa_buffer text; /* URL and headers of the last attempt */
};

/* Runs calls side by side until each has succeeded or failed for good. Each call says what became
 * of it: `status`, `error`, `response`, `refusal`. Answers the first failure.
 *
 * 404 is STOA_NOT_FOUND, 412 STOA_CONFLICT, all others STOA_IO. The caller releases the calls. */
stoa_status stoa_s3_run(struct s3_fs *fs, struct s3_call *calls, size_t count,
                        const stoa_context *context, stoa_error *err);
static inline stoa_status stoa_s3_run_one(struct s3_fs *fs, struct s3_call *call,
                                          const stoa_context *context, stoa_error *err) {
    return stoa_s3_run(fs, call, 1, context, err);
}
void stoa_s3_call_add_header(struct s3_call *call, const char *header);
void stoa_s3_call_release(struct s3_call *call, const stoa_context *context);

/* Reads settings and makes the client, at the first call of anything (s3.c). */
stoa_status stoa_s3_connect(struct s3_fs *fs, stoa_error *err);
void stoa_s3_reference(struct s3_fs *fs);
void stoa_s3_unreference(struct s3_fs *fs);
/* 32 hexadecimal digits that nobody else draws. */
void stoa_s3_draw_tag(struct s3_fs *fs, char out[S3_TAG_BYTES]);

/* Where a bucket is (s3_url.c). */
void stoa_s3_bucket_find(struct s3_fs *fs, const char *name, struct s3_bucket *out);
stoa_status stoa_s3_bucket_note(struct s3_fs *fs, const struct s3_bucket *bucket, stoa_error *err);
/* The origin ("https://host:port"), and the path on it, percent-encoded, of a call. */
stoa_status stoa_s3_url_make(struct s3_fs *fs, const struct s3_call *call,
                             const struct s3_bucket *bucket, char origin[S3_ORIGIN_BYTES],
                             stoa_buffer *path, stoa_error *err);
/* The origin that a redirect to `location` leads to. False when it must not be followed. */
bool stoa_s3_redirect_origin(const struct s3_fs *fs, const char *origin, const char *location,
                             char out[S3_ORIGIN_BYTES]);

/* What HEAD tells of an object (s3_stat.c). */
struct s3_object {
    uint64_t size;
    int64_t modified_ms;
    char etag[S3_ETAG_BYTES]; /* without its quotes; "" when it does not fit or is not told */
    char checksum[16];        /* CRC-32C of the whole, base64; "" when it is not told */
    char tag[S3_TAG_BYTES];   /* of the write that made it, when it was one of ours */
    bool is_denied;           /* of a failure: the keys are good, but may not look at this object */
};
/* STOA_NOT_FOUND when there is none. */
stoa_status stoa_s3_head(struct s3_fs *fs, const struct s3_name *name, const stoa_context *context,
                         struct s3_object *out, stoa_error *err);
/* Whether any key begins so; STOA_NOT_FOUND when the bucket is missing. */
stoa_status stoa_s3_has_prefix(struct s3_fs *fs, const struct s3_name *name, const char *prefix,
                               const stoa_context *context, bool *out, stoa_error *err);
stoa_status stoa_s3_stat(void *state, const char *path, const stoa_context *context,
                         stoa_file_info *out, stoa_error *err);
void stoa_s3_etag_copy(char out[S3_ETAG_BYTES], const char *value);

/* Listings (s3_list.c). */
stoa_status stoa_s3_list(void *state, const char *path, const stoa_context *context,
                         stoa_list_function function, void *user, stoa_error *err);
stoa_status stoa_s3_list_tree(void *state, const char *path, const stoa_context *context,
                              stoa_list_function function, void *user, stoa_error *err);
/* All keys that begin with `prefix`, page by page; with `delimiter` up to the next '/'. */
stoa_status stoa_s3_list_keys(struct s3_fs *fs, const struct s3_name *name, const char *prefix,
                              bool delimiter, int32_t page, const stoa_context *context,
                              stoa_s3_entry_function function, void *user, stoa_error *err);

/* Files (s3_read.c, s3_write.c). */
stoa_status stoa_s3_open_read(struct s3_fs *fs, const char *path, const stoa_context *context,
                              stoa_file **out, stoa_error *err);
stoa_status stoa_s3_open_write(struct s3_fs *fs, const char *path, stoa_open_mode mode,
                               const stoa_context *context, stoa_file **out, stoa_error *err);
/* One PUT of a whole object. `condition` is a header or NULL; `tag` (nullable) marks the write, so
 * that one which was repeated is known as ours. STOA_CONFLICT when the condition does not hold.
 * `out_etag` (nullable) takes the new version. */
stoa_status stoa_s3_put(struct s3_fs *fs, const struct s3_name *name, const char *condition,
                        const void *bytes, size_t size, char out_etag[S3_ETAG_BYTES],
                        const stoa_context *context, stoa_error *err);
/* After a conditional write was refused: whether it was an earlier attempt of ours that won. */
stoa_status stoa_s3_is_ours(struct s3_fs *fs, const struct s3_name *name, const char *tag,
                            const stoa_context *context, struct s3_object *out, bool *out_is_ours,
                            stoa_error *err);
/* "x-amz-checksum-crc32c: …" of a body. */
enum { S3_CHECKSUM_HEADER_BYTES = 48 };
void stoa_s3_checksum_header(const void *bytes, size_t size, char out[S3_CHECKSUM_HEADER_BYTES]);
/* STOA_CORRUPT when the server says that it has got another body. */
stoa_status stoa_s3_checksum_compare(const struct s3_call *call, const char *header,
                                     stoa_error *err);

/* Uploads in parts (s3_upload.c). `has_checksums`: each part will carry its CRC-32C. */
stoa_status stoa_s3_upload_begin(struct s3_fs *fs, const struct s3_name *name, const char *tag,
                                 bool has_checksums, const stoa_context *context,
                                 stoa_buffer *upload_id, stoa_error *err);
/* `parts` is the text of the <Part> elements. Errors as stoa_s3_put. */
stoa_status stoa_s3_upload_complete(struct s3_fs *fs, const struct s3_name *name,
                                    const char *upload_id, const stoa_buffer *parts,
                                    const char *condition, const char *tag,
                                    const stoa_context *context, stoa_error *err);
/* Best effort, within a few seconds, whatever the context's token says. */
void stoa_s3_upload_abort(struct s3_fs *fs, const struct s3_name *name, const char *upload_id,
                          const stoa_context *context);
/* "partNumber=N&uploadId=…" */
stoa_status stoa_s3_part_query(stoa_buffer *out, int32_t number, const char *upload_id,
                               stoa_error *err);
stoa_status stoa_s3_parts_append(stoa_buffer *parts, int32_t number, const char *etag,
                                 const char *checksum, stoa_error *err);

/* Changes (s3_change.c, s3_copy.c). */
stoa_status stoa_s3_remove(void *state, const char *path, const stoa_context *context,
                           stoa_error *err);
stoa_status stoa_s3_remove_tree(void *state, const char *path, const stoa_context *context,
                                stoa_error *err);
stoa_status stoa_s3_rename(void *state, const char *from, const char *to,
                           const stoa_context *context, stoa_error *err);
stoa_status stoa_s3_put_if(void *state, const char *path, const stoa_context *context,
                           const char *expected, const void *bytes, size_t size, char *out_version,
                           stoa_error *err);
stoa_status stoa_s3_copy(struct s3_fs *fs, const struct s3_name *from,
                         const struct s3_object *object, const struct s3_name *to,
                         const stoa_context *context, stoa_error *err);

#endif
