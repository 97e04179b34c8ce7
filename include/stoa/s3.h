/* Objects in S3 and in stores that speak its language, as files: "s3://bucket/key".
 *
 * Every registry has the scheme "s3" from the start, with the settings that the tools of AWS use
 * (environment and ~/.aws). A program with settings of its own registers another one:
 *
 *     stoa_s3_options options = STOA_S3_DEFAULT;
 *     options.endpoint = "http://127.0.0.1:9000";
 *     stoa_fs_s3_create(pool, &options, &fs, &err);
 *     stoa_fs_register(registry, "s3", fs, &err);                (or "backup", "minio", …)
 *
 * docs/s3.md says which settings there are and what a store cannot do that a disk can. */
#ifndef STOA_S3_H
#define STOA_S3_H

#include <stoa/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stoa_s3_addressing {
    STOA_S3_ADDRESSING_AUTO = 0,    /* path with an endpoint of one's own, else virtual */
    STOA_S3_ADDRESSING_PATH = 1,    /* https://host/bucket/key */
    STOA_S3_ADDRESSING_VIRTUAL = 2, /* https://bucket.host/key */
} stoa_s3_addressing;

/// What is NULL or 0 is taken from the environment and the files of AWS's tools.
///
/// Owns     All texts are copied by stoa_fs_s3_create.
typedef struct stoa_s3_options {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token;
    const char *profile;
    const char *region;
    const char *endpoint; /* "https://host[:port]" */
    const char *ca_file;  /* certificates to trust, PEM */
    stoa_s3_addressing addressing;
    bool is_anonymous;    /* nothing is signed */
    int32_t max_attempts; /* of one request, the first included; 0: 5 */
    int32_t connections;  /* at once to one host; 0: 16 */
    size_t part_bytes;    /* of large reads and uploads, 5 MiB to 1 GiB; 0: 8 MiB */
} stoa_s3_options;

#define STOA_S3_DEFAULT {0}

/// Makes a file system of objects. Nothing is read and nobody called before its first use, so that
/// missing credentials are an error of that.
///
/// Errors   STOA_INVALID  a number is out of its range, or half of a pair of keys is given
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     `options` is nullable. The caller registers `*out`; the registry closes it. Secrets
///          are overwritten when it is closed.
STOA_API STOA_MUST_USE stoa_status stoa_fs_s3_create(stoa_pool *pool,
                                                     const stoa_s3_options *options, stoa_fs *out,
                                                     stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
