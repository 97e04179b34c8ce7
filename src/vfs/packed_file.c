/* A handle that packs what is written to it: frames go to the file behind as they become full, and a
 * sync or the close makes a whole file of them. */
#include "vfs/pack.h"
#include "vfs/vfs.h"

struct packed_file {
    stoa_pool *pool;
    const stoa_logger *logger;
    stoa_file *inner;
    stoa_packer *packer;
    stoa_buffer out;
    bool has_failed; /* the file may end in half a frame */
};

/* Hands the frames that are done to the file behind. */
static stoa_status write_out(struct packed_file *file, stoa_status packed, stoa_error *err) {
    stoa_status status = packed;
    if (status == STOA_OK && file->out.size > 0) {
        status = file->inner->operations->write(file->inner->state, file->out.data, file->out.size,
                                                err);
    }
    stoa_buffer_clear(&file->out);
    file->has_failed = status != STOA_OK;
    return status;
}

static stoa_status refuse_after_failure(const struct packed_file *file, stoa_error *err) {
    return file->has_failed ? stoa_fail(err, STOA_IO,
                                        "an earlier write failed, so the file may end in half a "
                                        "frame")
                            : STOA_OK;
}

static stoa_status packed_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    struct packed_file *file = state;
    STOA_TRY(refuse_after_failure(file, err));
    return write_out(file, stoa_packer_write(file->packer, bytes, size, &file->out, err), err);
}

static stoa_status packed_sync(void *state, stoa_error *err) {
    struct packed_file *file = state;
    STOA_TRY(refuse_after_failure(file, err));
    STOA_TRY(write_out(file, stoa_packer_end(file->packer, &file->out, err), err));
    return file->inner->operations->sync == NULL
               ? STOA_OK
               : file->inner->operations->sync(file->inner->state, err);
}

static void packed_release(struct packed_file *file) {
    stoa_packer_close(file->packer);
    stoa_buffer_release(&file->out);
    stoa_file_close(file->inner);
    stoa_pool_free(file->pool, file, sizeof *file);
}

static void packed_close(void *state) {
    struct packed_file *file = state;
    stoa_error failure = STOA_ERROR_NONE;
    /* Who wanted to know whether it is there has synced. */
    if (!file->has_failed &&
        write_out(file, stoa_packer_end(file->packer, &file->out, &failure), &failure) != STOA_OK) {
        stoa_log(file->logger, STOA_LOG_WARN, "vfs",
                 "'%s' was closed without all that was written to it, and not synced before: %s",
                 stoa_file_uri(file->inner), failure.message);
    }
    packed_release(file);
}

stoa_status stoa_packed_file_create(const stoa_context *context, const char *name, stoa_file *inner,
                                    stoa_packer *packer, stoa_file **out, stoa_error *err) {
    static const stoa_file_operations operations = {
        .write = packed_write,
        .sync = packed_sync,
        .close = packed_close,
    };
    void *memory = NULL;
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof(struct packed_file),
                                                  &memory, err);
    if (status != STOA_OK) {
        stoa_packer_close(packer);
        stoa_file_close(inner);
        return status;
    }
    struct packed_file *file = memory;
    file->pool = context->pool;
    file->logger = context->logger;
    file->inner = inner;
    file->packer = packer;
    stoa_buffer_init(&file->out, context->pool);
    status = stoa_file_create(context->pool, name, &operations, file, out, err);
    if (status != STOA_OK) {
        packed_release(file);
    }
    return status;
}

stoa_status stoa_compressed_create(const stoa_context *context, stoa_file *target,
                                   stoa_packing packing, stoa_file **out, stoa_error *err) {
    stoa_packer *packer = NULL;
    *out = NULL;
    stoa_status status = stoa_packer_create(context->pool, packing, &packer, err);
    if (status != STOA_OK) {
        stoa_file_close(target);
        return status;
    }
    return stoa_packed_file_create(context, stoa_file_uri(target), target, packer, out, err);
}
