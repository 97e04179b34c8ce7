/* What changes names: removal, of one or of all below, renaming, and conditional replacement.
 *
 * There is no rename in S3: the object is copied, by the server, and the source removed. The target
 * appears at once and whole; a crash in between leaves both. */
#include <openssl/evp.h>
#include <stdio.h>

#include "vfs/s3.h"

enum { BATCH_KEYS = 1000, MD5_HEADER_BYTES = 96 };

/* Of what is not there as an object, whether something lies below it. */
static stoa_status explain_missing(struct s3_fs *fs, const struct s3_name *name,
                                   const stoa_context *context, bool *out_is_directory,
                                   stoa_error *err) {
    char prefix[S3_KEY_BYTES_MAX + 2];
    (void)snprintf(prefix, sizeof prefix, "%s%s", name->key,
                   stoa_s3_name_is_directory(name) ? "" : "/");
    return stoa_s3_has_prefix(fs, name, prefix, context, out_is_directory, err);
}

static stoa_status delete_key(struct s3_fs *fs, const struct s3_name *name,
                              const stoa_context *context, stoa_error *err) {
    struct s3_call call = {.method = "DELETE", .name = name};
    stoa_status status = stoa_s3_run_one(fs, &call, context, err);
    /* An attempt before may have removed it. */
    if (status == STOA_NOT_FOUND && strcmp(call.refusal.code, "NoSuchBucket") != 0) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    stoa_s3_call_release(&call, context);
    return status;
}

stoa_status stoa_s3_remove(void *state, const char *path, const stoa_context *context,
                           stoa_error *err) {
    struct s3_fs *fs = state;
    struct s3_name name;
    struct s3_object object;
    bool is_directory = false;
    STOA_TRY(stoa_s3_name_parse(path, &name, err));
    if (name.key_size == 0) {
        return stoa_fail(err, STOA_UNSUPPORTED, "buckets are made and removed by other tools");
    }
    stoa_status status = stoa_s3_head(fs, &name, context, &object, err);
    if (status == STOA_OK) {
        return delete_key(fs, &name, context, err);
    }
    if (status != STOA_NOT_FOUND) {
        return status;
    }
    STOA_TRY(explain_missing(fs, &name, context, &is_directory, err));
    return is_directory ? stoa_fail(err, STOA_INVALID, "the directory is not empty")
                        : stoa_fail(err, STOA_NOT_FOUND, "no such object");
}

/* Keys to be removed by one request. */
struct batch {
    struct s3_fs *fs;
    const struct s3_name *name;
    const stoa_context *context;
    stoa_buffer body;
    int32_t count;
};

/* The first <Error> of an answer that is otherwise a success. */
struct failure {
    char key[256];
    char code[64];
};

static stoa_status take_failure(void *user, const char *path, const char *text, stoa_error *err) {
    struct failure *failure = user;
    (void)err;
    if (strcmp(path, "DeleteResult/Error/Key") == 0 && failure->key[0] == '\0') {
        (void)snprintf(failure->key, sizeof failure->key, "%s", text);
    } else if (strcmp(path, "DeleteResult/Error/Code") == 0 && failure->code[0] == '\0') {
        (void)snprintf(failure->code, sizeof failure->code, "%s", text);
    }
    return STOA_OK;
}

static void md5_header(const stoa_buffer *body, char out[MD5_HEADER_BYTES]) {
    unsigned char digest[EVP_MAX_MD_SIZE], text[64];
    unsigned size = 0;
    (void)EVP_Digest(body->data, body->size, digest, &size, EVP_md5(), NULL);
    (void)EVP_EncodeBlock(text, digest, (int)size);
    (void)snprintf(out, MD5_HEADER_BYTES, "Content-MD5: %s", (const char *)text);
}

static stoa_status send_batch(struct batch *batch, stoa_error *err) {
    char md5[MD5_HEADER_BYTES];
    char checksum[S3_CHECKSUM_HEADER_BYTES];
    struct failure failure = {"", ""};
    if (batch->count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_append_text(&batch->body, "</Delete>", err));
    struct s3_call call = {.method = "POST",
                           .name = batch->name,
                           .is_bucket = true,
                           .query = "delete=",
                           .body = batch->body.data,
                           .body_size = batch->body.size,
                           .body_limit = 4 << 20};
    md5_header(&batch->body, md5);
    stoa_s3_checksum_header(batch->body.data, batch->body.size, checksum);
    stoa_s3_call_add_header(&call, "Content-Type: application/xml");
    stoa_s3_call_add_header(&call, md5);
    stoa_s3_call_add_header(&call, checksum);
    stoa_status status = stoa_s3_run_one(batch->fs, &call, batch->context, err);
    if (status == STOA_OK) {
        status = stoa_s3_xml_read(batch->context->pool, call.response.body.data,
                                  call.response.body.size, take_failure, &failure, err);
    }
    if (status == STOA_OK && failure.code[0] != '\0') {
        status = stoa_fail(err, STOA_IO, "S3 did not remove '%s': %s", failure.key, failure.code);
    }
    stoa_s3_call_release(&call, batch->context);
    stoa_buffer_clear(&batch->body);
    batch->count = 0;
    return status;
}

