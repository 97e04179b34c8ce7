/* Objects open for writing. What is written gathers in memory; one that stays below a part is a
 * single PUT at `sync`, a longer one goes up in parts while it is written, a few of them side by
 * side, and becomes an object when `sync` completes the upload. So readers see the old object or
 * the whole new one, and what was not synced was never there: the upload is aborted.
 *
 * A part is sent by a thread of its own, which costs nothing beside its megabytes. Parts grow, so
 * that the 10,000 that S3 allows hold its largest object. */
#include <inttypes.h>
#include <stdio.h>

#include "vfs/s3.h"

enum { PARTS_OF_ONE_SIZE = 1000 };
static const uint64_t part_bytes_max = UINT64_C(4) << 30; /* S3's limit is 5 GiB */

struct writer;

struct part {
    struct writer *writer;
    pthread_t thread;
    bool is_running;
    bool has_thread;
    int32_t number;
    stoa_buffer bytes;
    stoa_status status;
    stoa_error error;
    char etag[S3_ETAG_BYTES]; /* and checksum: what S3 said of it */
    char checksum[16];
};

struct writer {
    struct s3_fs *fs;
    stoa_context context;
    stoa_cancel *cancel;
    char *path;
    struct s3_name name;
    bool creates;
    bool is_synced;
    bool has_failed;
    uint64_t written;
    char tag[S3_TAG_BYTES];
    stoa_buffer current;
    stoa_buffer upload_id; /* empty: no upload was begun */
    int32_t part_count;    /* that were sent or are on their way */
    struct part parts[S3_PARTS_IN_FLIGHT];
    stoa_buffer receipts; /* the text that completes the upload, of parts that have been joined */
};

static size_t part_bytes(const struct writer *writer, int32_t number) {
    uint64_t bytes = (uint64_t)writer->fs->part_bytes << (number / PARTS_OF_ONE_SIZE);
    return (size_t)(bytes < part_bytes_max ? bytes : part_bytes_max);
}

static stoa_status read_receipt(struct part *part, const struct s3_call *call, const char *header) {
    STOA_TRY(stoa_s3_checksum_compare(call, header, &part->error));
    stoa_s3_etag_copy(part->etag, stoa_http_header(&call->response, "etag"));
    (void)snprintf(part->checksum, sizeof part->checksum, "%s", strchr(header, ' ') + 1);
    if (part->etag[0] == '\0') {
        return stoa_fail(&part->error, STOA_CORRUPT, "S3 took part %d but told no ETag of it",
                         (int)part->number);
    }
    return STOA_OK;
}

static void *send_part(void *user) {
    struct part *part = user;
    struct writer *writer = part->writer;
    const stoa_context *context = &writer->context;
    char checksum[S3_CHECKSUM_HEADER_BYTES];
    stoa_buffer query = {.pool = context->pool};
    struct s3_call call = {.method = "PUT",
                           .name = &writer->name,
                           .body = part->bytes.data,
                           .body_size = part->bytes.size};
    part->status = stoa_s3_part_query(&query, part->number, (const char *)writer->upload_id.data,
                                      &part->error);
    if (part->status == STOA_OK) {
        call.query = (const char *)query.data;
        stoa_s3_checksum_header(part->bytes.data, part->bytes.size, checksum);
        stoa_s3_call_add_header(&call, checksum);
        part->status = stoa_s3_run_one(writer->fs, &call, context, &part->error);
    }
    if (part->status == STOA_OK) {
        part->status = read_receipt(part, &call, checksum);
    }
    stoa_s3_call_release(&call, context);
    stoa_buffer_release(&query);
    return NULL;
}

/* Waits for a part that is on its way, and notes it. */
static stoa_status join(struct part *part, stoa_error *err) {
    if (!part->is_running) {
        return STOA_OK;
    }
    if (part->has_thread) {
        (void)pthread_join(part->thread, NULL);
    }
    part->is_running = false;
    part->has_thread = false;
    if (part->status == STOA_OK) {
        return stoa_s3_parts_append(&part->writer->receipts, part->number, part->etag,
                                    part->checksum, err);
    }
    if (err != NULL) {
        *err = part->error;
    }
    return part->status;
}

