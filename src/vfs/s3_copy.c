/* Copies within S3, by the server: one request up to 5 GiB, above that an upload whose parts are
 * ranges of the source. Both hold only while the source is the one that was looked at. */
#include <inttypes.h>
#include <stdio.h>

#include "vfs/s3.h"
#include "vfs/sigv4.h"

static stoa_status make_source(stoa_buffer *out, const struct s3_name *from, const char **out_text,
                               stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(out, err, "x-amz-copy-source: /%s/", from->bucket));
    STOA_TRY(stoa_sigv4_encode(out, from->key, from->key_size, true, err));
    return stoa_buffer_text(out, out_text, err);
}

static void add_source(struct s3_call *call, const char *source, const char *match) {
    stoa_s3_call_add_header(call, source);
    if (match[0] != '\0') {
        stoa_s3_call_add_header(call, match);
    }
}

/* Copies parts [first, first + count) side by side and notes them in `parts`. */
static stoa_status copy_parts(struct s3_fs *fs, const struct s3_name *to, const char *upload_id,
                              const char *source, const char *match, uint64_t size, uint64_t each,
                              int32_t first, int32_t count, stoa_buffer *parts,
                              const stoa_context *context, stoa_error *err) {
    struct s3_call calls[S3_PARTS_IN_FLIGHT] = {0};
    stoa_buffer queries[S3_PARTS_IN_FLIGHT] = {0};
    char ranges[S3_PARTS_IN_FLIGHT][96];
    stoa_buffer etag = {.pool = context->pool};
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < count; i++) {
        uint64_t start = (uint64_t)(first + i) * each;
        uint64_t end = start + each < size ? start + each : size;
        queries[i].pool = context->pool;
        STOA_CHECK(stoa_s3_part_query(&queries[i], first + i + 1, upload_id, err));
        (void)snprintf(ranges[i], sizeof ranges[i],
                       "x-amz-copy-source-range: bytes=%" PRIu64 "-%" PRIu64, start, end - 1);
        calls[i] = (struct s3_call){.method = "PUT",
                                    .name = to,
                                    .query = (const char *)queries[i].data,
                                    .fails_late = true};
        add_source(&calls[i], source, match);
        stoa_s3_call_add_header(&calls[i], ranges[i]);
    }
    STOA_CHECK(stoa_s3_run(fs, calls, (size_t)count, context, err));
    for (int32_t i = 0; i < count; i++) {
        char plain[S3_ETAG_BYTES];
        const stoa_buffer *body = &calls[i].response.body;
        STOA_CHECK(stoa_s3_text_read(context->pool, body->data, body->size, "CopyPartResult/ETag",
                                     &etag, err));
        stoa_s3_etag_copy(plain, (const char *)etag.data);
        STOA_CHECK(stoa_s3_parts_append(parts, first + i + 1, plain, "", err));
    }

done:
    for (int32_t i = 0; i < count; i++) {
        stoa_s3_call_release(&calls[i], context);
        stoa_buffer_release(&queries[i]);
    }
    stoa_buffer_release(&etag);
    return status;
}

static stoa_status copy_in_parts(struct s3_fs *fs, const char *source, const char *match,
                                 uint64_t size, const struct s3_name *to,
                                 const stoa_context *context, stoa_error *err) {
    stoa_buffer upload_id = {.pool = context->pool};
    stoa_buffer parts = {.pool = context->pool};
    char tag[S3_TAG_BYTES];
    uint64_t each = fs->copy_bytes_max < (UINT64_C(512) << 20) ? fs->copy_bytes_max
                                                               : UINT64_C(512) << 20;
    while ((size + each - 1) / each > S3_PARTS_MAX) {
        each *= 2;
    }
    int32_t count = (int32_t)((size + each - 1) / each);
    stoa_status status = STOA_OK;
    stoa_s3_draw_tag(fs, tag);
    STOA_CHECK(stoa_s3_upload_begin(fs, to, tag, false, context, &upload_id, err));
    for (int32_t done = 0; done < count;) {
        int32_t some = count - done < S3_PARTS_IN_FLIGHT ? count - done : S3_PARTS_IN_FLIGHT;
        STOA_CHECK(copy_parts(fs, to, (const char *)upload_id.data, source, match, size, each, done,
                              some, &parts, context, err));
        done += some;
    }
    STOA_CHECK(stoa_s3_upload_complete(fs, to, (const char *)upload_id.data, &parts, NULL, tag,
                                       context, err));

done:
    if (status != STOA_OK && upload_id.size > 0) {
        stoa_s3_upload_abort(fs, to, (const char *)upload_id.data, context);
    }
    stoa_buffer_release(&upload_id);
    stoa_buffer_release(&parts);
    return status;
}

stoa_status stoa_s3_copy(struct s3_fs *fs, const struct s3_name *from,
                         const struct s3_object *object, const struct s3_name *to,
                         const stoa_context *context, stoa_error *err) {
    stoa_buffer source = {.pool = context->pool};
    const char *source_text = NULL;
    char match[S3_ETAG_BYTES + 40] = "";
    stoa_status status = STOA_OK;
    STOA_CHECK(make_source(&source, from, &source_text, err));
    if (object->etag[0] != '\0') {
        (void)snprintf(match, sizeof match, "x-amz-copy-source-if-match: \"%s\"", object->etag);
    }
    if (object->size > fs->copy_bytes_max) {
        STOA_CHECK(copy_in_parts(fs, source_text, match, object->size, to, context, err));
    } else {
        struct s3_call call = {.method = "PUT", .name = to, .fails_late = true};
        add_source(&call, source_text, match);
        status = stoa_s3_run_one(fs, &call, context, err);
        stoa_s3_call_release(&call, context);
    }

done:
    if (status == STOA_CONFLICT) {
        stoa_wrap(err, "it changed while it was copied");
    }
    stoa_buffer_release(&source);
    return status;
}
