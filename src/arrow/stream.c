/* Streams of batches: the C stream interface on both sides.
 *
 * A stream of ours is a callback with a status behind the interface's errno. Whoever reads it
 * through stoa_stream_next gets the whole stoa_error back; others get errno and the message. The
 * first failure of `next` is final: it is kept and given again to every later call, so that a
 * reader that overlooks it cannot mistake the rest for the end.
 *
 * Source   Apache Arrow, "The Arrow C stream interface" */
#include "arrow/stream.h"

#include <errno.h>
#include <string.h>

#include "arrow/schema.h"
#include "mem/resource.h"
#include "sched/sched.h"

struct stream {
    stoa_pool *pool;
    struct ArrowSchema schema;
    stoa_stream_operations operations;
    void *state;
    bool ended;
    bool failed;
    stoa_error error; /* of the last call that failed; final when `failed` */
    stoa_resource *resource;
    stoa_cancel *cancel;
};

void stoa_arrow_stream_release(struct ArrowArrayStream *stream) {
    if (stream != NULL && stream->release != NULL) {
        stream->release(stream);
        stream->release = NULL;
    }
}

static int errno_of(stoa_status status) {
    switch (status) {
    case STOA_OK: return 0;
    case STOA_INVALID: return EINVAL;
    case STOA_NO_MEMORY:
    case STOA_LIMIT: return ENOMEM;
    case STOA_CANCELLED: return ECANCELED;
    case STOA_UNSUPPORTED: return ENOTSUP;
    case STOA_NOT_FOUND: return ENOENT;
    default: return EIO;
    }
}

static int stream_get_schema(struct ArrowArrayStream *handle, struct ArrowSchema *out) {
    struct stream *stream = handle->private_data;
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = stoa_arrow_schema_copy(stream->pool, &stream->schema, out, &error);
    if (status != STOA_OK && !stream->failed) {
        stream->error = error;
    }
    return errno_of(status);
}

static int stream_get_next(struct ArrowArrayStream *handle, struct ArrowArray *out) {
    struct stream *stream = handle->private_data;
    *out = (struct ArrowArray){0};
    if (stream->failed) {
        return errno_of(stream->error.status);
    }
    if (stream->ended) {
        return 0;
    }
    stoa_error_clear(&stream->error);
    stoa_status status = stream->operations.next(stream->state, out, &stream->error);
    if (status != STOA_OK) {
        stream->failed = true;
        stream->error.status = status;
        stoa_arrow_array_release(out);
    }
    stream->ended = out->release == NULL;
    return errno_of(status);
}

static const char *stream_get_last_error(struct ArrowArrayStream *handle) {
    struct stream *stream = handle->private_data;
    return stream->error.status == STOA_OK ? NULL : stream->error.message;
}

static void close_source(struct stream *stream) {
    if (stream->operations.close != NULL) {
        stream->operations.close(stream->state);
    }
    stream->operations = (stoa_stream_operations){0};
    stream->state = NULL;
}

/* Its database is closed: what is left is an error for whoever still reads. */
static void stream_end(void *owner) {
    struct stream *stream = owner;
    close_source(stream);
    if (!stream->failed) {
        stream->failed = true;
        (void)stoa_fail(&stream->error, STOA_INVALID, "what the stream reads from was closed");
    }
}

static void stream_release(struct ArrowArrayStream *handle) {
    struct stream *stream = handle->private_data;
    stoa_resource_leave(stream->resource);
    close_source(stream);
    stoa_arrow_schema_release(&stream->schema);
    stoa_cancel_close(stream->cancel);
    stoa_pool_free(stream->pool, stream, sizeof *stream);
    *handle = (struct ArrowArrayStream){0};
}

stoa_status stoa_stream_create(stoa_pool *pool, struct ArrowSchema *schema,
                               const stoa_stream_operations *operations, void *state,
                               struct ArrowArrayStream *out, stoa_error *err) {
    *out = (struct ArrowArrayStream){0};
    void *memory = NULL;
    stoa_resource *resource = NULL;
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof(struct stream), &memory, err);
    if (status == STOA_OK) {
        status = stoa_resource_enter(pool, STOA_RESOURCE_STREAM, schema->name, stream_end, memory,
                                     &resource, err);
    }
    if (status != STOA_OK) {
        stoa_pool_free(pool, memory, sizeof(struct stream));
        stoa_arrow_schema_release(schema);
        if (operations->close != NULL) {
            operations->close(state);
        }
        return status;
    }
    struct stream *stream = memory;
    *stream = (struct stream){.pool = pool,
                              .schema = *schema,
                              .operations = *operations,
                              .state = state,
                              .error = STOA_ERROR_NONE,
                              .resource = resource};
    *schema = (struct ArrowSchema){0};
    *out = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                     .get_next = stream_get_next,
                                     .get_last_error = stream_get_last_error,
                                     .release = stream_release,
                                     .private_data = stream};
    return STOA_OK;
}

