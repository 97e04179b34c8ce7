/* What is there under a name: an object, a beginning of names, or nothing.
 *
 * HEAD has no body, so a refused one says no more than "403": then a GET of one byte is made for
 * its reason, that a wrong secret be told from a missing permission. */
#include <stdio.h>
#include <stdlib.h>

#include "vfs/s3.h"
#include "vfs/sigv4.h"

/* The quotes around an ETag are part of it, and not all servers send them. */
void stoa_s3_etag_copy(char out[S3_ETAG_BYTES], const char *value) {
    size_t size = value == NULL ? 0 : strlen(value);
    if (size >= 2 && value[0] == '"' && value[size - 1] == '"') {
        value++;
        size -= 2;
    }
    out[0] = '\0';
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)value[i] <= ' ' || value[i] == '"' || (unsigned char)value[i] >= 0x7F) {
            return;
        }
    }
    if (size < S3_ETAG_BYTES && size > 0) {
        memcpy(out, value, size);
        out[size] = '\0';
    }
}

static stoa_status ask_why(struct s3_fs *fs, const struct s3_name *name, stoa_status status,
                           const stoa_context *context, bool *out_is_denied, stoa_error *err) {
    struct s3_call call = {.method = "GET", .name = name, .attempts_max = 1};
    stoa_error why = STOA_ERROR_NONE;
    stoa_s3_call_add_header(&call, "Range: bytes=0-0");
    stoa_status answer = stoa_s3_run_one(fs, &call, context, &why);
    *out_is_denied = strcmp(call.refusal.code, "AccessDenied") == 0;
    if (answer != STOA_OK && call.refusal.code[0] != '\0') {
        status = answer;
        if (err != NULL) {
            *err = why;
        }
    }
    stoa_s3_call_release(&call, context);
    return status;
}

static stoa_status read_object(const struct s3_call *call, struct s3_object *out, stoa_error *err) {
    const char *length = stoa_http_header(&call->response, "content-length");
    const char *modified = stoa_http_header(&call->response, "x-amz-meta-stoa-tag");
    const char *checksum = stoa_http_header(&call->response, "x-amz-checksum-crc32c");
    char *end = NULL;
    unsigned long long size = length == NULL ? 0 : strtoull(length, &end, 10);
    if (length == NULL || length[0] < '0' || length[0] > '9' || *end != '\0' || size > INT64_MAX) {
        return stoa_fail(err, STOA_CORRUPT, "S3 answered without the object's size");
    }
    out->size = size;
    stoa_s3_etag_copy(out->etag, stoa_http_header(&call->response, "etag"));
    if (modified != NULL && strlen(modified) < S3_TAG_BYTES) {
        (void)snprintf(out->tag, sizeof out->tag, "%s", modified);
    }
    if (checksum != NULL && strlen(checksum) < sizeof out->checksum) {
        (void)snprintf(out->checksum, sizeof out->checksum, "%s", checksum);
    }
    out->modified_ms = stoa_s3_date_parse(stoa_http_header(&call->response, "last-modified"));
    return STOA_OK;
}

stoa_status stoa_s3_head(struct s3_fs *fs, const struct s3_name *name, const stoa_context *context,
                         struct s3_object *out, stoa_error *err) {
    struct s3_call call = {.method = "HEAD", .name = name};
    *out = (struct s3_object){0};
    stoa_status status = stoa_s3_run_one(fs, &call, context, err);
    if (status == STOA_OK) {
        status = read_object(&call, out, err);
    } else if (status == STOA_IO &&
               (call.response.status_code == 403 || call.response.status_code == 400)) {
        status = ask_why(fs, name, status, context, &out->is_denied, err);
    }
    stoa_s3_call_release(&call, context);
    return status;
}

static stoa_status note_any(void *user, const stoa_s3_entry *entry, stoa_error *err) {
    bool *any = user;
    (void)entry;
    *any = true;
    /* One is enough: this ends the listing. */
    return stoa_fail(err, STOA_EXISTS, "it is there");
}

stoa_status stoa_s3_has_prefix(struct s3_fs *fs, const struct s3_name *name, const char *prefix,
                               const stoa_context *context, bool *out, stoa_error *err) {
    *out = false;
    stoa_status status = stoa_s3_list_keys(fs, name, prefix, false, 1, context, note_any, out, err);
    if (*out) {
        stoa_error_clear(err);
        return STOA_OK;
    }
    return status;
}

stoa_status stoa_s3_stat(void *state, const char *path, const stoa_context *context,
                         stoa_file_info *out, stoa_error *err) {
    struct s3_fs *fs = state;
    struct s3_name name;
    struct s3_object object;
    char prefix[S3_KEY_BYTES_MAX + 2];
    bool is_directory = false;
    *out = (stoa_file_info){0};
    STOA_TRY(stoa_s3_name_parse(path, &name, err));
    if (!stoa_s3_name_is_directory(&name)) {
        stoa_status status = stoa_s3_head(fs, &name, context, &object, err);
        if (status != STOA_NOT_FOUND) {
            out->size = object.size;
            out->modified_ms = object.modified_ms;
            (void)snprintf(out->version, sizeof out->version, "%s", object.etag);
            return status;
        }
        stoa_error_clear(err);
    }
    (void)snprintf(prefix, sizeof prefix, "%s%s", name.key,
                   stoa_s3_name_is_directory(&name) ? "" : "/");
    STOA_TRY(stoa_s3_has_prefix(fs, &name, prefix, context, &is_directory, err));
    /* A bucket is there, empty or not: it would have been missed above. */
    if (!is_directory && name.key_size > 0) {
        return stoa_fail(err, STOA_NOT_FOUND, "no such object, and none below it");
    }
    out->is_directory = true;
    return STOA_OK;
}