/* In the order of their numbers: the oldest is in the slot that would be used next. */
static stoa_status join_all(struct writer *writer, stoa_error *err) {
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < S3_PARTS_IN_FLIGHT; i++) {
        struct part *part = &writer->parts[(writer->part_count + i) % S3_PARTS_IN_FLIGHT];
        stoa_status one = join(part, status == STOA_OK ? err : NULL);
        status = status == STOA_OK ? one : status;
    }
    return status;
}

/* Sends what has gathered as the next part; `current` is empty afterwards. */
static stoa_status dispatch(struct writer *writer, stoa_error *err) {
    if (writer->part_count == S3_PARTS_MAX) {
        return stoa_fail(err, STOA_LIMIT, "more than the %d parts that an object may have",
                         S3_PARTS_MAX);
    }
    if (writer->part_count == 0) {
        STOA_TRY(stoa_s3_upload_begin(writer->fs, &writer->name, writer->tag, true,
                                      &writer->context, &writer->upload_id, err));
    }
    struct part *part = &writer->parts[writer->part_count % S3_PARTS_IN_FLIGHT];
    STOA_TRY(join(part, err));
    stoa_buffer_clear(&part->bytes);
    stoa_buffer swap = part->bytes;
    part->bytes = writer->current;
    writer->current = swap;
    part->number = ++writer->part_count;
    part->status = STOA_OK;
    part->is_running = true;
    part->has_thread = pthread_create(&part->thread, NULL, send_part, part) == 0;
    if (!part->has_thread) {
        (void)send_part(part);
    }
    return STOA_OK;
}

static stoa_status append(struct writer *writer, const uint8_t *bytes, size_t size,
                          stoa_error *err) {
    while (size > 0) {
        size_t full = part_bytes(writer, writer->part_count);
        if (writer->current.size >= full) {
            STOA_TRY(dispatch(writer, err));
            full = part_bytes(writer, writer->part_count);
        }
        size_t room = full - writer->current.size;
        size_t taken = size < room ? size : room;
        STOA_TRY(stoa_buffer_append(&writer->current, bytes, taken, err));
        bytes += taken;
        size -= taken;
    }
    return STOA_OK;
}

static stoa_status refuse(const struct writer *writer, stoa_error *err) {
    return writer->has_failed
               ? stoa_fail(err, STOA_IO, "an earlier write to it failed, and it was given up")
               : stoa_fail(err, STOA_UNSUPPORTED,
                           "objects in S3 are written whole: there is no "
                           "writing after the sync");
}

static stoa_status write_bytes(void *state, const void *bytes, size_t size, stoa_error *err) {
    struct writer *writer = state;
    if (writer->is_synced || writer->has_failed) {
        return refuse(writer, err);
    }
    stoa_status status = stoa_cancel_check(writer->context.cancel, err);
    if (status == STOA_OK) {
        status = append(writer, bytes, size, err);
    }
    writer->has_failed = status != STOA_OK;
    writer->written += status == STOA_OK ? size : 0;
    return status;
}

static stoa_status complete(struct writer *writer, const char *condition, stoa_error *err) {
    if (writer->current.size > 0) {
        STOA_TRY(dispatch(writer, err));
    }
    STOA_TRY(join_all(writer, err));
    return stoa_s3_upload_complete(writer->fs, &writer->name, (const char *)writer->upload_id.data,
                                   &writer->receipts, condition, writer->tag, &writer->context,
                                   err);
}

static stoa_status sync_object(void *state, stoa_error *err) {
    struct writer *writer = state;
    const char *condition = writer->creates ? "If-None-Match: *" : NULL;
    if (writer->is_synced) {
        return STOA_OK;
    }
    if (writer->has_failed) {
        return refuse(writer, err);
    }
    stoa_status status = writer->part_count == 0
                             ? stoa_s3_put(writer->fs, &writer->name, condition,
                                           writer->current.data, writer->current.size, NULL,
                                           &writer->context, err)
                             : complete(writer, condition, err);
    if (status == STOA_CONFLICT && writer->creates) {
        status = stoa_fail(err, STOA_EXISTS, "it exists");
    }
    writer->is_synced = status == STOA_OK;
    writer->has_failed = !writer->is_synced;
    return status;
}

