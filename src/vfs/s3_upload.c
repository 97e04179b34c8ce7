/* Writing requests: a PUT of a whole object, and uploads in parts.
 *
 * A conditional write whose answer was lost and which is repeated is refused, by its own first
 * attempt; and libcurl repeats a request on a kept connection that was closed without telling. So
 * each carries a random tag in the object's metadata, and after every refusal the object is looked
 * at: with our tag, it was us. Somebody who overwrote it in between makes that look a conflict,
 * which it then is.
 *
 * Bodies carry their CRC-32C: S3 refuses what arrives otherwise, and tells what it has. */
#include <openssl/evp.h>
#include <stdio.h>

#include "base/hash.h"
#include "vfs/s3.h"
#include "vfs/sigv4.h"

enum { ABORT_TIMEOUT_MS = 3000, TAG_HEADER_BYTES = S3_TAG_BYTES + 32 };

static const char content_type[] = "Content-Type: application/octet-stream";

void stoa_s3_checksum_header(const void *bytes, size_t size, char out[S3_CHECKSUM_HEADER_BYTES]) {
    uint32_t crc = stoa_crc32c(0, size == 0 ? "" : bytes, size);
    const uint8_t big_endian[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                                   (uint8_t)crc};
    unsigned char text[16];
    (void)EVP_EncodeBlock(text, big_endian, sizeof big_endian);
    (void)snprintf(out, S3_CHECKSUM_HEADER_BYTES, "x-amz-checksum-crc32c: %s", (const char *)text);
}

stoa_status stoa_s3_checksum_compare(const struct s3_call *call, const char *header,
                                     stoa_error *err) {
    const char *told = stoa_http_header(&call->response, "x-amz-checksum-crc32c");
    const char *own = strchr(header, ' ') + 1;
    if (told != NULL && strcmp(told, own) != 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "the checksum of what was sent is %s but S3 says it is %s", own, told);
    }
    return STOA_OK;
}

stoa_status stoa_s3_is_ours(struct s3_fs *fs, const struct s3_name *name, const char *tag,
                            const stoa_context *context, struct s3_object *out, bool *out_is_ours,
                            stoa_error *err) {
    stoa_status status = stoa_s3_head(fs, name, context, out, err);
    *out_is_ours = status == STOA_OK && strcmp(out->tag, tag) == 0;
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

/* What a refusal of a conditional write means: the condition does not hold, or something else. */
static bool is_conflict(const struct s3_call *call, const char *condition) {
    bool wants_object = condition != NULL && strncmp(condition, "If-Match", 8) == 0;
    return call->status == STOA_CONFLICT ||
           strcmp(call->refusal.code, "ConditionalRequestConflict") == 0 ||
           (wants_object && call->status == STOA_NOT_FOUND &&
            strcmp(call->refusal.code, "NoSuchBucket") != 0);
}

/* A write was refused: as a conflict, unless an attempt of ours won before. */
static stoa_status settle(struct s3_fs *fs, const struct s3_call *call, const char *condition,
                          const char *tag, struct s3_object *object, const stoa_context *context,
                          stoa_error *err) {
    bool is_ours = false;
    bool is_gone = strcmp(call->refusal.code, "NoSuchUpload") == 0;
    if (is_gone || (condition != NULL && is_conflict(call, condition))) {
        STOA_TRY(stoa_s3_is_ours(fs, call->name, tag, context, object, &is_ours, err));
        if (is_ours) {
            stoa_error_clear(err);
            return STOA_OK;
        }
    }
    if (condition != NULL && is_conflict(call, condition)) {
        return stoa_fail(err, STOA_CONFLICT, "somebody else wrote it first (%s)",
                         call->error.message);
    }
    if (err != NULL) {
        *err = call->error;
    }
    return call->status;
}

stoa_status stoa_s3_put(struct s3_fs *fs, const struct s3_name *name, const char *condition,
                        const void *bytes, size_t size, char out_etag[S3_ETAG_BYTES],
                        const stoa_context *context, stoa_error *err) {
    char checksum[S3_CHECKSUM_HEADER_BYTES], tag[S3_TAG_BYTES], tag_header[TAG_HEADER_BYTES];
    struct s3_object object = {0};
    struct s3_call call = {.method = "PUT", .name = name, .body = bytes, .body_size = size};
    stoa_s3_checksum_header(bytes, size, checksum);
    stoa_s3_draw_tag(fs, tag);
    (void)snprintf(tag_header, sizeof tag_header, "x-amz-meta-stoa-tag: %s", tag);
    stoa_s3_call_add_header(&call, content_type);
    stoa_s3_call_add_header(&call, checksum);
    if (condition != NULL) {
        stoa_s3_call_add_header(&call, condition);
        stoa_s3_call_add_header(&call, tag_header);
    }
    stoa_status status = stoa_s3_run_one(fs, &call, context, err);
    if (status == STOA_OK) {
        stoa_s3_etag_copy(object.etag, stoa_http_header(&call.response, "etag"));
        status = stoa_s3_checksum_compare(&call, checksum, err);
    } else if (status == call.status) {
        status = settle(fs, &call, condition, tag, &object, context, err);
    }
    if (status == STOA_OK && out_etag != NULL) {
        memcpy(out_etag, object.etag, S3_ETAG_BYTES);
    }
    stoa_s3_call_release(&call, context);
    return status;
}

stoa_status stoa_s3_upload_begin(struct s3_fs *fs, const struct s3_name *name, const char *tag,
                                 bool has_checksums, const stoa_context *context,
                                 stoa_buffer *upload_id, stoa_error *err) {
    char tag_header[TAG_HEADER_BYTES];
    struct s3_call call = {.method = "POST", .name = name, .query = "uploads="};
    (void)snprintf(tag_header, sizeof tag_header, "x-amz-meta-stoa-tag: %s", tag);
    stoa_s3_call_add_header(&call, content_type);
    stoa_s3_call_add_header(&call, tag_header);
    if (has_checksums) {
        stoa_s3_call_add_header(&call, "x-amz-checksum-algorithm: CRC32C");
    }
    stoa_status status = stoa_s3_run_one(fs, &call, context, err);
    if (status == STOA_OK) {
        status = stoa_s3_text_read(context->pool, call.response.body.data, call.response.body.size,
                                   "InitiateMultipartUploadResult/UploadId", upload_id, err);
    }
    if (status == STOA_OK && upload_id->size == 0) {
        status = stoa_fail(err, STOA_CORRUPT, "S3 began an upload without an id");
    }
    stoa_s3_call_release(&call, context);
    return status;
}

stoa_status stoa_s3_part_query(stoa_buffer *out, int32_t number, const char *upload_id,
                               stoa_error *err) {
    const char *ignored;
    STOA_TRY(stoa_buffer_append_format(out, err, "partNumber=%d&uploadId=", (int)number));
    STOA_TRY(stoa_sigv4_encode(out, upload_id, strlen(upload_id), false, err));
    return stoa_buffer_text(out, &ignored, err);
}

stoa_status stoa_s3_parts_append(stoa_buffer *parts, int32_t number, const char *etag,
                                 const char *checksum, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(parts, err, "<Part><PartNumber>%d</PartNumber><ETag>\"",
                                       (int)number));
    STOA_TRY(stoa_s3_xml_escape(parts, etag, err));
    STOA_TRY(stoa_buffer_append_text(parts, "\"</ETag>", err));
    if (checksum[0] != '\0') {
        STOA_TRY(
            stoa_buffer_append_format(parts, err, "<ChecksumCRC32C>%s</ChecksumCRC32C>", checksum));
    }
    return stoa_buffer_append_text(parts, "</Part>", err);
}