/* XML 1.0 has no way to write most control characters. */
static bool fits_xml(const char *key) {
    for (const char *at = key; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 && *at != '\t' && *at != '\n' && *at != '\r') {
            return false;
        }
    }
    return strstr(key, "\xEF\xBF\xBE") == NULL && strstr(key, "\xEF\xBF\xBF") == NULL;
}

static stoa_status add_key(void *user, const stoa_s3_entry *entry, stoa_error *err) {
    struct batch *batch = user;
    if (!fits_xml(entry->key)) {
        struct s3_name name = *batch->name;
        name.key = entry->key;
        name.key_size = strlen(entry->key);
        return delete_key(batch->fs, &name, batch->context, err);
    }
    if (batch->count == 0) {
        STOA_TRY(
            stoa_buffer_append_text(&batch->body,
                                    "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                    "<Quiet>true</Quiet>",
                                    err));
    }
    STOA_TRY(stoa_buffer_append_text(&batch->body, "<Object><Key>", err));
    STOA_TRY(stoa_s3_xml_escape(&batch->body, entry->key, err));
    STOA_TRY(stoa_buffer_append_text(&batch->body, "</Key></Object>", err));
    batch->count++;
    return batch->count == BATCH_KEYS ? send_batch(batch, err) : STOA_OK;
}

stoa_status stoa_s3_remove_tree(void *state, const char *path, const stoa_context *context,
                                stoa_error *err) {
    struct s3_fs *fs = state;
    struct s3_name name;
    char prefix[S3_KEY_BYTES_MAX + 2];
    STOA_TRY(stoa_s3_name_parse(path, &name, err));
    if (name.key_size == 0) {
        return stoa_fail(err, STOA_UNSUPPORTED, "buckets are emptied and removed by other tools");
    }
    (void)snprintf(prefix, sizeof prefix, "%s%s", name.key,
                   stoa_s3_name_is_directory(&name) ? "" : "/");
    struct batch batch = {fs, &name, context, {.pool = context->pool}, 0};
    stoa_status status = stoa_s3_list_keys(fs, &name, prefix, false, BATCH_KEYS, context, add_key,
                                           &batch, err);
    if (status == STOA_OK) {
        status = send_batch(&batch, err);
    }
    stoa_buffer_release(&batch.body);
    return status;
}

stoa_status stoa_s3_rename(void *state, const char *from, const char *to,
                           const stoa_context *context, stoa_error *err) {
    struct s3_fs *fs = state;
    struct s3_name source, target;
    struct s3_object object;
    bool is_directory = false;
    STOA_TRY(stoa_s3_name_parse(from, &source, err));
    STOA_TRY(stoa_s3_name_parse(to, &target, err));
    if (stoa_s3_name_is_directory(&target)) {
        return stoa_fail(err, STOA_INVALID, "the target is a directory");
    }
    stoa_status status = stoa_s3_head(fs, &source, context, &object, err);
    if (status == STOA_NOT_FOUND) {
        STOA_TRY(explain_missing(fs, &source, context, &is_directory, err));
        return is_directory ? stoa_fail(err, STOA_UNSUPPORTED,
                                        "directories in S3 are beginnings of keys: "
                                        "there is no renaming one in one step")
                            : stoa_fail(err, STOA_NOT_FOUND, "no such object");
    }
    STOA_TRY(status);
    if (strcmp(source.bucket, target.bucket) == 0 && strcmp(source.key, target.key) == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_s3_copy(fs, &source, &object, &target, context, err));
    return delete_key(fs, &source, context, err);
}

stoa_status stoa_s3_put_if(void *state, const char *path, const stoa_context *context,
                           const char *expected, const void *bytes, size_t size, char *out_version,
                           stoa_error *err) {
    struct s3_fs *fs = state;
    struct s3_name name;
    char condition[S3_ETAG_BYTES + 16];
    char etag[S3_ETAG_BYTES];
    STOA_TRY(stoa_s3_name_parse(path, &name, err));
    if (stoa_s3_name_is_directory(&name)) {
        return stoa_fail(err, STOA_INVALID, "it is a directory");
    }
    if (strlen(expected) >= S3_ETAG_BYTES) {
        return stoa_fail(err, STOA_INVALID, "the version has %zu bytes, more than one can have",
                         strlen(expected));
    }
    if (expected[0] == '\0') {
        (void)snprintf(condition, sizeof condition, "If-None-Match: *");
    } else {
        (void)snprintf(condition, sizeof condition, "If-Match: \"%s\"", expected);
    }
    STOA_TRY(stoa_s3_put(fs, &name, condition, bytes, size, etag, context, err));
    if (etag[0] == '\0') {
        return stoa_fail(err, STOA_CORRUPT, "S3 took the object but told no ETag of it");
    }
    memcpy(out_version, etag, S3_ETAG_BYTES);
    return STOA_OK;
}