void stoa_stream_set_cancel(struct ArrowArrayStream *handle, stoa_cancel *cancel) {
    STOA_ASSERT(handle->get_next == stream_get_next);
    struct stream *stream = handle->private_data;
    stoa_cancel *old = stream->cancel;
    stream->cancel = stoa_cancel_retain(cancel);
    stoa_cancel_close(old);
}

stoa_cancel *stoa_stream_cancel(const struct ArrowArrayStream *handle) {
    const struct stream *stream = handle->private_data;
    return handle->get_next == stream_get_next ? stream->cancel : NULL;
}

/* What a failed call of a stream, anybody's, means. */
static stoa_status stream_failure(struct ArrowArrayStream *handle, int number, const char *what,
                                  stoa_error *err) {
    if (handle->get_next == stream_get_next) {
        struct stream *stream = handle->private_data;
        if (err != NULL) {
            *err = stream->error;
        }
        return stream->error.status;
    }
    stoa_status status = number == ENOMEM      ? STOA_NO_MEMORY
                         : number == ECANCELED ? STOA_CANCELLED
                         : number == EINVAL    ? STOA_INVALID
                                               : STOA_IO;
    const char *message = handle->get_last_error == NULL ? NULL : handle->get_last_error(handle);
    if (message != NULL && message[0] != '\0') {
        return stoa_fail(err, status, "%s: %s", what, message);
    }
    char text[128];
    return stoa_fail(err, status, "%s: %s", what, strerror_r(number, text, sizeof text));
}

stoa_status stoa_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out,
                               stoa_error *err) {
    *out = (struct ArrowSchema){0};
    if (stream->release == NULL) {
        return stoa_fail(err, STOA_INVALID, "the schema of a stream that was released");
    }
    int number = stream->get_schema(stream, out);
    if (number != 0) {
        *out = (struct ArrowSchema){0};
        return stream_failure(stream, number, "asking a stream for its schema", err);
    }
    return STOA_OK;
}

stoa_status stoa_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out,
                             stoa_error *err) {
    *out = (struct ArrowArray){0};
    if (stream->release == NULL) {
        return stoa_fail(err, STOA_INVALID, "the next batch of a stream that was released");
    }
    int number = stream->get_next(stream, out);
    if (number != 0) {
        *out = (struct ArrowArray){0};
        return stream_failure(stream, number, "asking a stream for its next batch", err);
    }
    return STOA_OK;
}

/* A stream over batches in memory. */
struct batch_list {
    stoa_pool *pool;
    int64_t count;
    int64_t next;
    struct ArrowArray batches[];
};

static stoa_status batch_list_next(void *state, struct ArrowArray *out, stoa_error *err) {
    (void)err;
    struct batch_list *list = state;
    if (list->next < list->count) {
        *out = list->batches[list->next];
        list->batches[list->next++].release = NULL;
    }
    return STOA_OK;
}

static size_t batch_list_bytes(int64_t count) {
    return sizeof(struct batch_list) + (size_t)count * sizeof(struct ArrowArray);
}

static void batch_list_close(void *state) {
    struct batch_list *list = state;
    for (int64_t i = list->next; i < list->count; i++) {
        stoa_arrow_array_release(&list->batches[i]);
    }
    stoa_pool_free(list->pool, list, batch_list_bytes(list->count));
}

stoa_status stoa_stream_from_batches(stoa_pool *pool, struct ArrowSchema *schema,
                                     struct ArrowArray *batches, int64_t count,
                                     struct ArrowArrayStream *out, stoa_error *err) {
    STOA_ASSERT(count >= 0);
    *out = (struct ArrowArrayStream){0};
    void *memory;
    stoa_status status = stoa_pool_allocate(pool, batch_list_bytes(count), &memory, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(schema);
        for (int64_t i = 0; i < count; i++) {
            stoa_arrow_array_release(&batches[i]);
        }
        return status;
    }
    struct batch_list *list = memory;
    list->pool = pool;
    list->count = count;
    list->next = 0;
    for (int64_t i = 0; i < count; i++) {
        list->batches[i] = batches[i];
        batches[i].release = NULL;
    }
    static const stoa_stream_operations operations = {batch_list_next, batch_list_close};
    return stoa_stream_create(pool, schema, &operations, list, out, err);
}