static stoa_status upload_query(stoa_buffer *out, const char *upload_id, const char **out_text,
                                stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, "uploadId=", err));
    STOA_TRY(stoa_sigv4_encode(out, upload_id, strlen(upload_id), false, err));
    return stoa_buffer_text(out, out_text, err);
}

stoa_status stoa_s3_upload_complete(struct s3_fs *fs, const struct s3_name *name,
                                    const char *upload_id, const stoa_buffer *parts,
                                    const char *condition, const char *tag,
                                    const stoa_context *context, stoa_error *err) {
    stoa_buffer query = {.pool = context->pool};
    stoa_buffer body = {.pool = context->pool};
    struct s3_object object;
    struct s3_call call = {.method = "POST", .name = name, .fails_late = true};
    stoa_status status = STOA_OK;
    STOA_CHECK(upload_query(&query, upload_id, &call.query, err));
    STOA_CHECK(stoa_buffer_append_text(&body,
                                       "<CompleteMultipartUpload "
                                       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                                       err));
    STOA_CHECK(stoa_buffer_append(&body, parts->data, parts->size, err));
    STOA_CHECK(stoa_buffer_append_text(&body, "</CompleteMultipartUpload>", err));
    call.body = body.data;
    call.body_size = body.size;
    stoa_s3_call_add_header(&call, "Content-Type: application/xml");
    if (condition != NULL) {
        stoa_s3_call_add_header(&call, condition);
    }
    status = stoa_s3_run_one(fs, &call, context, err);
    if (status != STOA_OK && status == call.status) {
        status = settle(fs, &call, condition, tag, &object, context, err);
    }

done:
    stoa_s3_call_release(&call, context);
    stoa_buffer_release(&query);
    stoa_buffer_release(&body);
    return status;
}

void stoa_s3_upload_abort(struct s3_fs *fs, const struct s3_name *name, const char *upload_id,
                          const stoa_context *context) {
    stoa_cancel *deadline = NULL;
    stoa_buffer query = {.pool = context->pool};
    stoa_context own = *context;
    struct s3_call call = {.method = "DELETE", .name = name};
    stoa_status status = STOA_OK;
    /* What is left behind is for the bucket's rule for unfinished uploads. */
    STOA_CHECK(stoa_cancel_create(NULL, &deadline, NULL));
    stoa_cancel_set_timeout(deadline, ABORT_TIMEOUT_MS);
    own.cancel = deadline;
    STOA_CHECK(upload_query(&query, upload_id, &call.query, NULL));
    STOA_CHECK(stoa_s3_run_one(fs, &call, &own, NULL));

done:
    stoa_s3_call_release(&call, context);
    stoa_buffer_release(&query);
    stoa_cancel_close(deadline);
}