static stoa_status written_size(void *state, uint64_t *out, stoa_error *err) {
    const struct writer *writer = state;
    (void)err;
    *out = writer->written;
    return STOA_OK;
}

static void close_writer(void *state) {
    struct writer *writer = state;
    struct s3_fs *fs = writer->fs;
    stoa_pool *pool = writer->context.pool;
    if (!writer->is_synced) {
        /* Parts on their way are in vain. */
        stoa_cancel_trigger(writer->cancel);
    }
    STOA_IGNORE(join_all(writer, NULL)); /* sync told of failures, or nobody asked */
    if (!writer->is_synced && writer->upload_id.size > 0) {
        stoa_s3_upload_abort(fs, &writer->name, (const char *)writer->upload_id.data,
                             &writer->context);
    }
    for (size_t i = 0; i < S3_PARTS_IN_FLIGHT; i++) {
        stoa_buffer_release(&writer->parts[i].bytes);
    }
    stoa_buffer_release(&writer->current);
    stoa_buffer_release(&writer->upload_id);
    stoa_buffer_release(&writer->receipts);
    stoa_cancel_close(writer->cancel);
    stoa_pool_free_string(pool, writer->path);
    stoa_pool_free(pool, writer, sizeof *writer);
    stoa_s3_unreference(fs);
}

static const stoa_file_operations writing = {
    .size = written_size,
    .write = write_bytes,
    .sync = sync_object,
    .close = close_writer,
};

/* That it is there already is better told now than after gigabytes; `sync` makes sure. Who may write
 * but not look, and who may not list what is missing, is told "AccessDenied" here. */
static stoa_status check_absent(struct writer *writer, stoa_error *err) {
    struct s3_object object;
    stoa_status status = stoa_s3_head(writer->fs, &writer->name, &writer->context, &object, err);
    if (status == STOA_NOT_FOUND || (status == STOA_IO && object.is_denied)) {
        stoa_error_clear(err);
        return STOA_OK;
    }
    return status == STOA_OK ? stoa_fail(err, STOA_EXISTS, "it exists") : status;
}

stoa_status stoa_s3_open_write(struct s3_fs *fs, const char *path, stoa_open_mode mode,
                               const stoa_context *context, stoa_file **out, stoa_error *err) {
    stoa_pool *pool = context->pool;
    void *memory = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct writer), &memory, err));
    struct writer *writer = memory;
    writer->fs = fs;
    writer->context = *context;
    writer->creates = mode == STOA_OPEN_CREATE;
    writer->current.pool = writer->upload_id.pool = writer->receipts.pool = pool;
    for (size_t i = 0; i < S3_PARTS_IN_FLIGHT; i++) {
        writer->parts[i].writer = writer;
        writer->parts[i].bytes.pool = pool;
    }
    stoa_s3_reference(fs);
    stoa_s3_draw_tag(fs, writer->tag);
    STOA_CHECK(stoa_pool_copy_string(pool, path, &writer->path, err));
    STOA_CHECK(stoa_s3_name_parse(writer->path, &writer->name, err));
    STOA_CHECK(stoa_cancel_create(context->cancel, &writer->cancel, err));
    writer->context.cancel = writer->cancel;
    if (stoa_s3_name_is_directory(&writer->name)) {
        status = stoa_fail(err, STOA_INVALID, "it is a directory");
        goto done;
    }
    STOA_CHECK(writer->creates ? check_absent(writer, err) : stoa_s3_connect(fs, err));
    STOA_CHECK(stoa_file_create(pool, path, &writing, writer, out, err));

done:
    if (status != STOA_OK) {
        close_writer(writer);
    }
    return status;
}
